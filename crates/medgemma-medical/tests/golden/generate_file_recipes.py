"""Goldens of recipes from files: pydicom and nibabel read, generate_recipes.py's functions prepare.

    python generate_file_recipes.py FOLDER

FOLDER is what .ci/fetch-medical filled. Needs numpy 2.4.6, pydicom 3.0.2, pylibjpeg 2.1.0 with
pylibjpeg-openjpeg 2.6.0 and pylibjpeg-rle 2.2.0, nibabel 5.4.2 and safetensors 0.8.0. Writes file_recipes.json beside itself: of each picture size, CRC-32 of its bytes and 24 of them.
"""

import json
import pathlib
import sys
import zlib

import nibabel
import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

import generate_recipes as published

HERE = pathlib.Path(__file__).parent
assert (pydicom.__version__, nibabel.__version__) == ("3.0.2", "5.4.2")


def told(picture):
    """Of `[height, width, 3]`: its size, CRC and 24 bytes."""
    data = np.ascontiguousarray(picture, np.uint8)
    flat = data.reshape(-1)
    at = [int(flat[(i * 7919 + 13) % flat.size]) for i in range(24)]
    return {"size": list(data.shape[:2]), "crc": zlib.crc32(data.tobytes()), "at": at}


def grey(picture):
    return np.repeat(picture[..., None], 3, axis=-1)


def first(value):
    return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)


def radiograph(path):
    """The serving code's `_norm_cxr_imaging`, but for its cast back to the stored type; a VOI LUT, which it ignores."""
    file = pydicom.dcmread(path)
    stored = file.pixel_array
    values = np.asarray(apply_modality_lut(stored, file), np.float64)
    inverted = file.PhotometricInterpretation == "MONOCHROME1"
    if "WindowCenter" in file:
        image = published.interpolated(values, first(file.WindowCenter), first(file.WindowWidth))
    elif "VOILUTSequence" in file:
        bits = file.VOILUTSequence[0].LUTDescriptor[2]
        image = np.round(apply_voi_lut(values.astype(np.int64), file) / (2**bits - 1) * 255).astype(np.uint8)
    elif stored.dtype == np.uint8:
        image = values.astype(np.uint8)
    else:
        wide = np.interp(values, (values.min(), values.max()), (0, 65535)).astype(np.uint16)
        wide = 65535 - wide if inverted else wide
        return told(grey(published.padded(np.round(wide / 257).astype(np.uint8))))
    return told(grey(published.padded(255 - image if inverted else image)))


def photograph(path, index=0):
    """pydicom's red, green and blue, in 8 bits."""
    file = pydicom.dcmread(path)
    if file.PhotometricInterpretation == "PALETTE COLOR":
        rgb = apply_color_lut(pixel_array(file, index=index), file)
        most = 2 ** int(file.RedPaletteColorLookupTableDescriptor[2]) - 1
    else:
        rgb = pixel_array(file, index=index)
        most = 2 ** int(file.BitsStored) - 1
    rgb = np.round(rgb / most * 255).astype(np.uint8)
    return told(np.stack([published.padded(rgb[..., c]) for c in range(3)], axis=-1))


def stack(paths, acquisition):
    """Values and heights of one acquisition, from the feet up. Axial slices."""
    files = [pydicom.dcmread(path) for path in paths]
    files = [file for file in files if file.AcquisitionNumber == acquisition]
    files.sort(key=lambda file: file.ImagePositionPatient[2])
    return [np.asarray(apply_modality_lut(file.pixel_array, file), np.float64) for file in files]


def enhanced(path):
    """An enhanced CT whose columns run to the right: turned, from the feet up."""
    file = pydicom.dcmread(path)
    shared = file.SharedFunctionalGroupsSequence[0]
    scale = shared.PixelValueTransformationSequence[0]
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == [-1, 0, 0, 0, 1, 0]
    frames = zip(file.PerFrameFunctionalGroupsSequence, file.pixel_array, strict=True)
    frames = sorted(frames, key=lambda frame: frame[0].PlanePositionSequence[0].ImagePositionPatient[2])
    return [frame[:, ::-1] * float(scale.RescaleSlope) + float(scale.RescaleIntercept) for _, frame in frames]


def axial(path):
    """The first volume of a NIfTI file: columns to the left, rows to the back, planes to the head."""
    image = nibabel.load(path)
    image = image.slicer[..., 0] if image.ndim == 4 else image
    turned = nibabel.orientations.io_orientation(image.affine)
    wanted = nibabel.orientations.axcodes2ornt("LPS")
    data = nibabel.orientations.apply_orientation(
        np.asarray(image.get_fdata()), nibabel.orientations.ornt_transform(turned, wanted)
    )
    return np.transpose(data, (2, 1, 0))


def ct(slices):
    windows = [(-1024, 1024), (-135, 215), (0, 80)]
    shown = [slices[i] for i in published.sampled(len(slices))]
    rgb = [np.stack([published.norm(s, *w) for w in windows], axis=-1) for s in shown]
    return [told(np.stack([published.padded(p[..., c]) for c in range(3)], axis=-1)) for p in rgb]


def mr(slices):
    grey_slices = published.magnetic_resonance(np.stack(slices).astype(np.float32))
    shown = [grey_slices[i] for i in published.sampled(len(slices))]
    return [told(grey(published.padded(s))) for s in shown]


def main():
    fetched, small = pathlib.Path(sys.argv[1]), HERE.parent / "fixtures"
    series = small / "series"
    found = {"xray": {}, "photo": {}, "ct": {}, "mr": {}}
    for path in [series / "cr/6154", small / "image_dfl.dcm"]:
        found["xray"][str(path.relative_to(small))] = radiograph(path)
    for name in ["RG1_UNCR.dcm", "RG3_UNCR.dcm", "mlut_18.dcm", "vlut_04.dcm"]:
        found["xray"][name] = radiograph(fetched / "dicom" / name)
    for name in ["SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", "SC_rgb_rle_32bit.dcm"]:
        found["photo"][name] = photograph(small / name)
    found["photo"]["SC_rgb_rle_16bit_2frame.dcm"] = photograph(small / "SC_rgb_rle_16bit_2frame.dcm", 1)
    # Of ultrasound and secondary captures; the first five are wider than high.
    for name in [
        "dicom/US1_J2KR.dcm",
        "dicom/OBXXXX1A_rle_2frame.dcm",
        "dicom/gdcm-US-ALOKA-16.dcm",
        "dicom/color-pl.dcm",
        "dicom-small/examples_palette.dcm",
        "dicom-small/SC_ybr_full_422_uncompressed.dcm",
        "dicom-small/GDCMJ2K_TextGBR.dcm",
    ]:
        path = fetched / name
        found["photo"][path.name] = photograph(path)
    for name, acquisition in [("ct", 45), ("ct-two-acquisitions", 2)]:
        found["ct"][name] = ct(stack((series / name).iterdir(), acquisition))
    found["ct"]["693_UNCR.dcm"] = ct(stack([fetched / "dicom/693_UNCR.dcm"], 6))
    found["ct"]["eCT_Supplemental.dcm"] = ct(enhanced(fetched / "dicom/eCT_Supplemental.dcm"))
    found["mr"]["mr/4981"] = mr(stack([series / "mr/4981"], 5))
    sagittal = pydicom.dcmread(series / "mr/5011")
    found["mr"]["mr/5011"] = mr([sagittal.pixel_array])
    for name in ["anatomical.nii", "example4d.nii.gz"]:
        found["mr"][name] = mr(axial(fetched / "nifti" / name))
        # No CT is among them; the arithmetic is the same.
        found["ct"][name] = ct(axial(fetched / "nifti" / name))
    (HERE / "file_recipes.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
