"""The gallery of broken rule files: ``broken/NAME.yaml`` and all that is said about it, ``NAME.txt``.

``python -m tests.unit.rulefile.gallery`` writes the ``.txt`` files anew. Read the difference before you
keep it: every mistake in its place, none that hides another, none that is made up.
"""

from __future__ import annotations

from pathlib import Path

from scorer.rulefile import load, render

BROKEN = Path(__file__).parent / "broken"


def files() -> list[Path]:
    return sorted(BROKEN.glob("*.yaml"))


def said(path: Path) -> str:
    """Every diagnostic, rendered; the file is called by its name alone."""
    return render(load(path).diagnostics).replace(f"{path}:", f"{path.name}:") + "\n"


if __name__ == "__main__":
    for each in files():
        each.with_suffix(".txt").write_text(said(each), "utf-8")
