"""Dead letters without Kafka: which are meant, what can be sent again, and how they look."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.cli import run
from scorer.cli.dead_letters import Duration
from scorer.cli.letters_shown import EXPLAINED, detailed, json_line, outcome, refusals, summary, table
from scorer.domain import clock
from scorer.domain.model import Award, Fixed, Matcher, Model, Score, encode_model, fingerprint
from scorer.domain.partition import LogPartition
from scorer.domain.record import (
    Clock,
    Door,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
    Rules,
    decode_record,
    encode_record,
)
from scorer.domain.state import PartitionState
from scorer.log_lines import Recorded
from scorer.wire.dead_letters import (
    Place,
    Reason,
    Redriven,
    dead_letter,
    origin,
    parse_place,
    redriven,
    redriven_note,
)
from scorer.wire.identity import Identity
from scorer.wire.partitioner import partition_of
from scorer.wire.redrive import Again, Judge, Letter, Noted, Redrives, Refused, Selection, Tally, redrive
from scorer.wire.registry import LOG, Registry

NOW = 1_800_000_000_000
DAY = 86_400_000
EMAIL = "activity.email.v1"
REGISTRY = Registry.load()
PARTITIONS = {EMAIL: 4, LOG: 8}
DOCS = Path(__file__).parents[3] / "docs" / "dead-letters.md"


def event(**changes: Any) -> bytes:
    fields = {"specversion": "1.0", "id": "e1", "source": "/t", "type": "email.opened", "subject": "lead-1"}
    return msgspec.json.encode(fields | {"data": {}} | changes)


def letter(
    reason: Reason = Reason.FUTURE,
    value: bytes | None = None,
    *,
    topic: str = EMAIL,
    partition: int = 2,
    offset: int = 7,
    at: int | None = NOW,
    key: bytes | None = b"k",
    detail: str = "time: wrong",
    died: int = NOW,
    **headers: bytes,
) -> Letter:
    made = dead_letter(reason, detail, topic, partition, offset, key, value, at)
    given = dict(made.headers) | headers
    return Letter(0, offset, died, origin(given.items()), key, value, given)


def fact(door: int = 3, **changes: Any) -> Fact:
    made = Fact("email.opened", NOW, NOW, door, 41, b"12345678", "e1", "/t", {})
    return msgspec.structs.replace(made, **changes)


def judge(of: Letter, now: int = NOW, **options: Any) -> Again:
    return Judge(REGISTRY, Identity("secret"), PARTITIONS.__getitem__, **options)(of, now)


# -- what people type ---------------------------------------------------------------------------------


@given(st.text("abcxyz019._-", min_size=1, max_size=30), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_a_place_is_read_as_it_is_shown(topic: str, partition: int, offset: int) -> None:
    place = Place(topic, partition, offset)
    assert parse_place(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "a", "a[1]", "a@1", "a[1]@", "a[-1]@2", "a[1]@2 ", "[1]@2", "a[1]@2x", "ä[1]@2"]
)
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="not topic"):
        parse_place(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("90s", 90_000), ("30m", 1_800_000), ("2h", 7_200_000), ("7d", 7 * DAY), ("0s", 0)]
)
def test_durations(text: str, ms: int) -> None:
    assert Duration().convert(text, None, None) == ms


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "1h30m", "2w", "٢h", "9999999s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 90s"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "activity.email.v1"], "no record such as activity.email.v1[2]@1234"),
        (["list", "--since", "soon"], "no duration"),
        (["list", "--reason", "mood"], "not_json"),
        (["redrive", "a[1]@2", "--topic", "a", "--yes"], "not both"),
        (["redrive", "--limit", "0"], "--limit"),
    ],
)
def test_mistakes_are_told_before_kafka_is_asked(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dead-letters", *arguments, "--bootstrap", "127.0.0.1:1"]) == 2
    assert said in capsys.readouterr().err


def test_where_nobody_can_be_asked_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["dead-letters", "redrive", "--bootstrap", "127.0.0.1:1"]) == 2
    assert "--dry-run" in capsys.readouterr().err


# -- which are meant ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(topics=frozenset({EMAIL, LOG})), True),
        (Selection(topics=frozenset({LOG})), False),
        (Selection(reasons=frozenset({Reason.FUTURE})), True),
        (Selection(reasons=frozenset({Reason.NOT_JSON})), False),
        (Selection(since=NOW), True),
        (Selection(since=NOW + 1), False),
        (Selection(places=frozenset({Place(EMAIL, 2, 7)})), True),
        (Selection(places=frozenset({Place(EMAIL, 7, 2)})), False),
        (Selection(frozenset({EMAIL}), frozenset({Reason.NOT_JSON})), False),
    ],
)
def test_a_selection_takes_what_all_its_parts_take(selection: Selection, *, taken: bool) -> None:
    assert selection.takes(letter()) is taken


# -- notes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [None, NOW])
def test_a_note_says_what_went_where(at: int | None) -> None:
    note = Redriven(2, Place(EMAIL, 1, 5), at, Place(EMAIL, 1, 9), at)
    made = redriven_note(note)
    assert (made.key, made.value) == (None, None)
    assert redriven(made.headers) == note
    with pytest.raises(ValueError, match="dead letter"):
        origin(made.headers)


def test_a_letter_is_no_note() -> None:
    with pytest.raises(ValueError, match="no note"):
        redriven(letter(redriven=b"1").headers.items())
    with pytest.raises(ValueError, match="note"):
        redriven([])


@pytest.mark.parametrize("name", ["reason", "detail", "topic", "offset"])
def test_headers_without_values_are_no_letters(name: str) -> None:
    with pytest.raises(ValueError, match="without a value"):
        origin((dict(letter().headers) | {name: None}).items())


@pytest.mark.parametrize("name", ["redriven", "topic", "sent-offset"])
def test_headers_without_values_are_no_notes(name: str) -> None:
    place = Place(EMAIL, 1, 5)
    headers = dict(redriven_note(Redriven(1, place, 1, place, 2)).headers)
    with pytest.raises(ValueError, match="without a value"):
        redriven((headers | {name: None}).items())


# -- what can be sent again ---------------------------------------------------------------------------


def test_a_door_record_goes_to_its_door_as_it_was() -> None:
    value = event(time="2020-01-01T00:00:00Z")
    with pytest.raises(Refused, match="too_old"):
        judge(letter(Reason.TOO_OLD, value))
    value = event()
    assert judge(letter(Reason.ENGINE_ERROR, value)) == Again(EMAIL, 2, b"k", value)
    assert judge(letter(Reason.ENGINE_ERROR, value, key=None, partition=6)) == Again(EMAIL, 2, None, value)


def test_an_event_from_the_future_can_be_sent_when_its_time_has_come() -> None:
    value = event(time="2027-01-15T08:00:00Z")  # NOW
    ahead = letter(Reason.FUTURE, value)
    with pytest.raises(Refused, match=r"would be refused again: future: time: 300001 ms"):
        judge(ahead, NOW - 300_001)
    assert judge(ahead, NOW - 300_000).value == value
    assert judge(ahead, NOW + 400 * DAY).value == value
    with pytest.raises(Refused, match="too_old"):
        judge(ahead, NOW + 400 * DAY + 1)


@pytest.mark.parametrize("value", [None, b"{", b"{}", event(type="email.eaten"), event(subject=None)])
def test_what_intake_would_refuse_is_sent_by_force_only(value: bytes | None) -> None:
    with pytest.raises(Refused, match="would be refused again"):
        judge(letter(Reason.NOT_JSON, value))
    assert judge(letter(Reason.NOT_JSON, value), force=True).value == value


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (letter(Reason.TOO_LARGE, event(), cut=b"10 2000000"), "only the beginning"),
        (letter(value=b"x" * 1_048_000), "without compression the door takes 1,046,528"),
        (letter(value=event(), topic="activity.fax.v1"), "no door"),
        (letter(value=event(), topic="lead.rules.v1"), "no door"),
    ],
)
def test_what_cannot_be_sent_is_not_sent_by_force_either(of: Letter, why: str) -> None:
    with pytest.raises(Refused, match=why):
        judge(of, force=True)


def test_where_our_code_still_fails_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("scorer.wire.intake.encode_record", broken)
    with pytest.raises(Refused, match="our code would fail on it again: ZeroDivisionError"):
        judge(letter(Reason.ENGINE_ERROR, event()))


def engine_error(value: bytes | None, key: bytes | None = b"lead-1", **changes: Any) -> Letter:
    return letter(Reason.ENGINE_ERROR, value, key=key, **{"topic": LOG, "at": None} | changes)


@pytest.mark.parametrize("door", [3, 2**32 + 5])
def test_a_fact_goes_to_its_lead_without_coordinates(door: int) -> None:
    planned = judge(engine_error(encode_record(fact(door))))
    assert planned == Again(LOG, partition_of(b"lead-1", 8), b"lead-1", encode_record(fact(0, offset=-1)))


@pytest.mark.parametrize(
    ("value", "key", "why"),
    [
        (b"garbage", b"lead-1", "no record of the lead log"),
        (None, b"lead-1", "no record of the lead log"),
        (encode_record(fact()), None, "no lead id"),
        (encode_record(fact()), b"\0cut", "no lead id"),
        (encode_record(fact()), b"\xff", "no record"),
        (encode_record(Clock(b"")), None, "later ones have said more"),
        (encode_record(ImportBegin(2**32)), None, "scorer import"),
        (encode_record(ImportEnd(2**32)), None, "scorer import"),
    ],
)
def test_what_the_log_cannot_take_again(value: bytes | None, key: bytes | None, why: str) -> None:
    with pytest.raises(Refused, match=why):
        judge(engine_error(value, key))


@pytest.mark.parametrize("record", [Rules(3, "f", b"m"), Doors(2, [Door(1, 1, EMAIL, 0)])])
def test_rules_and_doors_go_to_their_own_partition(record: Rules | Doors) -> None:
    value = encode_record(record)
    assert judge(engine_error(value, None, partition=5)) == Again(LOG, 5, None, value)
    with pytest.raises(Refused, match="no longer has"):
        judge(engine_error(value, None, partition=8))


# -- how the lead log takes it ------------------------------------------------------------------------


def scored(log: list[tuple[bytes | None, Any]]) -> float:
    """The times that e-mails opened by lead-1 count."""
    award = Award("Opened", "engagement", Matcher(("email.opened",)), Fixed(1.0))
    model = encode_model(Model(name="t", scores=(Score("engagement"),), awards=(award,)))
    first = [
        (None, encode_record(Doors(1, [Door(3, 1, EMAIL, 0)]))),
        (None, encode_record(Rules(1, fingerprint(model), model))),
    ]
    machine = LogPartition(PartitionState(), {}, lambda _: None)
    machine.apply([Recorded(offset, key, value) for offset, (key, value) in enumerate([*first, *log])])
    return sum(machine.leads[b"lead-1"].masses.values())


def test_a_fact_sent_again_counts_once_though_later_ones_of_its_door_have() -> None:
    failed = fact(offset=41)
    later = (b"lead-1", encode_record(fact(offset=42, digest=b"87654321")))
    again = judge(engine_error(encode_record(failed)))
    sent = (again.key, again.value)
    tick = (None, encode_record(Clock(clock.pack({3: NOW}))))
    soon = (None, encode_record(Clock(clock.pack({3: NOW + DAY - 1_000}))))
    tomorrow = (None, encode_record(Clock(clock.pack({3: NOW + DAY + 1_000}))))
    assert scored([later, (b"lead-1", encode_record(failed))]) == 1.0  # as it was, it would be lost
    assert scored([tick, later, sent]) == 2.0
    assert scored([tick, later, sent, sent]) == 2.0
    assert scored([tick, later, sent, soon, sent]) == 2.0
    assert scored([tick, later, sent, tomorrow, sent]) == 3.0  # as the help says


# -- going through them -------------------------------------------------------------------------------


class Sent(list[tuple[Letter, int]]):
    def __call__(self, of: Letter, again: Again, times: int) -> None:
        assert again.value == of.value
        self.append((of, times))


def go_through(letters: list[Letter], redrives: Redrives | None = None, **options: Any) -> tuple[Tally, Sent]:
    sent = Sent()
    selection = options.pop("selection", Selection())
    tally = redrive(letters, selection, redrives or Redrives(), judge, sent, **options)
    return tally, sent


GOOD = [letter(Reason.ENGINE_ERROR, event(), offset=offset) for offset in range(5)]
BAD = letter(Reason.NOT_JSON, b"{", offset=9, detail="truncated")


def test_the_good_ones_are_sent_and_the_others_told() -> None:
    tally, sent = go_through([GOOD[0], BAD, GOOD[1]])
    assert sent == [(GOOD[0], 1), (GOOD[1], 1)]
    assert tally.sent == {(EMAIL, Reason.ENGINE_ERROR): 2}
    assert tally.refused == {(EMAIL, Reason.NOT_JSON): 1}
    (told,) = refusals(tally)
    assert told.startswith("not re-driven: activity.email.v1[2]@9: not_json: would be refused again: ")
    assert list(outcome(tally, sent=True)) == [
        "  activity.email.v1  engine_error  2",
        "2 records sent again, 1 refused",
    ]
    assert list(outcome(tally, sent=False))[-1] == "2 records would be sent again, 1 refused"


def test_a_record_is_sent_once_however_many_letters_it_has() -> None:
    copy = GOOD[0]._replace(offset=99, died=NOW + 5)
    tally, sent = go_through([GOOD[0], GOOD[1], copy])
    assert [of for of, _ in sent] == [GOOD[0], GOOD[1]]
    assert "1 further letter of the same records" in list(outcome(tally, sent=True))[-1]
    # A door that was created again counts from 0 again: the same place, another record.
    another = letter(Reason.ENGINE_ERROR, event(), offset=0, at=NOW + DAY)
    assert len(go_through([GOOD[0], another])[1]) == 2


def noted(of: Letter, to: Letter, times: int) -> Noted:
    return Noted(Redriven(times, of.origin.place, of.origin.at, to.origin.place, to.origin.at), NOW + 1)


def test_what_was_sent_again_is_not_sent_once_more_unless_asked() -> None:
    redrives = Redrives()
    redrives.add(noted(GOOD[0], GOOD[4], 1))
    tally, sent = go_through(GOOD[:2], redrives)
    assert [of for of, _ in sent] == [GOOD[1]]
    assert "1 re-driven before" in list(outcome(tally, sent=True))[-1]
    _, sent = go_through(GOOD[:2], redrives, again=True)
    assert sent == [(GOOD[0], 2), (GOOD[1], 1)]


def test_what_died_again_knows_how_often() -> None:
    redrives = Redrives()
    redrives.add(noted(GOOD[0], GOOD[3], 1))
    redrives.add(noted(GOOD[3], GOOD[4], 2))
    _, sent = go_through(GOOD, redrives)
    assert sent == [(GOOD[1], 1), (GOOD[2], 1), (GOOD[4], 3)]


def test_a_limit_counts_what_is_sent() -> None:
    tally, sent = go_through([BAD, *GOOD], limit=2)
    assert [of for of, _ in sent] == GOOD[:2]
    assert tally.refused.total() == 1


def test_places_that_were_found_are_told() -> None:
    wanted = frozenset({GOOD[1].origin.place, Place(EMAIL, 2, 77)})
    tally, sent = go_through(GOOD, selection=Selection(places=wanted))
    assert [of for of, _ in sent] == [GOOD[1]]
    assert tally.found == {GOOD[1].origin.place}


def test_only_the_first_refusals_are_kept() -> None:
    many = [letter(Reason.NOT_JSON, b"{", offset=offset) for offset in range(30)]
    tally, _ = go_through(many)
    lines = list(refusals(tally))
    assert len(lines) == Tally.SHOWN + 1
    assert lines[-1] == "not re-driven: 10 more"


# -- how they look ------------------------------------------------------------------------------------

EVIL = "\x1b[2J\u202eevil\x07"


def test_a_table_fits_its_terminal() -> None:
    letters = [
        letter(),
        letter(
            Reason.ENGINE_ERROR, topic="activity.booking.v1", partition=11, offset=123_456, detail="x" * 300
        ),
        letter(offset=8, detail="first\nsecond"),
    ]
    redrives = Redrives()
    redrives.add(noted(letters[1], letters[0], 1))
    lines = list(table(letters, redrives, 80))
    assert max(map(len, lines)) == 80
    assert lines[0].split() == ["when", "(UTC)", "reason", "record", "detail"]
    assert lines[1].startswith("01-15 08:00:00  future        activity.email.v1[2]@7 ")
    assert lines[1].endswith("  [died again x1] t…")
    assert lines[2].endswith("  [re-driven] xxxxx…")
    wide = list(table(letters, redrives, None))
    assert wide[1].endswith("[died again x1] time: wrong")
    assert wide[2].endswith("[re-driven] " + "x" * 300)
    assert wide[3].endswith("  first")


def test_the_closing_line_counts_reasons() -> None:
    reasons = Counter({Reason.FUTURE: 1, Reason.NOT_JSON: 1_200})
    assert list(summary(reasons, 1_201, 0)) == ["1,201 dead letters: 1,200 not_json, 1 future"]
    assert list(summary(reasons, 50, 2))[1:] == [
        "these are the newest 50; --limit shows more",
        "2 records in dead.letters.v1 that scorer has not written",
    ]
    assert list(summary(Counter(), 0, 0)) == ["no dead letters"]


def test_json_gives_back_key_and_value() -> None:
    redrives = Redrives()
    redrives.add(noted(GOOD[0], GOOD[1], 1))
    told = json.loads(json_line(letter(value="ü{".encode(), key=b"\xff\x00", at=5), redrives))
    assert (told["value"], base64.b64decode(told["key_base64"])) == ("ü{", b"\xff\x00")
    assert "key" not in told
    assert (told["record"], told["reason"], told["at"]) == ("activity.email.v1[2]@7", "future", 5)
    assert (told["when"], told["letter"]) == ("2027-01-15T08:00:00Z", "dead.letters.v1[0]@7")
    assert (told["redriven_before"], told["redriven_since"]) == (0, None)
    assert json.loads(json_line(GOOD[0], redrives))["redriven_since"] == "2027-01-15T08:00:00Z"
    assert json.loads(json_line(GOOD[1], redrives))["redriven_before"] == 1
    assert json.loads(json_line(letter(value=None, key=None), redrives))["value"] is None
    assert json.loads(json_line(letter(cut=b"5 6"), redrives))["cut"] == "5 6"


def shown(of: Letter, verdict: Again | str = "no", notes: list[Noted] | None = None) -> str:
    return "\n".join(detailed(of, 1, notes or [], verdict))


def test_a_letter_is_shown_with_all_there_is() -> None:
    text = shown(letter(value=event(), key=b"\x00\x01k"), Again(EMAIL, 2, None, None))
    assert text.startswith(
        "activity.email.v1[2]@7\n  died 2027-01-15T08:00:00Z, kept as dead.letters.v1[0]@7\n"
    )
    for part in (
        *("why: The event is dated more than 5 minutes", "time: wrong", "what to do: "),
        *("re-driving: possible, to activity.email.v1[2]", "\n  reason: future\n", "\n  offset: 7\n"),
        *('\n    "subject": "lead-1",\n', "00000000  00 01 6b", "  ..k"),
    ):
        assert part in text
    assert "no value" in shown(letter(value=None))
    assert "no key" in shown(letter(key=None))
    assert "re-driving: not possible; no" in shown(letter())


def test_what_is_not_json_is_dumped_up_to_a_bound() -> None:
    text = shown(letter(value=b"\xff" * 5_000))
    assert text.count("ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff  ................") == 256
    assert "and 904 bytes; `list --json` has them all" in text
    assert '"not json' in shown(letter(value=b'"not json'))


def test_a_log_record_is_shown_as_what_it_is() -> None:
    text = shown(engine_error(encode_record(fact())))
    assert '"type": "email.opened"' in text
    assert decode_record(encode_record(fact())) == fact()
    assert '"kind": "raw"' in shown(engine_error(b"garbage"))


def test_a_letters_past_is_told() -> None:
    text = shown(GOOD[1], notes=[noted(GOOD[0], GOOD[1], 1), noted(GOOD[1], GOOD[2], 2)])
    assert "  re-driven 2027-01-15T08:00:00Z from activity.email.v1[2]@0, and died again\n" in text
    assert "  re-driven 2027-01-15T08:00:00Z as activity.email.v1[2]@2\n" in text


@pytest.mark.parametrize(
    "of",
    [
        letter(detail=EVIL, value=EVIL.encode(), key=EVIL.encode(), topic=EVIL),
        letter(value=msgspec.json.encode({EVIL: EVIL}), cut=EVIL.encode()),
        engine_error(encode_record(fact(properties={EVIL: EVIL})), EVIL.encode()),
    ],
)
def test_nothing_in_a_letter_reaches_the_terminal_unescaped(of: Letter) -> None:
    tally = Tally()
    tally.refuse(of.origin, EVIL)
    tally.sent[of.origin.topic, of.origin.reason] += 1
    lines = [
        *table([of], Redrives(), None),
        *detailed(of, 2, [noted(of, of, 1)], EVIL),
        *refusals(tally),
        *outcome(tally, sent=True),
    ]
    assert [line for line in lines if not line.isprintable()] == []


# -- what is said about them --------------------------------------------------------------------------


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason: Reason) -> None:
    why, advice = EXPLAINED[reason]
    assert why.endswith(".")
    assert advice.endswith(".")
    assert f"`{reason}`" in DOCS.read_text()
    assert f"`{reason}`" in REGISTRY.read("messages/dead.letters.v1.md").decode()


# -- of somebody who has been forgotten -----------------------------------------------------------------


def test_what_was_received_before_a_person_was_forgotten_is_not_sent_again() -> None:
    value = event()
    of = letter(value=value, at=NOW)
    for force in (False, True):
        with pytest.raises(Refused, match="forgotten"):
            judge(of, force=force, forgotten={b"lead-1": NOW})
    assert judge(of, forgotten={b"lead-1": NOW - 1, b"lead-2": NOW}).value == value
    assert judge(letter(value=b"{", at=NOW), force=True, forgotten={b"lead-1": NOW}).value == b"{"
