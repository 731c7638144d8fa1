"""Ready-made answers by name, for scripts: every kind of 429, errors, the edge's pages, and answers that go wrong.

``preset("shared-429", retry_after=2)`` is an answer for ``rest.script``; ``rest.stage(path, name, times=1, method="*",
**parameters)`` does both. ``PRESETS`` has them all by name, ``describe()`` says what each is and takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from attrs import frozen

from .answers import Staged, banned, edge_answer, json_answer, rate_limited
from .errors import ApiError, plain, refusal

_PAGE = b"<!DOCTYPE html><html><head><title>%d: %b</title></head><body><h1>Error %d</h1>cloudflare</body></html>"


def _page(status: int, phrase: bytes) -> Staged:
    return Staged(answer=edge_answer(status, _PAGE % (status, phrase, status), "text/html; charset=UTF-8"))


def _error(error: ApiError) -> Staged:
    return Staged(answer=error.answer())


def user_429(retry_after: float = 1.0, bucket: str = "9d1f0c2b3a4e5d6f", limit: int = 5) -> Staged:
    """429 of the route's bucket: scope user, nothing remaining."""
    return Staged(answer=rate_limited("user", retry_after, bucket=bucket, limit=limit))


def sub_limit_429(
    retry_after: float = 300.0, bucket: str = "9d1f0c2b3a4e5d6f", limit: int = 5, remaining: int = 3
) -> Staged:
    """429 of a limit that no header shows: scope user, though some remain."""
    return Staged(
        answer=rate_limited("user", retry_after, bucket=bucket, limit=limit, remaining=remaining, reset_after=1.0)
    )


def shared_429(retry_after: float = 1.0, bucket: str = "9d1f0c2b3a4e5d6f", reset_after: float = 1.0) -> Staged:
    """429 of a resource that others use too: scope shared, code 40062; not held against the address."""
    return Staged(answer=rate_limited("shared", retry_after, bucket=bucket, remaining=3, reset_after=reset_after))


def global_429(retry_after: float = 1.0) -> Staged:
    """429 of the limit over all routes: X-RateLimit-Global, no bucket."""
    return Staged(answer=rate_limited("global", retry_after))


def cloudflare_429(retry_after: int = 3600) -> Staged:
    """429 of the edge, a page of HTML: the address is banned. 0 leaves Retry-After out."""
    return Staged(answer=banned(retry_after=retry_after or None))


def cloudflare_json_429(retry_after: int = 3600) -> Staged:
    """429 of the edge, JSON without retry_after. 0 leaves the header Retry-After out."""
    return Staged(answer=banned(html=False, retry_after=retry_after or None))


def cloudflare_text_429(retry_after: int = 3600) -> Staged:
    """429 of the edge, the bare words "error code: 1015". 0 leaves Retry-After out."""
    return Staged(answer=edge_answer(429, b"error code: 1015", "text/plain", retry_after or None))


def unauthorized() -> Staged:
    """401: the token is wrong, or was reset."""
    return _error(plain(401, "Unauthorized"))


def forbidden() -> Staged:
    """403, code 50013: the bot lacks a permission."""
    return _error(refusal(50013))


def missing_access() -> Staged:
    """403, code 50001: the bot can't see it."""
    return _error(refusal(50001))


def blocked_agent() -> Staged:
    """403, code 40333: the edge doesn't like the User-Agent."""
    return _error(refusal(40333))


def not_found() -> Staged:
    """404, code 0."""
    return _error(plain(404, "Not Found"))


def server_error() -> Staged:
    """500 of Discord itself, JSON."""
    return _error(plain(500, "Internal Server Error"))


def bad_gateway() -> Staged:
    """502 of the edge, a page of HTML."""
    return _page(502, b"Bad gateway")


def unavailable() -> Staged:
    """503 of a proxy, plain text."""
    body = b"upstream connect error or disconnect/reset before headers. reset reason: overflow"
    return Staged(answer=edge_answer(503, body, "text/plain"))


def gateway_timeout() -> Staged:
    """504 of the edge, a page of HTML."""
    return _page(504, b"Gateway time-out")


def origin_timeout() -> Staged:
    """524 of the edge, a page of HTML."""
    return _page(524, b"A timeout occurred")


def html(status: int = 200) -> Staged:
    """A page of HTML where JSON is due."""
    return Staged(answer=edge_answer(status, b"<!DOCTYPE html><html><body>hello</body></html>", "text/html"))


def broken_json(status: int = 200) -> Staged:
    """Half a JSON text, labelled as JSON."""
    status, headers, body = json_answer(status, {"id": "1", "content": "cut"})
    return Staged(answer=(status, headers, body[:-5]))


def slow(delay: float = 5.0) -> Staged:
    """The usual answer, late."""
    return Staged(delay=delay)


def never() -> Staged:
    """No answer, ever; what was asked for is not done, and the connection stays open."""
    return Staged(answer=(200, {}, b""), flaw="never")


def reset() -> Staged:
    """The connection is reset instead of an answer; what was asked for is not done."""
    return Staged(answer=(200, {}, b""), flaw="reset")


def cut(after: int = 1) -> Staged:
    """The usual answer, and the connection ends after so many bytes of its body; what was asked for is done."""
    return Staged(flaw="cut", amount=after)


def wrong_length(by: int = 10) -> Staged:
    """The usual answer with a Content-Length that is wrong by so much (negative: too small), then the end."""
    return Staged(flaw="length", amount=by)


_ALL: tuple[Callable[..., Staged], ...] = (
    user_429,
    sub_limit_429,
    shared_429,
    global_429,
    cloudflare_429,
    cloudflare_json_429,
    cloudflare_text_429,
    unauthorized,
    forbidden,
    missing_access,
    blocked_agent,
    not_found,
    server_error,
    bad_gateway,
    unavailable,
    gateway_timeout,
    origin_timeout,
    html,
    broken_json,
    slow,
    never,
    reset,
    cut,
    wrong_length,
)


@frozen
class Preset:
    """A ready-made answer: its name, what it is, and its parameters with what they are by default."""

    name: str
    meaning: str
    parameters: Mapping[str, int | float | str]
    make: Callable[..., Staged]


def _preset(make: Callable[..., Staged]) -> Preset:
    parameters = {name: parameter.default for name, parameter in inspect.signature(make).parameters.items()}
    return Preset(make.__name__.replace("_", "-"), inspect.getdoc(make) or "", parameters, make)


PRESETS: Mapping[str, Preset] = {found.name: found for found in map(_preset, _ALL)}


def preset(name: str, **parameters: object) -> Staged:
    """The answer of this name.

    :raises ValueError: for a name, a parameter or a value that is none, in a sentence.
    """
    found = PRESETS.get(name)
    if found is None:
        raise ValueError(f"there is no answer {name!r}; there are {', '.join(PRESETS)}")
    for key, value in parameters.items():
        if key not in found.parameters:
            takes = f"only {', '.join(found.parameters)}" if found.parameters else "nothing"
            raise ValueError(f"the answer {name!r} takes {takes}, not {key!r}")
        _check(name, key, value, found.parameters[key])
    return found.make(**parameters)


def _check(name: str, key: str, value: object, default: object) -> None:
    if isinstance(default, str):
        wanted, right = "a text", isinstance(value, str)
    elif isinstance(default, float):
        wanted, right = "a number from 0 up", type(value) in (int, float) and 0 <= float(str(value)) < float("inf")
    else:
        # Only a Content-Length may be too small.
        wanted = "a whole number" if key == "by" else "a whole number from 0 up"
        right = isinstance(value, int) and not isinstance(value, bool) and (key == "by" or value >= 0)
    if not right:
        raise ValueError(f"{key!r} of the answer {name!r} must be {wanted}, not {value!r}")


def describe() -> list[dict[str, object]]:
    """All answers: name, meaning, parameters with their defaults."""
    return [
        {"name": found.name, "meaning": found.meaning, "parameters": dict(found.parameters)}
        for found in PRESETS.values()
    ]
