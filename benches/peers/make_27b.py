"""A pair of GGUF files of MedGemma 27B's shape, image part included, with random weights in 4 bits:
make_27b.py OUT_DIR VOCABULARY.gguf [27b|4b|tiny]

Matrices are Q4_0 and the embeddings, which are the head too, Q6_K, as llama.cpp's own quantiser leaves
them; the tower is f16. Blocks are drawn as such, a piece at a time: nobody has to hold, or store, 55 GB of
bf16 first. The vocabulary is another Gemma 3's (GGUF). What memory a model takes does not depend on what it
has learnt.

The scale of attention has no key in such a file: readers know the 27B by its 62 layers, and take the root
of width over heads (168) where the others take that of a head's size. `tiny` therefore has 62 layers too.

Writes 27b-q4_0.gguf and mmproj-27b-f16.gguf, and says how large they are. `4b` are the same formats at the
size of 4B; `tiny` is the smallest shape of that kind, to try it out. Needs numpy and gguf 0.19.0.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "crates/medgemma-testkit/golden"))
from generate_gguf import text_keys, tokenizer_keys, vision_keys, vocabulary_of  # noqa: E402

Kind = gguf.GGMLQuantizationType
ROPE = {"full_attention": {"rope_theta": 1e6, "factor": 8.0}, "sliding_attention": {"rope_theta": 1e4}}
SHARED = {"vocab_size": 262208, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
          "sliding_window": 1024, "rope_parameters": ROPE}
# hidden, intermediate, layers, heads, heads of keys, size of a head
TEXT = {"27b": (5376, 21504, 62, 32, 16, 128), "4b": (2560, 10240, 34, 8, 4, 256), "tiny": (256, 512, 62, 4, 2, 128)}
# hidden, intermediate, layers, heads
VISION = {"27b": (1152, 4304, 27, 16), "4b": (1152, 4304, 27, 16), "tiny": (144, 288, 2, 2)}
# Of the numbers that training starts from.
SPREAD = 0.02
# Bytes drawn at once.
PIECE = 1 << 26
IMAGE = {"id": 262144, "content": "<image_soft_token>"}


@dataclass
class Drawn:
    """A tensor that is drawn while it is written: what of an array the writer asks for."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    random: np.random.Generator

    @property
    def nbytes(self):
        """Bytes of all of it."""
        items, size = gguf.GGML_QUANT_SIZES[self.kind]
        return int(np.prod(self.shape)) // items * size

    def tofile(self, file):
        """Writes it, piece by piece."""
        size = gguf.GGML_QUANT_SIZES[self.kind][1]
        left = self.nbytes // size
        while left:
            count = min(left, PIECE // size)
            file.write(self.draw(count).tobytes())
            left -= count

    def draw(self, count):
        """So many blocks, or numbers."""
        if self.kind == Kind.F32:
            # Norms that do nothing, biases of zero.
            if len(self.shape) == 1:
                return np.full(count, float(self.name.endswith(".weight")), np.float32)
            return self.random.standard_normal(count, np.float32) * np.float32(SPREAD)
        if self.kind == Kind.F16:
            return (self.random.standard_normal(count, np.float32) * np.float32(SPREAD)).astype(np.float16)
        blocks = self.random.integers(0, 256, (count, gguf.GGML_QUANT_SIZES[self.kind][1]), np.uint8)
        if self.kind == Kind.Q4_0:
            # d, then 32 numbers of -8 to 7, all as likely: their spread is 4.6.
            blocks[:, :2] = half(SPREAD / 4.6)
        else:
            # Q6_K ends with 16 scales of 8 bits and d; its numbers are of -32 to 31, their spread 18.5.
            blocks[:, -18:-2] = 8
            blocks[:, -2:] = half(SPREAD / 18.5 / 8)
        return blocks


def half(number):
    """The two bytes of an f16."""
    return np.frombuffer(np.float16(number).tobytes(), np.uint8)


def text_tensors(text):
    """Names and shapes of the decoder."""
    d, inner, head = text["hidden_size"], text["intermediate_size"], text["head_dim"]
    queries, keys = text["num_attention_heads"] * head, text["num_key_value_heads"] * head
    yield "token_embd.weight", (text["vocab_size"], d), Kind.Q6_K
    yield "output_norm.weight", (d,), Kind.F32
    for layer in range(text["num_hidden_layers"]):
        matrices = {"attn_q": (queries, d), "attn_k": (keys, d), "attn_v": (keys, d), "attn_output": (d, queries),
                    "ffn_gate": (inner, d), "ffn_up": (inner, d), "ffn_down": (d, inner)}
        norms = {"attn_norm": d, "post_attention_norm": d, "ffn_norm": d, "post_ffw_norm": d,
                 "attn_q_norm": head, "attn_k_norm": head}
        for name, shape in matrices.items():
            yield f"blk.{layer}.{name}.weight", shape, Kind.Q4_0
        for name, width in norms.items():
            yield f"blk.{layer}.{name}.weight", (width,), Kind.F32


def vision_tensors(vision, width):
    """Names and shapes of tower and projector."""
    d, inner = vision["hidden_size"], vision["intermediate_size"]
    patches = (vision["image_size"] // vision["patch_size"]) ** 2
    yield "v.patch_embd.weight", (d, 3, vision["patch_size"], vision["patch_size"]), Kind.F32
    yield "v.patch_embd.bias", (d,), Kind.F32
    yield "v.position_embd.weight", (patches, d), Kind.F32
    for layer in range(vision["num_hidden_layers"]):
        for name in ("ln1", "ln2"):
            yield f"v.blk.{layer}.{name}.weight", (d,), Kind.F32
            yield f"v.blk.{layer}.{name}.bias", (d,), Kind.F32
        for name, shape in {"attn_q": (d, d), "attn_k": (d, d), "attn_v": (d, d), "attn_out": (d, d),
                            "ffn_up": (inner, d), "ffn_down": (d, inner)}.items():
            yield f"v.blk.{layer}.{name}.weight", shape, Kind.F16
            yield f"v.blk.{layer}.{name}.bias", shape[:1], Kind.F32
    yield "v.post_ln.weight", (d,), Kind.F32
    yield "v.post_ln.bias", (d,), Kind.F32
    yield "mm.input_projection.weight", (d, width), Kind.F16
    yield "mm.soft_emb_norm.weight", (d,), Kind.F32


def write(writer, kind, file_type, tensors, seed):
    """Keys, then tensors, one after the other."""
    writer.add_type(kind)
    writer.add_name("random")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    random = np.random.default_rng(seed)
    drawn = [Drawn(*one, random) for one in tensors]
    for one in drawn:
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), one.nbytes, one.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in drawn:
        writer.write_tensor_data(one)
    writer.close()
    print(f"{writer.path}: {sum(one.nbytes for one in drawn):,} bytes of tensors")


def config(shape):
    """What config.json would say."""
    text = dict(zip(("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                     "num_key_value_heads", "head_dim"), TEXT[shape]))
    vision = dict(zip(("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"), VISION[shape]))
    return {"text_config": {**SHARED, **text}, "mm_tokens_per_image": 256,
            "vision_config": {"image_size": 896, "patch_size": 14, **vision}}


def main():
    """See the file's header."""
    out, vocabulary, shape = Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or ["27b"])[0]
    made = config(shape)
    text = made["text_config"]
    out.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(out / f"{shape}-q4_0.gguf", "gemma3")
    with tempfile.TemporaryDirectory() as scratch:
        # A tokenizer of Hugging Face that adds one token to the vocabulary, and has no template.
        beside = Path(scratch)
        (beside / "tokenizer.json").write_text(json.dumps({"added_tokens": [IMAGE]}))
        (beside / "tokenizer_config.json").write_text("{}")
        text_keys(writer, text)
        tokenizer_keys(writer, beside, vocabulary_of(vocabulary, beside), text["vocab_size"])
        write(writer, gguf.GGUFType.MODEL, gguf.LlamaFileType.MOSTLY_Q4_0, text_tensors(text), 0)
        writer = gguf.GGUFWriter(out / f"mmproj-{shape}-f16.gguf", "clip")
        vision_keys(writer, beside, made)
    vision = vision_tensors(made["vision_config"], text["hidden_size"])
    write(writer, gguf.GGUFType.MMPROJ, gguf.LlamaFileType.MOSTLY_F16, vision, 1)


if __name__ == "__main__":
    main()
