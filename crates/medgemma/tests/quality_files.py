"""Makes what the quality gate (quality.rs) reads: a text, and Gemma 3 270M in every format of GGUF.

usage: python3 quality_files.py GGUF REPORTS.tgz OUT_DIR       (.ci/fetch-quality runs it)

needs: pip install gguf==0.19.0 numpy        (peak memory about 3 GB)

text.txt: findings and impression of the first 150 reports, by number, of Indiana University's chest X-ray
collection that have both. The reports are under CC BY-NC-ND 4.0: read here, never committed.

gemma-3-270m-TYPE.gguf: the published Q4_K_M file, dequantised, in TYPE: every matrix of the model, the
embeddings included; norms and metadata as they are. K types need rows of a multiple of 256 numbers, which
only attn_output and ffn_down have; the other matrices of those files are Q8_0. The rounding to f32, f16,
bf16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 is that of the package gguf; that to K types is below, plain and
without a search: it has to be valid, not good. Nothing depends on the processor, so that the checksums in
quality_golden.json hold everywhere; they are compared when all is written.
"""

import hashlib
import json
import re
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf.quants import dequantize, quant_shape_to_byte_shape, quantize

SOURCE = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
REPORTS = 150
SUPER = 256                     # numbers of a block of a K type

FILES = {
    "f32": (Type.F32, LlamaFileType.ALL_F32), "bf16": (Type.BF16, LlamaFileType.MOSTLY_BF16),
    "f16": (Type.F16, LlamaFileType.MOSTLY_F16), "q8_0": (Type.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (Type.Q4_0, LlamaFileType.MOSTLY_Q4_0), "q4_1": (Type.Q4_1, LlamaFileType.MOSTLY_Q4_1),
    "q5_0": (Type.Q5_0, LlamaFileType.MOSTLY_Q5_0), "q5_1": (Type.Q5_1, LlamaFileType.MOSTLY_Q5_1),
    "q4_k": (Type.Q4_K, LlamaFileType.MOSTLY_Q4_K_S), "q5_k": (Type.Q5_K, LlamaFileType.MOSTLY_Q5_K_S),
    "q6_k": (Type.Q6_K, LlamaFileType.MOSTLY_Q6_K),
}


# --- the text --------------------------------------------------------------------------------------


def report(file):
    """Findings and impression of one report, or None without either."""
    parts = {}
    for part in ElementTree.parse(file).iter("AbstractText"):
        parts[part.get("Label")] = " ".join((part.text or "").split())
    findings, impression = parts.get("FINDINGS"), parts.get("IMPRESSION")
    return f"FINDINGS: {findings}\n\nIMPRESSION: {impression}\n" if findings and impression else None


def text(archive):
    """The reports, in the order of their numbers."""
    with tarfile.open(archive) as tar:
        members = {int(found[1]): member for member in tar
                   if (found := re.fullmatch(r"ecgen-radiology/(\d+)\.xml", member.name))}
        reports = (report(tar.extractfile(members[number])) for number in sorted(members))
        chosen = [one for one, _ in zip(filter(None, reports), range(REPORTS))]
    assert len(chosen) == REPORTS, len(chosen)
    return "\n".join(chosen)


# --- K types ---------------------------------------------------------------------------------------


def over(a, b):
    """a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape, np.float32), where=b != 0)


def integers(x, most):
    """Rounded, from 0 to `most`."""
    return np.clip(np.rint(x), 0, most).astype(np.uint8)


def half(x):
    """As f16: the bytes, and what they stand for."""
    stored = x.astype("<f2")
    return stored.view(np.uint8), stored.astype(np.float32)


def scales_and_minima(scale, minimum):
    """Eight pairs of six bits in twelve bytes."""
    low = scale[:, :4] | (scale[:, 4:] >> 4) << 6, minimum[:, :4] | (minimum[:, 4:] >> 4) << 6
    return np.hstack([*low, (scale[:, 4:] & 15) | (minimum[:, 4:] & 15) << 4])


def q4_q5(rows, bits):
    """Q4_K and Q5_K: value = d * scale * q - dmin * minimum, in sub-blocks of 32."""
    most = 2 ** bits - 1
    x = rows.reshape(-1, 8, 32)
    least = np.minimum(x.min(axis=2), 0)
    step = (x.max(axis=2) - least) / np.float32(most)
    d_bytes, d = half(step.max(axis=1, keepdims=True) / np.float32(63))
    m_bytes, m = half(-least.min(axis=1, keepdims=True) / np.float32(63))
    scale, minimum = integers(over(step, d), 63), integers(over(-least, m), 63)
    q = integers(over(x + (m * minimum)[:, :, None], (d * scale)[:, :, None]), most)
    nibbles = ((q[:, 0::2] & 15) | (q[:, 1::2] & 15) << 4).reshape(len(x), 128)
    parts = [d_bytes, m_bytes, scales_and_minima(scale, minimum)]
    if bits == 5:
        eighth = np.arange(8, dtype=np.uint8)[None, :, None]
        parts.append(np.bitwise_or.reduce((q >> 4) << eighth, axis=1))
    return np.hstack([*parts, nibbles])


def q6(rows):
    """Q6_K: value = d * scale * (q - 32), in sub-blocks of 16."""
    x = rows.reshape(-1, 16, 16)
    step = np.abs(x).max(axis=2) / np.float32(31)
    d_bytes, d = half(step.max(axis=1, keepdims=True) / np.float32(127))
    scale = integers(over(step, d), 127)
    q = integers(over(x, (d * scale)[:, :, None]) + np.float32(32), 63).reshape(-1, 2, 4, 32)
    low = (q[:, :, :2] & 15) | (q[:, :, 2:] & 15) << 4
    quarter = np.arange(0, 8, 2, dtype=np.uint8)[None, None, :, None]
    high = np.bitwise_or.reduce((q >> 4) << quarter, axis=2)
    return np.hstack([low.reshape(-1, 128), high.reshape(-1, 64), scale, d_bytes])


K_TYPES = {Type.Q4_K: lambda rows: q4_q5(rows, 4), Type.Q5_K: lambda rows: q4_q5(rows, 5), Type.Q6_K: q6}


def k_quantize(values, kind):
    """Rows of a K type, checked by reading them again."""
    found = K_TYPES[kind](values).reshape(len(values), -1)
    worst = np.abs(dequantize(found, kind) - values).max() / np.abs(values).max()
    assert worst < 0.2, (kind, worst)
    return found


# --- the files -------------------------------------------------------------------------------------


def chosen(kind, shape):
    """What a tensor of this shape is written as in a file of `kind`."""
    if len(shape) == 1:
        return Type.F32
    return Type.Q8_0 if kind in K_TYPES and shape[-1] % SUPER else kind


def rounded(values, kind):
    """The bytes, in rows."""
    found = k_quantize(values, kind) if kind in K_TYPES else quantize(values, kind)
    return np.ascontiguousarray(found).view(np.uint8)


def begin(reader, path, kind, file_type):
    """A writer that holds metadata and the list of tensors."""
    writer = GGUFWriter(path, "gemma3")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = int(file_type) if name == "general.file_type" else field.contents()
        array = field.types[0] == GGUFValueType.ARRAY
        writer.add_key_value(name, value, field.types[0], sub_type=field.types[-1] if array else None)
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        stored = chosen(kind, shape)
        wide = quant_shape_to_byte_shape(shape, stored)
        writer.add_tensor_info(tensor.name, wide, np.dtype(np.uint8), int(np.prod(wide)), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return writer


def write(gguf, out):
    """All files at once, so that each tensor is read once."""
    reader = GGUFReader(gguf)
    assert len(reader.tensors) == 236, len(reader.tensors)
    writers = {kind: begin(reader, out / f"gemma-3-270m-{name}.gguf", kind, file_type)
               for name, (kind, file_type) in FILES.items()}
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype="<f4").reshape(shape)
        done = {}
        for kind, writer in writers.items():
            stored = chosen(kind, shape)
            if stored not in done:
                done[stored] = rounded(values, stored)
            writer.write_tensor_data(done[stored])
    for writer in writers.values():
        writer.close()


def checksum(path):
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(gguf, archive, out):
    """See the module's text."""
    assert checksum(gguf) == SOURCE, f"{gguf} is another file"
    out.mkdir(parents=True, exist_ok=True)
    (out / "text.txt").write_text(text(archive), encoding="utf-8")
    write(gguf, out)
    golden = Path(__file__).with_name("quality_golden.json")
    expected = json.loads(golden.read_text())["sha256"] if golden.exists() else {}
    for path in sorted(out.glob("gemma-3-270m-*.gguf")) + [out / "text.txt"]:
        found = checksum(path)
        print(f"{found}  {path.name}")
        assert expected.get(path.name, found) == found, f"{path} is not what quality_golden.json names"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python3 quality_files.py GGUF REPORTS.tgz OUT_DIR")
    main(*map(Path, sys.argv[1:]))
