"""Makes the expected values of SigLIP's image processing with the references themselves.

    OMP_NUM_THREADS=1 python generate_siglip.py

Takes the pictures of `generate.py` and the resizes of `generate_tf.py`, which run first. Writes bicubic resizes of Pillow and
torchvision, and pixel values of the whole processor: of both backends of `transformers`, and of MedSigLIP's recipe
(TensorFlow's resize, cut off to 8 bits, then `SiglipImageProcessorPil`). Every pixel value of the backends is also held
against `hf-processors-rs`, an independent port. Nothing is drawn; the files are the same on every run.
"""

import json
import pathlib
import tempfile

import hf_processors_rs
import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image
from safetensors.numpy import load_file, save_file
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvF
from transformers import SiglipImageProcessor, SiglipImageProcessorPil

assert transformers.__version__ == "5.23.0", transformers.__version__
assert PIL.__version__ == "13.0.0", PIL.__version__
assert torch.__version__.startswith("2.15.0"), torch.__version__
assert torchvision.__version__.startswith("0.29.2"), torchvision.__version__
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")

HERE = pathlib.Path(__file__).parent
BACKENDS = [("pil", SiglipImageProcessorPil), ("torchvision", SiglipImageProcessor)]
BILINEAR, BICUBIC = 2, 3

SIZES = {
    "noise_37x53": [(28, 28), (64, 64), (53, 36)],
    "noise_90x71": [(28, 28), (13, 90), (71, 17)],
    "ramp_101x67": [(28, 28), (28, 64), (66, 100)],
    "checks_33x47": [(28, 28), (56, 64), (9, 5)],
    "column_1x40": [(28, 28), (7, 3)],
    "row_40x1": [(28, 28), (3, 7)],
    "strip_300x3": [(28, 28), (56, 7)],
    "tower_5x211": [(28, 28), (14, 64)],
    "fits_28x61": [(28, 28)],
    "pixel_1x1": [(28, 28)],
    "edge_38x48": [(28, 28)],
}


def picture(name):
    return np.array(Image.open(HERE / "files" / f"{name}.png").convert("RGB"))


def pil_bicubic(a, h, w):
    return np.asarray(Image.fromarray(a).resize((w, h), Image.Resampling.BICUBIC))


def torchvision_bicubic(a, h, w):
    t = torch.from_numpy(a.copy()).permute(2, 0, 1).contiguous()
    out = tvF.resize(t, [h, w], interpolation=InterpolationMode.BICUBIC, antialias=True)
    return out.permute(1, 2, 0).contiguous().numpy()


def resizes():
    out = {"pil": {}, "torchvision": {}}
    different = 0
    for name, wanted in SIZES.items():
        for h, w in wanted:
            a, key = picture(name), f"{name}/{h}x{w}"
            out["pil"][f"{key}/pil"] = np.ascontiguousarray(pil_bicubic(a, h, w))
            try:
                out["torchvision"][f"{key}/torchvision"] = np.ascontiguousarray(torchvision_bicubic(a, h, w))
            except RuntimeError as fault:  # an internal assertion of torch 2.15 for some one-pixel sides
                assert "please report a bug" in str(fault) and 1 in a.shape, (key, fault)
                print("torch fails on", key)
                continue
            different += not np.array_equal(out["pil"][f"{key}/pil"], out["torchvision"][f"{key}/torchvision"])
    assert different >= 10, "the two backends must be told apart"
    for backend, tensors in out.items():
        save_file(tensors, HERE / f"resize_bicubic_{backend}.safetensors")


def second_witness(processor, backend, image, expected):
    """The port is of Pillow up to 12.3, which never begins with the vertical pass as 13 does for tall pictures."""
    (width, height), size = image.size, processor.size
    vertical_first = height > size["height"] and height + 2 * size["width"] > 2 * width + size["height"]
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        port = hf_processors_rs.AutoImageProcessor.from_pretrained(folder, backend=backend)
        equal = np.array_equal(np.asarray(port(image)), expected)
    assert equal != (backend == "pil" and vertical_first), "hf-processors-rs has another opinion"


def processed():
    small = {"height": 28, "width": 28}
    odd = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    settings = {
        "class_defaults": ("noise_90x71", {"size": small}),
        "bilinear": ("ramp_101x67", {"size": small, "resample": BILINEAR}),
        "oblong": ("ramp_101x67", {"size": {"height": 28, "width": 64}}),
        "odd_statistics": ("noise_37x53", {"size": small, **odd}),
    }
    out, cases = {}, []
    for name, (source, kwargs) in settings.items():
        a = picture(source)
        for backend, cls in BACKENDS:
            processor = cls(**kwargs)
            image = Image.fromarray(a)
            values = np.ascontiguousarray(processor(images=image, return_tensors="np")["pixel_values"], np.float32)
            second_witness(processor, backend, image, values)
            out[f"{name}/{backend}"] = values
            filter_ = "bilinear" if kwargs.get("resample") == BILINEAR else "bicubic"
            resizer = {"pil": f"pil-{filter_}", "torchvision": "torchvision" + ("-bicubic" if filter_ == "bicubic" else "")}
            case = {"name": name, "backend": backend, "picture": source, "resizer": resizer[backend]}
            cases.append({**case, "config": json.loads(processor.to_json_string())})
        # The recipe of the model card: resized by TensorFlow before the processor sees it.
        h, w = kwargs["size"]["height"], kwargs["size"]["width"]
        stretched = load_file(HERE / "resize_tf.safetensors")[f"{source}/{h}x{w}/tf"]
        processor = SiglipImageProcessorPil(**kwargs)
        values = processor(images=Image.fromarray(stretched), return_tensors="np")["pixel_values"]
        out[f"{name}/tf"] = np.ascontiguousarray(values, np.float32)
        case = {"name": name, "backend": "tf", "picture": source, "resizer": "tf-bilinear"}
        cases.append({**case, "config": json.loads(processor.to_json_string())})
    save_file(out, HERE / "process_siglip.safetensors")
    (HERE / "process_siglip.json").write_text(json.dumps(cases, indent=1) + "\n")


def saved_processor():
    """`preprocessor_config.json` as `save_pretrained` of 5.23 writes it for MedSigLIP's size, other keys at the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        SiglipImageProcessor(size={"height": 448, "width": 448}).save_pretrained(folder)
        text = (pathlib.Path(folder) / "preprocessor_config.json").read_text()
    (HERE / "siglip_preprocessor_config_5.23.json").write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    resizes()
    processed()
    saved_processor()
    for path in HERE.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        assert path.stat().st_size <= 200 * 1024, path
