"""The tiny checkpoints: configurations in every dialect, seeded weights, tensor names.

The shapes are adversarial (docs: README.md beside this file): no two widths that a faulty port
could confuse are equal, every scale differs from the one it is usually mistaken for.
"""

import hashlib
import json
import math
import re
from pathlib import Path

import torch
from safetensors.torch import save_file

import tiny_tokenizer

SEED = 20261124
ROWS = 448                      # embedding rows, more than the tokenizer has ids (262208 > 262145)
IMAGE_SIZE, PATCH, SOFT = 28, 7, 4

_, IDS, ID_COUNT = tiny_tokenizer.build()
assert ID_COUNT < ROWS

# head_dim 8 != 24 / 4; query_pre_attn_scalar 6 != 8; sqrt(24) is not a bf16 number.
TEXT = {
    "model_type": "gemma3_text", "vocab_size": ROWS, "hidden_size": 24, "intermediate_size": 40,
    "num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "query_pre_attn_scalar": 6, "sliding_window": 6, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-3,
}
VISION = {
    "model_type": "siglip_vision_model", "hidden_size": 20, "intermediate_size": 36,
    "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": IMAGE_SIZE, "patch_size": PATCH,
    "vision_use_head": False, "layer_norm_eps": 2e-2,
}
OUTER = {
    "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
    "mm_tokens_per_image": SOFT, "boi_token_index": IDS["<start_of_image>"],
    "eoi_token_index": IDS["<end_of_image>"], "image_token_index": IDS["<image_soft_token>"],
    "eos_token_id": [1, IDS["<end_of_turn>"]], "initializer_range": 0.02,
}


def config_2025(window=6, dtype="float32", version="4.50.0.dev0"):
    """The dialect of the 2025 releases: flat rope keys, a pattern, class defaults left out."""
    text = dict(TEXT, sliding_window=window, rope_theta=50000.0, rope_local_base_freq=300.0,
                rope_scaling={"factor": 8.0, "rope_type": "linear"}, sliding_window_pattern=6)
    return dict(OUTER, text_config=text, vision_config=dict(VISION), torch_dtype=dtype,
                transformers_version=version)


def config_27b_like():
    """Text only: layer_types, untied head, default thetas left to the class, scale d / heads."""
    kinds = ["full_attention" if i in (2, 5) else "sliding_attention" for i in range(7)]
    return {
        "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "vocab_size": ID_COUNT - 1,
        "hidden_size": 30, "intermediate_size": 44, "num_hidden_layers": 7, "num_attention_heads": 6,
        "num_key_value_heads": 3, "head_dim": 12, "query_pre_attn_scalar": 5, "sliding_window": 5,
        "layer_types": kinds, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "tie_word_embeddings": False, "max_position_embeddings": 512,
        "eos_token_id": [1, IDS["<end_of_turn>"]], "torch_dtype": "float32",
        "transformers_version": "4.52.4"}


def fill(model, salt="n"):
    """Seeded weights, one generator per tensor so that order never matters."""
    state = model.state_dict()
    for key, value in state.items():
        digest = hashlib.sha256(f"{SEED}{salt}{key}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        noise = torch.randn(value.shape, generator=generator)
        state[key] = noise * spread(key, value.shape) + centre(key)
    model.load_state_dict(state)
    model.tie_weights()


def spread(key, shape):
    """Standard deviation of a tensor's weights."""
    if key.endswith("bias"):
        return 0.3
    if "embed_tokens" in key or "lm_head" in key:
        return 0.22             # small: a tied head repeats a token whose embedding dominates
    if "position_embedding" in key:
        return 0.5
    if "norm" in key:
        return 0.35
    if "patch_embedding" in key:
        return 2.0 / math.sqrt(math.prod(shape[1:]))
    if "mm_input_projection" in key:
        return 2.0 / math.sqrt(shape[0])
    return 1.5 / math.sqrt(shape[-1])


def centre(key):
    """Mean of a tensor's weights: Gemma's norms sit around 0 (they multiply by 1 + w),
    LayerNorm around 1; the query and key norms are larger, to make attention selective."""
    if "q_norm" in key or "k_norm" in key:
        return 0.4
    if "layer_norm" in key or "post_layernorm.weight" in key and "vision" in key:
        return 1.0 if key.endswith("weight") else 0.0
    return 0.0


def old_names(state):
    """In-memory keys of transformers 5.23 -> the keys of the 2025 releases (tied head left out)."""
    out = {}
    for key, value in state.items():
        if key == "lm_head.weight":
            continue
        key = re.sub(r"^model\.language_model\.", "language_model.model.", key)
        key = re.sub(r"^model\.vision_tower\.", "vision_tower.vision_model.", key)
        key = re.sub(r"^model\.multi_modal_projector\.", "multi_modal_projector.", key)
        out[key] = value
    return out


def save_sharded(directory: Path, tensors, shards):
    """model-0000i-of-0000n.safetensors and the index, keys in order, split by bytes."""
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    groups, size = [{}], 0
    for key in sorted(tensors):
        if size > total / shards * len(groups):
            groups.append({})
        groups[-1][key] = tensors[key].contiguous()
        size += tensors[key].numel() * tensors[key].element_size()
    names = [f"model-{i + 1:05d}-of-{len(groups):05d}.safetensors" for i in range(len(groups))]
    weight_map = {}
    for name, group in zip(names, groups):
        save_file(group, directory / name, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(group, name))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    tiny_tokenizer.dump(directory / "model.safetensors.index.json", index)


def write_common(directory: Path, config):
    """config.json, generation_config.json and the processing files."""
    directory.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer.dump(directory / "config.json", config)
    tiny_tokenizer.dump(directory / "generation_config.json", {
        "bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": True,
        "eos_token_id": [1, IDS["<end_of_turn>"]], "pad_token_id": 0, "top_k": 64, "top_p": 0.95,
        "transformers_version": config["transformers_version"]})
    tiny_tokenizer.write(directory, IMAGE_SIZE, SOFT)


def json_of(path: Path):
    """A parsed JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
