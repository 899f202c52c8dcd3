"""Goldens of the recipes, by the published code's arithmetic in numpy.

Written anew after the sources that src/recipe.rs names, with the same operations in the same order and types; the
faults that are not to be copied are left out, but for the green window of the serving code, which is a preset.

    python generate_recipes.py

Needs numpy 2.4.6 and safetensors 0.8.0. Writes recipes.safetensors beside itself.
"""

import pathlib

import numpy as np
import safetensors.numpy

assert np.__version__ == "2.4.6", np.__version__


def norm(values, low, high):
    """The CT notebook's `norm`, and its rounding."""
    values = np.clip(values, low, high).astype(np.float32)
    values -= low
    values /= high - low
    values *= 255.0
    return np.round(values, 0).astype(np.uint8)


def interpolated(values, center, width):
    """The serving code's `TraditionalWindow` for bytes."""
    half = width // 2
    low, high = center - half, center + half
    return np.round(np.interp(values.clip(low, high), (low, high), (0, 255)), 0).astype(np.uint8)


def sampled(count, most=85):
    """The CT notebook's slices."""
    if count <= most:
        return list(range(count))
    return [int(round(i / most * (count - 1))) for i in range(1, most + 1)]


def magnetic_resonance(volume):
    """The serving code's `_process_buffered_mri_volume`, the difference in f64."""
    least = float(np.min(volume))
    span = float(np.max(volume)) - least
    volume = volume.astype(np.float64)
    if span == 0:
        return np.full(volume.shape, 255, np.uint8)
    return np.round((volume - least) / span * 255, 0).astype(np.uint8)


def padded(image):
    """The serving code's `_zero_pad_image_to_square`."""
    height, width = image.shape
    d = abs(height - width)
    if height < width:
        return np.pad(image, ((d // 2, d - d // 2), (0, 0)))
    return np.pad(image, ((0, 0), (d // 2, d - d // 2)))


def radiograph(values, window, inverted):
    """`_norm_cxr_imaging` and `_encode_image_bytes`: of integers, without a modality LUT."""
    if window is not None:
        image = interpolated(values, *window)
    else:
        wide = (values - values.min()).astype(np.uint16)
        image = np.interp(wide, (wide.min(), wide.max()), (0, 65535)).astype(np.uint16)
    if inverted:
        image = np.iinfo(image.dtype).max - image
    if image.dtype != np.uint8:
        image = np.round(image.astype(np.float64) / (65535 / 255), 0).astype(np.uint8)
    return padded(image)


def main():
    rng = np.random.default_rng(20261126)
    found = {}
    # Every half unit: ties of all windows are among them.
    units = np.arange(-1400, 1400, 0.5)
    found["units"] = units.astype(np.float32)
    windows = {
        "medgemma-1.5": [(-1024, 1024), (-135, 215), (0, 80)],
        "report": [(-100 - 1125, -100 + 1125), (40 - 175, 40 + 175), (40 - 40, 40 + 40)],
    }
    for name, channels in windows.items():
        found[f"ct.{name}"] = np.stack([norm(units, *channel) for channel in channels], axis=-1)
    whole = np.round(units, 0)
    served = [(0, 2048), (175, 80), (40, 80)]
    found["ct.serving-as-written"] = np.stack([interpolated(whole, *w) for w in served], axis=-1)

    counts = np.concatenate([np.arange(1, 131), [171, 200, 256, 300, 341, 512, 1000, 4095]])
    chosen = np.full((len(counts), 85), -1, np.int32)
    for row, count in zip(chosen, counts):
        slices = sampled(int(count))
        row[: len(slices)] = slices
    found["sampler.counts"], found["sampler.slices"] = counts.astype(np.int32), chosen

    volume = rng.integers(-20000, 20001, (3, 7, 5)).astype(np.float32)
    volume[0, 0, 0], volume[2, 6, 4] = -20000, 20000  # more than 16 bits apart
    small = (rng.integers(0, 52, (2, 4, 4)) * 10).astype(np.float32)
    small[0, 0, 0], small[1, 3, 3] = 0, 510  # ties: every odd ten
    for name, data in {"wide": volume, "ties": small, "constant": np.full((2, 3, 3), 7, np.float32)}.items():
        found[f"mr.{name}"] = data
        found[f"mr.{name}.bytes"] = magnetic_resonance(data)

    plane = rng.integers(0, 4096, (9, 14)).astype(np.int32)
    tall = rng.integers(-500, 3000, (11, 6)).astype(np.int32)
    cases = {
        "window": (plane, (2048, 4096), False),
        "narrow": (plane, (1500, 401), False),  # an odd width loses its half
        "inverted": (plane, (2000, 1000), True),
        "range": (plane, None, False),
        "range-inverted": (tall, None, True),
        "tall": (tall, (1000, 2500), True),
    }
    for name, (values, window, inverted) in cases.items():
        found[f"xray.{name}.values"] = values.astype(np.float32)
        found[f"xray.{name}.window"] = np.array(window or [], np.float32)
        found[f"xray.{name}.inverted"] = np.array([inverted], np.uint8)
        found[f"xray.{name}.bytes"] = radiograph(values, window, inverted)
    safetensors.numpy.save_file(found, pathlib.Path(__file__).with_name("recipes.safetensors"))


if __name__ == "__main__":
    main()
