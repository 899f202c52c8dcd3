"""What is compared: groups of commands that answer one question, and the rows of the table that their
figures make.

A group is measured together, one command after the other, round by round, so that a machine that
grows slower or faster meets all sides alike. A row names the figures of a group that stand side by
side; PyTorch has bf16 only, so one figure of its may stand in several rows.
"""

from dataclasses import dataclass

# Numbers in the decoder's matrices without the embeddings, which a token of a prompt only looks up.
MATRICES_4B = 34 * (2560 * 2048 * 2 + 2560 * 1024 * 2 + 3 * 2560 * 10240)
# Multiplications and additions of one image: the linear layers and attention over 4096 patches.
VISION_4B = 3.4e12 + 2.1e12
# The same of MedSigLIP: 27 layers over 1024 patches, its head aside.
IMAGE_SIGLIP = 2.0 * 1024 * 27 * (4 * 1152 * 1152 + 2 * 1152 * 4304) + 4.0 * 27 * 1024 * 1024 * 1152


# The side of a machine's limit that was taken right after one of our figures.
LIMIT = "limit"


@dataclass(frozen=True)
class Command:
    """One side's way to the figure."""

    side: str
    form: str
    arguments: tuple[str, ...]


@dataclass
class Row:
    """A line of the table: `ours`, `llama.cpp` and `PyTorch` are forms within the group."""

    title: str
    ours: str
    llama: str | None = None
    torch: str | None = "bf16"
    # At least so many times as fast as llama.cpp, as PyTorch; None where nothing is asked.
    over_llama: float | None = None
    over_torch: float | None = None
    # Work a unit that the machine's limit allows: ("memory", file) or ("arithmetic", operations).
    bound: tuple[str, object] | None = None
    # At least this share of that limit.
    of_limit: float | None = None


@dataclass
class Group:
    """What is measured together."""

    name: str
    commands: list[Command]
    rows: list[Row]
    # Together five runs or more: of a process the runs after one that does not count.
    rounds: int = 3
    runs: int = 2
    # A process that spins on one of the cores meanwhile.
    busy: bool = False
    # Whether it is worth doing under AVX2 alone as well.
    narrow: bool = True

    def bound_by_memory(self):
        """Whether a row asks for its share of memory's speed."""
        return any(row.bound and row.bound[0] == "memory" for row in self.rows)


def commands(stage, files, forms, torch=True):
    """The commands of a stage on each of `forms`, all sides."""
    made = []
    for form in forms:
        made.append(Command("ours", form, (*files.ours(form), *stage)))
        if form in files.LLAMA:
            made.append(Command("llama.cpp", form, (*files.llama(form), *stage)))
    if torch:
        made.append(Command("PyTorch", "bf16", (*files.torch(), *stage)))
    return made


class Shape4B:
    """MedGemma 4B's shape."""

    LLAMA = ("bf16", "q8_0", "q4_0")

    def __init__(self, peers):
        self.peers = peers

    def text(self, form):
        """The GGUF file of the decoder."""
        return f"{self.peers}/gguf/4b-{form}.gguf"

    def ours(self, form):
        """bf16 from the directory, int8 and int4 made from it, the others from GGUF."""
        if form in ("bf16", "int8", "int4"):
            return ["--model", f"{self.peers}/4b", "--precision", "as-is" if form == "bf16" else form]
        return ["--model", self.text(form)]

    def llama(self, form):
        """GGUF."""
        return ["--model", self.text(form)]

    def torch(self):
        """The directory."""
        return ["--model", f"{self.peers}/4b"]


class Seeing4B(Shape4B):
    """The same with its eyes: f16 is what people have."""

    def ours(self, form):
        """The eyes are in the directory, or in a file of their own."""
        if form in ("bf16", "int8", "int4"):
            return super().ours(form)
        return [*super().ours(form), *self.eyes("f16")]

    def llama(self, form):
        """The eyes are in a file of their own."""
        return [*super().llama(form), *self.eyes("bf16" if form == "bf16" else "f16")]

    def eyes(self, form):
        """That file."""
        return ["--mmproj", f"{self.peers}/gguf/mmproj-4b-{form}.gguf"]


class Encoder:
    """MedSigLIP's shape."""

    LLAMA = ()

    def __init__(self, peers):
        self.peers = peers

    def ours(self, _form):
        """The directory."""
        return ["--model", f"{self.peers}/medsiglip"]

    def torch(self):
        """The directory, in bf16 as it is."""
        return self.ours("bf16")


class Small:
    """Gemma 3 270M with its real weights."""

    LLAMA = ("q4_k_m",)

    def __init__(self, peers, file):
        self.peers, self.file = peers, file

    def text(self, _form):
        """The GGUF file."""
        return self.file

    def ours(self, form):
        """The file, or the directory that was made from it."""
        return ["--model", f"{self.peers}/gemma-270m" if form == "bf16" else self.file]

    def llama(self, _form):
        """The file."""
        return ["--model", self.file]

    def torch(self):
        """The directory."""
        return ["--model", f"{self.peers}/gemma-270m"]


def groups(peers, gemma_270m):
    """All of them, in the order of the table."""
    big, seeing, small, encoder = Shape4B(peers), Seeing4B(peers), Small(peers, gemma_270m), Encoder(peers)
    three = ("bf16", "q8_0", "q4_0")

    def speculation(text):
        """Plain decoding and prompt lookup on one text, with weights that are real: what can be guessed is theirs."""
        stage = ["--stage", "generate", "--text", text, "--speculation"]
        return [Command("ours", form, (*small.ours("q4_k_m"), *stage, form)) for form in ("off", "prompt-lookup")]

    def embedding(kind, batch, over_torch, bound=None):
        """Images or texts of the dual encoder."""
        title = f"{kind} to its vector, {batch} at once, bf16, s" if batch > 1 else f"{kind} to its vector, bf16, s"
        return Group(f"embed-{kind}-{batch}",
                     commands(["--stage", f"embed-{kind}", "--batch", str(batch)], encoder, ("bf16",)),
                     [Row(title, "bf16", None, over_torch=over_torch, bound=bound)], rounds=3, runs=3)

    decode = ["--stage", "decode", "--tokens", "24"]
    rate = {"bf16": 1.35, "q8_0": 1.0, "q4_0": 1.15}
    arithmetic = ("arithmetic", 2.0 * MATRICES_4B)
    spoken = {"bf16": "bf16", "q8_0": "Q8_0", "q4_0": "Q4_0", "int8": "int8", "int4": "int4"}
    return [
        Group("decode", commands([*decode, "--context", "512"], big, three),
              [Row(f"decode, {spoken[form]}, tok/s", form, form, over_llama=rate[form],
                   bound=("memory", big.text(form)), of_limit=0.95) for form in three], rounds=8, runs=1),
        Group("decode-quantised", commands([*decode, "--context", "512"], big, ("int8", "int4"), torch=False),
              [Row(f"decode, {form} made from bf16, tok/s", form, None, None) for form in ("int8", "int4")],
              rounds=2, runs=3, narrow=False),
        Group("decode-8k", commands([*decode, "--context", "8192"], big, ("q8_0", "q4_0")),
              [Row(f"decode at 8k, {spoken[form]}, tok/s", form, form, over_llama=1.5) for form in ("q8_0", "q4_0")],
              rounds=1, runs=5),
        Group("decode-270m", commands(["--stage", "decode", "--tokens", "64"], small, ("q4_k_m",)),
              [Row("270M decode, Q4_K_M, tok/s", "q4_k_m", "q4_k_m", over_llama=1.3,
                   bound=("memory", small.file))], rounds=8, runs=2),
        Group("prefill", commands(["--stage", "prefill", "--tokens", "512"], big, three),
              [Row(f"prefill 512, {spoken[form]}, tok/s", form, form, over_torch=3.0, bound=arithmetic, of_limit=0.4)
               for form in three]),
        Group("prefill-quantised", commands(["--stage", "prefill", "--tokens", "512"], big, ("int8", "int4"), torch=False),
              [Row(f"prefill 512, {form} made from bf16, tok/s", form, None, None, bound=arithmetic, of_limit=0.4)
               for form in ("int8", "int4")], narrow=False),
        Group("prefill-8k", commands(["--stage", "prefill", "--tokens", "8192"], big, ("q8_0",)),
              [Row("prefill 8k, Q8_0, tok/s", "q8_0", "q8_0")], rounds=5, runs=1),
        Group("prefill-270m", commands(["--stage", "prefill", "--tokens", "512"], small, ("q4_k_m",)),
              [Row("270M prefill 512, Q4_K_M, tok/s", "q4_k_m", "q4_k_m")], rounds=5, runs=3),
        Group("vision", commands(["--stage", "vision"], seeing, ("bf16", "q4_0")),
              [Row("image to soft tokens, bf16, s", "bf16", "bf16", over_llama=15.0, over_torch=3.0,
                   bound=("arithmetic", VISION_4B), of_limit=0.35),
               Row("image to soft tokens, f16, s", "q4_0", "q4_0", over_llama=15.0, over_torch=3.0,
                   bound=("arithmetic", VISION_4B), of_limit=0.35)]),
        Group("first-token", commands(["--stage", "first-token"], seeing, ("bf16", "q4_0")),
              [Row("first token about an image, bf16, s", "bf16", "bf16", over_llama=12.0, over_torch=3.0),
               Row("first token about an image, Q4_0, s", "q4_0", "q4_0", over_llama=12.0, over_torch=3.0)], rounds=5, runs=1),
        Group("batch-8", commands([*decode, "--context", "512", "--batch", "8"], big, ("q8_0", "q4_0")),
              [Row(f"8 at once, {spoken[form]}, tok/s together", form, form) for form in ("q8_0", "q4_0")]),
        Group("speculation-copy", speculation("copy"),
              [Row("270M, an answer that copies, prompt lookup, tok/s", "prompt-lookup", None, None)], rounds=5, runs=3),
        Group("speculation-list", speculation("list"),
              [Row("270M, an answer that is new, prompt lookup, tok/s", "prompt-lookup", None, None)], rounds=5, runs=3),
        embedding("image", 1, 3.0, ("arithmetic", IMAGE_SIGLIP)),
        embedding("image", 8, 3.0, ("arithmetic", IMAGE_SIGLIP)),
        embedding("text", 1, 2.0),
        embedding("text", 16, 2.0),
        Group("busy-decode", commands([*decode, "--context", "512"], big, ("q4_0",)),
              [Row("decode with a core busy, Q4_0, tok/s", "q4_0", "q4_0")], busy=True),
        Group("busy-decode-270m", commands(["--stage", "decode", "--tokens", "64"], small, ("q4_k_m",)),
              [Row("270M decode with a core busy, tok/s", "q4_k_m", "q4_k_m")], rounds=5, runs=3, busy=True),
        Group("busy-prefill", commands(["--stage", "prefill", "--tokens", "512"], big, ("q4_0",)),
              [Row("prefill 512 with a core busy, Q4_0, tok/s", "q4_0", "q4_0")], busy=True),
    ]
