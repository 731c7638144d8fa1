"""What the control API says about itself."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec

from ..records import KINDS
from .actions import ActionDescription, describe
from .waits import STATES

_WIDTH = 100

ROUTES = (
    ("GET /control", "this page; as JSON with Accept: application/json"),
    ("POST /control/actions", "do something: one action or a list of them, done in order"),
    ("GET /control/state", "addresses, shards, sessions, connections, guilds"),
    ("GET /control/records/KIND?after=N&shard=S&limit=L", f"what happened; kinds: {', '.join(KINDS)}"),
    ("DELETE /control/records", "forget what happened, count anew"),
    ("GET /control/breaches", "the rules that were broken"),
    ("GET /control/summary", "the numbers in a line, and the breaches; as JSON with Accept: application/json"),
    ("POST /control/wait", f"wait for records of a kind, or for {', '.join(STATES)}; 408 when they don't come"),
    ("POST /control/scenario", "run a scenario, given as TOML or by the name of a packaged one"),
)

_EXAMPLES = """\
curl -X POST 127.0.0.1:8800/control/actions -d '{"do": "drop", "shard": 0, "how": "rst"}'
curl -X POST 127.0.0.1:8800/control/actions -d '[{"do": "outage", "guild": 0}, {"do": "traffic", "rate": 50}]'
curl -X POST 127.0.0.1:8800/control/wait -d '{"for": "resumes", "where": {"answer": "resumed"}, "timeout": 30}'
curl 127.0.0.1:8800/control/records/identifies?shard=0
"""


def as_json() -> dict[str, Any]:
    """The description for programs."""
    return {
        "routes": [{"route": route, "meaning": meaning} for route, meaning in ROUTES],
        "actions": [
            {
                "do": action.name,
                "group": action.group,
                "meaning": action.meaning,
                "fields": [
                    {
                        "name": field.name,
                        "type": field.type,
                        "meaning": field.meaning,
                        "required": field.default is None,
                        "default": None if field.default is None else msgspec.Raw(field.default.encode()),
                    }
                    for field in action.fields
                ],
            }
            for action in describe()
        ],
        "records": list(KINDS),
        "waits": [*KINDS, *STATES],
    }


def as_text() -> str:
    """The description for people."""
    lines = ["The control API of a simulated Discord. Not for browsers, and for this machine only.", ""]
    for route, meaning in ROUTES:
        lines += [route, *_wrapped(meaning, 4)]
    lines += ["", "Examples", *(f"    {line}" for line in _EXAMPLES.splitlines())]
    group = ""
    for action in describe():
        if action.group != group:
            group = action.group
            lines += ["", group]
        lines += ["", *_action(action)]
    return "\n".join(lines) + "\n"


def _action(action: ActionDescription) -> list[str]:
    lines = [f"  {action.name}", *_wrapped(action.meaning, 4)]
    for field in action.fields:
        default = "must be given" if field.default is None else f"default {field.default}"
        lines += _wrapped(f"{field.name}: {field.meaning or field.type} ({field.type}; {default})", 6, 10)
    return lines


def _wrapped(text: str, indent: int, further: int | None = None) -> list[str]:
    hanging = indent if further is None else further
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * hanging, break_long_words=False
    )
