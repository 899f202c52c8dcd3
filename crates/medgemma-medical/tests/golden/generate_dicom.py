"""Makes the expected values of the DICOM tests with pydicom itself.

    python generate_dicom.py FOLDER…

FOLDER holds *.dcm files: those of the wheels pydicom-data 1.0.0 and pydicom 3.0.2 (`.ci/fetch-medical` fetches both).
Needs exactly the versions asserted below. For each file: the shape, the CRC-32 of the raw array (little-endian 32-bit
words) of its first and last frame, and of the RGB array of colours; values at fixed places after each step. The result
is the same on every run.
"""

import importlib.metadata
import json
import pathlib
import sys
import warnings
import zlib

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

for package, version in {
    "pydicom": "3.0.2",
    "pylibjpeg": "2.1.0",
    "pylibjpeg-libjpeg": "2.5.0",
    "pylibjpeg-openjpeg": "2.6.0",
    "pylibjpeg-rle": "2.2.0",
    "pyjpegls": "1.5.1",
}.items():
    assert importlib.metadata.version(package) == version, (package, importlib.metadata.version(package))

warnings.simplefilter("ignore")
PLACES = 24


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).astype(np.int64).astype("<u4").tobytes())


def sampled(array):
    flat = array.reshape(-1)
    return [flat[(i * 7919 + 13) % flat.size].item() for i in range(PLACES)]


def summary(array):
    flat = array.astype(np.float64).reshape(-1)
    return {"min": flat.min(), "max": flat.max(), "mean": float(flat.mean()), "at": sampled(array)}


def frame(ds, index, colour):
    raw = pixel_array(ds, raw=True, index=index)
    out = {"index": index, "crc": crc(raw), **summary(raw)}
    if colour:
        rgb = pixel_array(ds, raw=False, index=index)
        out["rgb"] = {"crc": crc(rgb), "at": sampled(rgb)}
    elif ds.PhotometricInterpretation.startswith("MONOCHROME"):
        grey = apply_modality_lut(raw, ds)
        out["modality"] = summary(grey)
        out["voi"] = summary(apply_voi_lut(grey, ds))
    else:
        rgb = pydicom.pixels.apply_color_lut(raw, ds)
        out["palette"] = {"crc": crc(rgb), "at": sampled(rgb)}
    return out


def describe(path):
    try:
        ds = pydicom.dcmread(path, force=True)
        if "PixelData" not in ds:
            return {"pixels": False}
        if "TransferSyntaxUID" not in ds.file_meta:
            # What this crate guesses too.
            ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" + ("" if ds.original_encoding[0] else ".1")
        samples = int(ds.SamplesPerPixel)
        array = pixel_array(ds, raw=True)
    except Exception as error:
        return {"error": type(error).__name__}
    shape = list(array.shape)
    frames = shape.pop(0) if len(shape) == (4 if samples > 1 else 3) else 1
    return {
        "pixels": True,
        "syntax": str(ds.file_meta.TransferSyntaxUID),
        "frames": frames,
        "shape": shape[:2] + [samples],
        "signed": bool(ds.PixelRepresentation),
        "photometric": ds.PhotometricInterpretation,
        "at": [frame(ds, i, samples > 1) for i in sorted({0, frames - 1})],
    }


def main(folders):
    files = sorted((p for folder in folders for p in pathlib.Path(folder).glob("*.dcm")), key=lambda p: p.name)
    lines = [f"{json.dumps(p.name)}: {json.dumps(describe(p), separators=(',', ':'))}" for p in files]
    target = pathlib.Path(__file__).parent / "dicom.json"
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(files), "files,", target.stat().st_size, "bytes")


main(sys.argv[1:])
