"""Messages: what is sent is what was meant, and what cannot be is refused with its reason."""

import contextlib
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import check_contribution, statistics_of
from analytics.federation.messages import (
    most_bytes,
    read_consolidated,
    read_contribution,
    write_consolidated,
    write_contribution,
)
from analytics.federation.refusals import Refused, Why
from analytics.federation.statistics import Statistics, packed
from tests.analytics.federation.agreed import (
    CENTRE,
    HOUR,
    KEYS,
    RUN,
    START,
    contribution,
    forged,
    healthy,
    message,
    rows_of,
    terms,
)

PLAN = terms()
KNOWN = statistics_of(rows_of(healthy(1)), PLAN)[RUN]
ARRAYS: dict[str, NDArray[Any]] = {
    "1.n": np.array([KNOWN.n], np.int64),
    "1.mean": KNOWN.mean,
    "1.scatter": packed(KNOWN.scatter),
}
MODEL = Consolidated.of({RUN: KNOWN}, PLAN)


def test_statistics_come_back_to_the_bit() -> None:
    told = contribution("north", rows_of(healthy(1)), PLAN)
    data = write_contribution(told, PLAN, KEYS["north"])
    again = read_contribution(data, PLAN)
    assert again.statistics[RUN].n == 3000
    assert again.statistics[RUN].mean.tobytes() == told.statistics[RUN].mean.tobytes()
    assert again.statistics[RUN].scatter.tobytes() == told.statistics[RUN].scatter.tobytes()
    assert (again.site, again.start, again.stop) == (told.site, told.start, told.stop)
    assert data == write_contribution(told, PLAN, KEYS["north"])


def test_scores_come_back_to_the_bit() -> None:
    told = contribution("east", rows_of(healthy(2)), PLAN, model=MODEL, sha256="f" * 64)
    again = read_contribution(write_contribution(told, PLAN, KEYS["east"]), PLAN)
    assert again.model == "f" * 64
    assert np.array_equal(again.scores[RUN].counts, told.scores[RUN].counts)


def test_a_message_is_small() -> None:
    assert len(message("north", healthy(1), PLAN)) < 1500
    assert len(message("north", healthy(1), PLAN)) < most_bytes(PLAN)


@pytest.mark.parametrize(
    ("array", "value", "why"),
    [
        ("1.n", np.array([-3000], np.int64), Why.IMPOSSIBLE),
        ("1.n", np.array([0], np.int64), Why.IMPOSSIBLE),
        ("1.n", np.array([999], np.int64), Why.FEW_ROWS),
        ("1.n", np.array([10**6], np.int64), Why.IMPOSSIBLE),
        ("1.n", np.array([3000.0]), Why.MALFORMED),
        ("1.n", np.array([3000, 1], np.int64), Why.MALFORMED),
        ("1.mean", np.array([np.nan, 5.0, 25.0]), Why.IMPOSSIBLE),
        ("1.mean", np.array([np.inf, 5.0, 25.0]), Why.IMPOSSIBLE),
        ("1.mean", np.array([500.0, 5.0, 25.0]), Why.IMPOSSIBLE),
        ("1.mean", np.array([50.0, 5.0]), Why.MALFORMED),
        ("1.mean", np.array([50, 5, 25], np.int64), Why.MALFORMED),
        ("1.mean", np.zeros((3, 1)), Why.MALFORMED),
        ("1.scatter", np.array([1.0, 9.0, 0.0, 1.0, 0.0, 1.0]), Why.IMPOSSIBLE),
        ("1.scatter", np.array([-1.0, 0.0, 0.0, 1.0, 0.0, 1.0]), Why.IMPOSSIBLE),
        ("1.scatter", np.array([1e30, 0.0, 0.0, 1.0, 0.0, 1.0]), Why.IMPOSSIBLE),
        ("1.scatter", np.full(6, np.nan), Why.IMPOSSIBLE),
        ("1.scatter", np.zeros(5), Why.MALFORMED),
        ("1.scatter", np.zeros((3, 3)), Why.MALFORMED),
        ("1.rows", np.zeros(3), Why.MALFORMED),
        ("run.mean", np.zeros(3), Why.MALFORMED),
        ("7.n", np.array([3000], np.int64), Why.MALFORMED),
    ],
)
def test_numbers_that_cannot_be_are_refused(array: str, value: Any, why: Why) -> None:
    with pytest.raises(Refused) as refused:
        read_contribution(forged(ARRAYS | {array: value}, PLAN), PLAN)
    assert refused.value.why is why
    assert str(refused.value)


NAMES = st.sampled_from(["1.n", "1.mean", "1.scatter", "0.n", "1.first", "1.counts", "x", "-1.n"])
ARRAY = hnp.arrays(
    st.sampled_from([np.float64, np.int64, np.uint8]),
    hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=7),
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NAMES, ARRAY, max_size=4),
    st.sampled_from(["statistics", "scores"]),
    st.booleans(),
)
def test_whatever_is_signed_is_taken_or_refused(
    arrays: dict[str, NDArray[Any]], kind: str, beside: bool
) -> None:
    data = forged((ARRAYS if beside else {}) | arrays, PLAN, kind=kind)
    with contextlib.suppress(Refused):
        told = read_contribution(data, PLAN)
        assert all(known.n >= 1000 for known in told.statistics.values())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"units": ("m3/h", "kPa", "A")}, Why.OTHER_UNITS),
        ({"signals": ("flow", "pressure", "power")}, Why.OTHER_SIGNALS),
        ({"settings": {"plan": "0" * 16}}, Why.OTHER_PLAN),
        ({"settings": {"gateway": "mars"}}, Why.STRANGER),
        ({"settings": {"gateway": "south"}}, Why.FOREIGN_KEY),
        ({"key": KEYS["south"]}, Why.FOREIGN_KEY),
        ({"key": Ed25519PrivateKey.from_private_bytes(b"x" * 32)}, Why.FOREIGN_KEY),
        ({"kind": "watch"}, Why.MALFORMED),
        ({"kind": "scores"}, Why.MALFORMED),
        ({"stop": START + 7 * HOUR}, Why.SHORT),
        ({"created": START - 48 * HOUR}, Why.IMPOSSIBLE),
    ],
)
def test_messages_beside_the_plan_are_refused(changed: dict[str, Any], why: Why) -> None:
    with pytest.raises(Refused) as refused:
        read_contribution(forged(ARRAYS, PLAN, **changed), PLAN)
    assert refused.value.why is why


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: data[:-9], Why.MALFORMED),
        (lambda data: data[:40], Why.MALFORMED),
        (lambda data: b"", Why.MALFORMED),
        (lambda data: b"PK\x03\x04" + data, Why.MALFORMED),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), Why.MALFORMED),
        (lambda data: data[:60] + b"X" + data[61:], Why.FOREIGN_KEY),
        (lambda data: data + b"\0" * most_bytes(PLAN), Why.TOO_LARGE),
    ],
)
def test_damaged_and_oversized_files_are_refused(spoil: Any, why: Why) -> None:
    with pytest.raises(Refused) as refused:
        read_contribution(spoil(message("north", healthy(1), PLAN)), PLAN)
    assert refused.value.why is why


def test_the_sender_holds_itself_to_the_same() -> None:
    told = contribution("north", rows_of(healthy(1)), PLAN)
    with pytest.raises(Refused) as refused:
        write_contribution(told, PLAN, KEYS["south"])
    assert refused.value.why is Why.FOREIGN_KEY
    with pytest.raises(Refused) as refused:
        check_contribution(told, terms(false_share=0.01))
    assert refused.value.why is Why.OTHER_PLAN


def test_a_consolidated_model_comes_back_and_scores_the_same() -> None:
    header = {"version": 3, "created": START, "start": START, "stop": START, "history": "0" * 64}
    data = write_consolidated(MODEL, PLAN, header, CENTRE)
    again, file = read_consolidated(data, [CENTRE.public_key()])
    rows, mode = healthy(5), np.full(3000, RUN)
    assert again.scores(rows, mode).tobytes() == MODEL.scores(rows, mode).tobytes()
    assert (file.header.version, again.complete) == (3, False)
    with pytest.raises(Refused) as refused:
        read_consolidated(data, [KEYS["north"].public_key()])
    assert refused.value.why is Why.FOREIGN_KEY


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("limits", np.array([-1.0])),
        ("limits", np.array([np.nan])),
        ("modes", np.array([1, 1])),
        ("0.centre", np.zeros(2)),
        ("0.centre", np.full(3, np.nan)),
        ("0.scale", np.zeros(3)),
        ("0.correlation", -np.eye(3)),
        ("0.correlation", np.eye(2)),
        ("0.signals", np.array(["a", "b", "c"])),
    ],
)
def test_models_that_cannot_judge_are_refused(array: str, value: Any) -> None:
    arrays = {**MODEL.state(), array: value}
    data = forged(arrays, PLAN, CENTRE, kind="consolidated")
    with pytest.raises(Refused):
        read_consolidated(data, [CENTRE.public_key()])


def test_noise_and_clipping_keep_rows_within_the_limits() -> None:
    wild = healthy(1)
    wild[::7, 0] = 1e6
    noisy = terms(noise=0.05)
    one, other = (statistics_of(rows_of(wild), noisy, seed)[RUN] for seed in (1, 2))
    assert (one.mean <= np.array(noisy.high)).all()
    assert not np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.mean, statistics_of(rows_of(wild), noisy, 1)[RUN].mean)
    plain = Statistics.of(np.clip(wild, *noisy.limits))
    span = np.array(noisy.high) - np.array(noisy.low)
    assert (one.spread[1:] > plain.spread[1:] + 0.01 * span[1:]).all()
