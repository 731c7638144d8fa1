"""Tests for :mod:`rateway.model.chunking`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.chunking import why_not
from rateway.model.intents import ALL, Intent


class WhyNotTests(SynchronousTestCase):
    """What asking for members needs."""

    def test_all_is_there(self) -> None:
        """With the intent, the cache and members in it, nothing is in the way."""
        for kinds in (None, {"Member"}, {"Member", "User"}):
            self.assertEqual(why_not("lazy", Intent.GUILD_MEMBERS, True, kinds), "")
            self.assertEqual(why_not("startup", Intent.GUILD_MEMBERS, True, kinds), "")

    def test_off(self) -> None:
        """Who doesn't want it is not told what it would need."""
        self.assertEqual(why_not("off", 0, False, set()), "")

    def test_each_lack(self) -> None:
        """Each is told with its remedy, and by which setting."""
        for mode in ("lazy", "startup"):
            for word, lack in (
                ("GUILD_MEMBERS", why_not(mode, ALL & ~Intent.GUILD_MEMBERS, True, None)),
                ("CACHE_ENABLED is false", why_not(mode, ALL, False, None)),
                ("CACHE_ENTITIES leaves out Member", why_not(mode, ALL, True, {"Guild"})),
            ):
                self.assertIn(word, lack)
                self.assertTrue(lack.startswith(f"CHUNK_GUILDS is {mode}, but "), lack)
                self.assertTrue(lack.endswith("or set CHUNK_GUILDS to off"), lack)

    def test_users_alone(self) -> None:
        """Users are worth asking for at the start; but no question about members could be answered by them."""
        self.assertEqual(why_not("startup", ALL, True, {"User"}), "")
        self.assertIn("leaves out Member:", why_not("lazy", ALL, True, {"User"}))
