"""Model files that must not be taken: each is refused for its own reason, and allocates nothing."""

import io
import json
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.modelfiles import (
    MOST_BYTES,
    Cause,
    ModelRefused,
    check_fits,
    read_model,
    restored,
    settings_body,
    watch_of,
    write_model,
)
from analytics.modelfiles.header import Header
from analytics.settings import WatchSettings
from analytics.watch import Watch
from tests.analytics.modelfiles.made import (
    ASSET,
    KEY,
    OTHER_KEY,
    SETTINGS,
    SIGNALS,
    TRUSTED,
    UNITS,
    header,
    pump,
    seconds,
    taught,
)

STATE = taught().state()
GOOD = write_model(header(), STATE, KEY)
END = 12 + int.from_bytes(GOOD[8:12], "little")
BODY = GOOD[END + 64 :]
BOMB = 8 * MOST_BYTES


def signed(text: bytes, body: bytes = BODY, begin: bytes = GOOD[:8]) -> bytes:
    """A file of any header, signed by the right key: what a careless trainer could send."""
    head = begin + len(text).to_bytes(4, "little") + text
    return head + KEY.sign(head) + body


def said(**words: Any) -> bytes:
    """The good header with other words in it; None takes one away."""
    body = json.loads(GOOD[12:END]) | words
    return json.dumps({name: value for name, value in body.items() if value != "gone"}).encode()


def arrays(change: Callable[[list[Any]], object]) -> bytes:
    """The good header with another list of arrays."""
    listed = json.loads(GOOD[12:END])["arrays"]
    change(listed)
    return said(arrays=listed)


def flipped(place: int) -> bytes:
    return GOOD[:place] + bytes([GOOD[place] ^ 1]) + GOOD[place + 1 :]


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(BOMB))
    return held.getvalue()


def npy(rows: int) -> bytes:
    held = io.BytesIO()
    np.save(held, np.zeros(rows))
    return held.getvalue()


def deep(depth: int) -> bytes:
    return said(card="CARD").replace(b'"CARD"', b"[" * depth + b"]" * depth)


FILES: dict[str, tuple[bytes, Cause]] = {
    "empty": (b"", Cause.NO_MODEL),
    "text": (b"hello", Cause.NO_MODEL),
    "page": (b"<html>404</html>" * 100, Cause.NO_MODEL),
    "pickle": (pickle.dumps({"a": 1}), Cause.NO_MODEL),
    "zip bomb": (zipped(), Cause.NO_MODEL),
    "npy": (npy(8), Cause.NO_MODEL),
    "magic only": (GOOD[:7], Cause.CUT_OFF),
    "cut in its header": (GOOD[: END - 5], Cause.CUT_OFF),
    "cut in its signature": (GOOD[: END + 5], Cause.CUT_OFF),
    "cut in its arrays": (GOOD[:-8], Cause.CUT_OFF),
    "longer": (GOOD + bytes(8), Cause.CUT_OFF),
    "twice": (GOOD + GOOD, Cause.CUT_OFF),
    "oversized": (GOOD + bytes(MOST_BYTES), Cause.TOO_LARGE),
    "a header of 4 GB": (GOOD[:8] + b"\xff\xff\xff\xff" + GOOD[12:], Cause.TOO_LARGE),
    "format changed": (GOOD[:7] + b"\x02" + GOOD[8:], Cause.FOREIGN_KEY),
    "header flipped": (flipped(40), Cause.FOREIGN_KEY),
    "signature flipped": (flipped(END + 3), Cause.FOREIGN_KEY),
    "arrays flipped": (flipped(END + 64 + 100), Cause.BAD_SUM),
    "foreign key": (write_model(header(), STATE, OTHER_KEY), Cause.FOREIGN_KEY),
    "a later format": (signed(GOOD[12:END], begin=b"WTMODEL\x02"), Cause.TOO_NEW),
    "no JSON": (signed(b"{"), Cause.MALFORMED),
    "no UTF-8": (signed(b'{"a":"\xff"}'), Cause.MALFORMED),
    "a list": (signed(b"[1]"), Cause.MALFORMED),
    "nested": (signed(deep(10_000)), Cause.MALFORMED),
    "a name twice": (signed(b'{"a":1,"a":2}'), Cause.MALFORMED),
    "NaN in it": (signed(said(metrics={"x": float("nan")})), Cause.NOT_FINITE),
    "Infinity in it": (signed(said(created=float("inf"))), Cause.NOT_FINITE),
    "no name": (signed(said(name="gone")), Cause.MALFORMED),
    "a way out": (signed(said(name="../../etc/passwd")), Cause.MALFORMED),
    "version 0": (signed(said(version=0)), Cause.MALFORMED),
    "version true": (signed(said(version=True)), Cause.MALFORMED),
    "version of 30 digits": (signed(said(version=10**30)), Cause.MALFORMED),
    "its own parent": (signed(said(parent=3)), Cause.MALFORMED),
    "signals twice": (signed(said(signals=[SIGNALS[0]] * 4)), Cause.MALFORMED),
    "signals no texts": (signed(said(signals=[1, 2, 3, 4])), Cause.MALFORMED),
    "a unit short": (signed(said(units=["A"])), Cause.MALFORMED),
    "stop before start": (signed(said(start=5, stop=4)), Cause.MALFORMED),
    "no hash": (signed(said(history="abc")), Cause.MALFORMED),
    "metrics of texts": (signed(said(metrics={"x": "y"})), Cause.MALFORMED),
    "a later gateway": (signed(said(min_gateway="99.0")), Cause.TOO_NEW),
    "no arrays": (signed(said(arrays="gone")), Cause.MALFORMED),
    "objects": (signed(arrays(lambda a: a[0].update(dtype="|O"))), Cause.MALFORMED),
    "a negative size": (signed(arrays(lambda a: a[0].update(shape=[-1]))), Cause.MALFORMED),
    "too many dimensions": (signed(arrays(lambda a: a[0].update(shape=[1] * 9))), Cause.MALFORMED),
    "shape bomb": (signed(arrays(lambda a: a[0].update(shape=[2**24, 2**24]))), Cause.TOO_LARGE),
    "text bomb": (signed(arrays(lambda a: a[0].update(dtype="<U9999"))), Cause.MALFORMED),
    "list bomb": (signed(said(arrays=[{}] * 9000)), Cause.MALFORMED),
    "an array twice": (signed(arrays(lambda a: a.append(a[0]))), Cause.MALFORMED),
    "a path for a name": (signed(arrays(lambda a: a[0].update(name="../x"))), Cause.MALFORMED),
    "arrays of another model": (signed(said(sha256="1" * 64)), Cause.BAD_SUM),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_for_its_reason(name: str) -> None:
    data, cause = FILES[name]

    with pytest.raises(ModelRefused) as refused:
        read_model(data, TRUSTED, gateway="0.1.0")

    assert refused.value.cause is cause, refused.value


@pytest.mark.parametrize("name", ["zip bomb", "shape bomb", "oversized", "a header of 4 GB"])
def test_refusing_takes_no_memory(name: str) -> None:
    data, _ = FILES[name]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    with pytest.raises(ModelRefused):
        read_model(data, TRUSTED)

    most = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert most < 2**20


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(tail: bytes) -> None:
    for data in (tail, GOOD[:12] + tail, GOOD[: END + 64] + tail):
        with pytest.raises(ModelRefused):
            read_model(data, TRUSTED)


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_no_signed_header_does_more_than_be_refused(text: bytes) -> None:
    with pytest.raises(ModelRefused):
        read_model(signed(text), TRUSTED)


def with_array(name: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    return STATE | {name: change(STATE[name].copy())}


def put(place: Any, value: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array[place] = value
        return array

    return change


def lacking(name: str) -> dict[str, Any]:
    return {key: array for key, array in STATE.items() if key != name}


NUMBERS: dict[str, tuple[dict[str, Any], Cause]] = {
    "NaN weights": (
        with_array("modes.0.relations.correlation", put((1, 2), np.nan)),
        Cause.NOT_FINITE,
    ),
    "infinite base": (with_array("modes.0.channels.base", put((0, 0), np.inf)), Cause.NOT_FINITE),
    "unit zero": (with_array("modes.0.relations.unit", put(0, 0.0)), Cause.IMPOSSIBLE),
    "unit negative": (with_array("modes.0.relations.unit", put(0, -1.0)), Cause.IMPOSSIBLE),
    "limits negative": (with_array("modes.0.limits", put(1, -3.0)), Cause.IMPOSSIBLE),
    "not symmetric": (
        with_array("modes.0.relations.correlation", put((0, 1), 0.9)),
        Cause.IMPOSSIBLE,
    ),
    "not definite": (
        with_array("modes.0.relations.correlation", lambda a: a - 5 * np.eye(4)),
        Cause.IMPOSSIBLE,
    ),
    "another width": (with_array("modes.0.home", lambda a: a[:3]), Cause.MALFORMED),
    "another type": (with_array("clock", lambda a: a.astype(float)), Cause.MALFORMED),
    "another depth": (with_array("modes.0.reach", lambda a: a[0]), Cause.MALFORMED),
    "one missing": (lacking("modes.0.home"), Cause.MALFORMED),
    "no modes": (lacking("modes.modes"), Cause.MALFORMED),
    "a mode too many": (with_array("modes.modes", lambda a: np.array([0, 9])), Cause.MALFORMED),
    "one too many": (STATE | {"extra": np.zeros(1)}, Cause.MALFORMED),
    "modes that lead in a circle": (
        STATE
        | {
            "regimes.sizes": np.array([1]),
            "regimes.signals": np.array([0]),
            "regimes.middle": np.array([1.0]),
            "regimes.half": np.array([1.0]),
            "regimes.numbers": np.array([[0, -1, 3, 0, 0, 0]]),
            "regimes.mode": np.array([0]),
        },
        Cause.IMPOSSIBLE,
    ),
    "an unknown instrument fault": (
        with_array("instruments.kind", put(0, 99)),
        Cause.MALFORMED,
    ),
    "an unknown phase": (with_array("latch.counts", put(0, 99)), Cause.MALFORMED),
    "an alarm that stands": (with_array("latch.counts", put(0, 1)), Cause.NOT_LEARNT),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_signed_model_of_bad_numbers_is_refused(name: str) -> None:
    state, cause = NUMBERS[name]
    model = read_model(write_model(header(), state, KEY), TRUSTED)

    with pytest.raises(ModelRefused) as refused:
        watch_of(model)

    assert refused.value.cause is cause, refused.value


def test_one_that_still_learns_is_refused() -> None:
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    watch.judge(seconds(400), pump(400), np.zeros(400, np.int64))
    model = read_model(write_model(header(), watch.state(), KEY), TRUSTED)

    with pytest.raises(ModelRefused, match="while learning"):
        watch_of(model)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    model = read_model(write_model(header(kind="oracle"), STATE, KEY), TRUSTED)

    with pytest.raises(ModelRefused, match='"oracle" is no kind of model; there are watch'):
        restored(model)


@pytest.mark.parametrize("kind", ["two-statistic", "forest", "remaining-life", "defects"])
def test_arrays_of_another_kind_are_refused(kind: str) -> None:
    finite = {"signals": np.array(["a"]), "centre": np.zeros((2, 2, 2))}
    model = read_model(write_model(header(kind=kind), finite, KEY), TRUSTED)

    with pytest.raises(ModelRefused, match="cannot be put together"):
        restored(model)


FITS: dict[str, tuple[Header, Cause]] = {
    "another asset": (header(name="plant/hall/line/other"), Cause.OTHER_ASSET),
    "another order": (header(signals=SIGNALS[::-1]), Cause.OTHER_SIGNALS),
    "a signal more": (
        header(signals=(*SIGNALS, f"{ASSET}/heat"), units=(*UNITS, "Cel")),
        Cause.OTHER_SIGNALS,
    ),
    "a tag renamed": (header(signals=(*SIGNALS[:3], f"{ASSET}/new")), Cause.OTHER_SIGNALS),
    "another unit": (header(units=(*UNITS[:3], "m/s")), Cause.OTHER_UNITS),
    "another grid": (
        header(settings=settings_body(WatchSettings(row_s=10.0, find_modes=False))),
        Cause.OTHER_SETTINGS,
    ),
    "modes of its own": (
        header(settings=settings_body(WatchSettings(find_modes=True))),
        Cause.OTHER_SETTINGS,
    ),
    "a knob too many": (
        header(settings=settings_body(SETTINGS) | {"magic": 1}),
        Cause.OTHER_SETTINGS,
    ),
    "a knob of text": (
        header(settings=settings_body(SETTINGS) | {"budget": "low"}),
        Cause.OTHER_SETTINGS,
    ),
    "a knob that cannot be": (
        header(settings=settings_body(SETTINGS) | {"budget": -1.0}),
        Cause.OTHER_SETTINGS,
    ),
    "no watch": (header(kind="forest"), Cause.UNKNOWN_KIND),
}


@pytest.mark.parametrize("name", FITS)
def test_a_model_of_something_else_is_refused(name: str) -> None:
    said_of, cause = FITS[name]

    with pytest.raises(ModelRefused) as refused:
        check_fits(said_of, ASSET, SIGNALS, UNITS, SETTINGS)

    assert refused.value.cause is cause, refused.value


def test_a_model_of_the_asset_fits() -> None:
    check_fits(header(), ASSET, SIGNALS, UNITS, SETTINGS)
