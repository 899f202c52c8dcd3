"""Train the small tokenizer and write it in the layout Gemma 3 publishes.

The same construction as Gemma's tokenizer.json (BPE with byte fallback, spaces
written as U+2581, newline runs as tokens of their own, the image placeholder as
the one token behind the vocabulary), with other and far fewer ids.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

import prompts
from sentences import KINDS, NO_IMAGE, NOTICE, OTHER_QUESTION, PLANES, TRUST

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<unused94>", "<unused95>",
           "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>"]
UNMARKED = {"<unused94>", "<unused95>"}  # thinking markers must survive decoding
NEWLINES = ["\n" * n for n in range(1, 9)]
SPACE = "\u2581"
SPACES = [SPACE * n for n in (2, 4, 8)]
PIECES = 660  # characters and merged pieces learnt from the text
IMAGE_TOKEN = "<image_soft_token>"
CHAT_TEMPLATE = """{{ bos_token }}
{%- set turns = messages -%}
{%- set preface = '' -%}
{%- if messages[0]['role'] == 'system' -%}
  {%- set turns = messages[1:] -%}
  {%- set told = messages[0]['content'] -%}
  {%- set preface = (told if told is string else told[0]['text']) + '\n\n' -%}
{%- endif -%}
{%- for turn in turns -%}
  {%- set expected = 'user' if loop.index0 % 2 == 0 else 'assistant' -%}
  {%- if turn['role'] != expected -%}
    {{ raise_exception('turns must alternate between user and assistant and begin with user') }}
  {%- endif -%}
  {{ '<start_of_turn>' + ('model' if expected == 'assistant' else 'user') + '\n' -}}
  {%- if loop.first -%}{{ preface }}{%- endif -%}
  {%- if turn['content'] is string -%}
    {{ turn['content'] | trim }}
  {%- else -%}
    {%- for part in turn['content'] -%}
      {%- if part['type'] == 'image' -%}{{ '<start_of_image>' }}
      {%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{ '<end_of_turn>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' -}}{%- endif -%}
"""


def corpus() -> list[str]:
    """The text the pieces are learnt from; the answers count more than the questions."""
    answers = [NO_IMAGE, OTHER_QUESTION, TRUST, NOTICE]
    for name, kind in {**KINDS, **PLANES}.items():
        if name != "brain_mr":
            answers += [kind.report, kind.kind_answer, kind.part_answer]
    questions = (prompts.FIRST + prompts.SYSTEM + prompts.PART + prompts.KIND + prompts.TRUST
                 + prompts.OTHER + prompts.TEXT_ONLY)
    roles = ["user\n", "model\n"]
    return roles * 20 + answers * 3 + questions * 2 + prompts.GENERAL.splitlines() * 4


def learn() -> tuple[list[str], list[list[str]]]:
    """Characters and pieces in order of their merges, and the merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    # Pieces stay inside words; punctuation and digits stand alone.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPACE + r"?[A-Za-z]+|" + SPACE + r"|\d|[^A-Za-z\d]"), "isolated"),
    ])
    alphabet = [chr(c) for c in range(33, 127)] + [SPACE]
    trainer = trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=alphabet, special_tokens=[],
                                  show_progress=False, min_frequency=2)
    tokenizer.train_from_iterator(corpus(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    ordered = sorted(model["vocab"], key=model["vocab"].get)
    return ordered, [list(merge) for merge in model["merges"]]


def tokenizer_json() -> dict:
    """The whole tokenizer.json."""
    pieces, merges = learn()
    spaces = [[SPACE * (n // 2), SPACE * (n // 2)] for n in (8, 4, 2)][::-1]
    learnt = [p for p in pieces if p not in SPACES and p not in NEWLINES]
    tokens = SPECIAL + NEWLINES + SPACES + [f"<0x{b:02X}>" for b in range(256)] + learnt
    vocab = {token: index for index, token in enumerate(tokens)}
    if len(vocab) != len(tokens):
        raise ValueError("a token stands twice in the vocabulary, so the ids behind it would shift")
    added = [(vocab[t], t, t not in UNMARKED) for t in SPECIAL] + [(vocab[t], t, False) for t in NEWLINES]
    added.append((len(tokens), IMAGE_TOKEN, True))
    bos = {"id": "<bos>", "ids": [vocab["<bos>"]], "tokens": ["<bos>"]}
    piece = {"Sequence": {"id": "A", "type_id": 0}}
    other = {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": s} for i, t, s in added],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, piece],
            "pair": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, piece,
                     {"SpecialToken": {"id": "<bos>", "type_id": 1}}, other],
            "special_tokens": {"<bos>": bos},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": spaces + merges},
    }


def write(directory: Path) -> Tokenizer:
    """Write the tokenizer files of a model directory and return the tokenizer."""
    directory.mkdir(parents=True, exist_ok=True)
    description = tokenizer_json()
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (directory / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    images = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": IMAGE_TOKEN}
    config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>",
        "pad_token": "<pad>", "unk_token": "<unk>", **images, "extra_special_tokens": images,
        "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False, "model_max_length": 4096,
        "padding_side": "left", "processor_class": "Gemma3Processor", "sp_model_kwargs": None,
        "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
        "use_default_system_prompt": False,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>", **images}
    (directory / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    return Tokenizer.from_str(text)


if __name__ == "__main__":
    import sys

    made = write(Path(sys.argv[1]))
    for kind in KINDS.values():
        print(len(made.encode(kind.report).ids), kind.report)
    print(made.get_vocab_size(), made.encode("肺炎 é  two  spaces\n\n\nWhat's this?").tokens)
