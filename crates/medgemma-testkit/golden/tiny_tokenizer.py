"""The tiny checkpoints' tokenizer: Gemma 3's structure (BPE with byte fallback, U+2581 for
spaces, newline runs as added tokens, the image soft token outside the model vocabulary) over a
vocabulary of this project's own words.

The special ids differ from the published ones on purpose: code that hard-codes 105, 106 or
262144 fails on these checkpoints.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = [
    "describe this image", "what does the image show", "the image shows the chest of the patient",
    "which part of the body is this", "compare the first picture with the second picture",
    "no sign of a fracture is seen in the left hand", "the heart and the lungs look normal",
    "user", "model", "system", "You are a careful assistant.", "Answer in one sentence.",
    "thought", "the reader should look at the bones", "Final answer: yes", "Final answer: no",
]

# id order: the four that are 0..3 in every Gemma checkpoint, then ours.
HEAD = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]",
        "<unused94>", "<unused95>", "<start_of_turn>", "<end_of_turn>",
        "\n", "\n\n", "\n\n\n", "\n\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581"]
SPECIAL = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>",
           "<start_of_image>", "<end_of_image>", "<image_soft_token>"}

CHAT_TEMPLATE = """{{- bos_token -}}
{%- set turns = messages -%}
{%- set lead = '' -%}
{%- if messages | length > 0 and messages[0].role == 'system' -%}
    {%- set head = messages[0].content -%}
    {%- set lead = (head if head is string else head[0].text) ~ '\\n\\n' -%}
    {%- set turns = messages[1:] -%}
{%- endif -%}
{%- for turn in turns -%}
    {%- set expected = 'user' if loop.index0 is even else 'assistant' -%}
    {%- if turn.role != expected -%}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
    {%- endif -%}
    {{- '<start_of_turn>' ~ ('model' if turn.role == 'assistant' else 'user') ~ '\\n' -}}
    {%- if loop.first -%}{{- lead -}}{%- endif -%}
    {%- if turn.content is string -%}
        {{- turn.content | trim -}}
    {%- else -%}
        {%- for part in turn.content -%}
            {%- if part.type == 'image' -%}{{- '<start_of_image>' -}}
            {%- elif part.type == 'text' -%}{{- part.text | trim -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
"""


def trained_merges():
    """BPE merges learnt from CORPUS; the trainer is deterministic."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=90, show_progress=False, min_frequency=2)
    tok.train_from_iterator(CORPUS, trainer)
    return [list(pair) for pair in json.loads(tok.to_str())["model"]["merges"]]


def build():
    """(tokenizer.json as a dict, name -> id of the special tokens, number of ids)."""
    merges = trained_merges()
    pieces = list(HEAD) + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += [a + b for a, b in merges]
    pieces += ["\u2581"] + [chr(c) for c in range(0x21, 0x7F)]
    pieces = list(dict.fromkeys(pieces)) + ["<start_of_image>", "<end_of_image>"]
    vocab = {piece: index for index, piece in enumerate(pieces)}
    soft = len(pieces)
    added = [p for p in pieces if p in HEAD or p in SPECIAL] + ["<image_soft_token>"]
    ids = dict(vocab, **{"<image_soft_token>": soft})
    bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    document = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": ids[p], "content": p, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": p in SPECIAL} for p in added],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "},
                          "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": merges},
    }
    return document, ids, soft + 1


def write(directory: Path, image_size: int, soft_tokens: int):
    """All processing files of a published Gemma 3 directory."""
    document, _, _ = build()
    dump(directory / "tokenizer.json", document)
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    dump(directory / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "boi_token": "<start_of_image>",
        "bos_token": "<bos>", "clean_up_tokenization_spaces": False, "eoi_token": "<end_of_image>",
        "eos_token": "<eos>", "extra_special_tokens": {
            "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>"},
        "image_token": "<image_soft_token>", "model_max_length": 512, "pad_token": "<pad>",
        "padding_side": "left", "processor_class": "Gemma3Processor",
        "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False})
    dump(directory / "special_tokens_map.json", {
        "boi_token": "<start_of_image>", "bos_token": "<bos>", "eoi_token": "<end_of_image>",
        "eos_token": "<eos>", "image_token": "<image_soft_token>", "pad_token": "<pad>",
        "unk_token": "<unk>"})
    dump(directory / "processor_config.json",
         {"image_seq_length": soft_tokens, "processor_class": "Gemma3Processor"})
    dump(directory / "preprocessor_config.json", {
        "do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Gemma3ImageProcessor",
        "image_seq_length": soft_tokens, "image_std": [0.5, 0.5, 0.5],
        "pan_and_scan_max_num_crops": None, "pan_and_scan_min_crop_size": None,
        "pan_and_scan_min_ratio_to_activate": None, "processor_class": "Gemma3Processor",
        "resample": 2, "rescale_factor": 0.00392156862745098,
        "size": {"height": image_size, "width": image_size}})


def dump(path: Path, value):
    """JSON with a stable layout, so that regenerating leaves no difference."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
