"""One figure of llama.cpp, through the C interface that llama-cpp-python carries (no Python code of its
own between the steps). Options: figures.py; and --flash auto|on|off, its flash attention.

Runs in venv-llama or venv-llama-avx2. Decoding is timed around `llama_decode`, which returns when the
logits are there; the encoder around `mtmd_encode_chunk`; the first token from the start of the process,
with the picture read from its file, to the choice of the likeliest token. The warm-up runs that
the library would do by itself are off.
"""

import ctypes
import time

import llama_cpp
import numpy as np
from llama_cpp import mtmd_cpp as mtmd

from figures import options, path, prompt, report, since_process_start, timed

FLASH = {"auto": llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO, "on": llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
         "off": llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED}
CHUNK = 512
KEPT = []


@llama_cpp.llama_log_callback
def quiet(_level, _text, _data):
    """Keeps the library's log off the line of JSON."""


def load(chosen):
    """The model, its weights in memory."""
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(chosen.model.encode(), settings)
    if not model:
        raise SystemExit(f"llama.cpp cannot read {chosen.model}")
    return model


def context(model, chosen, positions):
    """A context for `positions` positions in all."""
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = positions
    settings.n_batch = settings.n_ubatch = CHUNK
    settings.n_seq_max = chosen.batch
    settings.kv_unified = chosen.batch > 1
    # As llama.cpp's own programs have it: layers with a window keep no more than that.
    settings.swa_full = False
    settings.n_threads = settings.n_threads_batch = chosen.threads
    settings.flash_attn_type = FLASH[chosen.flash]
    made = llama_cpp.llama_init_from_model(model, settings)
    if not made:
        raise SystemExit("llama.cpp makes no context")
    return made


def decode(ctx, batch, rows):
    """One call; `rows` is (id, position, sequence, whether its logits are wanted)."""
    batch.n_tokens = len(rows)
    for index, (token, position, sequence, wanted) in enumerate(rows):
        batch.token[index], batch.pos[index] = token, position
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
        batch.logits[index] = wanted
    if llama_cpp.llama_decode(ctx, batch) != 0:
        raise SystemExit("llama_decode failed")
    llama_cpp.llama_synchronize(ctx)


def forget(ctx, sequence, position):
    """Takes a sequence back to its first positions."""
    if not llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(ctx), sequence, position, -1):
        raise SystemExit(f"llama.cpp cannot go back to position {position}")


def read(ctx, batch, ids):
    """Reads a prompt as sequence 0, in chunks; the last position's logits are made."""
    for start in range(0, len(ids), CHUNK):
        part = ids[start:start + CHUNK]
        decode(ctx, batch, [(token, start + at, 0, start + at == len(ids) - 1) for at, token in enumerate(part)])


def prefill(chosen):
    """Tokens a second of reading a prompt."""
    model = load(chosen)
    ctx = context(model, chosen, chosen.tokens + CHUNK)
    batch = llama_cpp.llama_batch_init(CHUNK, 0, 1)
    ids = prompt(chosen.tokens)

    def work():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(ctx), True)
        read(ctx, batch, ids)

    # A long prompt warms itself up.
    seconds = timed(work, chosen.runs, warm=1 if chosen.tokens <= 1024 else 0)
    return "tokens/s", [chosen.tokens / one for one in seconds]


def generate(chosen):
    """Tokens a second of writing, all sequences together."""
    model = load(chosen)
    rounds = chosen.runs + 1
    ctx = context(model, chosen, chosen.context + rounds * chosen.tokens * chosen.batch + CHUNK)
    batch = llama_cpp.llama_batch_init(max(CHUNK, chosen.batch), 0, 1)
    memory = llama_cpp.llama_get_memory(ctx)
    read(ctx, batch, prompt(chosen.context))
    for sequence in range(1, chosen.batch):
        llama_cpp.llama_memory_seq_cp(memory, 0, sequence, 0, -1)

    def work():
        for sequence in range(chosen.batch):
            forget(ctx, sequence, chosen.context)
        for step in range(chosen.tokens):
            decode(ctx, batch, [(1000 + step, chosen.context + step, one, True) for one in range(chosen.batch)])

    seconds = timed(work, chosen.runs)
    return "tokens/s", [chosen.tokens * chosen.batch / one for one in seconds]


def eyes(chosen, model):
    """The encoder of images."""
    settings = mtmd.mtmd_context_params_default()
    settings.use_gpu = False
    settings.print_timings = False
    settings.warmup = False
    settings.n_threads = chosen.threads
    settings.flash_attn_type = FLASH[chosen.flash]
    made = mtmd.mtmd_init_from_file(chosen.mmproj.encode(), model, settings)
    if not made:
        raise SystemExit(f"llama.cpp cannot read {chosen.mmproj}")
    return made


def picture(chosen):
    """The picture of --image, or a grey ramp of 896 × 896."""
    if chosen.image:
        from PIL import Image
        pixels = np.asarray(Image.open(chosen.image).convert("RGB"))
    else:
        ramp = np.arange(896, dtype=np.uint16) % 256
        pixels = np.repeat(np.add.outer(ramp, ramp)[:, :, None] // 2, 3, axis=2)
    data = np.ascontiguousarray(pixels.astype(np.uint8))
    height, width, _ = data.shape
    KEPT.append(data)
    return mtmd.mtmd_bitmap_init(width, height, data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))


def asked(chosen, see):
    """A turn with one picture, cut into pieces of text and image."""
    words = "<start_of_turn>user\n" + mtmd.mtmd_default_marker().decode() + "Describe this image.<end_of_turn>\n"
    words = (words + "<start_of_turn>model\n").encode()
    text = mtmd.mtmd_input_text(words, len(words), True, True)
    pictures = (mtmd.mtmd_bitmap_p_ctypes * 1)(picture(chosen))
    chunks = mtmd.mtmd_input_chunks_init()
    if mtmd.mtmd_tokenize(see, chunks, ctypes.byref(text), pictures, 1) != 0:
        raise SystemExit("the prompt cannot be cut into pieces")
    return chunks


def vision(chosen):
    """Seconds from pixels to soft tokens."""
    see = eyes(chosen, load(chosen))
    chunks = asked(chosen, see)
    pieces = [mtmd.mtmd_input_chunks_get(chunks, at) for at in range(mtmd.mtmd_input_chunks_size(chunks))]
    image = next(one for one in pieces if mtmd.mtmd_input_chunk_get_type(one) == mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE)

    def work():
        if mtmd.mtmd_encode_chunk(see, image) != 0:
            raise SystemExit("the image cannot be encoded")

    return "s", timed(work, chosen.runs)


def first_token(chosen):
    """Seconds from the process's start to the first token about a picture; one run a process."""
    model = load(chosen)
    ctx = context(model, chosen, 2048)
    see = eyes(chosen, model)
    past = llama_cpp.llama_pos(0)
    if mtmd.mtmd_helper_eval_chunks(see, ctx, asked(chosen, see), 0, 0, CHUNK, True, ctypes.byref(past)) != 0:
        raise SystemExit("the prompt cannot be read")
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, -1), shape=(size,))
    int(logits.argmax())
    return "s", [since_process_start()]


def load_only(chosen):
    """Seconds until the model could be used."""

    def work():
        model = load(chosen)
        ctx = context(model, chosen, CHUNK)
        llama_cpp.llama_free(ctx)
        llama_cpp.llama_model_free(model)

    return "s", timed(work, chosen.runs)


def used():
    """The instruction set that this build uses: its name for what the processor and the build have."""
    has = llama_cpp.llama_print_system_info().decode()
    known = (("AMX_INT8 = 1", "amx"), ("AVX512 = 1", "avx512"), ("AVX2 = 1", "avx2"))
    return next((name for flag, name in known if flag in has), path())


def main():
    """See the file's header."""
    chosen = options([("--flash", {"choices": FLASH, "default": "auto"})])
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    mtmd.mtmd_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    stages = {"load": load_only, "prefill": prefill, "decode": generate, "vision": vision,
              "first-token": first_token}
    begun = time.perf_counter()
    unit, runs = stages[chosen.stage](chosen)
    report("llama.cpp", chosen, unit, runs, path=used(), flash=chosen.flash,
           wall_seconds=time.perf_counter() - begun)


if __name__ == "__main__":
    main()
