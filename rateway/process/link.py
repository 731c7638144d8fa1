"""AMP over file descriptors 3 and 4, at both ends.

The child reads 3 and writes 4; its stdout and stderr stay free for logs. A pipe whose other end died reads as closed:
that is how a child learns of its parent's death, be it by ``kill -9``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProcessTransport, ITransport
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.protocols.amp import AMP, ASK, COMMAND, AmpBox, Command, CommandLocator, RemoteAmpError
from twisted.python.failure import Failure
from zope.interface import implementer

from .commands import FAULT_CODE

TO_CHILD = 3
FROM_CHILD = 4


class Link(AMP):
    """One end of a link.

    :ivar closed: fires when nothing can be said or heard any more.
    :ivar open: whether something can.
    """

    _log = Logger()

    def __init__(self, responders: CommandLocator | None = None) -> None:
        super().__init__(locator=responders)
        self.closed: Deferred[None] = Deferred()
        self.open = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.open = True

    def dataReceived(self, data: bytes) -> None:
        # One of its two pipes may close before the other is read to its end.
        if self.open:
            super().dataReceived(data)

    def dispatchCommand(self, box: AmpBox) -> Deferred[Any]:
        """Answer a command. What a responder raises and no command declares would end the link: it ends here."""
        answering: Deferred[Any] = super().dispatchCommand(box)
        return answering.addErrback(self._not_answered, box)

    def _not_answered(self, failure: Failure, box: AmpBox) -> AmpBox | Failure:
        command = box[COMMAND].decode("utf-8", "replace")
        if failure.check(RemoteAmpError) is None:
            self._log.failure("answering {command} over the link", failure, command=command)
            told = f"{command} met a fault of rateway's own ({type(failure.value).__name__})"
            failure = Failure(RemoteAmpError(FAULT_CODE, told, False, local=failure))
        # Where no answer is wanted nobody can be told.
        return failure if ASK in box else AmpBox()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.closed.called:
            return
        self.open = False
        super().connectionLost(reason)
        self.closed.callback(None)

    def close(self) -> None:
        """Say no more; the other end learns of it."""
        if self.open and self.transport is not None:
            self.transport.loseConnection()

    def tell(self, command: type[Command], **arguments: Any) -> None:
        """Send a command that has no answer; without a link it goes nowhere."""
        if self.open:
            self.callRemote(command, **arguments)

    def ask(self, command: type[Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command; fires with its answer, fails with ConnectionLost or the like if the link closes."""
        asked: Deferred[dict[str, Any]] = self.callRemote(command, **arguments)
        return asked


@implementer(IAddress)
class PipeAddress:
    """A pipe has no address worth telling."""


@implementer(ITransport)
class PipeTransport:
    """The parent's end: AMP writes through the process's transport."""

    def __init__(self, process: IProcessTransport) -> None:
        self._process = process
        self.disconnecting = False

    def write(self, data: bytes) -> None:
        if self.disconnecting:
            return
        try:
            self._process.writeToChild(TO_CHILD, data)
        except KeyError:
            # The child closed its end; that it did is told by its protocol.
            self.disconnecting = True

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            with suppress(KeyError):
                self._process.closeChildFD(TO_CHILD)

    def getPeer(self) -> PipeAddress:
        return PipeAddress()

    def getHost(self) -> PipeAddress:
        return PipeAddress()


def open_in_child(reactor: Any, link: Link) -> None:
    """The child's end: its own descriptors 3 and 4."""
    pipes: Any = StandardIO
    pipes(link, stdin=TO_CHILD, stdout=FROM_CHILD, reactor=reactor)
