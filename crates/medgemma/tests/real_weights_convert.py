"""Turns the Gemma 3 270M GGUF file into a Hugging Face directory, for the test on real weights.

usage: python3 real_weights_convert.py GGUF TOKENIZER_DIR OUT_DIR

needs: pip install gguf==0.19.0 numpy        (no torch; peak memory about 2 GB)

Writes config.json (the dialect of the 2025 releases), generation_config.json, model.safetensors
(f32, exactly the dequantised values) and copies tokenizer.json and tokenizer_config.json. The GGUF
stores norm weights as 1 + w, the published directories store w. What the GGUF does not say (layer
pattern, local rope base, attention scale) is Gemma 3's.
The file's checksum is asserted: the goldens beside this script hold for this file only.
"""

import hashlib
import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PATTERN = 6                     # every sixth layer is global

TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
LAYER = {
    "attn_norm": "input_layernorm", "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def published_key(name):
    """GGUF tensor name -> key of the published checkpoint."""
    if name in TOP:
        return TOP[name]
    block, number, part, suffix = name.split(".")
    assert block == "blk" and suffix == "weight", name
    return f"model.layers.{number}.{LAYER[part]}.weight"


def config(reader):
    """config.json from the GGUF's metadata."""
    def field(key):
        return reader.fields[f"gemma3.{key}"].contents()

    layers = field("block_count")
    kinds = ["full_attention" if (i + 1) % PATTERN == 0 else "sliding_attention" for i in range(layers)]
    return {
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "attn_logit_softcapping": None, "bos_token_id": 2, "eos_token_id": 1,
        "final_logit_softcapping": None, "head_dim": field("attention.key_length"),
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": field("embedding_length"),
        "initializer_range": 0.02, "intermediate_size": field("feed_forward_length"),
        "layer_types": kinds, "max_position_embeddings": field("context_length"),
        "model_type": "gemma3_text", "num_attention_heads": field("attention.head_count"),
        "num_hidden_layers": layers, "num_key_value_heads": field("attention.head_count_kv"),
        "pad_token_id": 0, "query_pre_attn_scalar": field("attention.key_length"),
        "rms_norm_eps": 1e-6, "rope_local_base_freq": 10000.0, "rope_scaling": None,
        "rope_theta": field("rope.freq_base"), "sliding_window": field("attention.sliding_window"),
        "sliding_window_pattern": PATTERN, "torch_dtype": "float32",
        "transformers_version": "4.55.0.dev0", "use_cache": True, "vocab_size": 262144,
    }


def shape(tensor):
    """Axis lengths, outermost first (GGUF lists them innermost first)."""
    return tuple(int(n) for n in reversed(tensor.shape))


def values(tensor, key):
    """The tensor's values as little-endian f32, in the published convention."""
    data = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype="<f4")
    assert data.shape == shape(tensor), (key, data.shape)
    return data - np.float32(1) if key.endswith("norm.weight") else data


def write_safetensors(path, tensors):
    """One tensor at a time, so that no more than one lies in memory dequantised."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for key, tensor in tensors:
        start, end = end, end + 4 * int(np.prod(shape(tensor)))
        header[key] = {"dtype": "F32", "shape": shape(tensor), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for key, tensor in tensors:
            file.write(memoryview(np.ascontiguousarray(values(tensor, key))).cast("B"))
        assert file.tell() == 8 + len(text) + end


def checksum(path):
    """sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def main(gguf, tokenizer_dir, out):
    """See the module's text."""
    found = checksum(gguf)
    assert found == SHA256, f"{gguf}: sha256 {found}, expected {SHA256}"
    reader = GGUFReader(gguf)
    tensors = sorted(((published_key(t.name), t) for t in reader.tensors), key=lambda pair: pair[0])
    assert len(tensors) == 236, len(tensors)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config(reader), indent=2) + "\n")
    (out / "generation_config.json").write_text(json.dumps({
        "bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": True, "eos_token_id": [1],
        "pad_token_id": 0, "top_k": 64, "top_p": 0.95, "transformers_version": "4.55.0.dev0",
    }, indent=2) + "\n")
    write_safetensors(out / "model.safetensors", tensors)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (tokenizer_dir / name).exists() or name == "tokenizer.json":
            shutil.copyfile(tokenizer_dir / name, out / name)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python3 real_weights_convert.py GGUF TOKENIZER_DIR OUT_DIR")
    main(*map(Path, sys.argv[1:]))
