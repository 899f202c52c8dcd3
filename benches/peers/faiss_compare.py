#!/usr/bin/env python3
"""The index of medgemma-search and FAISS on the same vectors, queries and cores, in one run.

Needs faiss-cpu and numpy, and the program that it drives:

    cargo build --release -p medgemma-search --example measure
    python benches/peers/faiss_compare.py --program target/release/examples/measure --folder DIR

Single queries, one side after the other, round after round; a figure is the median of all queries
of all rounds. Recall is of the ten best by f32 products of all vectors. The index of 300 000
vectors takes 1.7 GB in --folder, which is emptied of it at the end.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy

K = 10
CHUNK = 10_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--dimension", type=int, default=1152)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--data", choices=["clusters", "gauss", "kinds"], default="clusters")
    parser.add_argument("--flat", action="store_true", help="FAISS's exact index too")
    parser.add_argument("--filtered", action="store_true", help="ours under a filter that holds for all")
    parser.add_argument("--alone", action="store_true", help="without FAISS: keeps no vectors in memory")
    return parser.parse_args()


def vectors(options, count, seed):
    """Unit vectors, some thousands at a time.

    `gauss`: all directions alike, so that neighbours differ by little, which is hard on codes.
    `clusters`: about one centre for 100 vectors, as the pictures of one study are.
    `kinds`: six centres, and vectors near to them, as pictures of a few modalities are.
    """
    centres, spread = {"clusters": (options.rows // 100, 0.7), "kinds": (6, 0.3), "gauss": (0, 1)}[options.data]
    centres = numpy.random.default_rng(1).standard_normal((centres, options.dimension), dtype=numpy.float32)
    random = numpy.random.default_rng(seed)
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        rows = random.standard_normal((size, options.dimension), dtype=numpy.float32)
        rows *= spread
        if len(centres):
            rows += centres[random.integers(len(centres), size=size)]
        rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
        yield rows


class Ours:
    name = "medgemma-search"

    def __init__(self, options):
        folder = options.folder / "index"
        arguments = [str(folder), str(options.dimension)]
        self.program = [str(options.program)]
        self.build = subprocess.Popen(
            [*self.program, "build", *arguments, str(options.rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.arguments = arguments
        self.words = ["filtered"] if options.filtered else []
        self.threads = len(options.cores.split(","))
        self.told = {}

    def add(self, rows):
        self.build.stdin.write(rows.astype("<f4").tobytes())

    def ready(self):
        self.build.stdin.close()
        self.told.update(json.loads(self.build.stdout.readline()))
        if self.build.wait():
            sys.exit("the program could not build the index")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.program, "search", *self.arguments, str(self.threads), *self.words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.told.update(json.loads(self.process.stdout.readline()))

    def search(self, queries):
        self.process.stdin.write(struct.pack("<I", len(queries)) + queries.astype("<f4").tobytes())
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.told["peak_rss_mb"] = answer["peak_rss_mb"]
        return answer["ms"], numpy.array(answer["rows"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Coarse(Ours):
    """The same index, once 4-bit codes were made of it."""

    name = "medgemma-search, 4-bit codes first"

    def __init__(self, ours):
        self.__dict__.update(ours.__dict__)
        self.words = [*ours.words, "coarse"]
        self.told = {}

    def add(self, rows):
        pass

    def ready(self):
        self.start()


class Faiss:
    def __init__(self, options, name, make):
        self.name = name
        self.index = make(options.dimension)
        self.told = {}

    def add(self, rows):
        if not self.index.is_trained:
            # The range of each number: more rows would widen it by little.
            self.index.train(rows)
        self.index.add(rows)

    def ready(self):
        pass

    def search(self, queries):
        times, found = [], []
        for query in queries:
            began = time.perf_counter()
            _, rows = self.index.search(query[None], K)
            times.append((time.perf_counter() - began) * 1e3)
            found.append(rows[0])
        return times, numpy.array(found)

    def close(self):
        pass


def sides(options):
    ours = Ours(options)
    yield ours
    yield Coarse(ours)
    if options.alone:
        return
    inner = faiss.METRIC_INNER_PRODUCT
    eight = faiss.ScalarQuantizer.QT_8bit
    yield Faiss(options, "FAISS SQ8", lambda d: faiss.IndexScalarQuantizer(d, eight, inner))
    if options.flat:
        yield Faiss(options, "FAISS flat", lambda d: faiss.IndexFlat(d, inner))


class Best:
    """The best rows for each query by f32 products, as the rows go by."""

    def __init__(self, queries):
        self.queries = queries
        self.rows = numpy.empty((len(queries), 0), dtype=numpy.int64)
        self.scores = numpy.empty((len(queries), 0), dtype=numpy.float32)
        self.seen = 0

    def add(self, rows):
        scores = self.queries @ rows.T
        numbers = numpy.broadcast_to(numpy.arange(self.seen, self.seen + len(rows)), scores.shape)
        scores = numpy.concatenate([self.scores, scores], axis=1)
        numbers = numpy.concatenate([self.rows, numbers], axis=1)
        order = numpy.argsort(-scores, axis=1, kind="stable")[:, :K]
        self.scores = numpy.take_along_axis(scores, order, axis=1)
        self.rows = numpy.take_along_axis(numbers, order, axis=1)
        self.seen += len(rows)


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def main():
    options = arguments()
    cores = {int(core) for core in options.cores.split(",")}
    os.sched_setaffinity(0, cores)
    faiss.omp_set_num_threads(len(cores))
    options.folder.mkdir(parents=True, exist_ok=True)
    queries = next(vectors(options, options.queries, seed=3))
    best = Best(queries)
    running = list(sides(options))
    try:
        for rows in vectors(options, options.rows, seed=2):
            best.add(rows)
            for side in running:
                side.add(rows)
        for side in running:
            side.ready()
            side.search(queries[:5])
        times = {side.name: [] for side in running}
        recalls, loads = {}, []
        for _ in range(options.rounds):
            loads.append(os.getloadavg()[0])
            for side in running:
                took, found = side.search(queries)
                times[side.name].extend(took)
                right = sum(len(set(a) & set(b)) for a, b in zip(found, best.rows))
                recalls[side.name] = right / best.rows.size
        for side in running:
            side.close()
    finally:
        shutil.rmtree(options.folder / "index", ignore_errors=True)
    print(
        json.dumps(
            {
                "processor": processor(),
                "cores": options.cores,
                "faiss": f"{faiss.__version__} {faiss.get_compile_options().strip()}",
                "rows": options.rows,
                "dimension": options.dimension,
                "data": options.data,
                "load_before_each_round": [round(load, 2) for load in loads],
            }
        )
    )
    ours = statistics.median(times[Ours.name])
    for side in running:
        taken = sorted(times[side.name])
        line = {
            "side": side.name,
            "median_ms": round(statistics.median(taken), 2),
            "best_ms": round(taken[0], 2),
            "p95_ms": round(taken[int(len(taken) * 0.95)], 2),
            "recall_at_10": round(recalls[side.name], 4),
            "times_as_long_as_ours": round(statistics.median(taken) / ours, 2),
            **side.told,
        }
        print(json.dumps(line))


main()
