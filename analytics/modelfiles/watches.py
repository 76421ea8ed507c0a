"""Models of kind ``watch``: all that a `Watch` knows after it has learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.modelfiles.file import Model
from analytics.modelfiles.forms import ANY, SIGNALS, Form, hold_all
from analytics.modelfiles.header import Header
from analytics.modelfiles.refusals import Cause, ModelRefused
from analytics.settings import WatchSettings
from analytics.states import part_of
from analytics.watch import Watch
from plant.errors import Misconfigured
from plant.records import JSON

KIND = "watch"
SAME = ("row_s", "find_modes")
"""Settings without which a model means something else than the asset's rows."""
ALIKE = 1e-6
"""By how much a correlation may differ from its mirror."""


def settings_body(settings: WatchSettings) -> dict[str, JSON]:
    """Give settings for a header."""
    return {**asdict(settings), "quiet": list[JSON](sorted(settings.quiet))}


def settings_of(body: Mapping[str, JSON]) -> WatchSettings:
    """Read settings of a header.

    Raises
    ------
    ModelRefused
        They are not those of a watch.
    """
    known = {each.name for each in fields(WatchSettings)}
    if set(body) != known:
        odd = ", ".join(sorted(set(body) ^ known))
        raise ModelRefused(Cause.OTHER_SETTINGS, f"settings of another kind of watch: {odd}")
    said: dict[str, Any] = dict(body)
    quiet = said.pop("quiet")
    find = said.pop("find_modes")
    bar = said.pop("bar")
    numbers = [*said.values(), *([] if bar is None else [bar])]
    right = isinstance(quiet, list) and all(type(mode) is int for mode in quiet)
    if not right or not isinstance(find, bool) or not all(type(n) in (int, float) for n in numbers):
        raise ModelRefused(Cause.OTHER_SETTINGS, "settings: one is of another type")
    try:
        return WatchSettings(**said, quiet=frozenset(quiet), find_modes=find, bar=bar)
    except Misconfigured as error:
        raise ModelRefused(Cause.OTHER_SETTINGS, f"settings: {error}") from error


def check_fits(
    header: Header, asset: str, signals: Sequence[str], units: Sequence[str], own: WatchSettings
) -> None:
    """Hold a header to the asset that is to be judged by it.

    Raises
    ------
    ModelRefused
        It is of another asset, of other signals, units or rows, or no watch.
    """
    if header.kind != KIND:
        raise ModelRefused(Cause.UNKNOWN_KIND, f'a "{header.kind:.40}" watches no asset')
    if header.name != asset:
        raise ModelRefused(Cause.OTHER_ASSET, f"is of {header.name}, not of {asset}")
    if header.signals != tuple(signals):
        missing = [name for name in signals if name not in header.signals]
        more = [name for name in header.signals if name not in signals]
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has {', '.join(more)} besides"] if more else []
        said = "; ".join(parts) or "has them in another order"
        raise ModelRefused(Cause.OTHER_SIGNALS, f"was learnt from other signals: {said}")
    for name, unit, mine in zip(signals, header.units, units, strict=True):
        if unit != mine:
            raise ModelRefused(
                Cause.OTHER_UNITS, f'{name}: was learnt in "{unit}", is read in "{mine}"'
            )
    meant = settings_of(header.settings)
    for name in SAME:
        if getattr(meant, name) != getattr(own, name):
            raise ModelRefused(
                Cause.OTHER_SETTINGS,
                f"{name}: was learnt with {getattr(meant, name)}, here it is {getattr(own, name)}",
            )


def watch_of(model: Model, quiet: frozenset[int] | None = None) -> Watch:
    """Build the watch that a model holds, once its arrays have been found sound.

    Parameters
    ----------
    quiet
        Modes in which its alarms are suppressed; None: as when it was trained.

    Raises
    ------
    ModelRefused
        It cannot be one.
    """
    header, arrays = model.header, model.arrays
    if header.kind != KIND:
        raise ModelRefused(Cause.UNKNOWN_KIND, f'a "{header.kind:.40}" watches no asset')
    settings = settings_of(header.settings)
    check_arrays(arrays, len(header.signals))
    if quiet is not None:
        settings = replace(settings, quiet=quiet)
    watch = Watch(header.signals, header.units, settings)
    try:
        watch.restore({name: array.copy() for name, array in arrays.items()})
        again = watch.state()
        doubts = watch.doubts
    except (KeyError, ValueError, IndexError, np.linalg.LinAlgError) as error:
        raise ModelRefused(Cause.MALFORMED, f"cannot be put together: {error!r}") from error
    odd = sorted(set(again) ^ set(arrays))
    if odd:
        raise ModelRefused(Cause.MALFORMED, f"{odd[0]}: does not belong to it, or is missing")
    if doubts:
        named = ", ".join(doubt.signal for doubt in doubts)
        raise ModelRefused(Cause.NOT_LEARNT, f"was saved while instruments were at fault: {named}")
    if watch.phase != "watching":
        raise ModelRefused(Cause.NOT_LEARNT, f"was saved while {watch.phase}")
    return watch


def check_arrays(arrays: Mapping[str, NDArray[Any]], signals: int) -> None:
    """Hold the arrays of a watch to what they must be.

    Raises
    ------
    ModelRefused
        One is not.
    """
    hold_all(arrays, FORMS, signals)
    needed = {name for name in FORMS if "." not in name} | {"modes.modes", "means.mean"}
    lacking = sorted(needed - set(arrays))
    if lacking:
        raise ModelRefused(Cause.MALFORMED, f"lacks {', '.join(lacking)}")
    for name, array in arrays.items():
        if name.endswith(".relations.correlation"):
            _hold_definite(name, array)
    regimes = part_of(arrays, "regimes.")
    if regimes:
        _hold_regimes(regimes, signals)


def _hold_definite(name: str, matrix: NDArray[Any]) -> None:
    """Hold a correlation to being one: symmetric and positive definite."""
    size = float(np.abs(matrix).max(initial=0.0))
    sound = bool(np.abs(matrix - matrix.T).max(initial=0.0) <= ALIKE * size)
    if sound:
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            sound = False
    if not sound:
        raise ModelRefused(Cause.IMPOSSIBLE, f"{name}: is not symmetric and positive definite")


def _hold_regimes(arrays: Mapping[str, NDArray[Any]], signals: int) -> None:
    """Hold a tree of modes to ending: each split leads to later ones, each signal exists."""
    numbers, sizes = arrays.get("numbers"), arrays.get("sizes")
    voters = arrays.get("signals")
    if numbers is None or sizes is None or voters is None or len(numbers) != len(sizes):
        raise ModelRefused(Cause.MALFORMED, "regimes: are not whole")
    count = len(numbers)
    places = np.arange(count)[:, None]
    ways = numbers[:, :2]
    leads = ((ways > places) & (ways < count)) | ((ways < 0) & (ways >= -1 - count))
    exist = (voters >= 0) & (voters < signals)
    mode = arrays["mode"] if "mode" in arrays else np.array([-1])
    whole = int(sizes.sum()) == len(voters) == len(arrays["middle"]) == len(arrays["half"])
    right = leads.all() and exist.all() and (sizes > 0).all() and whole
    if not right or not 0 <= int(mode[0]) <= count:
        raise ModelRefused(Cause.IMPOSSIBLE, "regimes: lead nowhere")


_P = SIGNALS
_NUMBER = Form("f", (1,))
_COUNTS = Form("i", (_P,))
_EACH, _BOTH = Form("f", (_P,)), Form("f", (2, _P))
_SCALES = Form("f", (2, _P), 0.0, above=True)
_TIMES = Form("i", (_P,))

_MODE = {
    "reach": _BOTH,
    "first": _BOTH,
    "home": _EACH,
    "centre": Form("f", (_P,), open=True),
    "visits": Form("i", (1,), 0),
    "arrivals.seen": Form("f", (ANY, ANY, _P), open=True),
    "arrivals.settles": _COUNTS,
    "arrivals.range": Form("f", (ANY, 2, _P), open=True),
    "arrivals.reach": Form("f", (2, _P), open=True),
    "arrivals.home": _BOTH,
    "relations.centre": _EACH,
    "relations.unit": Form("f", (_P,), 0.0, above=True),
    "relations.correlation": Form("f", (_P, _P)),
    "channels.base": _BOTH,
    "channels.square": _SCALES,
    "channels.variance": Form("f", (2, _P), 0.0),
    "channels.usual": _EACH,
    "channels.spread": Form("f", (_P,), 0.0, above=True),
    "channels.least": Form("f", (_P,), 0.0),
    "channels.together": Form("f", (2, _P, _P)),
    "channels.limit": Form("f", (6,), 0.0, above=True),
    "channels.learnt": Form("f", (2,), 0.0),
    "most": Form("f", (2, _P), 0.0),
    "limits": Form("f", (5,), 0.0, above=True),
    "weights": Form("f", (2, _P, _P)),
    "left": _BOTH,
    "restless": _EACH,
    "fault": _BOTH,
    "share": _NUMBER,
    "turn": Form("i", (4,)),
    # of a mode that has not been seen often enough to be judged
    "limit": Form("f", (1,), 0.0, above=True),
    "store.rows": Form("f", (ANY, _P), open=True),
    "store.sizes": Form("i", (ANY,), 0),
    "store.count": Form("i", (4,), 0),
}
_INSTRUMENTS = {
    "recent": Form("f", (ANY, _P), open=True),
    "reach": Form("f", (2, _P), open=True),
    **dict.fromkeys(("moved_at", "missing_at", "crept", "since"), _TIMES),
    "stepped": Form("b", (_P,)),
    "kind": Form("i", (_P,), 0),
    "partner": Form("i", (_P,), -1),
    "evidence": Form("f", (3, _P), open=True),
    "rail": Form("f", (_P,), open=True),
    "back": _COUNTS,
    "patience": Form("f", (_P,), 0.0),
    "clock": Form("i", (7,)),
    "lively": _NUMBER,
    "modes": Form("i", (ANY,)),
    "jumps.rows": Form("i", (3, _P)),
    "jumps.counts": Form("f", (2, _P), 0.0),
    "jumps.rail": Form("f", (_P,), open=True),
    "jumps.since": _TIMES,
    "jumps.away": Form("b", (1,)),
    "habits.N.table": Form("f", (5, _P), 0.0),
}
_NOVELTY = {
    "level": Form("f", (5,)),
    "moves": Form("f", (5,)),
    "range": Form("f", (2,)),
    **dict.fromkeys(("recent", "middle", "begin", "excess", "familiar"), Form("f", (ANY,))),
    "shapes": Form("f", (ANY, ANY)),
    "sizes": Form("f", (2, ANY)),
    "history": Form("f", (ANY, ANY)),
    "numbers": Form("f", (6,)),
}
_REGIMES = {
    "sizes": Form("i", (ANY,), 0),
    "signals": Form("i", (ANY,), 0),
    "middle": Form("f", (ANY,)),
    "half": Form("f", (ANY,)),
    "numbers": Form("i", (ANY, 6)),
    "mode": Form("i", (1,), 0),
}
FORMS: dict[str, Form] = {
    "left": _TIMES,
    "highest": _EACH,
    "told": _NUMBER,
    "clock": Form("i", (8,)),
    "mode": Form("i", (ANY,)),
    "means.mean": Form("f", (3, _P), open=True),
    "means.rows": Form("i", (1,), 0),
    "latch.peak": Form("f", (ANY,)),
    "latch.height": Form("f", (4,)),
    "latch.counts": Form("i", (7,)),
    "modes.modes": Form("i", (ANY,)),
    **{f"modes.N.{name}": form for name, form in _MODE.items()},
    **{f"instruments.{name}": form for name, form in _INSTRUMENTS.items()},
    **{f"novelty.{name}": form for name, form in _NOVELTY.items()},
    **{f"regimes.{name}": form for name, form in _REGIMES.items()},
    "seen.row": Form("i", (2,)),
    "seen.score": Form("f", (5,)),
    "seen.columns": Form("f", (6, _P)),
}
"""Of every array of a watch, by its name; N is the number of a mode."""
