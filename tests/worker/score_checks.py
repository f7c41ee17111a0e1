"""What must be equal after any number of crashes."""

from __future__ import annotations

from scorer.domain.state import encode_state
from tests.worker.fake_kafka import Cluster
from tests.worker.score_process import Process, dead, dead_of, in_changelog, leads, said
from tests.worker.score_world import LogRecord, by_lead, one_pass, shown


def check_equal(cluster: Cluster, process: Process, log: list[list[LogRecord]]) -> None:
    """Leads in memory, leads in the changelog, outcomes, dead letters, partition state."""
    partitions = len(log)
    passes = [one_pass(part) for part in log]
    wanted = {key: value for done in passes for key, value in done.leads.items()}
    assert shown(leads(process.agent)) == shown(wanted)
    assert shown(in_changelog(cluster, partitions)) == shown(wanted)
    spoken = by_lead([outcome for done in passes for outcome in done.outcomes])
    assert {key: sorted(said_) for key, said_ in by_lead(said(cluster, partitions)).items()} == {
        key: sorted(outcomes) for key, outcomes in spoken.items()
    }
    letters = [dead_of(done.dead, number) for number, done in enumerate(passes)]
    assert dead(cluster) == set().union(*letters)
    for number, done in enumerate(passes):
        state = process.agent.partitions[number].machine.state
        state.sweep = b""
        assert encode_state(state) == encode_state(done.state)
