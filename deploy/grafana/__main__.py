"""The dashboards' own commands; each says what it does not like and ends with 1.

python -m deploy.grafana            write deploy/grafana/dashboards
python -m deploy.grafana check      are they what would be written, and is there nothing to find fault with?
python -m deploy.grafana preview    a page with all of them, drawn from a Prometheus
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from deploy.grafana import written
from deploy.grafana.lint import problems


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case []:
            for name, text in written.texts().items():
                (written.FOLDER / name).write_text(text, encoding="utf-8")
            return _told(written.stale())
        case ["check"]:
            return _told([*written.stale(), *problems(written.boards())])
        case ["preview", *more]:
            from deploy.grafana.preview import main as preview  # noqa: PLC0415 - draws only when asked to

            return preview(more)
    return _told([__doc__ or ""])


def _told(lines: Sequence[str]) -> int:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - a command talks to its user
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
