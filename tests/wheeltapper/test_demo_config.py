"""`wheeltapper demo --config`: a configuration says everything but what is read."""

from pathlib import Path

import pytest

from gateway.config.loader import load
from plant.errors import Misconfigured
from tests.wheeltapper.conftest import Command

WHO = 'version = 1\n[gateway]\nname = "line-1"\n'
READS = '[[source]]\ntype = "modbus"\nname = "m"\nhost = "127.0.0.1"\n'
TAG = '[[tag]]\ntag = "a/b/c/d/x"\nsource = "m"\naddress = "unit 1, holding 0, uint16"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(WHO)
    return path


def test_only_the_demo_takes_one_that_reads_nothing(config: Path) -> None:
    assert load(config, {}, reads=False).name == "line-1"
    with pytest.raises(Misconfigured, match="there is nothing to read"):
        load(config, {})


def test_it_reads_nothing_else(command: Command, config: Path) -> None:
    config.write_text(WHO + READS + TAG)
    ended = command("demo", "--headless", "--config", config)
    assert ended.code == 2
    assert "a [[source]] beside --config" in ended.err


def test_its_data_lies_in_one_place(command: Command, config: Path) -> None:
    ended = command("demo", "--headless", "--config", config, "--data", config.parent)
    assert ended.code == 2
    assert "--data beside --config" in ended.err


def test_its_mistakes_are_told(command: Command, config: Path) -> None:
    config.write_text(f"{WHO}nmae = 1\n")
    ended = command("demo", "--headless", "--config", config)
    assert ended.code == 2
    assert "gateway.toml:4" in ended.err
