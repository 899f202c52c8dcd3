"""The ratio table, in Markdown, from the lines of JSON that `compare` keeps."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

from rows import LIMIT

SIDES = ("ours", "llama.cpp", "PyTorch")


class Results:
    """Figures by group, side and form; of every group the last run."""

    def __init__(self, path, avx2):
        lines = [json.loads(text) for text in Path(path).read_text(encoding="utf-8").splitlines()]
        self.avx2 = avx2
        lines = [line for line in lines if line["avx2"] == avx2]
        last = {}
        for line in lines:
            # A later run may have measured one side only; the others' figures then stay.
            key = (line["group"], line["side"], line["form"])
            last[key] = max(last.get(key, ""), line["run"])
        self.lines = [one for one in lines if one["run"] == last[one["group"], one["side"], one["form"]]]

    def of(self, group, side, form):
        """The lines of one side; of llama.cpp those of its faster way, with flash attention or without."""
        lines = [one for one in self.lines if (one["group"], one["side"], one["form"]) == (group, side, form)]
        ways = {}
        for line in lines:
            ways.setdefault(line.get("flash"), []).append(line)
        return max(ways.values(), key=lambda way: max(speed(line) for line in way), default=[])

    def median(self, group, side, form):
        """The median of all runs, or None."""
        runs = [run for line in self.of(group, side, form) for run in line["runs"]]
        return statistics.median(runs) if runs else None

    def peak(self, group, side, form):
        """The most memory at once, in bytes, or None."""
        return max((one["peak_rss_bytes"] or 0 for one in self.of(group, side, form)), default=None)

    def limit(self, what):
        """A limit of the machine: the best that was measured."""
        runs = [run for line in self.lines if line["group"] == "limit" and line.get("what") == what
                for run in line["runs"]]
        return max(runs, default=None)

    def rounds(self, group, side, form):
        """The median of each round, by run and number; of a limit, memory's."""
        lines = [one for one in self.of(group, side, form) if one.get("what", "memory") == "memory"]
        return {(one["run"], one["round"]): one["median"] for one in lines if "round" in one}

    def paired(self, group, ours, other, scale=1.0):
        """The median over the rounds of our figure, times `scale`, over another one; None unless at
        least five rounds have both. Both are the (side, form) of rates, not of seconds."""
        first, second = self.rounds(group, *ours), self.rounds(group, *other)
        ratios = [scale * first[at] / second[at] for at in first.keys() & second.keys()]
        return statistics.median(ratios) if len(ratios) >= 5 else None


def speed(line):
    """More is better."""
    return -line["median"] if line["unit"] == "s" else line["median"]


def number(value):
    """Three digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(ours, theirs, smaller_is_better, wanted, paired=None):
    """How many times as fast we are, and whether that is enough; `paired`, where the rounds say it."""
    if ours is None or theirs is None:
        return "–"
    times = paired or (theirs / ours if smaller_is_better else ours / theirs)
    return f"{times:.2f} ×{verdict(times, wanted)}"


def verdict(value, wanted, scale=1, unit=""):
    """Whether that is enough, where something is asked."""
    if wanted is None:
        return ""
    return f" (≥ {wanted * scale:g}{unit}: {'yes' if value >= wanted else '**no**'})"


def share(results, row, ours, smaller_is_better, group):
    """How much of the machine's limit we reach: of the limit in the same round, if it was taken."""
    if row.bound is None or ours is None:
        return "–"
    kind, work = row.bound
    if kind == "memory":
        file = Path(work)
        if not file.exists():  # removed since
            return "–"
        limit, work = results.limit("memory"), file.stat().st_size
        beside = results.paired(group, ("ours", row.ours), (LIMIT, row.ours), work)
        if beside is not None:
            return f"{100 * beside:.0f} %{verdict(beside, row.of_limit, 100, ' %')}"
    else:
        limit = results.limit("bf16")
    if limit is None:
        return "–"
    reached = (work / ours if smaller_is_better else work * ours) / limit
    return f"{100 * reached:.0f} %{verdict(reached, row.of_limit, 100, ' %')}"


def rows_of(results, group):
    """The lines of one group. With AVX2 alone all that is asked is to be as fast as llama.cpp."""
    for row in group.rows:
        if results.avx2:
            row = replace(row, over_llama=1.0 if row.llama else None, over_torch=None, of_limit=None)
        ours = results.median(group.name, "ours", row.ours)
        llama = results.median(group.name, "llama.cpp", row.llama) if row.llama else None
        torch = results.median(group.name, "PyTorch", row.torch) if row.torch else None
        if ours is None and llama is None and torch is None:
            continue
        less = row.title.endswith(", s")
        flash = any(line.get("flash") == "on" for line in results.of(group.name, "llama.cpp", row.llama))
        beside = {side: None if less else results.paired(group.name, ("ours", row.ours), (side, form))
                  for side, form in (("llama.cpp", row.llama), ("PyTorch", row.torch))}
        cells = [row.title, number(ours), number(llama) + (" fa" if flash else ""), number(torch),
                 ratio(ours, llama, less, row.over_llama, beside["llama.cpp"]),
                 ratio(ours, torch, less, row.over_torch, beside["PyTorch"]), share(results, row, ours, less, group.name)]
        yield "| " + " | ".join(cells) + " |"


def against_itself(results):
    """Figures that are shares of other figures of the same side."""
    asked = [
        ("with a core busy: decode, Q4_0", ("busy-decode", "q4_0"), ("decode", "q4_0"), 0.6),
        ("with a core busy: 270M decode", ("busy-decode-270m", "q4_k_m"), ("decode-270m", "q4_k_m"), 0.6),
        ("with a core busy: prefill 512, Q4_0", ("busy-prefill", "q4_0"), ("prefill", "q4_0"), 0.6),
        ("8 at once against one, Q8_0", ("batch-8", "q8_0"), ("decode", "q8_0"), 4.0),
        ("8 at once against one, Q4_0", ("batch-8", "q4_0"), ("decode", "q4_0"), 4.0),
        ("prompt lookup against plain, 270M: an answer that copies",
         ("speculation-copy", "prompt-lookup"), ("speculation-copy", "off"), 1.8),
        ("prompt lookup against plain, 270M: an answer that is new",
         ("speculation-list", "prompt-lookup"), ("speculation-list", "off"), 0.97),
        ("prefill of 8k against 512, Q8_0", ("prefill-8k", "q8_0"), ("prefill", "q8_0"), 0.8),
        ("decode at 8k against 512, Q4_0", ("decode-8k", "q4_0"), ("decode", "q4_0"), None),
    ]
    for title, (group, form), (base, base_form), wanted in asked:
        cells = []
        for side in SIDES:
            # PyTorch has one form for all.
            named = ("bf16", "bf16") if side == "PyTorch" else (form, base_form)
            part, whole = results.median(group, side, named[0]), results.median(base, side, named[1])
            cells.append(number(part / whole) if part and whole else "–")
        if any(cell != "–" for cell in cells):
            yield f"| {title} | " + " | ".join(cells) + f" | {'' if wanted is None else f'≥ {wanted:g}'} |"


def memory(results, groups):
    """Peak memory of each row, in GB, and what the target would allow us."""
    for group in groups:
        for row in group.rows:
            named = zip(SIDES, (row.ours, row.llama, row.torch))
            peaks = [results.peak(group.name, side, form) if form else None for side, form in named]
            if peaks[0] is None:
                continue
            line = results.of(group.name, "ours", row.ours)[-1]
            # Of weights that were quantised while loading, the files' size says nothing.
            weights = line.get("weight_bytes") if line["precision"] == "as-is" else None
            allowed = None if weights is None else 1.05 * weights + (line.get("cache_bytes") or 0) + 500e6
            cells = ["–" if one is None else f"{one / 1e9:.2f}" for one in (*peaks, allowed)]
            yield f"| {row.title.rpartition(', ')[0]} | " + " | ".join(cells) + " |"


def section(results, groups, title):
    """The tables of one set of results."""
    lines = [line for group in groups for line in rows_of(results, group)]
    if not lines:
        return []
    first = results.lines[0]
    dates = sorted({line["date"] for line in results.lines})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    limits = [(what, results.limit(what), unit, scale) for what, unit, scale in (
        ("memory", "GB/s read", 1e9), ("bf16", "TFLOP/s in bf16", 1e12), ("f32", "TFLOP/s in f32", 1e12))]
    said = ", ".join(f"{value / scale:.3g} {unit}" for _, value, unit, scale in limits if value)
    path = next((line["path"] for line in results.lines if line["side"] == "ours"), first["path"])
    head = f"{first['cpu']} ({path}), {first['threads']} threads, {span}. Limits: {said or 'not measured'}. fa: llama.cpp with flash attention, where that is faster."
    out = [f"### {title}", "", head, "",
           "| | ours | llama.cpp | PyTorch bf16 | over llama.cpp | over PyTorch | of the limit |",
           "|---|---|---|---|---|---|---|", *lines, ""]
    shares = list(against_itself(results))
    if shares:
        out += ["| as a share of its own figure | ours | llama.cpp | PyTorch | target |", "|---|---|---|---|---|",
                *shares, ""]
    peaks = list(memory(results, groups))
    if peaks:
        out += ["| peak memory, GB | ours | llama.cpp | PyTorch | 1.05 × weights + cache + 0.5 |",
                "|---|---|---|---|---|", *peaks, ""]
    return out


def render(path, groups):
    """All tables."""
    out = section(Results(path, avx2=False), groups, "All instructions")
    out += section(Results(path, avx2=True), groups, "AVX2 only, all sides")
    return "\n".join(out) or "no results"
