"""A Gemma 3 checkpoint in Hugging Face's layout, rewritten as the pair of GGUF files that llama.cpp
reads: the text model, and `mmproj` with vision tower and projector. Weights are copied, never rounded
to fewer bits than asked for.

    python generate_gguf.py                      the tiny fixtures in ../checkpoints/gguf
    python generate_gguf.py --model DIR --out DIR --name NAME --type bf16 [--vocab-of FILE.gguf]
                                                 any other checkpoint (benches/peers does this)

Needs numpy and gguf 0.19.0 (PyPI). Names, keys and types follow the converter and the loaders of
llama.cpp at 0c1e570: norms of the decoder and of the projector hold 1 + w, matrices keep their rows,
`v.patch_embd` and `v.position_embd` are f32 and `mm.input_projection` f16 in files of 16 bits.

The fixtures are `mm-bf16` and `mm-f16` (in f32 the text file of `mm-2025` would pass 200 KiB). Their
goldens hold, with three things to know:
- The attention scale is 1/sqrt(6), and a reader takes 1/sqrt(head_dim) = 1/sqrt(8): there is no key for
  it. The queries' norm is multiplied by sqrt(8/6) instead, the same product up to f32's rounding.
- llama.cpp multiplies embeddings by sqrt(d) in f32: the golden's `logits_unrounded`. `logits` has it
  rounded to the stored type.
- 448 embedding rows for 432 ids become 448 tokens, the last ones `[PAD...]` of type "unused", as
  llama.cpp's converter pads. As in published files eos is `<eos>`; that a turn ends at
  `<end_of_turn>` a reader knows by its text.
- Runs of blanks are pieces of blanks, as in published files, where tokenizer.json has them with
  U+2581; this tiny tokenizer has no merges for them, so only such runs are cut differently.
llama.cpp itself, reading these pairs, is within 2e-2 (bf16) and 4e-3 (f16) of the goldens' largest
logit: it rounds activations to the stored type. From the same weights in f32 it is within 1.5e-3.
"""

import argparse
import json
import math
import re
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).resolve().parent
ARCH = "gemma3"
WIDE = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
         "bf16": gguf.GGMLQuantizationType.BF16}
FILE_TYPES = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
              "bf16": gguf.LlamaFileType.MOSTLY_BF16}

TEXT = {
    "embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
VISION = {
    "embeddings.patch_embedding": "v.patch_embd", "embeddings.position_embedding": "v.position_embd",
    "post_layernorm": "v.post_ln", "layer_norm1": "ln1", "layer_norm2": "ln2",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
}


# --- the checkpoint ------------------------------------------------------------------------------


def tensors(model):
    """Name -> (stored type, array as stored) of every tensor, mapped, in the files' order."""
    for path in sorted(model.glob("*.safetensors")):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        data = np.memmap(path, mode="r", offset=8 + size)
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            array = data[start:end].view(WIDE[entry["dtype"]]).reshape(entry["shape"])
            yield name, entry["dtype"], array


def as_f32(stored, array):
    """The stored numbers, widened."""
    if stored == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def add(writer, name, stored, array, wanted):
    """Writes `array` as `wanted`; bf16 that stays bf16 is not touched."""
    kind = TYPES[wanted]
    if wanted == "bf16":
        bits = array if stored == "BF16" else gguf.quants.quantize(as_f32(stored, array), kind).view(np.uint16)
        writer.add_tensor(name, np.ascontiguousarray(bits).view(np.uint8), raw_dtype=kind)
    else:
        wide = as_f32(stored, array)
        rounded = wide.astype(WIDE[wanted.upper()])
        assert np.isfinite(rounded).all() or not np.isfinite(wide).all(), f"{name} does not fit into {wanted}"
        writer.add_tensor(name, np.ascontiguousarray(rounded))


# --- the text model ------------------------------------------------------------------------------


def text_name(name):
    """GGUF's name of a decoder tensor, or None for one of the other file."""
    bare = re.sub(r"^(model\.)?language_model\.(model\.)?|^model\.", "", name)
    if bare.startswith(("vision_tower.", "multi_modal_projector.")):
        return None
    found = re.fullmatch(r"(?:layers\.(\d+)\.)?(.+)\.weight", bare)
    layer, part = found.groups()
    return (f"blk.{layer}." if layer else "") + TEXT[part] + ".weight"


def rope(text):
    """Global base, local base, linear factor (or None), from either dialect."""
    if "rope_parameters" in text:
        full, local = text["rope_parameters"]["full_attention"], text["rope_parameters"]["sliding_attention"]
        return full["rope_theta"], local["rope_theta"], full.get("factor")
    scaling = text.get("rope_scaling") or {}
    return text["rope_theta"], text["rope_local_base_freq"], scaling.get("factor")


def text_keys(writer, text):
    """Sizes and constants of the decoder."""
    base, local, factor = rope(text)
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(text["head_dim"])
    writer.add_value_length(text["head_dim"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_sliding_window(text["sliding_window"])
    writer.add_rope_freq_base(base)
    writer.add_rope_freq_base_swa(local)
    if factor:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(factor)


def vocabulary(model):
    """Pieces, scores and types out of a tokenizer.json in Gemma's format."""
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    pieces = dict(tokenizer["model"]["vocab"])
    added = {one["id"]: one for one in tokenizer["added_tokens"]}
    pieces.update({one["content"]: one["id"] for one in added.values()})
    order = [piece for piece, _ in sorted(pieces.items(), key=lambda item: item[1])]
    assert sorted(pieces.values()) == list(range(len(order))), "ids without holes"
    merged = [a + b for a, b in tokenizer["model"]["merges"]]
    learnt = [piece for piece in order if piece in set(merged)]
    assert learnt == list(dict.fromkeys(merged)), "a piece's rank is its merge's: one score says both"
    first = pieces[learnt[0]]
    rows = []
    for index, piece in enumerate(order):
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            rows.append((piece, 0.0, gguf.TokenType.BYTE))
        elif index in added and (added[index]["special"] or re.fullmatch(r"<mask>|<unused\d+>", piece)):
            rows.append((piece, -1000.0, gguf.TokenType.CONTROL))
        elif index in added:
            # Runs of blanks stand in such files as blanks.
            rows.append((piece.replace("\u2581", " "), -1000.0, gguf.TokenType.USER_DEFINED))
        else:
            rows.append((piece, float(first - index), gguf.TokenType.NORMAL))
    return rows


def vocabulary_of(path, model):
    """The vocabulary of another GGUF, with the tokens that the checkpoint's tokenizer adds to it."""
    fields = gguf.GGUFReader(path).fields
    tokens, scores, types = (fields[f"tokenizer.ggml.{key}"] for key in ("tokens", "scores", "token_type"))
    rows = [(bytes(tokens.parts[a]).decode(), float(scores.parts[b][0]), int(types.parts[c][0]))
            for a, b, c in zip(tokens.data, scores.data, types.data)]
    added = json.loads((model / "tokenizer.json").read_text())["added_tokens"]
    for one in sorted(added, key=lambda one: one["id"]):
        if one["id"] == len(rows):
            rows.append((one["content"], -1000.0, gguf.TokenType.CONTROL))
    return rows


def tokenizer_keys(writer, model, rows, size):
    """The vocabulary, padded to `size` rows, and the chat template."""
    rows = rows + [(f"[PAD{index}]", -1000.0, gguf.TokenType.UNUSED) for index in range(len(rows), size)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([row[0] for row in rows])
    writer.add_token_scores([row[1] for row in rows])
    writer.add_token_types([int(row[2]) for row in rows])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    beside = model / "chat_template.jinja"
    config = json.loads((model / "tokenizer_config.json").read_text())
    template = beside.read_text() if beside.is_file() else config.get("chat_template")
    if template:
        writer.add_chat_template(template)


def write_text(model, config, path, wanted, vocab_of):
    """The decoder's file."""
    text = config.get("text_config", config)
    head = text["head_dim"]
    # A reader knows no other scale than 1/sqrt(head_dim); see this file's header.
    stretch = math.sqrt(head / text.get("query_pre_attn_scalar", head))
    writer = gguf.GGUFWriter(path, ARCH)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(path.stem)
    writer.add_file_type(FILE_TYPES[wanted])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    text_keys(writer, text)
    rows = vocabulary_of(vocab_of, model) if vocab_of else vocabulary(model)
    size = text["vocab_size"]
    tokenizer_keys(writer, model, rows, size)
    for name, stored, array in tensors(model):
        new = text_name(name)
        if new is None:
            continue
        if new.endswith("norm.weight"):
            shifted = as_f32(stored, array) + np.float32(1.0)
            scale = np.float32(stretch if new.endswith("attn_q_norm.weight") else 1.0)
            add(writer, new, "F32", shifted * scale, "f32")
        else:
            assert new != "token_embd.weight" or array.shape[0] == size, "one row a token"
            add(writer, new, stored, array, wanted)
    finish(writer)


# --- the vision tower and the projector ------------------------------------------------------------


def vision_name(name):
    """GGUF's name of a tensor of tower or projector, or None for one of the other file."""
    bare = name.removeprefix("model.")
    if bare == "multi_modal_projector.mm_input_projection_weight":
        return "mm.input_projection.weight"
    if bare == "multi_modal_projector.mm_soft_emb_norm.weight":
        return "mm.soft_emb_norm.weight"
    found = re.fullmatch(r"vision_tower\.(?:vision_model\.)?(?:encoder\.layers\.(\d+)\.)?(.+)\.(weight|bias)", bare)
    if found is None:
        return None
    layer, part, end = found.groups()
    return (f"v.blk.{layer}." if layer else "") + f"{VISION[part]}.{end}"


def vision_keys(writer, model, config):
    """Sizes and constants of the tower."""
    vision, text = config["vision_config"], config["text_config"]
    beside = model / "preprocessor_config.json"
    pixels = json.loads(beside.read_text()) if beside.is_file() else {}
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.GEMMA3)
    writer.add_vision_projection_dim(text["hidden_size"])
    writer.add_vision_image_size(vision["image_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_block_count(vision["num_hidden_layers"])
    writer.add_vision_head_count(vision["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(vision.get("layer_norm_eps", 1e-6))
    writer.add_vision_image_mean(pixels.get("image_mean", [0.5] * 3))
    writer.add_vision_image_std(pixels.get("image_std", [0.5] * 3))
    writer.add_vision_use_gelu(True)
    side = math.isqrt(config["mm_tokens_per_image"])
    factor = vision["image_size"] // vision["patch_size"] // side
    if factor != 4:
        writer.add_vision_projector_scale_factor(factor)


def vision_type(name, array, wanted):
    """The type that a tensor of the tower gets in a file of `wanted`."""
    if array.ndim == 1 or name.startswith(("v.patch_embd", "v.position_embd")):
        return "f32"
    # llama.cpp multiplies by its transpose, for which it has no bf16.
    return "f16" if name == "mm.input_projection.weight" and wanted == "bf16" else wanted


def write_vision(model, config, path, wanted):
    """The file of tower and projector."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_name(path.stem)
    writer.add_file_type(FILE_TYPES[wanted])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vision_keys(writer, model, config)
    for name, stored, array in tensors(model):
        new = vision_name(name)
        if new is None:
            continue
        if new == "mm.soft_emb_norm.weight":
            stored, array = "F32", as_f32(stored, array) + np.float32(1.0)
        add(writer, new, stored, array, vision_type(new, array, wanted))
    finish(writer)


def finish(writer):
    """Header, keys, tensors."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(model, out, name, wanted, vocab_of=None, only=None):
    """The pair of files for one checkpoint."""
    config = json.loads((model / "config.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    if only != "mmproj":
        write_text(model, config, out / f"{name}-{wanted}.gguf", wanted, vocab_of)
    if only != "text" and "vision_config" in config:
        write_vision(model, config, out / f"mmproj-{name}-{wanted}.gguf", wanted)


def main():
    """See the file's header."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--name", default="model")
    parser.add_argument("--type", choices=TYPES, default="bf16")
    parser.add_argument("--vocab-of", type=Path, help="take the vocabulary from this GGUF file")
    parser.add_argument("--only", choices=["text", "mmproj"])
    options = parser.parse_args()
    if options.model:
        convert(options.model, options.out, options.name, options.type, options.vocab_of, options.only)
        return
    checkpoints = HERE.parent / "checkpoints"
    for wanted in ("bf16", "f16"):
        convert(checkpoints / f"mm-{wanted}", checkpoints / "gguf", "mm", wanted)


if __name__ == "__main__":
    main()
