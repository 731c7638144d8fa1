"""A small stand-in for Discord's REST: scripted answers, and a record of what was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request


@frozen
class Reply:
    """One answer; a ``gate`` delays it until it fires."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = Factory(dict)
    gate: Deferred[None] | None = None


@frozen
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@define(eq=False)
class Script:
    """Answers one after another, the last one for ever.

    :ivar peak: the highest number of requests that were unanswered at once.
    """

    replies: deque[Reply]
    clock: Callable[[], float] = lambda: 0.0
    asked: list[Asked] = field(factory=list)
    pending: int = 0
    peak: int = 0

    def next(self) -> Reply:
        return self.replies.popleft() if len(self.replies) > 1 else self.replies[0]


class ScriptedResource(Resource):
    """Every path, answered by the script."""

    isLeaf = True

    def __init__(self, *replies: Reply, clock: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self.script = Script(deque(replies), clock)

    def render(self, request: Request) -> int:
        script = self.script
        headers = {
            name.decode().lower(): values[-1].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        path = request.uri.decode()
        content = request.content.read() if request.content else b""
        script.asked.append(Asked(request.method.decode(), path, headers, content, script.clock()))
        script.pending += 1
        script.peak = max(script.peak, script.pending)
        reply = script.next()

        def answer(_: None) -> None:
            script.pending -= 1
            request.setResponseCode(reply.status)
            for name, value in reply.headers.items():
                request.setHeader(name.encode(), value.encode())
            request.write(reply.body)
            request.finish()

        (reply.gate or _now()).addCallback(answer)
        return NOT_DONE_YET


def quota(bucket: str = "b", limit: int = 5, remaining: int = 4, reset_after: float = 10.0) -> dict[str, str]:
    """The headers of a bucket."""
    return {
        "X-RateLimit-Bucket": bucket,
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": str(reset_after),
    }


def _now() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done
