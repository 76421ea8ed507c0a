"""All boards, and the files that they are written to."""

from collections.abc import Mapping

from dashboards.board import Board, text_of
from dashboards.boards import alarms, asset, gateway, line, models, site
from dashboards.variables import CONSOLE


def boards() -> tuple[Board, ...]:
    """Make every board, in the order of their names."""
    return tuple(made.board() for made in (site, line, asset, alarms, gateway, models))


def texts(console: str = CONSOLE) -> Mapping[str, str]:
    """Write every board: name of its file to its text."""
    return {f"{one.name}.json": text_of(one.written(console)) for one in boards()}
