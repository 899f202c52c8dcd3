"""The shape of the demonstration model, and the configuration files in the published layout."""

import json
import math
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from augment import SIZE

PATCH, SOFT_TOKENS = 14, 16  # 8x8 patches, pooled 2x2 to 4x4
TEXT = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 32,
        "max_position_embeddings": 4096}
VISION = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
          "image_size": SIZE, "patch_size": PATCH, "num_channels": 3}
PATTERN, GLOBAL_BASE, LOCAL_BASE, FACTOR = 3, 1_000_000.0, 10_000.0, 8.0


def ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The special ids, from the tokenizer that was just made."""
    return {name: tokenizer.token_to_id(token) for name, token in {
        "pad": "<pad>", "eos": "<eos>", "bos": "<bos>", "end_of_turn": "<end_of_turn>",
        "boi": "<start_of_image>", "eoi": "<end_of_image>", "image": "<image_soft_token>"}.items()}


def vocabulary_rows(tokenizer: Tokenizer) -> int:
    """Rows of the embedding table: the vocabulary rounded up to a multiple of 64."""
    return -(-tokenizer.get_vocab_size() // 64) * 64


def config(tokenizer: Tokenizer) -> Gemma3Config:
    """The configuration the installed transformers trains with."""
    special = ids(tokenizer)
    text = {**TEXT, "vocab_size": vocabulary_rows(tokenizer), "attention_bias": False, "attention_dropout": 0.0,
            "pad_token_id": special["pad"], "bos_token_id": special["bos"], "eos_token_id": special["eos"],
            "layer_types": ["full_attention" if (i + 1) % PATTERN == 0 else "sliding_attention"
                            for i in range(TEXT["num_hidden_layers"])],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": FACTOR, "rope_theta": GLOBAL_BASE},
                "sliding_attention": {"rope_type": "default", "rope_theta": LOCAL_BASE}}}
    return Gemma3Config(text_config=text, vision_config={**VISION, "vision_use_head": False},
                        mm_tokens_per_image=SOFT_TOKENS, boi_token_index=special["boi"],
                        eoi_token_index=special["eoi"], image_token_index=special["image"],
                        tie_word_embeddings=True)


def cosine_patches() -> torch.Tensor:
    """[hidden, 3, PATCH, PATCH]: the lowest 2-D cosines in brightness and in two opposed colours.

    Natural pictures hold less the finer the detail, so each cosine is weighted by its
    frequency; a random start would see little but the mean of each patch.
    """
    points = (torch.arange(PATCH) + 0.5) * math.pi / PATCH
    order = sorted(((u * u + v * v) ** 0.5, u, v) for u in range(PATCH) for v in range(PATCH))
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]])
    shares = (VISION["hidden_size"] * 3 // 4, VISION["hidden_size"] // 8, VISION["hidden_size"] // 8)
    rows = []
    for colour, share in zip(colours, shares, strict=True):
        for size, u, v in order[:share]:
            wave = torch.cos(u * points)[:, None] * torch.cos(v * points)[None]
            wave = wave / wave.norm() * (0.15 + 0.35 * size)
            rows.append(colour[:, None, None] / colour.norm() * wave[None])
    return torch.stack(rows)


def grid_positions() -> torch.Tensor:
    """[patches, hidden]: sines and cosines of the row in one half, of the column in the other."""
    side = SIZE // PATCH
    quarter = VISION["hidden_size"] // 4
    rates = math.pi / side * 2 ** (torch.arange(quarter) * 3.0 / quarter)
    angles = torch.arange(side)[:, None] * rates[None]
    line = torch.cat([angles.sin(), angles.cos()], 1)
    return torch.cat([line.repeat_interleave(side, 0), line.repeat(side, 1)], 1) * 0.5


def model(tokenizer: Tokenizer) -> Gemma3ForConditionalGeneration:
    """A model before training; patches, positions and the projection do not start at random or at zero."""
    made = Gemma3ForConditionalGeneration._from_config(config(tokenizer), attn_implementation="sdpa")
    embeddings = made.model.vision_tower.embeddings
    with torch.no_grad():
        embeddings.patch_embedding.weight.copy_(cosine_patches())
        embeddings.patch_embedding.bias.zero_()
        embeddings.position_embedding.weight.copy_(grid_positions())
        made.model.multi_modal_projector.mm_input_projection_weight.normal_(0.0, VISION["hidden_size"] ** -0.5)
    return made.float()


def published_config(tokenizer: Tokenizer) -> dict:
    """config.json in the dialect Gemma 3 was published in (2025)."""
    special = ids(tokenizer)
    text = {**TEXT, "model_type": "gemma3_text", "vocab_size": vocabulary_rows(tokenizer),
            "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": None,
            "final_logit_softcapping": None, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
            "rope_theta": GLOBAL_BASE, "rope_local_base_freq": LOCAL_BASE,
            "rope_scaling": {"factor": FACTOR, "rope_type": "linear"}, "sliding_window_pattern": PATTERN,
            "initializer_range": 0.02, "use_cache": True, "torch_dtype": "bfloat16"}
    vision = {**VISION, "model_type": "siglip_vision_model", "hidden_act": "gelu_pytorch_tanh",
              "layer_norm_eps": 1e-6, "attention_dropout": 0.0, "vision_use_head": False, "torch_dtype": "bfloat16"}
    return {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
            "boi_token_index": special["boi"], "eoi_token_index": special["eoi"], "image_token_index": special["image"],
            "bos_token_id": special["bos"], "pad_token_id": special["pad"],
            "eos_token_id": [special["eos"], special["end_of_turn"]], "initializer_range": 0.02,
            "mm_tokens_per_image": SOFT_TOKENS, "tie_word_embeddings": True, "text_config": text,
            "vision_config": vision, "torch_dtype": "bfloat16", "transformers_version": "4.50.0"}


def write_configs(directory: Path, tokenizer: Tokenizer) -> None:
    """Write every JSON file of the directory but the tokenizer's."""
    special = ids(tokenizer)
    generation = {"bos_token_id": special["bos"], "pad_token_id": special["pad"],
                  "eos_token_id": [special["eos"], special["end_of_turn"]], "do_sample": False,
                  "max_new_tokens": 160, "cache_implementation": "hybrid"}
    processor = {"do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True,
                 "do_resize": True, "image_mean": [0.5] * 3, "image_processor_type": "Gemma3ImageProcessor",
                 "image_seq_length": SOFT_TOKENS, "image_std": [0.5] * 3, "pan_and_scan_max_num_crops": None,
                 "pan_and_scan_min_crop_size": None, "pan_and_scan_min_ratio_to_activate": None,
                 "processor_class": "Gemma3Processor", "resample": 2, "rescale_factor": 1 / 255,
                 "size": {"height": SIZE, "width": SIZE}}
    files = {"config.json": published_config(tokenizer), "generation_config.json": generation,
             "preprocessor_config.json": processor,
             "processor_config.json": {"image_seq_length": SOFT_TOKENS, "processor_class": "Gemma3Processor"}}
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n")
