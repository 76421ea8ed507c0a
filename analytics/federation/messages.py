"""Plans, contributions and consolidated models as signed files, of the form of model files."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import Contribution, check_contribution
from analytics.federation.refusals import Refused, Why
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics, packed, unpacked
from analytics.federation.terms import Terms
from analytics.modelfiles.file import Model, read_model, write_model
from analytics.modelfiles.header import Header, dumped
from analytics.modelfiles.refusals import Cause, ModelRefused
from plant.keys import key_id
from plant.records import JSON

PLAN, STATISTICS, SCORES, CONSOLIDATED = "plan", "statistics", "scores", "consolidated"
"""Kinds of files."""
HEADER_BYTES = 2**16
"""Room that is given to all of a message but its numbers."""
_CAUSES = {Cause.FOREIGN_KEY: Why.FOREIGN_KEY, Cause.TOO_LARGE: Why.TOO_LARGE}
Arrays = dict[str, NDArray[Any]]


def raw_key(key: Ed25519PublicKey) -> str:
    """Give a public key in hexadecimal digits, as a plan has it."""
    return key.public_bytes_raw().hex()


def write_plan(terms: Terms, created: int, key: Ed25519PrivateKey) -> bytes:
    """Write and sign a plan."""
    body = dumped(terms.body())
    header = Header(
        name=terms.name,
        version=1,
        kind=PLAN,
        created=created,
        signals=terms.signals,
        units=terms.units,
        settings=terms.body(),
        start=created,
        stop=created,
        history=hashlib.sha256(body).hexdigest(),
    )
    return write_model(header, {}, key)


def read_plan(data: bytes, keys: Sequence[Ed25519PublicKey]) -> Terms:
    """Read a plan that one of the keys has signed.

    Raises
    ------
    Refused
        It is not signed by one of them, or is no plan.
    """
    return Terms.of(_read(data, keys, PLAN).header.settings)


def most_bytes(terms: Terms) -> int:
    """Give the size above which a contribution cannot be one of this plan."""
    signals = len(terms.signals)
    numbers = 2 + signals + signals * (signals + 1) // 2 + 2**12
    return HEADER_BYTES + 8 * numbers * len(terms.modes)


def write_contribution(told: Contribution, terms: Terms, key: Ed25519PrivateKey) -> bytes:
    """Write and sign a contribution; what the centre would refuse is not written.

    Raises
    ------
    Refused
        It does not keep to the plan, or the key is not the participant's.
    """
    if raw_key(key.public_key()) != terms.participant(told.gateway).key:
        raise Refused(
            Why.FOREIGN_KEY, f"the key here is not the one that the plan has of {told.gateway}"
        )
    check_contribution(told, terms)
    arrays: Arrays = {}
    for mode, known in told.statistics.items():
        arrays[f"{mode}.n"] = np.array([known.n], np.int64)
        arrays[f"{mode}.mean"] = known.mean
        arrays[f"{mode}.scatter"] = packed(known.scatter)
    for mode, sketch in told.scores.items():
        first, counts = sketch.narrowed()
        arrays[f"{mode}.first"] = np.array([first], np.int64)
        arrays[f"{mode}.counts"] = counts
    summed = hashlib.sha256()
    for name in sorted(arrays):
        summed.update(arrays[name].tobytes())
    settings: dict[str, JSON] = {"plan": told.plan, "gateway": told.gateway}
    header = Header(
        name=told.asset,
        version=told.number,
        kind=STATISTICS if told.statistics else SCORES,
        created=told.created,
        signals=terms.signals,
        units=terms.units,
        settings=settings | ({"model": told.model} if told.model else {}),
        start=told.start,
        stop=told.stop,
        history=summed.hexdigest(),  # of what is sent: that of the rows would tell whether one fits
    )
    return write_model(header, arrays, key)


def read_contribution(data: bytes, terms: Terms) -> Contribution:
    """Read a contribution of one of the plan's participants.

    Raises
    ------
    Refused
        It is too large, signed by nobody or by another participant, malformed, of another plan,
        or says what cannot be.
    """
    if len(data) > most_bytes(terms):
        raise Refused(
            Why.TOO_LARGE, f"{len(data)} bytes, {most_bytes(terms)} are the most in this plan"
        )
    keys = {
        one.name: Ed25519PublicKey.from_public_bytes(bytes.fromhex(one.key))
        for one in terms.participants
    }
    model = _read(data, list(keys.values()), STATISTICS, SCORES)
    header, settings = model.header, model.header.settings
    gateway = str(settings.get("gateway", ""))
    if key_id(keys[terms.participant(gateway).name]) != model.signer:
        raise Refused(Why.FOREIGN_KEY, f"says that it is of {gateway}, and another one signed it")
    plan = str(settings.get("plan", ""))
    if plan != terms.identity:
        raise Refused(Why.OTHER_PLAN, f"is of the plan {plan:.40}, this one is {terms.identity}")
    if header.signals != terms.signals:
        raise Refused(Why.OTHER_SIGNALS, "its signals are not those of the plan")
    if header.units != terms.units:
        raise Refused(Why.OTHER_UNITS, "its units are not those of the plan")
    statistics, scores = _payload(model, len(terms.signals))
    told = Contribution(
        plan=plan,
        gateway=gateway,
        asset=header.name,
        number=header.version,
        created=header.created,
        start=header.start,
        stop=header.stop,
        statistics=statistics,
        scores=scores,
        model=str(settings.get("model", "")),
    )
    check_contribution(told, terms)
    return told


def write_consolidated(
    model: Consolidated, terms: Terms, header: Mapping[str, Any], key: Ed25519PrivateKey
) -> bytes:
    """Write and sign a consolidated model.

    Parameters
    ----------
    header
        Fields of `Header` that the plan does not tell: version, created, start, stop, history,
        and what else is to be said.
    """
    settings: dict[str, JSON] = {
        "plan": terms.identity,
        "row_s": terms.row_s,
        "settle_s": terms.settle_s,
        "modes": [[number, name] for number, name in terms.modes],
    }
    whole = Header(
        name=terms.name,
        kind=CONSOLIDATED,
        signals=terms.signals,
        units=terms.units,
        settings=settings,
        **header,
    )
    return write_model(whole, model.state(), key)


def read_consolidated(data: bytes, keys: Sequence[Ed25519PublicKey]) -> tuple[Consolidated, Model]:
    """Read a consolidated model that one of the keys has signed, and all that is said of it.

    Raises
    ------
    Refused
        It is not signed by one of them, or is none.
    """
    model = _read(data, keys, CONSOLIDATED)
    held = Consolidated.restore({name: each.copy() for name, each in model.arrays.items()})
    if any(each.signals != model.header.signals for each in held.detectors.values()):
        raise Refused(Why.OTHER_SIGNALS, "its detectors are of other signals than its header says")
    return held, model


def _read(data: bytes, keys: Sequence[Ed25519PublicKey], *kinds: str) -> Model:
    try:
        model = read_model(data, keys)
    except ModelRefused as error:
        raise Refused(_CAUSES.get(error.cause, Why.MALFORMED), str(error)) from error
    if model.header.kind not in kinds:
        raise Refused(
            Why.MALFORMED, f"is a file of kind {model.header.kind:.40}, not {' or '.join(kinds)}"
        )
    for name, array in model.arrays.items():
        # An infinite limit is that of a mode whose scores are not known yet.
        if array.dtype.kind == "f" and (np.isnan(array).any() or _endless(name, array)):
            raise Refused(Why.IMPOSSIBLE, f"{name}: holds what is no finite number")
    return model


def _endless(name: str, array: NDArray[Any]) -> bool:
    return name != "limits" and bool(np.isinf(array).any())


def _payload(model: Model, signals: int) -> tuple[dict[int, Statistics], dict[int, Sketch]]:
    """Take the numbers out of a message."""
    arrays, modes = model.arrays, set()
    names = ("n", "mean", "scatter") if model.header.kind == STATISTICS else ("first", "counts")
    for name in arrays:
        mode, _, what = name.partition(".")
        if what not in names or not mode.removeprefix("-").isdigit() or len(mode) > 10:
            raise Refused(Why.MALFORMED, f"{name:.40}: is no part of such a message")
        modes.add(mode)
    statistics: dict[int, Statistics] = {}
    scores: dict[int, Sketch] = {}
    for mode in sorted(modes, key=int):
        if any(f"{mode}.{what}" not in arrays for what in names):
            raise Refused(Why.MALFORMED, f"mode {mode}: a part is missing")
        number = _whole(arrays[f"{mode}.{names[0]}"])
        if model.header.kind == STATISTICS:
            mean, half = (_floats(arrays[f"{mode}.{what}"]) for what in names[1:])
            statistics[int(mode)] = Statistics(number, mean, unpacked(half, signals))
        else:
            counts = arrays[f"{mode}.counts"]
            if counts.dtype != np.int64:
                raise Refused(Why.MALFORMED, f"mode {mode}: counts are whole numbers")
            scores[int(mode)] = Sketch.widened(number, counts)
    return statistics, scores


def _whole(array: NDArray[Any]) -> int:
    if array.dtype != np.int64 or array.shape != (1,):
        raise Refused(Why.MALFORMED, "a number of rows or buckets is one whole number")
    return int(array[0])


def _floats(array: NDArray[Any]) -> NDArray[np.float64]:
    if array.dtype != np.float64 or array.ndim != 1:
        raise Refused(Why.MALFORMED, "means and scatters are columns of float64")
    return np.asarray(array)
