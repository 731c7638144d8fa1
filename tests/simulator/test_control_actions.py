"""Actions as values: what is read, what is refused and how it is said, and that none is missing."""

from __future__ import annotations

import inspect
import json
import tomllib
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.control.actions import ACTIONS, describe, parse_action
from rateway.simulator.control.controls import Controls
from rateway.simulator.control.guard import refuse
from rateway.simulator.control.manual import as_json, as_text
from rateway.simulator.control.verbs.arrivals import OnConnect
from rateway.simulator.control.verbs.ends import CloseConnection, DropConnection
from rateway.simulator.control.verbs.events import Dispatch
from rateway.simulator.control.waits import parse_wait
from rateway.simulator.gateway.behaviour import Behaviour

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

WRONG: list[tuple[object, str]] = [
    ([], "an action is an object"),
    ("drop", "an action is an object"),
    ({1: 2}, "an action is an object"),
    ({}, 'needs the field "do"'),
    ({"do": 3}, 'needs the field "do"'),
    ({"do": "dorp"}, "there is no action 'dorp'; did you mean drop?"),
    ({"do": "?"}, "there is no action '?'; there are drop, "),
    ({"do": "drop", "shards": 1}, "action 'drop' has no field 'shards'; did you mean shard?"),
    ({"do": "reset_token", "zzz": 1}, "action 'reset_token' has no field 'zzz'; it has none"),
    ({"do": "drop", "shard": -1}, "action 'drop', field 'shard': Expected `int` >= 0"),
    ({"do": "drop", "shard": True}, "action 'drop', field 'shard': Expected"),
    ({"do": "drop", "shard": "some"}, "action 'drop', field 'shard': Invalid enum value 'some'"),
    ({"do": "drop", "shard": [0, "x"]}, "action 'drop', field 'shard': Expected `int`, got `str`"),
    ({"do": "drop", "how": "hard"}, "action 'drop', field 'how': Invalid enum value 'hard'; it is \"fin\" | "),
    ({"do": "close", "code": 70_000}, "action 'close', field 'code': Expected `int` <= 65535"),
    ({"do": "close", "code": 4000, "reason": "\N{SNOWMAN}" * 42}, "action 'close': the reason is longer than 123"),
    ({"do": "close", "reason": "why"}, "action 'close': a close frame without a code has no room"),
    ({"do": "dispatch"}, "action 'dispatch' needs the field 'name': the event's name"),
    ({"do": "dispatch", "name": 'X"'}, "action 'dispatch', field 'name'"),
    ({"do": "dispatch", "name": "X", "order": ["t"]}, "action 'dispatch': order must name t, s, op and d"),
    ({"do": "emit", "name": "X", "d": 3}, "action 'emit', field 'd': Expected `object`, got `int`"),
    ({"do": "send_text"}, "action 'send_text': give either text or base64"),
    ({"do": "send_raw", "base64": "?"}, "action 'send_raw'"),
    ({"do": "on_connect", "hello_delay": -0.5}, "action 'on_connect', field 'hello_delay': Expected `float` >= 0.0"),
    ({"do": "on_connect", "first": [[7]]}, "action 'on_connect', field 'first'"),
    ({"do": "on_connect", "handshake": 200}, "action 'on_connect', field 'handshake'"),
    ({"do": "traffic", "rate": 0}, "action 'traffic', field 'rate': Expected `float` > 0.0"),
    ({"do": "traffic", "rate": float("nan")}, "action 'traffic', field 'rate'"),
    ({"do": "traffic", "rate": 1, "mix": "nonsense"}, "action 'traffic': mix: 'nonsense' is neither a preset"),
    ({"do": "rest", "path": "gateway", "status": 500}, "action 'rest', field 'path'"),
    ({"do": "rest", "path": "/x"}, "action 'rest': give either preset or status"),
    ({"do": "rest", "path": "/x", "preset": "teapot"}, "action 'rest': there is no answer 'teapot'"),
    ({"do": "rest", "path": "/x", "preset": "never", "parameters": {"x": 1}}, "action 'rest': the answer 'never'"),
    ({"do": "rest", "path": "/x", "status": 500, "headers": {"A": "1\r\nB: 2"}}, "action 'rest': 'A' is no header"),
    ({"do": "outage"}, "action 'outage' needs the field 'guild'"),
    ({"do": "resume_host", "state": "ajar"}, "action 'resume_host', field 'state': Invalid enum value 'ajar'"),
]


class ParseTests(SynchronousTestCase):
    """Reading actions from JSON and TOML."""

    def test_from_json(self) -> None:
        """A JSON object; what it leaves out is as by default."""
        self.assertEqual(parse_action(json.loads('{"do": "drop"}')), DropConnection(shard="all", how="fin"))
        self.assertEqual(parse_action({"do": "close", "shard": [1, 2]}), CloseConnection(shard=[1, 2]))
        d = parse_action(json.loads('{"do": "dispatch", "name": "X", "d": [1, null, {"a": 1.5}]}'))
        self.assertEqual(d, Dispatch(name="X", d=[1, None, {"a": 1.5}]))

    def test_from_toml(self) -> None:
        """A TOML table; whole numbers where seconds are meant, dates in an event's d."""
        table = tomllib.loads("""
            do = "on_connect"
            hello_delay = 2
            first = [[7, {}], [9, false]]
            identify = 4000
            withhold = ["GUILD_CREATE"]
            times = 3
        """)
        action = parse_action(table)
        assert isinstance(action, OnConnect)
        self.assertEqual((action.times, action.hello_delay, action.shard), (3, 2.0, None))
        self.assertEqual(
            action.plain(),
            Behaviour(hello_delay=2.0, first=((7, {}), (9, False)), identify=4000, withhold=("GUILD_CREATE",)),
        )
        dated = parse_action(tomllib.loads('do = "dispatch"\nname = "X"\nd = {at = 2026-01-02T03:04:05Z}'))
        assert isinstance(dated, Dispatch)
        self.assertEqual(msgspec.json.encode(dated.d), b'{"at":"2026-01-02T03:04:05Z"}')

    def test_wrong(self) -> None:
        """What is no action is refused in one line that names action and field."""
        for mapping, words in WRONG:
            with self.assertRaises(ValueError) as caught:
                parse_action(mapping)
            sentence = str(caught.exception)
            self.assertIn(words, sentence)
            self.assertNotIn("$", sentence)
            self.assertEqual(len(sentence.splitlines()), 1)

    @settings(deadline=None, database=None, max_examples=150)
    @given(JSON)
    def test_anything(self, value: object) -> None:
        """Whatever it is, it is refused by ValueError and nothing else."""
        self.assertRaises(ValueError, parse_action, value)

    @settings(deadline=None, database=None, max_examples=150)
    @given(st.sampled_from(sorted(ACTIONS)), st.data())
    def test_any_fields(self, name: str, data: Any) -> None:
        """Any values in the fields of any action: it is read, or refused by a sentence that names it."""
        fields = ACTIONS[name].__struct_fields__
        chosen = data.draw(st.dictionaries(st.sampled_from(fields), JSON, max_size=3)) if fields else {}
        try:
            action = parse_action({**chosen, "do": name})
        except ValueError as error:
            self.assertTrue(str(error).startswith(f"action {name!r}"), str(error))
        else:
            self.assertEqual(action.verb, name)

    @settings(deadline=None, database=None, max_examples=150)
    @given(JSON, st.text(max_size=12))
    def test_any_wait(self, value: object, what: str) -> None:
        """What can't be waited for is refused by ValueError and nothing else."""
        self.assertRaises(ValueError, parse_wait, value)
        try:
            wait = parse_wait({"for": what, "count": value})
        except ValueError as error:
            self.assertIn("can't be waited for", str(error))
        else:
            self.assertEqual(wait.what, what)


class CompletenessTests(SynchronousTestCase):
    """Everything can be done by action, and every action describes itself."""

    def test_verbs(self) -> None:
        """Each verb of the in-process API has an action of its name, or one that is named here."""
        others = {
            "set_resume_host": "resume_host",
            "send_nonsense": "nonsense",
            "dispatch_huge_guild": "huge_guild",
            "open_resume_host": "resume_host",
            "close_resume_host": "resume_host",
        }
        # These ask, and do nothing; records are forgotten by a route of their own.
        asking = {"connection", "session", "guild", "guild_create", "forget_records"}
        verbs = {
            name
            for name, method in inspect.getmembers(Controls, inspect.isfunction)
            if not name.startswith(("_", "is_", "connected_", "shards_with_")) and name not in asking
        }
        self.assertEqual({others.get(name, name) for name in verbs} - set(ACTIONS), set())
        self.assertTrue({"drop", "resume_host", "withhold", "outage"} <= {others.get(name, name) for name in verbs})

    def test_described(self) -> None:
        """Every action has a meaning, every field a type and a meaning, every default is JSON."""
        found = describe()
        self.assertEqual([action.name for action in found], list(ACTIONS))
        for action in found:
            self.assertTrue(action.meaning.endswith((".", "!")), action.name)
            for field in action.fields:
                self.assertTrue(field.type, (action.name, field.name))
                self.assertTrue(field.meaning, (action.name, field.name))
                if field.default is not None:
                    json.loads(field.default)

    def test_behaviour(self) -> None:
        """A connection to come takes all fields of a behaviour, by the same names."""
        for name in ("on_connect", "behave", "set_behaviour"):
            self.assertTrue(set(Behaviour.__struct_fields__) <= set(ACTIONS[name].__struct_fields__))

    def test_manual(self) -> None:
        """The page for people names each action and field; the one for programs is JSON."""
        text = as_text()
        described = json.loads(msgspec.json.encode(as_json()))
        self.assertEqual([action["do"] for action in described["actions"]], list(ACTIONS))
        for action in described["actions"]:
            self.assertIn(f"\n  {action['do']}\n", text)
            for field in action["fields"]:
                self.assertIn(f"\n      {field['name']}: ", text)
        drop = described["actions"][0]
        self.assertEqual(drop["fields"][1]["default"], "fin")
        self.assertFalse(drop["fields"][1]["required"])
        self.assertTrue(all(len(line) <= 140 for line in text.splitlines()))


class GuardTests(SynchronousTestCase):
    """Who is answered."""

    def test_answered(self) -> None:
        """Programs that call the simulator by address, by localhost, or by its own name."""
        for host in ("127.0.0.1:8800", "127.0.0.2", "localhost:1", "LOCALHOST", "[::1]:8800", "sim.test:8800", ""):
            self.assertIsNone(refuse({"host": host}, {"sim.test"}), host)
        self.assertIsNone(refuse({}, ()))
        self.assertIsNone(refuse({"host": "127.0.0.1", "sec-fetch-site": "none"}, ()))

    def test_refused(self) -> None:
        """Pages of a browser, whatever name leads here."""
        for headers in (
            {"host": "127.0.0.1", "origin": "http://127.0.0.1"},
            {"host": "127.0.0.1", "origin": "null"},
            {"host": "127.0.0.1", "sec-fetch-site": "same-origin"},
            {"host": "evil.test:8800"},
            {"host": "127.0.0.1.evil.test"},
            {"host": "localhost.evil.test:80"},
        ):
            self.assertIsNotNone(refuse(headers, {"sim.test"}), headers)
