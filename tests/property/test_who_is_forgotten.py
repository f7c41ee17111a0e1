"""Erasures among people who are just becoming one, or somebody else: stories, partition by partition."""

from __future__ import annotations

import random

from scorer.domain.clock import pack
from scorer.domain.lead import Lead
from scorer.domain.links import Links
from scorer.domain.record import BINDS, Bind, Clock, Erase, Fact, encode_record
from scorer.wire.partitioner import partition_of
from tests.property.people import BEGAN, DAY, DOOR, PARTITIONS, Log, lead_id


class Story(Log):
    """Three partitions, each read when the story says so."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.offset = 0
        self.tick(BEGAN)

    def signs_up(self, lead: bytes, time: int) -> None:
        self.offset += 1
        name = self.offset.to_bytes(8, "big")
        fact = Fact("app.signed_up", time, time, DOOR, self.offset, name, name.hex(), "/", {})
        self.append(partition_of(lead, self.count), lead, encode_record(fact))

    def named(self, lead: bytes, other: bytes, time: int) -> None:
        self.offset += 1
        bind = Bind(other, time, BINDS + DOOR, 4 * self.offset)
        self.append(partition_of(lead, self.count), lead, encode_record(bind))

    def erased(self, lead: bytes, at: int) -> None:
        record = Erase(at, blocked=False, request="r", member=b"", door=0, offset=-1)
        self.append(partition_of(lead, self.count), lead, encode_record(record))

    def read(self, *numbers: int) -> None:
        """These partitions to their ends, the others not at all."""
        while any(self.work(number, 100) for number in numbers):
            pass

    def known(self, lead: bytes) -> Lead:
        found = self.held(lead)
        assert found is not None
        return found

    def links(self, lead: bytes) -> Links:
        links = self.known(lead).links
        assert links is not None
        return links


def of(kind: str, partition: int, place: int = 0) -> bytes:
    """An id in a partition."""
    found = [one for n in range(99) if partition_of(one := lead_id(kind, n), PARTITIONS) == partition]
    return found[place]


def test_what_is_on_its_way_to_somebody_who_has_moved_on_does_not_come_back() -> None:
    story = Story()
    visit, mail, user = of("a", 0), of("e", 1), of("u", 2)
    story.signs_up(visit, BEGAN + 1)
    story.named(visit, mail, BEGAN + 2)
    story.work(0, 100)  # asks, and its partition reads no further
    story.read(1)  # is accepted
    story.named(mail, user, BEGAN + 3)
    story.read(1, 2)
    assert story.links(mail).moved == user
    assert set(story.links(user).members) == {visit, mail}
    story.erased(user, BEGAN + 10)
    story.read(1, 2)
    story.settle()  # and now sends all that it was
    assert [story.known(one).since for one in (visit, mail, user)] == [0, 0, 0]


def test_an_old_request_does_not_reach_who_has_the_device_now() -> None:
    story = Story()
    device, first, second = of("a", 0), of("u", 1), of("u", 2)
    story.signs_up(device, BEGAN + 1)
    story.named(device, first, BEGAN + 2)
    story.settle()
    assert story.links(device).moved == first
    story.erased(device, BEGAN + 10)
    story.erased(first, BEGAN + 10)
    story.read(0, 2)  # the partition of the first user stands
    for number in (0, 2):
        story.append(number, None, encode_record(Clock(pack({DOOR: BEGAN + DAY}))))
    story.signs_up(second, BEGAN + DAY)
    story.signs_up(device, BEGAN + DAY)
    story.named(device, second, BEGAN + DAY)
    story.read(0, 2)
    assert story.links(device).moved == second
    story.settle()
    story.erased(device, BEGAN + 10)  # and once more from the dead letters
    story.settle()
    assert story.known(second).since
    assert not story.known(first).since


def test_who_was_let_in_between_two_erasures_is_no_member() -> None:
    story = Story()
    device, first, second = of("a", 0), of("u", 1), of("u", 2)
    story.signs_up(device, BEGAN + 1)
    story.signs_up(first, BEGAN + 1)
    story.read(0, 1)
    story.named(device, first, BEGAN + 2)
    story.work(0, 100)
    question = story.logs[1].pop()
    story.erased(first, BEGAN + 10)
    story.append(1, question.key, question.value)
    story.erased(device, BEGAN + 10)
    story.settle()
    assert story.links(first).members == []
    story.tick(BEGAN + 10 * DAY)
    story.signs_up(second, BEGAN + 9 * DAY)
    story.named(device, second, BEGAN + 9 * DAY)
    story.settle()
    story.erased(first, BEGAN + 11 * DAY)
    story.settle()
    assert story.known(second).since


def test_nobody_remembers_a_refusal_by_somebody_who_is_forgotten() -> None:
    story = Story()
    visit, mail, user = of("a", 0), of("e", 1), of("u", 2)
    story.signs_up(visit, BEGAN + 1)
    story.named(mail, user, BEGAN + 2)
    story.work(1, 100)
    story.named(visit, mail, BEGAN + 2)
    story.read(0, 1)  # it has asked, and waits with the address
    story.erased(mail, BEGAN + 10)
    story.settle()
    assert [story.links(one).refused for one in (visit, mail)] == [{}, {}]
    assert not story.known(visit).since


def test_what_is_heard_a_hundred_times_waits_once() -> None:
    story = Story()
    visit, mail, user = of("a", 0), of("e", 1), of("u", 2)
    story.named(visit, user, BEGAN)
    story.work(0, 100)
    for number in range(300):
        story.named(visit, mail, BEGAN + number)
    story.read(0)
    assert len(story.links(visit).waiting) == 1
    assert story.lives[0].partition.counters.refused == 0
