"""The parts of the simulated press: judged as made, labelled, and the same after a kill."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from connectors.simulated.line import SimulatedLine
from connectors.simulated.signals import MODBUS, MODES
from connectors.simulated.source import SimulatedSource
from gateway.config.plan import CyclePlan, DetectionPlan, Plan
from gateway.journal import EventRecord, Journal
from gateway.parts import part_body, part_from
from gateway.pipeline import Pipeline
from gateway.supervisor import Supervisor
from plant.assets import asset_of
from plant.errors import Exhausted, Rejected
from plant.parts import Part, PartLabel, PartVerdict
from plant.samples import Batch, Recovery
from plant.tags import TagHandle

ROWS = 5400
LINE = SimulatedLine(21, fault="none", start=1_700_000_000 * 10**9, defect_every=25)
TAGS = tuple(tag for tag in LINE.tags if tag.source == MODBUS)
PRESS = TAGS[0].asset
HANDLES = [TagHandle(number, tag) for number, tag in enumerate(TAGS)]
PLAN = Plan(
    name="test",
    data=Path(),
    tags=TAGS,
    assets=(asset_of(PRESS, TAGS, MODES),),
    detection=DetectionPlan(learn_s=10_000),
    cycles={PRESS: CyclePlan(longest_s=20)},
)


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    async def read() -> list[Batch]:
        found: list[Batch] = []
        async with SimulatedSource(LINE, HANDLES, name=MODBUS, rows=range(ROWS)) as source:
            try:
                while True:
                    found.append(await source.read())
            except Exhausted:
                return found

    return asyncio.run(read())


@pytest.fixture(scope="module")
def made(batches: list[Batch]) -> list[Part]:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    return [part for batch in batches for part in pipeline.take(batch).parts]


def order(kind: str, **body: Any) -> EventRecord:
    return EventRecord(kind, 99, {"asset": PRESS, "actor": "kim", "note": "", **body})


def test_every_part_of_the_line_is_told_once_with_its_number(made: list[Part]) -> None:
    values = LINE.values(0, ROWS)
    names = [tag.name for tag in LINE.tags]
    number = values[:, names.index(f"{PRESS}/part")]
    closed = values[:, names.index(f"{PRESS}/trigger")] > 0
    whole = sorted({int(n) for n in number[closed]})
    told = [int(part.number) for part in made]
    assert told == sorted(set(told))
    assert set(told) == set(whole if not closed[-1] else whole[:-1])


def test_defective_parts_are_found_and_the_others_left_alone(made: list[Part]) -> None:
    defective = LINE.defects(0, ROWS)
    judged = [p for p in made if p.verdict in (PartVerdict.GOOD, PartVerdict.SUSPECT)]
    suspect = {int(p.number) for p in judged if p.verdict is PartVerdict.SUSPECT}
    meant = {int(p.number) for p in judged} & defective
    assert len(meant) >= 10
    assert len(suspect & meant) >= 0.7 * len(meant)
    assert len(suspect - meant) <= 3


def test_the_reason_names_what_the_defect_does(made: list[Part]) -> None:
    defective = LINE.defects(0, ROWS)
    found = [p for p in made if p.verdict is PartVerdict.SUSPECT and int(p.number) in defective]
    culprits = {f"{PRESS}/{name}" for name in ("cylinder_pressure", "force_left", "force_right")}
    named = [part.deviations[0].signal in culprits for part in found]
    assert sum(named) >= 0.8 * len(named)


def test_a_part_stands_in_the_journal_as_an_event(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    outcome = pipeline.take(batches[0])
    events = [r for r in outcome.records() if isinstance(r, EventRecord) and r.kind == "part"]
    assert [part_from(event.body) for event in events] == outcome.parts
    assert [event.at for event in events] == [part.stop for part in outcome.parts]


def test_a_part_is_read_back_as_it_was_written(made: list[Part]) -> None:
    labelled = [replace(part, label=PartLabel.DEFECT, actor="kim") for part in made]
    assert [part_from(part_body(part)) for part in made + labelled] == made + labelled


def test_killed_and_labelled_at_any_commit_it_goes_on_as_if_never_stopped(
    batches: list[Batch], made: list[Part], tmp_path: Path
) -> None:
    never = Pipeline(PLAN, HANDLES, plain)
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(PLAN.tags, 0)
    told: list[Part] = []
    for number, batch in enumerate(batches[:5]):
        pipeline = Pipeline(PLAN, HANDLES, plain)
        position, arrays = journal.load_snapshot("test") or (0, None)
        if arrays is not None:
            assert pipeline.restore(arrays) == []
        assert pipeline.replay(journal.read(after=position)) == []
        outcome = pipeline.take(batch)
        never.take(batch)
        told += outcome.parts
        last = outcome.parts[-1]
        said = order("part-label", number=last.number, label="defect")
        for record in (*outcome.records(), *pipeline.order(said)):
            journal.append(record)
        never.order(said)
        if number in (1, 3):
            journal.commit_now()
            journal.save_snapshot("test", journal.committed, pipeline.state())
        journal.commit_now()
    journal.close()
    assert [part.id for part in told] == [part.id for part in made[: len(told)]]
    same(pipeline.state(), never.state())


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_what_fills_a_gap_makes_no_parts(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    late = replace(batches[0], recovered=Recovery.HISTORY)
    assert pipeline.fold(late).parts == []


def test_a_label_is_kept_with_the_part_and_journalled(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    part = pipeline.take(batches[0]).parts[-1]
    said = order("part-label", number=part.number, label="good", note="measured")
    told, kept = pipeline.order(said)
    assert (told, kept.kind) == (said, "part")
    after = part_from(kept.body)
    assert (after.id, after.label, after.note, after.labelled) == (
        part.id,
        PartLabel.GOOD,
        "measured",
        99,
    )
    assert pipeline.parts.books[PRESS].last == after


def test_a_label_of_a_part_that_is_not_known_is_refused(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    pipeline.take(batches[0])
    with pytest.raises(Rejected, match="press-1 has made no part 4711 among its last"):
        pipeline.order(order("part-label", number="4711", label="good"))


def test_a_new_normal_is_learnt_anew(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    for batch in batches[:4]:
        pipeline.take(batch)
    pipeline.order(order("part-normal"))
    assert pipeline.take(batches[4]).parts[1].verdict is PartVerdict.LEARNING


def test_a_judge_that_fails_says_so_and_stops_nothing(
    batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor.__new__(Supervisor)
    supervisor.benched = {}
    pipeline = Pipeline(PLAN, HANDLES, supervisor.contain)
    monkeypatch.setattr(pipeline.parts.books[PRESS].judge, "judge", lambda *_: 1 / 0)
    outcome = pipeline.take(batches[0])
    assert {part.verdict for part in outcome.parts} == {PartVerdict.CANNOT_JUDGE}
    assert outcome.parts[0].why in ("its judge failed", "its beginning was not seen")
    assert list(supervisor.benched) == [f"parts of {PRESS}"]


def test_an_asset_without_trigger_or_number_makes_no_parts() -> None:
    pump = LINE.asset_paths[0]
    tags = tuple(tag for tag in LINE.tags if tag.asset == pump)
    plan = replace(PLAN, tags=tags, assets=(asset_of(pump, tags),), cycles={})
    handles = [TagHandle(number, tag) for number, tag in enumerate(tags)]
    assert Pipeline(plan, handles, plain).parts.books == {}


def test_other_signals_learn_anew(batches: list[Batch]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    pipeline.take(batches[0])
    fewer = replace(PLAN.assets[0], signals=PLAN.assets[0].signals[1:])
    again = Pipeline(replace(PLAN, assets=(fewer,)), HANDLES, plain)
    assert again.restore(pipeline.state()) == [PRESS]
    assert again.parts.books[PRESS].last is None
