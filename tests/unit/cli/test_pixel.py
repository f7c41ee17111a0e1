"""``scorer pixel`` and ``scorer link``: what they make is what the sources take."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scorer import cli
from scorer.collector.source import Key, Reading
from scorer.collector.sources.link import Link
from scorer.collector.sources.pixel import Pixel
from scorer.wire.identity import Identity
from tests.unit.collector.requests import request

SECRET = "a secret of 32 characters......."
KEY = Key("mail", (SECRET.encode(),), {})
BASE = ("--url", "https://collect.example.com/in/", "--key", "mail")
TARGET = "https://example.com/pricing?plan=pro"
Said = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, standard output, standard error."""
ANNA = "e_0onj93c5msh39v92uhev5njluo"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORER_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("SCORER_LEAD_SECRET", "secret")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(list(arguments))
        shown = capsys.readouterr()
        assert SECRET not in shown.out + shown.err
        return code, shown.out, shown.err

    return run


def followed(url: str) -> Reading:
    path = urlsplit(url).path
    assert url.startswith("https://collect.example.com/in/v1/")
    if "/v1/pixel/" in path:
        return Pixel(KEY).read(request(path.rpartition("/v1/pixel/")[2]))
    return Link(KEY).read(request(path.rpartition("/v1/link/")[2]))


def about(url: str) -> tuple[str | None, dict[str, object]]:
    (item,) = followed(url).items
    (activity,) = item.activities
    told = {name: value for name, value in activity.event.data.items() if name != "user_agent"}
    return activity.event.subject, told


@pytest.mark.parametrize(
    ("who", "lead"),
    [
        (("--email", " Anna@Example.com"), ANNA),
        (("--user-id", "4711"), "u_p7hg751p73rrgmfj374brs6u1o"),
        (("--anonymous-id", "b2f6-77"), "a_t71uovfvuqv316i8dc46rnrq70"),
        (("--lead", "lead-17"), "lead-17"),
    ],
)
def test_one_pixel(said: Said, who: tuple[str, str], lead: str) -> None:
    more = ("--email-id", "m-1", "--campaign", "autumn", "--template", "welcome", "--kind", "newsletter")
    code, out, err = said("pixel", *BASE, *who, *more)
    assert (code, err) == (0, "")
    data = {"email_id": "m-1", "campaign": "autumn", "template": "welcome", "kind": "newsletter"}
    assert about(out.strip()) == (lead, data)


def test_one_link(said: Said) -> None:
    code, out, _ = said("link", *BASE, "--email", "anna@example.com", "--to", TARGET)
    assert code == 0
    assert about(out.strip()) == (ANNA, {"link": "https://example.com/pricing"})
    answer = followed(out.strip()).answer
    assert answer is not None
    assert dict(answer.headers)["Location"] == TARGET


def test_a_secret_from_a_file(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCORER_TOKEN_SECRET")
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    code, out, _ = said("pixel", *BASE, "--email", "anna@example.com", "--secret-file", str(path))
    assert (code, about(out.strip())[0]) == (0, ANNA)


KEYS = """
keys:
  mail: {kind: pixel, secrets: [file:new.secret, file:old.secret]}
  clicks: {kind: link, secrets: [file:new.secret]}
  shop: {kind: segment, secrets: [env:NOT_ON_THIS_MACHINE]}
"""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "new.secret").write_text(SECRET + "\n")
    (tmp_path / "old.secret").write_text("another secret of 32 characters")
    path = tmp_path / "keys.yaml"
    path.write_text(KEYS)
    return path


@pytest.mark.parametrize("given", ["option", "environment"])
def test_the_secret_is_where_the_keys_file_says(
    said: Said, keys: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.delenv("SCORER_TOKEN_SECRET")
    more = ("--keys", str(keys)) if given == "option" else ()
    if given == "environment":
        monkeypatch.setenv("SCORER_COLLECTOR_KEYS", str(keys))
    code, out, err = said("pixel", *BASE, "--email", "anna@example.com", *more)
    assert (code, err, about(out.strip())[0]) == (0, "", ANNA), "made with the first of the secrets"


def test_a_key_of_another_kind_or_of_none(said: Said, keys: Path) -> None:
    at = ("--url", "https://collect.example.com", "--keys", str(keys), "--email", "anna@example.com")
    code, _, err = said("pixel", "--key", "clicks", *at)
    assert code == 2
    assert "`clicks` is a key of the kind link, and not pixel" in err
    code, _, err = said("link", "--key", "click", "--to", TARGET, *at)
    assert code == 2
    assert "there is no key `click`" in err
    assert "did you mean `clicks`" in err


def test_recipients_as_csv(said: Said, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(
        'email,greeting,campaign\nanna@example.com,"Dear Anna, hello",\nben@example.com,"Dear\nBen",winter\n'
    )
    code, out, err = said("pixel", *BASE, "--from", str(people), "--campaign", "autumn")
    assert (code, err) == (0, "")
    with_pixels = tmp_path / "with-pixels.csv"
    with_pixels.write_text(out)
    code, out, err = said("link", *BASE, "--from", str(with_pixels), "--to", TARGET, "--column", "button")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["greeting"] for row in rows] == ["Dear Anna, hello", "Dear\nBen"]
    assert about(rows[0]["pixel"]) == (ANNA, {"campaign": "autumn"})
    assert about(rows[1]["pixel"])[1] == {"campaign": "winter"}
    assert about(rows[1]["button"])[1] == {"campaign": "winter", "link": "https://example.com/pricing"}
    ben = Identity("secret")._of_identifier("email", "ben@example.com").decode()
    assert about(rows[1]["button"])[0] == ben


def test_standard_input(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("lead\nlead-17\n"))
    code, out, _ = said("pixel", *BASE, "--from", "-")
    assert code == 0
    assert about(out.splitlines()[1].partition(",")[2])[0] == "lead-17"


def test_rows_that_name_nobody_are_left_out_and_told(said: Said, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    rows = ["email", "anna@example.com", "", "anna.example.com", "null@null.com", "x,y", *["not one"] * 30]
    people.write_text("\n".join(rows) + "\n")
    code, out, err = said("pixel", *BASE, "--from", str(people))
    assert code == 1
    assert len(out.splitlines()) == 2
    lines = err.splitlines()
    assert [line.partition(":")[0].rpartition(" ")[2] for line in lines[:3]] == ["4", "5", "6"]
    assert len(lines) == 21
    assert lines[-1] == "33 rows were left out"
    assert "anna.example.com" not in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("pixel", *BASE), "no subject"),
        (("pixel", *BASE, "--email", "nobody"), "not an address"),
        (("pixel", "--url", "collect.example.com", "--key", "mail", "--lead", "x"), "--url"),
        (("pixel", "--url", "https://x.example/?a", "--key", "mail", "--lead", "x"), "--url"),
        (("pixel", "--url", "https://x.example", "--key", "a b", "--lead", "x"), "--key"),
        (("pixel", *BASE, "--lead", "x" * 257), "256"),
        (("pixel", *BASE, "--lead", "a\nb"), "control"),
        (("pixel", *BASE, "--lead", "x", "--from", "-"), "one by one"),
        (("pixel", *BASE, "--from", "/no/such/file"), "No such file"),
        (("pixel", *BASE, "--secret-file", "/no/such/file", "--lead", "x"), "No such file"),
        (("link", *BASE, "--lead", "x", "--to", "javascript:alert(1)"), "--to"),
        (("link", *BASE, "--lead", "x", "--to", "https://example.com@evil.example"), "--to"),
        (("link", *BASE, "--lead", "x"), "--to"),
    ],
)
def test_mistakes(said: Said, arguments: tuple[str, ...], text: str) -> None:
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("secret", "text"), [("", "no secret"), ("short", "shorter")])
def test_secrets_that_are_none(said: Said, monkeypatch: pytest.MonkeyPatch, secret: str, text: str) -> None:
    monkeypatch.setenv("SCORER_TOKEN_SECRET", secret)
    code, _, err = said("pixel", *BASE, "--lead", "x")
    assert (code, text in err) == (2, True)
    assert "short " not in err


@pytest.mark.parametrize(
    ("text", "told"),
    [("name\nAnna\n", "no column"), ("", "no column"), ("email,pixel\na@b.c,x\n", "already")],
)
def test_files_that_are_none(said: Said, tmp_path: Path, text: str, told: str) -> None:
    people = tmp_path / "people.csv"
    people.write_text(text)
    code, out, err = said("pixel", *BASE, "--from", str(people))
    assert (code, out) == (2, "")
    assert told in err


def test_a_file_that_is_not_utf_8(said: Said, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(b"email\n\xff\xfe\n")
    code, _, err = said("pixel", *BASE, "--from", str(people))
    assert (code, "not UTF-8" in err) == (2, True)


def test_the_warning_of_the_lead_secret(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCORER_LEAD_SECRET")
    code, _, err = said("pixel", *BASE, "--lead", "x")
    assert (code, "SCORER_LEAD_SECRET" in err) == (0, True)
