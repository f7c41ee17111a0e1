"""A worker asked about a lead over HTTP: what it has, what others have, and what is not to be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from scorer.domain.explaining import decode_explanation
from scorer.domain.lead import Lead, new_lead
from scorer.domain.links import Links
from scorer.domain.model import Award, Fixed, Matcher, Model, Score, Threshold, encode_model
from scorer.domain.rules import build
from scorer.http_pages import PageHandler
from scorer.wire.asking import Reply, ask
from scorer.worker import explainer
from scorer.worker.explainer import Explainer, NotHere, Standing
from scorer.worker.status import StatusServer

CLOCK = 1_800_000_000_000
RULES = build(
    encode_model(
        Model(
            name="m",
            scores=(Score("fit"),),
            threshold=Threshold(5.0, 1.0),
            awards=(Award("used", "fit", Matcher(("app.started",)), Fixed(10.0)),),
        )
    ),
    3,
)


@dataclass
class Leads:
    """What a worker has: ids that begin with its letter; it knows where others are."""

    letter: str
    has: dict[str, Lead] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    def elsewhere(self, key: bytes) -> NotHere | None:
        letter = key.decode()[0]
        return None if letter == self.letter else NotHere(ord(letter), self.others.get(letter, ""))

    def standing(self, key: bytes) -> Standing:
        lead_id = key.decode()
        if (elsewhere := self.elsewhere(key)) is not None:
            raise elsewhere
        if lead_id.endswith("!"):
            raise ZeroDivisionError(lead_id)
        return Standing(self.has.get(lead_id), RULES, 7, CLOCK)


def known(links: Links | None = None) -> Lead:
    lead = new_lead()
    lead.since = lead.clock = lead.landmark = CLOCK - 60_000
    lead.sums = [0.0] * RULES.group_count
    lead.links = links
    return lead


def signpost(target: str) -> Lead:
    lead = new_lead()
    lead.links = Links(moved=target.encode())
    return lead


@asynccontextmanager
async def serving(*all_leads: Leads) -> AsyncIterator[Callable[[str], asyncio.Future[Reply]]]:
    """Yields how to ask the first of them."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for leads in all_leads:
            server = StatusServer("127.0.0.1", 0, list, Explainer(leads))
            await server.start()
            stack.push_async_callback(server.stop)
            addresses[leads.letter] = f"http://127.0.0.1:{server.address[1]}"
        for leads in all_leads:
            leads.others |= addresses
        first = addresses[all_leads[0].letter]
        yield lambda lead_id: asyncio.get_running_loop().run_in_executor(
            None, lambda: ask(first, lead_id, timeout=10)
        )


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, msgspec.json.decode(reply.body)["error"]


async def test_a_lead_of_our_own() -> None:
    async with serving(Leads("a", {"a/ü 1": known()})) as asked:
        reply = await asked("a/ü 1")
        assert reply.status == 200
        found = decode_explanation(reply.body)
        assert (found.lead, found.status, found.rules.version, found.log.partition) == ("a/ü 1", "open", 3, 7)
        assert refusal(await asked("a2")) == (404, "there is no such lead")


async def test_a_lead_is_followed_through_other_workers() -> None:
    one = Leads("a", {"a1": signpost("b1"), "a2": known(Links(members=[b"a1", b"b1"]))})
    other = Leads("b", {"b1": signpost("a2"), "b2": known()})
    async with serving(one, other) as asked:
        found = decode_explanation((await asked("a1")).body)
        assert (found.lead, found.asked, found.members) == ("a2", "a1", ["a1", "b1"])
        assert decode_explanation((await asked("b2")).body).lead == "b2"
        assert refusal(await asked("b3")) == (404, "there is no such lead")


async def test_a_connection_that_has_been_closed_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PageHandler, "timeout", 0.2)
    async with serving(Leads("a"), Leads("b", {"b1": known()})) as asked:
        for _ in range(3):
            assert (await asked("b1")).status == 200
            await asyncio.sleep(0.5)  # the other side hangs up


async def test_a_circle_comes_to_an_end() -> None:
    async with serving(Leads("a", {"a1": signpost("a2"), "a2": signpost("a1")})) as asked:
        assert (await asked("a1")).status == 500


async def test_a_person_who_was_forgotten() -> None:
    lead = new_lead()
    lead.links = Links(erased=CLOCK)
    async with serving(Leads("a", {"a1": lead})) as asked:
        reply = await asked("a1")
        assert refusal(reply) == (410, "forgotten, as the person asked")
        assert msgspec.json.decode(reply.body)["hint"] == "2027-01-15T08:00:00.000Z"


async def test_what_nobody_has_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explainer, "PATIENCE", 0.3)
    leads = Leads("a")
    async with serving(leads) as asked:
        assert refusal(await asked("x1")) == (503, "no worker can be asked about partition 120 now")
        leads.others["x"] = "http://127.0.0.1:1"
        status, problem = refusal(await asked("x1"))
        assert (status, problem) == (
            503,
            "the owner of partition 120 does not answer: ConnectionRefusedError",
        )


async def test_what_comes_back_while_we_wait_is_answered() -> None:
    leads = Leads("a", {"a1": known()})
    leads.letter = "b"
    async with serving(leads) as asked:
        leads.others.clear()
        waiting = asked("a1")
        await asyncio.sleep(0.3)
        leads.letter = "a"
        assert (await waiting).status == 200


async def test_our_own_failure_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Leads("a")) as asked:
        assert refusal(await asked("a-secret!")) == (500, "our code failed on this lead")
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("lead_id", ["", "\n", "x" * 257])
async def test_no_lead_id(lead_id: str) -> None:
    async with serving(Leads("a")) as asked:
        assert refusal(await asked(lead_id)) == (400, "no lead id")


async def test_more_at_a_time_than_we_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explainer, "AT_ONCE", 2)
    monkeypatch.setattr(explainer, "PATIENCE", 1.0)
    async with serving(Leads("a", {"a1": known()})) as asked:
        waiting = [asked("x1"), asked("x2")]
        await asyncio.sleep(0.4)
        assert refusal(await asked("a1")) == (503, "too many requests at a time")
        await asyncio.gather(*waiting)
        assert (await asked("a1")).status == 200
