"""How far a training has come."""

from collections.abc import Callable
from itertools import count

Progress = Callable[[int, int], None]
"""Called with the steps that are done, and all there are."""


def unheard(_done: int, _known: int) -> None:
    """Nobody watches."""


def counted(progress: Progress, steps: int) -> Callable[[], None]:
    """Tell that nothing of `steps` is done yet; what comes back tells of one more.

    Examples
    --------
    >>> moved = counted(print, 2)
    0 2
    >>> moved()
    1 2
    """
    done = count(1)
    progress(0, steps)
    return lambda: progress(next(done), steps)
