"""Stages: who moves a lead where, and what the score does meanwhile."""

from __future__ import annotations

from scorer.domain.lifecycle import LEGAL, NUMBERS, STAGES
from scorer.domain.model import Absent, Compare, Disqualification, FollowUp, Matcher, Model, Move
from tests.unit.domain.world import CLICKED, DAY, HOUR, OPENED, Make, World, award, model

ACCEPTED, NURTURED, MOVED = "feedback.accepted", "feedback.nurtured", "feedback.moved"
QUIET = Move("quiet", "Inactive", when=Absent(Matcher((OPENED,)), 30 * DAY), sources=("Open", "Nurture"))


def staged(*moves: Move, **rest: object) -> Model:
    standard = (
        Move("accepted", "Contacted", on=Matcher((ACCEPTED,))),
        Move("nurtured", "Nurture", on=Matcher((NURTURED,))),
        Move("crm", None, on=Matcher((MOVED,)), field="stage"),
    )
    awards = (award(21), award(-10, CLICKED, id="clicks"))
    return model(*awards, staged=True, moves=(*standard, *moves), **rest)


def passed(world: World) -> list[tuple[str, str]]:
    """(type, stage) of what was told."""
    return [(one.type.removeprefix("lead."), one.more["stage"]) for one in world.outcomes]


def test_sales_takes_a_lead_and_the_score_rests(world: Make) -> None:
    ann = world(staged()).clock(0).opened(HOUR).fact(ACCEPTED, 2 * HOUR)
    ann.fact(CLICKED, 3 * HOUR).fact(CLICKED, 3 * HOUR).opened(4 * HOUR).clock(DAY)
    assert passed(ann) == [("qualified", "Qualified"), ("stage", "Qualified"), ("stage", "Contacted")]


def test_sent_back_it_is_armed_again_below_the_exit(world: Make) -> None:
    ann = world(staged()).clock(0).opened(HOUR).fact(NURTURED, 2 * HOUR).opened(3 * HOUR)
    assert passed(ann)[-1] == ("stage", "Nurture")
    for hour in range(4, 8):
        ann.fact(CLICKED, hour * HOUR)
    assert passed(ann)[-1] == ("stage", "Nurture"), "below the exit nothing is said"
    ann.opened(9 * HOUR)
    assert passed(ann)[-2:] == [("qualified", "Qualified"), ("stage", "Qualified")]


def test_armed_at_once(world: Make) -> None:
    again = Move("again", "Open", on=Matcher(("feedback.developed",)), rearm=True)
    ann = world(staged(again)).clock(0).opened(HOUR).fact(ACCEPTED, 2 * HOUR)
    ann.fact("feedback.developed", 3 * HOUR)
    assert passed(ann)[-3:] == [("stage", "Open"), ("qualified", "Qualified"), ("stage", "Qualified")]


def test_moves_that_are_not_legal_are_not_made(world: Make) -> None:
    ann = world(staged()).clock(0).fact(MOVED, HOUR, stage="customer").fact(MOVED, 2 * HOUR, stage="Open")
    ann.fact(MOVED, 3 * HOUR, stage="Qualified").fact(MOVED, 4 * HOUR, stage="Lukewarm").fact(MOVED, 5 * HOUR)
    assert passed(ann) == [("stage", "Customer")]


def test_time_alone_moves_a_lead(world: Make) -> None:
    ann = world(staged(QUIET)).clock(0).fact(CLICKED, HOUR).clock(40 * DAY)
    (moved,) = ann.outcomes
    assert (moved.more["stage"], moved.more["previous"], moved.cause) == ("Inactive", "Open", "time")
    assert moved.reason == "quiet"


def test_a_rule_moves_only_from_its_sources(world: Make) -> None:
    ann = world(staged(QUIET)).clock(0).opened(HOUR).clock(40 * DAY)
    assert passed(ann) == [("qualified", "Qualified"), ("stage", "Qualified")]


def test_unqualified_by_the_crm_it_comes_back_by_the_crm(world: Make) -> None:
    ann = world(staged()).clock(0).fact(MOVED, HOUR, stage="Unqualified").opened(2 * HOUR).clock(DAY)
    assert passed(ann) == [("disqualified", "Unqualified"), ("stage", "Unqualified")]
    ann.fact(MOVED, 2 * DAY, stage="Nurture")
    assert passed(ann)[-1] == ("stage", "Nurture")


def test_a_disqualification_moves_too_but_no_customer(world: Make) -> None:
    student = Disqualification("student", Compare("role", "equals", ("student",)), "a student")
    ann = world(staged(disqualifications=(student,))).clock(0).profile(HOUR, role="student")
    ann.profile(2 * HOUR, role="engineer").fact(MOVED, 3 * HOUR, stage="Customer").profile(
        4 * HOUR, role="student"
    )
    assert passed(ann) == [
        ("disqualified", "Unqualified"),
        ("stage", "Unqualified"),
        ("stage", "Open"),
        ("stage", "Customer"),
    ]


def test_imported_answers_move_in_silence_and_the_end_tells(world: Make) -> None:
    ann = world(staged()).clock(10 * DAY).import_begins()
    ann.fact(ACCEPTED, HOUR, door=2**32 + 1, offset=0).fact(
        MOVED, DAY, door=2**32 + 1, offset=1, stage="Negotiation"
    )
    assert passed(ann) == []
    ann.import_ends()
    (moved,) = ann.outcomes
    assert (moved.more["previous"], moved.more["stage"], moved.cause) == ("Open", "Negotiation", "import")


def test_rules_without_stages_forget_them(world: Make) -> None:
    ann = world(staged()).clock(0).opened(HOUR).fact(ACCEPTED, 2 * HOUR)
    ann.rules(model(award(30)), 2).clock(DAY)
    assert passed(ann)[-1] == ("qualified", "Qualified"), "sales' lead waits for the score again"


def test_whose_it_is_and_until_when(world: Make) -> None:
    follow_ups = (
        FollowUp(
            "known", Compare("owner", "exists"), existing="owner", owners=("zoe",), due=1, next_step="call"
        ),
        FollowUp("rest", owners=("ann", "ben"), due=0),
    )
    ann = world(staged(follow_ups=follow_ups, holidays=("2025-06-16",))).clock(0)
    ann.profile(0, owner="carl").opened(HOUR)
    ann.fact(OPENED, HOUR, lead="bob")
    known, rest = (one.more for one in ann.outcomes if one.type == "lead.qualified")
    # The story begins on a Sunday, and Monday is a holiday.
    assert (known["owner"], known["due"], known["next_step"]) == ("carl", "2025-06-17", "call")
    assert rest["owner"] in ("ann", "ben")
    assert rest["due"] == "2025-06-17"


def test_turns_are_even_and_few_change_when_somebody_leaves() -> None:
    from scorer.domain.following import by_turn

    owners = ("ann", "ben", "cem", "dora")
    before = {f"lead-{number}": by_turn(f"lead-{number}", owners) for number in range(4_000)}
    shares = [list(before.values()).count(owner) / 4_000 for owner in owners]
    assert all(0.22 < share < 0.28 for share in shares)
    after = {lead: by_turn(lead, owners[:3]) for lead in before}
    assert all(after[lead] == owner for lead, owner in before.items() if owner != "dora")


def test_every_stage_can_be_left_and_reached() -> None:
    for number, name in enumerate(STAGES):
        assert LEGAL[number], name
        assert number not in LEGAL[number]
        assert any(number in following for following in LEGAL)
    assert NUMBERS["Unqualified"] not in LEGAL[NUMBERS["Customer"]]
