"""From pydantic's findings to plain words."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from gateway.config.environment import DATE
from gateway.config.lines import KeyPath
from gateway.config.problems import nearest

_EXPECTED = {
    "string_type": "text in quotes",
    "path_type": "text in quotes",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "finite_number": "a finite number",
}
_SAYS = {
    "sink": "kind of store it is",
    "source": "protocol this source speaks",
    "proposer": "kind of proposer it is",
}
_ABOUT_TYPE = frozenset({"union_tag_invalid", "union_tag_not_found"})


def key_text(path: KeyPath) -> str:
    """Write a key path as people would.

    Examples
    --------
    >>> key_text(("source", 0, "url"))
    'source[1].url'
    """
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def within(document: Any, error: ErrorDetails) -> KeyPath:
    """Give the path of a finding in `document`, with the key that is missing from it.

    pydantic also names the branch of a union it tried, which nobody wrote.
    """
    path: KeyPath = ()
    here = document
    for step in error["loc"]:
        listed = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if listed or (isinstance(here, Mapping) and step in here):
            here = here[step]
            path = (*path, step)
    return (*path, error["loc"][-1]) if error["type"] == "missing" else path


def keys_at(schema: Mapping[str, Any], document: Any, path: KeyPath) -> list[str]:
    """List the keys that `schema` allows in the table at `path` of `document`."""
    here: Mapping[str, Any] = schema
    for step in path:
        here = _branch(schema, here, document)
        here = here.get("items", {}) if isinstance(step, int) else here["properties"].get(step, {})
        document = document[step]
    return list(_branch(schema, here, document).get("properties", ()))


def _branch(schema: Mapping[str, Any], here: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Follow a reference, or the branch of a union that `value` names by its type."""
    if "discriminator" in here:
        kind = value.get(here["discriminator"]["propertyName"])
        here = {"$ref": here["discriminator"]["mapping"].get(kind)}
    tables = [one for one in here.get("anyOf", ()) if "$ref" in one]
    if len(tables) == 1:
        # A table that may be left out.
        (here,) = tables
    reference = here.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else here


def sharpened(
    path: KeyPath, error: ErrorDetails, schema: Mapping[str, Any], document: Any
) -> tuple[KeyPath, str]:
    """Give the key that a finding is about, and the words for it.

    pydantic reports some findings at a table: about its type, or a rule across keys whose message
    begins with the key (``trust: …``).
    """
    if error["type"] in _ABOUT_TYPE:
        named = str(error["ctx"]["discriminator"]).strip("'")
        return (*path, named), words(error, [])
    text = words(error, keys_at(schema, document, path[:-1]))
    key, colon, rest = text.partition(": ")
    of_table = error["type"] == "value_error" and isinstance(error["input"], Mapping)
    if of_table and colon and key in keys_at(schema, document, path):
        return (*path, key), rest
    return path, text


def words(error: ErrorDetails, allowed: list[str]) -> str:
    """Say what is wrong; `allowed` are the keys of the table it stands in."""
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(error['loc'][-1]), allowed)}"
    if kind == "missing":
        return "is missing"
    if kind == "string_too_short":
        return "must not be empty"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {shown(error['input'])}"
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        return _choice(error, str(context.get("expected", context.get("expected_tags"))))
    if kind == "union_tag_not_found":
        return f"is missing: it says which {_SAYS[str(error['loc'][0])]}"
    if kind == "value_error":
        return str(context["error"])
    return f"{error['msg'].replace('Input should', 'should')}, got {shown(error['input'])}"


def _choice(error: ErrorDetails, expected: str) -> str:
    given = error["input"]
    if error["type"] == "union_tag_invalid":
        given = error["ctx"]["tag"]
    choices = [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
    known = ", ".join(choices)
    if str(given) in choices:
        return f"expected {given} without quotes, got {shown(given)}"
    return f"{shown(given)} is not one of {known}{nearest(str(given), choices)}"


def shown(value: Any) -> str:
    """Show a value as it would stand in the file, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:60]}"'
    if isinstance(value, Mapping):
        return str(value[DATE]) if value.keys() == {DATE} else "a table"
    return "a list" if isinstance(value, list) else str(value)
