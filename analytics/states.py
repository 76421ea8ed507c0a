"""States inside states: arrays of a part under names that say whose they are."""

from typing import Any

from numpy.typing import NDArray

from analytics.contract import State


def prefixed(prefix: str, state: State) -> dict[str, NDArray[Any]]:
    """Give the same arrays under names that start with `prefix`."""
    return {prefix + name: value for name, value in state.items()}


def part_of(state: State, prefix: str) -> State:
    """Give the arrays whose names start with `prefix`, without it.

    Examples
    --------
    >>> list(part_of({"a.x": [1.0], "b.x": [2.0]}, "a."))
    ['x']
    """
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
