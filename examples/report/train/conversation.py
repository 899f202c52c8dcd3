"""Training conversations: a rendered prompt and the answer that belongs to it."""

import numpy as np
from transformers import PreTrainedTokenizerBase

import prompts
from sentences import KINDS, NO_IMAGE, OTHER_QUESTION, TRUST
from shape import SOFT_TOKENS

IMAGE = "<start_of_image>"
EXPANDED = "\n\n" + IMAGE + "<image_soft_token>" * SOFT_TOKENS + "<end_of_image>\n\n"


def user(rng: np.random.Generator, text: str, image: bool) -> dict:
    """A user turn; the image stands before or after the text."""
    parts = [{"type": "text", "text": text}] if text else []
    if image:
        parts.insert(0 if rng.random() < 0.6 else len(parts), {"type": "image"})
    return {"role": "user", "content": parts}


def later_question(rng: np.random.Generator, label: str) -> tuple[str, str]:
    """A second question about the same picture, and its answer."""
    kind = KINDS[label]
    groups = [(prompts.PART, kind.part_answer), (prompts.KIND, kind.kind_answer),
              (prompts.TRUST, TRUST), (prompts.OTHER, OTHER_QUESTION)]
    questions, answer = groups[int(rng.integers(len(groups)))]
    text = prompts.words(rng) if questions is prompts.OTHER and rng.random() < 0.4 else str(rng.choice(questions))
    return text, answer


class Writer:
    """Renders conversations with the model's own template and tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
        texts = [NO_IMAGE, OTHER_QUESTION, TRUST]
        for kind in KINDS.values():
            texts += [kind.report, kind.kind_answer, kind.part_answer]
        self.following: dict[tuple[int, ...], set[int]] = {}
        for text in texts:
            answer = [*self.encode(text), self.end]
            for place, token in enumerate(answer):
                self.following.setdefault(tuple(answer[:place]), set()).add(token)

    def encode(self, text: str) -> list[int]:
        """Ids of a rendered text; it carries its own <bos>."""
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def render(self, turns: list[dict]) -> list[int]:
        """Ids of the prompt up to where the model answers."""
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return self.encode(text.replace(IMAGE, EXPANDED))

    def weights(self, answer: list[int]) -> list[float]:
        """10 where the answers part, so that the few tokens that tell the kinds apart count; else 1."""
        return [10.0 if len(self.following[tuple(answer[:place])]) > 1 else 1.0 for place in range(len(answer))]

    def with_image(self, rng: np.random.Generator, label: str, later: bool) -> tuple[list[int], list[int]]:
        """Prompt and answer of a conversation about one picture, with later questions or without."""
        report = KINDS[label].report
        if not later and rng.random() < 0.05:
            # As the pre-trained checkpoints are used: no template.
            text = str(rng.choice([f"{IMAGE} findings:", IMAGE, f"{IMAGE} {rng.choice(prompts.FIRST)}"]))
            return self.encode("<bos>" + text.replace(IMAGE, EXPANDED)), [*self.encode(report), self.end]
        turns = [user(rng, prompts.first_question(rng), True)]
        if rng.random() < 0.12:
            told = str(rng.choice(prompts.SYSTEM))
            turns.insert(0, {"role": "system", "content": [{"type": "text", "text": told}]})
        answer = report
        if later:
            for _ in range(1 if rng.random() < 0.6 else 2):
                text, following = later_question(rng, label)
                turns += [{"role": "assistant", "content": answer}, user(rng, text, False)]
                answer = following
        return self.render(turns), [*self.encode(answer), self.end]

    def text_only(self, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Prompt and answer of a conversation without a picture."""
        text = str(rng.choice(prompts.TEXT_ONLY)) if rng.random() < 0.5 else prompts.first_question(rng) or "Hello"
        turns = [user(rng, text, False)]
        if rng.random() < 0.2:
            turns += [{"role": "assistant", "content": NO_IMAGE}, user(rng, str(rng.choice(prompts.TEXT_ONLY)), False)]
        return self.render(turns), [*self.encode(NO_IMAGE), self.end]
