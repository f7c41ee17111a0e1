"""What the peers need beyond the worker's own environment."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from scorer.errors import UserError
from tests.bench.figures import ROOT, tell

CACHE = ROOT / ".cache" / "peers"
SOURCES = Path(__file__).with_name("streams")
PATIENCE = 600.0
"""Seconds for Maven."""


def quix_python() -> str:
    """Raises ``UserError`` where its environment is not made."""
    python = CACHE / "venv" / "bin" / "python"
    if not python.exists():
        raise UserError("Quix Streams is not installed", hint="make bench-peers installs it")
    return str(python)


def streams_class_path() -> str:
    """The job in Kafka Streams, compiled now if its sources have changed (half a minute the first time).

    Raises ``UserError`` where Maven or a Java compiler is missing.
    """
    sources = sorted(path for path in SOURCES.rglob("*") if path.suffix in {".java", ".xml"})
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    home = CACHE / f"streams-{digest.hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            _build(home)
    return os.pathsep.join([str(home / "classes"), str(home / "jars" / "*")])


def _build(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError("Kafka Streams needs Maven", hint="apt-get install maven default-jdk-headless")
    tell("building the job in Kafka Streams with Maven (once per change)")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="build-") as folder:
        command = [maven, "-q", "-B", "-C", "-f", str(SOURCES / "pom.xml"), f"-Dfolder={folder}/made"]
        command += ["compile", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        command += [f"-DoutputDirectory={folder}/made/jars"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise UserError(
                f"Maven could not build it: {done.stdout[-1500:]}",
                hint="is a Maven repository reachable, and is there a JDK (javac)?",
            )
        (Path(folder) / "made").rename(home)
