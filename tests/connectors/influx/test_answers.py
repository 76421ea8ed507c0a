"""Every answer leads to one of the product's words, and says what to do."""

import json
from email.utils import formatdate

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from connectors.influx.answers import (
    Missing,
    Refused,
    answered,
    message_of,
    retry_after,
    unanswered,
)
from connectors.influx.config import InfluxConfig
from plant.errors import Misconfigured, Unreachable

V2 = InfluxConfig(name="central", url="https://i:8086", org="plant", token_env="INFLUX_TOKEN")
V1 = InfluxConfig(
    name="central", url="https://i:8086", api="v1", bucket="p", user="u", password_file="/p"
)
NOBODY = InfluxConfig(name="central", url="https://i:8086", org="plant")
NGINX = "<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>"


def body(message: str) -> str:
    return json.dumps({"code": "any", "message": message})


@pytest.mark.parametrize(
    ("config", "status", "said", "headers", "kind", "words"),
    [
        (V2, 401, body("unauthorized access"), {}, Misconfigured, "the variable INFLUX_TOKEN"),
        (V1, 401, '{"error":"authorization failed"}', {}, Misconfigured, "the password in /p"),
        (NOBODY, 401, body("unauthorized access"), {}, Misconfigured, "give token_file or"),
        (V2, 403, body("insufficient permissions for write"), {}, Misconfigured, "into bucket b"),
        (V2, 404, body('bucket "b" not found'), {}, Missing, "wheeltapper central init"),
        (V2, 404, "404 page not found", {}, Missing, 'write api = "v1"'),
        (V1, 404, '{"error":"database not found: \\"p\\""}', {}, Missing, "CREATE DATABASE"),
        (V2, 301, "", {"Location": "https://j/"}, Misconfigured, "on to https://j/"),
        (V2, 400, NGINX, {}, Misconfigured, "as no InfluxDB does"),
        (V2, 400, body("unable to parse 'x'"), {}, Refused, "unable to parse 'x'"),
        (V1, 400, "bad", {"X-Influxdb-Version": "1.6.7"}, Refused, "400: bad"),
        (V2, 422, body("partial write: dropped=3"), {}, Refused, "dropped=3"),
        (V2, 413, "<html>too large</html>", {}, Refused, "413"),
        (V2, 429, "", {"Retry-After": "7"}, Unreachable, "is busy"),
        (V2, 503, "<html>", {}, Unreachable, "is busy"),
        (V2, 500, body("internal error"), {}, Unreachable, "answers 500: internal error"),
        (V2, 504, "", {}, Unreachable, "504"),
    ],
)
def test_answers(
    config: InfluxConfig,
    status: int,
    said: str,
    headers: dict[str, str],
    kind: type[Exception],
    words: str,
) -> None:
    follows = answered(config, status, said, headers, "b")

    assert type(follows) is kind
    assert words in str(follows)


def test_how_many_were_dropped_is_read() -> None:
    follows = answered(V2, 422, body("partial write: conflict dropped=3"), {}, "b")

    assert isinstance(follows, Refused)
    assert follows.dropped == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after": " 30 "}, 30.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "²"}, None),
        ({}, None),
        ({"Retry-After": formatdate(0, usegmt=True)}, 0.0),
        (
            {
                "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
                "Date": "Fri, 31 Dec 1999 23:58:59 GMT",
            },
            60.0,
        ),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_busy_says_for_how_long() -> None:
    follows = answered(V2, 503, "", {"Retry-After": "12"}, "b")

    assert isinstance(follows, Unreachable)
    assert follows.retry_after == 12.0


def test_messages_are_one_line_of_bounded_length() -> None:
    assert message_of('{"message": "a\\nb\\u001b[31m"}', "r") == "a b [31m"
    assert message_of("", "no reason") == "no reason"
    assert len(message_of("x" * 10_000, "")) == 300
    assert message_of("[" * 100_000, "")[:3] == "[[["


@pytest.mark.parametrize(
    ("why", "kind", "words"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired", Misconfigured, "out of date"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate",
            Misconfigured,
            "PEM file in ca",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] Hostname mismatch", Misconfigured, "another name"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] not yet valid", Misconfigured, "clocks"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", Misconfigured, "does not speak TLS"),
        ("[SSL] EOF occurred in violation of protocol", Unreachable, "does not answer"),
    ],
)
def test_tls(why: str, kind: type[Exception], words: str) -> None:
    follows = unanswered(V2, OSError(why))

    assert type(follows) is kind
    assert words in str(follows)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NewConnectionError(HTTPConnection("i"), "Connection refused"), "Connection refused"),
        (ReadTimeoutError(HTTPConnectionPool("i"), "", "Read timed out."), "Read timed out."),
        (ProtocolError("Connection aborted.", ConnectionResetError("gone")), "gone"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_no_answer(error: Exception, words: str) -> None:
    follows = unanswered(V2, error)

    assert isinstance(follows, Unreachable)
    assert str(follows).startswith(f"central: https://i:8086 does not answer: {words}; ")
