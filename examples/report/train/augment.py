"""Random variations of a picture, and pictures of nothing medical drawn from noise.

Everything is driven by one `numpy.random.Generator`, so a run with the same seed
sees the same pictures. The result goes through the same resize as inference:
Pillow's antialiased bilinear filter on u8, to a square, without keeping the aspect.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 112
SMALLEST = {"not_medical": 0.35, "spine_ct": 0.45, "brain_mr": 0.8}
SPECKLED = {"heart_us", "heart_doppler", "node_doppler", "pelvis_us"}
BRAINS = {"brain_mr"}
FIELDS = {"histology", "ihc"}  # microscopy: any small field of the section will do, in any direction


def to_input(image: Image.Image) -> np.ndarray:
    """[3, SIZE, SIZE] f32 in [-1, 1], as the Gemma 3 image processor makes it."""
    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float32) * np.float32(1 / 255)
    return ((values - 0.5) / 0.5).transpose(2, 0, 1)


def cut(rng: np.random.Generator, image: Image.Image, smallest: float) -> Image.Image:
    """A random rectangle with each side at least `smallest` of the picture's."""
    width, height = image.size
    w = max(16, round(width * rng.uniform(smallest, 1)))
    h = max(16, round(height * rng.uniform(smallest, 1)))
    x, y = rng.integers(0, max(1, width - w + 1)), rng.integers(0, max(1, height - h + 1))
    return image.crop((int(x), int(y), int(x) + w, int(y) + h))


def field(rng: np.random.Generator, image: Image.Image, label: str) -> Image.Image:
    """A square field of microscopy that is mostly tissue, at a random magnification."""
    low, high = (260, 900) if label == "histology" else (120, 290)
    for _ in range(20):
        side = int(rng.integers(low, high))
        side = min(side, *image.size)
        x = int(rng.integers(0, image.width - side + 1))
        y = int(rng.integers(0, image.height - side + 1))
        part = image.crop((x, y, x + side, y + side))
        if label == "ihc" or (np.asarray(part.convert("L").resize((16, 16))) < 225).mean() > 0.4:
            break
    part = part.resize((176, 176), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return part.transpose(Image.Transpose(int(rng.integers(0, 7)))) if rng.random() < 0.8 else part


def place(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Letterbox or shift the picture on a plain ground."""
    ground = int(rng.choice([0, 0, 0, 255, int(rng.integers(0, 256))]))
    width, height = image.size
    if rng.random() < 0.5:
        side = max(width, height)
        box, offset = (side, side), ((side - width) // 2, (side - height) // 2)
    else:
        box = (round(width * rng.uniform(1, 1.3)), round(height * rng.uniform(1, 1.3)))
        offset = (int(rng.integers(0, box[0] - width + 1)), int(rng.integers(0, box[1] - height + 1)))
    canvas = Image.new("RGB", box, (ground,) * 3)
    canvas.paste(image, offset)
    return canvas


def turn(rng: np.random.Generator, image: Image.Image, most: float) -> Image.Image:
    """Rotate by up to `most` degrees; the corners take the colour of the top left pixel."""
    corner = image.getpixel((1, 1))
    return image.rotate(float(rng.uniform(-most, most)), Image.Resampling.BILINEAR, fillcolor=corner)


def bend(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """A smooth random warp, as one body differs from another."""
    width, height = image.size
    cells = int(rng.integers(3, 6))
    most = rng.uniform(0, 0.35) / cells
    moved = rng.uniform(-most, most, (cells + 1, cells + 1, 2))
    ys, xs = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1), indexing="ij")
    points = np.stack([xs + moved[..., 0], ys + moved[..., 1]], 2) * (width, height)
    edges_x = np.rint(np.linspace(0, width, cells + 1)).astype(int)
    edges_y = np.rint(np.linspace(0, height, cells + 1)).astype(int)
    mesh = []
    for row in range(cells):
        for column in range(cells):
            box = (int(edges_x[column]), int(edges_y[row]), int(edges_x[column + 1]), int(edges_y[row + 1]))
            corners = (points[row, column], points[row + 1, column], points[row + 1, column + 1], points[row, column + 1])
            mesh.append((box, tuple(float(v) for corner in corners for v in corner)))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR, fillcolor=image.getpixel((1, 1)))


def erase(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Hide a rectangle of up to a quarter of the picture behind one tone or noise."""
    height, width = values.shape[:2]
    h, w = (int(v) for v in (rng.uniform(0.1, 0.5, 2) * (height, width)))
    y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    values = values.copy()
    values[y:y + h, x:x + w] = rng.uniform(0, 1) if rng.random() < 0.7 else rng.uniform(0, 1, (h, w, 1))
    return values


def tones(rng: np.random.Generator, values: np.ndarray, coloured: bool) -> np.ndarray:
    """Brightness, contrast, gamma, a slight tint and noise on f32 values in [0, 1]."""
    values = np.clip(values, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5))
    values = (values - 0.5) * rng.uniform(0.7, 1.7) + 0.5 + rng.uniform(-0.12, 0.12)
    if coloured:
        values = values * rng.uniform(0.88, 1.12, 3)
    if rng.random() < 0.5:
        sigma = rng.uniform(0, 0.06)
        shape = values.shape if coloured else (*values.shape[:2], 1)
        values = values + rng.normal(0, sigma, shape)
    return values


def other_sequence(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Remap the tones of an MR picture as another sequence would: dark tissue may become bright."""
    knots = np.sort(rng.uniform(0.08, 1, 3))
    levels = rng.uniform(0.15, 1, 3)
    curve = np.interp(values, [0, 0.04, *knots], [0, 0, *levels])
    return np.clip(curve, 0, 1).astype(np.float32)


def shading(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Multiply by a smooth plane, as an uneven coil or an uneven exposure does."""
    height, width = values.shape[:2]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    return values * (1 + rng.uniform(-0.35, 0.35) * x + rng.uniform(-0.35, 0.35) * y)[..., None]


def mark(rng: np.random.Generator, image: Image.Image) -> None:
    """Draw what gets burnt into pictures: letters, scales, boxes, bars at the border."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        tone = (int(rng.choice([0, 255, int(rng.integers(0, 256))])),) * 3
        what = rng.integers(0, 4)
        if what == 0:
            draw.text((x, y), "".join(rng.choice(list("RLAPCT0123456789 cm"), int(rng.integers(1, 9)))), fill=tone)
        elif what == 1:
            draw.line((x, y, x, min(height, y + height // 3)), fill=tone)
        elif what == 2:
            w, h = int(rng.integers(3, max(4, width // 5))), int(rng.integers(3, max(4, height // 5)))
            draw.rectangle((x, y, x + w, y + h), fill=tone)
        else:
            edge = int(rng.integers(2, max(3, width // 12)))
            draw.rectangle((0, 0, edge, height) if rng.random() < 0.5 else (width - edge, 0, width, height), fill=tone)


def vary(rng: np.random.Generator, source: Image.Image, label: str) -> Image.Image:
    """One random variation of a training picture."""
    image = source
    if label in FIELDS:
        image = field(rng, image, label)
    elif rng.random() < 0.85:
        image = cut(rng, image, SMALLEST.get(label, 0.68))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if label in {"fundus", "spine_ct", "abdomen_ct"} and rng.random() < 0.3:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    scale = rng.uniform(112, 260) / max(image.size)
    stretch = np.exp(rng.uniform(-0.18, 0.18))
    size = (max(24, round(image.width * scale * stretch)), max(24, round(image.height * scale / stretch)))
    image = image.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = bend(rng, image)
    if rng.random() < 0.5:
        image = turn(rng, image, 25 if label in SPECKLED else 10)
    if rng.random() < 0.35 and label not in FIELDS:
        image = place(rng, image)
    values = np.asarray(image, np.float32) / 255
    if label in BRAINS and rng.random() < 0.4:
        values = other_sequence(rng, values)
    if rng.random() < 0.25:
        values = shading(rng, values)
    if label in SPECKLED and rng.random() < 0.5:
        values = np.clip(values, 0, 1) ** np.exp(rng.uniform(-0.6, 0.3))
        values = values * np.maximum(0, 1 + rng.normal(0, rng.uniform(0, 0.5), (*values.shape[:2], 1)))
    coloured = label in {"fundus", "histology", "ihc", "heart_doppler", "node_doppler", "not_medical"}
    values = tones(rng, values, coloured and rng.random() < 0.7)
    if rng.random() < 0.25:
        values = erase(rng, values)
    image = Image.fromarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.6))))
    if rng.random() < 0.3:
        mark(rng, image)
    return image


def cloud(rng: np.random.Generator, side: int) -> np.ndarray:
    """[side, side, 3] noise in [0, 1] whose spectrum falls off by a random power."""
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) + 1 / side
    shape = frequencies ** -rng.uniform(0, 2.2)
    planes = []
    for _ in range(3):
        spectrum = np.fft.rfft2(rng.normal(size=(side, side))) * shape
        plane = np.fft.irfft2(spectrum, (side, side))
        planes.append((plane - plane.mean()) / (plane.std() + 1e-6))
    values = np.stack(planes, 2)
    values = values + rng.uniform(0, 3) * values[..., :1] if rng.random() < 0.7 else np.repeat(values[..., :1], 3, 2)
    values = values / values.std() * rng.uniform(0.05, 0.3) + rng.uniform(0.1, 0.9, 3) * rng.uniform(0.3, 1)
    return np.clip(values, 0, 1)


def shapes(rng: np.random.Generator, image: Image.Image) -> None:
    """Draw random coloured or grey shapes, lines and words."""
    draw = ImageDraw.Draw(image)
    side = image.width
    grey_only = rng.random() < 0.3
    for _ in range(int(rng.integers(1, 25))):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        colour = (colour[0],) * 3 if grey_only else colour
        x0, x1 = sorted(int(v) for v in rng.integers(-20, side + 20, 2))
        y0, y1 = sorted(int(v) for v in rng.integers(-20, side + 20, 2))
        what = rng.integers(0, 5)
        if what == 0:
            draw.ellipse((x0, y0, x1, y1), fill=colour)
        elif what == 1:
            draw.rectangle((x0, y0, x1, y1), fill=colour)
        elif what == 2:
            draw.polygon([tuple(int(v) for v in rng.integers(0, side, 2)) for _ in range(4)], fill=colour)
        elif what == 3:
            draw.line((x0, y0, x1, y1), fill=colour, width=int(rng.integers(1, 8)))
        else:
            draw.text((x0, y0), "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz   "), 24)), fill=colour)


def page_of_text(rng: np.random.Generator, side: int) -> Image.Image:
    """Lines of dark letters on light paper (or the other way round), unevenly lit."""
    paper, ink = sorted((int(v) for v in rng.integers(0, 256, 2)), reverse=True)
    page = Image.new("RGB", (side, side), (paper,) * 3)
    draw = ImageDraw.Draw(page)
    step = int(rng.integers(8, 30))
    for y in range(int(rng.integers(0, step)), side, step):
        draw.text((int(rng.integers(0, 12)), y), "".join(rng.choice(list("abcdefghiklmnoprstuvw  "), 40)),
                  fill=(ink // 2,) * 3, font_size=float(rng.uniform(0.5, 0.95) * step))
    values = shading(rng, np.asarray(page, np.float32) / 255)
    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))


def tiles(rng: np.random.Generator, side: int) -> Image.Image:
    """Rows of discs or boxes filled with noise on a plain ground."""
    ground, fill = np.asarray(cloud(rng, side)), np.asarray(cloud(rng, side))
    grey_only = rng.random() < 0.6
    count, share = int(rng.integers(1, 8)), rng.uniform(0.5, 0.98)
    place_ = (np.arange(side) * count / side) % 1 * 2 - 1
    power = rng.choice([2.0, 2.0, 8.0])
    mask = (np.abs(place_[:, None]) ** power + np.abs(place_[None]) ** power) < share ** power
    values = np.where(mask[..., None], fill, ground * rng.uniform(0, 1))
    values = np.repeat(values[..., :1], 3, 2) if grey_only else values
    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))


def framed(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Show a picture through an ellipse on a dark ground, so that an outline alone proves nothing."""
    values = np.asarray(image, np.float32)
    height, width = values.shape[:2]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    mask = (x / rng.uniform(0.6, 1)) ** 2 + (y / rng.uniform(0.6, 1)) ** 2 < 1
    return Image.fromarray((values * mask[..., None]).astype(np.uint8))


def borrowed_colours(rng: np.random.Generator, image: Image.Image, palette: Image.Image) -> Image.Image:
    """Repaint a picture in the colours of another, so that colours alone prove nothing."""
    pixels = np.asarray(palette.convert("RGB").resize((24, 24)), np.float32).reshape(-1, 3)
    pixels = pixels[np.argsort(pixels.sum(1))]
    grey = np.asarray(image.convert("L"), np.float32) / 255
    ranks = np.linspace(0, 1, len(pixels))
    return Image.fromarray(np.stack([np.interp(grey, ranks, pixels[:, k]) for k in range(3)], 2).astype(np.uint8))


def nothing_medical(rng: np.random.Generator, photographs: list[Image.Image],
                    palettes: list[Image.Image] | None = None) -> Image.Image:
    """Something that is not medical, drawn or put together; in grey, negative or framed at times."""
    image = unframed(rng, photographs)
    if palettes and rng.random() < 0.2:
        return borrowed_colours(rng, image, palettes[int(rng.integers(len(palettes)))])
    roll = rng.random()
    if roll < 0.3:
        image = image.convert("L").convert("RGB")
    if roll < 0.06 or roll > 0.94:
        image = Image.fromarray(255 - np.asarray(image))
    return framed(rng, image) if rng.random() < 0.15 else image


def unframed(rng: np.random.Generator, photographs: list[Image.Image]) -> Image.Image:
    """Noise, gradients, plain tones, drawings, pages, tiles, or photographs put together."""
    side = 144
    what = rng.integers(0, 9)
    if what == 6:
        return page_of_text(rng, side)
    if what == 7:
        return tiles(rng, side)
    if what == 8:
        photograph = vary(rng, photographs[int(rng.integers(len(photographs)))], "not_medical")
        if rng.random() < 0.5:
            return Image.fromarray(np.asarray(photograph)[..., rng.permutation(3)])
        grey = np.asarray(photograph.convert("L"), np.float32) / 255
        knots = np.sort(rng.uniform(0, 1, 3))
        planes = [np.interp(grey, knots, rng.uniform(0, 255, 3)) for _ in range(3)]
        return Image.fromarray(np.stack(planes, 2).astype(np.uint8))
    if what == 0:
        return Image.fromarray((cloud(rng, side) * 255).astype(np.uint8))
    if what == 1:
        ends = rng.uniform(0, 255, (2, 2, 3))
        ends = np.repeat(ends[..., :1], 3, 2) if rng.random() < 0.4 else ends
        return Image.fromarray(ends.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    if what == 2:
        page = Image.new("RGB", (side, side), tuple(int(v) for v in rng.integers(0, 256, 3)))
        if rng.random() < 0.8:
            shapes(rng, page)
        return page
    if what == 3:
        page = Image.fromarray((cloud(rng, side) * 255).astype(np.uint8))
        shapes(rng, page)
        return page
    first = vary(rng, photographs[int(rng.integers(len(photographs)))], "not_medical").resize((side, side))
    second = vary(rng, photographs[int(rng.integers(len(photographs)))], "not_medical").resize((side, side))
    values = np.asarray(first, np.float32)
    if rng.random() < 0.5:
        values = values[..., rng.permutation(3)]
    if what == 4:
        first = Image.fromarray(values.astype(np.uint8))
        w, h = (int(v) for v in rng.integers(30, side, 2))
        first.paste(second.resize((w, h)), (int(rng.integers(0, side - w + 1)), int(rng.integers(0, side - h + 1))))
        return first
    weight = rng.uniform(0.2, 0.8)
    return Image.fromarray((values * weight + np.asarray(second, np.float32) * (1 - weight)).astype(np.uint8))
