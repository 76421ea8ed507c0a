"""The disk under a journal: a reserve that is given up when it is full."""

import os
import time
from pathlib import Path

LOOK_S = 1.0
PATIENCE_S = 60.0
"""A disk that is full again so soon after it had room is looked at no oftener than this."""
ENOUGH_BYTES = 16_000_000
"""Free space, beside the reserve, with which a disk no longer counts as full."""


class Space:
    """A file of `size` bytes beside the journal at `path`, and whether the disk is full.

    Without a size it is left as it is: who only looks into a journal does not keep it.

    With it given up there is room to let old records go, which itself takes room, and for the
    events that tell what goes on. It is made anew once there is room for it and as much again.
    """

    def __init__(self, path: Path, size: int | None) -> None:
        self.path = path.with_name(path.name + ".reserve")
        self._size = size or 0
        self._looked = 0.0
        self._patience = LOOK_S
        self._healed = -PATIENCE_S
        self.full = False
        if size == 0:
            self.path.unlink(missing_ok=True)

    @property
    def trouble(self) -> str:
        """What a person has to do something about; empty if nothing."""
        if self.full:
            return "the disk is full: the oldest records go for the newest; free some space"
        if self._looked and self._size and self.held < self._size:
            return f"the disk has no room for a reserve of {self._size / 1e6:g} MB; free some space"
        return ""

    @property
    def held(self) -> int:
        """Bytes of the reserve."""
        return self.path.stat().st_size if self.path.exists() else 0

    def prepare(self) -> None:
        """Give the reserve up if the journal could not even be opened without."""
        if self.free() < ENOUGH_BYTES // 16:
            self.give_up()

    def give_up(self) -> bool:
        """Take note that the disk is full; tell whether that is news."""
        news = not self.full
        self.full = True
        now = time.monotonic()
        # A quota: the disk looks free and is not.
        self._patience = PATIENCE_S if now - self._healed < PATIENCE_S else LOOK_S
        self._looked = now
        self.path.unlink(missing_ok=True)
        return news

    def look(self) -> bool:
        """Make the reserve if there is room; tell whether a full disk is not full any more."""
        if time.monotonic() - self._looked < self._patience:
            return False
        self._looked = time.monotonic()
        if not self.full and (not self._size or self.held == self._size):
            return False
        if self.free() < self._size + min(max(self._size, ENOUGH_BYTES // 16), ENOUGH_BYTES):
            return False
        if self._size and not self._made():
            return False
        healed, self.full = self.full, False
        if healed:
            self._healed, self._patience = self._looked, LOOK_S
        return healed

    def free(self) -> int:
        """Bytes that this user may still write."""
        found = os.statvfs(self.path.parent)
        return found.f_bavail * found.f_frsize

    def _made(self) -> bool:
        try:
            with self.path.open("wb") as reserve:
                # Blocks, not a hole: what is given up has to be there.
                os.posix_fallocate(reserve.fileno(), 0, self._size)
        except OSError:
            # Somebody else was quicker: looked for again in a second.
            self.path.unlink(missing_ok=True)
            return False
        return True
