"""A drawing as a file of its own: a PNG, or an SVG that needs nothing besides."""

from pathlib import Path

from plant.errors import Misconfigured
from wheeltapper.evaluation.drawing import Drawing
from wheeltapper.evaluation.png import COLOURS, WIDTHS, demand_pillow, png
from wheeltapper.evaluation.svg import svg

PICTURES = (".png", ".svg")


def demand(picture: Path | None) -> None:
    """Refuse a picture early, before minutes of work, where it could not be written.

    Raises
    ------
    Misconfigured
        Its name ends otherwise, its folder is not there, or Pillow is missing.
    """
    if picture is None:
        return
    if picture.suffix not in PICTURES:
        raise Misconfigured(f"{picture}: let the name end with {' or '.join(PICTURES)}")
    if not picture.parent.is_dir():
        raise Misconfigured(f"{picture}: there is no folder {picture.parent}")
    if picture.suffix == ".png":
        demand_pillow()


def painted(drawing: Drawing, suffix: str) -> bytes:
    """Give a drawing as the bytes of a PNG or an SVG file."""
    if suffix == ".png":
        return png(drawing)
    style = "".join(
        f"rect.{role},text.{role}{{fill:rgb{colour}}}path.{role}{{stroke:rgb{colour};"
        f"stroke-width:{WIDTHS.get(role, 1.0)}}}"
        for role, colour in COLOURS.items()
    )
    head = '<svg xmlns="http://www.w3.org/2000/svg" '
    whole = svg(drawing).replace("<svg ", head, 1)
    own = f"<style>path{{fill:none}}text{{font-family:sans-serif}}{style}</style>"
    return whole.replace(">\n", f">\n{own}\n", 1).encode()
