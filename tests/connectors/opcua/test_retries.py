from connectors.opcua.retries import FIRST_S, LONGEST_S, Retries


def test_waits_double_up_to_the_longest() -> None:
    ours = Retries()
    now, waits = 100.0, []
    for _ in range(7):
        ours.add(7, now)
        wait = ours.wait(now)
        assert wait is not None
        assert ours.take(now + wait - 0.001) == []
        waits.append(wait)
        now += wait
        assert ours.take(now) == [7]
    assert waits == [FIRST_S, 4.0, 8.0, 16.0, LONGEST_S, LONGEST_S, LONGEST_S]
    assert ours.wait(now) is None


def test_a_tag_that_was_fine_for_long_begins_anew() -> None:
    ours = Retries()
    for now in (0.0, 10.0, 20.0):
        ours.add(7, now)
        ours.take(now + 9.0)
    ours.add(7, 100.0)
    assert ours.wait(100.0) == FIRST_S


def test_what_is_due_about_the_same_time_is_tried_together() -> None:
    ours = Retries()
    for handle, at in ((1, 0.0), (2, 0.3), (3, 5.0)):
        ours.add(handle, at)
    assert sorted(ours.take(FIRST_S)) == [1, 2]
    assert ours.take(FIRST_S) == []


def test_planning_twice_changes_nothing_and_what_came_back_is_not_tried() -> None:
    ours = Retries()
    ours.add(7, 0.0)
    ours.add(7, 1.0)
    assert ours.wait(0.0) == FIRST_S
    ours.drop(7)
    assert (ours.wait(0.0), ours.take(99.0)) == (None, [])
