"""Mail scanners and proxies: what is theirs counts for nobody."""

from __future__ import annotations

from typing import Any

from scorer.domain.machines import CLICKS, LARGEST
from scorer.domain.model import Compare, Machines, Model
from tests.unit.domain.world import CLICKED, DAY, HOUR, MINUTE, OPENED, SECOND, Make, World, award, model

MAIL = (OPENED, CLICKED)
FLAGGED = Machines(MAIL, where=Compare("machine", "equals", (True,)), counts_as="email.machine")
SOON = Machines(MAIL, sooner=2 * SECOND)
BURST = Machines(MAIL, links=3, within=10 * SECOND)


def rules(machines: Machines) -> Model:
    awards = (award(3), award(2, CLICKED, id="clicks"), award(-1, "email.machine", id="machines"))
    return model(*awards, machines=machines)


def click(world: World, at: int, link: str, mail: str = "m1", **rest: Any) -> World:
    return world.fact(CLICKED, at, email_id=mail, link=link, **rest)


def test_what_an_activity_says_of_itself(world: Make) -> None:
    ann = world(rules(FLAGGED)).clock(0).opened(HOUR, machine=True).opened(HOUR, machine=False).opened(HOUR)
    assert ann.total(HOUR) == 3 + 3 - 1


def test_sooner_than_anybody_reads(world: Make) -> None:
    ann = world(rules(SOON)).clock(0).fact("email.delivered", HOUR, email_id="m1")
    ann.opened(HOUR + SECOND, email_id="M1").opened(HOUR + 2 * SECOND, email_id="m1")
    ann.opened(HOUR + SECOND, email_id="m2").opened(HOUR - SECOND, email_id="m1").opened(HOUR)
    assert ann.total(DAY) == 4 * 3


def test_all_links_of_one_mail_within_seconds(world: Make) -> None:
    ann = world(rules(BURST)).clock(0)
    for second, link in enumerate(("/a", "/b", "/c", "/a")):
        click(ann, HOUR + second * SECOND, link)
    click(ann, HOUR, "/d", mail="m2")
    ann.clock(HOUR + MINUTE)
    assert ann.total(HOUR + MINUTE) == 2


def test_a_readers_click_counts_as_of_its_own_time_when_it_is_known(world: Make) -> None:
    ann = click(world(rules(BURST)).clock(0), HOUR, "/a")
    ann.clock(HOUR + 11 * SECOND)
    assert ann.total(HOUR + 11 * SECOND) == 0, "the grace is not over"
    ann.clock(HOUR + 12 * SECOND)
    assert ann.total(HOUR + 12 * SECOND) == 2


def test_nothing_is_announced_that_would_have_to_be_taken_back(world: Make) -> None:
    ann = world(model(award(21, CLICKED), machines=BURST)).clock(0)
    for second, link in enumerate(("/a", "/b", "/c")):
        click(ann, HOUR + second * SECOND, link)
    click(ann, 2 * HOUR, "/a")
    ann.clock(DAY)
    assert ann.told == [("qualified", 2 * HOUR + 10 * SECOND, "score")]


def test_a_click_that_comes_too_late_is_judged_by_what_is_known(world: Make) -> None:
    ann = world(rules(BURST)).clock(0)
    click(click(ann, HOUR, "/a"), HOUR + SECOND, "/b")
    ann.clock(2 * HOUR)
    assert ann.total(2 * HOUR) == 4, "two links: a reader"
    click(ann, HOUR + 2 * SECOND, "/c")
    assert ann.total(2 * HOUR) == 4, "the third makes them a machine's, and it is one"


def test_what_is_held_back_is_bounded(world: Make) -> None:
    ann = world(rules(BURST)).clock(0)
    for number in range(CLICKS + 5):
        click(ann, HOUR, "/a", mail=f"mail-{number}")
    assert ann.total(HOUR) == 5 * 2, "those too many are judged at once"
    click(ann, HOUR, "/a", mail="large", text="x" * LARGEST)
    assert ann.total(HOUR) == 6 * 2
    ann.clock(DAY)
    assert ann.total(DAY) == (CLICKS + 6) * 2


def test_imported_bursts_are_seen_too(world: Make) -> None:
    ann = world(rules(BURST)).clock(DAY).import_begins()
    for number, link in enumerate(("/a", "/b", "/c")):
        click(ann, HOUR + number, link, door=2**32 + 1, offset=number)
    click(ann, 2 * HOUR, "/a", door=2**32 + 1, offset=3)
    ann.import_ends()
    assert ann.total(DAY) == 2


def test_rules_that_look_no_longer_let_go_of_what_was_held(world: Make) -> None:
    ann = click(world(rules(BURST)).clock(0), HOUR, "/a")
    ann.rules(model(award(3), award(2, CLICKED, id="clicks")), 2).clock(HOUR + SECOND)
    assert ann.total(HOUR + SECOND) == 2
