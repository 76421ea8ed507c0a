"""Units as people write them; tags carry UCUM codes."""

_WRITTEN = {
    "Cel": "°C",
    "[degF]": "°F",
    "m3/h": "m³/h",
    "um": "µm",
    "m/s2": "m/s²",
    "/min": "1/min",
    "1": "",
}


def written(code: str) -> str:
    """Write a UCUM code for people; one that is not known stays as it is.

    Examples
    --------
    >>> written("Cel"), written("{parts}/h"), written("bar")
    ('°C', 'parts/h', 'bar')
    """
    return _WRITTEN.get(code, code.replace("{", "").replace("}", ""))
