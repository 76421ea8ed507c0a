"""What is done to an audit afterwards is found, and where; a crash is told from it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.guard.audit import (
    EVERY,
    FIRST,
    LONGEST,
    Audit,
    NoAudit,
    _canonical,
    _hash,
    records_of,
    verify,
)
from gateway.guard.checks import Moment
from gateway.guard.history import told
from plant.errors import Misconfigured
from tests.gateway.guard.rig import KEY

KEYS = [KEY.public_key()]
AT = Moment(10**18, 1.0, "boot")
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def made(file: Path, records: int = 130, key: Ed25519PrivateKey = KEY) -> list[bytes]:
    audit = Audit(file, key)
    for number in range(records):
        audit.note(AT, "guard", "noted", number=number, words="ä\u2028\n")
    audit.close()
    return file.read_bytes().splitlines(keepends=True)


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:40], lines[40].replace(b'"number":40', b'"number":41'), *lines[41:]]


def rehashed(lines: list[bytes]) -> list[bytes]:
    """Change a record and make good every hash behind it: only the signature gives it away."""
    records = [json.loads(line) for line in lines]
    records[40]["number"] = 999
    for before, record in zip([None, *records], records, strict=False):
        record["prev"] = before["hash"] if before else FIRST
        record["hash"] = _hash(record)
    return [_canonical(record) + b"\n" for record in records]


def unsigned(lines: list[bytes]) -> list[bytes]:
    """Take the checkpoints out and make good all the rest."""
    kept = [line for line in lines if b'"checkpoint"' not in line]
    records = [{**json.loads(line), "n": n} for n, line in enumerate(kept, 1)]
    for before, record in zip([None, *records], records, strict=False):
        record["prev"] = before["hash"] if before else FIRST
        record["hash"] = _hash(record)
    return [_canonical(record) + b"\n" for record in records]


TAMPERED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "changed": (edited, 41),
    "changed, and all hashes made good": (rehashed, EVERY + 1),
    "checkpoints taken out": (unsigned, EVERY + 2),
    "one taken out": (lambda lines: [*lines[:40], *lines[41:]], 41),
    "the first taken out": (lambda lines: lines[1:], 1),
    "two exchanged": (lambda lines: [*lines[:40], lines[41], lines[40], *lines[42:]], 41),
    "one put in twice": (lambda lines: [*lines[:41], lines[40], *lines[41:]], 42),
    "no JSON": (lambda lines: [*lines[:40], b"{}}\n", *lines[41:]], 41),
    "another writing": (
        lambda lines: [*lines[:40], lines[40].replace(b'":', b'": ', 1), *lines[41:]],
        41,
    ),
    "no object": (lambda lines: [*lines[:40], b"[]\n", *lines[41:]], 41),
    "too long": (lambda lines: [*lines[:40], b"x" * (LONGEST + 2) + b"\n"], 41),
    "torn in the middle": (lambda lines: [*lines[:40], lines[40][:-9] + b"\n", *lines[41:]], 41),
}


@pytest.mark.parametrize(("change", "bad"), TAMPERED.values(), ids=TAMPERED)
def test_tampering_is_found_where_it_begins(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], bad: int
) -> None:
    file = tmp_path / "audit.jsonl"
    lines = made(file)
    assert verify(file, KEYS).bad == 0
    file.write_bytes(b"".join(change(lines)))
    found = verify(file, KEYS)
    assert found.bad == bad
    assert found.why
    with pytest.raises(NoAudit, match=f"record {bad}: "):
        Audit(file, KEY)


@pytest.mark.parametrize("line", range(0, 131, 26))
def test_any_byte_that_is_changed_is_found(tmp_path: Path, line: int) -> None:
    file = tmp_path / "audit.jsonl"
    lines = made(file)
    found = []
    for place in range(0, len(lines[line]) - 1, 17):
        changed = bytearray(lines[line])
        changed[place] ^= 1
        file.write_bytes(b"".join([*lines[:line], bytes(changed), *lines[line + 1 :]]))
        found.append(verify(file, KEYS).bad)
    assert set(found) <= {line + 1, line + 2}


def test_a_replaced_key_is_found(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    made(file, key=OTHER)
    found = verify(file, KEYS)
    assert (found.bad, found.why) == (EVERY + 1, "is signed by no key that is believed")
    assert verify(file, [OTHER.public_key()]).bad == 0


def test_what_was_cut_off_shows_against_a_hash_kept_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    lines = made(file)
    kept = json.loads(lines[-1])["hash"]
    assert verify(file, KEYS, kept=[kept]).bad == 0
    file.write_bytes(b"".join(lines[:120]))
    assert verify(file, KEYS).bad == 0
    assert "is missing" in verify(file, KEYS, kept=[kept]).why


def test_a_crash_in_the_midst_of_a_record_is_no_tampering(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    lines = made(file, 5)
    for size in (*range(1, 60, 7), len(lines[-1]) - 1):
        file.write_bytes(b"".join(lines[:-1]) + lines[-1][:size])
        found = verify(file, KEYS)
        assert (found.bad, found.torn, found.records) == (0, size, 4)
    audit = Audit(file, KEY)
    assert (audit.torn, audit.count) == (len(lines[-1]) - 1, 4)
    audit.note(AT, "guard", "goes on")
    assert verify(file, KEYS).records == 5


def test_checkpoints_come_by_number_and_by_time(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit = Audit(file, KEY)
    audit.note(AT, "guard", "noted")
    audit.tick(Moment(AT.wall, 60.9, "boot"))
    assert verify(file, KEYS).signed == 0
    audit.tick(Moment(AT.wall, 61.0, "boot"))
    assert verify(file, KEYS).signed == 2
    audit.tick(Moment(AT.wall, 500.0, "boot"))
    assert verify(file, KEYS).records == 2
    for _ in range(EVERY):
        audit.note(AT, "guard", "noted")
    assert verify(file, KEYS).signed == EVERY + 3
    last = json.loads(file.read_bytes().splitlines()[-1])
    assert (last["held_in"], last["tpm"]) == ("file", "none") or last["tpm"] == "present, not used"


def test_an_audit_that_was_not_on_disk_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Audit(tmp_path / "audit.jsonl", KEY)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.guard.audit.os.fsync", full)
    with pytest.raises(NoAudit, match="No space left"):
        audit.note(AT, "guard", "noted")
    monkeypatch.undo()
    with pytest.raises(NoAudit, match="No space left"):
        audit.note(AT, "guard", "noted")
    audit.close()
    assert verify(tmp_path / "audit.jsonl", KEYS).records == 1


def test_a_record_that_is_too_long_is_not_written(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", KEY)
    with pytest.raises(NoAudit, match="are the most"):
        audit.note(AT, "guard", "noted", words="x" * LONGEST)
    assert audit.note(AT, "guard", "noted") == 1


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        verify(tmp_path / "none", KEYS)
    with pytest.raises(NoAudit, match="cannot be written"):
        Audit(tmp_path / "none" / "audit.jsonl", KEY)


NO_RECORDS = [
    b'{"event":"received","request":{"id":"1"}}',
    b"[]",
    b'{"actor":1,"event":"","wall":1}',
]


@pytest.mark.parametrize("line", NO_RECORDS)
def test_a_line_that_is_no_record_hides_no_other(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "audit.jsonl"
    lines = made(file, 3)
    file.write_bytes(b"".join([*lines[:1], line + b"\n", *lines[1:]]))
    assert [record["n"] for record in records_of(file)] == [1, 2, 3]
    assert told(file).requests == []
    assert verify(file, KEYS).bad == 2
