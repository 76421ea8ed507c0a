"""One InfluxDB over HTTP: influxdb-client below, our words for its answers above.

The client sends nothing again by itself and keeps nothing back: what is used of it is the service
beneath its synchronous writes, without retries and redirects, so that the bytes on the wire are
ours: level 6 of gzip costs half of the client's own level 9 for 5 % more bytes. A ping is no proof
of anything (InfluxDB 1 answers it, with any token): what proves the way is a write, and one without
lines is enough to see token, organization and bucket.
"""

import gzip
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from connectors.influx.answers import Refused, answered, unanswered
from connectors.influx.config import InfluxConfig
from plant.errors import Misconfigured
from plant.files import first_line

_TEXT = "text/plain; charset=utf-8"
LEVEL = 6
"""Of gzip."""
_NOTHING = b"\n"
"""A line without a point: some servers take a body of no bytes for a mistake."""


class Server:
    """A connection to one InfluxDB.

    Parameters
    ----------
    config
        Where it is, and who we are to it.

    Raises
    ------
    Misconfigured
        A file that is needed cannot be read, or a variable is not set.
    """

    def __init__(self, config: InfluxConfig) -> None:
        self._config = config
        self._client = client_of(config, _secret(config))
        self._writer = WriteService(self._client.api_client)
        self.sent_bytes = 0
        """Bytes of the bodies that were sent, as they went over the wire."""

    def close(self) -> None:
        """Let go of the connections; nothing is waited for."""
        self._client.close()

    def prove(self, bucket: str) -> None:
        """See by a write without lines that we may write to a bucket.

        Raises
        ------
        Unreachable, Misconfigured
            As for `write`.
        """
        try:
            self.write(bucket, _NOTHING)
        except Refused:
            # That there is nothing to write is said after token and bucket were looked at.
            return

    def write(self, bucket: str, body: bytes) -> None:
        """Write lines; when it returns, the server has said that it has them.

        Raises
        ------
        Refused
            For what the lines are; some of them may have been stored.
        Unreachable, Misconfigured
            Nothing is known to be stored.
        """
        packed = {"Content-Encoding": "gzip"} if self._config.gzip else {}
        sent = gzip.compress(body, LEVEL) if packed else body
        self.sent_bytes += len(sent)
        with self._answers(bucket):
            if self._config.api == "v1":
                self._write_v1(bucket, sent, packed)
            else:
                coding = {"content_encoding": "gzip"} if packed else {}
                self._writer.post_write(self._config.org, bucket, sent, precision="ns", **coding)

    def _write_v1(self, bucket: str, body: bytes, packed: Mapping[str, str]) -> None:
        database, _, policy = bucket.partition("/")
        query = [("db", database), ("precision", "ns"), *([("rp", policy)] if policy else [])]
        self._client.api_client.call_api(
            "/write",
            "POST",
            query_params=query,
            header_params={"Content-Type": _TEXT, **packed},
            body=body,
        )

    def ask(self, database: str, query: str, rows: int) -> HTTPResponse:
        """Ask in InfluxQL; the answer comes in pieces of so many rows and is closed by its reader.

        Raises
        ------
        Unreachable, Misconfigured
            There is no answer, or we are not let.
        Refused
            The server does not understand the query.
        """
        name, _, policy = database.partition("/")
        fields: Mapping[str, str] = {
            "db": name,
            **({"rp": policy} if policy else {}),
            "q": query,
            "epoch": "ns",
            "chunked": "true",
            "chunk_size": str(rows),
        }
        with self._answers(database):
            response: HTTPResponse = self._client.api_client.call_api(
                "/query",
                "POST",
                header_params={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                },
                post_params=list(fields.items()),
                _preload_content=False,
                _return_http_data_only=True,
            )
            return response

    @contextmanager
    def answers(self, bucket: str) -> Iterator[None]:
        """Put what the libraries raise into our words."""
        with self._answers(bucket):
            yield

    @contextmanager
    def _answers(self, bucket: str) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            if not error.status:
                raise unanswered(self._config, error) from error
            body = (
                error.body.decode("utf-8", "replace")
                if isinstance(error.body, bytes)
                else error.body
            )
            raise answered(
                self._config, error.status, body or "", dict(error.headers or {}), bucket
            ) from error
        except (HTTPError, InfluxDBError, OSError, UnicodeError) as error:
            raise unanswered(self._config, error) from error


def client_of(config: InfluxConfig, secret: str | None) -> InfluxDBClient:
    """Make a client of the library; nothing is connected yet.

    Parameters
    ----------
    config
        Where it leads.
    secret
        Token, or ``user:password`` where the configuration names a user.

    Raises
    ------
    Misconfigured
        The file in `ca` cannot be used.
    """
    patience = round(config.timeout_s * 1000)
    return InfluxDBClient(
        config.place,
        token=secret,  # type: ignore[arg-type] # None is the library's own default
        auth_basic=config.user is not None,
        org=config.org,
        timeout=(patience, patience),
        ssl_context=_context(config) if config.url.startswith("https:") else None,
    )


def _secret(config: InfluxConfig) -> str | None:
    if config.user is not None and config.password_file is not None:
        return f"{config.user}:{_of_file(config.password_file, 'password_file', config.name)}"
    if config.token_file is not None:
        return _of_file(config.token_file, "token_file", config.name)
    if config.token_env is not None:
        token = os.environ.get(config.token_env, "").strip()
        if not token:
            raise Misconfigured(
                f"{config.name}: token_env names the variable {config.token_env}, which is not set"
            )
        return _sendable(token, f"the variable {config.token_env}", config.name)
    return None


def _of_file(path: Path, key: str, name: str) -> str:
    where = f"{name}: {key} {path}"
    line = first_line(path, where).strip()
    if not line:
        raise Misconfigured(f"{where} has nothing in its first line")
    return _sendable(line, f"{key} {path}", name) if key == "token_file" else line


def _sendable(token: str, where: str, name: str) -> str:
    if not (token.isascii() and token.isprintable()):
        raise Misconfigured(f"{name}: {where} holds characters that no token has")
    return token


def _context(config: InfluxConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except ssl.SSLError:
        raise Misconfigured(
            f"{config.name}: ca {config.ca} holds no certificate in PEM form"
        ) from None
    except OSError as error:
        raise Misconfigured(
            f"{config.name}: ca {config.ca} cannot be read: {error.strerror}"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
