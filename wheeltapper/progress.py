"""How far a long question has come; drawn only where somebody sees it move."""

import sys
from types import TracebackType
from typing import Any, Self


class Bar:
    """A bar on stderr, gone when it is done.

    Parameters
    ----------
    title
        What takes so long.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
            self._progress.add_task(self._title, total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def moved(self, done: int, known: int) -> None:
        """Draw that `done` steps of `known` are behind."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done, total=known)
