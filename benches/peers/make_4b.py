"""A checkpoint of MedGemma 4B's shape with random bf16 weights: make_4b.py DIR [TOKENIZER_DIR]

How fast a model runs and what memory it takes does not depend on what it has learnt, so this stands
in for the published checkpoint, which is not free to download. Layout and names are those that
transformers saves. Runs in venv; takes 9 GB of disk and as much memory.
"""

import shutil
import sys
from pathlib import Path

import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

TEXT = {
    "vocab_size": 262208, "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "query_pre_attn_scalar": 256,
    "sliding_window": 1024, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
}
VISION = {
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
    "image_size": 896, "patch_size": 14, "vision_use_head": False,
}
TOKENIZER = ["tokenizer.json", "tokenizer_config.json"]


def fill(name, parameter):
    """Norms that do nothing, biases of zero, matrices of the spread that training starts from."""
    layer_norm = "layernorm" in name and name.startswith("model.vision_tower") or "layer_norm" in name
    if parameter.ndim > 1:
        parameter.normal_(0.0, 0.02)
    elif layer_norm and name.endswith("weight"):
        parameter.fill_(1.0)
    else:
        parameter.zero_()


def main():
    """See the file's header."""
    out = Path(sys.argv[1])
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    config = Gemma3Config(text_config=TEXT, vision_config=VISION, mm_tokens_per_image=256,
                          architectures=["Gemma3ForConditionalGeneration"])
    with torch.device("meta"):
        model = Gemma3ForConditionalGeneration(config)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fill(name, parameter)
    model.tie_weights()
    model.save_pretrained(out, max_shard_size="5GB")
    for file in TOKENIZER if len(sys.argv) > 2 else []:
        shutil.copy(Path(sys.argv[2]) / file, out / file)


if __name__ == "__main__":
    main()
