"""A drawing as a PNG picture, with Pillow: the one part of a page that needs a further package."""

import io
import unicodedata
from typing import Any

import numpy as np

from plant.errors import Misconfigured
from wheeltapper.evaluation.drawing import Drawing, Path, Rect, Role, Text

FINER = 3
"""Drawn this many times larger and made smaller again: Pillow's own lines have stairs."""
SHARP = 2
"""Pixels of the picture along one unit of the drawing."""
FONTS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Arial.ttf")

COLOURS: dict[Role, tuple[int, int, int]] = {
    "panel": (246, 246, 246),
    "grid": (216, 216, 216),
    "axis": (122, 122, 122),
    "score": (30, 30, 30),
    "limit": (196, 0, 26),
    "signal": (70, 70, 70),
    "culprit": (196, 0, 26),
    "alarm": (196, 0, 26),
    "alarm-band": (250, 221, 224),
    "label": (0, 106, 180),
    "label-band": (190, 218, 240),
    "learning": (224, 224, 224),
    "text": (30, 30, 30),
    "soft": (92, 92, 92),
    "strong": (30, 30, 30),
    "on-alarm": (255, 255, 255),
    "bar": (122, 122, 122),
}
WIDTHS: dict[Role, float] = {"score": 1.4, "limit": 1.2, "signal": 1.0, "culprit": 1.3}


def demand_pillow() -> None:
    """Refuse early, before minutes of work, where Pillow is not installed.

    Raises
    ------
    Misconfigured
        It is missing; the message holds the command that installs it.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise Misconfigured(
            "--png needs Pillow, which is not installed here: pip install 'wheeltapper[pictures]' "
            "(22 MB); --html needs nothing more"
        ) from error


def png(drawing: Drawing) -> bytes:
    """Paint a drawing on white."""
    from PIL import Image, ImageDraw

    scale = FINER
    size = (int(drawing.width * scale), int(drawing.height * scale))
    image = Image.new("RGB", size, (255, 255, 255))
    brush = ImageDraw.Draw(image)
    fonts: dict[float, Any] = {}
    for shape in drawing.shapes:
        colour = COLOURS[shape.role]
        if isinstance(shape, Rect):
            corner = (shape.x + max(shape.width, 1), shape.y + shape.height)
            brush.rectangle(
                [shape.x * scale, shape.y * scale, corner[0] * scale - 1, corner[1] * scale - 1],
                fill=colour,
            )
        elif isinstance(shape, Path):
            _line(brush, shape, colour, scale)
        else:
            if shape.size not in fonts:
                fonts[shape.size] = _font(shape.size * scale)
            _words(brush, shape, colour, fonts[shape.size], scale)
    small = (int(drawing.width * SHARP), int(drawing.height * SHARP))
    written = io.BytesIO()
    # few colours are on it: a palette makes the file a third
    image.resize(small, Image.Resampling.LANCZOS).quantize(96).save(written, "PNG", optimize=True)
    return written.getvalue()


def _line(brush: Any, path: Path, colour: tuple[int, int, int], scale: int) -> None:
    points = path.points
    broken = np.flatnonzero(np.isnan(points[:, 1]))
    width = max(1, round(WIDTHS.get(path.role, 1.0) * scale))
    for part in np.split(points, broken):
        part = part[~np.isnan(part[:, 1])]
        if len(part) > 1:
            brush.line([tuple(point) for point in (part * scale).tolist()], colour, width, "curve")


def _font(size: float) -> Any:
    """Give the machine's own font, which knows all letters, or the one inside Pillow."""
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _words(brush: Any, text: Text, colour: tuple[int, int, int], font: Any, scale: int) -> None:
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[text.anchor]
    words = text.words if font.getname()[0] != "Aileron" else plain(text.words)
    place = (text.x * scale, text.y * scale)
    heavy = scale // 2 if text.role == "strong" else 0
    brush.text(place, words, colour, font, anchor, stroke_width=heavy, stroke_fill=colour)


def plain(words: str) -> str:
    """Write words with the letters that the font inside Pillow has.

    Examples
    --------
    >>> plain("Fördermenge 3 ×, µ – 5 °C")
    'Fordermenge 3 x, u - 5 °C'
    """
    spread = unicodedata.normalize("NFKD", words.translate(str.maketrans("×–µ÷°", "x-u/\0")))
    kept = "".join(c for c in spread if not unicodedata.combining(c)).replace("\0", "°")
    return "".join(c if c.isascii() or c in "°·…“”" else "?" for c in kept)
