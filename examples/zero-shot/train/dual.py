"""The shape of the demonstration dual encoder, its start, and its files in the published layout."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import SiglipConfig, SiglipModel

from pieces import LENGTH
from report_train import PATCH, REPORT, SIZE, VISION

LAYERS = 2  # of the text tower


def config_json(pieces: int) -> dict:
    """config.json as SigLIP checkpoints have it; the towers of one width, so that their embeddings compare."""
    text = {"model_type": "siglip_text_model", "vocab_size": pieces, "hidden_size": VISION["hidden_size"],
            "intermediate_size": VISION["intermediate_size"], "num_hidden_layers": LAYERS,
            "num_attention_heads": VISION["num_attention_heads"], "max_position_embeddings": LENGTH,
            "projection_size": VISION["hidden_size"], "hidden_act": "gelu_pytorch_tanh", "pad_token_id": 1,
            "bos_token_id": None, "eos_token_id": 1}
    vision = {"model_type": "siglip_vision_model", **VISION, "image_size": SIZE, "patch_size": PATCH,
              "hidden_act": "gelu_pytorch_tanh"}
    return {"architectures": ["SiglipModel"], "model_type": "siglip", "initializer_factor": 1.0, "text_config": text,
            "vision_config": vision, "torch_dtype": "float16", "transformers_version": "5.23.0"}


def start(pieces: int) -> SiglipModel:
    """Random towers, but for the vision tower's body: that of the report example's model, which is ours as well."""
    config = config_json(pieces)
    model = SiglipModel(SiglipConfig(text_config=config["text_config"], vision_config=config["vision_config"]))
    prefix = "vision_tower."
    weights = load_file(REPORT / "model" / "model.safetensors")
    tower = {k.removeprefix(prefix): v.float() for k, v in weights.items() if k.startswith(prefix)}
    missing, unexpected = model.load_state_dict(tower, strict=False)
    if unexpected or any(k.startswith("vision_model.") and ".head." not in k for k in missing):
        raise SystemExit(f"the report example's tower does not fit: {unexpected} {missing}")
    with torch.no_grad():
        # As in SigLIP (Zhai et al. 2023, section 3.3).
        model.logit_scale.fill_(torch.log(torch.tensor(10.0)).item())
        model.logit_bias.fill_(-10.0)
    return model


def save(model: SiglipModel, pieces: int, out: Path) -> None:
    """Weights in f16: half the bytes of f32, and computed in f32 by this library, as f16 weights are."""
    tensors = {name: value.detach().to(torch.float16).contiguous() for name, value in model.state_dict().items()
               if not name.endswith("position_ids")}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    processor = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
                 "image_processor_type": "SiglipImageProcessor", "processor_class": "SiglipProcessor", "resample": 2,
                 "rescale_factor": 1 / 255, "size": {"height": SIZE, "width": SIZE}}
    for name, content in (("config.json", config_json(pieces)), ("preprocessor_config.json", processor)):
        (out / name).write_text(json.dumps(content, indent=2) + "\n")
