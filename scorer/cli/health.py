"""``scorer health``: ask a running worker or collector, for whatever has no client of its own."""

from __future__ import annotations

import click

from scorer.errors import UserError

DEFAULT = "http://127.0.0.1:9464/readyz"
LONGEST = 4_096
"""Bytes of an answer that are shown."""
OK = 200


@click.command()
@click.argument("url", default=DEFAULT)
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, metavar="SECONDS")
def command(url: str, timeout: float) -> int:
    """Ask URL (default: this machine's worker, whether it is ready), show what it says.

    Exits with 0 if the answer is 200, else with 1. A worker and a collector serve /livez and /readyz
    (SCORER_METRICS_PORT, SCORER_COLLECTOR_METRICS_PORT).
    """
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UserError(f"{url} is no address", hint=f"such as {DEFAULT}")
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/readyz")
        answer = connection.getresponse()
        said = answer.read(LONGEST).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        raise UserError(f"{url}: {str(error) or type(error).__name__}", exit_code=1) from error
    finally:
        connection.close()
    click.echo(said)
    return 0 if answer.status == OK else 1
