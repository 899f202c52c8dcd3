#!/usr/bin/env python3
"""Decoding after a long context, ours and llama.cpp in turn: one line for each round, then the medians.

`compare` has llama.cpp read the context anew for each figure, so that minutes lie between the sides of a
round, in which what memory gives may double. Here one process of llama.cpp reads it once and waits,
blocked, while ours runs. Runs in venv-llama; options: figures.py, and --ours, the program medgemma-bench.
"""

import ctypes
import json
import statistics
import subprocess

import llama_cpp

import llama_side
from figures import options, prompt, timed

ROUNDS = 5


def ours(chosen):
    """Tokens a second of our program, in a process of its own."""
    line = [chosen.ours, "--model", chosen.model, "--precision", "as-is", "--stage", "decode", "--json"]
    for name in ("threads", "tokens", "context", "runs"):
        line += [f"--{name}", str(getattr(chosen, name))]
    ended = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[0])["median"]


def main():
    """See the file's header."""
    flash = {"choices": llama_side.FLASH, "default": "on"}
    chosen = options([("--flash", flash), ("--ours", {"required": True})])
    llama_cpp.llama_log_set(llama_side.quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model = llama_side.load(chosen)
    ctx = llama_side.context(model, chosen, chosen.context + chosen.tokens + llama_side.CHUNK)
    batch = llama_cpp.llama_batch_init(llama_side.CHUNK, 0, 1)
    llama_side.read(ctx, batch, prompt(chosen.context))

    def theirs():
        llama_side.forget(ctx, 0, chosen.context)
        for step in range(chosen.tokens):
            llama_side.decode(ctx, batch, [(1000 + step, chosen.context + step, 0, True)])

    rounds = []
    for _ in range(ROUNDS):
        mine = ours(chosen)
        peer = statistics.median(chosen.tokens / one for one in timed(theirs, chosen.runs))
        rounds.append((mine, peer, mine / peer))
        print("ours %.2f, llama.cpp %.2f tokens/s, %.2f times" % rounds[-1], flush=True)
    print("medians: ours %.2f, llama.cpp %.2f tokens/s, %.2f times" % tuple(map(statistics.median, zip(*rounds))))


if __name__ == "__main__":
    main()
