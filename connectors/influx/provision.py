"""Buckets and tokens of an InfluxDB 2, made once; a second run changes nothing.

The server shows a token when it is made and never again (it keeps a hash since 2.9.0), so a token
goes into its file before anything else is done. What a person has changed stays: the time that a
bucket keeps is told, not set back.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.authorization import Authorization
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from connectors.influx.answers import message_of, plain, unanswered
from connectors.influx.config import InfluxConfig
from connectors.influx.schema import DAY_S, KEEPINGS
from connectors.influx.server import client_of
from plant.errors import Misconfigured, PlantError, Unreachable

_PAGE = 100
_BUCKETS_MOST = 10_000


class Done(StrEnum):
    """What became of one thing."""

    MADE = "made"
    THERE = "was there"
    RENEWED = "made anew"
    DIFFERS = "was there, and is left as it is"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was made or found.

    Parameters
    ----------
    what
        ``bucket`` or ``token``.
    name
        Its name at the server.
    done
        What became of it.
    detail
        For people: what it is for, how long it keeps, where its file is.
    file
        Where a token was put.
    """

    what: str
    name: str
    done: Done
    detail: str
    file: Path | None = None


class Provision:
    """An InfluxDB 2 that is set up for gateways.

    Parameters
    ----------
    config
        Where it is: url, org, bucket, ca; the token is that of an administrator.
    token
        The administrator's token.
    folder
        Where the files of the tokens go; made if it is missing.
    renew
        Make new tokens, and end the old ones.
    """

    def __init__(
        self, config: InfluxConfig, token: str, folder: Path, *, renew: bool = False
    ) -> None:
        self._config = config
        self._folder = folder
        self._renew = renew
        self._client: InfluxDBClient = client_of(config, token)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def run(self) -> Iterator[Step]:
        """Do what is missing, and tell each step once it is done.

        Raises
        ------
        Misconfigured
            The token is not an administrator's, the organization is missing, a file cannot be
            written, or a token is known to the server only.
        Unreachable
            The server does not answer.
        """
        with self._answers():
            org = self._organization()
            buckets: list[Any] = []
            for step, bucket in self._buckets(org):
                buckets.append(bucket)
                yield step
            known = self._client.authorizations_api().find_authorizations(org_id=org) or []
            for action in ("write", "read"):
                yield self._token(action, org, buckets, known)

    def _organization(self) -> str:
        """Give the id of the organization; who may see none is told so."""
        found = self._client.organizations_api().find_organizations() or []
        for one in found:
            if one.name == self._config.org:
                return str(one.id)
        names = ", ".join(sorted(plain(str(one.name)) for one in found)) or "none that we may see"
        raise Misconfigured(
            f"{self._config.place} has no organization {self._config.org!r}; there are: {names}. "
            "Name it with --org, or make it with: influx org create"
        )

    def _buckets(self, org: str) -> Iterator[tuple[Step, Any]]:
        there = {each.name: each for each in self._all_buckets(org)}
        api = self._client.buckets_api()
        for keeping in KEEPINGS if self._config.several else KEEPINGS[:1]:
            name = self._config.bucket + keeping.suffix
            if name in there:
                kept = _kept(there[name])
                done = Done.THERE if kept == keeping.seconds else Done.DIFFERS
                detail = f"keeps {_span(kept)}"
                if done is Done.DIFFERS:
                    detail += f"; we would have kept {_span(keeping.seconds)}"
                yield Step("bucket", name, done, detail), there[name]
                continue
            rules = BucketRetentionRules(type="expire", every_seconds=keeping.seconds)
            made = api.create_bucket(
                bucket_name=name,
                org=org,
                retention_rules=rules,
                description=f"Wheeltapper: kept for {_span(keeping.seconds)}",
            )
            yield Step("bucket", name, Done.MADE, f"keeps {_span(keeping.seconds)}"), made

    def _all_buckets(self, org: str) -> Iterator[Any]:
        api = self._client.buckets_api()
        for offset in range(0, _BUCKETS_MOST, _PAGE):
            page = api.find_buckets(org_id=org, limit=_PAGE, offset=offset).buckets or []
            yield from page
            if len(page) < _PAGE:
                return

    def _token(self, action: str, org: str, buckets: Sequence[Any], known: Sequence[Any]) -> Step:
        """Find or make the token that may do `action` in these buckets, and nothing else."""
        name = f"wheeltapper {action} {self._config.bucket}"
        file = self._folder / f"{action}.token"
        old = [one for one in known if one.description == name and one.status == "active"]
        fitting = [one for one in old if _fits(one, action, buckets)]
        may = f"may {action} these buckets, and nothing else"
        if fitting and _filled(file) and not self._renew:
            return Step("token", name, Done.THERE, f"{may}; in {file}", file)
        if old and not self._renew:
            raise Misconfigured(_ask_first(name, file, fits=bool(fitting)))
        self._make(action, org, buckets, name, file)
        for each in old:
            self._client.authorizations_api().delete_authorization(each.id)
        return Step("token", name, Done.RENEWED if old else Done.MADE, f"{may}; in {file}", file)

    def _make(self, action: str, org: str, buckets: Sequence[Any], name: str, file: Path) -> None:
        """Make a token; its file is opened before, so that no token is made that nobody knows."""
        permissions = [
            Permission(
                action=action, resource=PermissionResource(type="buckets", id=each.id, org_id=org)
            )
            for each in buckets
        ]
        asked = Authorization(org_id=org, permissions=permissions, description=name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = file.with_suffix(".new")
            beside.unlink(missing_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise Misconfigured(f"{file} cannot be written: {error.strerror}") from error
        with os.fdopen(handle, "w", encoding="ascii") as secret:
            made = self._client.authorizations_api().create_authorization(authorization=asked)
            secret.write(f"{made.token}\n")
            secret.flush()
            os.fsync(secret.fileno())
        beside.replace(file)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            if not error.status:
                raise unanswered(self._config, error) from error
            raise self._complaint(error.status, str(error.body or "")) from error
        except (HTTPError, InfluxDBError, UnicodeError) as error:
            raise unanswered(self._config, error) from error

    def _complaint(self, status: int, body: str) -> PlantError:
        said, place = message_of(body, f"status {status}"), self._config.place
        if status in (401, 403):
            return Misconfigured(
                f"{place} does not let this token make buckets and tokens: {said}; give that of an "
                "administrator (an operator or all-access token)"
            )
        if status == 404:
            return Misconfigured(
                f"{place} is no InfluxDB 2, or has not been set up: {said}; see that url leads to "
                "it, and that it went through its first set-up (influx setup)"
            )
        if status >= 500 or status == 429:
            return Unreachable(f"{place} answers {status}: {said}")
        return Misconfigured(f"{place} refuses, status {status}: {said}")


def _ask_first(name: str, file: Path, *, fits: bool) -> str:
    """Say why a token is not simply replaced: gateways that use it would be shut out."""
    mend = "make a new one with --renew, and take it to every gateway (the old one stops working)"
    if not fits:
        return f"the token {name!r} exists, but not for all of these buckets; {mend}"
    return (
        f"the token {name!r} exists, but {file} does not, and the server tells a token only when "
        f"it is made; copy the file from where it was made, or {mend}"
    )


def _kept(bucket: Any) -> int:
    rules = bucket.retention_rules or []
    return int(rules[0].every_seconds) if rules else 0


def _span(seconds: int) -> str:
    """Write how long something is kept.

    Examples
    --------
    >>> _span(315_360_000), _span(7_776_000), _span(3600), _span(0)
    ('10 years', '90 days', '1 hour', 'for ever')
    """
    for unit, size in (("year", 365 * DAY_S), ("day", DAY_S), ("hour", 3600), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "for ever"


def _filled(file: Path) -> bool:
    try:
        return bool(file.read_text("ascii").strip())
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error


def _fits(token: Any, action: str, buckets: Sequence[Any]) -> bool:
    """Tell whether a token may do its work in all the buckets: one made anew has a new id."""
    allowed = {
        each.resource.id
        for each in token.permissions or ()
        if each.action == action and each.resource.type == "buckets"
    }
    return allowed >= {each.id for each in buckets}
