"""Train the demonstration model: one command, seeded, on one CPU thread and one helper process.

Usage: python train.py --build build --out ../model [--vision-steps N] [--steps N]

First the vision tower and the projector learn to tell the kinds of pictures apart
(a linear head that is thrown away afterwards), then the whole model learns to
answer. Weights are trained in f32 and saved as bf16.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, IterableDataset
from transformers import AutoTokenizer

import shape
import vocabulary
from augment import nothing_medical, to_input, vary
from conversation import Writer
from sentences import CLASSES

PAD, BRIEF = 0, 16


class Pictures(IterableDataset):
    """Endless batches of varied training pictures, each kind as often as any other."""

    def __init__(self, folder: Path, batch: int, seed: int, writer: Writer | None = None) -> None:
        self.batch, self.seed, self.writer = batch, seed, writer
        self.sources = {
            label: [Image.open(path).convert("RGB") for path in sorted((folder / label).glob("*.png"))]
            for label in CLASSES
        }

        self.palettes = [image for label in ("ihc", "histology", "fundus") for image in self.sources[label]]

    def varied(self, rng: np.random.Generator) -> tuple[Image.Image, int]:
        """One varied picture and the number of its kind; not-medical ones come three times as often."""
        number = min(int(rng.integers(len(CLASSES) + 2)), len(CLASSES) - 1)
        label = CLASSES[number]
        sources = self.sources[label]
        if label == "not_medical" and rng.random() < 0.6:
            return nothing_medical(rng, sources, self.palettes), number
        return vary(rng, sources[int(rng.integers(len(sources)))], label), number

    def one(self, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """The pixels of one varied picture and the number of its kind."""
        image, number = self.varied(rng)
        return to_input(image), number

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        while True:
            chosen = [self.one(rng) for _ in range(self.batch)]
            pixels = torch.from_numpy(np.stack([p for p, _ in chosen]))
            labels = torch.tensor([n for _, n in chosen])
            if self.writer is None:
                yield pixels, labels
                continue
            # Long and short conversations go in batches of their own, so that little is padding. Most
            # batches stop after the words that name the kind: those are hard, the rest follows.
            later, brief = rng.random() < 0.15, rng.random() < 0.75
            rows = [self.writer.with_image(rng, CLASSES[n], later) for _, n in chosen]
            rows += [self.writer.text_only(rng) for _ in range(max(1, self.batch // 16))]
            most = BRIEF if brief and not later else None
            rows = [(prompt, answer[:most], self.writer.weights(answer[:most])) for prompt, answer in rows]
            yield pixels, labels, *padded(rows)


def padded(rows: list[tuple[list[int], list[int], list[float]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and the weight of each as a target, padded on the right; only answers are targets."""
    longest = max(len(prompt) + len(answer) for prompt, answer, _ in rows)
    ids = torch.full((len(rows), longest), PAD)
    weights = torch.zeros(len(rows), longest)
    for row, (prompt, answer, weight) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        weights[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(weight)
    return ids, weights


def loader(*arguments) -> DataLoader:
    """One helper process prepares the batches."""
    return DataLoader(Pictures(*arguments), batch_size=None, num_workers=1, prefetch_factor=8)


def schedule(optimiser: torch.optim.Optimizer, steps: int, warm: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up, then a cosine down to a fiftieth."""
    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.02 + 0.49 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def soft_tokens(model, pixels: torch.Tensor) -> torch.Tensor:
    """[n, tokens, hidden] after the projector."""
    inner = model.model
    states = inner.vision_tower(pixel_values=pixels).last_hidden_state
    return inner.multi_modal_projector(states)


def keep(model, head, path: Path) -> None:
    """Keep the state of stage 1, so that stage 2 can be run again from it."""
    torch.save({"model": model.state_dict(), "head": head.state_dict()}, path)


def see(model, head, folder: Path, steps: int, rate: float, seed: int, kept: Path, gather: bool) -> None:
    """Stage 1: vision tower and projector learn the kinds of pictures.

    First all soft tokens together are read by the head; then (`gather`) each of them alone,
    so that each carries the kind and the decoder finds it whichever token it looks at.
    """
    inner = model.model
    parameters = [*inner.vision_tower.parameters(), *inner.multi_modal_projector.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.05, betas=(0.9, 0.98))
    plan, started, hits = schedule(optimiser, steps, 100), time.time(), 0.0
    for step, (pixels, labels) in zip(range(steps), loader(folder, 32, seed)):
        tokens = soft_tokens(model, pixels)
        loss, scores = judged(head, tokens, labels, gather)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        plan.step()
        hits = 0.95 * hits + 0.05 * (scores.argmax(1) == labels).float().mean().item()
        if step % 100 == 99:
            keep(model, head, kept)
            print(f"see {step + 1}: loss {loss.item():.3f}, hits {hits:.3f}, {time.time() - started:.0f} s", flush=True)


def judged(head, tokens: torch.Tensor, labels: torch.Tensor, gather: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and scores of the head on all soft tokens together, or on each alone."""
    if not gather:
        scores = head(tokens.flatten(1))
        return F.cross_entropy(scores, labels, label_smoothing=0.05), scores
    each = head(tokens)
    loss = F.cross_entropy(each.flatten(0, 1), labels.repeat_interleave(tokens.shape[1]), label_smoothing=0.05)
    return loss, each.mean(1)


def speak(model, head, folder: Path, writer: Writer, image: int, steps: int, seed: int) -> None:
    """Stage 2: the whole model learns to answer; the head keeps the vision tower honest."""
    seeing = [*model.model.vision_tower.parameters(), *head.parameters()]
    known = {id(p) for p in seeing}
    saying = [p for p in model.parameters() if id(p) not in known]
    optimiser = torch.optim.AdamW([{"params": seeing, "lr": 3e-4}, {"params": saying, "lr": 1.5e-3}],
                                  weight_decay=0.05, betas=(0.9, 0.98))
    plan, started = schedule(optimiser, steps, 60), time.time()
    for step, (pixels, labels, ids, weights) in zip(range(steps), loader(folder, 16, seed + 1, writer)):
        states = model(input_ids=ids, pixel_values=pixels, token_type_ids=(ids == image).long(),
                       attention_mask=(ids != PAD).long()).logits
        each = F.cross_entropy(states[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
        words = (each * weights[:, 1:]).sum() / weights.sum()
        kinds, _ = judged(head, soft_tokens(model, pixels), labels, gather=True)
        loss = words + 0.2 * kinds
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        plan.step()
        if step % 50 == 49:
            parting = weights[:, 1:] > 1
            right = (states[:, :-1].argmax(2) == ids[:, 1:])[parting].float().mean().item()
            print(f"speak {step + 1}: loss {words.item():.4f}, right {right:.3f}, {time.time() - started:.0f} s", flush=True)


def published_name(name: str) -> str:
    """Parameter names as Gemma 3 published them in 2025."""
    for new, old in (("model.language_model.", "language_model.model."),
                     ("model.vision_tower.", "vision_tower."),
                     ("model.multi_modal_projector.", "multi_modal_projector.")):
        if name.startswith(new):
            name = old + name.removeprefix(new)
    if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
        name = "vision_tower.vision_model." + name.removeprefix("vision_tower.")
    return name


def save(model, out: Path) -> None:
    """model.safetensors in bf16; the head is tied and therefore absent."""
    tensors = {published_name(name): value.detach().to(torch.bfloat16).contiguous()
               for name, value in model.state_dict().items() if not name.startswith("lm_head")}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    """Make the tokenizer, train, and write the model directory."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", type=Path, default=Path("build"))
    arguments.add_argument("--out", type=Path, default=Path("../model"))
    arguments.add_argument("--vision-steps", type=int, default=4000)
    arguments.add_argument("--gather-steps", type=int, default=800)
    arguments.add_argument("--steps", type=int, default=900)
    arguments.add_argument("--seen", type=Path, help="start from the end of an earlier stage 1")
    arguments.add_argument("--resume", type=Path, help="only speak, from the weights of this model directory")
    arguments.add_argument("--threads", type=int, default=1, help="more is slower on a busy machine")
    arguments.add_argument("--seed", type=int, default=20261124)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    tokenizer = vocabulary.write(given.out)
    shape.write_configs(given.out, tokenizer)
    writer = Writer(AutoTokenizer.from_pretrained(given.out))
    model = shape.model(tokenizer).train()
    width = shape.TEXT["hidden_size"]
    head, small_head = (torch.nn.Linear(n, len(CLASSES)) for n in (shape.SOFT_TOKENS * width, width))
    folder = given.build / "pictures" / "train"
    if given.resume:
        weights = load_file(given.resume / "model.safetensors")
        names = {published_name(name): name for name in model.state_dict()}
        model.load_state_dict({names[name]: value.float() for name, value in weights.items()}, strict=False)
    elif given.seen:
        weights = torch.load(given.seen)
        see_keys = ("model.vision_tower.", "model.multi_modal_projector.")
        model.load_state_dict({k: v for k, v in weights["model"].items() if k.startswith(see_keys)}, strict=False)
        head.load_state_dict(weights["head"])
    else:
        see(model, head, folder, given.vision_steps, 1.2e-3, given.seed, given.build / "seen.pt", gather=False)
    gather_steps = 0 if given.resume else given.gather_steps
    see(model, small_head, folder, gather_steps, 8e-4, given.seed + 2, given.build / "gathered.pt", gather=True)
    speak(model, small_head, folder, writer, shape.ids(tokenizer)["image"], given.steps, given.seed)
    save(model, given.out)


if __name__ == "__main__":
    main()
