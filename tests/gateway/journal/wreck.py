"""Ways to damage a journal."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[bytearray], None]
PAGE = 2048


def damaged(original: Path, folder: Path, change: Damage, end: str = "") -> Path:
    """Copy a journal with its log and change one of the files."""
    folder.mkdir(exist_ok=True)
    path = folder / "journal.db"
    for part in folder.iterdir():
        part.unlink()
    for name in ("journal.db", "journal.db-wal"):
        if (original.parent / name).exists():
            shutil.copy(original.parent / name, folder / name)
    changed = path.with_name(path.name + end)
    data = bytearray(changed.read_bytes())
    change(data)
    changed.write_bytes(data)
    return path


def zeroed(page: int) -> Damage:
    """Zero a page."""

    def change(data: bytearray) -> None:
        data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)

    return change


def scrambled(page: int) -> Damage:
    """Fill a page with what is nothing, for each page something else."""

    def change(data: bytearray) -> None:
        data[page * PAGE : (page + 1) * PAGE] = random.Random(page).randbytes(PAGE)

    return change


def broken_off(page: int) -> Damage:
    """End the file in the middle of a page."""

    def change(data: bytearray) -> None:
        del data[page * PAGE + PAGE // 2 :]

    return change


def cut(count: int) -> Damage:
    """Cut so many bytes off."""

    def change(data: bytearray) -> None:
        del data[len(data) - count :]

    return change


def flipped(place: float, bit: int) -> Damage:
    """Flip a bit at a part of the length."""

    def change(data: bytearray) -> None:
        data[int(place * (len(data) - 1))] ^= 1 << bit

    return change
