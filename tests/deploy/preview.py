"""Pictures of the dashboards: of a Scorer that is started for it, with traffic, or of a Prometheus that runs.

python -m tests.deploy.preview [--for SECONDS]         build/dashboards/*.html and, with a Chromium, *.png
python -m deploy.grafana preview http://127.0.0.1:9090   the same of one that is there
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from deploy.grafana.asking import Prometheus
from deploy.grafana.preview import pages, photographed
from scorer import cli
from scorer.dev.kafka import KafkaCluster
from scorer.settings import Settings
from tests.deploy.watched import SCRAPE, fast_rules, watched
from tests.support.prometheus import tool


@click.command()
@click.option("--for", "seconds", type=float, default=180.0, show_default=True, help="Of traffic.")
@click.option("--workers", type=int, default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/dashboards"), show_default=True)
def main(seconds: float, workers: int, out: Path) -> None:
    """Start Kafka, workers, a collector and Prometheus, send traffic, and draw what the dashboards show."""
    if tool("prometheus") is None:
        raise click.ClickException("there is no Prometheus here: make prometheus")
    with tempfile.TemporaryDirectory() as temporary, KafkaCluster() as kafka:
        folder = Path(temporary)
        settings = Settings(bootstrap=kafka.bootstrap, lead_secret="test")
        with watched(settings, folder, workers, bad=1000) as running:
            click.echo(f"Prometheus on {running.url}; traffic for {seconds:.0f} s", err=True)
            time.sleep(seconds / 2)
            changed = folder / "changed.yaml"
            text = fast_rules(folder).read_text(encoding="utf-8")
            changed.write_text(text.replace("points: +3", "points: +4"), encoding="utf-8")
            cli.run(["rules", "apply", str(changed), "--bootstrap", kafka.bootstrap])
            time.sleep(seconds / 2)
            now = time.time()
            # What was before the beginning is left out, and what restoring looks like is not.
            made = pages(Prometheus(running.url, SCRAPE), out, now, (now - running.began) / 60 + 0.3)
            made += photographed(made)
    for path in made:
        click.echo(path)


if __name__ == "__main__":
    sys.exit(main())
