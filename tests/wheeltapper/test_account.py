"""``wheeltapper account``: typed as a person would, with every slip a person makes."""

import getpass
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts import passwords
from gateway.accounts.passwords import Cost, matches
from gateway.accounts.register import read_accounts
from gateway.accounts.roles import Role

Command = Callable[..., Any]
PASSWORD = "oil pump by the north door"
CONFIG = """\
version = 1
[gateway]
name = "line-1"
data = "kept"
[console]
host = "0.0.0.0"
"""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords.hashed, "__defaults__", (Cost(64, 1, 1),))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{PASSWORD}\nsecond line\n", encoding="utf-8")
    return path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that has somebody type at a terminal."""

    def typing(*words: str) -> None:
        left = list(words)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(getpass, "getpass", lambda _prompt: left.pop(0))

    return typing


@pytest.fixture
def people(command: Command, tmp_path: Path, secret: Path) -> Path:
    """Two accounts, ana (admin) and ben (operator)."""
    for name, role in (("ana", "admin"), ("ben", "operator")):
        said = (name, "--role", role, "--password-file", secret, "--data", tmp_path)
        assert command("account", "add", *said).code == 0
    return tmp_path


def test_add_keeps_the_first_line_of_the_file_as_a_hash(
    command: Command, tmp_path: Path, secret: Path
) -> None:
    said = ("ana", "--role", "admin", "--password-file", secret, "--data", tmp_path / "new")

    ended = command("account", "add", *said)

    assert (ended.code, ended.err) == (0, "")
    file = tmp_path / "new/accounts.toml"
    assert ended.out == f"ana can log in as admin ({file})\n"
    account = read_accounts(file).get("ana")
    assert matches(PASSWORD, account.password)
    assert (account.role, account.enabled, account.by) == (Role.ADMIN, True, getpass.getuser())
    assert PASSWORD not in file.read_text()


def test_add_asks_twice(command: Command, tmp_path: Path, typed: Callable[..., None]) -> None:
    typed(PASSWORD, PASSWORD)

    assert command("account", "add", "ana", "--role", "admin", "--data", tmp_path).code == 0


def test_add_with_two_different_passwords_adds_nothing(
    command: Command, tmp_path: Path, typed: Callable[..., None]
) -> None:
    typed(PASSWORD, PASSWORD + "!")

    ended = command("account", "add", "ana", "--role", "admin", "--data", tmp_path)

    assert (ended.code, "were not the same" in ended.err) == (2, True)
    assert not (tmp_path / "accounts.toml").exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("Ana", PASSWORD, "a name is 1 to 64"),
        ("", PASSWORD, "a name is 1 to 64"),
        ("../../etc/x", PASSWORD, "a name is 1 to 64"),
        ("ana", "short", "12 characters or more"),
        ("ana", "", "12 characters or more"),
        ("anaanaanaana", "anaanaanaana", "not the name"),
        ("ana", "password1234", "first that are tried"),
    ],
)
def test_add_refuses_what_is_no_name_or_password(
    command: Command, tmp_path: Path, secret: Path, name: str, content: str, why: str
) -> None:
    secret.write_text(content, encoding="utf-8")
    said = (name, "--role", "admin", "--password-file", secret, "--data", tmp_path / "d")

    ended = command("account", "add", *said)

    assert (ended.code, why in ended.err) == (2, True)
    assert not (tmp_path / "d/accounts.toml").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--role", "boss", "--data", "."), "Invalid value for '--role'"),
        (("--data", "."), "Missing option '--role'"),
        (("--role", "admin", "--data", "."), "give --password-file"),
        (("--role", "admin", "--password", PASSWORD), "No such option"),
        (("--role", "admin", "--password-file", "none", "--data", "."), "none: cannot be read"),
        (("--role", "admin", "--password-file", ".", "--data", "."), "cannot be read"),
        (("--role", "admin", "--data", "none.toml"), "none.toml: cannot be read"),
        (("--role", "admin"), "say which gateway"),
    ],
)
def test_add_tells_what_was_said_wrong(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = command("account", "add", "ana", *words)

    assert (ended.code, why in " ".join(ended.err.split())) == (2, True)


def test_password_file_that_is_no_text_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe" * 20)
    said = ("--role", "admin", "--password-file", tmp_path / "secret", "--data", tmp_path)

    assert "is not UTF-8 text" in command("account", "add", "ana", *said).err


def test_add_twice_is_refused_and_changes_nothing(
    command: Command, people: Path, secret: Path
) -> None:
    before = (people / "accounts.toml").read_bytes()
    said = ("ana", "--role", "viewer", "--password-file", secret, "--data", people)

    ended = command("account", "add", *said)

    assert (ended.code, "there is an account ana already" in ended.err) == (2, True)
    assert (people / "accounts.toml").read_bytes() == before


def test_add_if_missing_can_be_said_at_every_start(
    command: Command, people: Path, secret: Path
) -> None:
    before = (people / "accounts.toml").read_bytes()
    said = ("ana", "--role", "viewer", "--password-file", secret, "--data", people)

    ended = command("account", "add", *said, "--if-missing")

    assert (ended.code, "is there already" in ended.out) == (0, True)
    assert (people / "accounts.toml").read_bytes() == before


def test_configuration_names_the_folder_though_it_is_refused_for_want_of_accounts(
    command: Command, tmp_path: Path, secret: Path
) -> None:
    config = tmp_path / "line.toml"
    config.write_text(CONFIG, encoding="utf-8")
    said = ("ana", "--role", "admin", "--password-file", secret, "--data", config)

    assert command("account", "add", *said).code == 0
    assert (tmp_path / "kept/accounts.toml").is_file()


def test_configuration_and_environment_may_name_the_file(
    command: Command, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "line.toml"
    config.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("WHEELTAPPER__CONSOLE__ACCOUNTS", str(tmp_path / "people.toml"))
    said = ("ana", "--role", "admin", "--password-file", secret, "--data", config)

    assert command("account", "add", *said).code == 0
    assert (tmp_path / "people.toml").is_file()


def test_list_shows_no_hash(command: Command, people: Path) -> None:
    ended = command("account", "list", "--data", people)

    assert "ana" in ended.out
    assert "argon2" not in ended.out + command("account", "list", "--data", people, "--json").out


def test_list_for_programs(command: Command, people: Path) -> None:
    out = command("account", "list", "--data", people, "--json").out

    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["name"], row["role"], row["enabled"]) for row in rows] == [
        ("ana", "admin", True),
        ("ben", "operator", True),
    ]


def test_list_without_accounts_says_how_to_add_one(command: Command, tmp_path: Path) -> None:
    ended = command("account", "list", "--data", tmp_path)

    assert (ended.code, "wheeltapper account add NAME" in ended.out) == (0, True)


def test_role_disable_enable_unlock_change_the_account(command: Command, people: Path) -> None:
    file = people / "accounts.toml"

    command("account", "role", "ben", "--role", "engineer", "--data", people)
    command("account", "disable", "ben", "--data", people)
    before = read_accounts(file).get("ben")
    command("account", "enable", "ben", "--data", people)
    command("account", "unlock", "ben", "--data", people)
    after = read_accounts(file).get("ben")

    assert (before.role, before.enabled, before.unlocked) == (Role.ENGINEER, False, "")
    assert (after.enabled, after.unlocked != "") == (True, True)


def test_password_is_another_afterwards(command: Command, people: Path, secret: Path) -> None:
    secret.write_text("a lorry full of gravel", encoding="utf-8")
    said = ("ben", "--password-file", secret, "--data", people)

    assert command("account", "password", *said).code == 0
    kept = read_accounts(people / "accounts.toml").get("ben").password
    assert matches("a lorry full of gravel", kept)
    assert not matches(PASSWORD, kept)


@pytest.mark.parametrize(
    "words",
    [
        ("remove", "ana", "--yes"),
        ("disable", "ana"),
        ("role", "ana", "--role", "engineer"),
    ],
)
def test_last_admin_stays(command: Command, people: Path, words: tuple[str, ...]) -> None:
    before = (people / "accounts.toml").read_bytes()

    ended = command("account", *words, "--data", people)

    assert (ended.code, "ana is the last admin" in ended.err) == (2, True)
    assert (people / "accounts.toml").read_bytes() == before


def test_remove_takes_the_account_away(command: Command, people: Path) -> None:
    ended = command("account", "remove", "ben", "--yes", "--data", people)

    assert ended.out == f"ben is removed ({people / 'accounts.toml'})\n"
    assert list(read_accounts(people / "accounts.toml").by_name) == ["ana"]


def test_remove_for_programs_asks_nothing(command: Command, people: Path) -> None:
    assert command("account", "remove", "ben", "--json", "--data", people).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("remove", "bem", "--yes"),
        ("disable", "bem"),
        ("unlock", "bem"),
        ("password", "bem"),
        ("role", "bem", "--role", "viewer"),
    ],
)
def test_unknown_account_is_told_the_nearest(
    command: Command, people: Path, words: tuple[str, ...]
) -> None:
    ended = command("account", *words, "--data", people)

    assert (ended.code, 'no account "bem"; did you mean "ben"?' in ended.err) == (2, True)


def test_file_that_others_can_read_is_refused(command: Command, people: Path) -> None:
    (people / "accounts.toml").chmod(0o644)

    assert "chmod 600" in command("account", "list", "--data", people).err


def test_add_tells_that_a_gateway_without_accounts_has_to_start_anew(
    command: Command, tmp_path: Path, secret: Path
) -> None:
    (tmp_path / "gateway.json").write_text('{"url": "http://127.0.0.1:8080"}')
    said = ("ana", "--role", "admin", "--password-file", secret, "--data", tmp_path)

    assert "from its next start on" in command("account", "add", *said).out
