"""What a thief can try, with nothing, with the server, with some of the keys: all of it refused."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata, TargetFile, Targets, Timestamp

from connectors.registry.ceremony import entrust, rotate
from connectors.registry.metadata import signed_with, stamp
from connectors.registry.names import MOST_BYTES, role_of
from connectors.registry.outcome import Reason, State
from connectors.registry.puller import Puller
from connectors.registry.registry import Online
from connectors.registry.ways import Folder, Web
from tests.connectors.registry import unreliable
from tests.connectors.registry.conftest import (
    FAN,
    HASTE,
    LINE,
    PUMP,
    Gateway,
    Site,
    model,
    refuse_all,
)
from tests.connectors.registry.unreliable import Mood, Unreliable
from tests.mounts import on_own_disk

OLD = {"site|area|line|pump/1.wtm": model(1)}
STRANGER = Ed25519PrivateKey.generate()
Fresh = Callable[[], Web]


@pytest.fixture(autouse=True)
def in_force(site: Site, gateway: Gateway) -> None:
    """Version 1 was pulled; version 2 is out."""
    site.publish(1)
    gateway.pull(Folder(site.folder))
    assert gateway.held() == OLD
    shutil.copytree(site.folder, site.folder.with_name("copy"))
    site.publish(2)


def put_back(site: Site) -> None:
    shutil.rmtree(site.folder)
    shutil.copytree(site.folder.with_name("copy"), site.folder)


def old_repository(site: Site, gateway: Gateway) -> None:
    """All of it, as it was before."""
    site.publish(3)
    gateway.check = refuse_all
    gateway.pull(Folder(site.folder))
    put_back(site)


def older_snapshot(site: Site, gateway: Gateway) -> None:
    """The timestamp's key is stolen: it is signed anew for the snapshot before."""
    gateway.check = refuse_all
    gateway.pull(Folder(site.folder))
    timestamp = site.registry.shelf.state("timestamp")
    assert isinstance(timestamp, Timestamp)
    timestamp.version += 1
    timestamp.snapshot_meta.version -= 1
    before = site.folder / f"metadata/{timestamp.snapshot_meta.version}.snapshot.json"
    timestamp.snapshot_meta.length = before.stat().st_size
    timestamp.snapshot_meta.hashes = None
    stamp(timestamp, site.clock(), 10**6)
    site.registry.shelf.put("timestamp", signed_with(Metadata(timestamp), [site.online.timestamp]))


def older_list(site: Site, gateway: Gateway) -> None:
    """Both online keys are stolen: an old list of the line is signed for."""
    gateway.check = refuse_all
    gateway.pull(Folder(site.folder))
    newest = site.registry.shelf.number(role_of(LINE))
    (site.folder / f"metadata/{newest}.{role_of(LINE)}.json").unlink()
    site.registry.refresh(site.online)


def frozen(site: Site, gateway: Gateway) -> None:
    """A mirror that shows what was good once."""
    site.clock.shift = timedelta(days=-20)
    site.registry.refresh(site.online)
    site.registry.refresh(site.online)


def foreign_registry(site: Site, gateway: Gateway) -> None:
    """Another registry under the same address."""
    shutil.rmtree(site.folder)
    Site(site.folder).found().publish(2)


def foreign_snapshot(site: Site, gateway: Gateway) -> None:
    """The stolen server signs with keys of its own."""
    site.registry.shelf.put("timestamp", signed_with(_again(site, "timestamp"), [STRANGER]))


def _again(site: Site, role: str) -> Metadata[Timestamp]:
    signed = site.registry.shelf.state(role)
    signed.version += 1
    assert isinstance(signed, Timestamp)
    return Metadata(signed)


def page(site: Site, gateway: Gateway) -> None:
    """A portal that answers everything with its page."""
    for path in site.folder.glob("metadata/*"):
        path.write_bytes(unreliable.PAGE)


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (old_repository, Reason.ROLLED_BACK),
        (older_snapshot, Reason.ROLLED_BACK),
        (older_list, Reason.ROLLED_BACK),
        (frozen, Reason.EXPIRED),
        (foreign_registry, Reason.UNSIGNED),
        (foreign_snapshot, Reason.UNSIGNED),
        (page, Reason.UNREADABLE),
    ],
)
def test_a_registry_that_is_not_believed(
    attack: Callable[[Site, Gateway], None],
    reason: Reason,
    site: Site,
    gateway: Gateway,
    way: Fresh,
) -> None:
    attack(site, gateway)

    outcome = gateway.pull(way())

    assert outcome.state is State.REFUSED
    assert [(one.asset, one.reason) for one in outcome.refused] == [(None, reason)]
    assert outcome.refused[0].why == outcome.why
    assert gateway.held() == OLD


def sign_line(site: Site, key: Ed25519PrivateKey, change: Callable[[Targets], None]) -> None:
    """Sign the list of the line anew, and let the server take it up as a thief of it would."""
    shelf = site.registry.shelf
    signed = shelf.state(role_of(LINE))
    assert isinstance(signed, Targets)
    change(signed)
    signed.version += 1
    shelf.put(role_of(LINE), signed_with(Metadata(signed), [key]))
    snapshot = shelf.snapshot()
    assert snapshot is not None
    data = shelf.content(role_of(LINE))
    snapshot.signed.meta[f"{role_of(LINE)}.json"].version = signed.version
    snapshot.signed.meta[f"{role_of(LINE)}.json"].length = len(data)
    snapshot.signed.meta[f"{role_of(LINE)}.json"].hashes = None
    snapshot.signed.version += 1
    shelf.put("snapshot", signed_with(snapshot, [site.online.snapshot]))
    timestamp = shelf.state("timestamp")
    assert isinstance(timestamp, Timestamp)
    timestamp.version += 1
    timestamp.snapshot_meta.version = snapshot.signed.version
    timestamp.snapshot_meta.length = None
    timestamp.snapshot_meta.hashes = None
    shelf.put("timestamp", signed_with(Metadata(timestamp), [site.online.timestamp]))


def foreign_key(site: Site) -> None:
    """Both online keys are stolen, the line's is not."""
    sign_line(site, STRANGER, lambda signed: None)


def line_too_long(site: Site) -> None:
    newest = site.registry.shelf.number(role_of(LINE))
    path = site.folder / f"metadata/{newest}.{role_of(LINE)}.json"
    path.write_bytes(path.read_bytes() + b" " * 6_000_000)


def line_missing(site: Site) -> None:
    newest = site.registry.shelf.number(role_of(LINE))
    (site.folder / f"metadata/{newest}.{role_of(LINE)}.json").unlink()


def index_of_another_shape(site: Site) -> None:
    """The line's own key signs something that is no list."""
    data = b'{"pump":{"all":1e999}}'
    info = TargetFile.from_data(f"{LINE}/index.json", data, ["sha256"])
    path = site.folder / "targets" / LINE / f"{info.hashes['sha256']}.index.json"
    path.write_bytes(data)
    sign_line(site, site.trainer, lambda signed: signed.targets.update({info.path: info}))


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (foreign_key, Reason.UNSIGNED),
        (line_too_long, Reason.TOO_LARGE),
        (line_missing, Reason.INCOMPLETE),
        (index_of_another_shape, Reason.UNREADABLE),
    ],
)
def test_a_line_that_is_not_believed(
    attack: Callable[[Site], None], reason: Reason, site: Site, gateway: Gateway, way: Fresh
) -> None:
    attack(site)

    outcome = gateway.pull(way())

    assert outcome.state is State.OK, outcome.why
    told = [(one.line, one.asset, one.reason) for one in outcome.refused]
    assert told == [(LINE, None, reason)]
    assert gateway.held() == OLD


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        (unreliable.flipped, Reason.MISMATCH),
        (unreliable.short, Reason.MISMATCH),
        (unreliable.longer, Reason.TOO_LARGE),
        (unreliable.endless, Reason.TOO_LARGE),
        (unreliable.page, Reason.MISMATCH),
        (unreliable.missing, Reason.INCOMPLETE),
    ],
)
def test_a_model_that_is_not_believed(
    mood: Mood, reason: Reason, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    server.always[".wtm"] = mood

    outcome = gateway.pull(way())

    told = [(one.asset, one.version, one.reason) for one in outcome.refused]
    assert (outcome.state, told) == (State.OK, [(PUMP, 2, reason)])
    assert gateway.held() == OLD
    assert list((gateway.folder / "tuf" / "parts").glob("*")) == []
    server.always.clear()
    assert [one.version for one in gateway.pull(way()).new] == [2], "and heals"


def test_endless_data_is_read_no_further_than_the_model(
    gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    server.always[".wtm"] = unreliable.endless

    outcome = gateway.pull(way())

    assert outcome.received < 40_000 + 3 * 64 * 1024 + 10_000


def swapped(site: Site) -> None:
    """The file of the fan under the name of the pump's."""
    fan = next(site.folder.glob("targets/**/fan/*.wtm"))
    pump = next(site.folder.glob("targets/**/pump/*.2.wtm"))
    pump.write_bytes(fan.read_bytes())


def test_a_swapped_model(site: Site, gateway: Gateway, way: Fresh) -> None:
    site.publish(7, FAN)
    swapped(site)

    outcome = gateway.pull(way())

    assert [(one.asset, one.reason) for one in outcome.refused] == [(PUMP, Reason.MISMATCH)]
    assert gateway.held() == OLD | {"site|area|line|fan/7.wtm": model(7)}


def test_a_list_that_names_what_nobody_signed_for(site: Site, gateway: Gateway, way: Fresh) -> None:
    sign_line(site, site.trainer, lambda signed: signed.targets.pop(f"{PUMP}/2.wtm"))

    (refused,) = gateway.pull(way()).refused

    assert refused.reason is Reason.UNKNOWN
    assert gateway.held() == OLD


def test_a_path_outside_the_line(site: Site, gateway: Gateway, way: Fresh) -> None:
    """The key of another line signs for a file of this one."""
    other = Ed25519PrivateKey.generate()
    elsewhere = "site/area/other"
    entrust(site.registry, elsewhere, other.public_key(), site.targets)
    shelf = site.registry.shelf
    signed = Targets()
    for target in (f"{PUMP}/9.wtm", f"{LINE}/index.json"):
        data = json.dumps({"pump": {"all": 9}}).encode()
        signed.targets[target] = TargetFile.from_data(target, data, ["sha256"])
        digest = signed.targets[target].hashes["sha256"]
        folder, _, name = target.rpartition("/")
        (site.folder / "targets" / folder / f"{digest}.{name}").write_bytes(data)
    stamp(signed, site.clock(), 10**6)
    shelf.put(role_of(elsewhere), signed_with(Metadata(signed), [other]))
    site.registry.refresh(site.online)

    outcome = gateway.pull(way())

    assert [one.version for one in outcome.new] == [2], "what the line's own key signed for"
    assert gateway.held() == OLD | {"site|area|line|pump/2.wtm": model(2)}


def test_more_bytes_than_a_model_may_have_are_not_asked_for(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    def grow(signed: Targets) -> None:
        signed.targets[f"{PUMP}/2.wtm"].length = MOST_BYTES + 1

    sign_line(site, site.trainer, grow)

    (refused,) = gateway.pull(way()).refused

    assert refused.reason is Reason.TOO_LARGE
    assert [path for path, _ in server.asked if path.endswith(".wtm")] == []
    assert gateway.held() == OLD


def test_an_older_version_than_is_held(site: Site, gateway: Gateway, way: Fresh) -> None:
    """Put there by hand, or left of another ring."""
    newer = gateway.folder / "site|area|line|pump" / "5.wtm"
    newer.write_bytes(b"five")

    (refused,) = gateway.pull(way()).refused

    assert (refused.reason, refused.version) == (Reason.OLDER, 2)
    assert gateway.held() == OLD | {"site|area|line|pump/5.wtm": b"five"}


def test_what_the_rules_for_model_files_refuse_is_not_put_in_place(
    gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    gateway.check = refuse_all

    outcome = gateway.pull(way())
    again = gateway.pull(way())

    for one in (outcome, again):
        told = [(each.reason, each.why) for each in one.refused]
        assert told == [(Reason.HEADER, "version 2 is not liked")]
    assert len([path for path, _ in server.asked if path.endswith(".wtm")]) == 1, "not twice"
    assert gateway.held() == OLD


@pytest.mark.parametrize(("known", "asked"), [(1_700_000_000 * 10**9, False), (0, True)])
def test_a_clock_at_1970(known: int, asked: bool, gateway: Gateway, way: Fresh) -> None:
    """The journal knows better; and where it is lost, the registry was signed later."""
    outcome = gateway.pull(way(), newest=known, now=3600 * 10**9)

    assert outcome.state is State.CLOCK
    assert "set the clock" in outcome.why
    assert bool(outcome.requests) == asked
    assert gateway.held() == OLD


def test_updates_that_are_stale_are_told_and_the_model_stays(
    gateway: Gateway, server: Unreliable
) -> None:
    later = gateway.pull(Folder(server.folder)).fresh_until
    assert later is not None

    outcome = gateway.pull(Web("http://127.0.0.1:9", HASTE), now=later + 10**9)

    assert (outcome.state, outcome.stale_since) == (State.UNREACHABLE, later)


def test_a_stolen_server_is_taken_out_of_service_by_new_keys(
    site: Site, gateway: Gateway, way: Fresh
) -> None:
    """Even where the thief had signed with ever so high a version."""
    thief = site.online
    timestamp = site.registry.shelf.state("timestamp")
    assert isinstance(timestamp, Timestamp)
    timestamp.version = 10**6
    site.registry.shelf.put("timestamp", signed_with(Metadata(timestamp), [thief.timestamp]))
    assert gateway.pull(way()).state is State.OK
    site.online = Online(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    rotate(site.registry, "snapshot", site.online.snapshot, site.root)
    rotate(site.registry, "timestamp", site.online.timestamp, site.root)
    site.publish(3)

    healed = gateway.pull(way())
    foreign_snapshot(site, gateway)
    site.registry.shelf.put("timestamp", signed_with(_again(site, "timestamp"), [thief.timestamp]))
    refused = gateway.pull(way())

    assert [one.version for one in healed.new] == [3]
    assert [one.reason for one in refused.refused] == [Reason.UNSIGNED]


STORY = """
import os, signal, sys
from pathlib import Path
import connectors.registry.puller as puller
from connectors.registry.ways import Folder
registry, models, root, asset = map(Path, sys.argv[1:5])
known = puller.put
def put(path, data, mode=0o644):
    if path.suffix == ".wtm":
        os.kill(os.getpid(), signal.SIGKILL)
    known(path, data, mode)
puller.put = put
folders = {str(asset): models / str(asset).replace("/", "|")}
puller.Puller(Folder(registry), root.read_bytes(), models, folders, "all").pull(int(sys.argv[5]))
"""


def test_killed_between_download_and_switch(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh, tmp_path: Path
) -> None:
    root = tmp_path / "root.json"
    root.write_bytes(site.kit)
    script = [sys.executable, "-c", STORY, site.folder, gateway.folder, root, PUMP]

    killed = subprocess.run([*script, str(site.clock.ns)], capture_output=True, check=False)
    after = gateway.held()
    outcome = gateway.pull(way())

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert after == OLD
    assert [one.version for one in outcome.new] == [2]
    assert [path for path, _ in server.asked if path.endswith(".wtm")] == [], "it was here whole"
    assert outcome.resumed == 40_000
    assert list(gateway.held().values()) == [model(1), model(2)]


FULL = """
import json, sys, time
from pathlib import Path
from connectors.registry.puller import Puller
from connectors.registry.ways import Folder
registry, disk, root, asset = map(Path, sys.argv[1:5])
models = disk / "models"
def pull():
    folders = {str(asset): models / str(asset).replace("/", "|")}
    return Puller(Folder(registry), root.read_bytes(), models, folders, "all").pull(time.time_ns())
def held():
    return sorted(path.name for path in models.glob("*/*.wtm"))
# A quota is no number that a look at the disk tells: it is found out by writing.
import connectors.registry.puller as module
room = module.shutil.disk_usage
class Plenty:
    free = 1 << 40
told = {}
ballast = (disk / "ballast").open("wb", buffering=0)
for size in (100_000, 1000, 1):
    try:
        while True:
            ballast.write(bytes(size))
    except OSError:
        pass
told["full"] = pull().row()
module.shutil.disk_usage = lambda folder: Plenty
told["metadata"] = pull().row()
ballast.truncate(ballast.tell() - 60_000)
told["half"] = pull().row()
told["held_half"] = held()
ballast.close()
(disk / "ballast").unlink()
module.shutil.disk_usage = room
told["freed"] = pull().row()
told["held_freed"] = held()
print(json.dumps(told))
"""


def test_a_disk_that_is_full(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    root = tmp_path / "root.json"
    root.write_bytes(site.kit)
    site.publish(3, size=100_000)

    told = json.loads(
        on_own_disk(disk, "size=16m", sys.executable, "-c", FULL, site.folder, disk, root, PUMP)
    )

    for when in ("full", "metadata", "half"):
        assert [one["reason"] for one in told[when]["refused"]] == ["no-room"], when
    assert told["held_half"] == []
    assert told["freed"]["refused"] == []
    assert told["held_freed"] == ["3.wtm"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 300])
def test_what_a_failing_disk_left_is_fetched_again(
    damage: bytes, gateway: Gateway, way: Fresh
) -> None:
    """And the version that is held still keeps an older one out."""
    for path in filter(Path.is_file, (gateway.folder / "tuf").rglob("*")):
        path.write_bytes(damage)

    unreachable = gateway.pull(Web("http://127.0.0.1:9", HASTE))
    healed = gateway.pull(way())

    assert (unreachable.state, unreachable.fresh_until) == (State.UNREACHABLE, None)
    assert [one.version for one in healed.new] == [2]
    assert healed.fresh_until is not None


def test_an_asset_without_a_line(site: Site, gateway: Gateway) -> None:
    puller = Puller(Folder(site.folder), site.kit, gateway.folder, {"pump": gateway.folder}, "all")

    (refused,) = puller.pull(site.clock.ns).refused

    assert refused.reason is Reason.NO_LINE
    assert "'pump' has no line" in refused.why
