"""Makes the expected ids of the SigLIP tokenizer with the references themselves.

    python generate.py [FOLDER]

Writes a tiny tokenizer in SigLIP's format (`spiece.model` trained by SentencePiece, `tokenizer.json` from the same pieces) and
`tiny.json`: ids by `SiglipTokenizer` of transformers 5.23 and by the `tokenizers` package. The same in `extra/` of one with two
pieces that T5's vocabularies have, as the multilingual SigLIP's. With FOLDER, which holds
MedSigLIP's published files (Google-Health/medsiglip, `python/pre_processor_configs`), `published.json` with the ids of those;
the files themselves are not kept here. Seeded; a second run leaves no difference.
"""

import base64
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
import tokenizers
import transformers
from sentencepiece import sentencepiece_model_pb2
from transformers import PreTrainedTokenizerFast, SiglipTokenizer

assert transformers.__version__ == "5.23.0", transformers.__version__
assert sentencepiece.__version__ == "0.2.3", sentencepiece.__version__
assert tokenizers.__version__.startswith("0.23."), tokenizers.__version__
transformers.logging.set_verbosity_error()

HERE = pathlib.Path(__file__).parent
SEED = 20260201
LENGTH = 64

TEXT = """a chest x-ray with pleural effusion
a photo of a normal chest without pneumothorax
no acute findings in the lungs and the heart is normal
diabetic retinopathy severity none mild moderate severe proliferative
melanoma or benign nevus of the skin with and w/o ulcer
histology of the colon with adenocarcinoma and normal mucosa
oxygen saturation <90 and heart rate >100 at rest
the lungs are clear / the heart is large
spo2 < 90 and > 85 on 2 l/min of oxygen
findings of the left lung and of the right lung are the same
\u00e9 \u00e4 \u01df \u2032 a\u0308 o\u2044 1\u20442 fi
"""

# Source and target of the character map. Two rules begin alike, so that the shortest match is not the longest.
RULES = {
    "\ufb01": "fi", "\u00bd": "1\u20442", "\u2034": "\u2032\u2032\u2032", "\u200b": " ", "\u3000": " ", "\ufeff": " ",
    "e\u0301": "\u00e9", "a\u0308": "\u00e4", "a\u0308\u0304": "\u01df", "\uff41": "a", "\uff21": "A", "\x01": "", "\x7f": "",
    "\u00a8": " \u0308", "\uff1c": "<", "\uff1e": ">",
}

PUNCTUATION = r"""[!"\#\$%\&'\(\)\*\+,\-\.:;=\?@\[\\\]\^_`\{\|\}\~]"""


# As `SentencePieceVocabulary` of seqio adds them. No text spells one, but with characters that the map makes `_` of.
EXTRA = ["\u2581<extra_id_1>", "\u2581<extra_id_0>"]
EXTRA_RULES = RULES | {"\uff3f": "_"}


def train(folder_of_result, rules, extra):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "text").write_text(TEXT * 3, encoding="utf-8")
        hexadecimal = lambda text: " ".join(f"{ord(c):X}" for c in text)
        rows = (f"{hexadecimal(a)}\t{hexadecimal(b)}\n" for a, b in rules.items())
        (folder / "rules").write_text("".join(rows))
        sentencepiece.SentencePieceTrainer.Train(
            input=str(folder / "text"), model_prefix=str(folder / "tiny"), model_type="unigram", vocab_size=420,
            hard_vocab_limit=False, normalization_rule_tsv=str(folder / "rules"), byte_fallback=True, num_threads=1,
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>",
            character_coverage=1.0, minloglevel=2,
        )
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString((folder / "tiny.model").read_bytes())
    # Where files were, and how a program of no interest was set up.
    del model.trainer_spec.input[:]
    model.trainer_spec.model_prefix = "tiny"
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    for piece in extra:
        model.pieces.add(piece=piece, score=0.0, type=model.SentencePiece.USER_DEFINED)
    folder_of_result.mkdir(exist_ok=True)
    (folder_of_result / "spiece.model").write_bytes(model.SerializeToString(deterministic=True))
    return model


def write_json(folder, model):
    """The published file's layout around the tiny pieces."""
    by = lambda pattern, content: {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
    charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    token = lambda i, content, strip: {"id": i, "content": content, "single_word": False, "lstrip": strip, "rstrip": strip,
                                       "normalized": False, "special": True}
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    # As `SpmConverter` of transformers declares user defined pieces.
    added = [token(i, p.piece, False) | {"special": False} for i, p in enumerate(model.pieces) if p.type == p.USER_DEFINED]
    sequence = lambda i: {"Sequence": {"id": i, "type_id": 0}}
    eos = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    file = {
        "version": "1.0",
        # Settings that a reader must ignore; `reference` does not hand them on.
        "truncation": {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 7}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
                    "pad_token": "<pad>"},
        "added_tokens": [token(0, "<pad>", False), token(1, "</s>", True), token(2, "<unk>", True), *added],
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
    text = json.dumps(file, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")


def reference(folder):
    slow = SiglipTokenizer(vocab_file=str(folder / "spiece.model"))
    plain = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) | {"truncation": None, "padding": None}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(json.dumps(plain)), eos_token="</s>", pad_token="</s>", unk_token="<unk>",
        model_max_length=LENGTH,
    )
    return {"siglip-tokenizer": slow, "tokenizer-json": fast}


def texts():
    fixed = [
        "", " ", "Normal study.", "no pneumothorax", "chest X-ray with pleural effusion", "diabetic retinopathy severity: none.",
        "A photo of a NORMAL chest", "SpO2 <90% w/o O2", "< 90", "90", "w/o", "wo", "a/b", "a b", "<90 & >100",
        "it's (benign), isn't it?", "\"quoted\" - dashed_words; 100%!", "~`@#$^*+=[]{}|\\:", "...", "/", "<>", "!?",
        " leading", "trailing ", "  two  spaces  ", "a\tb\r\nc\x0bd\x0ce", "a\x1cb\x1fc", "a\x85b\u00a0c\u2028d\u3000e",
        "\u200bzero\u200bwidth\ufeff", "x\u2581y", "\u2581", " \u2581 ", "\x01a\x7f", "a\x00b",
        "</s>", "a</s>", "a </s> b", "</s></s>", " </s> a", "<unk>", "a<unk>b", "<UNK>", "</S>", "a<UNK>\u00e9", "<pad>", "a <pad> b", "<PAD>",
        "<0x41>", "<0xE5>", "\u0391\u03a3 \u03a3\u0391\u03a3", "\u0130stanbul", "STRA\u00dfE", "\u1e9e", "\ufb01ndings \u00bd", "\u2034\u2034",
        "cafe\u0301 caf\u00e9", "a\u0308 a\u0308\u0304 a\u0304\u0308", "\uff21\uff41", "\u00a8a\u00a8", "a\u0308\u0304\u0301 x",
        "a\u200b b", "a \u200b\ufeff b", "\u2034\u20dd x", "a \uff1c0x41\uff1e",
        "\u80ba\u708e 12345", "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0440\u0435\u043d\u0442\u0433\u0435\u043d",
        "histology of the colon with adenocarcinoma", "melanoma", "benign nevus", "findings of the left lung / the right lung",
    ]
    random.seed(SEED)
    words = TEXT.split() + ["</s>", "<unk>", "<pad>", "\u80ba", "\u00e9", "X", "Y.", "(z)", "\n", "<", ">", "/", "\u2581", "\ufb01"]
    drawn = []
    for _ in range(60):
        sample = [random.choice(words) for _ in range(random.randrange(1, 12))]
        drawn.append("".join(w + random.choice(["", " ", " ", " ", "  ", ", "]) for w in sample))
    long = [" ".join(random.choice(TEXT.split()) for _ in range(n)) for n in (50, 80, 200)]
    long += ["</s>" * n for n in (63, 64, 65)] + ["\u80ba" * 40, "a " * 60 + "</s>"]
    return fixed + drawn + long


def extra_texts():
    return [
        "", "melanoma", "a photo of a NORMAL chest", "<extra_id_0>", "\u2581<extra_id_0>", "a \u2581<extra_id_0> b", "a\u2581<extra_id_1>b",
        "<extra_id_0> a", "\u2581<extra_id_1>\u2581<extra_id_0></s>", "</s>\u2581<extra_id_1>", "\uff1cextra\uff3fid\uff3f0\uff1e",
        "a \uff1cextra\uff3fid\uff3f1\uff1e b", "a\uff1cextra\uff3fid\uff3f1\uff1eb", "\uff1cEXTRA\uff3fID\uff3f0\uff1e\uff1cextra\uff3fid\uff3f0\uff1e",
        "<extra\uff3fid\uff3f0>", "\u2581\uff1cextra\uff3fid\uff3f1", "SpO2 <90 w/o O2", "\u80ba\u708e 12345",
    ]


def goldens(folder, name, texts, different_least, truncated_least):
    rows, references = [], reference(folder)
    for text in texts:
        row = {"text": text}
        for mode, tokenizer in references.items():
            ids = tokenizer(text)["input_ids"]
            padded = tokenizer(text, padding="max_length", truncation=True, max_length=LENGTH)["input_ids"]
            assert len(padded) == LENGTH and padded[-1] == 1
            # Where nothing is cut off, the row is the ids and padding; a row of its own is kept where something is.
            if len(ids) <= LENGTH:
                assert padded == ids + [1] * (LENGTH - len(ids)), text
                row[mode] = {"ids": ids}
            else:
                row[mode] = {"ids": ids, "truncated": padded}
        rows.append(row)
    different = sum(row["siglip-tokenizer"] != row["tokenizer-json"] for row in rows)
    assert different >= different_least, "the two normalisations must be told apart"
    assert sum("truncated" in row["siglip-tokenizer"] for row in rows) >= truncated_least
    head = {"transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__, "tokenizers": tokenizers.__version__}
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path = HERE / name
    path.write_text(json.dumps(head)[:-1] + f', "rows": [\n{lines}\n]}}\n')
    assert path.stat().st_size <= 200 * 1024


if __name__ == "__main__":
    write_json(HERE, train(HERE, RULES, []))
    write_json(HERE / "extra", train(HERE / "extra", EXTRA_RULES, EXTRA))
    goldens(HERE / "extra", "extra/extra.json", extra_texts(), 5, 0)
    for folder, name in [(HERE, "tiny.json")] + [(pathlib.Path(folder), "published.json") for folder in sys.argv[1:]]:
        goldens(folder, name, texts(), 20, 4)
