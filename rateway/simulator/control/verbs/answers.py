"""What REST answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...hub import encode
from ...rest.answers import Staged
from ...rest.presets import PRESETS, preset
from .action import Action, Count, Seconds

if TYPE_CHECKING:
    from ...simulator import Simulator

_Method = Literal["*", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


class AnswerRequests(Action, tag="rest", frozen=True, kw_only=True):
    """The next requests of a path are answered so, one each; then as usual again."""

    path: Annotated[
        str, Meta(pattern=r"^(/.*|\*)$", description='below /api/v10, e.g. /gateway/bot; {} is any part, "*" any path')
    ]
    method: Annotated[_Method, Meta(description='only requests of this method; "*" is any')] = "*"
    times: Annotated[Count, Meta(le=100_000, description="how many requests")] = 1
    preset: Annotated[str | None, Meta(description=f"a ready-made answer: {', '.join(PRESETS)}")] = None
    parameters: Annotated[
        dict[str, Any], Meta(description="what the ready-made answer takes, e.g. {retry_after: 2}")
    ] = msgspec.field(default_factory=dict)
    status: Annotated[
        Annotated[int, Meta(ge=200, le=599)] | None, Meta(description="an answer of one's own, in place of a preset")
    ] = None
    headers: Annotated[dict[str, str], Meta(description="its headers")] = msgspec.field(default_factory=dict)
    json: Annotated[Any, Meta(description="its body, as JSON")] = None
    text: Annotated[str | None, Meta(description="its body byte for byte, in place of json")] = None
    delay: Annotated[Seconds, Meta(description="seconds before an answer of one's own")] = 0.0

    def __post_init__(self) -> None:
        if (self.preset is None) == (self.status is None):
            raise ValueError("give either preset or status")
        if self.preset is not None:
            preset(self.preset, **self.parameters)
        for name, value in self.headers.items():
            if not (name.isascii() and name.replace("-", "").isalnum()) or not _is_line(value):
                raise ValueError(f"{name!r} is no header with a value of one line, in Latin-1")

    def act(self, simulator: Simulator) -> None:
        simulator.rest.script(self.path, [self._answer()] * self.times, self.method)

    def _answer(self) -> Staged:
        if self.preset is not None or self.status is None:
            return preset(self.preset or "", **self.parameters)
        headers = {"Content-Type": "application/json", **self.headers} if self.text is None else self.headers
        body = encode(self.json) if self.text is None else self.text.encode()
        return Staged(answer=(self.status, headers, body), delay=self.delay)


def _is_line(value: str) -> bool:
    return value.isprintable() and all(ord(character) < 256 for character in value)


class AnswerAsUsual(Action, tag="rest_as_usual", frozen=True, kw_only=True):
    """Forget all that was said about answers of REST."""

    def act(self, simulator: Simulator) -> None:
        simulator.rest.clear_scripts()


ANSWERS = (AnswerRequests, AnswerAsUsual)
