"""Make the demonstration dual encoder: one command, seeded, on one CPU thread and one helper process.

Usage: python make.py [--build build] [--out ../model]

Fetches and cuts the pictures with the programs of the report example unless they are in the build
folder already, learns the vocabulary, trains both towers, then the text tower alone on freer sentences,
and writes the model directory. `measure.py` measures it, `golden.py` writes what the example's tests
compare with.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from transformers import SiglipModel

import dual
import pieces
from learn import learn
from report_train import REPORT


def pictures(build: Path) -> Path:
    """The folder of training pictures, made if it is not there."""
    folder = build / "pictures"
    if not folder.exists():
        for program in ("fetch.py", "pictures.py"):
            subprocess.run([sys.executable, str(REPORT / "train" / program), str(build)], check=True)
    return folder / "train"


def main() -> None:
    """Pictures, vocabulary, training, files."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", type=Path, default=Path("build"))
    arguments.add_argument("--out", type=Path, default=Path("../model"))
    arguments.add_argument("--steps", type=int, default=1200, help="of both towers")
    arguments.add_argument("--word-steps", type=int, default=800, help="of the text tower alone, after them")
    arguments.add_argument("--words-only", action="store_true", help="go on from the directory as it is")
    arguments.add_argument("--threads", type=int, default=1, help="more is slower on a busy machine")
    arguments.add_argument("--seed", type=int, default=20261126)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    folder, tokenizer = pictures(given.build), given.out / "spiece.model"
    if not given.words_only:
        count = pieces.write(given.out)
        model = dual.start(count).train()
        print(f"{count} pieces, {sum(p.numel() for p in model.parameters())} parameters", flush=True)
        learn(model, folder, tokenizer, given.steps, given.seed, words_only=False)
        dual.save(model, count, given.out)
    # From the file, so that going on and going through are the same.
    model = SiglipModel.from_pretrained(given.out, dtype=torch.float32).train()
    learn(model, folder, tokenizer, given.word_steps, given.seed + 1, words_only=True)
    dual.save(model, model.config.text_config.vocab_size, given.out)


if __name__ == "__main__":
    main()
