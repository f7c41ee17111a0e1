"""Which worker owns which partition: what Faust's assignor tells the members."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata

from scorer.errors import UserError
from scorer.worker.owners import OwnersAssignor, advertised

TOPIC = "lead.log.v1"


class Cluster(ClusterMetadata):
    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(6))


def member(address: str) -> OwnersAssignor:
    tables = SimpleNamespace(data={}, changelog_topics=set())
    app: Any = SimpleNamespace(tables=tables, address=address, tracer=None, sensors=SimpleNamespace())
    app.sensors.on_assignment_start = lambda _: None
    app.sensors.on_assignment_completed = lambda *_: None
    return OwnersAssignor(app, 0)


def assigned(members: dict[str, OwnersAssignor]) -> Any:
    """By the first of them, as the group's leader; each hears its part."""
    leader = next(iter(members.values()))
    parts = leader.assign(Cluster(), {name: one.metadata({TOPIC}) for name, one in members.items()})
    for name, one in members.items():
        one.on_assignment(parts[name])
    return parts


def owners(one: OwnersAssignor) -> list[str]:
    return [one.owner_of(TOPIC, number) for number in range(6)]


def test_every_member_knows_every_owner() -> None:
    members = {name: member(f"http://{name}:9464") for name in ("a", "b", "c")}
    assigned(members)
    told = owners(members["a"])
    assert sorted(told) == sorted([f"http://{name}:9464" for name in "abc"] * 2)
    assert told == owners(members["b"]) == owners(members["c"])
    for name, one in members.items():
        assert {TOPIC: [n for n in range(6) if told[n] == f"http://{name}:9464"]} == {
            topic: sorted(numbers) for topic, numbers in one._assignment.actives.items()
        }
    assert members["a"].owner_of("other", 0) == members["a"].owner_of(TOPIC, 6) == ""


def test_equal_addresses_hide_nobody() -> None:
    members = {name: member("http://127.0.0.1:9464") for name in ("a", "b", "c")}
    assigned(members)
    assert owners(members["b"]) == ["http://127.0.0.1:9464"] * 6


def test_a_static_member_that_comes_back_elsewhere_keeps_its_partitions() -> None:
    members = {name: member(f"http://{name}:9464") for name in ("a", "b")}
    parts = assigned(members)
    back = member("http://a:9999")
    back.on_assignment(parts["a"])
    assert back._assignment.actives == members["a"]._assignment.actives
    assert owners(back) == owners(members["b"])


@pytest.mark.parametrize(
    ("url", "host", "address"),
    [
        ("", "127.0.0.1", "http://127.0.0.1:9464"),
        ("http://worker-1:1234/", "0.0.0.0", "http://worker-1:1234"),  # noqa: S104
        ("https://workers.example/one", "127.0.0.1", "https://workers.example/one"),
    ],
)
def test_the_address_that_others_are_told(url: str, host: str, address: str) -> None:
    assert advertised(url, host, 9464) == address


def test_a_machine_that_listens_everywhere_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "worker-7")
    assert advertised("", "0.0.0.0", 9464) == "http://worker-7:9464"  # noqa: S104


@pytest.mark.parametrize("url", ["worker-1:9464", "http://w:99999", "http://[::1", "ftp://w:1", "http://:80"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UserError, match=r"SCORER_ADVERTISED_URL: .* no address such as"):
        advertised(url, "127.0.0.1", 9464)
