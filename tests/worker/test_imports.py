"""A worker's start leaves out what Faust would import and nobody uses. Each case is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_worker_is_there_without_what_it_does_not_use() -> None:
    said = run(
        """
        import sys
        from scorer.worker.imports import UNUSED, faust_alone
        with faust_alone():
            import scorer.worker.process
        print([name for name in sys.modules if name.split(".")[0] in {one.split(".")[0] for one in UNUSED}])
        """
    )
    assert said == "[]"


def test_whoever_uses_it_all_the_same_gets_the_real_thing() -> None:
    said = run(
        """
        import sys
        from scorer.worker.imports import faust_alone
        with faust_alone():
            import scorer.worker.process
        from mode.utils.cron import secs_for_next
        print(0 <= secs_for_next("* * * * *") <= 60, "croniter.croniter" in sys.modules)
        import aiohttp.client
        print(hasattr(aiohttp.client.ClientSession, "get"))
        """
    )
    assert said.split() == ["True", "True", "True"]


def test_what_is_imported_already_stays() -> None:
    said = run(
        """
        import sys, intervaltree
        from scorer.worker.imports import faust_alone
        with faust_alone():
            import faust.transport.consumer as consumer
        print(consumer.IntervalTree is intervaltree.IntervalTree, sys.modules["intervaltree"] is intervaltree)
        """
    )
    assert said.split() == ["True", "True"]
