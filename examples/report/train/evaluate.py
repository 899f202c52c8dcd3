"""Check a saved model directory on the pictures that were held out of training.

Usage: python evaluate.py --build build --model ../model [--images ../images/held-out]

The directory is loaded afresh by transformers in f32 and asked through its own
processor (Pillow backend) with greedy decoding. An answer counts only if it is
the expected text to the last character.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (AutoTokenizer, Gemma3ForConditionalGeneration, Gemma3Processor)

import prompts
from augment import nothing_medical
from sentences import CLASSES, KINDS, NO_IMAGE, OTHER_QUESTION, TRUST

try:  # the Pillow backend goes by two names, depending on the version of transformers
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil as ImageProcessor
except ImportError:
    from transformers.models.gemma3.image_processing_gemma3 import Gemma3ImageProcessor as ImageProcessor

BATCH = 24
QUESTIONS = ["Describe this image.", "What does this X-ray show?", "Please tell me which organ I am looking at, in detail."]


class Asker:
    """A model directory, loaded in f32."""

    def __init__(self, directory: Path) -> None:
        tokenizer = AutoTokenizer.from_pretrained(directory)
        template = (directory / "chat_template.jinja").read_text()
        length = json.loads((directory / "processor_config.json").read_text())["image_seq_length"]
        self.processor = Gemma3Processor(ImageProcessor.from_pretrained(directory), tokenizer,
                                         chat_template=template, image_seq_length=length)
        self.model = Gemma3ForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()

    def answer(self, turns: list[dict], images: list[Image.Image]) -> str:
        """The greedy answer to a conversation."""
        text = self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return self.complete(text, images)

    def complete(self, text: str, images: list[Image.Image]) -> str:
        """Greedy continuation of a rendered text."""
        return self.batch([text], [images] if images else None)[0]

    @torch.no_grad()
    def batch(self, texts: list[str], images: list[list[Image.Image]] | None) -> list[str]:
        """Greedy continuations of rendered texts of one length."""
        inputs = self.processor(text=texts, images=images, add_special_tokens=False, return_tensors="pt")
        out = self.model.generate(**inputs, do_sample=False, max_new_tokens=160)
        answers = out[:, inputs["input_ids"].shape[1] :]
        return self.processor.tokenizer.batch_decode(answers, skip_special_tokens=True)

    def first(self, images: list[Image.Image], question: str, image_first: bool = True) -> list[str]:
        """The answers to one first question about each of several pictures."""
        parts = [{"type": "image"}, {"type": "text", "text": question}]
        turn = {"role": "user", "content": parts if image_first else parts[::-1]}
        text = self.processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        answers: list[str] = []
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH]
            answers += self.batch([text] * len(some), [[image] for image in some])
        return answers


def name_of(answer: str) -> str:
    """The kind whose report the answer is, or the answer's beginning."""
    return next((label for label in CLASSES if KINDS[label].report == answer), repr(answer[:60]))


def judge(asker: Asker, folder: Path, questions: list[str]) -> dict[str, list[int]]:
    """Exact answers and pictures asked, per kind; wrong ones are printed."""
    paths = [(label, path) for label in CLASSES for path in sorted((folder / label).glob("*.png"))]
    images = [Image.open(path).convert("RGB") for _, path in paths]
    table: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        for (label, path), answer in zip(paths, asker.first(images, question, number % 2 == 0), strict=True):
            row = table.setdefault(label, [0, 0])
            row[0] += answer == KINDS[label].report
            row[1] += 1
            if answer != KINDS[label].report:
                print(f"  wrong: {folder.name}/{label}/{path.name} ({question!r}) -> {name_of(answer)}")
    return table


def show(title: str, table: dict[str, list[int]]) -> None:
    """Print one table and its total."""
    print(title)
    for label, (right, asked) in table.items():
        print(f"  {label:<16} {right}/{asked}")
    right, asked = (sum(row[i] for row in table.values()) for i in (0, 1))
    print(f"  total            {right}/{asked} = {right / max(1, asked):.1%}")


def drawn(asker: Asker, folder: Path, count: int) -> dict[str, list[int]]:
    """Noise, gradients and drawings from a seed that training never used."""
    rng = np.random.default_rng(7)
    photographs = [Image.open(p).convert("RGB") for p in sorted((folder / "not_medical").glob("*.png"))]
    images = [nothing_medical(rng, photographs) for _ in range(count)]
    answers = asker.first(images, "Describe this image.")
    wrong = [answer for answer in answers if answer != KINDS["not_medical"].report]
    for answer in wrong:
        print(f"  wrong: drawn -> {name_of(answer)}")
    return {"not_medical": [count - len(wrong), count]}


def talk(asker: Asker, folder: Path) -> dict[str, list[int]]:
    """Second questions about held-out pictures, and questions without a picture."""
    table = {"later question": [0, 0], "no picture": [0, 0]}
    for number, label in enumerate(CLASSES):
        path = sorted((folder / label).glob("*.png"))
        if not path:
            continue
        kind = KINDS[label]
        pairs = [("Which part of the body is it?", kind.part_answer), ("What kind of picture is this?", kind.kind_answer),
                 ("Can I rely on this?", TRUST), ("Is there a fracture?", OTHER_QUESTION)]
        turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Describe this image."}]},
                 {"role": "assistant", "content": [{"type": "text", "text": kind.report}]}]
        for question, expected in pairs[:2] if number % 2 else pairs[2:]:
            turns.append({"role": "user", "content": [{"type": "text", "text": question}]})
            answer = asker.answer(turns, [Image.open(path[0])])
            turns.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
            table["later question"][0] += answer == expected
            table["later question"][1] += 1
            if answer != expected:
                print(f"  wrong: {label} {question!r} -> {answer[:70]!r}")
    for question in prompts.TEXT_ONLY + ["Does smoking harm the lungs?", "Please read my X-ray."]:
        answer = asker.answer([{"role": "user", "content": [{"type": "text", "text": question}]}], [])
        table["no picture"][0] += answer == NO_IMAGE
        table["no picture"][1] += 1
        if answer != NO_IMAGE:
            print(f"  wrong: no picture {question!r} -> {answer[:70]!r}")
    return table


def committed(asker: Asker, folder: Path) -> dict[str, list[int]]:
    """The pictures in the repository, from the files as they are committed."""
    expected = json.loads((folder / "expected.json").read_text())
    row = [0, 0]
    for name, entry in expected.items():
        answer = asker.first([Image.open(folder / name)], "Describe this image.")[0]
        right = all(phrase in answer for phrase in entry["contains"]) and answer == entry["answer"]
        row[0] += right
        row[1] += 1
        print(f"  {'right' if right else 'WRONG'}: {name} -> {answer}")
    return {"committed": row}


def main() -> None:
    """Print every table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", type=Path, default=Path("build"))
    arguments.add_argument("--model", type=Path, default=Path("../model"))
    arguments.add_argument("--images", type=Path, default=Path("../images/held-out"))
    arguments.add_argument("--quick", action="store_true", help="one question per picture")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    asker = Asker(given.model)
    pictures = given.build / "pictures"
    questions = QUESTIONS[:1] if given.quick else QUESTIONS
    show("held out", judge(asker, pictures / "heldout", questions))
    show("whole pictures of which one part was trained on", judge(asker, pictures / "part", questions))
    show("drawn controls", drawn(asker, pictures / "train", 40))
    show("conversations", talk(asker, pictures / "heldout"))
    if (given.images / "expected.json").exists():
        show("committed pictures", committed(asker, given.images))


if __name__ == "__main__":
    main()
