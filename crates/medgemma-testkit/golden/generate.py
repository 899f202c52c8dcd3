"""Writes the tiny checkpoints and their goldens with the reference, transformers 5.23.0.

usage: python generate.py            (from any folder; needs torch 2.15, transformers 5.23.0)

Everything is seeded: a second run leaves no difference. README.md describes the files.
"""

import hashlib
import os
import shutil
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

import chat_golden
import taps
import teeth
import tiny_models as tiny
import tiny_tokenizer

assert transformers.__version__ == "5.23.0", transformers.__version__
assert torch.__version__.startswith("2.15."), torch.__version__
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

HERE = Path(__file__).resolve().parent
CHECKPOINTS = HERE.parent / "checkpoints"
GOLDEN = HERE / "data"
STEPS = 20
MIN_GAP = 2e-3                  # of the largest logit: greedy ids must not hang on rounding
MANY = "twelve-images"
MIN_DISTINCT = 8                # a continuation that repeats one id proves little
LIMIT = 200 * 1024
BOI, EOI, IMG = (tiny.IDS[k] for k in ("<start_of_image>", "<end_of_image>", "<image_soft_token>"))


def words(count, salt):
    """`count` ordinary ids: byte pieces, letters, words."""
    generator = torch.Generator().manual_seed(tiny.SEED + salt)
    return torch.randint(16, BOI, (count,), generator=generator).tolist()


def prompts(salt):
    """name -> (ids, numbers of the images); the window (6, 5 or 3) is passed several times."""
    image = [BOI] + [IMG] * tiny.SOFT + [EOI]
    return {
        "text": ([2] + words(25, salt), []),
        "short": ([2] + words(3, salt + 11), []),
        "image-first": ([2] + image + words(21, salt + 1), [0]),
        "image-last": ([2] + words(20, salt + 2) + image + words(3, salt + 3), [1]),
        "two-images": ([2] + words(5, salt + 4) + image + words(9, salt + 5) + image + words(10, salt + 6), [0, 1]),
        "adjacent": ([2] + words(4, salt + 7) + image + image + words(12, salt + 8), [1, 0]),
        # no id between the spans: the reference sees one run and lets both images see each other
        "fused": ([2] + words(4, salt + 9) + [BOI] + [IMG] * (2 * tiny.SOFT) + [EOI] + words(12, salt + 10), [0, 1]),
        # as many as a volume's slices begin to be
        MANY: ([2] + words(3, salt + 12) + sum((image + words(1, salt + 13 + n) for n in range(12)), []) + words(9, salt + 30),
               list(range(12))),
    }


def pictures():
    """Twelve unlike images, already normalised: [12, 3, 28, 28] in [-1, 1]; from the third on turns of the first two."""
    generator = torch.Generator().manual_seed(tiny.SEED + 77)
    noise = torch.rand(2, 3, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE, generator=generator) * 2 - 1
    ramp = torch.linspace(-1, 1, tiny.IMAGE_SIZE)
    noise[0] = 0.6 * noise[0] + 0.4 * ramp[None, None, :]
    noise[1] = 0.5 * noise[1] - 0.5 * ramp[None, :, None] * ramp[None, None, :]
    first = noise.clamp(-1, 1)
    return torch.cat([torch.roll(first, (3 * turn, 5 * turn), (2, 3)) for turn in range(6)])


def load(directory, cls, **kwargs):
    """The reference's own loader in f32; every key must find its place."""
    model, info = cls.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True, **kwargs)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return model.eval()


def telling_prompt(model, name, salt):
    """The first prompt of this kind whose continuation is varied and far from ties."""
    for attempt in range(60):
        ids, picks = prompts(salt + 1000 * attempt)[name]
        pixels = pictures()[picks] if picks else None
        ids = torch.tensor([ids])
        try:
            chosen, logprobs, gaps = taps.greedy(model, ids, pixels, IMG, STEPS)
        except ValueError:      # the model spoke a soft token: the reference refuses to go on
            continue
        if len(set(chosen)) >= MIN_DISTINCT and min(gaps) >= MIN_GAP:
            return ids, pixels, chosen, logprobs, gaps
    raise SystemExit(f"no telling prompt of kind {name}: choose other weights")


def record(model, variant, name, salt, extra=None, kept=None):
    """One golden file: taps of the prompt, all or those kept, then the greedy continuation."""
    ids, pixels, chosen, logprobs, gaps = telling_prompt(model, name, salt)
    types = (ids == IMG).long()
    assert chosen == taps.cached(model, ids, pixels, types, STEPS), (variant, name)
    found = taps.run(model, ids, pixels, types)
    largest = found["logits"].abs().max()
    if kept:
        found = {k: v for k, v in found.items() if k in kept}
    found["input_ids"] = ids[0]
    if pixels is not None:
        found["pixel_values"] = pixels
    found["generated_ids"] = torch.tensor(chosen)
    found["generated_logprobs"] = torch.tensor(logprobs, dtype=torch.float32)
    found.update(extra(ids, pixels, types) if extra else {})
    residual = max(float(v.abs().max()) for k, v in found.items() if k.startswith("hidden") or k == "embeddings")
    print(f"{variant:14} {name:12} T={ids.shape[1]:3} gap={min(gaps):.4f} distinct={len(set(chosen))} "
          f"max|logit|={largest:.2f} residual={residual:.1f}", flush=True)
    assert residual > 65504 or variant != "mm-f16" or kept, "the residual must not fit f16"
    write(f"{variant}.{name}", found)
    return ids, pixels, types


def write(name, tensors):
    """A golden file, within the size limit."""
    GOLDEN.mkdir(exist_ok=True)
    path = GOLDEN / f"{name}.safetensors"
    made = f"golden/generate.py, transformers {transformers.__version__}, torch 2.15"
    # one entry only: safetensors writes its metadata in no fixed order
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={"made_with": made})
    assert path.stat().st_size <= LIMIT, (path, path.stat().st_size)


def multimodal():
    """mm-2025 (two shards, f32) and, on the same weights, mm-narrow with a window below the image span."""
    directory = CHECKPOINTS / "mm-2025"
    tiny.write_common(directory, tiny.config_2025())
    model = Gemma3ForConditionalGeneration(transformers.AutoConfig.from_pretrained(directory))
    tiny.fill(model)
    tiny.save_sharded(directory, tiny.old_names(model.state_dict()), 2)
    save_pretrained_dialect(model)
    model = load(directory, Gemma3ForConditionalGeneration)
    used = {name: record(model, "mm-2025", name, 100) for name in prompts(100) if name != MANY}
    teeth.multimodal(model, used, GOLDEN / "teeth.mm-2025.json")
    record(model, "mm-2025", MANY, 100, kept=("soft_tokens", "embeddings", "final_norm"))
    chat_golden.write(model, directory, GOLDEN)
    tiny_tokenizer.dump(CHECKPOINTS / "configs" / "mm-narrow.json", tiny.config_2025(window=3))
    narrow = load(directory, Gemma3ForConditionalGeneration,
                  config=transformers.Gemma3Config.from_dict(tiny.config_2025(window=3)))
    used = {name: record(narrow, "mm-narrow", name, 200) for name in ("image-first", "fused")}
    teeth.multimodal(narrow, used, GOLDEN / "teeth.mm-narrow.json", only="window")


def save_pretrained_dialect(model):
    """What transformers 5.23 itself writes: its config and its tensor names (as a list).

    Only for a model that it did not load: one that was loaded is saved under the names it had on disk.
    """
    scratch = HERE / "scratch"
    model.save_pretrained(scratch)
    (CHECKPOINTS / "configs").mkdir(exist_ok=True)
    shutil.copy(scratch / "config.json", CHECKPOINTS / "configs" / "mm-5x.json")
    tensors = load_file(scratch / "model.safetensors")
    tiny_tokenizer.dump(CHECKPOINTS / "configs" / "mm-5x.keys.json", sorted(tensors))
    again = load(scratch, Gemma3ForConditionalGeneration)
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    shutil.rmtree(scratch)
    new = dict(tiny.config_2025(version="4.52.0"))
    new["architectures"] = ["Gemma3ForConditionalGeneration"]
    tiny_tokenizer.dump(CHECKPOINTS / "configs" / "mm-new.json", new)


def half_precision(dtype, variant, salt, overflow=False):
    """A checkpoint stored in 16 bits; goldens in f32 arithmetic on the same weights.

    `logits` has the embedding scale rounded to the stored type, as the reference computes when it
    loads the file in its own type; `logits_unrounded` is the reference loaded with dtype=float32.
    """
    directory = CHECKPOINTS / variant
    tiny.write_common(directory, tiny.config_2025(dtype=str(dtype).removeprefix("torch.")))
    model = Gemma3ForConditionalGeneration(transformers.AutoConfig.from_pretrained(directory)).float()
    tiny.fill(model, salt=variant)
    tensors = tiny.old_names(model.state_dict())
    if overflow:
        raise_residual(tensors)
    save_file({k: v.to(dtype).contiguous() for k, v in tensors.items()},
              directory / "model.safetensors", metadata={"format": "pt"})
    model = load(directory, Gemma3ForConditionalGeneration)
    scale = model.model.language_model.embed_tokens.embed_scale
    exact = scale.clone()

    def unrounded(ids, pixels, types):
        scale.copy_(exact)
        logits = taps.run(model, ids, pixels, types)["logits"]
        scale.copy_(exact.to(dtype).float())
        return {"logits_unrounded": logits}

    scale.copy_(exact.to(dtype).float())
    for name in ("text", "two-images"):
        ends = ("soft_tokens", "embeddings", "final_norm", "logits") if overflow and name != "text" else None
        record(model, variant, name, salt, extra=unrounded, kept=ends)


def raise_residual(tensors):
    """Norm weights near f16's largest value: the residual stream passes 65 504 in the third layer."""
    for layer in (2, 4):
        key = f"language_model.model.layers.{layer}.post_feedforward_layernorm.weight"
        tensors[key] = tensors[key] * 50000.0


def text_only():
    """The 27B text model's layout: no towers, separate head, layer_types in the config."""
    directory = CHECKPOINTS / "text-27b-like"
    tiny.write_common(directory, tiny.config_27b_like())
    for name in ("preprocessor_config.json", "processor_config.json"):
        (directory / name).unlink()
    model = Gemma3ForCausalLM(transformers.AutoConfig.from_pretrained(directory))
    tiny.fill(model, salt="27b")
    tiny.save_sharded(directory, model.state_dict(), 3)
    model = load(directory, Gemma3ForCausalLM)
    used = {name: record(model, "text-27b-like", name, 300) for name in ("text", "short")}
    teeth.text(model, used, GOLDEN / "teeth.text-27b-like.json")


def manifest():
    """sha256 of every generated file."""
    lines = []
    for path in sorted([*CHECKPOINTS.rglob("*"), *GOLDEN.rglob("*")]):
        if path.is_file():
            path.chmod(0o644)
            assert path.stat().st_size <= LIMIT, path
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{digest}  {path.relative_to(HERE.parent)}\n")
    (HERE / "MANIFEST.sha256").write_text("".join(lines))


if __name__ == "__main__":
    (CHECKPOINTS / "configs").mkdir(parents=True, exist_ok=True)
    GOLDEN.mkdir(exist_ok=True)
    multimodal()
    half_precision(torch.bfloat16, "mm-bf16", 400)
    half_precision(torch.float16, "mm-f16", 500, overflow=True)
    text_only()
    manifest()
