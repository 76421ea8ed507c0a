"""Certificates made for the occasion, each wrong in one way."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.opcua.security.certificates import (
    MAX_REJECTED,
    read_certificate,
    read_trust_list,
    thumbprint,
)
from connectors.opcua.security.trust import Expected, check_server
from plant.errors import Misconfigured
from tests.connectors.opcua.recipes import (
    AUTHORITY,
    CURVE_KEY,
    ISSUED,
    KEY,
    NOW,
    OTHER_KEY,
    SERVER,
    WEAK_KEY,
    Recipe,
    read_back,
    revocations,
)

EXPECTED = Expected("plc", "127.0.0.1", "urn:plant:plc")

Put = Callable[[str, x509.Certificate | x509.CertificateRevocationList], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put_down(where: str, thing: x509.Certificate | x509.CertificateRevocationList) -> Path:
        path = tmp_path / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(thing.public_bytes(Encoding.DER))
        return path

    return put_down


def check(
    certificate: x509.Certificate,
    folder: Path,
    expected: Expected = EXPECTED,
    presented: tuple[x509.Certificate, ...] = (),
) -> None:
    check_server(certificate, expected, read_trust_list(folder), NOW, presented)


def test_a_trusted_certificate_is_believed(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/plc.der", Recipe().bake())
    check(Recipe().bake(), tmp_path)


def test_a_pem_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "plc.pem"
    path.write_bytes(Recipe().bake().public_bytes(Encoding.PEM))
    assert read_certificate(path) == Recipe().bake()


def test_a_stranger_is_stored_and_the_message_says_how_to_trust(tmp_path: Path) -> None:
    stranger = Recipe().bake()
    with pytest.raises(Misconfigured, match="not trusted") as refusal:
        check(stranger, tmp_path)
    (stored,) = (tmp_path / "rejected").iterdir()
    assert read_certificate(stored) == stranger
    command = f"wheeltapper trust accept {thumbprint(stranger)[:16]} --folder {tmp_path}"
    assert str(refusal.value).endswith(command)
    stored.rename(tmp_path / "trusted/certs" / stored.name)
    check(stranger, tmp_path)


def test_a_twin_with_another_key_is_a_stranger(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/plc.der", Recipe().bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(Recipe(key=OTHER_KEY, signer=OTHER_KEY).bake(), tmp_path)


WRONG = {
    "expired": (Recipe(days=5), "valid from"),
    "not yet valid": (Recipe(start=NOW + timedelta(days=1)), "valid from"),
    "other host": (Recipe(names=(SERVER[0], x509.DNSName("plc"))), "not for 127.0.0.1"),
    "other uri": (
        Recipe(names=(x509.UniformResourceIdentifier("urn:else"), SERVER[1])),
        "calls itself",
    ),
    "client only": (Recipe(purpose=ExtendedKeyUsageOID.CLIENT_AUTH), "not made for an OPC UA"),
    "no encipherment": (Recipe(usage=False), "not made for an OPC UA server"),
    "short key": (Recipe(key=WEAK_KEY, signer=WEAK_KEY), "too weak"),
    "curve": (Recipe(key=CURVE_KEY, signer=CURVE_KEY), "too weak"),
}


@pytest.mark.parametrize("name", WRONG)
def test_trusted_but_wrong_is_refused(name: str, tmp_path: Path, put: Put) -> None:
    recipe, reason = WRONG[name]
    certificate = recipe.bake()
    put("trusted/certs/plc.der", certificate)
    with pytest.raises(Misconfigured, match=reason):
        check(certificate, tmp_path)


@pytest.mark.parametrize("host", ["PLC", "plc"])
def test_host_names_have_no_case(host: str, tmp_path: Path, put: Put) -> None:
    recipe = Recipe(names=(SERVER[0], x509.DNSName("Plc")))
    put("trusted/certs/plc.der", recipe.bake())
    check(recipe.bake(), tmp_path, Expected("plc", host, "urn:plant:plc"))


def test_a_certificate_of_a_trusted_authority_is_believed(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    check(ISSUED.bake(), tmp_path)


def test_an_issuer_alone_gives_no_trust(tmp_path: Path, put: Put) -> None:
    put("issuers/certs/ca.der", AUTHORITY.bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(ISSUED.bake(), tmp_path)


def test_trust_reaches_over_an_issuer_in_between(tmp_path: Path, put: Put) -> None:
    middle = Recipe(subject="middle", issuer="ca", signer=OTHER_KEY, authority=True)
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("issuers/certs/middle.der", middle.bake())
    leaf = Recipe(issuer="middle", signer=KEY, key=OTHER_KEY)
    check(leaf.bake(), tmp_path)


@pytest.mark.parametrize(
    "authority",
    [
        Recipe(subject="ca", issuer="ca", key=KEY, signer=KEY, authority=True),
        Recipe(subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY),
        replace(AUTHORITY, revokes=False),
    ],
    ids=["other key", "no authority", "an application's own certificate"],
)
def test_a_false_authority_vouches_for_nobody(authority: Recipe, tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", authority.bake())
    with pytest.raises(Misconfigured, match="not trusted"):
        check(ISSUED.bake(), tmp_path)


def test_an_expired_authority_vouches_for_nobody(tmp_path: Path, put: Put) -> None:
    expired = Recipe(
        subject="ca", issuer="ca", key=OTHER_KEY, signer=OTHER_KEY, authority=True, days=5
    )
    put("trusted/certs/ca.der", expired.bake())
    with pytest.raises(Misconfigured, match="CN=ca is valid from"):
        check(ISSUED.bake(), tmp_path)


@pytest.mark.parametrize("folder", ["trusted/crl", "issuers/crl"])
@pytest.mark.parametrize("days", [30, 10])
def test_a_revoked_certificate_is_refused(
    folder: str, days: float, tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put(f"{folder}/ca.crl", revocations(days=days))
    with pytest.raises(Misconfigured, match="revoked"):
        check(ISSUED.bake(), tmp_path)


@pytest.mark.parametrize(
    "forged",
    [revocations(signer=KEY), revocations(issuer="stranger"), revocations(serial=5)],
    ids=["signed by another key", "of another issuer", "of another certificate"],
)
def test_lists_that_do_not_concern_it_change_nothing(
    forged: x509.CertificateRevocationList, tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("trusted/crl/ca.crl", forged)
    check(ISSUED.bake(), tmp_path)


def test_an_outdated_list_is_refused(tmp_path: Path, put: Put) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    put("trusted/crl/ca.crl", revocations(serial=5, days=10))
    with pytest.raises(Misconfigured, match="out of date"):
        check(ISSUED.bake(), tmp_path)


@pytest.mark.parametrize(
    "where", ["trusted/certs/x.der", "issuers/certs/x.pem", "trusted/crl/x.crl"]
)
def test_a_broken_file_is_named(where: str, tmp_path: Path) -> None:
    read_trust_list(tmp_path)
    (tmp_path / where).write_bytes(b"-----BEGIN nothing")
    with pytest.raises(Misconfigured, match=r"x\.(der|pem|crl) cannot be read"):
        read_trust_list(tmp_path)


def test_issuers_that_the_server_shows_complete_the_chain(tmp_path: Path, put: Put) -> None:
    middle = Recipe(subject="middle", issuer="ca", signer=OTHER_KEY, authority=True).bake()
    leaf = Recipe(issuer="middle", signer=KEY, key=OTHER_KEY).bake()
    put("trusted/certs/ca.der", AUTHORITY.bake())
    check(leaf, tmp_path, presented=(middle,))


def test_issuers_that_the_server_shows_give_no_trust(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not trusted"):
        check(ISSUED.bake(), tmp_path, presented=(AUTHORITY.bake(),))


@pytest.mark.parametrize(("below", "verdict"), [(0, "not trusted"), (1, "valid from")])
def test_an_authority_has_no_more_below_it_than_it_may(
    below: int, verdict: str, tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", replace(AUTHORITY, below=below).bake())
    middle = Recipe(subject="middle", issuer="ca", signer=OTHER_KEY, authority=True)
    put("issuers/certs/middle.der", middle.bake())
    with pytest.raises(Misconfigured, match=verdict):
        check(Recipe(issuer="middle", signer=KEY, key=OTHER_KEY, days=5).bake(), tmp_path)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_of_an_authority_renewed_with_its_key_the_new_one_counts(
    names: str, tmp_path: Path, put: Put
) -> None:
    put(f"trusted/certs/{names[0]}.der", replace(AUTHORITY, days=5).bake())
    put(f"trusted/certs/{names[1]}.der", AUTHORITY.bake())
    check(ISSUED.bake(), tmp_path)


def test_only_the_certificate_with_the_thumbprint_will_do(tmp_path: Path, put: Put) -> None:
    right, wrong = Recipe().bake(), Recipe(serial=78).bake()
    put("trusted/certs/right.der", right)
    put("trusted/certs/wrong.der", wrong)
    expected = replace(EXPECTED, thumbprint=thumbprint(right))
    check(right, tmp_path, expected)
    with pytest.raises(Misconfigured, match="than server_thumbprint allows"):
        check(wrong, tmp_path, expected)


def test_a_right_thumbprint_gives_no_trust(tmp_path: Path) -> None:
    stranger = Recipe().bake()
    with pytest.raises(Misconfigured, match="not trusted"):
        check(stranger, tmp_path, replace(EXPECTED, thumbprint=thumbprint(stranger)))


def test_what_a_stranger_calls_itself_is_made_safe_to_print(tmp_path: Path) -> None:
    hostile = Recipe(subject="plc\x1b[2J\n\u202eCN=good" + "x" * 20)
    with pytest.raises(Misconfigured) as refusal:
        check(hostile.bake(), tmp_path)
    assert str(refusal.value).isprintable()
    assert r"plc\x1b[2J\n\u202eCN=good" in str(refusal.value)


def test_refused_certificates_are_stored_unless_a_person_has_placed_them(
    tmp_path: Path, put: Put
) -> None:
    put("trusted/certs/ca.der", AUTHORITY.bake())
    revoked, expired = ISSUED.bake(), replace(ISSUED, days=5, serial=5).bake()
    put("trusted/crl/ca.crl", revocations())
    put("trusted/certs/expired.der", expired)
    for certificate in (revoked, expired, revoked):
        with pytest.raises(Misconfigured):
            check(certificate, tmp_path)
    (stored,) = (tmp_path / "rejected").iterdir()
    assert read_certificate(stored) == revoked


def test_a_hostile_network_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.opcua.security.certificates.MAX_REJECTED", 3)
    assert MAX_REJECTED == 100
    strangers = [Recipe(serial=serial).bake() for serial in range(1, 6)]
    for stranger in strangers:
        with pytest.raises(Misconfigured, match="not trusted"):
            check(stranger, tmp_path)
    kept = {read_certificate(path).serial_number for path in (tmp_path / "rejected").iterdir()}
    assert kept == {3, 4, 5}


def test_many_sources_reject_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.opcua.security.certificates.MAX_REJECTED", 2)
    trust = read_trust_list(tmp_path)
    strangers = [Recipe(serial=serial).bake() for serial in (1, 2, 3, 4)] * 8
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(trust.reject, strangers))
    left = list((tmp_path / "rejected").iterdir())
    assert 1 <= len(left) <= 3
    assert {read_certificate(path).subject.rfc4514_string() for path in left} == {"CN=plc"}


def test_a_full_disk_does_not_hide_why_a_server_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, mode: int = 0) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("connectors.opcua.security.certificates.put", full)
    with pytest.raises(Misconfigured, match=r"not trusted.*could not be stored.*No space left"):
        check(Recipe().bake(), tmp_path)


def test_a_link_in_the_rejected_folder_is_not_written_through(tmp_path: Path) -> None:
    stranger = Recipe().bake()
    read_trust_list(tmp_path)
    victim = tmp_path / "victim"
    link = tmp_path / "rejected" / f"{thumbprint(stranger)[:40]}.der"
    link.symlink_to(victim)
    with pytest.raises(Misconfigured, match="not trusted"):
        check(stranger, tmp_path)
    assert not victim.exists()
    assert read_certificate(link) == stranger


SOUND = Recipe().bake().public_bytes(Encoding.DER)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_damaged_certificates_are_refused_in_order(
    tmp_path_factory: pytest.TempPathFactory, bytes_set: list[tuple[int, int]]
) -> None:
    damaged = bytearray(SOUND)
    for place, value in bytes_set:
        damaged[place] = value
    folder = tmp_path_factory.getbasetemp() / "damaged"
    trust = read_trust_list(folder)
    certificate = read_back(bytes(damaged))
    assume(certificate is not None)
    assert certificate
    with pytest.raises(Misconfigured, match=r"^plc: "):
        check_server(certificate, EXPECTED, trust, NOW)


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling", "huge"])
def test_what_is_no_certificate_file_is_named_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    read_trust_list(tmp_path)
    path = tmp_path / "trusted/certs/x.der"
    makers: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "dangling": lambda: path.symlink_to(tmp_path / "gone"),
        "huge": lambda: path.write_bytes(b"0" * 70_000),
    }
    makers[kind]()
    with pytest.raises(Misconfigured, match=r"x\.der cannot be read as a certificate"):
        read_trust_list(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("a file")
    with pytest.raises(Misconfigured, match="pki cannot be used"):
        read_trust_list(tmp_path / "pki")
