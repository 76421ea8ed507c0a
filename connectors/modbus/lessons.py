"""What a unit has taught by its refusals about one of its tables."""

from bisect import bisect_left, insort


class Lesson:
    """Spans of offsets that are refused, and how much may be asked at once.

    Only the smallest spans are kept: whatever contains one is refused with it. None contains
    another, so in order of their starts they stand in order of their ends too.

    Parameters
    ----------
    longest
        Most offsets in one request, until the unit turns out to allow fewer.
    gap
        Unused offsets that one request may read along.
    """

    def __init__(self, longest: int, gap: int) -> None:
        self._given = longest
        self.longest = longest
        self.gap = gap
        self.proven = 0
        self._spans: list[tuple[int, int]] = []

    @property
    def limited(self) -> bool:
        """Whether the unit was found to allow less than it should."""
        return self.longest < self._given

    def allows(self, start: int, end: int) -> bool:
        """Tell whether a request from `start` up to `end` may be asked, so far as is known."""
        return end - start <= self.longest and not self._within(start, end)

    def _within(self, start: int, end: int) -> list[tuple[int, int]]:
        first = bisect_left(self._spans, (start, start))
        last = first
        while last < len(self._spans) and self._spans[last][1] <= end:
            last += 1
        return self._spans[first:last]

    def answered(self, start: int, end: int) -> None:
        """Take note that this was answered."""
        self.proven = max(self.proven, end - start)

    def refused(self, start: int, end: int) -> None:
        """Take note that this is refused."""
        if self._within(start, end):
            return
        self._spans = [span for span in self._spans if not (span[0] <= start and end <= span[1])]
        insort(self._spans, (start, end))

    def limit(self, longest: int) -> None:
        """Take note that no request may be longer; spans refused for it matter no more."""
        self.longest = longest

    def forget(self, start: int, end: int) -> None:
        """Forget what was refused within this."""
        gone = set(self._within(start, end))
        self._spans = [span for span in self._spans if span not in gone]
