"""Learn the small vocabulary and write it in the files that SigLIP's tokenizer is published in.

The same construction as SigLIP's (unigram pieces with byte fallback by SentencePiece, `<pad>` 0,
`</s>` 1, `<unk>` 2), with other and far fewer pieces and a character map of a few rules.
"""

import base64
import json
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from captions import Captions, normal

PIECES = 840
LENGTH = 64  # ids of a text, as SigLIP has them
# Characters that are written in several ways.
SAME = {"\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\ufb02": "fl", "\u2212": "-", "\u00e6": "ae", "\u0153": "oe"}
PUNCTUATION = r"""[!"\#\$%\&'\(\)\*\+,\-\.:;=\?@\[\\\]\^_`\{\|\}\~]"""
SPACE = "\u2581"


def learn(folder: Path) -> sentencepiece_model_pb2.ModelProto:
    """The pieces of the training captions, learnt in `folder`."""
    # Letters and digits once each: what captions do not use must not be bytes.
    texts = [normal(text) for text in Captions().all_texts()] + list("abcdefghijklmnopqrstuvwxyz0123456789")
    (folder / "text").write_text("\n".join(text for text in texts if text) + "\n", encoding="utf-8")
    rules = (f"{code(source)}\t{code(target)}\n" for source, target in SAME.items())
    (folder / "rules").write_text("".join(rules))
    sentencepiece.SentencePieceTrainer.Train(
        input=str(folder / "text"), model_prefix=str(folder / "pieces"), model_type="unigram", vocab_size=PIECES,
        hard_vocab_limit=False, normalization_rule_tsv=str(folder / "rules"), byte_fallback=True, num_threads=1,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>",
        character_coverage=1.0, minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "pieces.model").read_bytes())
    # Paths of this machine.
    del model.trainer_spec.input[:]
    model.trainer_spec.model_prefix = "spiece"
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model


def code(text: str) -> str:
    """Code points in hexadecimal, as SentencePiece's rules are written."""
    return " ".join(f"{ord(c):X}" for c in text)


def tokenizer_json(model: sentencepiece_model_pb2.ModelProto) -> dict:
    """The pieces in the layout of `tokenizer.json`, with the steps published with SigLIP."""
    def by(pattern: str, content: str) -> dict:
        return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}

    def token(number: int, content: str, strip: bool) -> dict:
        return {"id": number, "content": content, "single_word": False, "lstrip": strip, "rstrip": strip, "normalized": False,
                "special": True}

    def sequence(name: str) -> dict:
        return {"Sequence": {"id": name, "type_id": 0}}

    charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    eos = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [token(0, "<pad>", False), token(1, "</s>", True), token(2, "<unk>", True)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Lowercase"}, by(PUNCTUATION, ""), by(r"\s+", " "), {"type": "Strip", "strip_left": True, "strip_right": True},
            {"type": "Precompiled", "precompiled_charsmap": charsmap}, by(" {2,}", " "),
        ]},
        "pre_tokenizer": metaspace,
        "post_processor": {"type": "TemplateProcessing", "single": [sequence("A"), eos], "pair": [sequence("A"), eos, sequence("B"), eos],
                           "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": [[p.piece, p.score] for p in model.pieces], "byte_fallback": True},
    }


def write(directory: Path) -> int:
    """Write the tokenizer's files and return the number of pieces."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        model = learn(Path(folder))
    (directory / "spiece.model").write_bytes(model.SerializeToString(deterministic=True))
    text = json.dumps(tokenizer_json(model), ensure_ascii=False, indent=1)
    (directory / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    config = {"do_lower_case": True, "eos_token": "</s>", "model_input_names": ["input_ids"], "model_max_length": LENGTH,
              "pad_token": "</s>", "processor_class": "SiglipProcessor", "tokenizer_class": "SiglipTokenizer", "unk_token": "<unk>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return len(model.pieces)
