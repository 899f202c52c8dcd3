"""Writes the tiny SigLIP dual encoders and their goldens with the reference, transformers 5.23.0.

usage: python generate_siglip.py     (from any folder; needs torch 2.15, transformers 5.23.0)

Everything is seeded: a second run leaves no difference. README.md describes the files.
"""

from pathlib import Path

import generate                     # sets one thread, eager determinism, and asserts the versions
import torch
import transformers
from safetensors.torch import save_file
from transformers import SiglipModel

import siglip_teeth
import tiny_models as tiny
import tiny_tokenizer

PAD = 1
FAR = 50 * siglip_teeth.TOLERANCE   # rows closer than this could be exchanged unseen

# 3 heads of 10 lanes beside 2 of 12; a text width that is not the image's, so that the head of the
# text tower is not square; 4 patches of 6 in 28 pixels, the last 4 of which belong to no patch.
TEXT = {
    "model_type": "siglip_text_model", "vocab_size": 101, "hidden_size": 24, "intermediate_size": 40,
    "num_hidden_layers": 4, "num_attention_heads": 2, "max_position_embeddings": 9,
    "layer_norm_eps": 0.3, "projection_size": 30, "hidden_act": "gelu_pytorch_tanh",
    "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": PAD,
}
VISION = {
    "model_type": "siglip_vision_model", "hidden_size": 30, "intermediate_size": 44,
    "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 28, "patch_size": 6,
    "layer_norm_eps": 2e-2,
}
# What the published configurations look like: nearly everything is left to the class.
SPARSE_TEXT = {"model_type": "siglip_text_model", "hidden_size": 12, "intermediate_size": 20, "vocab_size": 50}
SPARSE_VISION = {"model_type": "siglip_vision_model", "hidden_size": 12, "intermediate_size": 20,
                 "num_hidden_layers": 2}


def config(text, vision, dtype="float32"):
    """The dialect of the published SigLIP 1 files."""
    return {"architectures": ["SiglipModel"], "initializer_factor": 1.0, "model_type": "siglip",
            "text_config": dict(text), "torch_dtype": dtype, "transformers_version": "4.37.0.dev0",
            "vision_config": dict(vision)}


def write_config(directory, value, size):
    """config.json and the image processor's file."""
    directory.mkdir(parents=True, exist_ok=True)
    tiny_tokenizer.dump(directory / "config.json", value)
    tiny_tokenizer.dump(directory / "preprocessor_config.json", {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor", "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor", "resample": 2, "rescale_factor": 0.00392156862745098,
        "size": {"height": size, "width": size}})


def filled(directory, salt):
    """A model of the directory's configuration with seeded weights."""
    model = SiglipModel(transformers.AutoConfig.from_pretrained(directory)).float()
    tiny.fill(model, salt=salt)
    with torch.no_grad():
        model.vision_model.head.layernorm.weight.add_(1.0)
        for layer in model.text_model.encoder.layers:
            layer.mlp.fc1.bias.sub_(2.0)        # the two forms of GELU can be told apart where
            layer.mlp.fc2.weight.mul_(5.0)      # they are small: by 2 % at -2.3
        # the published scale is about 4.7 and the bias about -12.9; both must show
        model.logit_scale.fill_(1.9)
        model.logit_bias.fill_(-3.7)
    return model


def texts(salt, vocab, length, lengths):
    """Padded ids [b, length]; the words of a text are followed by the end (1), which is the pad too."""
    generator = torch.Generator().manual_seed(tiny.SEED + salt)
    rows = []
    for words in lengths:
        ids = torch.randint(2, vocab, (words,), generator=generator).tolist()
        rows.append((ids + [PAD] * length)[:length])
    return torch.tensor(rows)


def pictures(salt, count, height, width):
    """Unlike images, already normalised: [n, 3, height, width] in [-1, 1]."""
    generator = torch.Generator().manual_seed(tiny.SEED + salt)
    noise = torch.rand(count, 3, height, width, generator=generator) * 2 - 1
    down, across = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None, :]
    for i in range(count):
        slope = (down, across, -down * across)[i % 3]
        noise[i] = 0.55 * noise[i] + 0.45 * slope
    return noise.clamp(-1, 1)


def run(model, ids, pixels, interpolate=False):
    """Every stage of one forward pass, by name."""
    found, handles = {}, []

    def tap(module, name, pick=lambda result: result):
        handles.append(module.register_forward_hook(
            lambda _m, _a, result: found.__setitem__(name, pick(result).detach().clone())))

    for prefix, tower in (("vision", model.vision_model), ("text", model.text_model)):
        tap(tower.embeddings, f"{prefix}.embeddings")
        for index, layer in enumerate(tower.encoder.layers):
            tap(layer, f"{prefix}.layer.{index}")
    tap(model.vision_model.post_layernorm, "vision.post_layernorm")
    tap(model.vision_model.head.attention, "vision.attended", lambda result: result[0][:, 0])
    tap(model.vision_model.head, "vision.pooled")
    tap(model.text_model.final_layer_norm, "text.final_layer_norm")
    tap(model.text_model.head, "text.pooled")
    out = siglip_teeth.forward(model, ids, pixels, interpolate)
    for handle in handles:
        handle.remove()
    for key in ("image_embeds", "text_embeds", "logits_per_image"):
        found[key] = out[key]
    return found


def record(model, name, ids, pixels, interpolate=False, stored=None):
    """One golden file; rows that a fault could exchange must be far apart.

    `stored` is what the file says of the pixels, where they would be too large for it.
    """
    found = run(model, ids, pixels, interpolate)
    for key, value in found.items():
        rows = value if value.dim() == 2 else value.flatten(0, 1)
        scale = value.abs().max()
        gaps = (rows[:, None] - rows[None]).abs().amax(-1) + torch.eye(len(rows)) * scale
        pads = key.startswith("text.embeddings")        # same word at the same position
        assert pads or gaps.min() > FAR * scale, (name, key, float(gaps.min() / scale))
    found["input_ids"] = ids
    found.update(stored or {"pixel_values": pixels})
    logits = found["logits_per_image"]
    print(f"{name:24} images {tuple(pixels.shape)} texts {tuple(ids.shape)} "
          f"logits {float(logits.min()):.2f} to {float(logits.max()):.2f}", flush=True)
    generate.write(name, found)


def dual_encoder():
    """`siglip`: two shards, f32; goldens at its own size and at two others."""
    directory = generate.CHECKPOINTS / "siglip"
    write_config(directory, config(TEXT, VISION), VISION["image_size"])
    tiny.save_sharded(directory, filled(directory, "siglip").state_dict(), 2)
    model = generate.load(directory, SiglipModel)
    ids = texts(610, TEXT["vocab_size"], 9, [3, 8, 9, 0])
    pixels = pictures(611, 3, 28, 28)
    record(model, "siglip.native", ids, pixels)
    record(model, "siglip.larger", ids[:2], pictures(612, 1, 50, 49), interpolate=True)
    record(model, "siglip.flat", ids[2:], pictures(613, 2, 20, 43), interpolate=True)
    siglip_teeth.table(model, ids, pixels, pictures(614, 2, 50, 43), generate.GOLDEN / "teeth.siglip.json")


def defaults():
    """`siglip-defaults`: the sizes that the configuration leaves out come from the class."""
    directory = generate.CHECKPOINTS / "siglip-defaults"
    write_config(directory, config(SPARSE_TEXT, SPARSE_VISION), 224)
    save_file(filled(directory, "siglip-defaults").state_dict(), directory / "model.safetensors",
              metadata={"format": "pt"})
    model = generate.load(directory, SiglipModel)
    # 600 KB of pixels as the sums of two lines: pixel [c, y, x] is down [c, y] + across [c, x]
    generator = torch.Generator().manual_seed(tiny.SEED + 621)
    down, across = torch.rand(2, 3, 224, generator=generator) - 0.5
    pixels = (down[:, :, None] + across[:, None, :])[None]
    record(model, "siglip-defaults.native", texts(620, 50, 64, [64, 5]), pixels,
           stored={"pixels_down": down, "pixels_across": across})


def half_precision():
    """`siglip-bf16`: the same shape stored in bf16; goldens in f32 arithmetic on the same weights."""
    directory = generate.CHECKPOINTS / "siglip-bf16"
    write_config(directory, config(TEXT, VISION, "bfloat16"), VISION["image_size"])
    state = {k: v.bfloat16().contiguous() for k, v in filled(directory, "siglip-bf16").state_dict().items()}
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    model = generate.load(directory, SiglipModel)
    record(model, "siglip-bf16.native", texts(630, TEXT["vocab_size"], 9, [2, 7, 5]), pictures(631, 2, 28, 28))


if __name__ == "__main__":
    dual_encoder()
    defaults()
    half_precision()
    generate.manifest()
