"""Missing ids: which, since when, and until when they matter."""

from jobs.live.gaps import Gap, missing_between


def test_nothing_is_missing_in_a_row_of_ids():
    assert missing_between(4, [5, 6, 7], [], now=1.0) == []


def test_missing_ids_are_found_before_and_between():
    assert missing_between(4, [6, 7, 10], [], now=1.0) == [Gap(5, 5, 1.0), Gap(8, 9, 1.0)]


def test_a_part_of_a_known_gap_keeps_its_age_and_fence():
    known = [Gap(5, 9, 1.0, fence=70)]
    assert missing_between(4, [7, 10], known, now=2.0) == [Gap(5, 6, 1.0, 70), Gap(8, 9, 1.0, 70)]


def test_ids_that_appear_split_a_gap():
    gap = Gap(5, 9, 1.0)
    assert gap.without([7]) == [Gap(5, 6, 1.0), Gap(8, 9, 1.0)]
    assert gap.without([5, 9]) == [Gap(6, 8, 1.0)]
    assert gap.without([5, 6, 7, 8, 9]) == []
    assert gap.without([1, 20]) == [gap]


def test_a_gap_is_dead_when_all_who_ran_have_ended():
    assert not Gap(5, 5, 1.0).is_dead(99)
    assert not Gap(5, 5, 1.0, fence=70).is_dead(69)
    assert Gap(5, 5, 1.0, fence=70).is_dead(70)
    assert not Gap(5, 5, 1.0, fence=70).is_dead(None)
