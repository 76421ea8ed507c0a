"""Every connector that a configuration may name; its library is imported when it is first built."""

from collections.abc import Sequence
from typing import Annotated, assert_never

from pydantic import Field

from connectors.contract import Source
from connectors.modbus.address import address_of
from connectors.modbus.config import ModbusConfig
from connectors.opcua.address import parse_address as parse_opcua
from connectors.opcua.config import OpcUaConfig
from connectors.replay.config import ReplayConfig
from plant.errors import Misconfigured
from plant.tags import Tag, TagHandle

SourceConfig = Annotated[OpcUaConfig | ModbusConfig | ReplayConfig, Field(discriminator="type")]
"""One entry of the configuration's sources."""


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
