"""AMQP_URI: what people write, and what they get wrong."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.uri import BrokerAddress, parse_uri
from rateway.errors import ConfigError


class ParseUriTests(SynchronousTestCase):
    """The forms of RabbitMQ's URI specification."""

    def test_defaults(self) -> None:
        """A bare host is guest's default vhost on the usual port."""
        self.assertEqual(parse_uri("amqp://broker"), BrokerAddress("broker"))

    def test_everything(self) -> None:
        """User, password, port and vhost are taken, percent-decoded."""
        found = parse_uri("amqp://b%6ft:p%40ss%3Aw%2Frd@mq.example:1234/%2fprod")
        self.assertEqual(found, BrokerAddress("mq.example", 1234, False, "bot", "p@ss:w/rd", "/prod"))

    def test_colon_in_password(self) -> None:
        """A password may hold a colon as it is: only the first one parts it from the user."""
        self.assertEqual(parse_uri("amqp://u:a:b@h").password, "a:b")

    def test_tls(self) -> None:
        """amqps is TLS, on its own port."""
        found = parse_uri("amqps://user:secret@host")
        self.assertTrue(found.tls)
        self.assertEqual(found.port, 5671)

    def test_vhosts(self) -> None:
        """No path, a lone slash and %2f all mean the vhost /."""
        for path in ("", "/", "/%2f", "/%2F"):
            self.assertEqual(parse_uri(f"amqp://h{path}").vhost, "/", path)
        self.assertEqual(parse_uri("amqp://h/b%C3%BCro").vhost, "büro")

    def test_ipv6(self) -> None:
        """An IPv6 address stands in brackets."""
        found = parse_uri("amqp://[::1]:7777/x")
        self.assertEqual((found.host, found.port, found.vhost), ("::1", 7777, "x"))
        self.assertIn("[::1]:7777", str(found))

    def test_query(self) -> None:
        """heartbeat and connection_timeout are taken, what is for other clients is left alone."""
        found = parse_uri("amqp://h?heartbeat=7&connection_timeout=2500&auth_mechanism=plain")
        self.assertEqual((found.heartbeat, found.connection_timeout), (7, 2.5))

    def test_user_without_password(self) -> None:
        """A user without a password has an empty one, not guest's."""
        self.assertEqual(parse_uri("amqp://me@h").password, "")

    def test_wrong(self) -> None:
        """What can't be used is refused in one line that names the variable and never the password."""
        for text in (
            "",
            "host:5672",
            "http://h",
            "amqp://u:hunter2@h:port",
            "amqp://u:hunter2@h:99999",
            "amqp://u:hunter2@h:0",
            "amqp://u:hun/ter2@h",
            "amqp://u:hunter2@h/a/b",
            "amqp://u:hunter2@[::1/x",
            "amqp://u:hunter2@[::1]x/x",
            "amqp://u:%FFhunter2@h",
            "amqp://u:hunter2@h?heartbeat=soon",
            "amqp://u:hunter2@exa mple",
            "amqp://u:hun@ter2@h",
        ):
            error = self.assertRaises(ConfigError, parse_uri, text)
            self.assertIn("AMQP_URI", str(error))
            self.assertNotIn("hunter2", str(error))
            self.assertNotIn("\n", str(error))

    def test_password_hidden(self) -> None:
        """Neither the text nor the representation of an address shows the password."""
        found = parse_uri("amqp://user:hunter2@h")
        self.assertNotIn("hunter2", f"{found} {found!r}")

    @settings(deadline=None, database=None, max_examples=80)
    @given(
        st.text(st.characters(codec="utf-8")),
        st.text(st.characters(codec="utf-8")),
        st.text(st.characters(codec="utf-8"), min_size=1),
    )
    def test_quoted(self, user: str, password: str, vhost: str) -> None:
        """Whatever is percent-encoded comes out as it was."""
        text = f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@h/{quote(vhost, safe='')}"
        found = parse_uri(text)
        self.assertEqual((found.user, found.password, found.vhost), (user, password, vhost))

    @settings(deadline=None, database=None, max_examples=100)
    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Any text is an address or a ConfigError."""
        for candidate in (text, f"amqp://{text}"):
            with contextlib.suppress(ConfigError):
                parse_uri(candidate)
