"""What docs/central.md says is so."""

import re
from pathlib import Path

import pytest

import connectors.influx
from connectors.influx.config import InfluxConfig
from connectors.influx.schema import KEPT, bucket_of
from plant.alarms import AlarmState
from plant.summaries import HOUR
from tests.connectors.influx.records import Place, events, samples, scores, summaries, tags

FOLDER = Path(connectors.influx.__file__).parent
GUIDE = (Path(__file__).parents[3] / "docs" / "central.md").read_text()
SOURCE = "".join(path.read_text() for path in FOLDER.glob("*.py"))
SYSTEM = {"Connection refused", "timed out", "Name or service not known"}
SERVER = {"field type conflict", "beyond retention policy"}
ROWS = re.findall(r"^\| (?:refused: )?(`.*?) \|", GUIDE.partition("its mend")[2], re.MULTILINE)


def phrases() -> list[str]:
    quoted = [text for row in ROWS for text in re.findall(r"`([^`]+)`", row)]
    parts = [part.strip(" :") for text in quoted for part in text.split("…")]
    return [part for part in parts if part and part not in SYSTEM | SERVER]


@pytest.mark.parametrize("phrase", phrases())
def test_what_is_said_to_go_wrong_is_what_the_product_says(phrase: str) -> None:
    said = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    spoken = re.sub(r"\{[^}]*\}", "…", said)

    assert re.sub(r"\d{3}", "…", phrase) in re.sub(r"\d{3}", "…", spoken)


def test_every_measurement_stands_with_its_bucket() -> None:
    config = InfluxConfig(name="c", url="http://h", org="o")
    told = dict(re.findall(r"^\| `(\w+)`[^|]*\| `(\w+)`", GUIDE, re.MULTILINE))

    assert told == {name: bucket_of(name, config) for name in KEPT}


def test_numbers_of_alarm_states() -> None:
    told = re.findall(r"(\d) ([A-Z]{4,5})\b", GUIDE.partition("`state` is")[2].partition(".")[0])

    assert [(int(number), name) for number, name in told] == [
        (number, state.value) for number, state in enumerate(AlarmState)
    ]


@pytest.mark.journey
def test_fields_of_the_table_are_those_that_are_sent(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        sink.write([samples([0], [1], [1.0]), scores([0], [3], [9.0]), *events()])
        sink.write([summaries([HOUR], HOUR)])

    for name in ("signal_1h", "signal", "tag", "score", "alarm", "gap", "state"):
        (row,) = re.findall(rf"^\| `{name}`.*$", GUIDE, re.MULTILINE)
        (found,) = v1.ask(f'SHOW FIELD KEYS FROM "{name}"')
        unnamed = {key for key, _ in found["values"] if f"`{key}`" not in row}
        assert unnamed == set(), name


@pytest.mark.journey
def test_the_notebook_runs(v1: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with v1.sink(tags()) as sink:
        sink.write([summaries([1_790_000_000 * 10**9 // HOUR * HOUR + HOUR], HOUR)])
    (code,) = re.findall(r"```python\n(from connectors.*?)```", GUIDE, re.DOTALL)
    ours = f'InfluxConfig(name="central", url={v1.url!r}, api="v1", bucket={v1.database!r})'
    tried = re.sub(r"InfluxConfig\(.*?\)", ours, code, count=1, flags=re.DOTALL)

    exec(tried, {})

    assert capsys.readouterr().out.startswith("works/hall/line-1/pump-2/flow 1 ")
