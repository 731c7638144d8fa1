"""The schema itself: it takes the samples, and nothing that differs from them in one place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.simulator.bench import BenchCase
from tests.simulator.schema.checking import Unfitting, check, check_event, check_payload
from tests.simulator.schema.events import EVENTS
from tests.simulator.schema.rest import Gateway, GatewayBot, Limited, Trouble

SAMPLES = Path(__file__).parent / "schema" / "samples"
REST: dict[str, Any] = {
    "gateway": Gateway,
    "gateway_bot": GatewayBot,
    "limited_user": Limited,
    "limited_shared": Limited,
    "limited_global": Limited,
    "banned": Trouble,
    "unauthorized": Trouble,
    "missing_permissions": Trouble,
    "invalid_form": Trouble,
}

OPTIONAL = {
    "guild_create": "unavailable",
    "guild_delete_outage": "unavailable",
    "guild_members_chunk": "nonce not_found presences",
    "interaction_create": "guild guild_id channel channel_id locale guild_locale context",
    "message_create_reply": "member message_reference referenced_message nonce",
    "message_create_webhook": "guild_id",
    "message_update": "guild_id embeds",
    "ready": "shard",
    "thread_list_sync": "channel_ids",
    "voice_state_update_join": "member",
}
"""Keys that ``d`` may lack: another payload that is right would be left."""

INNER_OPTIONAL = {
    "activities": "id state timestamps application_id buttons",
    "authorizing_integration_owners": "0",
    "channel": "name guild_id parent_id position permissions last_message_id nsfw topic rate_limit_per_user",
    "client_status": "desktop mobile",
    "data": "options resolved",
    "embeds": "type url title",
    "guild_scheduled_events": "creator_id description image user_count",
    "mentions": "member",
    "message_reference": "message_id guild_id",
    "meta": "nonce",
    "options": "value",
    "resolved": "users members",
    "roles": "tags",
    "soundboard_sounds": "guild_id",
    "tags": "bot_id premium_subscriber",
    "thread_metadata": "create_timestamp",
    "threads": "applied_tags member",
    "timestamps": "start",
    "user": "bot",
}
"""The same of objects inside, by the key that holds them."""


def samples(prefix: str = "") -> dict[str, Any]:
    """The samples of the server's payloads, or those with this prefix."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))}
    if prefix:
        return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if not name.startswith(("client_", "rest_"))}


def refused(value: Any) -> bool:
    try:
        check_payload(json.dumps(value).encode())
    except Unfitting:
        return True
    return False


def objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all objects inside, the value itself included."""
    if isinstance(value, dict):
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from objects(child, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


class SampleTests(SynchronousTestCase):
    """The samples."""

    def test_payloads(self) -> None:
        """Each payload of the gateway's fits."""
        self.assertTrue(len(samples()) > 20)
        for value in samples().values():
            check_payload(json.dumps(value).encode())

    def test_rest(self) -> None:
        """So does each answer of REST."""
        self.assertEqual(set(samples("rest_")), set(REST))
        for name, value in samples("rest_").items():
            check(json.dumps(value).encode(), (REST[name],), name)


class CommandSampleTests(BenchCase):
    """The samples of what a client sends."""

    def test_accepted(self) -> None:
        """The simulator takes each of them without a breach, on the shard that it names."""
        sent = samples("client_")
        token = sent["identify"]["d"]["token"]
        for name, value in sent.items():
            self.start(token=token, guilds=0)
            client = self.connect()
            if name == "resume":
                client.say(json.dumps(sent["identify"]).encode())
                (session,) = self.hub.sessions
                client.leave()
                self.hub.sessions._by_id[value["d"]["session_id"]] = session
                session.skip(value["d"]["seq"])
                client = self.connect()
            elif name != "identify":
                d = {**sent["identify"]["d"], "shard": [0, 1]}
                client.say(json.dumps({"op": 2, "d": d}).encode())
                next(iter(self.hub.sessions)).skip(10_000)
            client.say(json.dumps(value).encode())
            self.assertEqual((self.broken(), client.wire.close), ([], None), name)
            answered = {"identify": "READY", "resume": "RESUMED"}.get(name)
            if answered is not None:
                self.assertEqual(client.wire.names(), [answered])


class MutationTests(SynchronousTestCase):
    """Each sample, changed in one place at a time."""

    def test_unknown_key(self) -> None:
        """An unknown key in any object is refused; only what REST passes on, and READY's odds and ends, are open."""
        open_ends = {("d", "user_settings"), ("d", "auth")}
        count = self.mutate(lambda parent, key: parent[key].update(unexpected=1), open_ends)
        self.assertTrue(count > 100)

    def test_missing_key(self) -> None:
        """Each key of each object is missed, but for those that the docs mark as optional."""
        count = 0
        for name, value in samples().items():
            for path in objects(value):
                for key in at(value, path):
                    changed = json.loads(json.dumps(value))
                    del at(changed, path)[key]
                    if key in self.optional(name, path):
                        continue
                    self.assertTrue(refused(changed), f"{name}: {path} {key}")
                    count += 1
        self.assertTrue(count > 600)

    @staticmethod
    def optional(name: str, path: tuple[Any, ...]) -> set[str]:
        """The keys that an object may lack, by the sample and by what holds it."""
        holder = next((step for step in reversed(path) if isinstance(step, str) and not step.isdigit()), "")
        if holder == "d":
            return set(OPTIONAL.get(name, "").split())
        if holder in ("users", "members") and path[-1] == holder:
            return set(map(str, range(10))) | {"934567890123456801"}
        if holder == "members" and name != "interaction_create":
            return {"banner"}
        if holder == "member" and name.startswith("message_create"):
            return {"nick", "avatar", "banner", "premium_since", "pending", "communication_disabled_until"}
        return set(INNER_OPTIONAL.get(holder, "").split())

    def test_number_for_an_id(self) -> None:
        """An id as a number is refused wherever one stands, but where Discord sends numbers."""

        def number(parent: Any, key: Any) -> None:
            parent[key] = int(parent[key])

        count = 0
        for name, value in samples().items():
            for path in objects(value):
                for key, inner in at(value, path).items():
                    if isinstance(inner, str) and inner.isdigit() and len(inner) > 15 and key not in ("nonce", "value"):
                        changed = json.loads(json.dumps(value))
                        number(at(changed, path), key)
                        self.assertTrue(refused(changed), f"{name}: {path} {key}")
                        count += 1
        self.assertTrue(count > 100)

    def test_wrong_type(self) -> None:
        """A value of another type is refused: text for numbers and booleans, a number for all else."""
        count = 0
        for name, value in samples().items():
            for path in objects(value):
                for key, inner in at(value, path).items():
                    if self.is_open(path, key):
                        continue
                    changed = json.loads(json.dumps(value))
                    at(changed, path)[key] = {str: 7.5, bool: "true", int: "1", float: "1"}.get(type(inner), 7.5)
                    self.assertTrue(refused(changed), f"{name}: {path} {key} = {inner!r}")
                    count += 1
        self.assertTrue(count > 500)

    @staticmethod
    def is_open(path: tuple[Any, ...], key: str) -> bool:
        """What may be of any type: an option's value."""
        return key == "value" and "options" in path

    def test_not_null(self) -> None:
        """Null is refused where the docs don't allow it."""
        for name, path in (
            ("ready", ("d", "session_id")),
            ("guild_create", ("d", "channels")),
            ("guild_create", ("d", "members", 0, "user")),
            ("guild_create", ("d", "roles", 0, "colors")),
            ("message_create_reply", ("d", "author")),
            ("message_create_reply", ("d", "content")),
            ("presence_update_full", ("d", "status")),
            ("voice_state_update_join", ("d", "member")),
        ):
            value = samples()[name]
            at(value, path[:-1])[path[-1]] = None
            self.assertTrue(refused(value), f"{name}: {path}")

    def test_times(self) -> None:
        """A time that isn't ISO 8601 with its zone is refused."""
        for time in ("2026-04-05", "2026-04-05T06:07:08", 1775369228, "yesterday"):
            value = samples()["message_create_reply"]
            value["d"]["timestamp"] = time
            self.assertTrue(refused(value), str(time))

    def test_unknown_names(self) -> None:
        """An event or an op that is none is refused."""
        self.assertRaises(Unfitting, check_event, "NOTHING", b"{}")
        self.assertTrue(refused({"t": None, "s": None, "op": 5, "d": None}))
        self.assertTrue(len(EVENTS) > 60)

    def mutate(self, change: Callable[[Any, Any], None], spared: set[tuple[Any, ...]]) -> int:
        """Change each object of each sample in turn; how many were refused, as all must be."""
        count = 0
        for name, value in samples().items():
            for path in objects(value):
                if path in spared or not at(value, path):
                    continue
                changed = {"": json.loads(json.dumps(value))}
                where = ("", *path)
                change(at(changed, where[:-1]), where[-1])
                self.assertTrue(refused(changed[""]), f"{name}: {path}")
                count += 1
        return count
