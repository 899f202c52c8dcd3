"""A checkpoint of MedSigLIP's shape with random bf16 weights: make_medsiglip.py DIR

Stands in for google/medsiglip-448, which is not free to download: how fast a model runs does not depend
on what it has learnt. Runs in venv; takes 1.8 GB of disk.
"""

import sys

import torch
from transformers import SiglipConfig, SiglipModel

TOWER = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
TEXT = {**TOWER, "vocab_size": 32000, "max_position_embeddings": 64, "projection_size": 1152}
VISION = {**TOWER, "image_size": 448, "patch_size": 14}


def main():
    """See the file's header."""
    torch.manual_seed(0)
    model = SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION)).to(torch.bfloat16)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count != 878_300_338:
        sys.exit(f"{count} weights are not MedSigLIP's 878300338")
    model.save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()
