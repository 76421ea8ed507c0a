"""From the name of a detector to its factory."""

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path

from analytics.evaluation.protocol import Factory
from analytics.evaluation.yardsticks import DETECTORS
from plant.errors import Misconfigured

TRIAL = ["a", "b"]


def named(text: str) -> Factory:
    """Find a detector: one of ours by its name, or ``MODULE:FACTORY``, also from this folder.

    Raises
    ------
    Misconfigured
        No such detector, module or name, or what it makes keeps no contract.
    """
    if text in DETECTORS:
        return DETECTORS[text]
    module, colon, name = text.partition(":")
    if not colon:
        near = get_close_matches(text, DETECTORS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DETECTORS)}"
        raise Misconfigured(f"--detector {text}: {hint} Or give MODULE:FACTORY, one of your own")
    return _tried(text, _imported(text, module, name))


def _imported(text: str, module: str, name: str) -> Factory:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise Misconfigured(
            f"--detector {text}: the module {module!r} cannot be imported ({error}); run the "
            "command in its folder, or install it beside wheeltapper"
        ) from error
    if not hasattr(found, name):
        near = get_close_matches(name, dir(found), 1)
        hint = f"did you mean {near[0]!r}?" if near else "write MODULE:FACTORY"
        raise Misconfigured(f"--detector {text}: {found.__name__} has no {name!r}; {hint}")
    factory: Factory = getattr(found, name)
    return factory


def _tried(text: str, factory: Factory) -> Factory:
    try:
        made = factory(list(TRIAL), 0)
    except TypeError as error:
        raise Misconfigured(
            f"--detector {text}: cannot be called with names and a seed ({error}); it has to be "
            "a function factory(features: list[str], seed: int) that gives a detector"
        ) from error
    missing = [each for each in ("learn_one", "score_one") if not hasattr(made, each)]
    if missing:
        raise Misconfigured(
            f"--detector {text}: what it makes has no {' and no '.join(missing)}; a detector has "
            "learn_one(x) and score_one(x) -> float, x a dictionary of signal and value"
        )
    return factory
