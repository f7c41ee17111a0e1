"""A real Prometheus, and its tools."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import yaml

from tests.bench.road import Child, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FETCHED = Path(__file__).resolve().parents[2] / ".cache" / "prometheus" / "bin"
START_TIMEOUT = 60.0
"""Seconds."""


def tool(name: str) -> str | None:
    """``prometheus`` or ``promtool``: of the folder PROMETHEUS, of `make prometheus`, or the system's."""
    folder = Path(os.environ.get("PROMETHEUS") or FETCHED)
    return str(folder / name) if (folder / name).exists() else shutil.which(name)


class Prometheus(Child):
    """Killed at the end of the block."""

    def __init__(
        self, folder: Path, jobs: Mapping[str, Sequence[str]], scrape: int, rules: str | None = None
    ) -> None:
        """``jobs``: name -> host:port of each; asked every ``scrape`` seconds. ``rules``: a file's text."""
        program = tool("prometheus")
        if program is None:
            raise RuntimeError("there is no Prometheus: make prometheus")
        folder.mkdir(parents=True, exist_ok=True)
        every = f"{scrape}s"
        targets = [
            {"job_name": name, "static_configs": [{"targets": list(addresses)}]}
            for name, addresses in jobs.items()
        ]
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "1s"},
            "rule_files": [] if rules is None else ["rules.yaml"],
            "scrape_configs": targets,
        }
        if rules is not None:
            (folder / "rules.yaml").write_text(rules)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ]
        super().__init__(command, {"GOMAXPROCS": str(min(2, os.cpu_count() or 1))}, folder / "prometheus.log")
        wait_until(self._serves, START_TIMEOUT, "Prometheus serves")

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"Prometheus ended: {self.last_words()}")
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False
