"""Small DICOM slides of every kind that is read, and what pydicom reads in them, put together tile by tile.

    python generate_dicom_slides.py

Needs what generate_slides.py does, and pydicom 3.0.2, pylibjpeg 2.1.0, pylibjpeg-openjpeg 2.6.0, pylibjpeg-libjpeg 2.5.0.
Writes slides/dicom/ and dicom_slides.safetensors beside itself.
"""

import imagecodecs
import numpy as np
import pydicom
import safetensors.numpy
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless,
                         VLWholeSlideMicroscopyImageStorage)

from generate_slides import HERE, TILE, halved, picture, tiles_of

assert pydicom.__version__ == "3.0.2"
FOLDER = HERE / "slides" / "dicom"


def part(**values):
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def slide(image, syntax, flavour="VOLUME", series="1.2.3.1", microns=0.5, columns=TILE, rows=TILE, **more):
    """A file without pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    found = Dataset()
    found.file_meta = meta
    found.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    found.SOPInstanceUID = "1.2.3.4"
    found.SeriesInstanceUID = series
    found.PatientName = "Nobody^Known"
    found.Modality = "SM"
    found.ImageType = ["DERIVED", "PRIMARY", flavour, "RESAMPLED"]
    found.TotalPixelMatrixColumns, found.TotalPixelMatrixRows = image.shape[1], image.shape[0]
    found.Columns, found.Rows = columns, rows
    found.SamplesPerPixel = image.shape[2] if image.ndim == 3 else 1
    found.PhotometricInterpretation = "RGB" if image.ndim == 3 else "MONOCHROME2"
    if image.ndim == 3:
        found.PlanarConfiguration = 0
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation = 7, 0
    found.DimensionOrganizationType = "TILED_FULL"
    # Rows first, and apart: a reader that takes one of them for both is found out.
    spacing = part(PixelSpacing=[microns / 1000 * 0.98, microns / 1000 * 1.02])
    found.SharedFunctionalGroupsSequence = Sequence([part(PixelMeasuresSequence=Sequence([spacing]))])
    found.OpticalPathSequence = Sequence([part(ObjectiveLensPower=20.0, OpticalPathIdentifier="1")])
    for name, value in more.items():
        setattr(found, name, value)
    return found


def places(corners):
    """Functional groups of frames at these corners, which count from 1 in the file."""
    found = [part(ColumnPositionInTotalImagePixelMatrix=x + 1, RowPositionInTotalImagePixelMatrix=y + 1) for x, y in corners]
    return Sequence([part(PlanePositionSlideSequence=Sequence([place])) for place in found])


def native(found, frames, name):
    found.NumberOfFrames = len(frames)
    data = b"".join(frame.tobytes() for frame in frames)
    found.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    found.save_as(FOLDER / name, enforce_file_format=True)


def cut(image, columns, rows):
    """Tiles that are not square, row by row."""
    h, w = image.shape[:2]
    image = np.pad(image, ((0, -h % rows), (0, -w % columns)) + ((0, 0),) * (image.ndim - 2), mode="edge")
    return [image[y : y + rows, x : x + columns] for y in range(0, image.shape[0], rows) for x in range(0, image.shape[1], columns)]


def halves(data):
    """Two fragments, of even lengths."""
    middle = len(data) // 4 * 2
    return [data[:middle], data[middle:] + b"\0" * ((len(data) - middle) % 2)]


def put_together(name):
    """pydicom's frames in their places, white where there is none, and which places are taken."""
    found = pydicom.dcmread(FOLDER / name)
    frames = found.pixel_array
    if frames.ndim == (2 if found.SamplesPerPixel == 1 else 3):
        frames = frames[None]
    if found.SamplesPerPixel == 1:
        frames = np.repeat(frames[..., None], 3, axis=-1)
    height, width = found.TotalPixelMatrixRows, found.TotalPixelMatrixColumns
    across, down = -(-width // found.Columns), -(-height // found.Rows)
    whole = np.full((down * found.Rows, across * found.Columns, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        if found.get("DimensionOrganizationType") == "TILED_FULL":
            x, y = index % across * found.Columns, index // across * found.Rows
        else:
            place = found.PerFrameFunctionalGroupsSequence[index].PlanePositionSlideSequence[0]
            x, y = place.ColumnPositionInTotalImagePixelMatrix - 1, place.RowPositionInTotalImagePixelMatrix - 1
        whole[y : y + found.Rows, x : x + found.Columns] = frame
    return np.ascontiguousarray(whole[:height, :width])


def main():
    (FOLDER / "series").mkdir(parents=True, exist_ok=True)
    (FOLDER / "two").mkdir(exist_ok=True)
    fine = picture(110, 150)
    coarse, small = halved(fine), picture(50, 70, 3)

    # A series: files named so that order by name is no order by size.
    native(slide(fine, ExplicitVRLittleEndian), tiles_of(fine), "series/b.dcm")
    found = slide(coarse, RLELossless, microns=1.0)
    rle = [pydicom.pixels.encoders.RLELosslessEncoder.encode(tile, rows=TILE, columns=TILE, samples_per_pixel=3, bits_allocated=8,
               bits_stored=8, pixel_representation=0, number_of_frames=1, photometric_interpretation="RGB", planar_configuration=0)
           for tile in map(np.ascontiguousarray, tiles_of(coarse))]
    found.NumberOfFrames = len(rle)
    found.PixelData = encapsulate(rle, has_bot=True)
    found["PixelData"].VR = "OB"
    found.save_as(FOLDER / "series/a.dcm", enforce_file_format=True)
    for name, flavour in [("c", "LABEL"), ("d", "OVERVIEW"), ("e", "THUMBNAIL")]:
        shown = picture(20, 30, 1)
        native(slide(shown, ExplicitVRLittleEndian, flavour, columns=30, rows=20), [shown], f"series/{name}.dcm")
    (FOLDER / "series/notes.txt").write_text("Another program's file.\n")

    # Two series in one folder.
    for series in "12":
        tiny = picture(8, 8, int(series))
        native(slide(tiny, ExplicitVRLittleEndian, series=f"1.2.3.{series}", columns=8, rows=8), [tiny], f"two/{series}.dcm")

    # Sparse: shuffled, two places empty, tiles that are not square, two fragments a frame, a basic offset table.
    tiles = cut(small, 32, 16)
    packed = [bytes(imagecodecs.jpeg2k_encode(tile, level=0, codecformat="j2k", mct=True)) for tile in tiles]
    order = [int(i) for i in np.random.default_rng(5).permutation(len(tiles)) if i not in (1, 6)]
    found = slide(small, JPEG2000Lossless, rows=16, DimensionOrganizationType="TILED_SPARSE", NumberOfFrames=len(order))
    found.PerFrameFunctionalGroupsSequence = places([(i % 3 * 32, i // 3 * 16) for i in order])
    found.PhotometricInterpretation = "YBR_RCT"
    found.PixelData = encapsulate([packed[i] for i in order], fragments_per_frame=2, has_bot=True)
    found["PixelData"].VR = "OB"
    found.save_as(FOLDER / "sparse_jpeg2000.dcm", enforce_file_format=True)

    # An extended offset table, and two fragments a frame, which the standard no longer allows beside it: pydicom takes
    # the mark between them for pixels, so that the picture itself is the golden.
    found = slide(small, JPEG2000Lossless, rows=16, NumberOfFrames=len(tiles), PhotometricInterpretation="YBR_RCT")
    offsets, items = [], []
    for data in packed:
        offsets.append(sum(8 + len(item) for item in items))
        items += halves(data)
    found.ExtendedOffsetTable = np.array(offsets, "<u8").tobytes()
    found.ExtendedOffsetTableLengths = np.array([len(data) for data in packed], "<u8").tobytes()
    found.PixelData = encapsulate(items, has_bot=False)
    found["PixelData"].VR = "OB"
    found.save_as(FOLDER / "extended_table.dcm", enforce_file_format=True)

    # JPEG at 4:2:2, no table.
    found = slide(small, JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422", NumberOfFrames=6)
    packed = [bytes(imagecodecs.jpeg_encode(tile, level=85, colorspace="RGB", outcolorspace="YCBCR", subsampling="422"))
              for tile in map(np.ascontiguousarray, tiles_of(small))]
    found.PixelData = encapsulate(packed, has_bot=False)
    found["PixelData"].VR = "OB"
    found.save_as(FOLDER / "jpeg_no_table.dcm", enforce_file_format=True)

    # Grey, white is low, implicit, and no type of organization: places are given.
    grey = np.ascontiguousarray(small[..., 1])
    found = slide(grey, ImplicitVRLittleEndian, PhotometricInterpretation="MONOCHROME1")
    del found.DimensionOrganizationType
    found.PerFrameFunctionalGroupsSequence = places([(i % 3 * TILE, i // 3 * TILE) for i in range(6)])
    native(found, tiles_of(grey), "grey_implicit.dcm")

    # A plane for each colour, luminance and differences.
    found = slide(small, ExplicitVRLittleEndian, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=1)
    native(found, [np.ascontiguousarray(tile.transpose(2, 0, 1)) for tile in tiles_of(small)], "planes.dcm")

    names = ["series/a", "series/b", "sparse_jpeg2000", "jpeg_no_table", "grey_implicit", "planes"]
    goldens = {name: put_together(f"{name}.dcm") for name in names}
    assert np.array_equal(goldens["series/b"], fine) and np.array_equal(goldens["series/a"], coarse)
    goldens["grey_implicit"] = 255 - goldens["grey_implicit"]
    goldens["extended_table"] = small
    safetensors.numpy.save_file(goldens, HERE / "dicom_slides.safetensors")


if __name__ == "__main__":
    main()
