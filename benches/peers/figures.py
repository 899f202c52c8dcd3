"""What the two scripts that measure a peer share: their options, which are those of
`medgemma-bench`, the line of JSON that all print, and the prompt that all read."""

import argparse
import json
import os
import resource
import statistics
import time

STAGES = ["load", "prefill", "decode", "vision", "first-token", "embed-image", "embed-text"]
# Words as published files have them around an image: a turn of the user, then the model's.
BOS, USER, END, NEWLINE = 2, 105, 106, 107
IMAGE_START, IMAGE_END, IMAGE = 255999, 256000, 262144


def options(extra=()):
    """The options, and whatever `extra` adds as (name, keywords)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--mmproj")
    parser.add_argument("--image")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--context", type=int)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    for name, keywords in extra:
        parser.add_argument(name, **keywords)
    chosen = parser.parse_args()
    if chosen.tokens is None:
        chosen.tokens = 512 if chosen.stage == "prefill" else 32
    if chosen.context is None:
        chosen.context = 512 if chosen.stage == "decode" else 0
    return chosen


def prompt(count):
    """`count` ids of ordinary pieces, the same on every call; speed does not depend on which."""
    return [BOS] + [1000 + 7919 * index % 200_000 for index in range(1, count)]


def since_process_start():
    """Seconds since the kernel started this process (to a hundredth)."""
    with open("/proc/self/stat", encoding="ascii") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def timed(work, runs, warm=1):
    """Seconds of each of `runs` calls, after `warm` that are not counted."""
    seconds = []
    for run in range(warm + runs):
        begun = time.perf_counter()
        work()
        if run >= warm:
            seconds.append(time.perf_counter() - begun)
    return seconds


def cpu():
    """The processor's name."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")


def path():
    """The widest instruction set that the processor has, of those that matter here."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = next(line for line in file if line.startswith("flags")).split()
    known = (("amx_tile", "amx"), ("avx512_bf16", "avx512"), ("avx2", "avx2"))
    return next((name for flag, name in known if flag in flags), "scalar")


def report(side, chosen, unit, runs, **more):
    """Prints the line."""
    line = {
        "side": side, "stage": chosen.stage, "unit": unit, "median": statistics.median(runs), "runs": runs,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "cpu": cpu(),
        "path": path(), "model": chosen.model, "precision": "as-is", "threads": chosen.threads,
        "tokens": chosen.tokens, "context": chosen.context, "batch": chosen.batch, **more,
    }
    if chosen.json:
        print(json.dumps(line), flush=True)
    else:
        print(f"{side} {chosen.stage}: {line['median']:.3f} {unit}", flush=True)
