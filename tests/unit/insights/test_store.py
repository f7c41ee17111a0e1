"""The file: what counts once, what is forgotten, who may write, and what is no such file."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from scorer.errors import UserError
from scorer.insights import files
from scorer.insights.figures import Asking, Question
from scorer.insights.files import read_only
from scorer.insights.reading import Forgetting, Heard, Moving, Told
from scorer.insights.schema import FORMAT
from scorer.insights.store import Piece, Store
from scorer.insights.timeline import forgotten, timeline
from scorer.wire.registry import DISQUALIFIED, ERASED, LOG, MERGED, QUALIFIED
from tests.unit.insights.story import repeated, tell
from tests.unit.insights.test_figures import KEY, dump, feed

BEGAN = 1_790_000_000_000
DAY = 86_400_000
ANN = "ann-who-may-ask-to-be-forgotten"


def told(lead: str, sequence: int, kind: str, at: int, stage: str | None, **more: Any) -> Told:
    empty = dict.fromkeys(("previous", "cause", "deal_stage", "total", "band", "owner", "into"))
    values = {"reason": "score"} | empty | more
    return Told(lead=lead, sequence=sequence, kind=kind, at=at, stage=stage, **values)


def heard(lead: str, at: int, **more: Any) -> Heard:
    said = dict.fromkeys(("product", "segment", "source")) | more
    return Heard(lead=lead, at=at, received=at, **said)


def said(topic: str, *records: Any) -> Piece:
    return Piece(topic, 0, None, None, records)


QUALIFIED_ONCE = told(ANN, 1, "qualified", BEGAN + DAY, "Qualified")
FORGOTTEN = told(ANN, 2, "erased", BEGAN + 2 * DAY, None, reason="request")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "insights.db"


def totals(path: Path) -> dict[str, tuple[int, int]]:
    with closing(read_only(path)) as connection:
        row = Asking(connection).volume("month", Question()).totals[0]
    return {
        kind: (counted.events, counted.leads)
        for kind in ("created", "qualified", "requalified", "disqualified", "lapsed", "converted")
        if (counted := getattr(row, kind)).events
    }


# -- what is forgotten --------------------------------------------------------------------------------


@pytest.mark.parametrize("erasure_first", [False, True])
def test_who_is_forgotten_is_counted_and_not_named(path: Path, *, erasure_first: bool) -> None:
    pieces = [
        said(LOG, heard(ANN, BEGAN, source="ads"), Forgetting(ANN, FORGOTTEN.at, blocked=False)),
        said(QUALIFIED, QUALIFIED_ONCE),
        said(ERASED, FORGOTTEN),
    ]
    with Store.open(path, KEY) as store:
        for piece in reversed(pieces) if erasure_first else pieces:
            store.add([piece])
        # Nowhere in the file, nor in the journal, while the store is still open.
        for file in path.parent.iterdir():
            assert ANN.encode() not in file.read_bytes(), file
        store.add([said(QUALIFIED, QUALIFIED_ONCE), said(ERASED, FORGOTTEN)])
    assert totals(path) == {"created": (1, 1), "qualified": (1, 1)}
    with closing(read_only(path)) as connection:
        assert timeline(connection, ANN) is None
        assert forgotten(connection, ANN)
        assert not forgotten(connection, "somebody else")
    for file in path.parent.iterdir():
        assert ANN.encode() not in file.read_bytes(), file


def test_whoever_comes_back_is_somebody_else(path: Path) -> None:
    again = told(ANN, 3, "qualified", BEGAN + 4 * DAY, "Qualified")
    with Store.open(path, KEY) as store:
        store.add([said(QUALIFIED, QUALIFIED_ONCE, again), said(ERASED, FORGOTTEN)])
        store.add([said(LOG, heard(ANN, BEGAN), Forgetting(ANN, FORGOTTEN.at, blocked=False))])
        late = heard(ANN, BEGAN + 3 * DAY)._replace(received=FORGOTTEN.at)
        store.add([said(LOG, late, heard(ANN, BEGAN + 3 * DAY, product="pro"))])
    assert totals(path) == {"created": (2, 2), "qualified": (2, 2)}
    with closing(read_only(path)) as connection:
        found = timeline(connection, ANN)
    assert found is not None
    assert [(event.kind, event.sequence) for event in found.events] == [("created", 0), ("qualified", 3)]
    assert found.product == "pro"


def test_who_is_blocked_does_not_come_back(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add([said(LOG, heard(ANN, BEGAN), Forgetting(ANN, BEGAN + DAY, blocked=True))])
        store.add([said(LOG, heard(ANN, BEGAN + 2 * DAY))])
    assert totals(path) == {"created": (1, 1)}


# -- who is who ---------------------------------------------------------------------------------------


def test_two_that_become_one_are_one_lead_of_whom_everything_stays_told(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add(
            [
                said(LOG, heard("a", BEGAN, source="ads"), heard("u", BEGAN + DAY, source="mail")),
                said(LOG, Moving("a"), heard("a", BEGAN + 9 * DAY, product="late")),
                said(
                    QUALIFIED,
                    told("a", 1, "qualified", BEGAN + DAY, "Qualified"),
                    told("u", 1, "qualified", BEGAN + DAY, "Qualified"),
                ),
                said(MERGED, told("a", 2, "merged", BEGAN + 2 * DAY, "Qualified", into="u")),
            ]
        )
    assert totals(path) == {"created": (1, 1), "qualified": (2, 1)}
    with closing(read_only(path)) as connection:
        groups = Asking(connection).volume("month", Question(group="source")).totals
        assert [row.group for row in groups] == ["ads"]  # the earlier one's
        for asked in ("a", "u"):
            found = timeline(connection, asked)
            assert found is not None
            assert (found.lead, found.product) == ("u", None)
            assert [(event.lead, event.kind) for event in found.events] == [
                ("a", "created"),
                ("a", "qualified"),
                ("u", "created"),
                ("u", "qualified"),
                ("a", "merged"),
            ]
            assert found.events[-1].into == "u"


def test_a_signpost_that_has_had_no_record_is_not_created(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add([said(LOG, Moving("a"), heard("a", BEGAN))])
        assert store.places(LOG) == {}
    assert totals(path) == {}


def test_lapsed_and_requalified(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add(
            [
                said(
                    DISQUALIFIED,
                    told("b", 2, "disqualified", BEGAN + 2, "Open"),
                    told("b", 4, "disqualified", BEGAN + 4, "Unqualified", reason="students"),
                ),
                said(
                    QUALIFIED,
                    told("b", 3, "qualified", BEGAN + 3, "Qualified"),
                    told("b", 1, "qualified", BEGAN + 1, "Qualified"),
                ),
            ]
        )
    assert totals(path) == {
        "qualified": (2, 1),
        "requalified": (1, 1),
        "disqualified": (2, 1),
        "lapsed": (1, 1),
    }


# -- killed -------------------------------------------------------------------------------------------

FEEDER = """
import sys
from pathlib import Path
from scorer.insights.store import Piece, Store
from tests.unit.insights.story import tell
from tests.unit.insights.test_figures import KEY
topics = tell(7).topics
with Store.open(Path(sys.argv[1]), KEY) as store:
    for (topic, number), records in topics.items():
        start = store.places(topic).get(number, 0)
        for at in range(start, len(records), 4):
            store.add([Piece(topic, number, at, min(at + 4, len(records)), records[at : at + 4])])
            print(at, flush=True)
"""


def test_killed_at_any_instant_nothing_is_lost_or_doubled(path: Path) -> None:
    rng = random.Random(1)
    kills = 0
    while True:
        with subprocess.Popen(
            [sys.executable, "-c", FEEDER, str(path)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            allowed = rng.randrange(8)
            for lines, _ in enumerate(process.stdout):
                if lines >= allowed and kills < 8:
                    process.kill()  # somewhere in what comes next
                    kills += 1
                    break
            if process.wait() == 0:
                break
            assert process.returncode == -signal.SIGKILL
    assert kills >= 4
    feed(path.with_name("whole"), repeated(rng, tell(7).topics), rng)
    assert dump(path) == dump(path.with_name("whole"))


# -- what does not go together ------------------------------------------------------------------------


def test_two_updates_at_a_time_are_told_of_each_other(path: Path) -> None:
    first, second = Store.open(path, KEY), Store.open(path, KEY)
    first.add([Piece(QUALIFIED, 0, 0, 1, [QUALIFIED_ONCE])])
    with pytest.raises(UserError, match="another process has read"):
        second.add([Piece(QUALIFIED, 0, 0, 1, [QUALIFIED_ONCE])])
    second.add([Piece(QUALIFIED, 0, 1, 2, [QUALIFIED_ONCE])])
    first.close()
    second.close()
    assert totals(path) == {"qualified": (1, 1)}


def test_an_outcome_that_is_told_otherwise_is_refused(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add([said(QUALIFIED, QUALIFIED_ONCE)])
        with pytest.raises(UserError, match="has another outcome"):
            store.add([said(QUALIFIED, QUALIFIED_ONCE._replace(at=BEGAN))])


def test_what_is_no_file_of_insights(path: Path, tmp_path: Path) -> None:
    path.write_text("these are words, and not a database: " * 50)
    for opened in (lambda: Store.open(path, KEY), lambda: read_only(path)):
        with pytest.raises(UserError, match="is not a database"):
            opened()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.commit()
    before = other.read_bytes()
    for opened in (lambda: Store.open(other, KEY), lambda: read_only(other)):
        with pytest.raises(UserError, match="is no file of insights"):
            opened()
    assert other.read_bytes() == before
    with pytest.raises(UserError, match="there is no file"):
        read_only(tmp_path / "nothing.db")
    with pytest.raises(UserError, match="unable to open"):
        Store.open(tmp_path / "no" / "folder.db", KEY)


def test_a_newer_file_is_left_alone(path: Path) -> None:
    Store.open(path, KEY).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    for opened in (lambda: Store.open(path, KEY), lambda: read_only(path)):
        with pytest.raises(UserError, match="written by a later version"):
            opened()


def test_a_file_in_use_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAIT", 0.1)
    with Store.open(path, KEY) as store:
        store.add([said(QUALIFIED, QUALIFIED_ONCE)])
        with pytest.raises(UserError, match="locked"):
            files.retire(path)
        store.add([said(LOG, heard("a", BEGAN))])
    files.retire(path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert totals(path) == {"created": (1, 1), "qualified": (1, 1)}


def test_readers_change_nothing(path: Path) -> None:
    Store.open(path, KEY).close()
    with closing(read_only(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM lives")


def test_a_reader_sees_one_moment_and_the_next_one_another(path: Path) -> None:
    with Store.open(path, KEY) as store:
        store.add([said(LOG, heard("a", BEGAN))])
        with closing(read_only(path)) as connection:
            asking = Asking(connection)
            before = asking.volume("day", Question())
            store.add([said(LOG, heard("b", BEGAN)), said(QUALIFIED, QUALIFIED_ONCE)])
            assert asking.volume("day", Question()) == before
            assert not asking.cohorts("day", Question()).rows
    assert totals(path) == {"created": (2, 2), "qualified": (1, 1)}


def test_a_merge_at_the_instant_of_an_erasure_is_of_the_same_life_in_any_order(path: Path) -> None:
    pieces = [
        said(LOG, heard("a", BEGAN), heard("u", BEGAN), Moving("a")),
        said(MERGED, told("a", 1, "merged", BEGAN + DAY, "Open", reason="merge", into="u")),
        said(ERASED, told("u", 1, "erased", BEGAN + DAY, None, reason="request")),
        said(QUALIFIED, told("u", 2, "qualified", BEGAN + 2 * DAY, "Qualified")),
    ]
    dumps = []
    for number, order in enumerate(permutations(pieces)):
        file = path.with_name(f"{number}.db")
        with Store.open(file, KEY) as store:
            for piece in order:
                store.add([piece])
        dumps.append(dump(file))
    assert all(one == dumps[0] for one in dumps)
    assert totals(file) == {"created": (1, 1), "qualified": (1, 1)}


def test_no_stay_ends_before_it_begins(path: Path) -> None:
    """An erasure has the brokers' time, a lead's clock may be ahead of it."""
    with Store.open(path, KEY) as store:
        store.add([said(QUALIFIED, told("a", 1, "qualified", BEGAN + 5_000, "Qualified"))])
        store.add([said(ERASED, told("a", 2, "erased", BEGAN, None, reason="request"))])
    with closing(read_only(path)) as connection:
        stays = connection.execute("SELECT stage, since, upto, following FROM stays").fetchall()
    assert stays == [("Qualified", BEGAN + 5_000, BEGAN + 5_000, None)]


def test_an_erase_record_of_before_changes_nothing(path: Path) -> None:
    earlier, back = Forgetting(ANN, BEGAN + DAY, blocked=False), BEGAN + 3 * DAY
    with Store.open(path, KEY) as store:
        store.add([said(LOG, heard(ANN, BEGAN), Forgetting(ANN, FORGOTTEN.at, blocked=False))])
        store.add([said(ERASED, FORGOTTEN), said(LOG, heard(ANN, back), earlier)])
        store.add([said(LOG, heard(ANN, back, product="pro"))])
    assert totals(path) == {"created": (2, 2)}
    with closing(read_only(path)) as connection:
        found = timeline(connection, ANN)
    assert found is not None
    assert found.product == "pro"
