"""The REST API on its site: requests are read and recorded, answers written, with the flaws they are to have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http import NO_BODY_CODES
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..records import RestRequest
from .answers import Answer, Staged
from .buckets import without_secrets
from .errors import plain

if TYPE_CHECKING:
    from .server import Rest

BASE = "/api/v10"


class RestResource(Resource):
    """``/api`` of the site."""

    isLeaf = True
    _log = Logger()

    def __init__(self, rest: Rest) -> None:
        super().__init__()
        self._rest = rest

    def render(self, request: Request) -> int:
        rest = self._rest
        rest.hub.transports.add(request.channel.transport)
        record = self._record(request)
        key = rest.began(record)
        try:
            staged = rest.respond(record)
        except Exception:
            self._log.failure("the simulator met a bug of its own")
            staged = Staged(answer=plain(500, "Internal Server Error").answer())
        gone: list[bool] = []
        finished: Deferred[None] = request.notifyFinish()
        finished.addBoth(lambda _: gone.append(True))

        def reply() -> None:
            assert staged.answer is not None
            status = staged.answer[0] if staged.flaw not in ("never", "reset") else 0
            rest.ended(record, key, status)
            shown = rest.hub.veil(without_secrets(record.path))
            self._log.info("{method} {path}: {status}", method=record.method, path=shown, status=status or staged.flaw)
            if not gone:
                _write(request, staged.answer, staged)

        if staged.delay:
            rest.hub.later(staged.delay, reply)
        else:
            reply()
        return NOT_DONE_YET

    def _record(self, request: Request) -> RestRequest:
        whole, _, query = request.uri.decode("ascii", "replace").partition("?")
        path = whole[len(BASE) :] if whole.startswith(BASE + "/") else whole
        headers = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in _headers(request)}
        body = request.content.read() if request.content is not None else b""
        reason = headers.get("x-audit-log-reason")
        return RestRequest(
            request.method.decode("ascii", "replace"),
            path,
            query,
            self._rest.hub.now(),
            headers,
            body,
            address=getattr(request.getClientAddress(), "host", ""),
            audit_log_reason=None if reason is None else unquote(reason),
        )


def _headers(request: Request) -> Iterable[tuple[bytes, Sequence[bytes]]]:
    return request.requestHeaders.getAllRawHeaders()


def _write(request: Request, answer: Answer, staged: Staged) -> None:
    status, headers, body = answer
    transport: Any = request.channel.transport
    if staged.flaw == "never":
        return
    if staged.flaw == "reset":
        transport.abortConnection()
        return
    request.setResponseCode(status)
    for name, value in headers.items():
        request.setHeader(name.encode(), value.encode())
    length = len(body) + (staged.amount if staged.flaw == "length" else 0)
    if status not in NO_BODY_CODES:
        request.setHeader(b"Content-Length", b"%d" % max(0, length))
    if staged.flaw == "none":
        request.write(body)
        request.finish()
        return
    request.write(body[: staged.amount] if staged.flaw == "cut" else body)
    # What was written must arrive before the end does; so no reset.
    transport.loseConnection()
