"""A real Apache Kafka on loopback ports, one node or three, for development and tests.

    with KafkaCluster(nodes=3) as kafka:
        print(kafka.bootstrap)
        kafka.kill(2)
        kafka.start_node(2)

Each node is broker and controller in one JVM. The data lives in a temporary folder and goes with the
cluster, unless ``keep`` names a folder. If the owner of a cluster dies, by ``kill -9`` even, a guard
process ends the brokers.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Self
from uuid import uuid4

from scorer.dev.artifacts import CLUSTER_ID, KafkaHome, kafka_home
from scorer.dev.guarded import LISTENERS, Guarded
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

GUARD = Path(__file__).with_name("guard.py")
HOST = "127.0.0.1"
START_TIMEOUT = 90.0  # seconds; a start takes 2 on an idle machine, tens on a very busy one
STOP_TIMEOUT = 20.0  # seconds for a clean stop, then the node is killed
# Three nodes that stop at once lose their quorum and wait in vain for its leave. Where the data is
# about to be removed anyway, nobody waits with them.
STOP_TIMEOUT_TEMPORARY = 1.5
# Below the range that systems take for outgoing connections: a stopped node finds its port free again.
PORTS = range(15000, 30000)

# The first-tier compiler alone starts faster and is enough for tests; "full" is for benchmarks.
Compiler = Literal["quick", "full"]


@dataclass
class _Node:
    id: int
    folder: Path
    port: int
    controller_port: int
    advertised_port: int = 0
    """What clients of the second listener are told: somebody's who passes on to ``outer_port``."""
    outer_port: int = 0
    """Where the second listener listens; 0: there is none."""
    guarded_ports: tuple[int, int] = (0, 0)
    """Where clients with a password and clients with a certificate are served; 0: nowhere."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    archive: Path | None = field(default=None, init=False)
    """The class image that this run writes when it stops, before it is given its final name."""

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"


class KafkaCluster:
    """One or three Kafka nodes, numbered from 1. Methods may be called from any thread, one at a time."""

    def __init__(
        self,
        nodes: int = 1,
        *,
        port: int | None = None,
        keep: Path | None = None,
        compiler: Compiler = "quick",
        heap_mb: int = 512,
        settings: Mapping[str, str] | None = None,
        outer: bool = False,
        secure: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is started yet.

        ``port``: the first node's; the others take the next ones. Free ports unless given.
        ``keep``: a folder for the data, made if it does not exist, that outlives the cluster.
        ``settings``: broker properties that override the defaults below.
        ``outer``: each node gets a second listener, for clients behind a proxy; see ``outer_ports``.
        ``secure``: listeners with TLS, and ACLs that are enforced; see ``Guarded``.
        ``tell``: gets a line when something takes long.
        """
        if nodes not in {1, 3}:
            raise ValueError(f"one node or three, not {nodes}")
        self._count = nodes
        self._port = port
        self._keep = keep
        self._compiler = compiler
        self._heap_mb = heap_mb
        self._settings = dict(settings or {})
        self._outer = outer
        self._secure = secure
        self.guarded: Guarded | None = None
        """Of a cluster with ``secure`` that has been started."""
        self._tell = tell
        self._nodes: dict[int, _Node] = {}
        self._home: KafkaHome | None = None
        self._folder: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    # -- the whole cluster ------------------------------------------------------------------------

    @property
    def bootstrap(self) -> str:
        """``host:port`` of every node, joined with commas."""
        return ",".join(f"{HOST}:{node.port}" for node in self._nodes.values())

    @property
    def outer_bootstrap(self) -> str:
        """As ``bootstrap``, for clients behind the proxy: the ports on which it has to listen."""
        return ",".join(f"{HOST}:{node.advertised_port}" for node in self._nodes.values())

    @property
    def outer_ports(self) -> dict[int, tuple[int, int]]:
        """Node -> (the port that its clients behind a proxy are told, the port it listens on for them)."""
        return {node.id: (node.advertised_port, node.outer_port) for node in self._nodes.values()}

    @property
    def node_ids(self) -> tuple[int, ...]:
        return tuple(range(1, self._count + 1))

    def start(self) -> Self:
        """Returns when every node serves clients.

        Raises:
            UserError: Java, Maven or the port is missing, or a broker ended; with its last words.
        """
        if self._nodes:
            raise RuntimeError("the cluster has been started")
        self._home = kafka_home(self._tell)
        self._folder = self._keep or Path(tempfile.mkdtemp(prefix="scorer-kafka-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start_guard()
            ports = self._choose_ports()
            for number in self.node_ids:
                own = ports[number - 1 :: self._count]
                self._nodes[number] = _Node(number, self._folder / f"node-{number}", own[0], own[1])
                if self._outer:
                    self._nodes[number].advertised_port, self._nodes[number].outer_port = own[2:4]
                if self._secure:
                    self._nodes[number].guarded_ports = own[-2], own[-1]
            if self._secure:
                self.guarded = Guarded(
                    self._folder / "certificates", [node.guarded_ports for node in self._nodes.values()], HOST
                )
            for node in self._nodes.values():
                self._prepare(node)
                self._launch(node)
            self._await_ready(set(self.node_ids))
        except BaseException:
            self.stop(clean=False)
            raise
        return self

    def stop(self, *, clean: bool = True) -> None:
        """Ends every node and removes the data unless it is kept. Does nothing the second time."""
        running = [node for node in self._nodes.values() if node.process is not None]
        for node in running:
            if node.process is not None:
                node.process.send_signal(signal.SIGCONT)  # a paused one could not stop
                node.process.send_signal(signal.SIGTERM if clean else signal.SIGKILL)
        unhurried = self._keep is not None or any(node.archive for node in running)
        deadline = time.monotonic() + (STOP_TIMEOUT if unhurried else STOP_TIMEOUT_TEMPORARY)
        for node in running:
            self._reap(node, deadline)
        self._nodes.clear()
        if self._folder is not None and self._keep is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
        self._folder = self._guard = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- one node ---------------------------------------------------------------------------------

    def kill(self, node: int) -> None:
        """Ends it at once, as a power failure would."""
        self._signal(node, signal.SIGKILL)
        self._reap(self._nodes[node], time.monotonic() + STOP_TIMEOUT)

    def stop_node(self, node: int) -> None:
        """Ends it cleanly: it hands its partitions over first."""
        self._signal(node, signal.SIGTERM)
        self._reap(self._nodes[node], time.monotonic() + STOP_TIMEOUT)

    def start_node(self, node: int, *, wait: bool = True) -> None:
        """Starts a stopped or killed node on its old port with its old data; returns when it serves."""
        if self._nodes[node].process is not None:
            raise RuntimeError(f"node {node} is running")
        self._launch(self._nodes[node])
        if wait:
            self._await_ready({node})

    def pause(self, node: int) -> None:
        """Freezes it: connections stay open, nothing answers."""
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        self._signal(node, signal.SIGCONT)

    def log(self, node: int) -> str:
        """What a running cluster's node has printed: warnings and errors, since its first start."""
        path = self._nodes[node].log
        return path.read_text(errors="replace") if path.exists() else ""

    def data(self, node: int) -> Path:
        """The folder with its partitions."""
        return self._nodes[node].folder / "data"

    def ended(self) -> list[int]:
        """The nodes that ended by themselves."""
        return [n.id for n in self._nodes.values() if n.process is not None and n.process.poll() is not None]

    # -- how --------------------------------------------------------------------------------------

    def _start_guard(self) -> None:
        # A folder that is kept is not the guard's to remove. A new session: Ctrl-C in the terminal
        # reaches neither guard nor brokers, the owner decides.
        folder = [] if self._keep else [str(self._folder)]
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(GUARD), *folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise RuntimeError("the cluster is not started")
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard; stopping must go on
            self._guard.stdin.write(line.encode() + b"\n")
            self._guard.stdin.flush()

    def _choose_ports(self) -> list[int]:
        """First the nodes' ports, then their controllers' and others; all tried by binding them at once."""
        wanted = list(range(self._port, self._port + self._count)) if self._port else []
        sockets: list[socket.socket] = []
        try:
            for port in wanted:
                asked = _bound(port)
                if asked is None:
                    raise UserError(f"port {port} is taken", hint="choose another with --port")
                sockets.append(asked)
            while len(sockets) < (2 + 2 * self._outer + 2 * self._secure) * self._count:
                free = _bound(random.choice(PORTS))  # noqa: S311
                if free is not None:
                    sockets.append(free)
            return [s.getsockname()[1] for s in sockets]
        finally:
            for s in sockets:
                s.close()

    def _prepare(self, node: _Node) -> None:
        """Writes the node's properties and, in a new folder, what formatting would have written."""
        data = node.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        meta = data / "meta.properties"
        if not meta.exists() and self._home is not None:
            shutil.copy(self._home.checkpoint, data / "bootstrap.checkpoint")
            directory = uuid4().hex[:22]  # the alphabet and length of Kafka's ids
            meta.write_text(
                f"version=1\ncluster.id={CLUSTER_ID}\nnode.id={node.id}\ndirectory.id={directory}\n",
            )
        properties = self._properties(node) | self._settings
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        (node.folder / "server.properties").write_text(text)

    def _properties(self, node: _Node) -> dict[str, str]:
        voters = ",".join(f"{n.id}@{HOST}:{n.controller_port}" for n in self._nodes.values())
        replicas = str(self._count)
        listens = advertises = f"PLAINTEXT://{HOST}:{node.port}"
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
        if node.outer_port:
            listens += f",OUTER://{HOST}:{node.outer_port}"
            advertises += f",OUTER://{HOST}:{node.advertised_port}"
            protocols += ",OUTER:PLAINTEXT"
        if self.guarded is not None:
            for name, port in zip(LISTENERS, node.guarded_ports, strict=True):
                listens += f",{name}://{HOST}:{port}"
                advertises += f",{name}://{HOST}:{port}"
                protocols += f",{name}:{LISTENERS[name]}"
        guards = {} if self.guarded is None else self.guarded.properties()
        return guards | {
            "process.roles": "broker,controller",
            "node.id": str(node.id),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{listens},CONTROLLER://{HOST}:{node.controller_port}",
            "advertised.listeners": advertises,
            "listener.security.protocol.map": protocols,
            "log.dirs": str(node.folder / "data"),
            # Topics come from the registry, never from a typing mistake.
            "auto.create.topics.enable": "false",
            "num.partitions": "4",
            "default.replication.factor": replicas,
            "min.insync.replicas": "1" if self._count == 1 else "2",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1" if self._count == 1 else "2",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
            # Groups form at once, and a test may let a member die quickly.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # Room for the lead log, whose messages are larger than a door's.
            "message.max.bytes": str(8 * 1024 * 1024),
            "replica.fetch.max.bytes": str(8 * 1024 * 1024),
            # A test's history is as old as it likes; topics set their own retention.
            "log.retention.ms": "-1",
            "log.cleaner.threads": "1",
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            "log.cleaner.backoff.ms": "1000",
            "log.index.size.max.bytes": str(1024 * 1024),
            # A killed node is noticed in seconds.
            "broker.session.timeout.ms": "6000",
            "broker.heartbeat.interval.ms": "1000",
            # Two cores are the usual machine.
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "2",
        }

    def _launch(self, node: _Node) -> None:
        home = self._home
        if home is None:
            raise RuntimeError("the cluster is not started")
        command = [str(home.java), f"-Xmx{self._heap_mb}m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        if self._compiler == "quick":
            command.append("-XX:TieredStopAtLevel=1")
        # The JVM's own remarks, such as a class image that does not fit, stay out of the log.
        command += ["-Xlog:disable", "-Xlog:all=error:stderr"]
        node.archive = None
        if home.class_archive.is_file():
            command.append(f"-XX:SharedArchiveFile={home.class_archive}")
        elif node.id == 1:
            node.archive = home.class_archive.with_name(f"new-{uuid4().hex}.jsa")
            command.append(f"-XX:ArchiveClassesAtExit={node.archive}")
        command += [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
        ]
        command += ["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-cp", home.class_path]
        command += ["kafka.Kafka", str(node.folder / "server.properties")]
        with node.log.open("ab") as log:
            node.process = _spawn(command, node.folder, log)
        self._tell_guard(f"+{node.process.pid}")

    def _await_ready(self, wanted: set[int]) -> None:
        """Polls the port first, because a client that finds it closed backs off; then the metadata."""
        deadline = time.monotonic() + START_TIMEOUT
        for number in sorted(wanted):
            node = self._nodes[number]
            while not _answers(node.port):
                self._check_alive(node, deadline)
                time.sleep(0.02)
        from confluent_kafka import KafkaException  # noqa: PLC0415 - 0.1 s that other uses don't pay
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        first = self._nodes[min(wanted)]
        client = AdminClient({"bootstrap.servers": f"{HOST}:{first.port}", "log_level": 0})
        while True:
            for number in wanted:
                self._check_alive(self._nodes[number], deadline)
            try:
                if wanted <= set(client.list_topics(timeout=1).brokers):
                    return
            except KafkaException:
                pass
            time.sleep(0.02)

    def _check_alive(self, node: _Node, deadline: float) -> None:
        if node.process is None or node.process.poll() is not None:
            raise UserError(
                f"Kafka node {node.id} ended while it started: {_why(self.log(node.id))}",
                hint="Kafka needs Java 17 or newer and a free port",
            )
        if time.monotonic() > deadline:
            raise UserError(f"Kafka node {node.id} was not ready after {START_TIMEOUT:.0f} s")

    def _signal(self, node: int, what: signal.Signals) -> None:
        process = self._nodes[node].process
        if process is None:
            raise RuntimeError(f"node {node} is not running")
        process.send_signal(what)

    def _reap(self, node: _Node, deadline: float) -> None:
        process = node.process
        if process is None:
            return
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        node.process = None
        self._tell_guard(f"-{process.pid}")
        if node.archive is not None and node.archive.is_file() and self._home is not None:
            if process.returncode == 128 + signal.SIGTERM:
                node.archive.rename(self._home.class_archive)
            else:
                node.archive.unlink()


def _spawn(command: list[str], folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _bound(port: int) -> socket.socket | None:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As the broker does: a port whose last connections are still winding down is free.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((HOST, port))
    except OSError:
        s.close()
        return None
    return s


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(1.0)
        return s.connect_ex((HOST, port)) == 0


def _why(log: str) -> str:
    """The line of a broker's log that says most."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    causes = [line for line in lines if "Exception" in line or "Error" in line]
    return (causes or lines[-1:] or ["it said nothing"])[-1]
