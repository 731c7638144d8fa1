"""All that may be done to a running simulator, by name: what HTTP requests and scenario files are read into.

``parse_action({"do": "drop", "shard": 0, "how": "rst"})`` is an :class:`Action`; ``action.perform(simulator)`` does it.
``describe()`` has each action's name, meaning and fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

import msgspec
from attrs import frozen
from msgspec import NODEFAULT

from .verbs.action import Action
from .verbs.answers import ANSWERS
from .verbs.arrivals import ARRIVALS
from .verbs.ends import ENDS
from .verbs.events import EVENTS
from .verbs.noise import NOISE
from .verbs.places import PLACES
from .verbs.silence import SILENCE

GROUPS: Mapping[str, tuple[type[Action], ...]] = {
    "How connections, sessions and the token end": ENDS,
    "Events and control payloads": EVENTS,
    "Noise": NOISE,
    "Silence, slowness, and how payloads are cut": SILENCE,
    "Connections to come": ARRIVALS,
    "Guilds, and what happens in them": PLACES,
    "REST": ANSWERS,
}

ACTIONS: Mapping[str, type[Action]] = {
    str(kind.__struct_config__.tag): kind for kinds in GROUPS.values() for kind in kinds
}
"""Every action by its name."""


def parse_action(mapping: object) -> Action:
    """The action that a JSON object or a TOML table describes.

    :raises ValueError: for what is none, in one sentence that names the action and the field.
    """
    if not isinstance(mapping, Mapping) or not all(isinstance(key, str) for key in mapping):
        raise ValueError('an action is an object such as {"do": "drop", "shard": 0}')
    name = mapping.get("do")
    if not isinstance(name, str):
        raise ValueError('an action needs the field "do", which names it: ' + ", ".join(ACTIONS))
    kind = ACTIONS.get(name)
    if kind is None:
        near = get_close_matches(name, ACTIONS, 1)
        hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(ACTIONS)
        raise ValueError(f"there is no action {name!r}; {hint}")
    try:
        return msgspec.convert(mapping, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_explain(name, kind, str(error))) from None


def _explain(name: str, kind: type[Action], trouble: str) -> str:
    """What msgspec found wrong, as a sentence."""
    unknown = re.match(r"Object contains unknown field `(.*?)`( - at `\$\.(\w+)|$)", trouble, re.DOTALL)
    if unknown is not None and unknown[3] is None:
        fields = list(kind.__struct_fields__)
        near = get_close_matches(unknown[1], fields, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(fields) or 'none'}"
        return f"action {name!r} has no field {unknown[1]!r}; {hint}"
    missing = re.match(r"Object missing required field `(\w+)`", trouble)
    if missing is not None:
        return f"action {name!r} needs the field {missing[1]!r}: {_fields(kind)[missing[1]].meaning}"
    what, _, where = trouble.partition(" - at `$")
    what = re.sub(r" matching regex .*", " of another form", what)
    field = re.match(r"\.(\w+)", where)
    if field is None:
        return f"action {name!r}: {what}"
    return f"action {name!r}, field {field[1]!r}: {what}; it is {_fields(kind)[field[1]].says()}"


@frozen
class FieldDescription:
    """One field of an action. ``default`` is its JSON text, None where the field must be given."""

    name: str
    type: str
    meaning: str
    default: str | None

    def says(self) -> str:
        """Type and meaning, for the sentence about a wrong value."""
        return f"{self.type} ({self.meaning})" if self.meaning else self.type


@frozen
class ActionDescription:
    """One action: its name, what it does, its fields."""

    group: str
    name: str
    meaning: str
    fields: tuple[FieldDescription, ...]


def describe() -> list[ActionDescription]:
    """Every action, in groups, for help and documentation."""
    return [
        ActionDescription(
            group,
            str(kind.__struct_config__.tag),
            " ".join((kind.__doc__ or "").split()),
            tuple(_fields(kind).values()),
        )
        for group, kinds in GROUPS.items()
        for kind in kinds
    ]


def _fields(kind: type[Action]) -> dict[str, FieldDescription]:
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.name: FieldDescription(field.name, _type(hints[field.name]), _meaning(hints[field.name]), _default(field))
        for field in msgspec.structs.fields(kind)
    }


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    if field.default is not NODEFAULT:
        return msgspec.json.encode(field.default).decode()
    if field.default_factory is not NODEFAULT:
        return msgspec.json.encode(field.default_factory()).decode()
    return None


def _metas(hint: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]


def _meaning(hint: Any) -> str:
    return next((meta.description for meta in reversed(_metas(hint)) if meta.description), "")


_TYPES = {int: "integer", float: "number", str: "text", bool: "boolean", type(None): "null", Any: "any"}


def _type(hint: Any) -> str:
    """A type as people read it: ``integer >= 0 | list of integer >= 0 | "all"``."""
    metas = _metas(hint)
    if metas:
        return " ".join([_type(hint.__origin__), *(bound for meta in metas for bound in _bounds(meta))])
    if hint in _TYPES:
        return _TYPES[hint]
    origin, arguments = getattr(hint, "__origin__", None), get_args(hint)
    if origin is list or (origin is tuple and arguments[-1:] == (Ellipsis,)):
        return f"list of {_type(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(_type, arguments))}]"
    if origin is dict:
        return "object"
    if arguments and all(isinstance(value, str) for value in arguments):
        return " | ".join(f'"{value}"' for value in arguments)
    return " | ".join(map(_type, arguments))


def _bounds(meta: msgspec.Meta) -> list[str]:
    pairs = ((">", meta.gt), (">=", meta.ge), ("<", meta.lt), ("<=", meta.le))
    return [f"{sign} {bound:.15g}" for sign, bound in pairs if bound is not None]
