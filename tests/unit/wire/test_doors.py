from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.domain.record import Door, decode_record, encode_record
from scorer.wire.doors import NOTHING, Entry, decode_entry, door_numbers, encode_entry, plan

steps = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 4)),
        st.sets(st.sampled_from("abc"), max_size=1),
    ),
    max_size=8,
)


def test_the_first_plan_numbers_from_one() -> None:
    entry = plan(NOTHING, {"a": 2, "b": 1})
    assert entry.doors == [Door(1, 1, "a", 0), Door(2, 1, "a", 1), Door(3, 1, "b", 0)]
    assert (entry.version, entry.next_number, entry.log, entry.topic_ids) == (1, 4, "", {})


def test_nothing_new_is_the_same_entry() -> None:
    entry = plan(NOTHING, {"a": 2})
    assert plan(entry, {"a": 2}) is entry
    assert plan(entry, {"a": 1}) is entry  # nothing shrinks


def test_a_new_generation_takes_the_old_numbers_out_for_good() -> None:
    first = Entry(1, plan(NOTHING, {"a": 2, "b": 1}).doors, 4, "log", {"a": "id-a", "b": "id-b"})
    second = plan(first, {"a": 2, "b": 1}, ["a"])
    assert second.doors == [Door(3, 1, "b", 0), Door(4, 2, "a", 0), Door(5, 2, "a", 1)]
    assert second.topic_ids == {"b": "id-b"}
    assert (second.version, second.log) == (2, "")


@given(steps)
def test_numbers_are_never_used_twice_and_every_door_has_one(
    steps: list[tuple[dict[str, int], set[str]]],
) -> None:
    entry = NOTHING
    meaning: dict[int, Door] = {}
    wanted: dict[str, int] = {}
    for counts, again in steps:
        wanted |= {topic: max(count, wanted.get(topic, 0)) for topic, count in counts.items()}
        before, entry = entry, plan(entry, wanted, again & wanted.keys())
        assert entry is before or entry.version == before.version + 1
        for door in entry.doors:
            assert meaning.setdefault(door.number, door) == door
        assert set(door_numbers(entry.record)) == {
            (t, p) for t, count in wanted.items() for p in range(count)
        }
        assert entry.counts() == wanted
        assert decode_entry(encode_entry(entry)) == entry
        assert decode_record(encode_record(entry.record)) == entry.record
