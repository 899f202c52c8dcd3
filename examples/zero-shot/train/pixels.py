"""Pictures as MedSigLIP's evaluations shrink them, beside the antialiased way of the report example."""

import numpy as np
from PIL import Image

from report_train import SIZE


def axis(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper neighbour of each of SIZE output positions along an axis, and the way between them."""
    place = (np.arange(SIZE, dtype=np.float32) + np.float32(0.5)) * np.float32(size / SIZE) - np.float32(0.5)
    floor = np.floor(place)
    lower = np.clip(floor, 0, size - 1).astype(int)
    upper = np.clip(np.ceil(place), 0, size - 1).astype(int)
    return lower, upper, place - floor


def tf_bilinear(image: Image.Image) -> np.ndarray:
    """[3, SIZE, SIZE] f32 in [-1, 1]: `tf.image.resize(bilinear, antialias=False)` cut off to u8, normalised.

    Two neighbours along each axis and no more, so that a large picture loses what lies between them.
    The default of `medgemma` for SigLIP directories.
    """
    values = np.asarray(image.convert("RGB"), np.float32)
    top, bottom, down = axis(values.shape[0])
    left, right, across = axis(values.shape[1])
    across = across[None, :, None]
    rows = [values[y][:, left] + (values[y][:, right] - values[y][:, left]) * across for y in (top, bottom)]
    mixed = rows[0] + (rows[1] - rows[0]) * down[:, None, None]
    whole = np.clip(mixed, 0, 255).astype(np.uint8).astype(np.float32)
    return ((whole * np.float32(1 / 255) - 0.5) / 0.5).transpose(2, 0, 1)
