"""Stand-ins for what surrounds the parent and its children."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText, globalLogPublisher
from twisted.protocols.amp import CommandLocator
from twisted.python.failure import Failure
from zope.interface import implementer

from rateway.errors import RatewayError, RequestRefused
from rateway.interfaces import IFatalReporter
from rateway.process import commands
from rateway.process.link import FROM_CHILD, Link
from rateway.process.spawning import ChildProcess


@define
class FakeMemory:
    """Where the identify queue's snapshot is kept, for tests."""

    snapshot: Mapping[str, object] = field(factory=dict)

    def identify_snapshot(self) -> Mapping[str, object]:
        return self.snapshot

    def keep_identify_snapshot(self, snapshot: Mapping[str, object]) -> None:
        self.snapshot = dict(snapshot)


@implementer(IFatalReporter)
class FakeFatal:
    """Notes what would have ended everything."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def report_fatal(self, error: RatewayError) -> None:
        self.sentences.append(str(error))


class Heard:
    """Collects the log while a test runs."""

    def __init__(self, test: Any) -> None:
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        test.addCleanup(globalLogPublisher.removeObserver, observer)

    def texts(self, level: str = "") -> list[str]:
        """What was logged at a level."""
        return [
            eventAsText(event, includeTimestamp=False, includeSystem=False)
            for event in self.events
            if not level or event["log_level"].name == level
        ]


class FakeChild(CommandLocator):
    """A child without a process: what a real one would hear and answer, noted."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Any]] = []
        self.answer_stop: Deferred[dict[str, object]] | None = None
        self.fail_at_configure = False
        self.fail_at_status = 0

    @commands.Configure.responder
    def configure(self, config: bytes, gateway_url: str, total: int) -> dict[str, object]:
        if self.fail_at_configure:
            raise RuntimeError("a bug")
        self.heard.append(("configure", (config, gateway_url, total)))
        return {}

    @commands.RunClusters.responder
    def run_clusters(self, clusters: list[int], crashed: bool, again: bool) -> dict[str, object]:
        self.heard.append(("run anew" if crashed else "run", clusters))
        self.again = again
        return {}

    @commands.Status.responder
    def status(self, cluster: int) -> dict[str, object]:
        if cluster == self.fail_at_status:
            raise ZeroDivisionError("a bug")
        return {"status": {"cluster": cluster}}

    @commands.SendCommand.responder
    def send_command(self, shard: int, op: int, payload: bytes, left: float) -> dict[str, object]:
        self.heard.append(("send", (shard, op, payload, left)))
        return {}

    @commands.Stop.responder
    def stop(self, final: bool) -> Any:
        self.heard.append(("stop", final))
        return self.answer_stop if self.answer_stop is not None else {}


class FakeProcess:
    """A process transport whose process is a FakeChild; ``flush`` carries bytes to and fro."""

    def __init__(self, protocol: ChildProcess, child: FakeChild, obeys: bool = True) -> None:
        self.protocol = protocol
        self.child = child
        self.link = Link(child)
        self.signals: list[str] = []
        self.alive = True
        self.obeys = obeys
        self._to_child: list[bytes] = []
        self._to_parent: list[bytes] = []
        self._closed = False
        pipe: Any = _Pipe(self._to_parent.append)
        self.link.makeConnection(pipe)
        transport: Any = self
        protocol.makeConnection(transport)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        if self._closed:
            raise KeyError(childFD)
        self._to_child.append(data)

    def closeChildFD(self, descriptor: int) -> None:
        self._closed = True

    def signalProcess(self, signalID: str) -> None:
        if not self.alive:
            raise ProcessExitedAlready
        self.signals.append(signalID)
        self.end(signal=9)

    def flush(self) -> None:
        """Carry everything, until nothing is under way; a child whose link is closed ends, if it obeys."""
        while self.alive and (self._to_child or self._to_parent):
            outgoing, self._to_child = b"".join(self._to_child), []
            self.link.dataReceived(outgoing)
            incoming = b"".join(self._to_parent)
            self._to_parent.clear()
            if incoming:
                self.protocol.childDataReceived(FROM_CHILD, incoming)
        if self._closed and self.alive and self.obeys:
            self.end()

    def end(self, code: int = 0, signal: int | None = None) -> None:
        """The process dies."""
        self.alive = False
        how = ProcessTerminated(code or None, signal, None) if code or signal else ProcessDone(None)
        for descriptor in (3, 4):
            self.protocol.childConnectionLost(descriptor)
        self.protocol.processEnded(Failure(how))


class _Pipe:
    """What a child's AMP writes into."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write

    def loseConnection(self) -> None:
        pass

    def getPeer(self) -> None:
        pass

    def getHost(self) -> None:
        pass


class Spawner:
    """Spawns FakeProcesses, and remembers them."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.children: list[FakeChild] = []
        self.refuse = False
        self.prepare: Callable[[FakeChild], None] = lambda child: None
        self.obeys = True

    def __call__(self, process: ChildProcess) -> Any:
        if self.refuse:
            raise OSError(11, "Resource temporarily unavailable")
        child = FakeChild()
        self.prepare(child)
        self.children.append(child)
        self.processes.append(FakeProcess(process, child, self.obeys))
        return self.processes[-1]

    def flush(self) -> None:
        for process in self.processes:
            process.flush()


class ReactorClock(Clock):
    """A clock that also can what the parent asks of a reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def callWhenRunning(self, function: Callable[..., object], *arguments: object) -> None:
        function(*arguments)

    def stop(self) -> None:
        self.stopped = True


def refuse_all(shard: int, op: int, payload: bytes, left: float) -> Deferred[dict[str, Any]]:
    """A way for commands that leads nowhere."""
    return fail(RequestRefused(f"shard {shard} is not running"))
