"""TLS: our own certificate, one that is given, and what a real client makes of either."""

from __future__ import annotations

import asyncio
import http.client
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.console import tls as subject
from gateway.console.server import ConsoleServer
from gateway.console.tls import (
    Pair,
    Shown,
    context,
    facts,
    names_of_machine,
    own_pair,
    prepare,
    problems,
)
from plant.errors import Misconfigured
from tests.gateway.console.guarded import PASSWORD, Browser, People

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Console, Plant

DAY = timedelta(days=1)
NAMES = ["gateway.plant.example", "127.0.0.1"]


@dataclass
class Given:
    """A certificate as the plant's IT would give it; each test spoils one thing of it."""

    folder: Path
    since: timedelta = -DAY
    until: timedelta = 100 * DAY
    names: tuple[str, ...] = ("gateway.plant.example", "*.works.example")
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH

    def write(self) -> Pair:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + self.since)
            .not_valid_after(now + self.until)
            .add_extension(x509.ExtendedKeyUsage([self.usage]), critical=False)
        )
        alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in self.names])
        made = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
        pair = Pair(self.folder / "given.pem", self.folder / "given-key.pem", own=False)
        pair.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pair.key.chmod(0o600)
        return pair


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def told(pair: Pair) -> str:
    return "; ".join(f"{which}: {words}" for which, words in problems(pair))


# our own


def test_own_certificate_is_made_once_for_its_names(tmp_path: Path) -> None:
    pair = own_pair(tmp_path)

    assert prepare(pair, NAMES, NAMES)
    first = pair.certificate.read_bytes()

    assert not prepare(pair, NAMES, NAMES)
    assert pair.certificate.read_bytes() == first
    assert set(facts(pair).names) == set(NAMES)
    assert pair.key.stat().st_mode & 0o777 == 0o600
    assert told(pair) == ""


@pytest.mark.parametrize("names", [[*NAMES, "other.example"], ["10.0.0.5"]])
def test_own_certificate_is_made_anew_for_another_name_with_the_same_key(
    tmp_path: Path, names: list[str]
) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, NAMES, NAMES)
    key = pair.key.read_bytes()

    assert prepare(pair, names, names)
    assert (set(facts(pair).names), pair.key.read_bytes()) == (set(names), key)


def test_own_certificate_stays_while_it_has_the_names_that_are_needed(tmp_path: Path) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, [*NAMES, "4f1c20aa", "172.17.0.2"], NAMES)

    assert not prepare(pair, [*NAMES, "9e07b3d1", "172.17.0.3"], NAMES)


def test_own_certificate_is_made_anew_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, NAMES, NAMES)
    monkeypatch.setattr(subject, "RENEW_DAYS", subject.OWN_DAYS)

    assert prepare(pair, NAMES, NAMES)


def test_own_certificate_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, NAMES, NAMES)
    pair.certificate.write_bytes(b"\x00half")

    assert prepare(pair, NAMES, NAMES)
    assert told(pair) == ""


def test_certificate_that_is_given_is_never_made(given: Given) -> None:
    pair = given.write()
    before = pair.certificate.read_bytes()

    assert not prepare(pair, ["other.example"], ["other.example"])
    assert pair.certificate.read_bytes() == before


def test_own_certificate_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("in the way")

    with pytest.raises(Misconfigured, match="cannot be made"):
        prepare(own_pair(tmp_path), NAMES, NAMES)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1", "192.0.2.7"])
def test_names_hold_what_was_said_loopback_and_the_host(host: str) -> None:
    names = names_of_machine(host, ["gateway.plant.example"])

    assert names[0] == "gateway.plant.example"
    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert (host in names) == (host not in ("0.0.0.0", "::"))


# one that is given


def test_sound_certificate_has_no_problems(given: Given) -> None:
    assert told(given.write()) == ""


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"until": -DAY / 2}, "certificate: .* ran out on"),
        ({"since": DAY}, "certificate: .* is the clock of this machine right"),
        ({"names": ()}, "certificate: .* names no host"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "certificate: .* is not made for a server"),
    ],
)
def test_spoilt_certificate_is_told(given: Given, spoilt: dict[str, object], why: str) -> None:
    for name, value in spoilt.items():
        setattr(given, name, value)

    assert re.search(why, told(given.write()))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_key_that_others_can_read_is_told(given: Given, mode: int) -> None:
    pair = given.write()
    pair.key.chmod(mode)

    assert "key: " in told(pair)
    assert "chmod 600" in told(pair)


def test_key_that_a_group_may_read_is_taken(given: Given) -> None:
    pair = given.write()
    pair.key.chmod(0o640)

    assert told(pair) == ""


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, word: bytes = b"") -> bytes:
    hidden = BestAvailableEncryption(word) if word else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no private key in PEM"),
        (b"\x00\xff" * 300, "holds no private key in PEM"),
        (b"x" * (subject.MOST_BYTES + 1), "is larger than"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "does not belong to"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), b"word"), "is encrypted"),
    ],
)
def test_key_that_does_not_fit_is_told(given: Given, content: bytes, why: str) -> None:
    pair = given.write()
    pair.key.write_bytes(content)

    assert why in told(pair)


def test_missing_files_are_told(tmp_path: Path) -> None:
    pair = Pair(tmp_path / "no.pem", tmp_path / "no-key.pem", own=False)

    assert told(pair).count("no such file") == 2


def test_certificate_and_key_taken_for_each_other_are_told(given: Given) -> None:
    pair = given.write()

    assert "holds no certificate" in told(Pair(pair.key, pair.certificate, own=False))


def test_new_files_are_shown_once_both_are_there(given: Given) -> None:
    pair = given.write()
    shown = Shown(pair)
    first = shown.facts.thumbprint
    other = Given(given.folder / "new", until=200 * DAY)
    other.folder.mkdir()
    new = other.write()
    assert shown.look() is None

    new.certificate.replace(pair.certificate)
    assert "does not belong to" in str(shown.look())
    assert (shown.look(), shown.facts.thumbprint) == (None, first)

    new.key.replace(pair.key)
    assert shown.look() == ""
    assert (shown.facts.thumbprint == first, round(shown.facts.days)) == (False, 200)


def test_files_that_go_are_told_once_and_the_old_ones_go_on(given: Given) -> None:
    pair = given.write()
    shown = Shown(pair)

    pair.certificate.unlink()

    assert "no such file" in str(shown.look())
    assert shown.look() is None


# over the wire


@pytest.mark.journey
def test_browser_that_trusts_the_certificate_logs_in_over_tls(
    console: Console, plant: Plant, tmp_path: Path
) -> None:
    people, pair = People(tmp_path / "accounts.toml"), own_pair(tmp_path)
    prepare(pair, ["localhost", "127.0.0.1"], ["localhost", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(pair.certificate))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself

    with type(console)(plant, access=people.access, tls=pair, trusting=trusting) as server:
        answer = Browser(server).try_login("the-viewer", PASSWORD)
        person = Browser(server).login("the-viewer")
        session = person.get("/api/session")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-wheeltapper=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} < set(cookie.split("; "))
    assert session.content["name"] == "the-viewer"


@pytest.mark.journey
def test_who_speaks_no_tls_gets_no_answer(console: Console, plant: Plant, tmp_path: Path) -> None:
    people, pair = People(tmp_path / "accounts.toml"), own_pair(tmp_path)
    prepare(pair, ["127.0.0.1"], ["127.0.0.1"])

    with type(console)(plant, access=people.access, tls=pair) as server:
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        plain.request("GET", "/")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()


def test_tls_before_1_2_is_not_spoken(tmp_path: Path) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, ["127.0.0.1"], ["127.0.0.1"])

    assert context(pair).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.journey
@pytest.mark.parametrize("options", [{}, {"access": True}, {"tls": True}])
def test_network_without_accounts_and_tls_is_refused(
    plant: Plant, tmp_path: Path, options: dict[str, bool]
) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, ["127.0.0.1"], ["127.0.0.1"])
    people = People(tmp_path / "accounts.toml")
    there = {"access": people.access, "tls": pair}

    with pytest.raises(Misconfigured, match="without accounts and TLS"):
        ConsoleServer(plant, host="0.0.0.0", **{name: there[name] for name in options})  # type: ignore[arg-type]


@pytest.mark.journey
def test_network_takes_no_other_port_than_its_own(plant: Plant, tmp_path: Path) -> None:
    pair, people = own_pair(tmp_path), People(tmp_path / "accounts.toml")
    prepare(pair, ["127.0.0.1"], ["127.0.0.1"])

    async def journey() -> None:
        async with ConsoleServer(
            plant, host="0.0.0.0", port=0, access=people.access, tls=pair
        ) as first:
            with pytest.raises(Misconfigured, match=f"port {first.port} at 0.0.0.0 is in use"):
                async with ConsoleServer(
                    plant, host="0.0.0.0", port=first.port, access=people.access, tls=pair
                ):
                    pass

    asyncio.run(journey())


@pytest.mark.journey
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("gateway.plant.example", 200),
        ("gateway.plant.example:8443", 200),
        ("GATEWAY.plant.example:8443", 200),
        ("one.works.example", 200),
        ("10.0.0.5:8443", 200),
        ("[fd00::5]:8443", 200),
        ("evil.example", 421),
        ("gateway.plant.example.evil.example", 421),
        ("two.one.works.example", 421),
        ("works.example", 421),
        ("10.0.0.5.evil.example", 421),
        ("[fd00::5", 421),
        ("", 421),
        (":8443", 421),
    ],
)
def test_on_a_network_it_answers_to_its_names_and_to_numbers(
    console: Console, plant: Plant, given: Given, tmp_path: Path, host: str, status: int
) -> None:
    people, pair = People(tmp_path / "accounts.toml"), given.write()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    options = {"host": "0.0.0.0", "access": people.access, "tls": pair, "trusting": trusting}

    with type(console)(plant, names=facts(pair).names, **options) as server:
        assert server.ask("/", headers={"Host": host}).status == status
