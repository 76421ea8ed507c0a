"""Single settings from the environment: ``WHEELTAPPER__SECTION__KEY``."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from gateway.config.lines import KeyPath
from gateway.config.problems import Problems, nearest

PREFIX = "WHEELTAPPER__"
PLACE = "environment"
DATE = "date or time"


def _value(text: str) -> Any:
    """Read the text as a TOML value where it is one, else as text; no quotes are needed."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def override(
    document: dict[str, Any],
    environment: Mapping[str, str],
    sections: Mapping[str, list[str]],
    problems: Problems,
) -> dict[KeyPath, str]:
    """Put the settings of the environment into `document`.

    Parameters
    ----------
    document
        The parsed TOML; changed.
    environment
        Names and values, as ``os.environ``.
    sections
        The sections that may be overridden, each with its keys.
    problems
        Collects names that mean nothing.

    Returns
    -------
    dict
        Key path of each overridden setting to the name of its variable.
    """
    known = {
        f"{PREFIX}{section}__{key}".upper(): (section, key)
        for section, keys in sections.items()
        for key in keys
    }
    taken: dict[KeyPath, str] = {}
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        if name not in known:
            problems.add(PLACE, 0, name, f"unknown setting{nearest(name, known)}")
            continue
        section, key = known[name]
        table = document.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _value(environment[name])
            taken[section, key] = name
    return taken


def as_json(document: Mapping[str, Any]) -> str:
    """Write the document as JSON; a date stays an object, so that it never passes for text."""
    return json.dumps(document, default=lambda value: {DATE: str(value)})
