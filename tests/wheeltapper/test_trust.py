"""`trust` on folders with sound and hostile files."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security import store
from connectors.opcua.security.certificates import read_certificate, read_trust_list, thumbprint
from connectors.opcua.security.identity import own_identity

CONFIG = """
version = 1
[gateway]
name = "line"
[[source]]
type = "opcua"
name = "plc"
url = "opc.tcp://plc:4840"
trust = "pki"
[[source]]
type = "opcua"
name = "other"
url = "opc.tcp://other:4840"
trust = "pki"
[[tag]]
tag = "s/a/l/m/flow"
source = "plc"
address = "nsu=urn:x;s=Flow"
"""

Command = Callable[..., Any]


def stranger(place: Path) -> str:
    """A certificate among the rejected ones, and its thumbprint."""
    config = OpcUaConfig(name="x", url="opc.tcp://x:4840", trust=place)
    made = read_certificate(own_identity(config, place.parent / "elsewhere").certificate)
    read_trust_list(place).reject(made)
    return thumbprint(made)


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    (tmp_path / "plant.toml").write_text(CONFIG)
    return tmp_path / "pki"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def rows(ended: Any) -> list[Any]:
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_config_names_the_folders_once(command: Command, pki: Path) -> None:
    digits = stranger(pki)
    (row,) = rows(command("trust", "list", pki.parent / "plant.toml", "--json"))
    assert (row["state"], row["thumbprint"], row["problem"]) == ("rejected", digits, "")
    assert row["file"].endswith(f"pki/rejected/{digits[:40]}.der")


def test_the_table_shows_whole_thumbprints(command: Command, pki: Path) -> None:
    digits = stranger(pki)
    ended = command("trust", "list", "--folder", pki)
    assert "1 certificate" in ended.out
    assert digits in ended.out


def test_files_that_are_no_certificates_are_listed_safely(command: Command, pki: Path) -> None:
    read_trust_list(pki)
    (pki / "rejected" / "\x1b[31m.der").write_bytes(b"junk")
    ended = command("trust", "list", "--folder", pki)
    assert "\x1b" not in ended.out
    assert r"\x1b[31m.der cannot be read as a certificate" in ended.out
    (row,) = rows(command("trust", "list", "--folder", pki, "--json"))
    assert r"\x1b[31m.der" in row["problem"]


def test_accepting_shows_the_whole_thumbprint_and_asks(
    command: Command, pki: Path, answers: Callable[[str], None]
) -> None:
    digits = stranger(pki)
    answers("y\n")
    ended = command("trust", "accept", digits[:6], "--folder", pki)
    assert ended.code == 0
    assert f"SHA-256      {digits}" in ended.out
    assert ended.out.endswith("trusted from the next connection on\n")
    assert len(read_trust_list(pki).trusted) == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_whoever_does_not_say_yes_changes_nothing(
    answer: str, command: Command, pki: Path, answers: Callable[[str], None]
) -> None:
    digits = stranger(pki)
    answers(answer)
    assert command("trust", "accept", digits[:6], "--folder", pki).code == 1
    assert read_trust_list(pki).trusted == ()


def test_machines_accept_and_reject_without_a_question(command: Command, pki: Path) -> None:
    digits = stranger(pki)
    config = pki.parent / "plant.toml"
    (accepted,) = rows(command("trust", "accept", digits, config, "--yes", "--json"))
    assert (accepted["state"], accepted["thumbprint"]) == ("trusted", digits)
    assert len(read_trust_list(pki).trusted) == 1
    ended = command("trust", "reject", digits, config, "--yes")
    assert ended.out.endswith("rejected from the next connection on\n")
    assert read_trust_list(pki).trusted == ()


def test_a_certificate_that_is_out_of_date_is_told_when_it_is_trusted(
    command: Command, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = stranger(pki)
    monkeypatch.setattr(store, "_DAY_S", -86_400)
    ended = command("trust", "accept", digits, "--folder", pki, "--yes")
    assert "refused until the server has a new one" in ended.out


def test_rejecting_asks_too(command: Command, pki: Path, answers: Callable[[str], None]) -> None:
    digits = stranger(pki)
    command("trust", "accept", digits, "--folder", pki, "--yes")
    answers("n\n")
    assert command("trust", "reject", digits, "--folder", pki).code == 1
    assert len(read_trust_list(pki).trusted) == 1


def test_json_asks_nothing(command: Command, pki: Path) -> None:
    ended = command("trust", "accept", stranger(pki), "--folder", pki, "--json")
    assert ended.code == 2
    assert "add --yes" in ended.err


def test_a_thumbprint_that_nobody_has(command: Command, pki: Path) -> None:
    stranger(pki)
    ended = command("trust", "accept", "0123456789", "--folder", pki, "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert "no rejected certificate" in ended.err


@pytest.mark.parametrize("words", [(), ("plant.toml", "--folder", "pki")])
def test_one_place_is_named(
    words: tuple[str, ...], command: Command, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pki.parent)
    ended = command("trust", "list", *words)
    assert ended.code == 2
    assert "a configuration, or --folder" in ended.err


def test_a_folder_that_is_not_there_yet(command: Command, pki: Path) -> None:
    ended = command("trust", "list", pki.parent / "plant.toml")
    assert ended.code == 2
    assert "no trust folder there yet" in ended.err


def test_a_configuration_without_trust_folders(command: Command, pki: Path) -> None:
    config = pki.parent / "plain.toml"
    config.write_text(CONFIG.replace('trust = "pki"', 'security = "none"'))
    ended = command("trust", "list", config)
    assert ended.code == 2
    assert "no OPC UA source there has a trust folder" in ended.err


def test_a_renewed_certificate_says_what_is_left_to_do(
    command: Command, pki: Path, answers: Callable[[str], None]
) -> None:
    read_trust_list(pki)
    answers("y\n")
    ended = command("trust", "renew", pki.parent / "plant.toml")
    assert "No server lets us in" in ended.out
    assert ended.out.endswith("Trust it at every server.\n")
    (row,) = rows(command("trust", "renew", "--folder", pki, "--yes", "--json"))
    made = read_certificate(pki / "own/certs/wheeltapper.der")
    assert row == {"file": str(pki / "own/certs/wheeltapper.der"), "thumbprint": thumbprint(made)}


def test_nothing_is_renewed_without_a_yes(
    command: Command, pki: Path, answers: Callable[[str], None]
) -> None:
    read_trust_list(pki)
    answers("n\n")
    assert command("trust", "renew", "--folder", pki).code == 1
    assert not (pki / "own").exists()


def test_a_certificate_that_was_given_is_renewed_where_it_was_made(
    command: Command, pki: Path
) -> None:
    config = pki.parent / "given.toml"
    given = 'trust = "pki"\ncertificate = "own.der"\nkey = "own.pem"'
    config.write_text(CONFIG.replace('trust = "pki"', given))
    ended = command("trust", "renew", config, "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert "renew these where they were made" in ended.err
