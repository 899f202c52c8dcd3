"""Makes the expected values of the NIfTI tests with nibabel itself.

    python generate_nifti.py FOLDER

FOLDER holds the files below, of the wheel nibabel 5.4.2 (`.ci/fetch-medical`). The result is the same on every run.
"""

import json
import pathlib
import sys

import nibabel
import numpy as np

assert nibabel.__version__ == "5.4.2", nibabel.__version__
folder = pathlib.Path(sys.argv[1])
out = {}
for name in ("example4d.nii.gz", "example_nifti2.nii.gz", "anatomical.nii"):
    image = nibabel.load(folder / name)
    data = image.get_fdata()
    data = data.reshape(data.shape[:3] + (-1,))
    rng = np.random.default_rng(5)
    places = [[int(rng.integers(n)) for n in data.shape] for _ in range(40)]
    out[name] = {
        "shape": list(data.shape),
        "affine": image.affine[:3].tolist(),
        "at": [place + [float(data[tuple(place)])] for place in places],
    }
target = pathlib.Path(__file__).parent / "nifti.json"
target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
