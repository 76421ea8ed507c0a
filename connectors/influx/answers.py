"""What an InfluxDB answers, in words that a plant engineer can act on."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from json import JSONDecodeError, loads

from connectors.influx.config import InfluxConfig
from plant.errors import Misconfigured, PlantError, Unreachable

_LIMIT = 300
_DROPPED = re.compile(r"dropped=(\d+)")
_CONNECTION = re.compile(r"HTTPS?Connection(?:Pool)?\([^)]*\):? ?")
_OWN_HEADERS = (
    "x-influxdb-version",
    "x-influxdb-build",
    "x-influxdb-error",
    "x-platform-error-code",
)
TOO_LARGE = 413
_REFUSING = (400, TOO_LARGE, 422)
_BUSY = (429, 503)


class Refused(Exception):
    """The server will not take these lines; neighbours of a bad one may do better without it.

    Parameters
    ----------
    message
        What the server says.
    dropped
        Lines that it says it dropped while it stored the rest; None where it does not say.
    """

    def __init__(self, message: str, dropped: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.dropped = dropped


class Missing(Misconfigured):
    """The bucket or database is not there."""


def plain(text: str) -> str:
    r"""Put foreign words on one line of bounded length.

    Examples
    --------
    >>> plain("partial write:\n  field\x1b[31m type conflict")
    'partial write: field [31m type conflict'
    """
    shown = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(shown.split())
    return words if len(words) <= _LIMIT else f"{words[: _LIMIT - 1]}…"


def message_of(body: str, reason: str) -> str:
    """Take the message out of an answer: JSON of version 1, 2 or 3, or plain text."""
    found = _json(body)
    said = found.get("message") or found.get("error") or ("" if found else body) or reason
    return plain(str(said))


def _json(body: str) -> dict[str, object]:
    try:
        found = loads(body)
    except (JSONDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def answered(
    config: InfluxConfig, status: int, body: str, headers: Mapping[str, str], bucket: str
) -> PlantError | Refused:
    """Tell what follows from an answer that is no success."""
    said = message_of(body, f"status {status}")
    if status in _REFUSING:
        return _refused(config, status, body, headers, said)
    if status in _BUSY:
        wait = retry_after(headers)
        return Unreachable(
            f"{config.name}: {config.place} is busy: {said}; it is asked again by itself; if this "
            "lasts, it is too small for what it is sent",
            retry_after=wait,
        )
    if status == 404:
        return Missing(f"{config.name}: {_missing(config, said, bucket)}")
    if status in (401, 403) or 300 <= status < 400:
        return Misconfigured(f"{config.name}: {_mend(config, status, said, headers, bucket)}")
    return Unreachable(
        f"{config.name}: {config.place} answers {status}: {said}; see what its own log says"
    )


def _refused(
    config: InfluxConfig, status: int, body: str, headers: Mapping[str, str], said: str
) -> PlantError | Refused:
    """Believe only an InfluxDB that data are bad: what stands in front of one refuses all alike."""
    known = {name.lower() for name in headers}
    influx = known.intersection(_OWN_HEADERS) or {"message", "error"}.intersection(_json(body))
    if status != TOO_LARGE and not influx:
        return Misconfigured(
            f"{config.name}: {config.place} answers {status} as no InfluxDB does: {said}; see "
            "whether url leads to the server itself, with https:// where it speaks TLS"
        )
    dropped = _DROPPED.search(body)
    return Refused(f"{status}: {said}", int(dropped[1]) if dropped else None)


def _mend(
    config: InfluxConfig, status: int, said: str, headers: Mapping[str, str], bucket: str
) -> str:
    secret = _secret(config)
    if status == 401 and not secret:
        key = "user and password_file" if config.api == "v1" else "token_file or token_env"
        return f"{config.place} asks who we are: {said}; give {key}"
    if status == 401:
        return (
            f"{config.place} does not know {secret}: {said}; give it one that is valid there "
            "(InfluxDB 2: wheeltapper central init makes it)"
        )
    if status == 403:
        return (
            f"{config.place} does not let {secret or 'us'} into bucket {bucket}: {said}; give it "
            "the right to it, or use the token that wheeltapper central init makes"
        )
    there = plain(next((v for k, v in headers.items() if k.lower() == "location"), "elsewhere"))
    return f"{config.place} sends us on to {there}; write that address in url"


def _missing(config: InfluxConfig, said: str, bucket: str) -> str:
    if config.api == "v1":
        return (
            f"{config.place} has no database {bucket}: {said}; make it with CREATE DATABASE, or "
            "write its name in bucket"
        )
    if "not found" in said.lower() and "page" not in said.lower():
        single = "" if not config.several else ", or write split = false for a single bucket"
        return (
            f"{config.place} has no bucket {bucket} or no organization {config.org}: {said}; make "
            f"them with wheeltapper central init{single}"
        )
    return (
        f"{config.place} knows nothing of version 2 of the API: {said}; for an InfluxDB before 1.8 "
        'write api = "v1"'
    )


def _secret(config: InfluxConfig) -> str:
    if config.user is not None:
        return f"user {config.user} with the password in {config.password_file}"
    if config.token_file is not None:
        return f"the token in {config.token_file}"
    if config.token_env is not None:
        return f"the token in the variable {config.token_env}"
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how long a server wants to be left alone, s (RFC 9110 §10.2.3); None if it did not say.

    A date counts from the server's own date where it tells one: clocks differ.

    Examples
    --------
    >>> retry_after({"retry-after": "120"})
    120.0
    >>> retry_after({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
    ...              "Date": "Fri, 31 Dec 1999 23:59:29 GMT"})
    30.0
    >>> retry_after({"Retry-After": "soon"}) is None
    True
    """
    told = {name.lower(): value for name, value in headers.items()}
    value = told.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    until = _seconds(value)
    if until is None:
        return None
    now = _seconds(told.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def unanswered(config: InfluxConfig, error: BaseException) -> PlantError:
    """Tell what follows when there is no answer."""
    why = plain(_innermost(error))
    place = f"{config.name}: {config.place}"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return Misconfigured(f"{place}: {_certificate(config, why)}")
    if "WRONG_VERSION_NUMBER" in why or "record layer failure" in why:
        return Misconfigured(
            f"{place} does not speak TLS ({why}); write url = http://… or turn it on"
        )
    return Unreachable(f"{place} does not answer: {why}; {_look(why)}")


def _look(why: str) -> str:
    """Tell where to look when nobody answers."""
    for sign, where in _LOOKS.items():
        if sign in why:
            return where
    return "see the cable, what lies between, and whether it is on"


_LOOKS = {
    "refused": "that machine is there: is the store on, and does url name its port?",
    "Failed to resolve": "see the name in url, and whether this machine can look names up",
    "ame or service not known": "see the name in url, and whether this machine can look names up",
}


def _innermost(error: BaseException) -> str:
    """Give the words of what went wrong without the library's own around them."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    text = str(error).rpartition("Caused by ")[2] or str(error)
    return _CONNECTION.sub("", text).strip() or type(error).__name__


def _certificate(config: InfluxConfig, why: str) -> str:
    if "expired" in why:
        return f"its certificate is out of date ({why}); renew it there, and see the clock here"
    if "not yet valid" in why:
        return f"its certificate is not valid yet ({why}); see the clocks of both machines"
    if "ostname mismatch" in why or "IP address mismatch" in why:
        return f"its certificate is for another name ({why}); write the name it carries in url"
    trusted = f"the authority in {config.ca}" if config.ca else "an authority known here"
    return f"its certificate is not signed by {trusted} ({why}); name the right PEM file in ca"
