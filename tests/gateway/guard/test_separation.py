"""What a guard that is a user of its own opens, to whom, and what it refuses to begin with."""

import grp
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.plan import ConsolePlan, Plan, SetpointsPlan
from gateway.guard.separation import (
    DROPPED,
    PASSED,
    READ,
    findings,
    flaws,
    group_of,
    make_folder,
    open_to,
)
from gateway.guard.starting import _access
from gateway.guard.stopping import STOPS
from plant.errors import Misconfigured
from plant.findings import Verdict

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
OTHER = 61_004
MINE = grp.getgrgid(os.getegid()).gr_name


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A configuration whose guard has a folder and a group."""
    for name in ("data", "etc"):
        (tmp_path / name).mkdir(mode=0o755)
    etc = tmp_path / "etc"
    for name in ("plant.toml", "limits.toml", "engineer.pub", "accounts.toml", "access.toml"):
        (etc / name).touch(0o600)
    setpoints = SetpointsPlan(
        limits=etc / "limits.toml", keys=(etc / "engineer.pub",), access=etc / "access.toml",
        folder=tmp_path / "guard", group=MINE,
    )  # fmt: skip
    console = ConsolePlan(accounts=etc / "accounts.toml")
    empty = Plan(name="n", data=tmp_path / "data", sources=(), tags=(), assets=())
    return replace(empty, console=console, setpoints=setpoints)


def config_of(plan: Plan) -> Path:
    assert plan.setpoints.limits is not None
    return plan.setpoints.limits.with_name("plant.toml")


def wrong(plan: Plan) -> list[str]:
    return [what for what, _ in flaws(plan, config_of(plan), os.geteuid())]


def test_a_group_may_pass_through_and_stop_and_not_list(plan: Plan) -> None:
    folder = make_folder(plan)
    assert (mode_of(folder), mode_of(folder / STOPS)) == (PASSED, DROPPED)
    assert folder.stat().st_gid == (folder / STOPS).stat().st_gid == group_of(plan)
    assert make_folder(plan) == folder


def test_without_new_keys_all_is_as_it_was(plan: Plan) -> None:
    plan = replace(plan, setpoints=replace(plan.setpoints, folder=None, group=None))
    folder = make_folder(plan)
    assert (folder, mode_of(folder)) == (plan.data / "guard", 0o700)
    assert not (folder / STOPS).exists()
    config_of(plan).chmod(0o666)
    assert wrong(plan) == []
    audit = folder / "audit.jsonl"
    audit.touch(0o600)
    open_to(audit, READ, group_of(plan))
    assert mode_of(audit) == 0o600


def test_a_group_that_is_not_there_is_named_with_its_mend(plan: Plan) -> None:
    plan = replace(plan, setpoints=replace(plan.setpoints, group="nobodys-own"))
    with pytest.raises(Misconfigured, match=r"nobodys-own.*groupadd --system nobodys-own"):
        make_folder(plan)
    (found,) = findings(plan, config_of(plan))
    assert (found.verdict, found.mend) == (Verdict.WRONG, "groupadd --system nobodys-own")


def test_a_folder_that_others_can_write_is_refused(plan: Plan) -> None:
    folder = make_folder(plan)
    folder.chmod(0o770)
    with pytest.raises(Misconfigured, match=r"others can write there.*chmod 700"):
        make_folder(plan)


@AS_ROOT
def test_a_folder_of_another_user_is_refused(plan: Plan) -> None:
    os.chown(make_folder(plan), OTHER, -1)
    with pytest.raises(Misconfigured, match=f"is uid {OTHER}'s, and this guard runs as root"):
        make_folder(plan)


def test_a_folder_that_cannot_be_made_says_how(plan: Plan) -> None:
    plan = replace(plan, setpoints=replace(plan.setpoints, folder=config_of(plan) / "guard"))
    with pytest.raises(Misconfigured, match="install --directory --owner"):
        make_folder(plan)


BELIEVED = ("plant.toml", "engineer.pub", "accounts.toml", "access.toml")


@pytest.mark.parametrize("name", BELIEVED)
def test_what_others_could_change_is_named(plan: Plan, name: str) -> None:
    assert wrong(plan) == []
    config_of(plan).with_name(name).chmod(0o606)
    (line,) = wrong(plan)
    assert f"{name}: everybody can change what the guard goes by" in line


@AS_ROOT
@pytest.mark.parametrize("name", [*BELIEVED, ".", ".."])
def test_what_another_user_owns_is_named_folders_too(plan: Plan, name: str) -> None:
    place = (config_of(plan).parent / name).resolve()
    os.chown(place, OTHER, -1)
    found = wrong(plan)
    os.chown(place, 0, -1)
    assert found
    assert all(line.startswith(f"{place}: uid {OTHER} can change") for line in found)


def test_a_mend_is_no_part_of_the_result_whatever_its_words(plan: Plan) -> None:
    make_folder(plan)
    config_of(plan).chmod(0o606)
    ((what, mend),) = flaws(plan, config_of(plan), os.geteuid())
    assert what.endswith(f"can change what the guard goes by ({config_of(plan)})")
    assert mend == "give it to root, or choose a place that is root's"


@AS_ROOT
def test_what_a_group_could_change_is_named(plan: Plan) -> None:
    os.chown(config_of(plan), -1, OTHER)
    config_of(plan).chmod(0o660)
    assert f"the group gid {OTHER} can change" in wrong(plan)[0]


def test_one_user_is_said_to_be_one(plan: Plan) -> None:
    make_folder(plan)
    (found,) = findings(plan, config_of(plan))
    assert (found.verdict, "are one user" in found.result) == (Verdict.NOTE, True)


def test_before_the_guard_has_run_nothing_is_said_of_it(plan: Plan) -> None:
    (found,) = findings(plan, config_of(plan))
    assert found.verdict is Verdict.SKIPPED


@AS_ROOT
def test_two_users_without_a_group_and_an_old_folder_are_found(plan: Plan) -> None:
    make_folder(plan)
    os.chown(plan.data, OTHER, -1)
    (found,) = findings(plan, config_of(plan))
    assert found.verdict is Verdict.GOOD
    plan = replace(plan, setpoints=replace(plan.setpoints, group=None))
    (plan.data / "guard").mkdir()
    left, apart = findings(plan, config_of(plan))
    assert (left.verdict, "is left of a guard" in left.result) == (Verdict.WRONG, True)
    assert (apart.verdict, apart.mend) == (Verdict.WRONG, "set group in [setpoints]")


def test_credentials_that_systemd_hands_over_may_look_like_a_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ACL for the service's user shows as the group's right to read."""
    file = tmp_path / "write-access.toml"
    file.write_text('[plc]\nuser = "writer"\n')
    file.chmod(0o440)
    with pytest.raises(Misconfigured, match="chmod 600"):
        _access(file)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert _access(file)["plc"].user == "writer"
