"""How far a long question has come; drawn only where somebody sees it move."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """A bar on stderr from the first step on, or from its ``with`` on; gone when it is done.

    Parameters
    ----------
    title
        What takes so long.
    steps
        How many there are, if that is known before the first one.
    drawn
        Whether it may be drawn where somebody sees it.
    """

    def __init__(self, title: str, steps: int | None = None, *, drawn: bool = True) -> None:
        self._title, self._steps = title, steps
        self._drawn = drawn and sys.stderr.isatty()
        self._behind = 0
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.done()

    def moved(self, done: int, known: int | None) -> None:
        """Draw that `done` steps of `known` are behind."""
        self._behind = done
        self._draw()
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done, total=known)

    def add(self, steps: int) -> None:
        """Draw that so many more steps are behind."""
        self.moved(self._behind + steps, self._steps)

    def done(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _draw(self) -> None:
        if not self._drawn or self._progress is not None:
            return
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._progress.start()
        self._progress.add_task(self._title, total=self._steps)
