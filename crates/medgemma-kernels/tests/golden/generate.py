"""Goldens of the block formats: random blocks and their values by the `gguf` package (0.19.0).

    python generate.py        # needs gguf 0.19.0 and numpy 2.4.6; writes one file for each format here

A file holds the little-endian bytes of BLOCKS blocks, then their values as f32. The scales are
random finite f16 of everyday size, everything else is random bits.
"""

import importlib.metadata
import pathlib

import gguf
import numpy as np

# gguf has no version of its own to ask.
assert importlib.metadata.version("gguf") == "0.19.0", importlib.metadata.version("gguf")
assert np.__version__ == "2.4.6", np.__version__

BLOCKS = {32: 96, 256: 24}  # by numbers of a block
# Byte offsets of the f16 in a block of each format.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}

rng = np.random.default_rng(20261124)
for name, offsets in SCALES.items():
    kind = gguf.GGMLQuantizationType[name]
    length, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (BLOCKS[length], size), dtype=np.uint8)
    for offset in offsets:
        scale = rng.normal(0, 0.02, (BLOCKS[length], 1)).astype("<f2")
        blocks[:, offset : offset + 2] = scale.view(np.uint8)
    values = gguf.quants.dequantize(blocks, kind).astype("<f4")
    assert np.isfinite(values).all()
    path = pathlib.Path(__file__).with_name(name.lower() + ".bin")
    path.write_bytes(blocks.tobytes() + values.tobytes())
