"""TLS to the store: who is believed, and what is said of the others."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors.influx.sink import InfluxSink
from plant.errors import Misconfigured, Unreachable
from tests.connectors.influx.records import T0, Place, samples, tags
from tests.parts.stores.proxy import FaultProxy
from tests.parts.stores.servers import Store

pytestmark = pytest.mark.journey
DAY = timedelta(days=1)
Served = Callable[..., FaultProxy]


def certified(folder: Path, host: str = "127.0.0.1", begins: int = -1, ends: int = 1) -> Path:
    """A certificate that signs itself, with its key, valid from and to so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins * DAY)
        .not_valid_after(now + ends * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "store.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return pem


@pytest.fixture
def served(influx16: Store) -> Iterator[Served]:
    with ExitStack() as stack:

        def serve(pem: Path) -> FaultProxy:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            return stack.enter_context(FaultProxy(influx16.port, context=context))

        yield serve


def sink(place: Place, url: str, ca: Path | None) -> InfluxSink:
    return place.sink(tags(), url=url, ca=ca, timeout_s=5.0)


def test_what_is_sent_over_tls_arrives(v1: Place, served: Served, tmp_path: Path) -> None:
    pem = certified(tmp_path)

    with sink(v1, served(pem).url, pem) as over_tls:
        assert list(over_tls.write([samples([0], [T0], [1.5])])) == []

    (found,) = v1.ask('SELECT "v" FROM "signal"')
    assert found["values"] == [[T0, 1.5]]


def test_a_certificate_that_nobody_signed_for_us(v1: Place, served: Served, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"not signed by an authority known here .* in ca"):
        sink(v1, served(certified(tmp_path)).url, None).__enter__()


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({"begins": -3, "ends": -1}, "out of date"),
        ({"begins": 1, "ends": 3}, "not valid yet"),
        ({"host": "127.0.0.2"}, "for another name"),
    ],
    ids=["expired", "early", "other host"],
)
def test_a_certificate_that_does_not_hold(
    v1: Place, served: Served, tmp_path: Path, certificate: dict[str, object], words: str
) -> None:
    pem = certified(tmp_path, **certificate)  # type: ignore[arg-type]

    with pytest.raises(Misconfigured, match=words):
        sink(v1, served(pem).url, pem).__enter__()


def test_one_that_does_not_speak_tls(v1: Place) -> None:
    with pytest.raises(Misconfigured, match="does not speak TLS"):
        sink(v1, v1.url.replace("http:", "https:"), None).__enter__()


def test_one_that_speaks_nothing_but_tls(v1: Place, served: Served, tmp_path: Path) -> None:
    url = served(certified(tmp_path)).url.replace("https:", "http:")

    with pytest.raises(Unreachable, match="does not answer"):
        sink(v1, url, None).__enter__()


@pytest.mark.parametrize(("text", "words"), [("no PEM", "no certificate in PEM form")])
def test_a_file_of_an_authority_that_is_none(
    v1: Place, tmp_path: Path, text: str, words: str
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(text)

    with pytest.raises(Misconfigured, match=words):
        sink(v1, "https://127.0.0.1:1", ca).__enter__()
