"""The trainer's side: what is published, by whom, and until when."""

import json
import os
from datetime import timedelta
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import DelegatedRole, Metadata, Snapshot

from connectors.registry import metadata
from connectors.registry.ceremony import entrust, renew, rotate, states
from connectors.registry.index import read_index, wanted, write_index
from connectors.registry.keys import make_private, read_private, write_public
from connectors.registry.names import (
    HIGHEST,
    MOST_BYTES,
    checked_line,
    checked_ring,
    index_of,
    line_of,
    model_of,
    patterns_of,
    role_of,
    split,
)
from connectors.registry.registry import KEPT, Registry
from connectors.registry.ways import Folder
from plant.errors import Misconfigured, Rejected
from plant.keys import read_public
from tests.connectors.registry.conftest import FAN, LINE, PUMP, Gateway, Site, model

PARTS = st.text(st.sampled_from("abcXYZ019_.:-"), min_size=1, max_size=8).filter(
    lambda part: part not in (".", "..")
)
LINES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
LOOKS_LIKE = st.text(st.sampled_from('{}[]":,0123456789.eE-NaIntrue \\'), max_size=100)
INDEXES = st.dictionaries(
    PARTS, st.dictionaries(PARTS, st.integers(1, HIGHEST), max_size=3), max_size=5
)


def test_what_is_published_can_be_listed_and_read(site: Site) -> None:
    site.publish(1)
    site.publish(2, ring="canary")
    site.publish(5, FAN)

    listed = site.again().models()

    assert [(one.asset, one.version, one.rings) for one in listed] == [
        (FAN, 5, ("all",)),
        (PUMP, 2, ("canary",)),
        (PUMP, 1, ("all",)),
    ]
    assert site.again().read(PUMP, 1) == model(1)
    assert site.again().rings(PUMP) == {"all": 1, "canary": 2}


def test_the_list_stays_short_and_keeps_what_a_ring_has(site: Site, gateway: Gateway) -> None:
    site.publish(1, size=8, ring="museum")
    for version in range(2, KEPT + 6):
        site.registry.publish(PUMP, version, model(version, 8), site.trainer, None)
    site.registry.refresh(site.online)

    versions = [one.version for one in site.registry.models()]

    newest = list(range(KEPT + 5, 5, -1))
    assert versions == [*newest, 1]
    assert gateway.pull(Folder(site.folder)).new[0].version == KEPT + 5


def test_what_is_kept_for_one_asset_stays_when_another_of_its_line_is_published(
    site: Site,
) -> None:
    for version in range(1, KEPT + 2):
        keep = (1,) if version > KEPT else ()
        site.registry.publish(PUMP, version, model(version, 8), site.trainer, None, keep=keep)
    site.registry.publish(FAN, 1, model(1, 8), site.trainer, None, "canary")
    site.registry.promote(FAN, 1, "all", site.trainer, None)

    assert model(1, 8) == site.registry.read(PUMP, 1)


def test_old_metadata_goes_and_roots_stay(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "KEPT", 3)
    rotate(site.registry, "targets", site.targets, site.root)
    for version in range(1, 7):
        site.publish(version, size=8)

    names = sorted(path.name for path in (site.folder / "metadata").iterdir())
    role = role_of(LINE)

    assert [name for name in names if role in name] == [f"{n}.{role}.json" for n in (4, 5, 6)]
    assert [name for name in names if "root" in name] == ["1.root.json", "2.root.json"]
    assert len([name for name in names if "snapshot" in name]) == 3


def test_nobody_changes_a_registry_while_it_is_looked_for_what_is_unlisted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read beside a publication, a file that is written and not listed yet would be told of."""
    site.publish(1)
    registry = site.again()
    kept, looked = registry.shelf.snapshot, list[int]()

    def seen() -> Metadata[Snapshot] | None:
        with pytest.raises(BlockingIOError):
            flock(other, LOCK_EX | LOCK_NB)
        looked.append(other)
        return kept()

    monkeypatch.setattr(registry.shelf, "snapshot", seen)
    other = os.open(site.folder, os.O_RDONLY)
    try:
        assert registry.unlisted() == registry.prune() == []
    finally:
        os.close(other)
    assert len(looked) == 2


@pytest.mark.parametrize("size", [0, MOST_BYTES + 1])
def test_a_size_that_no_gateway_takes_is_not_published(size: int, site: Site) -> None:
    with pytest.raises(Rejected, match=f"{size} bytes"):
        site.registry.publish(PUMP, 1, bytes(size), site.trainer, site.online)


def test_another_key_cannot_publish(site: Site) -> None:
    with pytest.raises(Misconfigured, match="is not the one of site/area/line"):
        site.registry.publish(PUMP, 1, b"x", Ed25519PrivateKey.generate(), site.online)
    assert site.registry.models() == []


def test_another_online_key_cannot_refresh(site: Site) -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(Misconfigured, match="is not the one of timestamp"):
        site.registry.refresh(type(site.online)(site.online.snapshot, other))


def test_what_a_thief_put_into_the_folder_is_not_signed_out(site: Site) -> None:
    """A list of a higher version that the trainer never saw."""
    site.publish(1)
    newest = site.registry.shelf.number(role_of(LINE))
    honest = site.folder / f"metadata/{newest}.{role_of(LINE)}.json"
    said = json.loads(honest.read_bytes())
    said["signed"]["version"] = newest + 1
    planted = honest.with_name(f"{newest + 1}.{role_of(LINE)}.json")
    planted.write_text(json.dumps(said))

    with pytest.raises(Rejected, match="is not signed by the key") as refused:
        site.registry.refresh(site.online)
    assert str(planted) in str(refused.value)


def test_a_model_that_was_changed_on_the_server_is_not_read(site: Site) -> None:
    site.publish(1)
    (file,) = site.folder.glob("targets/**/*.wtm")
    file.write_bytes(b"other")

    with pytest.raises(Rejected, match="is not what was signed for"):
        site.registry.read(PUMP, 1)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff"])
def test_damaged_metadata_is_named(damage: bytes, site: Site) -> None:
    path = site.folder / "metadata" / "2.targets.json"
    path.write_bytes(damage)

    with pytest.raises(Rejected, match=r"2\.targets\.json is no TUF metadata"):
        site.registry.models()


def test_a_folder_that_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no registry; make one: wheeltapper models init"):
        Registry(tmp_path / "typo").models()
    assert list(tmp_path.iterdir()) == []


def test_publishing_beside_a_registry_makes_no_folder(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no registry"):
        Registry(tmp_path / "typo").publish(PUMP, 1, b"x", site.trainer, site.online)
    assert not (tmp_path / "typo").exists()


def test_what_is_due_is_signed_anew_by_whose_key_is_here(site: Site) -> None:
    site.publish(1)
    keys = [site.targets, site.trainer]
    assert renew(site.registry, keys, site.clock) == []
    site.clock.shift = timedelta(days=600)

    done = renew(site.registry, keys, site.clock)
    site.registry.refresh(site.online)

    assert done == ["targets", LINE]
    due = {one.role: one.due for one in states(site.registry, site.clock)}
    assert due == {
        "root": True,
        "targets": False,
        "snapshot": False,
        "timestamp": False,
        LINE: False,
    }
    assert renew(site.registry, [site.root], site.clock) == ["root"]


def test_a_key_without_its_private_part_cannot_take_over_what_is_out(site: Site) -> None:
    site.publish(1)
    other = Ed25519PrivateKey.generate()

    with pytest.raises(Misconfigured, match="the new key has to sign their list"):
        entrust(site.registry, LINE, other.public_key(), site.targets)


def test_the_wrong_offline_key_decides_nothing(site: Site) -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(Misconfigured, match="is not the one of targets"):
        entrust(site.registry, "site/other", stranger.public_key(), stranger)
    with pytest.raises(Misconfigured, match="is not the one of root"):
        rotate(site.registry, "timestamp", stranger, stranger)


@given(LINES)
def test_a_role_names_its_line(line: str) -> None:
    assert line_of(role_of(line)) == checked_line(line)


@given(LINES, PARTS, LINES, PARTS, st.integers(1, HIGHEST))
def test_no_line_can_sign_for_another(
    line: str, own: str, other: str, part: str, version: int
) -> None:
    role = DelegatedRole(role_of(line), ["k"], 1, True, patterns_of(line))
    below = f"{line}/{part}"
    apart = {other, below} - {line}

    assert role.is_delegated_path(model_of(line, own, version))
    assert role.is_delegated_path(index_of(line))
    assert not any(role.is_delegated_path(model_of(each, own, version)) for each in apart)
    assert not any(role.is_delegated_path(index_of(each)) for each in apart)


@pytest.mark.parametrize(
    "line", ["", "a//b", "../a", "a/.", "a b", "a/*", "a/[x]", "a~b", "/a", "a" * 129, "a\n"]
)
def test_a_line_that_is_none(line: str) -> None:
    with pytest.raises(Rejected, match="is no path of a line"):
        checked_line(line)


@pytest.mark.parametrize("asset", ["pump", "a/..", "a/*", "a/", "../b/c"])
def test_an_asset_that_is_none(asset: str) -> None:
    with pytest.raises(Rejected):
        split(asset)


@pytest.mark.parametrize("ring", ["", "a b", "a/b", "x" * 65])
def test_a_ring_that_is_none(ring: str) -> None:
    with pytest.raises(Rejected, match="is no name of a ring"):
        checked_ring(ring)


@given(INDEXES)
def test_an_index_comes_back(index: dict[str, dict[str, int]]) -> None:
    assert read_index(write_index(index)) == index


@given(st.binary(max_size=200) | LOOKS_LIKE.map(str.encode))
def test_any_bytes_are_an_index_or_refused(data: bytes) -> None:
    try:
        index = read_index(data)
    except Rejected:
        return
    assert read_index(write_index(index)) == index


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        '{"a": 1}',
        '{"a": {"all": 0}}',
        '{"a": {"all": true}}',
        '{"a": {"all": 1.0}}',
        '{"a": {"all": NaN}}',
        '{"a": {"all": 1e400}}',
        '{"a": {"all": 9007199254740992}}',
        '{"a": [1]}',
        "[" * 200_000,
        '{"a": {"all": ' + "9" * 5000 + "}}",
        " " * 2_000_000,
    ],
)
def test_an_index_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="the list of a line"):
        read_index(text.encode())


@given(st.dictionaries(st.sampled_from(["all", "canary", "other"]), st.integers(1, 9)))
def test_a_ring_never_gets_less_than_all(rings: dict[str, int]) -> None:
    assert (wanted(rings, "canary") or 0) >= (wanted(rings, "all") or 0)


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_keys_come_back(passphrase: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "key.pem"
    key = make_private(path, passphrase)
    write_public(tmp_path / "key.pub.pem", key.public_key())

    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private(path, passphrase).public_key() == key.public_key()
    assert read_public(tmp_path / "key.pub.pem") == key.public_key()
    with pytest.raises(Misconfigured, match="a key is never written over"):
        make_private(path, passphrase)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nothing", "is no PEM file of a private key"),
        (b"x" * 20_000, "is longer than any key"),
        (
            generate_private_key(SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "another kind of key",
        ),
    ],
)
def test_a_file_that_holds_no_key(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match=words):
        read_private(path)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"key\.pem: no key can be read there: No such file"):
        read_private(tmp_path / "key.pem")
