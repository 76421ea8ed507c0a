"""Journeys with node-opcua, a stack that is not ours."""

import asyncio
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509

from connectors.checks import SourceUnderTest, check_reconnects
from connectors.contract import Cells, Outlet
from connectors.opcua.actuator import OpcUaActuator
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.identity import own_identity
from connectors.opcua.source import OpcUaSource
from connectors.simulated.hostile.proxy import ChaosProxy
from plant.errors import Misconfigured, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import Tag
from tests.connectors.opcua.reading import values_of

pytestmark = pytest.mark.journey
LINE = ("Flow", "Pressure", "Count", "Small", "Running", "Total", "Recipe", "Level")
FLOW, PRESSURE, COUNT, SMALL, RUNNING, TOTAL, RECIPE, LEVEL = range(10, 18)
HOST = socket.gethostname()


def plain(plc: Any, **more: Any) -> OpcUaConfig:
    """Its queues hold more than a busy machine holds a reader up."""
    settings = {"name": "plc", "url": plc.url, "security": "none", "queue": 1000, **more}
    return OpcUaConfig.model_validate({"publishing_ms": 100, "sampling_ms": 0, **settings})


def secured(plc: Any, pki: Path, **more: Any) -> OpcUaConfig:
    settings = {"name": "plc", "url": plc.url, "trust": pki, "certificate_host": HOST}
    return OpcUaConfig.model_validate({**settings, **more})


async def connected(config: OpcUaConfig) -> None:
    async with OpcUaSource(config, []):
        pass


async def told(config: OpcUaConfig, tags: Any, least: int, of: int = FLOW) -> list[Batch]:
    """Read until so many values of one tag came."""
    async with OpcUaSource(config, tags) as source:
        return await values_of(source, of, least)


def column(read: list[Batch], tag: int) -> tuple[list[float], list[int], list[int]]:
    """Values, statuses and times of one tag."""
    here = [(batch, batch.tag == tag) for batch in read]
    return (
        [value for batch, mine in here for value in batch.value[mine].tolist()],
        [status for batch, mine in here for status in batch.status[mine].tolist()],
        [at for batch, mine in here for at in batch.at[mine].tolist()],
    )


@pytest.fixture
def line_tags(tags_of: Any) -> Any:
    return tags_of([f"s=Line1.{name}" for name in LINE])


@pytest.mark.parametrize("form", ["s=Line1.{}", "Line1/{}"], ids=["identifier", "path"])
def test_mixed_types_with_source_time_and_none_lost(form: str, plc: Any, tags_of: Any) -> None:
    tags = tags_of([form.format(name) for name in LINE])
    read = asyncio.run(told(plain(plc), tags, 20))
    flow, statuses, at = column(read, FLOW)
    assert np.all(np.diff(flow) == 1)
    assert np.all(np.diff(at) > 0)
    assert set(statuses) == {0}
    assert abs(at[-1] - time.time_ns()) < 60e9
    assert np.all(np.diff(column(read, PRESSURE)[0]) == 1)
    assert np.all(np.diff(column(read, COUNT)[0]) == 1)
    assert np.all(np.diff(column(read, SMALL)[0]) == -1)
    assert np.all(np.abs(np.diff(column(read, RUNNING)[0])) == 1)
    texts = [event.text for batch in read for event in batch.context if event.tag == RECIPE]
    numbers = [int(text.removeprefix("recipe ")) for text in texts]
    assert np.all(np.diff(numbers) == 1)


def test_a_number_too_large_for_float64_is_bad(plc: Any, line_tags: Any) -> None:
    values, statuses, _ = column(asyncio.run(told(plain(plc), line_tags, 1, TOTAL)), TOTAL)
    assert np.isnan(values).all()
    assert set(statuses) == {Status.BAD_OUT_OF_RANGE}


def test_uncertain_and_bad_are_kept_bit_by_bit(plc: Any, line_tags: Any) -> None:
    # 30 in a row hold each pair of remainders.
    read = asyncio.run(told(plain(plc), line_tags, 31, LEVEL))
    values, statuses, _ = column(read, LEVEL)
    seen = {
        (status, n % 15 == 0, n % 10 == 0)
        for n, status in zip(np.nan_to_num(values).astype(int).tolist(), statuses, strict=True)
    }
    assert (0x40900000, False, True) in seen
    assert (0, False, False) in seen
    assert 0x808C0000 in statuses
    assert not {(0, False, True), (0, True, False), (0x40900000, False, False)} & seen


def test_the_comparison_path_reads_the_same(plc: Any, line_tags: Any) -> None:
    read = asyncio.run(told(plain(plc, decode="handler"), line_tags, 10))
    assert np.all(np.diff(column(read, FLOW)[0]) == 1)


@pytest.fixture(scope="module")
def pki(plc: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust folder in which a person has moved the PLC's certificate to the trusted ones."""
    folder = tmp_path_factory.mktemp("pki")
    with pytest.raises(Misconfigured, match="not trusted"):
        asyncio.run(OpcUaSource(secured(plc, folder), []).__aenter__())
    (stranger,) = (folder / "rejected").iterdir()
    stranger.rename(folder / "trusted/certs" / stranger.name)
    return folder


@pytest.fixture
def password(tmp_path: Path) -> Callable[[str], dict[str, object]]:
    def write(text: str) -> dict[str, object]:
        path = tmp_path / "password"
        path.write_text(text)
        return {"user": "operator", "password_file": path}

    return write


@pytest.mark.parametrize("security", ["Basic256Sha256", "Aes128_Sha256_RsaOaep"])
@pytest.mark.parametrize("text", ["s3cret", "s3cret\r\nrest"])
def test_encrypted_with_user_and_password(
    security: str, text: str, plc: Any, pki: Path, password: Any, line_tags: Any
) -> None:
    config = secured(plc, pki, security=security, **password(text))
    _, statuses, _ = column(asyncio.run(told(config, line_tags, 2)), FLOW)
    assert set(statuses) == {0}


def test_a_wrong_password_names_the_user(plc: Any, pki: Path, password: Any) -> None:
    config = secured(plc, pki, **password("wrong"))
    with pytest.raises(Misconfigured, match="refuses user 'operator'"):
        asyncio.run(connected(config))


def test_a_missing_password_file_is_named(plc: Any, pki: Path, tmp_path: Path) -> None:
    config = secured(plc, pki, user="operator", password_file=tmp_path / "none")
    with pytest.raises(Misconfigured, match=r"password_file .* cannot be read"):
        asyncio.run(connected(config))


def test_the_host_name_must_stand_in_the_certificate(plc: Any, pki: Path) -> None:
    config = secured(plc, pki, certificate_host=None)
    with pytest.raises(Misconfigured, match=r"not for 127\.0\.0\.1"):
        asyncio.run(connected(config))


def test_a_server_that_refuses_our_certificate_says_where_it_lies(
    start_plc: Any, tmp_path: Path
) -> None:
    strict = start_plc("strict")
    config = secured(strict, tmp_path)
    with pytest.raises(Misconfigured, match="not trusted"):
        asyncio.run(connected(config))
    (stranger,) = (tmp_path / "rejected").iterdir()
    stranger.rename(tmp_path / "trusted/certs" / stranger.name)
    with pytest.raises(Misconfigured, match=r"refuses our certificate .*wheeltapper\.der"):
        asyncio.run(connected(config))


def test_our_certificate_is_made_once_with_a_private_key_of_our_own(plc: Any, pki: Path) -> None:
    first = own_identity(secured(plc, pki), pki)
    content = first.certificate.read_bytes()
    assert own_identity(secured(plc, pki), pki) == first
    assert first.certificate.read_bytes() == content
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    names = x509.load_der_x509_certificate(content).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [first.uri]


def test_too_many_sessions_is_tried_again_later(plc: Any, line_tags: Any) -> None:
    async def story() -> None:
        config = plain(plc)
        async with OpcUaSource(config, line_tags), OpcUaSource(config, line_tags):
            with pytest.raises(Unreachable, match="TooManySessions"):
                await OpcUaSource(config, line_tags).__aenter__()
        await told(config, line_tags, 1)

    asyncio.run(story())


@pytest.fixture(scope="module")
def spare(start_plc: Any) -> Any:
    """A PLC to be maltreated; every test gives it back running."""
    return start_plc()


def test_a_frozen_server_is_noticed_and_left_in_time(spare: Any, tags_of: Any) -> None:
    """Stopped in its tracks: the connection stands, nothing comes."""

    async def story() -> tuple[float, float]:
        source = OpcUaSource(plain(spare), tags_of(["s=Line1.Flow"]))
        await source.__aenter__()
        await source.read()
        spare.freeze()
        started = time.monotonic()
        with pytest.raises(Unreachable, match="nothing heard for"):
            await read_on(source)
        noticed = time.monotonic()
        await source.__aexit__(None, None, None)
        spare.thaw()
        return noticed - started, time.monotonic() - noticed

    noticed, left = asyncio.run(story())
    assert noticed < 30
    assert left < 10


def test_a_killed_server_is_noticed_and_read_again(spare: Any, tags_of: Any) -> None:
    tags = tags_of(["s=Line1.Flow"])

    async def story() -> float:
        async with OpcUaSource(plain(spare), tags) as source:
            await source.read()
            spare.stop()
            started = time.monotonic()
            with pytest.raises(Unreachable):
                await read_on(source)
            noticed = time.monotonic()
        with pytest.raises(Unreachable, match="refused the connection"):
            await OpcUaSource(plain(spare), tags).__aenter__()
        await asyncio.to_thread(spare.start)
        values, statuses, _ = column(await told(plain(spare), tags, 3), FLOW)
        assert set(statuses) == {0}
        assert np.all(np.diff(values) == 1)
        return noticed - started

    assert asyncio.run(story()) < 30  # at once on a machine of its own


async def read_on(source: OpcUaSource) -> None:
    while True:
        await asyncio.wait_for(source.read(), 60)


def test_the_contract_holds_over_a_restart(spare: Any, tags_of: Any) -> None:
    tags = tags_of(["s=Line1.Flow"])

    async def make() -> OpcUaSource:
        return OpcUaSource(plain(spare), tags)

    async def restart() -> None:
        spare.stop()
        await asyncio.to_thread(spare.start)

    asyncio.run(check_reconnects(SourceUnderTest(make, [FLOW], restart=restart, patience=30)))


def test_one_node_is_one_by_each_name_and_way_and_two_servers_of_one_name_are_two(
    plc: Any, start_plc: Callable[..., Any], tags_of: Any
) -> None:
    by_id, by_path = (tags_of([form])[0].tag for form in ("s=Line1.Flow", "Line1/Flow"))
    clone = start_plc()

    async def cells(config: OpcUaConfig, tag: Tag) -> Cells:
        async with OpcUaActuator(config, [], [Outlet(tag=tag)]) as actuator:
            await actuator.read([tag.name])
            return actuator.places[tag.name]

    async def run() -> None:
        async with ChaosProxy(plc.port) as proxy:
            url = f"opc.tcp://127.0.0.1:{proxy.port}/UA/plc"
            there = plain(plc).model_copy(update={"url": url})
            first = await cells(plain(plc), by_id)
            assert first & await cells(plain(plc), by_path)
            assert first & await cells(there, by_path)
            assert not first & await cells(plain(clone), by_id)

    asyncio.run(run())
