"""Teach the dual encoder: pictures and captions in one space, each pair judged by the sigmoid.

The loss is SigLIP's (Zhai et al. 2023, section 3.2) with one difference: a text may be true of several
pictures of a batch, or of none, since a batch holds more pictures than there are kinds.
"""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from transformers import SiglipModel, SiglipTokenizer

from captions import Captions
from pieces import LENGTH
from pixels import tf_bilinear
from report_train import CLASSES, Pictures, cut, schedule, to_input

PICTURES, OTHERS = 32, 16  # in a batch: pictures, each with a caption of its kind; further captions


class Pairs(Pictures):
    """Endless batches: pixels, token ids, and which text is true of which picture."""

    def __init__(self, folder: Path, tokenizer: Path, seed: int, free: bool) -> None:
        super().__init__(folder, PICTURES, seed)
        self.tokenizer = SiglipTokenizer(vocab_file=str(tokenizer))
        self.captions = Captions(free)

    def one(self, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """A picture: varied and antialiased, varied and not, or only cut and not, as large files are read."""
        roll = rng.random()
        if roll < 0.3:
            return super().one(rng)
        if roll < 0.7:
            image, number = self.varied(rng)
            return tf_bilinear(image), number
        number = int(rng.integers(len(CLASSES)))
        sources = self.sources[CLASSES[number]]
        return tf_bilinear(cut(rng, sources[int(rng.integers(len(sources)))], 0.75)), number

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        while True:
            chosen = [self.one(rng) for _ in range(PICTURES)]
            captions = [self.captions.of(rng, kind) for _, kind in chosen] + [self.captions.other(rng) for _ in range(OTHERS)]
            ids = ids_of(self.tokenizer, [caption.text for caption in captions])
            truth = torch.tensor([[kind in caption.kinds for caption in captions] for _, kind in chosen])
            yield torch.from_numpy(np.stack([pixels for pixels, _ in chosen])), ids, truth


def ids_of(tokenizer: SiglipTokenizer, texts: list[str]) -> torch.Tensor:
    """[n, 64]: as the text tower expects them, filled up with the id of `</s>`."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")["input_ids"]


def loss_of(model: SiglipModel, pixels: torch.Tensor, ids: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sigmoid loss a picture, and the logits `[pictures, texts]`."""
    logits = model(input_ids=ids, pixel_values=pixels).logits_per_image
    signs = truth.float() * 2 - 1
    return -F.logsigmoid(signs * logits).sum() / len(pixels), logits


def groups(model: SiglipModel, words_only: bool) -> list[dict]:
    """The weights that move, and how fast. The vision tower's body can see already and is moved with care."""
    body, rest, scale = [], [], [model.logit_scale, model.logit_bias]
    for name, parameter in model.named_parameters():
        if words_only and name.startswith("vision_model."):
            parameter.requires_grad_(False)
        elif name.startswith("vision_model.") and not name.startswith("vision_model.head."):
            body.append(parameter)
        elif not name.startswith("logit_"):
            rest.append(parameter)
    return [{"params": body, "lr": 4e-4, "weight_decay": 0.05}, {"params": rest, "lr": 1e-3, "weight_decay": 0.05},
            {"params": scale, "lr": 5e-3, "weight_decay": 0.0}]


def learn(model: SiglipModel, folder: Path, tokenizer: Path, steps: int, seed: int, words_only: bool) -> None:
    """Train in place: both towers on plain captions, or (`words_only`) the text tower alone on free ones."""
    optimiser = torch.optim.AdamW(groups(model, words_only), betas=(0.9, 0.95))
    plan, started, hits = schedule(optimiser, steps, 60), time.time(), 0.0
    pairs = Pairs(folder, tokenizer, seed, free=words_only)
    for step, (pixels, ids, truth) in zip(range(steps), DataLoader(pairs, batch_size=None, num_workers=1, prefetch_factor=8)):
        loss, logits = loss_of(model, pixels, ids, truth)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        plan.step()
        best = logits[:, :PICTURES].argmax(1, keepdim=True)
        hits = 0.95 * hits + 0.05 * truth.gather(1, best).float().mean().item()
        if step % 50 == 49:
            print(f"{step + 1}: loss {loss.item():.3f}, hits {hits:.3f}, scale {model.logit_scale.exp().item():.2f}, "
                  f"bias {model.logit_bias.item():.2f}, {time.time() - started:.0f} s", flush=True)
