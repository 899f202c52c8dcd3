"""Makes the expected values of the tests in `tests/` with the references themselves.

    OMP_NUM_THREADS=1 python generate.py

Needs exactly the versions asserted below, on a CPU with AVX2 (torchvision resizes `uint8` natively only there).
Everything is synthetic and seeded; the files are the same on every run.
"""

import io
import json
import pathlib
import struct
import tempfile
import zlib

import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image, ImageOps
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models
from torchvision.transforms.v2 import functional as tvF
from transformers import Gemma3ImageProcessor, Gemma3ImageProcessorPil, Gemma3Processor, PreTrainedTokenizerFast
from transformers.image_transforms import convert_to_rgb

assert transformers.__version__ == "5.23.0", transformers.__version__
assert PIL.__version__ == "13.0.0", PIL.__version__
assert torch.__version__.startswith("2.15.0"), torch.__version__
assert torchvision.__version__.startswith("0.29.2"), torchvision.__version__
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")

HERE = pathlib.Path(__file__).parent
FILES = HERE / "files"
RNG = np.random.default_rng(20260101)


# ---------------------------------------------------------------- pictures


def noise(width, height):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(width, height):
    """A gradient of another direction and period per channel, with a little noise: one level off shows."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [3 * x + y, 255 - 2 * y - x, 5 * x - 3 * y]
    jitter = RNG.integers(0, 4, (height, width, 3))
    return ((np.stack(planes, -1) + jitter) % 256).astype(np.uint8)


def checks(width, height):
    y, x = np.mgrid[0:height, 0:width]
    plane = ((x + y) % 2 * 255).astype(np.uint8)
    return np.stack([plane, 255 - plane, np.full_like(plane, 255)], -1)


def hashed(width, height):
    """The picture of the 896 case, made from integers so that the Rust test makes it again without a file."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    planes = []
    for c in range(3):
        v = x * np.uint32(2654435761) + y * np.uint32(40503) + np.uint32(c * 97)
        v ^= v >> np.uint32(15)
        v = v * np.uint32(2246822519)
        planes.append(((v >> np.uint32(24)) // 4 + (x // 9 + y // 7) % 192).astype(np.uint8))
    return np.stack(planes, -1)


def save_by_backend(tensors, stem):
    for backend in ("pil", "torchvision"):
        part = {k: np.ascontiguousarray(v) for k, v in tensors.items() if k.endswith("/" + backend)}
        save_file(part, HERE / f"{stem}_{backend}.safetensors")


def fnv(data):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


# ---------------------------------------------------------------- resize


def pil_resize(a, h, w):
    return np.asarray(Image.fromarray(a).resize((w, h), Image.Resampling.BILINEAR))


def torchvision_resize(a, h, w):
    t = torch.from_numpy(a.copy()).permute(2, 0, 1).contiguous()
    return tvF.resize(t, [h, w], antialias=True).permute(1, 2, 0).contiguous().numpy()


def resize_goldens():
    pictures = {
        "noise_37x53": noise(37, 53),
        "noise_90x71": noise(90, 71),
        "ramp_101x67": ramp(101, 67),
        "checks_33x47": checks(33, 47),
        "column_1x40": noise(1, 40),
        "row_40x1": noise(40, 1),
        "strip_300x3": noise(300, 3),
        "tower_5x211": noise(5, 211),
        "fits_28x61": noise(28, 61),
        "fits_61x28": noise(61, 28),
        "fits_28x28": noise(28, 28),
        "pixel_1x1": noise(1, 1),
        # To 28x28 the height loses exactly twice as many pixels as the width: the edge of Pillow's choice of order.
        "edge_38x48": np.random.default_rng(7).integers(0, 256, (48, 38, 3), dtype=np.uint8),
    }
    for name, a in pictures.items():
        Image.fromarray(a).save(FILES / f"{name}.png")
    sizes = {
        "noise_37x53": [(28, 28), (64, 64), (56, 28), (53, 36), (1, 1)],
        "noise_90x71": [(28, 28), (56, 56), (13, 90), (71, 17)],
        "ramp_101x67": [(28, 28), (64, 56), (28, 64), (67, 101), (66, 100)],
        "checks_33x47": [(28, 28), (56, 64), (9, 5)],
        "column_1x40": [(28, 28), (56, 1), (7, 3)],
        "row_40x1": [(28, 28), (1, 56), (3, 7)],
        "strip_300x3": [(28, 28), (56, 7)],
        "tower_5x211": [(28, 28), (14, 64)],
        "fits_28x61": [(28, 28)],
        "fits_61x28": [(28, 28)],
        "fits_28x28": [(28, 28)],
        "pixel_1x1": [(28, 28), (1, 1)],
        "edge_38x48": [(28, 28)],
    }
    out = {}
    for name, wanted in sizes.items():
        for h, w in wanted:
            out[f"{name}/{h}x{w}/pil"] = pil_resize(pictures[name], h, w)
            try:
                out[f"{name}/{h}x{w}/torchvision"] = torchvision_resize(pictures[name], h, w)
            except RuntimeError as fault:  # an internal assertion of torch 2.15 for some one-pixel sides
                assert "please report a bug" in str(fault) and 1 in (h, w), (name, h, w, fault)
                print("torch fails on", name, h, w)
    pairs = [(k, k.replace("/pil", "/torchvision")) for k in out if "/pil" in k]
    different = sum(b in out and not np.array_equal(out[a], out[b]) for a, b in pairs)
    assert different >= 10, "the two backends must be told apart"
    save_by_backend(out, "resize")
    return pictures


def large_golden():
    a = hashed(1955, 1841)
    image = Image.fromarray(a)
    small = hashed(500, 333)
    result = {"input": fnv(a.tobytes())}
    for name, resize in [("pil", pil_resize), ("torchvision", torchvision_resize)]:
        result[f"{name}_u8"] = fnv(resize(a, 896, 896).tobytes())
        result[f"{name}_enlarged_u8"] = fnv(resize(small, 896, 896).tobytes())
    size = {"height": 896, "width": 896}
    for name, cls in [("pil", Gemma3ImageProcessorPil), ("torchvision", Gemma3ImageProcessor)]:
        values = cls(size=size)(images=image, return_tensors="np")["pixel_values"]
        result[f"{name}_f32"] = fnv(np.ascontiguousarray(values, dtype="<f4").tobytes())
    (HERE / "large.json").write_text(json.dumps(result, indent=1) + "\n")


# ---------------------------------------------------------------- whole processor


def process_goldens(pictures):
    small = {"height": 28, "width": 28}
    odd = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    scan = {
        "do_pan_and_scan": True,
        "pan_and_scan_min_crop_size": 20,
        "pan_and_scan_max_num_crops": 4,
        "pan_and_scan_min_ratio_to_activate": 1.2,
    }
    settings = {
        "plain": ("noise_37x53", {"size": small}),
        "oblong": ("ramp_101x67", {"size": {"height": 28, "width": 42}}),
        "odd_statistics": ("noise_90x71", {"size": small, **odd}),
        "other_factor": ("noise_90x71", {"size": small, "rescale_factor": 1 / 127.5, **odd}),
        "coarse_factor": ("noise_90x71", {"size": small, "rescale_factor": 0.0039, **odd}),
        "no_rescale": ("ramp_101x67", {"size": small, "do_rescale": False, "image_mean": [120.0, 110.5, 99.1], "image_std": [58.3, 57.1, 57.4]}),
        "no_normalize": ("ramp_101x67", {"size": small, "do_normalize": False}),
        "neither": ("ramp_101x67", {"size": small, "do_normalize": False, "do_rescale": False}),
        "no_resize": ("fits_28x61", {"size": small, "do_resize": False, **odd}),
        "scan_landscape": ("ramp_101x67", {"size": small, **scan}),
        "scan_portrait": ("noise_37x53", {"size": small, **scan}),
        "scan_too_small": ("tower_5x211", {"size": small, **scan}),
    }
    out, cases = {}, []
    backends = [("pil", Gemma3ImageProcessorPil), ("torchvision", Gemma3ImageProcessor)]
    runs = [(name, setting, *backend) for name, setting in settings.items() for backend in backends]
    # torchvision resizes under pan and scan even where `do_resize` is off; PIL's crops then cannot be stacked.
    tiny = {"size": {"height": 14, "width": 14}, "do_resize": False}
    unresized = ("strip_300x3", {**scan, **tiny, "pan_and_scan_min_crop_size": 2})
    runs.append(("scan_no_resize", unresized, *backends[1]))
    for name, (picture, kwargs), backend, cls in runs:
        processor = cls(**kwargs)
        got = processor(images=Image.fromarray(pictures[picture]), return_tensors="np")
        out[f"{name}/{backend}"] = np.ascontiguousarray(got["pixel_values"], dtype=np.float32)
        case = {"name": name, "backend": backend, "picture": picture, "num_crops": int(got["num_crops"][0])}
        cases.append({**case, "config": json.loads(processor.to_json_string())})
    save_by_backend(out, "process")
    (HERE / "process.json").write_text(json.dumps(cases, indent=1) + "\n")


def saved_processor():
    """What `save_pretrained` of 5.23 writes for a whole Gemma3Processor."""
    words = {"<unk>": 0, "<start_of_image>": 1, "<end_of_image>": 2, "<image_soft_token>": 3}
    special = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")), extra_special_tokens=special
    )
    image_processor = Gemma3ImageProcessor(size={"height": 56, "width": 56}, pan_and_scan_max_num_crops=3)
    processor = Gemma3Processor(image_processor=image_processor, tokenizer=tokenizer, image_seq_length=16)
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        text = (pathlib.Path(folder) / "processor_config.json").read_text()
    (HERE / "processor_config_5.23.json").write_text(text)


def pan_and_scan_goldens():
    wanted = [(1200, 1000, 256, 4, 1.2), (2600, 500, 256, 4, 1.2), (1000, 2000, 256, 4, 1.2)]
    wanted += [(400, 300, 256, 4, 1.2), (1000, 1000, 256, 4, 1.2)]
    # On the edges: ratio exactly at the threshold, ratio with a half, crop size exactly at the minimum, one crop.
    wanted += [(1200, 1000, 256, 4, 1.2000001), (1500, 1000, 256, 4, 1.5), (1000, 1500, 256, 4, 1.5)]
    wanted += [(512, 256, 256, 4, 1.2), (511, 256, 256, 4, 1.2), (256, 512, 256, 4, 1.2), (640, 256, 256, 4, 1.2)]
    wanted += [(2000, 500, 256, 1, 1.2), (2000, 500, 256, 2, 1.2), (2000, 300, 256, 64, 1.2), (5, 1, 1, 4, 1.2)]
    for _ in range(240):
        w, h = (int(v) for v in RNG.integers(1, 1600, 2))
        low, most = int(RNG.integers(1, 300)), int(RNG.integers(1, 9))
        wanted.append((w, h, low, most, float(RNG.choice([1.0, 1.1, 1.2, 1.5, 2.0]))))
    # A square under a ratio of 1 is cut from left to right.
    wanted.append((600, 600, 100, 4, 1.0))
    processor = Gemma3ImageProcessorPil()
    cases = []
    for w, h, low, most, ratio in wanted:
        index = np.arange(h * w, dtype=np.int64).reshape(1, h, w)
        crops = []
        for crop in processor.pan_and_scan(index, low, most, ratio):
            _, ch, cw = crop.shape
            # An empty crop lies outside the picture; the reference fails on it later, when resizing.
            crops.append([int(crop[0, 0, 0]) % w, int(crop[0, 0, 0]) // w, cw, ch] if crop.size else None)
        cases.append({"width": w, "height": h, "min": low, "max": most, "ratio": ratio, "crops": crops})
    assert any(c["crops"] and c["crops"][-1] is None for c in cases)
    lines = ",\n".join(json.dumps(c) for c in cases)
    (HERE / "pan_and_scan.json").write_text(f"[\n{lines}\n]\n")


# ---------------------------------------------------------------- decoding


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack(row, depth):
    """One row of samples, most significant bits first."""
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = "".join(format(int(v), f"0{depth}b") for v in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def png(samples, depth, color, extra=b"", interlaced=False):
    """A PNG of samples [height, width, channels], written out here because Pillow cannot write most of these."""
    height, width, _ = samples.shape
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x0, y0, dx, dy in passes:
        part = samples[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + pack(row.reshape(-1), depth) for row in part)
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    idat = chunk(b"IDAT", zlib.compress(raw, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + idat + chunk(b"IEND", b"")


def decode_goldens():
    w, h = 19, 13
    grey, rgb, la, rgba, palette = 0, 2, 4, 6, 3
    colours = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    see_through = bytes(RNG.integers(0, 256, 100, dtype=np.uint8))

    def draw(channels, depth):
        return RNG.integers(0, 2**depth, (h, w, channels), dtype=np.uint32)

    def table(depth):
        return chunk(b"PLTE", colours[: 2**depth].tobytes())

    files = {f"grey{d}": png(draw(1, d), d, grey) for d in (1, 2, 4, 8)}
    files |= {f"palette{d}": png(draw(1, d), d, palette, table(d)) for d in (1, 2, 4, 8)}
    files["rgb8"] = png(draw(3, 8), 8, rgb)
    files["la8"] = png(draw(2, 8), 8, la)
    files["rgba8"] = png(draw(4, 8), 8, rgba)
    files["palette8_trns"] = png(draw(1, 8), 8, palette, table(8) + chunk(b"tRNS", see_through))
    one = draw(1, 8)
    files["grey8_trns"] = png(one, 8, grey, chunk(b"tRNS", struct.pack(">H", int(one[0, 0, 0]))))
    three = draw(3, 8)
    files["rgb8_trns"] = png(three, 8, rgb, chunk(b"tRNS", struct.pack(">HHH", *map(int, three[0, 0]))))
    files["rgb8_interlaced"] = png(draw(3, 8), 8, rgb, interlaced=True)
    files["palette4_interlaced"] = png(draw(1, 4), 4, palette, table(4), interlaced=True)
    files["gamma_ignored"] = png(draw(3, 8), 8, rgb, chunk(b"gAMA", struct.pack(">I", 100000)))
    out = {}
    for name, data in files.items():
        (FILES / f"{name}.png").write_bytes(data)
        opened = Image.open(io.BytesIO(data))
        out[f"{name}/drop"] = np.array(opened.convert("RGB"))
        out[f"{name}/over_white"] = convert_to_rgb(Image.open(io.BytesIO(data)), return_numpy=True)
    # 16 bits: Google's serving rule, not Pillow's (which clips grey and takes the high byte of colour).
    wide = {}
    for name, color, channels in [("grey16", grey, 1), ("rgb16", rgb, 3), ("la16", la, 2), ("rgba16", rgba, 4)]:
        wide[name] = (draw(channels, 16), color)
        wide[f"{name}_interlaced"] = (draw(channels, 16), color)
    for name, (samples, color) in wide.items():
        (FILES / f"{name}.png").write_bytes(png(samples, 16, color, interlaced="interlaced" in name))
        levels = np.rint(samples / 257.0).astype(np.uint8)
        shown = levels[..., :1].repeat(3, -1) if levels.shape[-1] < 3 else levels[..., :3]
        out[f"{name}/drop"] = np.ascontiguousarray(shown)
    save_file(out, HERE / "decode.safetensors")

    # Every sample value under every alpha, for the rounding of Pillow's compositing.
    a, v = np.mgrid[0:256, 0:256].astype(np.uint8)
    Image.fromarray(np.stack([v, a], -1), "LA").save(FILES / "alpha_table.png", optimize=True)
    expected = convert_to_rgb(Image.open(FILES / "alpha_table.png"), return_numpy=True)
    save_file({"red": np.ascontiguousarray(expected[..., 0])}, HERE / "alpha_table.safetensors")


def orientation_goldens():
    out = {}
    flat = np.kron(RNG.integers(0, 256, (3, 2, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        for suffix, options in [("png", {}), ("jpg", {"quality": 95, "subsampling": 0})]:
            path = FILES / f"orientation_{value}.{suffix}"
            Image.fromarray(flat).save(path, exif=exif, **options)
            turned = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            out[f"orientation_{value}.{suffix}/turned"] = np.array(turned)
            out[f"orientation_{value}.{suffix}/stored"] = np.array(Image.open(path).convert("RGB"))
    save_file(out, HERE / "orientation.safetensors")


def jpeg_goldens():
    w, h = 93, 70
    y, x = np.mgrid[0:h, 0:w]
    waves = [127 + 90 * np.sin(x / 9) * np.cos(y / 13), 127 + 100 * np.sin((x + y) / 11), 60 + 1.8 * y]
    a = np.stack(waves, -1) + RNG.normal(0, 6, (h, w, 3))
    a[20:40, 30:60] = [230, 30, 40]  # a sharp edge in colour, where chroma upsampling shows
    image = Image.fromarray(a.clip(0, 255).astype(np.uint8))
    variants = {
        "full": (image, {"subsampling": 0, "quality": 90}),
        "half": (image, {"subsampling": 1, "quality": 90}),
        "quarter": (image, {"subsampling": 2, "quality": 75}),
        "progressive": (image, {"subsampling": 2, "quality": 85, "progressive": True}),
        "restarts": (image, {"subsampling": 2, "quality": 85, "restart_marker_blocks": 4}),
        "grey": (image.convert("L"), {"quality": 90}),
    }
    out = {}
    for name, (picture, options) in variants.items():
        path = FILES / f"jpeg_{name}.jpg"
        picture.save(path, **options)
        out[name] = np.array(Image.open(path).convert("RGB"))
    save_file(out, HERE / "jpeg.safetensors")


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    saved_processor()
    drawn = resize_goldens()
    process_goldens(drawn)
    pan_and_scan_goldens()
    decode_goldens()
    orientation_goldens()
    jpeg_goldens()
    large_golden()
    for path in HERE.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        assert path.stat().st_size <= 200 * 1024, path
