"""PURE: which gaps in what is kept bear on an answer.

What isn't found may be there all the same, where its kind isn't kept whole, and there may be more than a list has. What
is found is true, but for what no event tells of: of a person, without GUILD_MEMBERS, unless it is the bot itself; and
of a message, as its reactions and its poll's votes have intents of their own (Discord's docs, "Gateway Intents").
"""

from __future__ import annotations

from .queries import Question
from .standing import Answer

_EMPTY_LIST = b"[]"
_POLL = b'"poll":{'
"""In a message's JSON, and in no text of it, for there the quotation marks are escaped."""


def concerned(question: Question, answer: Answer) -> frozenset[str]:
    """The kinds, and parts of kinds, whose gaps bear on the answer: see :func:`is_about` for the exception."""
    kinds = question.query.kinds
    return _of_messages(question, answer) if "Message" in kinds else kinds


def is_about(question: Question, answer: Answer, user: int) -> bool:
    """Whether the answer is what is known of this user alone."""
    if answer.body is None or question.query.steps is not None:
        return False
    asked = zip(question.query.arguments, question.values, strict=True)
    return any(argument.name == "user" and value == user for argument, value in asked)


def _of_messages(question: Question, answer: Answer) -> frozenset[str]:
    """Where no guild is known, it may be a private channel."""
    body, direct = answer.body, "shard_id" not in answer.headers
    names = set()
    if body is None or question.query.steps is not None:
        names |= {"Message", "DirectMessage"} if direct else {"Message"}
    if body is not None and body != _EMPTY_LIST:
        names.add("DirectReaction" if direct else "Reaction")
        if _POLL in body:
            names.add("DirectPoll" if direct else "Poll")
    return frozenset(names)
