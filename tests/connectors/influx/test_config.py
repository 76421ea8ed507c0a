import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import connectors.influx
from connectors.influx.config import InfluxConfig
from connectors.influx.schema import (
    KEPT,
    asset_places,
    bucket_of,
    buckets_of,
    name_of,
    places,
)

FOLDER = Path(connectors.influx.__file__).parent
SAMPLE = (FOLDER / "sample.toml").read_text()
URL = "https://influx.plant:8086"


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        ({"url": "influx.plant:8086"}, "write https://host:8086"),
        ({"url": "http://"}, "write https://host:8086"),
        ({"url": "http://host:port"}, "write https://host:8086"),
        ({"url": "http://user:secret@host"}, "use token_file"),
        ({"url": "http://host/?org=plant"}, "settings of their own"),
        ({"org": ""}, 'org = "plant"'),
        ({"api": "v1"}, "has no organizations"),
        ({"api": "v1", "org": "", "token_env": "T"}, "takes user and password_file"),
        ({"user": "u", "password_file": "p"}, 'belong to api "v1"'),
        ({"api": "v1", "org": "", "user": "u"}, "give both or neither"),
        ({"token_file": "t", "token_env": "T"}, "give one of them"),
        ({"url": "http://host", "ca": "ca.pem"}, "without TLS"),
        ({"bucket": "plant/autogen", "split": True}, "leave split out"),
        ({"windows": ["5m"]}, "10s"),
        ({"token": "s3cret"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_reached_is_refused(settings: dict[str, object], mend: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(mend)):
        InfluxConfig.model_validate({"name": "central", "url": URL, "org": "plant", **settings})


def test_sample_holds_every_setting_with_its_default() -> None:
    (given,) = tomllib.loads(SAMPLE)["sink"]
    shown = set(re.findall(r"^#? ?([a-z_0-9]+) = ", SAMPLE, re.MULTILINE))
    commented = re.findall(r"^# ([a-z_0-9]+ = .*)$", SAMPLE.partition("# An InfluxDB 1")[0], re.M)
    default = InfluxConfig.model_validate(given)
    differing = {"token_env", "split", "ca"}

    assert shown == set(InfluxConfig.model_fields)
    assert [
        line
        for line in commented
        for key, value in tomllib.loads(line).items()
        if key not in differing and value != default.model_dump(mode="json")[key]
    ] == []


def test_the_sample_for_version_1_can_be_used() -> None:
    lines = SAMPLE.partition("# An InfluxDB 1")[2].splitlines()[1:]
    given = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))

    assert InfluxConfig.model_validate({"name": "x", "url": URL, **given}).user == "gateway"


def test_buckets_follow_from_how_long_things_are_kept() -> None:
    split = InfluxConfig(name="c", url=URL, org="o", windows=("10s", "1m", "1h"))
    single = split.model_copy(update={"split": False})
    v1 = InfluxConfig(name="c", url=URL, api="v1", bucket="plant")

    assert buckets_of(split) == (
        "wheeltapper",
        "wheeltapper_30d",
        "wheeltapper_1y",
        "wheeltapper_90d",
    )
    assert "wheeltapper_30d" not in buckets_of(split.model_copy(update={"windows": ("1h",)}))
    assert buckets_of(single) == ("wheeltapper",)
    assert {bucket_of(name, v1) for name in KEPT} == {"plant"}


@pytest.mark.parametrize(
    "name", ["a/b", "s/a/l/m/flow", "a/b/s/a/l/m/flow", "flow", "a//b", "/a", "a/", "/", "l/m/flow"]
)
def test_a_name_is_found_again_from_its_parts(name: str) -> None:
    assert name_of(places(name)) == name


def test_different_names_have_different_parts() -> None:
    names = ["a/b", "a//b", "/a/b", "a/b/", "x/a/b", "a/x/b", "b/a"]

    assert len({tuple(sorted(places(name).items())) for name in names}) == len(names)


def test_places_of_an_asset_are_those_of_its_tags() -> None:
    tags = places("works/hall/line-1/pump-2/flow")

    assert asset_places("works/hall/line-1/pump-2") == {
        key: value for key, value in tags.items() if key != "signal"
    }
