"""Application commands: registered, changed and listed; nothing is done with them but to give them ids."""

from __future__ import annotations

from typing import TypeAlias

from ..hub import Hub
from ..world.payloads import Json
from .answers import NO_CONTENT, Answer, json_answer
from .bodies import snowflake
from .buckets import Route
from .calls import Call
from .errors import invalid, refusal, required
from .fields import items, record, text, whole

_MOST = {1: 100, 2: 15, 3: 15, 4: 1}
"""How many commands of each type there may be: chat input, user, message, and the primary entry point."""

Scope: TypeAlias = int | None
"""The guild whose commands they are; None for those of the application itself."""


class Commands:
    """``/applications/{id}/commands`` and the same of one guild."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._commands: dict[Scope, dict[int, Json]] = {}

    def routes(self) -> list[Route]:
        found = []
        for base in ("/applications/{}/commands", "/applications/{}/guilds/{}/commands"):
            one = f"{base}/{{}}"
            found += [
                Route(method="GET", template=base, limit=5, per=5.0, perform=self.all),
                Route(method="POST", template=base, limit=5, per=20.0, perform=self.create),
                Route(method="PUT", template=base, limit=2, per=5.0, perform=self.replace),
                Route(method="GET", template=one, limit=5, per=5.0, perform=self.one),
                Route(method="PATCH", template=one, limit=5, per=20.0, perform=self.edit),
                Route(method="DELETE", template=one, limit=5, per=5.0, perform=self.delete),
            ]
        return found

    def _scope(self, call: Call) -> tuple[Scope, dict[int, Json]]:
        """The guild of the path, and its commands."""
        if call.parts[0] != self._hub.world.bot["id"]:
            raise refusal(20012)
        in_guild = call.request.path.split("/")[3] == "guilds"
        scope = call.id(1, "guild_id") if in_guild else None
        if scope is not None and scope not in self._hub.world.guilds:
            raise refusal(50001)
        return scope, self._commands.setdefault(scope, {})

    def _one(self, call: Call, commands: dict[int, Json]) -> Json:
        command = commands.get(snowflake("command_id", call.parts[-1]))
        if command is None:
            raise refusal(10063)
        return command

    def all(self, call: Call) -> Answer:
        return json_answer(200, list(self._scope(call)[1].values()))

    def one(self, call: Call) -> Answer:
        return json_answer(200, self._one(call, self._scope(call)[1]))

    def create(self, call: Call) -> Answer:
        """201; 200 where it takes the place of one with the same name and type."""
        scope, commands = self._scope(call)
        wanted = _checked(call.body.fields(), "")
        old = _same(commands, wanted)
        command = self._make(scope, wanted, old)
        _check_counts([*(other for other in commands.values() if other is not old), command])
        commands[int(command["id"])] = command
        return json_answer(201 if old is None else 200, command)

    def replace(self, call: Call) -> Answer:
        """All of them at once; one that was there by name and type keeps its id."""
        scope, commands = self._scope(call)
        wanted = [_checked(value, str(i)) for i, value in enumerate(items(call.body.value, "", sum(_MOST.values())))]
        names = [(command["type"], command["name"]) for command in wanted]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise invalid(f"{i}.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Option names must be unique")
        _check_counts(wanted)
        made = [self._make(scope, value, _same(commands, value)) for value in wanted]
        self._commands[scope] = {int(command["id"]): command for command in made}
        return json_answer(200, made)

    def edit(self, call: Call) -> Answer:
        scope, commands = self._scope(call)
        old = self._one(call, commands)
        changed = self._make(scope, _checked({**old, **call.body.fields(), "type": old["type"]}, ""), old)
        commands[int(old["id"])] = changed
        return json_answer(200, changed)

    def delete(self, call: Call) -> Answer:
        _, commands = self._scope(call)
        del commands[int(self._one(call, commands)["id"])]
        return NO_CONTENT

    def _make(self, scope: Scope, wanted: Json, old: Json | None) -> Json:
        ids, now = self._hub.world.ids, self._hub.world_time()
        command = {
            "id": str(ids.live(now)) if old is None else old["id"],
            "application_id": self._hub.world.bot["id"],
            "default_member_permissions": None,
            "description": "",
            "nsfw": False,
            **wanted,
            "version": str(ids.live(now)),
        }
        return command if scope is None else {**command, "guild_id": str(scope)}


def _checked(value: object, path: str) -> Json:
    """A command as it is wanted: named, and described where it is typed into a chat."""
    prefix = f"{path}." if path else ""
    command = record(value, path)
    type = whole(command.get("type") or 1, f"{prefix}type", 1, 4)
    if "name" not in command:
        raise required(f"{prefix}name")
    name = text(command["name"], f"{prefix}name", 32, lowest=1)
    if type == 1 and (name != name.lower() or any(character.isspace() for character in name)):
        raise invalid(f"{prefix}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if type == 1:
        text(command.get("description") or "", f"{prefix}description", 100, lowest=1)
    items(command.get("options"), f"{prefix}options", 25)
    kept = {key: given for key, given in command.items() if key not in ("id", "application_id", "version", "guild_id")}
    return {**kept, "name": name, "type": type}


def _same(commands: dict[int, Json], wanted: Json) -> Json | None:
    key = (wanted["type"], wanted["name"])
    return next((command for command in commands.values() if (command["type"], command["name"]) == key), None)


def _check_counts(commands: list[Json]) -> None:
    for type, most in _MOST.items():
        if sum(command["type"] == type for command in commands) > most:
            raise invalid("", "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
