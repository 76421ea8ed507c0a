"""The schema for editors agrees with what is accepted."""

from gateway.config.document import schema


def test_schema_knows_every_section_and_forbids_others() -> None:
    described = schema()
    assert described["additionalProperties"] is False
    assert set(described["properties"]) == {
        *("version", "tags", "gateway", "console", "journal", "detection", "alarms", "history"),
        "models",
        "setpoints",
        *("source", "sink", "tag", "proposer", "asset"),
    }


def test_schema_knows_the_connectors_by_their_type() -> None:
    kinds = schema()["properties"]["source"]["items"]["discriminator"]["mapping"]
    assert {"opcua", "modbus"} <= set(kinds)
    kinds = schema()["properties"]["sink"]["items"]["discriminator"]["mapping"]
    assert set(kinds) == {"sqlite", "influx"}


def test_schema_takes_one_sheet_or_a_list() -> None:
    kinds = [choice["type"] for choice in schema()["properties"]["tags"]["anyOf"]]
    assert kinds == ["string", "array"]


def test_schema_knows_the_proposers_by_their_kind() -> None:
    kinds = schema()["properties"]["proposer"]["items"]["discriminator"]["mapping"]
    assert set(kinds) == {"rule", "optimiser"}
