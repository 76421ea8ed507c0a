"""`doctor` against real servers at fault: each fault has its own check, words and ending."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave
from plant.findings import Finding, Verdict
from tests.plant2000 import Plant2000
from tests.ports import free_port
from wheeltapper import listening
from wheeltapper.doctor import ending

pytestmark = pytest.mark.journey

Command = Callable[..., Any]
Served = Callable[..., Plant2000]
SPACE = "urn:plant:two-thousand"
HEAD = "tag,source,address\n"
ONE = f"Line1/Machine1/Flow,plc,nsu={SPACE};Line1/Machine1/Flow\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listening, "LISTENED_S", 1.5)
    return tmp_path


def configure(url: str, security: str = "none", tags: str = ONE, more: str = "") -> None:
    trust = "" if security == "none" else 'trust = "pki"\n'
    Path("tags.csv").write_text(HEAD + tags, "utf-8")
    Path("line.toml").write_text(
        'version = 1\ntags = "tags.csv"\n[gateway]\nname = "line"\n[console]\nport = 0\n'
        f'[[source]]\ntype = "opcua"\nname = "plc"\nurl = "{url}"\nsecurity = "{security}"\n'
        f"timeout_s = 1.5\n{trust}{more}",
        "utf-8",
    )


def accept(command: Command) -> None:
    """Trust the server that the first examination put aside."""
    command("doctor", "line.toml")
    (rejected,) = Path("pki/rejected").glob("*.der")
    assert command("trust", "accept", rejected.stem[:16], "line.toml", "--yes").code == 0


def examined(command: Command) -> tuple[int, dict[str, dict[str, str]]]:
    ended = command("doctor", "line.toml", "--json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return ended.code, {row["check"]: row for row in rows}


def test_all_is_well(command: Command, plant2000: Served) -> None:
    configure(plant2000().url, "Basic256Sha256")
    accept(command)
    ended = command("doctor", "line.toml")
    assert ended.code == 0
    assert "✗" not in ended.out
    assert "1 of 1 tag" in ended.out


def test_a_certificate_that_nobody_trusts(command: Command, plant2000: Served) -> None:
    configure(plant2000().url, "Basic256Sha256")
    code, found = examined(command)
    assert (code, found["server's certificate"]["verdict"]) == (2, "wrong")
    assert "wheeltapper trust accept" in found["server's certificate"]["mend"]
    assert found["the rest"]["verdict"] == "skipped"


def test_a_server_that_does_not_trust_us(command: Command, plant2000: Served) -> None:
    configure(plant2000("strict", "still").url, "Basic256Sha256")
    accept(command)
    code, found = examined(command)
    assert (code, found["our certificate"]["verdict"]) == (2, "wrong")
    assert found["server's certificate"]["verdict"] == "good"
    assert "pki/own/certs/wheeltapper.der" in found["our certificate"]["result"]


def test_a_wrong_password(command: Command, plant2000: Served) -> None:
    Path("password.txt").write_text("guess\n")
    user = 'user = "operator"\npassword_file = "password.txt"\n'
    configure(plant2000().url, "Basic256Sha256", more=user)
    accept(command)
    code, found = examined(command)
    assert (code, found["user"]["verdict"]) == (2, "wrong")
    assert found["our certificate"]["verdict"] == "good"
    assert "password" in found["user"]["mend"]


def test_a_certificate_with_another_uri(command: Command, plant2000: Served) -> None:
    configure(plant2000("crowded", "misnamed").url, "Basic256Sha256")
    accept(command)
    code, found = examined(command)
    assert (code, found["server's certificate"]["verdict"]) == (2, "wrong")
    assert "urn:another:plant" in found["server's certificate"]["result"]


def test_a_policy_that_is_not_offered(command: Command, plant2000: Served) -> None:
    configure(plant2000().url, "Aes256_Sha256_RsaPss")
    code, found = examined(command)
    assert (code, found["security policy"]["verdict"]) == (2, "wrong")
    assert "Basic256Sha256/SignAndEncrypt" in found["security policy"]["result"]


def test_no_session_left(command: Command, plant2000: Served) -> None:
    url = plant2000("crowded", "misnamed").url
    configure(url)

    async def crowded() -> tuple[int, dict[str, dict[str, str]]]:
        other = await connect_secure(OpcUaConfig(name="other", url=url, security="none"))
        try:
            return await asyncio.to_thread(examined, command)
        finally:
            await leave(other)

    code, found = asyncio.run(crowded())
    assert (code, found["session"]["verdict"]) == (3, "unreachable")
    assert "BadTooManySessions" in found["session"]["result"]


def test_tags_of_another_namespace(command: Command, plant2000: Served) -> None:
    configure(plant2000().url, tags=ONE.replace(SPACE, "urn:plant:two-thousands"))
    code, found = examined(command)
    assert (code, found["namespaces"]["verdict"]) == (2, "wrong")
    assert SPACE in found["namespaces"]["mend"]


def test_an_address_that_is_not_there(command: Command, plant2000: Served) -> None:
    wrong = f"a/b,plc,nsu={SPACE};Line1/Machine1/Flwo\na/c,plc,nsu={SPACE};s=L1.M1.Flo\n"
    configure(plant2000().url, tags=ONE + wrong)
    code, found = examined(command)
    assert (code, found["addresses"]["verdict"]) == (2, "wrong")
    assert "did you mean Line1/Machine1/Flow?" in found["addresses"]["result"]
    assert "did you mean s=L1.M1.Flow?" in found["addresses"]["result"]
    assert found["values"]["verdict"] == "note"


def test_connected_and_no_good_value(command: Command, plant2000: Served) -> None:
    configure(plant2000("dead").url)
    code, found = examined(command)
    assert (code, found["values"]["verdict"]) == (1, "no data")
    assert "BadSensorFailure" in found["samples"]["result"]


def test_connected_and_nothing_moves(command: Command, plant2000: Served) -> None:
    configure(plant2000("strict", "still").url)
    code, found = examined(command)
    assert (code, found["values"]["verdict"]) == (0, "note")
    assert "nothing moves" in found["values"]["result"]


def test_no_tags_yet(command: Command, plant2000: Served) -> None:
    configure(plant2000().url, tags="")
    code, found = examined(command)
    assert (code, found["tags"]["verdict"]) == (0, "note")


def test_nobody_listens(command: Command) -> None:
    configure(f"opc.tcp://127.0.0.1:{free_port()}")
    code, found = examined(command)
    assert (code, found["port"]["verdict"]) == (3, "unreachable")
    assert "nobody listens" in found["port"]["result"]


@pytest.fixture
def blocked() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops what knocks: as behind a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


def test_a_blocked_port(command: Command, blocked: int) -> None:
    configure(f"opc.tcp://127.0.0.1:{blocked}")
    code, found = examined(command)
    assert (code, found["port"]["verdict"]) == (3, "unreachable")
    assert "does not answer within 1.5 s" in found["port"]["result"]


def test_a_name_that_nobody_knows(command: Command) -> None:
    configure("opc.tcp://plc.invalid:4840")
    code, found = examined(command)
    assert (code, found["name"]["verdict"]) == (3, "unreachable")


def test_a_configuration_with_mistakes(command: Command) -> None:
    configure("opc.tcp://127.0.0.1:1", more="nonsense = 1\n")
    code, found = examined(command)
    assert (code, found["configuration"]["verdict"]) == (2, "wrong")


MODBUS = """\
version = 1
tags = "tags.csv"
[gateway]
name = "line"
[console]
port = 0
[[source]]
type = "modbus"
name = "meter"
host = "127.0.0.1"
port = {port}
timeout_ms = 1000
scan_ms = 200
"""


class Device(threading.Thread):
    """Unit 1 answers registers below 100 and refuses others; unit 2 is silent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        with peer, suppress(ConnectionError):
            while (request := peer.recv(260)) and len(request) >= 12:
                answer = self.answer(request)
                peer.sendall(answer)

    def answer(self, request: bytes) -> bytes:
        unit, code = request[6], request[7]
        first, count = (int.from_bytes(request[i : i + 2], "big") for i in (8, 10))
        good = bytes([unit, code, 2 * count]) + (b"\x7f\x00\x00\x01" * count)[: 2 * count]
        body = good if first + count <= 100 else bytes([unit, code | 0x80, 2])
        whole = request[:4] + len(body).to_bytes(2, "big") + body
        return whole if unit == 1 else b""


@pytest.fixture
def device() -> Iterator[Device]:
    one = Device()
    one.start()
    yield one
    one.listener.close()


def test_modbus_units_holes_and_byte_order(command: Command, device: Device) -> None:
    Path("line.toml").write_text(MODBUS.format(port=device.port), "utf-8")
    Path("tags.csv").write_text(
        HEAD
        + 'a/good,meter,"unit 1, holding 0, float32 abcd"\n'
        + 'a/hole,meter,"unit 1, holding 200, uint16"\n'
        + 'b/silent,meter,"unit 2, holding 0, uint16"\n',
        "utf-8",
    )
    code, found = examined(command)
    assert code == 2
    assert (found["unit 1"]["verdict"], found["unit 2"]["verdict"]) == ("wrong", "unreachable")
    assert "a/hole (unit 1, holding 200, uint16)" in found["unit 1"]["result"]
    assert "a/good" in found["byte order"]["result"]


class Foreign(Device):
    """Answers every request as Modbus TCP does, whatever it was asked in."""

    def serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            while peer.recv(260):
                peer.sendall(bytes.fromhex("000100000003018302"))


def test_the_wrong_transport_is_not_laid_to_the_addresses(command: Command) -> None:
    device = Foreign()
    device.start()
    wrong = MODBUS.format(port=device.port) + 'transport = "rtu-over-tcp"\n'
    Path("line.toml").write_text(wrong, "utf-8")
    Path("tags.csv").write_text(HEAD + 'a/good,meter,"unit 1, holding 0, uint16"\n', "utf-8")
    code, found = examined(command)
    device.listener.close()
    assert code == 2
    assert found["unit 1"]["mend"].startswith("is transport right?")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        ((Verdict.GOOD, Verdict.NOTE, Verdict.SKIPPED), 0),
        ((Verdict.NO_DATA,), 1),
        ((Verdict.UNREACHABLE, Verdict.NO_DATA), 3),
        ((Verdict.UNREACHABLE, Verdict.WRONG, Verdict.NO_DATA), 2),
    ],
)
def test_the_graver_finding_decides_how_it_ends(verdicts: tuple[Verdict, ...], code: int) -> None:
    findings = [Finding(subject="x", check="y", verdict=one, result="") for one in verdicts]
    assert ending(findings) == code
