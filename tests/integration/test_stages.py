"""Marketing's leads become sales' and back: lead.feedback.v1 in, stages out, over a real Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.broker import Broker
from scorer.cli.options import default_rules
from scorer.settings import Settings
from scorer.wire.registry import OUTCOMES
from tests.bench.road import WorkerProcess
from tests.bench.workload import FEEDBACK, PROFILE
from tests.integration.road_running import prepare_road, until
from tests.integration.score_running import check_equal, read
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

READY = {"employees": 25, "decision_maker": "yes", "country": "US"}
"""Worth 21 points: a qualified lead."""

QUALIFIES = [("lead.qualified", "Qualified", "MQL", "score"), ("lead.stage", "Qualified", "MQL", "score")]

ANSWERS: dict[str, list[tuple[str, dict[str, Any], str, str]]] = {
    # lead -> (sales' message, its data, the stage it leads to, what such a lead is called)
    "sold": [
        ("feedback.accepted", {"reason": "fits"}, "Contacted", "SAL"),
        ("feedback.developed", {"reason": "has a budget"}, "Negotiation", "SQL"),
        ("feedback.converted", {"reason": "signed"}, "Customer", "customer"),
        ("feedback.moved", {"stage": "Inactive"}, "Inactive", "lead"),
    ],
    "nurtured": [
        ("feedback.nurtured", {"reason": "next year"}, "Nurture", "lead"),
        ("feedback.moved", {"stage": "Open"}, "Open", "lead"),
        ("feedback.moved", {"stage": "negotiation"}, "Negotiation", "SQL"),
    ],
    "rejected": [("feedback.rejected", {"reason": "a student"}, "Unqualified", "lead")],
}


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


async def test_the_eight_stages_and_from_mql_to_sql(settings: Settings, tmp_path: Path) -> None:
    broker = Broker(settings)
    prepare_road(settings, default_rules(), log_partitions=2)
    sales = Publisher(settings)
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        for lead in ANSWERS:
            sales.send(PROFILE, event(PROFILE, lead, data=READY), lead)
        sales.flush()
        wanted = {lead: list(QUALIFIES) for lead in ANSWERS}
        await until(lambda: told(broker) == wanted, "everybody is qualified", worker)
        # One answer after the other, as sales gives them: each when the one before has been heard.
        for step in range(max(map(len, ANSWERS.values()))):
            for lead, answers in ANSWERS.items():
                if step < len(answers):
                    kind, data, *_ = answers[step]
                    sales.send(FEEDBACK, event(FEEDBACK, lead, type=kind, data=data), lead)
                    wanted[lead] += follows(answers[step])
            sales.flush()
            await until(lambda: told(broker) == wanted, f"answer {step + 1} has been heard", worker)
        worker.stop()
    check_equal(broker)
    seen = {stage for said in wanted.values() for _, stage, _, _ in said}
    assert seen == {
        "Contacted",
        "Nurture",
        "Qualified",
        "Negotiation",
        "Customer",
        "Inactive",
        "Unqualified",
        "Open",
    }
    qualified = [one for one in messages(broker) if one["type"] == "lead.qualified"]
    for one in qualified:
        assert one["data"]["follow_up"] == "Everybody else"
        assert one["data"]["owner"] in {"sales east", "sales west"}
        assert one["data"]["due"] > one["time"][:10]
        assert one["data"]["next_step"] == "Call and ask what they are looking for"


def follows(answer: tuple[str, dict[str, Any], str, str]) -> list[tuple[str, str, str, str]]:
    """What is said when sales has answered so."""
    kind, _, stage, lifecycle = answer
    rule = {
        "feedback.accepted": "Accepted by sales",
        "feedback.developed": "Developed by sales",
        "feedback.converted": "Sold",
        "feedback.nurtured": "Sent back to marketing",
        "feedback.moved": "Moved in the CRM",
        "feedback.rejected": "Rejected by sales",
    }[kind]
    said = [("lead.stage", stage, lifecycle, rule)]
    return [("lead.disqualified", stage, lifecycle, rule), *said] if stage == "Unqualified" else said


def told(broker: Broker) -> dict[str, list[tuple[str, str, str, str]]]:
    """By lead, in sequence: (type, stage, lifecycle, reason).

    Up to the first that is missing: the topics are read one after the other, and more is said meanwhile.
    """
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for one in messages(broker):
        data, said = one["data"], found.setdefault(one["subject"], [])
        if data["sequence"] == len(said) + 1:
            said.append((one["type"], data["stage"], data["lifecycle"], data["reason"]))
    return found


def messages(broker: Broker) -> Sequence[dict[str, Any]]:
    values = [
        msgspec.json.decode(record.value or b"")
        for topic in OUTCOMES
        for records in read(broker, topic).values()
        for record in records
    ]
    once = {one["id"]: one for one in values}
    return sorted(once.values(), key=lambda one: (one["subject"], one["data"]["sequence"]))
