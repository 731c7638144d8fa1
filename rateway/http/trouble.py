"""What a person is told when a request fails before an answer came."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseFailed

from rateway import tls
from rateway.errors import ConfigError


class BodyTooLong(Exception):
    """the answer is longer than any of Discord's"""


NOTHING_SENT = (ConnectError, DNSLookupError)
"""What befalls a request before its first byte: any request may be repeated after it."""

TROUBLE = (
    *NOTHING_SENT,
    ConnectionClosed,
    OSError,
    RequestTransmissionFailed,
    ResponseFailed,
    DeferredTimeout,
    BodyTooLong,
    ConfigError,
)
"""The world's faults: what may befall any request."""


def describe(error: BaseException) -> str:
    """A few words for a log line or an error's sentence."""
    told = tls.explain(Failure(error))
    if told:
        return told
    error = _innermost(error)
    if isinstance(error, DeferredTimeout):
        return "no answer in time"
    if isinstance(error, DNSLookupError):
        return "its name can't be resolved"
    return str(error).strip().rstrip(".") or type(error).__name__


def was_cancelled(error: BaseException) -> bool:
    """Whether it failed because nobody wants it any more."""
    return isinstance(_innermost(error), CancelledError)


def _innermost(error: BaseException) -> BaseException:
    while reasons := getattr(error, "reasons", None):
        error = reasons[-1].value
    return error
