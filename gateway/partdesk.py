"""What the console and the commands ask of the parts, and what people say of them."""

from collections.abc import Awaitable, Callable

from gateway.console.view import PartRow, PartsRow
from gateway.journal import JSON
from gateway.parts import PartBook, PartBooks
from gateway.rows import part_row
from plant.parts import Part

Order = Callable[[str, dict[str, JSON]], Awaitable[None]]


class PartDesk:
    """The parts of a running gateway.

    Parameters
    ----------
    books
        Where they are judged.
    order
        Does what a person orders, durably; see `Pipeline.order`.
    asset
        Finds the path of an asset by its path or name; raises KeyError or Rejected.
    """

    def __init__(self, books: PartBooks, order: Order, asset: Callable[[str], str]) -> None:
        self._all = books
        self._order = order
        self._asset = asset

    def row(self, part: Part) -> PartRow:
        """Write a part, with the plant's word for its mode."""
        asset = self._all.books[part.asset].asset
        return part_row(part, asset.mode_name(part.mode) if asset.mode and part.mode >= 0 else "")

    def summary(self, path: str) -> PartsRow | None:
        """Tell how the parts of an asset were; None where it makes none."""
        book = self._all.books.get(path)
        return None if book is None else self._summary(book)

    def _summary(self, book: PartBook) -> PartsRow:
        suspect, judged = book.lately()
        return {
            "counts": {str(verdict): count for verdict, count in book.counts.items()},
            "suspect_lately": suspect,
            "judged_lately": judged,
            "last": self.row(book.last) if book.last else None,
        }

    def rows(self, target: str | None, verdict: str | None, limit: int) -> list[PartRow]:
        """List the last parts, newest first, of one asset or of all, of one verdict or of any."""
        books = self._all.books.values() if target is None else [self._book(target)]
        parts = [part for book in books for part in book.parts()]
        parts = [part for part in parts if verdict in (None, part.verdict)]
        return [self.row(p) for p in sorted(parts, key=lambda p: -p.id)[:limit]]

    async def label(self, target: str, number: str, label: str, actor: str, note: str) -> PartRow:
        """Keep what a part turned out to be, and return once the journal holds it."""
        book = self._book(target)
        said: dict[str, JSON] = {"asset": book.asset.path, "number": number, "label": label}
        await self._order("part-label", said | {"actor": actor, "note": note})
        return self.row(book.find(number))

    async def anew(self, target: str, actor: str, note: str) -> PartsRow:
        """Learn anew how healthy parts are, and return once the journal holds it."""
        book = self._book(target)
        said: dict[str, JSON] = {"asset": book.asset.path, "actor": actor, "note": note}
        await self._order("part-normal", said)
        return self._summary(book)

    def _book(self, target: str) -> PartBook:
        """Find the book of an asset; one with such a name that makes no parts is none."""
        path = self._asset(target)
        if path not in self._all.books:
            raise KeyError(target)
        return self._all.books[path]
