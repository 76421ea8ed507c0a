"""The trust folder as a person sees it and changes it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.security.certificates import read_certificate, read_trust_list, thumbprint
from connectors.opcua.security.store import Entry, State, accept, chosen, entries, reject
from plant.errors import Misconfigured
from tests.connectors.opcua.recipes import NOW, Recipe

PLC = Recipe().bake()
DIGITS = thumbprint(PLC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    read_trust_list(tmp_path)
    return tmp_path


def lay(path: Path, certificate: x509.Certificate = PLC) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.DER))
    return path


def test_an_entry_tells_what_a_person_compares(folder: Path) -> None:
    lay(folder / "rejected/any.der")
    (entry,) = entries(folder, NOW)
    assert (entry.state, entry.thumbprint, entry.subject) == (State.REJECTED, DIGITS, "CN=plc")
    assert (entry.uris, entry.hosts) == (("urn:plant:plc",), ("127.0.0.1",))
    assert (entry.until, entry.days) == ("2027-05-22T00:00:00Z", 355.0)


def test_everybody_has_a_state(folder: Path) -> None:
    (folder / "own/certs").mkdir(parents=True)
    for place in ("own/certs", "trusted/certs", "issuers/certs", "rejected"):
        lay(folder / place / "x.der")
    states = [entry.state for entry in entries(folder)]
    assert states == [State.OWN, State.TRUSTED, State.ISSUER, State.REJECTED]


def test_accepted_and_rejected_again(folder: Path) -> None:
    lay(folder / "rejected/any.der")
    (stranger,) = chosen(entries(folder), DIGITS[:8].upper(), State.REJECTED)
    moved = accept(stranger)
    assert moved.parent == folder / "trusted/certs"
    assert read_trust_list(folder).trusted == (PLC,)
    assert list((folder / "rejected").iterdir()) == []
    (friend,) = chosen(entries(folder), DIGITS, State.TRUSTED)
    assert reject(friend).parent == folder / "rejected"
    assert read_trust_list(folder).trusted == ()


def test_one_certificate_in_two_folders_is_one(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    read_trust_list(other)
    both = [lay(place / "rejected/x.der") for place in (folder, other)]
    found = chosen([*entries(folder), *entries(other)], DIGITS, State.REJECTED)
    assert [entry.file for entry in found] == both


def entry(digits: str, state: State = State.REJECTED) -> Entry:
    return Entry(folder=Path("f"), file=Path("x"), state=state, thumbprint=digits, subject="CN=a")


@pytest.mark.parametrize(
    ("prefix", "mend"),
    [
        ("", "is no thumbprint"),
        ("abc", "first 4 or more"),
        ("xyzw", "is no thumbprint"),
        ("\x1b[2J", r'"\\x1b\[2J" is no thumbprint'),
        ("abcd", r"more than one certificate; give more digits:\n  abcd00  CN=a\n  abcd11"),
        ("ffff", "no rejected certificate has a thumbprint that begins ffff$"),
        ("eeee", "no rejected certificate .* eeee; it is: trusted"),
    ],
)
def test_a_wrong_choice_changes_nothing_and_says_why(prefix: str, mend: str) -> None:
    listed = [entry("abcd00"), entry("abcd11"), entry("eeee", State.TRUSTED), entry("")]
    with pytest.raises(Misconfigured, match=mend):
        chosen(listed, prefix, State.REJECTED)


@pytest.mark.parametrize("text", ["AB:CD:01", "ab cd 01", "ABCD01"])
def test_thumbprints_are_taken_as_tools_write_them(text: str) -> None:
    (found,) = chosen([entry("abcd01")], text, State.REJECTED)
    assert found.thumbprint == "abcd01"


@pytest.mark.parametrize(
    ("lay_down", "why"),
    [
        (lambda path: path.write_bytes(b"junk"), "cannot be read as a certificate"),
        (lambda path: path.write_bytes(b"0" * 100_000), "more than 65536 bytes"),
        (lambda path: path.symlink_to("gone"), "a link that leads to none"),
        (lambda path: path.mkdir(), "no file"),
    ],
)
def test_what_cannot_be_read_is_listed_with_its_reason(
    lay_down: Callable[[Path], object], why: str, folder: Path
) -> None:
    lay_down(folder / "rejected" / "a\x1b[2J\u202e.der")
    (found,) = entries(folder)
    assert why in found.problem
    assert r"a\x1b[2J\u202e.der" in found.problem
    assert found.thumbprint == ""


def test_a_link_is_taken_away_and_what_it_led_to_stays(folder: Path, tmp_path: Path) -> None:
    target = lay(tmp_path / "elsewhere.der")
    (folder / "rejected/x.der").symlink_to(target)
    (found,) = entries(folder)
    moved = accept(found)
    assert read_certificate(moved) == PLC
    assert not moved.is_symlink()
    assert target.exists()
    assert not (folder / "rejected/x.der").is_symlink()


def test_a_file_exchanged_while_a_person_compares_is_not_trusted(folder: Path) -> None:
    path = lay(folder / "rejected/x.der")
    (found,) = entries(folder)
    lay(path, Recipe(serial=78).bake())
    with pytest.raises(Misconfigured, match="has changed meanwhile"):
        accept(found)
    assert read_trust_list(folder).trusted == ()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no trust folder there yet"):
        entries(tmp_path / "pki")
