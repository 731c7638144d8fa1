"""WebSocket frames (RFC 6455, section 5.2), cut out of what a read brought: without state, without copies but one.

``\\x81`` and ``\\x82`` begin a whole text or binary message; a server's frames bear no mask. Nearly all that Discord
sends is that, and :func:`cut_messages` takes it. Of all the rest only the length is read here.
"""

from __future__ import annotations

from typing import TypeAlias

Message: TypeAlias = tuple[bytes, bool]
"""A message, and whether it is binary."""

_TEXT, _BINARY, _CONTROL = 0x81, 0x82, 0x88
_LAWFUL = frozenset({0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A})


def cut_messages(data: bytes, position: int, messages: list[Message]) -> int:
    """Append every whole message from ``position`` on; stop at the first frame that is none, or isn't complete.

    :returns: the position of that frame, or the end.
    """
    end = len(data)
    while end - position >= 2:
        first, length = data[position], data[position + 1]
        if first != _BINARY and first != _TEXT:
            break
        start = position + 2
        if length > 125:
            if length == 126:
                start += 2
                length = int.from_bytes(data[position + 2 : start])
                if length < 126:
                    break
            elif length == 127:
                start += 8
                length = int.from_bytes(data[position + 2 : start])
                if length < 65536:
                    break
            else:
                break
        after = start + length
        if after > end:
            break
        messages.append((data[start:after], first == _BINARY))
        position = after
    return position


def frame_end(data: bytes, position: int) -> int:
    """Where the frame at ``position`` ends; if its header isn't complete, where more is known.

    A frame that breaks the rules has no end: what is there of it is to be judged at once.
    """
    end = len(data)
    if end - position < 2:
        return position + 2
    first, length = data[position], data[position + 1]
    if first not in _LAWFUL or length > 127 or (first >= _CONTROL and length > 125):
        return end
    if length < 126:
        return position + 2 + length
    start = position + (4 if length == 126 else 10)
    if start > end:
        return start
    least, size = (126 if length == 126 else 65536), int.from_bytes(data[position + 2 : start])
    return start + size if least <= size < 1 << 63 else end
