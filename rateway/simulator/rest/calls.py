"""One request as a route's handler gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote

from attrs import frozen

from ..records import RestRequest
from .answers import Answer
from .bodies import Body, Query, snowflake


@frozen
class Call:
    """A request, read.

    :ivar parts: what stands for the pairs of braces of the route's template, still percent-encoded.
    """

    request: RestRequest
    parts: tuple[str, ...]
    query: Query
    body: Body

    def id(self, index: int, name: str) -> int:
        """The id at a place of the path.

        :param name: of the parameter, for the error.
        """
        return snowflake(name, self.parts[index])

    def text(self, index: int) -> str:
        """The text at a place of the path, decoded."""
        return unquote(self.parts[index])


Handler: TypeAlias = Callable[[Call], Answer]
"""Does what a request asks for; raises :class:`ApiError`, or what the world's deeds raise."""
