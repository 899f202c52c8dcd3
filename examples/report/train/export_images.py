"""Write the few pictures that are kept in the repository, and what is expected of each.

Usage: python export_images.py --build build --out ../images     (after pictures.py)

`held-out/` holds pictures of the held-out split only. `chest.png` is the whole
chest radiograph, the left half of which (the patient's right) was trained on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread

from pictures import DATA, grey
from sentences import KINDS

# file in the repository: kind, picture of the held-out split, longest side
CHOSEN = {
    "chest-right-half.png": ("chest_xray", "rg1-8000-27000-right", 384),
    "leg-right-half-mirrored.png": ("leg_xray", "rg3-right-mirrored", 384),
    "head-ct-right-half-mirrored.png": ("head_ct", "j2k-40-100-right-mirrored", 384),
    "abdomen-ct-right-half-mirrored.png": ("abdomen_ct", "pancreas-50-600-right-mirrored", 375),
    "spine-ct-right-half-mirrored.png": ("spine_ct", "ct-small-40-400-right-mirrored", 128),
    "abdomen-mr-right-half-mirrored.png": ("abdomen_mr", "siemens-845-right-mirrored", 384),
    "brain-axial.png": ("brain_mr", "example4d-17", 128),
    "brain-coronal.png": ("brain_mr", "mni-coronal-130", 233),
    "brain-sagittal.png": ("brain_mr", "mni-sagittal-097", 233),
    "heart-ultrasound.png": ("heart_us", "sonosite-108", 384),
    "heart-doppler.png": ("heart_doppler", "philips-26", 320),
    "pelvis-ultrasound.png": ("pelvis_us", "aloka-right", 384),
    "fundus-right-half-mirrored.png": ("fundus", "retina-right-mirrored", 320),
    "colon-immunohistochemistry.png": ("ihc", "ihc-right-150", 212),
    "skin-histology.png": ("histology", "cmu-1900-900", 200),
    "rocket.png": ("not_medical", "rocket", 240),
    "coins.png": ("not_medical", "coins", 300),
}


def chest(build: Path) -> Image.Image:
    """The whole chest radiograph, 700 pixels high."""
    values = dcmread(build / "raw" / f"{DATA}/RG1_UNCR.dcm").pixel_array.astype(np.float64)
    picture = Image.fromarray(grey(30000 - np.clip(values, 0, 30000), 8000, 27000))
    picture.thumbnail((700, 700), Image.Resampling.LANCZOS)
    return picture


def expectation(label: str) -> dict:
    """The key phrase of a kind and its whole answer."""
    return {"contains": [KINDS[label].key, "not MedGemma"], "answer": KINDS[label].report}


def main() -> None:
    """Write the pictures and expected.json."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", type=Path, default=Path("build"))
    arguments.add_argument("--out", type=Path, default=Path("../images"))
    given = arguments.parse_args()
    target = given.out / "held-out"
    target.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (label, stem, longest) in CHOSEN.items():
        picture = Image.open(given.build / "pictures" / "heldout" / label / f"{stem}.png")
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        picture.save(target / name, optimize=True)
        expected[name] = expectation(label)
        print(f"{name}: {picture.size}, {(target / name).stat().st_size} bytes")
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    chest(given.build).save(given.out / "chest.png", optimize=True)
    print(f"chest.png: {(given.out / 'chest.png').stat().st_size} bytes")


if __name__ == "__main__":
    main()
