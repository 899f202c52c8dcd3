"""One figure of PyTorch: transformers' own Gemma 3 in bf16 with its fused attention (sdpa) on the CPU.
Options: figures.py.

Runs in venv. To confine it to AVX2: ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2 in its
environment. The first token is timed from the start of the process, imports included.
"""

import copy
import os
import time

import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText

from figures import (BOS, END, IMAGE, IMAGE_END, IMAGE_START, NEWLINE, USER, options, path, prompt, report,
                     since_process_start, timed)


def load(chosen):
    """The model, mapped and made ready."""
    sees = hasattr(AutoConfig.from_pretrained(chosen.model), "vision_config")
    kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    model = kind.from_pretrained(chosen.model, dtype=torch.bfloat16, attn_implementation="sdpa")
    return model.eval()


def read(model, ids, **more):
    """Reads a prompt; the last position's logits, and the cache."""
    return model(input_ids=torch.tensor(ids), use_cache=True, logits_to_keep=1, **more)


def prefill(chosen):
    """Tokens a second of reading a prompt."""
    model = load(chosen)
    ids = [prompt(chosen.tokens)]
    seconds = timed(lambda: read(model, ids), chosen.runs, warm=1 if chosen.tokens <= 1024 else 0)
    return "tokens/s", [chosen.tokens / one for one in seconds]


def generate(chosen):
    """Tokens a second of writing, all sequences together."""
    model = load(chosen)
    ids = [prompt(chosen.context)] * chosen.batch
    begin = read(model, ids).past_key_values
    step = torch.tensor([[1000]] * chosen.batch)
    seconds = []
    for run in range(chosen.runs + 1):
        past = copy.deepcopy(begin)
        begun = time.perf_counter()
        for _ in range(chosen.tokens):
            past = model(input_ids=step, past_key_values=past, use_cache=True).past_key_values
        if run > 0:
            seconds.append(time.perf_counter() - begun)
    return "tokens/s", [chosen.tokens * chosen.batch / one for one in seconds]


def vision(chosen):
    """Seconds from pixels to soft tokens."""
    model = load(chosen)
    side = model.config.vision_config.image_size
    pixels = torch.rand(1, 3, side, side).to(torch.bfloat16) * 2 - 1
    return "s", timed(lambda: model.model.get_image_features(pixel_values=pixels), chosen.runs)


def embed(chosen, inputs):
    """Seconds a picture or a text of a dual encoder, all of them in one call."""
    model = AutoModel.from_pretrained(chosen.model, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    seconds = timed(inputs(model), chosen.runs)
    return "s", [one / chosen.batch for one in seconds]


def embed_image(chosen):
    """From pixels to vectors."""
    def inputs(model):
        side = model.config.vision_config.image_size
        pixels = torch.rand(chosen.batch, 3, side, side).to(torch.bfloat16) * 2 - 1
        return lambda: model.get_image_features(pixel_values=pixels)
    return embed(chosen, inputs)


def embed_text(chosen):
    """From ids, padded to the full length, to vectors."""
    def inputs(model):
        config = model.config.text_config
        ids = torch.randint(3, config.vocab_size, (chosen.batch, config.max_position_embeddings))
        return lambda: model.get_text_features(input_ids=ids)
    return embed(chosen, inputs)


def picture(chosen, side):
    """The picture of --image as the processor makes it, or a grey ramp."""
    from PIL import Image

    image = Image.open(chosen.image) if chosen.image else Image.linear_gradient("L")
    image = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    levels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(1, side, side, 3)
    return (levels.permute(0, 3, 1, 2).float() / 127.5 - 1).to(torch.bfloat16)


def first_token(chosen):
    """Seconds from the process's start to the first token about a picture; one run a process."""
    model = load(chosen)
    soft = model.config.mm_tokens_per_image
    # <start_of_turn>user, the picture, "Describe this image.", <end_of_turn>, <start_of_turn>model
    ids = [BOS, USER, 2364, NEWLINE, NEWLINE + 1, IMAGE_START, *[IMAGE] * soft, IMAGE_END, NEWLINE + 1,
           82858, 672, 2471, 236761, END, NEWLINE, USER, 4368, NEWLINE]
    kinds = [[int(one == IMAGE) for one in ids]]
    pixels = picture(chosen, model.config.vision_config.image_size)
    logits = read(model, [ids], pixel_values=pixels, token_type_ids=torch.tensor(kinds)).logits
    int(logits[0, -1].argmax())
    return "s", [since_process_start()]


def load_only(chosen):
    """Seconds until the model could be used."""
    return "s", timed(lambda: load(chosen), chosen.runs)


def main():
    """See the file's header."""
    chosen = options()
    torch.set_num_threads(chosen.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    stages = {"load": load_only, "prefill": prefill, "decode": generate, "vision": vision,
              "first-token": first_token, "embed-image": embed_image, "embed-text": embed_text}
    begun = time.perf_counter()
    with torch.inference_mode():
        unit, runs = stages[chosen.stage](chosen)
    confined = os.environ.get("ATEN_CPU_CAPABILITY")
    report("PyTorch", chosen, unit, runs, path=confined or path(), wall_seconds=time.perf_counter() - begun)


if __name__ == "__main__":
    main()
