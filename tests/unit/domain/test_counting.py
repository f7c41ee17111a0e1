"""Nothing counts twice, and limits on grants."""

from __future__ import annotations

import pytest

from scorer.domain.model import FirstLater, Once, OncePerObject, PerPeriod, PerUnit, Table
from tests.unit.domain.world import CLICKED, DAY, HOUR, Make, award, model


def test_a_record_redelivered_from_its_door_changes_nothing(world: Make) -> None:
    ann = world(model(award(10)))
    ann.clock(0).opened(0, door=1, offset=7).opened(HOUR, door=1, offset=7).opened(HOUR, door=1, offset=6)
    assert ann.total(HOUR) == 10
    ann.opened(HOUR, door=1, offset=8)
    assert ann.total(HOUR) == 20


@pytest.mark.parametrize("complete", [True, False], ids=["clock complete", "clock not complete"])
def test_a_publishers_retry_changes_nothing(world: Make, complete: bool) -> None:
    ann = world(model(award(10)))
    if complete:
        ann.clock(0)
    ann.opened(0, door=1, offset=0, id="same").opened(0, door=2, offset=0, id="same").opened(0, id="same")
    assert ann.total(0) == 10


def test_a_retry_is_known_for_a_day_of_the_doors_clock(world: Make) -> None:
    ann = world(model(award(10)))
    ann.clock(0).opened(0, id="same").clock(DAY - 1).opened(0, id="same")
    assert ann.total(DAY) == 10
    ann.clock(DAY).opened(0, id="same")
    assert ann.total(DAY) == 20


def test_a_retry_is_known_if_the_clock_began_in_between(world: Make) -> None:
    ann = world(model(award(10)))
    ann.opened(0, id="same").clock(HOUR).opened(HOUR, id="same")
    assert ann.total(HOUR) == 10
    ann.clock(HOUR + DAY - 1).opened(DAY, id="same")
    assert ann.total(DAY) == 10
    ann.clock(HOUR + DAY).opened(DAY, id="same")
    assert ann.total(DAY) == 20


def test_only_the_newest_ids_are_remembered(world: Make) -> None:
    ann = world(model(award(1), dedupe=2))
    ann.clock(0).opened(0, id="a").opened(0, id="b").opened(0, id="c").opened(0, id="b").opened(0, id="a")
    assert ann.total(0) == 4


def test_two_leads_may_share_an_event_id(world: Make) -> None:
    both = world(model(award(10)))
    both.clock(0).opened(0, id="same", lead="ann").opened(0, id="same", lead="bob")
    assert (both.total(0, "ann"), both.total(0, "bob")) == (10, 10)


def test_once(world: Make) -> None:
    ann = world(model(award(10, limit=Once())))
    ann.clock(0).opened(0).opened(DAY).opened(-DAY)
    assert ann.total(DAY) == 10


def test_first_and_later_in_log_order(world: Make) -> None:
    ann = world(model(award(FirstLater(1, 2))))
    ann.clock(0).opened(DAY).opened(0).opened(2 * DAY)
    assert ann.total(2 * DAY) == 5


def test_once_per_object_without_regard_to_case(world: Make) -> None:
    ann = world(model(award(10, limit=OncePerObject("email_id"))))
    ann.clock(0).opened(0, email_id="Welcome").opened(1, email_id="welcome").opened(
        2, email_id="Offer"
    ).opened(3)
    assert ann.total(3) == 20


def test_past_the_bound_of_objects_nothing_is_awarded(world: Make) -> None:
    ann = world(model(award(10, limit=OncePerObject("email_id")), objects=2))
    ann.clock(0)
    for place, name in enumerate(["a", "b", "c", "a", "d"]):
        ann.opened(place, email_id=name)
    assert ann.total(4) == 20


def test_per_period_of_the_models_zone(world: Make) -> None:
    ann = world(model(award(10, limit=PerPeriod("day")), time_zone="Asia/Tokyo"))
    midnight = DAY - 400_000  # NOW is 00:06:40 in Tokyo
    ann.clock(0).opened(0).opened(midnight - 1)
    assert ann.total(midnight) == 10
    ann.opened(midnight)
    assert ann.total(midnight) == 20


def test_a_late_record_counts_in_its_own_period(world: Make) -> None:
    ann = world(model(award(10, limit=PerPeriod("week", 2))))
    ann.clock(0).opened(8 * DAY).opened(8 * DAY).opened(0).opened(0).opened(0).opened(8 * DAY)
    assert ann.total(8 * DAY) == 40


@pytest.mark.parametrize(
    "limit", [Once(), OncePerObject("item"), PerPeriod("month")], ids=["once", "per object", "per period"]
)
@pytest.mark.parametrize(
    ("points", "properties"),
    [(PerUnit("minutes", 2), {}), (Table("kind", (("sales", 10.0),)), {"minutes": 5})],
    ids=["per unit", "table"],
)
def test_a_record_that_grants_nothing_uses_up_no_limit(
    world: Make, limit: Once | OncePerObject | PerPeriod, points: PerUnit | Table, properties: dict[str, int]
) -> None:
    ann = world(model(award(points, limit=limit)))
    ann.clock(0).opened(0, item="a", **properties).opened(1, item="a", minutes=5, kind="Sales")
    assert ann.total(1) == 10


def test_a_table_takes_the_row_of_the_value_or_the_rest(world: Make) -> None:
    ann = world(model(award(Table("kind", (("nurture", 1.0), ("sales", 5.0)), 3.0))))
    ann.clock(0).opened(0, kind="SALES").opened(0, kind="other")
    assert ann.total(0) == 8


def test_points_per_unit(world: Make) -> None:
    ann = world(model(award(PerUnit("seats", 0.5))))
    ann.clock(0).opened(0, seats=7).opened(0, seats="many").opened(0, seats=True)
    assert ann.total(0) == 3.5


def test_adding_up_reaches_the_threshold_only_above_it(world: Make) -> None:
    ann = world(model(award(10), award(0.5, CLICKED, id="clicks")))
    ann.clock(0).opened(0).opened(1)
    assert ann.told == []
    ann.fact(CLICKED, 2)
    assert ann.told == [("qualified", 2, "score")]
