"""The file of accounts: what is written is read; what is not sound is refused with its place."""

import os
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, checked_name, read_accounts, write_accounts
from gateway.accounts.roles import Role
from plant.errors import Misconfigured, Rejected

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
HASH = hashed("oil pump by the north door", Cost(64, 1, 1))


def account(name: str = "ana", role: Role = Role.ADMIN, *, enabled: bool = True) -> Account:
    return Account(name=name, role=role, password=HASH, enabled=enabled)


def written(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.builds(
            Account,
            name=st.from_regex(r"[a-z0-9][a-z0-9._@-]{0,20}", fullmatch=True),
            role=st.sampled_from(Role),
            password=st.just(HASH),
            enabled=st.booleans(),
            by=st.text(max_size=20),
        ),
        max_size=5,
        unique_by=lambda one: one.name,
    )
)
def test_what_is_written_is_read_whatever_the_user_is_called(
    tmp_path_factory: pytest.TempPathFactory, people: list[Account]
) -> None:
    path = tmp_path_factory.mktemp("data") / "accounts.toml"

    write_accounts(path, Accounts({one.name: one for one in people}))

    read = read_accounts(path).by_name
    assert [(one.name, one.role, one.password, one.enabled) for one in read.values()] == [
        (one.name, one.role, one.password, one.enabled) for one in people
    ]


def test_file_is_for_the_gateways_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"

    write_accounts(path, Accounts({"ana": account()}))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_nobody_can_log_in(tmp_path: Path) -> None:
    assert not read_accounts(tmp_path / "accounts.toml").usable()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_file_that_others_get_at_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, "")
    path.chmod(mode)

    with pytest.raises(Misconfigured, match="chmod 600"):
        read_accounts(path)


@AS_ROOT
@pytest.mark.parametrize("owner", [0, 12_345])
def test_a_group_reads_only_what_is_roots_and_it_stays_so(tmp_path: Path, owner: int) -> None:
    path = tmp_path / "accounts.toml"
    write_accounts(path, Accounts({"ana": account()}))
    os.chown(path, owner, 12_346)
    path.chmod(0o640)
    readable = owner == 0

    with nullcontext() if readable else pytest.raises(Misconfigured, match="chmod 600"):
        read_accounts(path)
    write_accounts(path, Accounts({"ana": account(), "ben": account("ben")}))

    found = path.stat()
    shared = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
    assert (shared == (0, 12_346, 0o640)) is readable
    assert set(read_accounts(path).by_name) == {"ana", "ben"}


ENTRY = f'[[account]]\nname = "ana"\nrole = "admin"\npassword = "{HASH}"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[account]\n", "is no TOML"),
        ("x = " + "[" * 5000, "is no TOML"),
        ("account = 3\n", "holds .*account.* tables"),
        ("colour = 3\n", "nothing else"),
        ("account = [3]\n", "account 1: is no table"),
        (ENTRY.replace('name = "ana"', ""), "name is missing"),
        (ENTRY.replace('"ana"', "3"), "name is missing"),
        (ENTRY.replace('"ana"', '"Ana"'), 'account 1: "Ana": a name is'),
        (ENTRY.replace('"ana"', '"an a"'), "a name is"),
        (ENTRY.replace('"admin"', '"boss"'), '"boss" is no role; there are viewer'),
        (ENTRY.replace(HASH, "secret"), "wheeltapper account password"),
        (ENTRY + "enabled = 1\n", "true or false"),
        (ENTRY + "colour = 1\n", 'unknown key "colour"'),
        (ENTRY + ENTRY, "account 2: ana is there twice"),
    ],
)
def test_unsound_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(Misconfigured, match=why) as caught:
        read_accounts(path)
    assert str(path) in str(caught.value)


def test_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no file"):
        read_accounts(tmp_path)


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(Misconfigured, match="is no TOML"):
        read_accounts(path)


@pytest.mark.parametrize("name", ["", "Ana", "-ana", "an a", "ana\n", 'a"b', "../x", "a" * 65, "ä"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(Rejected, match="a name is 1 to 64"):
        checked_name(name)


def test_last_admin_stays() -> None:
    people = Accounts({"ana": account(), "ben": account("ben", enabled=False)})

    for change in (
        lambda: people.without("ana"),
        lambda: people.put(account(role=Role.VIEWER)),
        lambda: people.put(account(enabled=False)),
    ):
        with pytest.raises(Rejected, match="ana is the last admin"):
            change()


def test_one_of_two_admins_may_go() -> None:
    people = Accounts({"ana": account(), "ben": account("ben")})

    assert list(people.without("ana").by_name) == ["ben"]


def test_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(Rejected, match='no account "anna"; did you mean "ana"'):
        Accounts({"ana": account()}).get("anna")


def test_hash_is_in_no_text_about_an_account() -> None:
    assert HASH not in repr(account())


@AS_ROOT
def test_file_that_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    path = tmp_path / "accounts.toml"

    write_accounts(path, Accounts({"ana": account()}))

    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (12_345, 0o600)
