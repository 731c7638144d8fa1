"""Tests for :mod:`rateway.gateway.payloads`."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec
import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import ConfigError, RemoteProtocolError
from rateway.gateway.envelope import decode
from rateway.gateway.payloads import gateway_url, heartbeat, identify, parse_hello, parse_ready, resume
from rateway.model.session import Session


class GatewayUrlTests(SynchronousTestCase):
    """Where to connect."""

    def test_with_and_without_slash(self) -> None:
        """A trailing slash, or none, makes no difference."""
        for base in ("wss://gateway.discord.gg", "wss://gateway.discord.gg/"):
            self.assertEqual(
                gateway_url(base, "zlib-stream"),
                "wss://gateway.discord.gg/?v=10&encoding=json&compress=zlib-stream",
            )

    def test_no_compression(self) -> None:
        """Without compression the key is absent."""
        self.assertEqual(gateway_url("wss://x", "none"), "wss://x/?v=10&encoding=json")

    def test_port_path_and_query_stay(self) -> None:
        """What Discord gives beyond the host is kept; our own keys win."""
        url = urlsplit(
            gateway_url("ws://127.0.0.1:8080/a/b?region=eu&v=6&compress=zlib-stream&empty=#x", "zstd-stream")
        )
        self.assertEqual((url.scheme, url.netloc, url.path, url.fragment), ("ws", "127.0.0.1:8080", "/a/b", ""))
        self.assertEqual(
            parse_qs(url.query, keep_blank_values=True),
            {"region": ["eu"], "empty": [""], "v": ["10"], "encoding": ["json"], "compress": ["zstd-stream"]},
        )

    def test_upper_case_scheme(self) -> None:
        """The scheme may be written in any case."""
        self.assertTrue(gateway_url("WSS://x", "none").startswith("wss://x/"))

    def test_no_websocket(self) -> None:
        """Anything but a WebSocket URL is the peer's error."""
        for base in ("", "gateway.discord.gg", "https://x", "wss://", "wss://x:0", "wss://x:99999", "wss://[x"):
            self.assertRaises(RemoteProtocolError, gateway_url, base, "none")


class WritingTests(SynchronousTestCase):
    """What a shard says."""

    def test_heartbeat(self) -> None:
        """A heartbeat bears the last sequence, or null before there is one."""
        self.assertEqual(heartbeat(None), b'{"op":1,"d":null}')
        self.assertEqual(heartbeat(0), b'{"op":1,"d":0}')
        self.assertEqual(heartbeat(1234), b'{"op":1,"d":1234}')

    def test_identify(self) -> None:
        """IDENTIFY bears the bare token, the intents, the shard, and who we are."""
        self.assertEqual(
            ujson.loads(identify("token", 513, 3, 8)),
            {
                "op": 2,
                "d": {
                    "token": "token",
                    "intents": 513,
                    "properties": {"os": "linux", "browser": "rateway", "device": "rateway"},
                    "large_threshold": 250,
                    "shard": [3, 8],
                },
            },
        )

    def test_no_spaces(self) -> None:
        """Payloads are written without spaces, and with slashes as they are."""
        self.assertNotIn(b" ", identify("a/b", 0, 0, 1))
        self.assertIn(b'"token":"a/b"', identify("a/b", 0, 0, 1))

    def test_presence(self) -> None:
        """The presence is sent along, the shard's number put in its place."""
        text = '{"status":"idle","since":null,"afk":false,"activities":[{"name":"shard {{shard}} ✓","type":0}]}'
        d = ujson.loads(identify("token", 0, 5, 8, text))["d"]
        self.assertEqual(d["presence"]["activities"], [{"name": "shard 5 ✓", "type": 0}])
        self.assertEqual(d["presence"]["status"], "idle")

    def test_bad_presence(self) -> None:
        """A presence that can't be used is the operator's to mend."""
        for text, words in (("{", "JSON"), ("[]", "object"), ('{"a":"' + "x" * 4096 + '"}', "too long")):
            error = self.assertRaises(ConfigError, identify, "secret-token", 0, 0, 1, text)
            self.assertIn("PRESENCE", str(error))
            self.assertIn(words, str(error))
            self.assertNotIn("secret-token", str(error))

    def test_resume(self) -> None:
        """RESUME bears the token, the session and its sequence."""
        self.assertEqual(
            resume("token", Session("abc", "wss://x", 42)),
            b'{"op":6,"d":{"token":"token","session_id":"abc","seq":42}}',
        )


class HelloTests(SynchronousTestCase):
    """What HELLO tells."""

    def test_interval(self) -> None:
        """The interval is told in milliseconds, and may be any number."""
        self.assertEqual(parse_hello(b'{"heartbeat_interval":41250,"_trace":["x"]}'), 41.25)
        self.assertEqual(parse_hello(b'{"heartbeat_interval":500.5}'), 0.5005)

    def test_raw(self) -> None:
        """The envelope's d can be given as it is."""
        self.assertEqual(parse_hello(decode(b'{"op":10,"d":{"heartbeat_interval":1000}}').d), 1.0)

    def test_nonsense(self) -> None:
        """A HELLO without a usable interval is the peer's error."""
        for d in (
            b"null",
            b"{}",
            b'{"heartbeat_interval":null}',
            b'{"heartbeat_interval":"1"}',
            b"",
            b"{",
            b'{"heartbeat_interval":0}',
            b'{"heartbeat_interval":-5}',
            b'{"heartbeat_interval":1e999}',
        ):
            self.assertRaises(RemoteProtocolError, parse_hello, d)


class ReadyTests(SynchronousTestCase):
    """What READY tells."""

    ready = {
        "v": 10,
        "user": {"id": "80351110224678912", "username": "x"},
        "guilds": [{"id": "1", "unavailable": True}, {"id": "2", "unavailable": True}],
        "session_id": "abc",
        "resume_gateway_url": "wss://resume.discord.gg",
        "shard": [0, 1],
        "private_channels": [],
    }

    def test_ready(self) -> None:
        """The session, at READY's sequence; how many guilds; who the bot is."""
        ready = parse_ready(ujson.dumps(self.ready).encode(), 1)
        self.assertEqual(ready.session, Session("abc", "wss://resume.discord.gg", 1))
        self.assertEqual((ready.guilds, ready.user_id), (2, 80351110224678912))

    def test_raw(self) -> None:
        """The envelope's d can be given as it is."""
        ready = parse_ready(msgspec.Raw(ujson.dumps(self.ready).encode()), 7)
        self.assertEqual(ready.session.seq, 7)

    def test_no_guilds(self) -> None:
        """A READY without guilds is one of a bot that is in none."""
        self.assertEqual(parse_ready(ujson.dumps({**self.ready, "guilds": []}).encode(), 1).guilds, 0)

    def test_nonsense(self) -> None:
        """A READY without what a RESUME would need is the peer's error."""
        for key, value in (
            ("session_id", None),
            ("session_id", ""),
            ("session_id", 5),
            ("resume_gateway_url", None),
            ("resume_gateway_url", "https://x"),
            ("user", None),
            ("user", {"id": "x"}),
            ("guilds", 3),
        ):
            broken = ujson.dumps({**self.ready, key: value}).encode()
            self.assertRaises(RemoteProtocolError, parse_ready, broken, 1)
        for text in (b"null", b"[]", b"{", b"{}"):
            self.assertRaises(RemoteProtocolError, parse_ready, text, 1)
