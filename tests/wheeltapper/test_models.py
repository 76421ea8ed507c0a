"""`wheeltapper models`: from a trainer's key to a gateway's folder, and back."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.modelfiles import read_model, write_model
from gateway.journal import Journal
from gateway.journal.marks import latest
from plant.keys import private_key, public_key
from plant.records import EventRecord
from tests.analytics.modelfiles.made import header
from tests.ports import free_port
from wheeltapper.models.looking import DAY_NS, _until

Command = Callable[..., Any]
LINE = "plant/hall/line"
ASSET = f"{LINE}/pump"
CONFIG = """
version = 1
[gateway]
name = "line"
[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
[[tag]]
tag = "plant/hall/line/pump/flow"
source = "plc"
address = "unit 1, holding 0, float32"
[models]
{place}
root = "models/root.json"
keys = ["models/trainer.pub.pem"]
"""
PATIENCE_S = 100.0
PULLED = {"place", "at", "state", "why", "new", "kept", "refused", "fresh_until", "stale_since",
          "requests", "received", "resumed"}  # fmt: skip


def model(version: int, key: Ed25519PrivateKey, asset: str = ASSET) -> bytes:
    said = header(name=asset, version=version, parent=None)
    return write_model(said, {"limit": np.arange(8.0) + version}, key)


class Plant:
    """A registry in a folder, and a gateway's configuration beside it."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder = folder
        self.registry = folder / "registry"
        self.keys = folder / "keys"
        self.config = folder / "gateway.toml"
        self.command = command

    def run(self, *arguments: object) -> Any:
        """Run a command about this registry."""
        first, *rest = arguments
        words = ("models", *str(first).split(), self.registry, *rest)
        return self.command(*words, "--keys", self.keys)

    def founded(self) -> None:
        assert self.run("init", "--line", LINE).code == 0
        shutil.copytree(self.keys / "kit", self.folder / "models")
        self.config.write_text(CONFIG.format(place='folder = "registry"'))

    @property
    def trainer(self) -> Ed25519PrivateKey:
        return private_key((self.keys / "trainer" / "trainer.pem").read_bytes(), "here")

    def file(self, version: int, key: Ed25519PrivateKey | None = None, asset: str = ASSET) -> Path:
        path = self.folder / f"{version}.wtm"
        path.write_bytes(model(version, key or self.trainer, asset))
        return path

    def publish(self, version: int, *options: object) -> Any:
        return self.run("publish", self.file(version), *options)

    def pull(self) -> Any:
        return self.command("models", "pull", self.config, "--json")

    @property
    def held(self) -> dict[str, bytes]:
        folder = self.folder / "data" / "models" / "plant|hall|line|pump"
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*.wtm"))}


@pytest.fixture
def plant(tmp_path: Path, command: Command) -> Plant:
    made = Plant(tmp_path, command)
    made.founded()
    return made


def row(ended: Any) -> Any:
    (line,) = ended.out.splitlines()
    return json.loads(line)


def test_init_says_what_belongs_where(tmp_path: Path, command: Command) -> None:
    plant = Plant(tmp_path, command)
    said = row(plant.run("init", "--line", LINE, "--line", "plant/hall/other", "--json"))

    assert said["lines"] == [LINE, "plant/hall/other"]
    assert {Path(one["folder"]).name: one["files"] for one in said["keys"]} == {
        "offline": ["root.pem", "targets.pem"],
        "trainer": ["trainer.pem"],
        "online": ["snapshot.pem", "timestamp.pem"],
        "kit": ["root.json", "trainer.pub.pem"],
    }
    assert {oct(path.stat().st_mode & 0o777) for path in plant.keys.glob("*/*.pem")} == {
        "0o600",
        "0o644",
    }
    assert [path for path in plant.registry.rglob("*") if b"PRIVATE" in content(path)] == []
    again = plant.run("init", "--line", LINE)
    assert again.code == 2
    assert "is a registry already" in again.err
    kept = content(plant.registry / "metadata" / "1.root.json")
    assert plant.run("init", "--line", LINE, "--if-missing").code == 0
    assert content(plant.registry / "metadata" / "1.root.json") == kept


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_from_training_to_a_gateway_and_back(plant: Plant) -> None:
    published = row(plant.publish(1, "--json"))
    assert (published["asset"], published["version"], published["out"]) == (ASSET, 1, True)
    first = plant.pull()
    plant.publish(2, "--ring", "canary")
    second = plant.pull()
    promoted = row(plant.run("promote", ASSET, 2, "--json"))
    third = plant.pull()
    back = row(plant.run("rollback", ASSET, 1, "--json"))
    fourth = plant.pull()

    assert [one.code for one in (first, second, third, fourth)] == [0, 0, 0, 0]
    assert set(row(first)) == PULLED
    assert [one["file"] for one in row(first)["new"]] == ["plant|hall|line|pump/1.wtm"]
    assert (row(second)["new"], row(second)["kept"]) == ([], [{"asset": ASSET, "version": 1}])
    assert promoted["rings"] == {"all": 2, "canary": 2}
    assert [one["version"] for one in row(third)["new"]] == [2]
    assert (back["version"], back["reissue_of"]) == (3, 1)
    assert [one["version"] for one in row(fourth)["new"]] == [3]
    again = read_model(plant.held["3.wtm"], [plant.trainer.public_key()])
    assert (again.header.reissue_of, again.header.parent) == (1, 2)
    assert again.arrays["limit"].tolist() == (np.arange(8.0) + 1).tolist()


def test_list_and_show(plant: Plant) -> None:
    plant.publish(1)
    plant.publish(2, "--ring", "canary")

    listed = [json.loads(line) for line in plant.command(
        "models", "list", plant.registry, "--json").out.splitlines()]  # fmt: skip
    shown = plant.command("models", "show", plant.registry, ASSET, "--json")
    words = plant.command("models", "show", plant.registry, ASSET, 1)
    missing = plant.command("models", "show", plant.registry, ASSET, 7)

    assert [(one["version"], one["rings"]) for one in listed] == [(2, ["canary"]), (1, ["all"])]
    assert row(shown)["header"]["signals"][0] == "plant/hall/line/pump/flow"
    assert "metrics false_alarms_week" in words.out
    assert (missing.code, missing.err) == (2, f"{ASSET}: not there; versions here: 2, 1\n")


def test_an_empty_registry_says_what_to_do(plant: Plant) -> None:
    said = plant.command("models", "list", plant.registry)

    assert said.out == (
        f"{plant.registry} has no models yet; wheeltapper models publish {plant.registry} FILE\n"
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda plant: plant.file(1, Ed25519PrivateKey.generate()), "signed by no key"),
        (lambda plant: plant.file(1, asset="plant/hall/other/pump"), "no key for the line"),
        (lambda plant: plant.config, "does not begin as model files do"),
        (lambda plant: plant.folder / "none.wtm", "none.wtm: No such file"),
    ],
)
def test_what_is_not_published(spoil: Callable[[Plant], Path], words: str, plant: Plant) -> None:
    ended = plant.run("publish", spoil(plant))

    assert ended.code == 2
    assert words in ended.err
    assert plant.command("models", "list", plant.registry, "--json").out == ""


def test_of_several_files_those_before_a_bad_one_are_out(plant: Plant) -> None:
    ended = plant.run("publish", plant.file(1), plant.file(2), plant.config, plant.file(3))

    assert ended.code == 2
    assert f"{plant.config}: " in ended.err
    assert ended.out.count("for the ring all") == 2
    assert [one["version"] for one in row(plant.pull())["new"]] == [2]


def test_versions_go_up_only(plant: Plant) -> None:
    plant.publish(2)
    lower = plant.publish(1)
    same = plant.publish(2)
    known = plant.run("promote", ASSET, 2)

    assert [lower.code, same.code, known.code] == [2, 2, 2]
    assert "publish 3 or higher" in lower.err
    assert "wheeltapper models rollback" in known.err


def test_a_key_that_others_can_read_is_refused(plant: Plant) -> None:
    key = plant.keys / "trainer" / "trainer.pem"
    file = plant.file(1)
    key.chmod(0o640)

    ended = plant.run("publish", file)

    assert ended.code == 2
    assert f"{key}: others on this machine can read this private key (mode 0640)" in ended.err
    assert f"chmod 600 {key}" in ended.err


def test_keys_behind_a_passphrase(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path, command)
    word = tmp_path / "word"
    word.write_text("open sesame\n")
    assert plant.run("init", "--line", LINE, "--passphrase-file", word).code == 0
    trainer = plant.keys / "trainer" / "trainer.pem"
    assert b"ENCRYPTED" in trainer.read_bytes()
    key = private_key(trainer.read_bytes(), "here", b"open sesame")
    file = plant.file(1, key)

    locked = plant.run("publish", file)
    wrong = tmp_path / "wrong"
    wrong.write_text("sesame\n")
    mistaken = plant.run("publish", file, "--passphrase-file", wrong)
    monkeypatch.setenv("WHEELTAPPER_KEY_PASSPHRASE", "open sesame")
    opened = plant.run("publish", file)

    assert (locked.code, mistaken.code, opened.code) == (2, 2, 0)
    assert "is locked by a passphrase: put it into the variable" in locked.err
    assert "the passphrase does not open it" in mistaken.err


def test_each_holder_has_a_part(plant: Plant) -> None:
    """The trainer publishes without the online keys; the server signs it out."""
    online = plant.keys / "online"
    online.rename(plant.folder / "online")
    published = row(plant.publish(1, "--json"))
    before = row(plant.pull())
    (plant.folder / "server").mkdir()
    (plant.folder / "online").rename(plant.folder / "server" / "online")
    refreshed = plant.command(
        "models", "refresh", plant.registry, "--keys", plant.folder / "server", "--json"
    )
    after = row(plant.pull())

    assert (published["out"], before["new"]) == (False, [])
    assert (refreshed.code, row(refreshed)["renewed"], row(refreshed)["out"]) == (0, [], True)
    assert [one["version"] for one in after["new"]] == [1]


def test_refresh_without_a_key(plant: Plant) -> None:
    ended = plant.command("models", "refresh", plant.registry, "--keys", plant.folder / "none")

    assert (ended.code, ended.err) == (
        2,
        f"{plant.folder / 'none'} holds no key; name the folder with --keys\n",
    )


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_key_is_replaced_and_gateways_follow(role: str, plant: Plant) -> None:
    plant.publish(1)
    plant.pull()

    ended = plant.run("keys rotate", role)
    plant.publish(2)
    pulled = plant.pull()

    assert ended.code == 0, ended.err
    assert [one["version"] for one in row(pulled)["new"]] == [2]
    kept = list(plant.keys.glob("*/*.old"))
    assert [path.name for path in kept] == [f"{role}.pem.old"]


def test_the_key_of_a_line_is_replaced(plant: Plant) -> None:
    plant.publish(1)
    plant.pull()
    new = plant.keys / "trainer" / "second.pem"

    ended = plant.run("keys rotate", LINE, "--new", new)
    refused = plant.publish(2)
    key = private_key(new.read_bytes(), "here")
    published = plant.run("publish", plant.file(2, key), "--trainer", new)
    foreign = plant.pull()
    text = plant.config.read_text().replace('pub.pem"]', 'pub.pem", "keys/trainer/second.pub.pem"]')
    plant.config.write_text(text)
    pulled = plant.pull()

    assert ended.code == published.code == 0, ended.err + published.err
    assert refused.code == 2
    assert "is not the one of plant/hall/line" in refused.err
    assert (foreign.code, [one["reason"] for one in row(foreign)["refused"]]) == (1, ["header"])
    assert "signed by no key" in row(foreign)["refused"][0]["why"]
    assert [one["version"] for one in row(pulled)["new"]] == [2]
    assert public_key(new.with_suffix(".pub.pem").read_bytes(), "") == key.public_key()


def test_a_line_is_added(plant: Plant) -> None:
    other = "plant/hall/other"
    added = plant.run("keys add", other)
    twice = plant.run("keys add", other)
    published = plant.run("publish", plant.file(1, asset=f"{other}/pump"))
    shown = plant.command("models", "keys", "show", plant.registry, "--json")

    assert (added.code, twice.code, published.code) == (0, 2, 0)
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [one["role"] for one in rows] == [
        *("root", "targets", "snapshot", "timestamp"),
        *(LINE, other),
    ]
    assert {one["expired"] for one in rows} == {False}


def test_a_gateway_without_a_registry(plant: Plant) -> None:
    text = plant.config.read_text().partition("[models]")[0]
    plant.config.write_text(text)

    ended = plant.command("models", "pull", plant.config)

    assert (ended.code, ended.out) == (2, "")
    assert "[models] names no registry" in ended.err


def test_what_a_pull_says_to_people(plant: Plant) -> None:
    plant.publish(1)
    came = plant.command("models", "pull", plant.config)
    shutil.rmtree(plant.registry)
    gone = plant.command("models", "pull", plant.config)

    assert (came.code, gone.code) == (0, 3)
    assert f"new      {ASSET} 1  " in came.out
    assert "no such folder; is the stick in?" in gone.out


def test_a_model_that_names_another_machine_is_refused(plant: Plant) -> None:
    """Listed by whoever holds the line's key, and not what it is listed as."""
    from connectors.registry.registry import Registry
    from wheeltapper.models.keyring import Keyring

    data = model(4, plant.trainer, f"{LINE}/fan")
    online = Keyring(plant.keys).online()
    Registry(plant.registry).publish(ASSET, 4, data, plant.trainer, online)

    ended = plant.pull()

    assert ended.code == 1
    (refused,) = row(ended)["refused"]
    assert refused["reason"] == "header"
    assert refused["why"] == f"says itself that it is {LINE}/fan 4, not {ASSET} 4"
    assert plant.held == {}


def test_a_clock_behind_the_journal_does_not_pull(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = plant.folder / "data"
    data.mkdir()
    journal = Journal.open(data / "journal.db")
    journal.append(EventRecord("note", 1, {}))
    journal.commit_now()
    journal.close()
    known = latest(data / "journal.db")
    monkeypatch.setattr(time, "time_ns", lambda: known - 2 * 3600 * 10**9)

    ended = plant.pull()

    assert abs(known - time.time() * 1e9) < 600e9
    said = row(ended)
    assert (ended.code, said["state"], said["requests"]) == (1, "clock", 0)
    assert "2.0 h behind the newest record of its journal" in said["why"]


@pytest.fixture
def served(plant: Plant) -> Iterator[str]:
    """Give the address of `wheeltapper models serve`, as the compose stack runs it."""
    port = free_port()
    words = ["-m", "wheeltapper", "models", "serve", str(plant.registry), "--port", str(port)]
    running = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + PATIENCE_S
    while not healthy(url) and time.monotonic() < until:
        time.sleep(0.05)
    yield url
    running.terminate()
    running.wait(PATIENCE_S)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.journey
def test_over_the_server_of_the_stack_in_a_process_of_its_own(plant: Plant, served: str) -> None:
    plant.publish(1)
    plant.config.write_text(CONFIG.format(place=f'url = "{served}"'))
    script = [sys.executable, "-m", "wheeltapper", "models", "pull", str(plant.config), "--json"]

    first = subprocess.run(script, capture_output=True, text=True, env=os.environ)
    plant.publish(2)
    part = plant.folder / "data" / "models" / "tuf" / "parts"
    data = plant.file(2).read_bytes()
    (part / row(plant.command(
        "models", "show", plant.registry, ASSET, "--json"))["sha256"]
    ).write_bytes(data[:100])  # fmt: skip
    second = plant.pull()

    assert (first.returncode, second.code) == (0, 0), first.stderr + second.err
    assert [one["version"] for one in json.loads(first.stdout)["new"]] == [1]
    said = row(second)
    assert [one["version"] for one in said["new"]] == [2]
    assert said["resumed"] == 100
    assert plant.held["2.wtm"] == data


def examined(plant: Plant) -> dict[str, Any]:
    """Give what `doctor` finds of models: by the check, its verdict, result and mend."""
    ended = plant.command("doctor", plant.config, "--json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return {one["check"]: one for one in rows if one["subject"] == "models"}


def test_doctor_looks_at_the_registry_and_leaves_everything_as_it_is(plant: Plant) -> None:
    plant.publish(1)
    assert plant.pull().code == 0
    plant.publish(2)
    before = {path: path.read_bytes() for path in plant.folder.rglob("*") if path.is_file()}

    found = examined(plant)

    pump = found.pop("pump")
    assert {check: one["verdict"] for check, one in found.items()} == dict.fromkeys(
        ("keys", "registry", "root", "timestamp"), "good"
    )
    # it comes, and holds what no watch is made of: the gateway would say so once it had it
    assert pump["verdict"] == "note"
    assert pump["result"].startswith("2.wtm is not taken (other-")
    assert "13 days" in found["timestamp"]["result"] or "14 days" in found["timestamp"]["result"]
    models = plant.folder / "data" / "models"
    after = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    assert after == {path: data for path, data in before.items() if models in path.parents}


def test_doctor_names_a_model_that_is_refused_and_why(plant: Plant) -> None:
    plant.publish(1)
    (target,) = (plant.registry / "targets").rglob("*.1.wtm")
    target.write_bytes(target.read_bytes()[:-1] + b"!")

    pump = examined(plant)["pump"]

    assert pump["verdict"] == "note"
    assert "version 1 is refused (mismatch)" in pump["result"]
    assert "put the file back" in pump["mend"]


def test_doctor_says_who_is_not_there_and_which_key_is_none(plant: Plant) -> None:
    plant.config.write_text(CONFIG.format(place=f'url = "http://127.0.0.1:{free_port()}"'))
    (plant.folder / "models" / "trainer.pub.pem").write_text("no key")

    found = examined(plant)

    assert {check: one["verdict"] for check, one in found.items()} == {
        "keys": "wrong", "registry": "skipped",
    }  # fmt: skip
    assert "trainer.pub.pem" in found["keys"]["result"]


def test_doctor_says_that_nobody_answers(plant: Plant) -> None:
    plant.config.write_text(CONFIG.format(place=f'url = "http://127.0.0.1:{free_port()}"'))
    found = examined(plant)["registry"]
    assert found["verdict"] == "unreachable"
    assert "wheeltapper models serve" in found["mend"]


def test_doctor_does_not_wait_long_for_one_that_says_nothing(plant: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f'url = "http://127.0.0.1:{silent.getsockname()[1]}"'
        plant.config.write_text(CONFIG.format(place=place))
        begun = time.monotonic()
        found = examined(plant)["registry"]
        lasted = time.monotonic() - begun
    assert found["verdict"] == "unreachable"
    assert lasted < 30


@pytest.mark.parametrize(
    ("days", "verdict"), [(-1.0, "wrong"), (0.5, "note"), (5.0, "good"), (500.0, "good")]
)
def test_doctor_says_how_long_a_signature_is_good(days: float, verdict: str) -> None:
    now = 1_790_000_000 * 10**9
    (found,) = _until("timestamp", now + round(days * DAY_NS), now, "refresh")
    assert found.verdict == verdict
    assert bool(found.mend) is (verdict != "good")


def test_prune_lists_what_nobody_can_ask_for_and_removes_it_when_told(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in range(1, 12):
        assert plant.publish(version).code == 0
    assert plant.command("models", "prune", plant.registry).out.endswith(
        "has nothing that is not listed\n"
    )
    for path in (plant.registry / "targets").rglob("*"):
        os.utime(path, (1e9, 1e9))
    # whoever began to pull within the hour goes by the list of then
    assert plant.command("models", "prune", plant.registry, "--json").out == ""

    monkeypatch.setattr("connectors.registry.registry.FETCHED_S", 0.0)
    listed = [
        json.loads(line)
        for line in plant.command("models", "prune", plant.registry, "--json").out.splitlines()
    ]

    old = {Path(one["file"]).name.partition(".")[2] for one in listed}
    assert old == {"1.wtm", "2.wtm", "3.wtm", "index.json"}
    assert not any(one["deleted"] for one in listed)
    assert all((plant.registry / one["file"]).is_file() for one in listed)
    assert plant.command("models", "prune", plant.registry, "--delete").code == 0
    assert not any((plant.registry / one["file"]).exists() for one in listed)
    assert plant.pull().code == 0
    assert list(plant.held) == ["11.wtm"]


def test_prune_waits_until_what_was_published_is_out(plant: Plant) -> None:
    assert plant.publish(1).code == 0
    online = plant.keys / "online"
    online.rename(plant.folder / "elsewhere")
    assert plant.publish(2).code == 0
    ended = plant.command("models", "prune", plant.registry, "--delete")
    assert ended.code != 0
    assert "models refresh" in " ".join(ended.err.replace("│", "").split())
