"""``POST /control/scenario``: a scenario by HTTP.

The body is a scenario's TOML, or the name of a packaged one (``Content-Type: text/plain``). The answer comes when the
scenario is over: 200 with the report as JSON, whether it held or not; 400 with a sentence for a scenario that can't be
used; 409 while another one runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from .format import Scenario
from .reading import ScenarioError, load, packaged, read
from .report import Report, as_json
from .runner import run_scenario

if TYPE_CHECKING:
    from ..simulator import Simulator

_MOST_BYTES = 1 << 20


class ScenarioResource(Resource):
    """Runs one scenario at a time on a simulator."""

    isLeaf = True
    _log = Logger()

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._simulator = simulator

    def render_GET(self, request: Request) -> bytes:
        """The names of the packaged scenarios."""
        return _answer(request, 200, {"scenarios": packaged()})

    def render_POST(self, request: Request) -> bytes | int:
        body = request.content.read(_MOST_BYTES + 1) if request.content is not None else b""
        if len(body) > _MOST_BYTES:
            return _answer(request, 413, {"error": f"a scenario has {_MOST_BYTES} bytes at most"})
        if self._simulator.in_scenario:
            return _answer(request, 409, {"error": "a scenario is being run: wait for its end"})
        try:
            scenario = self._scenario(request, body.decode())
        except (ScenarioError, UnicodeDecodeError) as error:
            return _answer(request, 400, {"error": str(error)})
        running = Deferred.fromCoroutine(run_scenario(self._simulator, scenario, say=self._say))
        gone = request.notifyFinish()
        gone.addErrback(lambda _: running.cancel())
        running.addCallbacks(lambda reports: self._finish(request, reports), self._broken, errbackArgs=(request,))
        return NOT_DONE_YET

    @staticmethod
    def _scenario(request: Request, text: str) -> Scenario:
        if (request.getHeader("content-type") or "").partition(";")[0].strip() == "text/plain":
            return load_packaged(text.strip())
        return read(text, "scenario", "the scenario sent")

    def _say(self, line: str) -> None:
        self._log.info("{line}", line=line)

    @staticmethod
    def _finish(request: Request, reports: tuple[Report, ...]) -> None:
        request.write(_answer(request, 200, as_json(reports)))
        request.finish()

    def _broken(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            self._log.info("the scenario was given up: who asked for it has gone")
            return
        self._log.failure("the scenario met a bug of the simulator's own", failure)
        request.write(_answer(request, 500, {"error": failure.getErrorMessage()}))
        request.finish()


def load_packaged(name: str) -> Scenario:
    """A packaged scenario: files of the machine are none of HTTP's business.

    :raises ScenarioError: when there is none of that name.
    """
    if name.partition(":")[0] not in packaged():
        raise ScenarioError(f"there is no packaged scenario {name!r}; there are: {', '.join(packaged())}")
    return load(name)


def _answer(request: Request, status: int, value: object) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    return msgspec.json.encode(value) + b"\n"
