"""A payload's envelope (Discord's docs, "Gateway Events": Payload Structure).

The envelope is split and no more: ``d`` stays the bytes that Discord sent. Keys may come in any order, keys we don't
know are passed over, and only ``op`` has to be there.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from rateway.errors import RemoteProtocolError

MOST = (1 << 63) - 1
"""The highest sequence that AMQP's headers and the disk can bear; Discord counts from 1 in each session."""

_NULL = msgspec.Raw(b"null")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Envelope(msgspec.Struct, gc=False):
    """What a payload says of itself.

    :ivar d: a slice of the payload, exactly as sent (``null`` if it was absent); ``bytes(envelope.d)`` copies it out.
    :ivar s: the sequence, with op 0.
    :ivar t: the event's name, with op 0.
    """

    op: int
    d: msgspec.Raw = _NULL
    s: Annotated[int, msgspec.Meta(ge=0, le=MOST)] | None = None
    t: str | None = None


_decode = msgspec.json.Decoder(Envelope).decode


def decode(text: bytes | bytearray) -> Envelope:
    """Split a payload.

    msgspec checks the grammar of all of it, also within ``d``, but not that text within ``d`` is UTF-8, so that is
    checked here. It also refuses half a surrogate pair (``\\ud800``), which the grammar of JSON allows: such a payload
    is taken all the same, for a RESUME would only bring it again.

    :raises RemoteProtocolError: not UTF-8, not JSON, no object, no integer ``op``, a sequence that is none.
    """
    try:
        if not text.isascii():
            text.decode()
        return _decode(text)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"Discord sent a payload of another form: {error}") from error
    except msgspec.DecodeError as error:
        if _SURROGATE.search(text):
            return _decode_surrogates(bytes(text))
        raise RemoteProtocolError(f"Discord sent a payload that is no JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("Discord sent a payload that is not UTF-8") from error
    except RecursionError as error:
        raise RemoteProtocolError("Discord sent a payload nested too deeply") from error


def _decode_surrogates(text: bytes) -> Envelope:
    """Decode a copy whose surrogates are replaced by an escape of the same length; cut ``d`` out of the original."""
    copy = _SURROGATE.sub(rb"\\u0000", text)
    try:
        envelope = _decode(copy)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RemoteProtocolError(f"Discord sent a payload that is no JSON: {error}") from error
    if envelope.d is not _NULL:
        start = copy.index(bytes(envelope.d))
        envelope.d = msgspec.Raw(text[start : start + len(memoryview(envelope.d))])
    return envelope
