"""What is trained, what it is not learnt from, and when nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.training.comparison import compare
from analytics.training.fit import NothingTrained
from analytics.training.rows import Rows
from analytics.training.selection import FAULT, Event
from analytics.training.training import Trained, Wishes, check_tags, train
from analytics.watch import Watch
from plant.summaries import HOUR as HOUR_NS
from tests.analytics.training.courses import MACHINE, SETTINGS, course, instant
from tests.mill import RUN, SECOND, UNITS, rows

HOURS = 3 * 3600
SICK = slice(4000, 4600)
EVENT = Event(instant(SICK.start), instant(SICK.stop), "bearing")
WISHES = Wishes(margin=300 * SECOND)


def faulty() -> NDArray[np.float64]:
    values = rows(HOURS)
    values[SICK, 1] += 15.0
    return values


@pytest.fixture(scope="module")
def healthy() -> Trained:
    return train(MACHINE, course(rows(HOURS)), [EVENT], SETTINGS, WISHES)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(MACHINE, course(faulty()), [EVENT], SETTINGS, WISHES)


def test_it_watches_in_every_mode(trained: Trained) -> None:
    assert trained.watch.phase == "watching"
    assert all(np.isfinite(trained.watch.band(mode)[2]).all() for mode in (0, 1))


def test_a_labelled_fault_changes_nothing_that_is_learnt(
    healthy: Trained, trained: Trained
) -> None:
    before, after = healthy.watch.state(), trained.watch.state()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)
    assert healthy.history == trained.history


def test_without_its_label_it_would_be_learnt(trained: Trained) -> None:
    fooled = train(MACHINE, course(faulty()), [], SETTINGS, WISHES)
    wide = fooled.watch.band(RUN)[1][1] - fooled.watch.band(RUN)[0][1]
    true = trained.watch.band(RUN)[1][1] - trained.watch.band(RUN)[0][1]
    assert wide > 1.3 * true


def test_the_labelled_fault_is_found_by_what_did_not_learn_it(trained: Trained) -> None:
    (spotted,) = trained.comparison.figures[0].spotted
    assert spotted.event == EVENT
    assert spotted.delay_s is not None
    assert spotted.delay_s <= 60
    assert spotted.named[0] in (MACHINE.signals[1], MACHINE.signals[2])
    assert trained.metrics["events_found"] == 1


def test_the_last_part_is_held_out(trained: Trained) -> None:
    split = trained.stop
    assert instant(0) < split < instant(HOURS)
    other = rows(HOURS)
    other[(split - instant(0)) // SECOND + 600 :, 0] += 1.0
    again = train(MACHINE, course(other), [EVENT], SETTINGS, WISHES)
    assert again.history == trained.history
    before, after = trained.watch.state(), again.watch.state()
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)


def test_the_card_says_what_was_left_out_and_why(trained: Trained) -> None:
    card = dict(trained.card)
    dropped, modes = card["dropped"], card["modes"]
    assert isinstance(dropped, dict)
    assert isinstance(modes, list)
    assert dropped[FAULT] == 120
    assert [one["judged"] for one in modes if isinstance(one, dict)] == [True, True]
    assert card["rows"] == sum(int(str(one["rows"])) for one in modes if isinstance(one, dict))


def test_an_hour_proves_no_week(trained: Trained) -> None:
    figures = trained.comparison.figures[0]
    assert figures.weeks < 0.01
    assert figures.high > 300


def test_it_is_held_against_the_one_in_force(healthy: Trained, trained: Trained) -> None:
    again = train(MACHINE, course(faulty()), [EVENT], SETTINGS, WISHES, healthy.watch)
    agreement = again.comparison.agreement
    assert agreement is not None
    assert agreement.share == 1.0
    assert agreement.rows == again.comparison.figures[0].judged
    assert [one.name for one in again.comparison.figures[:2]] == ["new model", "in force"]


def refused(values: NDArray[np.float64], *events: Event, **changes: object) -> NothingTrained:
    every = changes.pop("every", 10 * SECOND)
    machine = replace(MACHINE, **changes)  # type: ignore[arg-type]
    with pytest.raises(NothingTrained) as told:
        train(machine, course(values, int(str(every))), events, SETTINGS, WISHES)
    return told.value


def test_too_little_history_trains_nothing() -> None:
    assert refused(rows(1200), names=((1, "run"),)).reason == "history"


def test_only_faults_train_nothing() -> None:
    told = refused(rows(HOURS), Event(instant(0), instant(HOURS), "worn"))
    assert told.reason == "faults"
    assert "a labelled fault: 1080" in str(told)


def test_a_mode_that_was_never_seen_trains_nothing() -> None:
    told = refused(rows(HOURS), names=((0, "idle"), (1, "run"), (2, "cleaning")))
    assert told.reason == "mode"
    assert "2 (cleaning)" in str(told)
    assert "--without-mode 2" in str(told)


def test_a_mode_that_may_be_missing_does_not_hinder() -> None:
    machine = replace(MACHINE, names=((0, "idle"), (1, "run"), (2, "cleaning")))
    wishes = replace(WISHES, without=frozenset({2}))
    done = train(machine, course(rows(HOURS)), [EVENT], SETTINGS, wishes)
    assert done.watch.phase == "watching"


def test_windows_of_an_hour_train_nothing() -> None:
    assert refused(rows(HOURS), every=HOUR_NS).reason == "windows"


def test_nothing_good_trains_nothing() -> None:
    bad = np.ones((HOURS, 5), np.bool_)
    with pytest.raises(NothingTrained) as told:
        train(MACHINE, course(rows(HOURS), bad=bad), [], SETTINGS, WISHES)
    assert told.value.reason == "history"


def test_a_missing_tag_and_another_unit_train_nothing() -> None:
    known = dict(zip(MACHINE.tags, (*UNITS, ""), strict=True))
    check_tags(MACHINE, known)
    without = {name: unit for name, unit in known.items() if name != MACHINE.signals[2]}
    with pytest.raises(NothingTrained, match=r"has nothing of .*power") as told:
        check_tags(MACHINE, without)
    assert told.value.reason == "tag"
    with pytest.raises(NothingTrained, match=r'temperature.*"K".*"Cel"') as told:
        check_tags(MACHINE, known | {MACHINE.signals[3]: "K"})
    assert told.value.reason == "units"


def test_a_machine_without_a_mode_tag_is_trained(healthy: Trained) -> None:
    machine = replace(MACHINE, mode=None, sources=("plc",) * 4, names=())
    running = rows(HOURS)[np.arange(HOURS) % 1800 < 1500]
    plain = course(np.concatenate([running, running[:1800]]))
    again = Watch(machine.signals, machine.units, SETTINGS)
    done = train(machine, plain, [], SETTINGS, WISHES)
    assert done.watch.phase == "watching"
    assert done.watch.state().keys() - again.state().keys()


@pytest.mark.parametrize(("quiet", "told"), [(frozenset[int](), True), (frozenset({RUN}), False)])
def test_what_a_quiet_mode_shows_is_no_false_alarm(
    trained: Trained, quiet: frozenset[int], told: bool
) -> None:
    watch = Watch(MACHINE.signals, MACHINE.units, replace(trained.watch.settings, quiet=quiet))
    watch.restore({name: each.copy() for name, each in trained.watch.state().items()})
    values = rows(1800)
    values[600:1200, 1] += 15.0
    at = instant(HOURS) + SECOND * np.arange(len(values), dtype=np.int64)
    shown = Rows(at, values[:, :4], values[:, 4].astype(np.int64))
    (figures,) = compare({"new model": watch}, None, shown, [], 1.0).figures
    assert (figures.false_alarms > 0) is told
