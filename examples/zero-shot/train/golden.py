"""Write what the example's tests compare with: transformers on the saved model, on committed pictures.

Usage: python golden.py [--model ../model] [--out ../tests/reference.json]

Ids, embeddings and logits of three pictures of the report example and five texts, computed in f32 with
eager attention; pixels by `tf_bilinear`, which is the library's default for SigLIP.
"""

import argparse
import json
from pathlib import Path

import torch
import transformers
from PIL import Image

from learn import ids_of
from measure import Encoder
from pixels import tf_bilinear
from report_train import REPORT

PICTURES = ["chest.png", "held-out/fundus-right-half-mirrored.png", "held-out/skin-histology.png"]
TEXTS = ["frontal radiograph of the thorax", "Fundus image of the RETINA.", "skin section with haematoxylin & eosin", "",
         "caf\u00e9 \u80ba pneumothorax, 12 mm"]


def rounded(values: torch.Tensor) -> list:
    """Seven digits: f32's own."""
    return [[float(f"{x:.7g}") for x in row] for row in values.tolist()]


def main() -> None:
    """Encode and write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", type=Path, default=Path("../model"))
    arguments.add_argument("--out", type=Path, default=Path("../tests/reference.json"))
    given = arguments.parse_args()
    encoder = Encoder(given.model)
    images = encoder.images([tf_bilinear(Image.open(REPORT / "images" / name)) for name in PICTURES])
    texts = encoder.texts(TEXTS)
    reference = {"transformers": transformers.__version__, "pictures": PICTURES, "texts": TEXTS,
                 "input_ids": ids_of(encoder.tokenizer, TEXTS).tolist(), "image_embeds": rounded(images),
                 "text_embeds": rounded(texts), "logits_per_image": rounded(encoder.logits(images, texts))}
    rows = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in reference.items())
    given.out.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
