"""Makes the expected values of `Resizer::TfBilinear` with TensorFlow itself, from the pictures in `files/`.

    CUDA_VISIBLE_DEVICES= python generate_tf.py

A program of its own because TensorFlow (1.6 GB installed) shares no environment with the references of `generate.py`,
which draws the pictures and has to run first. `generate_siglip.py` then takes these values through the processor.
Nothing is drawn here; the files are the same on every run.
"""

import json
import pathlib

import numpy as np
import PIL
import tensorflow as tf
from PIL import Image
from safetensors.numpy import save_file

assert tf.__version__ == "2.21.0", tf.__version__
assert PIL.__version__ == "13.0.0", PIL.__version__

HERE = pathlib.Path(__file__).parent

SIZES = {
    "noise_37x53": [(28, 28), (64, 64), (56, 28), (53, 36), (1, 1)],
    "noise_90x71": [(28, 28), (56, 56), (13, 90), (71, 17)],
    "ramp_101x67": [(28, 28), (64, 56), (28, 64), (67, 101), (66, 100)],
    "checks_33x47": [(28, 28), (56, 64), (9, 5)],
    "column_1x40": [(28, 28), (56, 1), (7, 3)],
    "row_40x1": [(28, 28), (1, 56), (3, 7)],
    "strip_300x3": [(28, 28), (56, 7)],
    "tower_5x211": [(28, 28), (14, 64)],
    "fits_28x61": [(28, 28)],
    "fits_28x28": [(28, 28)],
    "pixel_1x1": [(28, 28), (1, 1)],
}


def medsiglip_resize(a, h, w):
    """`resize` of MedSigLIP's model card and quick start: stretched without antialiasing, then cut off to 8 bits."""
    stretched = tf.image.resize(images=a, size=[h, w], method="bilinear", antialias=False)
    return stretched.numpy().astype(np.uint8)


def hashed(width, height):
    """As in `generate.py`."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    planes = []
    for c in range(3):
        v = x * np.uint32(2654435761) + y * np.uint32(40503) + np.uint32(c * 97)
        v ^= v >> np.uint32(15)
        v = v * np.uint32(2246822519)
        planes.append(((v >> np.uint32(24)) // 4 + (x // 9 + y // 7) % 192).astype(np.uint8))
    return np.stack(planes, -1)


def fnv(data):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def main():
    out, rounded = {}, 0
    for name, wanted in SIZES.items():
        a = np.array(Image.open(HERE / "files" / f"{name}.png").convert("RGB"))
        for h, w in wanted:
            out[f"{name}/{h}x{w}/tf"] = medsiglip_resize(a, h, w)
            exact = tf.image.resize(a, [h, w], method="bilinear", antialias=False).numpy()
            rounded += not np.array_equal(np.rint(exact).astype(np.uint8), out[f"{name}/{h}x{w}/tf"])
    assert rounded > 20, "rounding has to show"
    save_file(out, HERE / "resize_tf.safetensors")
    large, small = hashed(1955, 1841), hashed(300, 211)
    sums = {"input": fnv(large.tobytes())}
    sums["tf_u8"] = fnv(medsiglip_resize(large, 448, 448).tobytes())
    sums["tf_enlarged_u8"] = fnv(medsiglip_resize(small, 448, 448).tobytes())
    (HERE / "large_tf.json").write_text(json.dumps(sums, indent=1) + "\n")


if __name__ == "__main__":
    main()
