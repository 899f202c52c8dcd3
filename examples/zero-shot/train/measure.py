"""Measure a saved model directory on the pictures that were held out of training.

Usage: python measure.py [--build build] [--model ../model]      (after make.py)

The directory is loaded afresh by transformers in f32. A class is a prompt, or the average of several
prompts' embeddings; a picture's kind is that of the largest logit.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import SiglipModel, SiglipTokenizer

from captions import FIXED, HELD_OUT, HELD_OUT_TEMPLATES, TEMPLATES, in_template
from learn import ids_of
from pixels import tf_bilinear
from report_train import CLASSES, to_input


class Encoder:
    """A model directory, loaded in f32."""

    def __init__(self, directory: Path) -> None:
        self.tokenizer = SiglipTokenizer(vocab_file=str(directory / "spiece.model"))
        self.model = SiglipModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()

    @torch.no_grad()
    def images(self, pixels: list[np.ndarray]) -> torch.Tensor:
        """[n, e] of unit length."""
        parts = [self.model.vision_model(pixel_values=torch.from_numpy(np.stack(pixels[i : i + 32]))).pooler_output
                 for i in range(0, len(pixels), 32)]
        return F.normalize(torch.cat(parts), dim=1)

    @torch.no_grad()
    def texts(self, texts: list[str]) -> torch.Tensor:
        """[n, e] of unit length."""
        return F.normalize(self.model.text_model(input_ids=ids_of(self.tokenizer, texts)).pooler_output, dim=1)

    @torch.no_grad()
    def logits(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """[images, texts]."""
        return images @ texts.T * self.model.logit_scale.exp() + self.model.logit_bias


class Split:
    """The pictures of one split with the numbers of their kinds."""

    def __init__(self, folder: Path) -> None:
        self.paths = [path for label in CLASSES for path in sorted((folder / label).glob("*.png"))]
        self.kinds = torch.tensor([CLASSES.index(path.parent.name) for path in self.paths])
        self.images = [Image.open(path).convert("RGB") for path in self.paths]


def prompts_held_out(which: int) -> list[str]:
    """One wording a class that training never saw, in a template that it never saw."""
    return [in_template(HELD_OUT_TEMPLATES[which], HELD_OUT[kind][which]) for kind in CLASSES]


def classes(encoder: Encoder) -> dict[str, torch.Tensor]:
    """Named sets of class embeddings, `[17, e]` each."""
    sets = {"trained wording": encoder.texts([in_template(TEMPLATES[1], FIXED[kind][0]) for kind in CLASSES])}
    held = [encoder.texts(prompts_held_out(which)) for which in range(3)]
    sets |= {f"held-out wording {which + 1}": one for which, one in enumerate(held)}
    sets["held-out wordings, averaged"] = F.normalize(torch.stack(held).mean(0), dim=1)
    return sets


def zero_shot(encoder: Encoder, name: str, split: Split) -> torch.Tensor:
    """Print the share of right pictures for each way of shrinking and each set of prompts; return the embeddings."""
    found = {}
    for way in (tf_bilinear, to_input):
        found[way] = encoder.images([way(image) for image in split.images])
        for title, embedded in classes(encoder).items():
            right = encoder.logits(found[way], embedded).argmax(1) == split.kinds
            print(f"{name}, {way.__name__}, {title}: {right.sum().item()}/{len(right)} = {right.float().mean():.1%}")
    logits = encoder.logits(found[tf_bilinear], classes(encoder)["held-out wordings, averaged"])
    best = logits.argmax(1)
    for kind, label in enumerate(CLASSES):
        of = split.kinds == kind
        print(f"  {label:<14} {(best[of] == kind).sum().item()}/{of.sum().item()}")
    for path, kind, other in zip(split.paths, split.kinds, best, strict=True):
        if kind != other:
            print(f"  wrong: {path.parent.name}/{path.stem} as {CLASSES[other]}")
    truth = F.one_hot(split.kinds, len(CLASSES)).bool()
    print(f"  sigmoid above 0.5: of true pairs {(logits[truth] > 0).float().mean():.1%}, of false ones {(logits[~truth] > 0).float().mean():.1%}")
    return found[tf_bilinear]


def retrieval(name: str, queries: torch.Tensor, kinds: torch.Tensor, among: torch.Tensor, of: torch.Tensor, same: bool) -> None:
    """Print how often the nearest pictures are of the query's kind; `same`: queries are not their own neighbours."""
    cosines = queries @ among.T
    if same:
        cosines.fill_diagonal_(-2)
    hits = of[cosines.topk(5, dim=1).indices] == kinds[:, None]
    print(f"{name}: nearest {hits[:, 0].float().mean():.1%}, of the nearest five {hits.float().mean():.1%} ({len(kinds)} queries)")


def main() -> None:
    """Print every figure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", type=Path, default=Path("build"))
    arguments.add_argument("--model", type=Path, default=Path("../model"))
    given = arguments.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder(given.model)
    pictures = given.build / "pictures"
    held = Split(pictures / "heldout")
    embedded = zero_shot(encoder, "held out", held)
    zero_shot(encoder, "whole pictures, one part trained on", Split(pictures / "part"))
    train = Split(pictures / "train")
    stored = encoder.images([tf_bilinear(image) for image in train.images])
    retrieval("held-out pictures among training pictures", embedded, held.kinds, stored, train.kinds, same=False)
    retrieval("held-out pictures among each other", embedded, held.kinds, embedded, held.kinds, same=True)


if __name__ == "__main__":
    main()
