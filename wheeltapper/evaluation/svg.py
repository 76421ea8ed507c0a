"""A drawing as SVG inside a page: roles become classes, so that the page's colours hold."""

from html import escape

import numpy as np

from wheeltapper.evaluation.drawing import Drawing, Path, Rect, Shape, Text


def svg(drawing: Drawing) -> str:
    """Write a drawing; it scales with its column and is named for who cannot see it."""
    title = escape(drawing.title)
    shapes = "\n".join(_shape(shape) for shape in drawing.shapes)
    return (
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" '
        f'aria-label="{title}">\n{shapes}\n</svg>'
    )


def _shape(shape: Shape) -> str:
    if isinstance(shape, Rect):
        box = (
            f'<rect class="{shape.role}" x="{shape.x:.1f}" y="{shape.y:.1f}" '
            f'width="{max(shape.width, 0):.1f}" height="{shape.height:.1f}"'
        )
        return f"{box}><title>{escape(shape.hint)}</title></rect>" if shape.hint else f"{box}/>"
    if isinstance(shape, Text):
        return (
            f'<text class="{shape.role}" x="{shape.x:.1f}" y="{shape.y:.1f}" '
            f'text-anchor="{shape.anchor}" font-size="{shape.size:g}">{escape(shape.words)}</text>'
        )
    return f'<path class="{shape.role}" d="{_commands(shape)}"/>'


def _commands(path: Path) -> str:
    words, down = [], False
    for x, y in path.points.tolist():
        if np.isnan(y):
            down = False
            continue
        words.append(f"{'L' if down else 'M'}{x:.1f} {y:.1f}")
        down = True
    return "".join(words)
