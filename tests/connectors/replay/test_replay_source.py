"""The recording as a source: contract, pace, watermark, end."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from connectors.checks import (
    Check,
    SourceUnderTest,
    applicable,
    check_close_after_failed_open,
    check_reconnects,
)
from connectors.contract import Source
from connectors.replay.config import ReplayConfig
from connectors.replay.source import ReplaySource
from plant.errors import Exhausted, Misconfigured
from plant.quality import Status
from plant.samples import Batch
from plant.tags import Tag, TagHandle

SECOND = 10**9
EXEMPT: dict[Check, str] = {
    check_reconnects: "a file does not go away; it ends",
    check_close_after_failed_open: "a file that is missing is a mistake, not a lost link",
}


def _tag(handle: int, column: str) -> TagHandle:
    name = f"s/a/l/pump/{column}"
    return TagHandle(handle, Tag(name=name, source="recording", address=column))


TAGS = [_tag(7, "level"), _tag(3, "flow")]


def _write(folder: Path, times: Sequence[float]) -> Path:
    file = folder / "pump.csv"
    rows = [f"{at},{i},{i / 10}\n" for i, at in enumerate(times)]
    file.write_text("time,flow,level\n" + "".join(rows))
    return file


def _source(file: Path, speed: float = 0.0) -> ReplaySource:
    return ReplaySource(ReplayConfig(name="recording", file=file, speed=speed), TAGS)


async def _all(source: Source) -> list[Batch]:
    batches: list[Batch] = []

    async def read_on() -> None:
        while True:
            batches.append(await source.read())

    async with source:
        with pytest.raises(Exhausted):
            await read_on()
    return batches


@pytest.mark.parametrize("check", applicable(EXEMPT), ids=lambda check: check.__name__)
@pytest.mark.parametrize("speed", [0.0, 50.0])
def test_contract(check: Check, speed: float, tmp_path: Path) -> None:
    file = _write(tmp_path, np.arange(5000) / 10)
    spoiled = tmp_path / "spoiled.csv"
    spoiled.write_text("time,flow,level\n0,1,\n1,,2\n")

    async def make() -> Source:
        return _source(file, speed)

    async def make_spoiled() -> Source:
        return _source(spoiled, speed)

    asyncio.run(check(SourceUnderTest(make=make, handles=[3, 7], spoiled=make_spoiled)))


def test_everything_is_delivered_once_tag_after_tag(tmp_path: Path) -> None:
    batches = asyncio.run(_all(_source(_write(tmp_path, range(1500)))))
    assert [len(batch) for batch in batches] == [1200, 1200, 600]
    assert batches[0].tag[[0, 599, 600, 1199]].tolist() == [7, 7, 3, 3]
    assert all(batch.replayed for batch in batches)
    flow = np.concatenate([batch.value[batch.tag == 3] for batch in batches])
    at = np.concatenate([batch.at[batch.tag == 3] for batch in batches])
    assert np.array_equal(flow, np.arange(1500))
    assert np.array_equal(at, np.arange(1500) * SECOND)


def test_an_empty_cell_is_bad_without_a_value(tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_text("time,flow,level\n0,1,\n1,,2\n")
    [batch] = asyncio.run(_all(_source(file)))
    bad = batch.status == Status.BAD
    assert bad.tolist() == [True, False, False, True]
    assert np.isnan(batch.value[bad]).all()


def test_the_watermark_reaches_to_the_next_row_but_not_over_a_gap(tmp_path: Path) -> None:
    times = [*range(700), *range(800, 900)]
    batches = asyncio.run(_all(_source(_write(tmp_path, times))))
    assert [len(batch) // 2 for batch in batches] == [600, 100, 100]
    assert [batch.upto for batch in batches] == [
        600 * SECOND - 1,
        699 * SECOND,
        899 * SECOND,
    ]


def test_it_keeps_the_recorded_pace(tmp_path: Path) -> None:
    file = _write(tmp_path, [0, 0.1, 0.1, 0.4])

    async def story() -> list[tuple[float, int]]:
        heard: list[tuple[float, int]] = []
        async with _source(file, speed=1.0) as source:
            begun = time.monotonic()
            while sum(rows for _, rows in heard) < 4:
                batch = await source.read()
                heard.append((time.monotonic() - begun, len(batch) // 2))
        return heard

    # A busy machine may be late; nothing comes early, and what is due at a time comes together.
    arrivals = [at for at, rows in asyncio.run(story()) for _ in range(rows)]
    assert all(at >= due - 0.02 for at, due in zip(arrivals, [0, 0.1, 0.1, 0.4], strict=True))
    assert arrivals[1] == arrivals[2]
    assert arrivals[-1] < 60.0


def test_a_slow_recording_says_that_it_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.replay.source.ALIVE_S", 0.01)

    async def story() -> list[Batch]:
        async with _source(_write(tmp_path, [0, 300]), speed=1.0) as source:
            return [await source.read() for _ in range(3)]

    first, *quiet = asyncio.run(story())
    assert len(first) == 2
    assert [(len(batch), batch.upto) for batch in quiet] == [(0, 300 * SECOND - 1)] * 2


def test_any_speed_gives_the_same_samples_and_watermarks_at_the_end(tmp_path: Path) -> None:
    file = _write(tmp_path, np.arange(300) / 10)
    fast = asyncio.run(_all(_source(file)))
    begun = time.monotonic()
    paced = asyncio.run(_all(_source(file, 500.0)))
    assert time.monotonic() - begun >= 29.9 / 500
    assert sum(map(len, paced)) == sum(map(len, fast)) == 600
    assert paced[-1].upto == fast[-1].upto


def test_a_tag_without_its_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    config = ReplayConfig(name="recording", file=_write(tmp_path, [0, 1]))
    source = ReplaySource(config, [_tag(1, "flwo")])
    with pytest.raises(Misconfigured, match=r"called 'flwo'; did you mean 'flow'\?"):
        asyncio.run(_all(source))
