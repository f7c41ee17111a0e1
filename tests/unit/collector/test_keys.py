"""Keys files: what they may say, and every mistake at once, without a word of a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorer.collector.keys import Keys, loads, require
from scorer.collector.origins import Origins
from scorer.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"WEB": "wk-1234567890123456", "OLD": "ok-1234567890123456", "SHORT": "abc", "EMPTY": ""}


def read(text: str, folder: Path) -> Keys:
    return loads(text.encode(), "keys.yaml", ENVIRONMENT, folder)


def said(text: str, folder: Path) -> str:
    found = read(text, folder)
    assert found.keys == ()
    return "\n".join(one.render() for one in found.diagnostics)


def test_a_key_with_everything(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("fk-1234567890123456\n")
    text = """
keys:
  shop:
    kind: segment
    secrets: [env:WEB, file:secret]
    scopes: [page, feedback]
    origins: [https://www.example.com]
    rate: 500
    burst: 2000
    largest body: 200 KB
    options: {a: b}
"""
    (key,) = read(text, tmp_path).keys
    assert (key.name, key.kind) == ("shop", "segment")
    assert key.secrets == (b"wk-1234567890123456", b"fk-1234567890123456")
    assert key.scopes == {"activity.page.v1", "lead.feedback.v1"}
    assert "https://www.example.com" in key.origins
    assert (key.rate, key.burst, key.largest) == (500, 2000, 200 * 1024)


def test_what_a_key_need_not_say(tmp_path: Path) -> None:
    (key,) = read("keys: {shop: {kind: segment, secrets: env:WEB}}", tmp_path).keys
    assert key.scopes == {"activity.page.v1", "activity.app.v1", "lead.profile.v1"}
    assert (key.rate, key.largest) == (None, 500 * 1024)
    assert not key.origins


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("kind: segmnt\n    secrets: [env:WEB]", "did you mean `segment`?"),
        ("secrets: [env:WEB]", "`kind` is missing"),
        ("kind: segment", "`secrets` is missing"),
        ("kind: segment\n    secret: env:WEB", "write `secrets: [env:NAME]`"),
        ("kind: segment\n    secrets: [env:NONE]", "the variable NONE is not set"),
        ("kind: segment\n    secrets: [env:EMPTY]", "the variable EMPTY is not set"),
        ("kind: segment\n    secrets: [file:none]", "No such file"),
        ("kind: segment\n    secrets: [env:SHORT]", "fewer than 16 characters"),
        ("kind: segment\n    secrets: [env:WEB]\n    scopes: [pages]", "did you mean `page`?"),
        ("kind: segment\n    secrets: [env:WEB]\n    origins: [www.example.com]", "this is no origin"),
        ("kind: segment\n    secrets: [env:WEB]\n    origins: [https://a.example/x]", "this is no origin"),
        ("kind: segment\n    secrets: [env:WEB]\n    rate: many", "`many` is not a number"),
        ("kind: segment\n    secrets: [env:WEB]\n    rate: 0", "this is more than 0"),
        ("kind: segment\n    secrets: [env:WEB]\n    burst: 5", "a burst needs a rate"),
        ("kind: segment\n    secrets: [env:WEB]\n    largest body: 9 GB", "no size of at most 8 MB"),
    ],
)
def test_each_mistake_says_what_to_do(tmp_path: Path, key: str, expected: str) -> None:
    assert expected in said(f"keys:\n  shop:\n    {key}\n", tmp_path)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """
keys:
  shop: {kind: nothing, secrets: [env:NONE]}
  Shop Two: {kind: segment, secrets: [env:WEB]}
  one: {kind: segment, secrets: [env:WEB]}
  two: {kind: segment, secrets: [env:WEB]}
  three: 7
more: 1
"""
    found = said(text, tmp_path)
    for expected in (
        "3:16: error: there is no kind `nothing`",
        "3:35: error: the variable NONE is not set",
        "4:3: error: a key's name has small letters",
        "6:3: error: `two` and `one` have the same secret",
        "the key `three` is written as `key: value` lines",
        "unknown key `more`",
    ):
        assert f"{expected}" in found


@pytest.mark.parametrize(
    "text",
    [
        "keys:\n  shop:\n    kind: segment\n    secrets: [hunter2hunter2]\n",
        "keys:\n  shop:\n    kind: segment\n    secrets:\n      - hunter2hunter2\n",
        "keys:\n  shop:\n    kind: segment\n    password: hunter2hunter2\n    secrets: [env:WEB]\n",
        "keys:\n  shop: {kind: segment, secrets: [hunter2hunter2]}\n",
        "keys:\n  shop:\n    kind: segment\n    secrets: hunter2hunter2: x\n",
        "keys:\n  shop:\n    kind: segment\n    secrets: ['hunter2hunter2\n",
        "keys:\n  shop:\n    kind: {x: hunter2hunter2}\n",
        "hunter2hunter2\n",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    assert "hunter2" not in said(text, tmp_path)


def test_two_keys_of_different_kinds_may_share_a_secret(tmp_path: Path) -> None:
    text = "keys:\n  a: {kind: segment, secrets: [env:WEB]}\n  b: {kind: cloudevents, secrets: [env:WEB]}\n"
    assert len(read(text, tmp_path).keys) == 2


def test_a_command_says_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("keys:\n  a: {kind: segment, secrets: [env:NONE]}\n")
    with pytest.raises(UserError, match="1 mistake"):
        require(path, ENVIRONMENT)


def test_origins_as_browsers_write_them() -> None:
    listed = Origins(("HTTPS://Www.Example.com:443", "http://localhost:8080", "https://*.example.org"))
    assert "https://www.example.com" in listed
    assert "http://localhost:8080" in listed
    assert "http://localhost" not in listed
    assert "https://a.example.org" in listed
    assert "https://.example.org" not in listed
    assert "https://a@b.example.org" not in listed
    assert "null" in Origins(("*",))
    assert "null" not in listed


def test_what_no_yaml_of_ours_has_is_told_of_keys_files_and_repeats_no_secret(tmp_path: Path) -> None:
    text = "keys: {shop: {kind: !secret segment, secrets: *hunter2}, crm: {kind: &hunter3 segment}}"
    told = said(text, tmp_path)
    assert "this stands for a YAML alias, which keys files don't have" in told
    assert "this is a YAML anchor, which keys files don't have" in told
    assert "this is a YAML tag, which keys files don't have" in told
    assert "hunter" not in told
    assert "is it a keys file?" in said("#" * 20_000_000, tmp_path)


def test_one_key_needs_no_other_ones_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(
        "keys: {shop: {kind: segment, secrets: env:NOT_HERE}, opens: {kind: pixel, secrets: env:WEB}}"
    )
    (key,) = require(path, ENVIRONMENT, only="opens")
    assert (key.name, key.secrets) == ("opens", (b"wk-1234567890123456",))
    with pytest.raises(UserError, match="NOT_HERE"):
        require(path, ENVIRONMENT)
    with pytest.raises(UserError, match=r"(?s)there is no key `openz`.*did you mean `opens`"):
        require(path, ENVIRONMENT, only="openz")


def test_a_mapping_file_is_found_beside_the_keys_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    event = "{type: app.bought, id: $.id, user_id: $.user}"
    (tmp_path / "shop.yaml").write_text(f"webhook: Shop\nsignature: standard\nevents: [{event}]\n")
    for path in ("shop.yaml", tmp_path / "shop.yaml"):
        text = f"keys: {{shop: {{kind: webhook, secrets: [file:secret], options: {{mapping: {path}}}}}}}"
        assert [key.name for key in read(text, tmp_path).keys] == ["shop"]
    assert "none.yaml" in said(
        "keys: {shop: {kind: webhook, secrets: [file:secret], options: {mapping: none.yaml}}}", tmp_path
    )
