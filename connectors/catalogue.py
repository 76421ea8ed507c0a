"""Every connector that a configuration may name; its library is imported when it is first built."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.contract import Actuator, Outlet, Sink, Source
from connectors.influx.config import InfluxConfig
from connectors.modbus.address import address_of
from connectors.modbus.config import ModbusConfig
from connectors.opcua.address import parse_address as parse_opcua
from connectors.opcua.config import OpcUaConfig
from connectors.replay.config import ReplayConfig
from connectors.sqlite.config import SqliteConfig
from plant.errors import Misconfigured
from plant.records import EventRecord, Record, SampleRecord, ScoreRecord, SummaryRecord
from plant.summaries import LENGTHS
from plant.tags import Tag, TagHandle

SourceConfig = Annotated[OpcUaConfig | ModbusConfig | ReplayConfig, Field(discriminator="type")]
"""One entry of the configuration's sources."""
SinkConfig = Annotated[SqliteConfig | InfluxConfig, Field(discriminator="type")]
"""One entry of the configuration's sinks."""
EMBEDDED = "history"
"""Name of the history that a gateway keeps unless it is told not to."""


def build(config: SourceConfig, tags: Sequence[TagHandle]) -> Source:
    """Make the source that `config` describes, for those of `tags` that name it.

    Raises
    ------
    Misconfigured
        When an address or a file cannot be used. Nothing is connected yet.
    """
    own = [one for one in tags if one.tag.source == config.name]
    match config:
        case OpcUaConfig():
            from connectors.opcua.source import OpcUaSource

            return OpcUaSource(config, own)
        case ModbusConfig():
            from connectors.modbus.source import ModbusSource

            return ModbusSource(config, own)
        case ReplayConfig():
            from connectors.replay.source import ReplaySource

            return ReplaySource(config, own)
        case _:
            assert_never(config)


class WriteAccess(BaseModel):
    """Credentials that may write, in place of those that a source reads with.

    Parameters
    ----------
    user, password_file
        User of an OPC UA server, and the file whose first line is the password.
    user_certificate, user_key
        Certificate that stands for that user instead, and its key.
    certificate, key
        Application certificate of OPC UA or of Modbus over TLS, and its key.
    trust
        Folder of the certificates that are believed, and of a certificate of its own: a guard of
        its own user cannot read the gateway's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    user_certificate: Path | None = None
    user_key: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    trust: Path | None = None


_USER = frozenset({"user", "password_file", "user_certificate", "user_key"})


def build_actuator(
    config: SourceConfig,
    tags: Sequence[Tag],
    outlets: Sequence[Outlet],
    access: WriteAccess | None = None,
) -> Actuator:
    """Make the actuator of the device that a source reads, with credentials of its own.

    Parameters
    ----------
    tags
        What it may read: interlocks, modes, values that a request rests on.
    outlets
        What it may write.

    Raises
    ------
    Misconfigured
        When an address, a file or the credentials cannot be used, or nothing can be written there.
        Nothing is connected yet.
    """
    own = [tag for tag in tags if tag.source == config.name]
    ways = [outlet for outlet in outlets if outlet.tag.source == config.name]
    match config:
        case OpcUaConfig():
            from connectors.opcua.actuator import OpcUaActuator

            return OpcUaActuator(_with_access(config, access), own, ways)
        case ModbusConfig():
            from connectors.modbus.actuator import ModbusActuator

            return ModbusActuator(_with_access(config, access), own, ways)
        case ReplayConfig():
            raise Misconfigured(f"{config.name}: a recording takes no setpoints")
        case _:
            assert_never(config)


Writable = TypeVar("Writable", OpcUaConfig, ModbusConfig)


def _with_access(config: Writable, access: WriteAccess | None) -> Writable:
    given = access.model_dump(exclude_none=True) if access is not None else {}
    kept = config.model_dump(exclude_unset=True)
    if _USER & given.keys():
        kept = {name: value for name, value in kept.items() if name not in _USER}
    try:
        return type(config).model_validate({**kept, **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(
            f"{config.name}: the credentials that may write do not fit: {place} {first['msg']}"
        ) from None


def build_sink(config: SinkConfig, tags: Sequence[TagHandle], gateway: str, folder: Path) -> Sink:
    """Make the sink that `config` describes, for these tags of the gateway of that name.

    Parameters
    ----------
    folder
        The gateway's data folder, in which an embedded history lies.

    Raises
    ------
    Misconfigured
        When a file that it names cannot be used. Nothing is connected yet.
    """
    match config:
        case SqliteConfig():
            from connectors.sqlite.sink import SqliteSink

            return SqliteSink(config, tags, gateway, folder)
        case InfluxConfig():
            from connectors.influx.sink import InfluxSink

            return InfluxSink(config, tags, gateway)
        case _:
            assert_never(config)


def embedded(sinks: Iterable[SinkConfig]) -> tuple[SinkConfig, ...]:
    """Give the history that a gateway keeps in its data folder; none beside one of that kind."""
    if any(isinstance(one, SqliteConfig) or one.name == EMBEDDED for one in sinks):
        return ()
    return (SqliteConfig(name=EMBEDDED),)


def kinds_of(config: SinkConfig) -> tuple[type[Record], ...]:
    """Give the types of records that a sink is to be sent, one after another.

    Samples are among them only where every one is wanted.
    """
    match config:
        case SqliteConfig():
            return (SummaryRecord,)
        case InfluxConfig():
            kept = (SummaryRecord, ScoreRecord, EventRecord)
            return (*kept, SampleRecord) if config.raw else kept
        case _:
            assert_never(config)


def lengths_of(config: SinkConfig) -> tuple[int, ...]:
    """Give the lengths of the windows that a sink keeps, ns."""
    return config.lengths if isinstance(config, InfluxConfig) else LENGTHS


def wants_pinned(config: SinkConfig) -> bool:
    """Tell whether a sink is to be sent the samples around incidents, and not all of them."""
    return isinstance(config, InfluxConfig) and not config.raw


def files_of(config: SinkConfig) -> tuple[Path, ...]:
    """Give the files with which a sink is let in: token or password, and who signs the server."""
    if not isinstance(config, InfluxConfig):
        return ()
    named = (config.token_file, config.password_file, config.ca)
    return tuple(path for path in named if path is not None)


def is_thrifty(config: SinkConfig) -> bool:
    """Tell whether rows on their way to a sink are worth gathering: every sample is not."""
    return isinstance(config, InfluxConfig) and not config.raw


def place_of(config: SinkConfig) -> str:
    """Say where a sink leads, for people."""
    match config:
        case SqliteConfig():
            return "this machine"
        case InfluxConfig():
            return config.place
        case _:
            assert_never(config)


def check_addresses(config: SourceConfig, tags: Sequence[Tag]) -> None:
    """Read the address of every tag of this source, without a connection.

    Raises
    ------
    Misconfigured
        For the first address that the protocol cannot read; names the tag.
    """
    for tag in tags:
        if tag.source == config.name:
            _check_address(config, tag)


def _check_address(config: SourceConfig, tag: Tag) -> None:
    match config:
        case OpcUaConfig():
            parse_opcua(tag.address, tag.name)
        case ModbusConfig():
            address_of(tag)
        case ReplayConfig():
            if not tag.address:
                raise Misconfigured(f"tag {tag.name}: give the recording's column as its address")
        case _:
            assert_never(config)
