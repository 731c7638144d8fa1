"""Tests of permissions: a table of cases, and Discord's own account of the rule beside ours."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.permissions import (
    ALL,
    IN_TIME_OUT,
    WITH_CONNECTING,
    WITH_SENDING,
    Holder,
    Overwrite,
    Permission,
    Place,
    permissions,
)

P = Permission
GUILD, ROLE, OTHER, USER = 1, 2, 3, 9
TALK = int(P.VIEW_CHANNEL | P.SEND_MESSAGES | P.READ_MESSAGE_HISTORY | P.EMBED_LINKS | P.ATTACH_FILES)
SEEN = int(P.VIEW_CHANNEL | P.READ_MESSAGE_HISTORY)
PLAIN = Holder(USER, frozenset({ROLE}))


def of_role(role: int, *, allow: int = 0, deny: int = 0) -> Overwrite:
    """An overwrite of a role."""
    return Overwrite(role, False, int(allow), int(deny))


def of_member(user: int, *, allow: int = 0, deny: int = 0) -> Overwrite:
    """An overwrite of a member."""
    return Overwrite(user, True, int(allow), int(deny))


def channel(*overwrites: Overwrite, type: int = 0) -> Place:
    """A channel with these overwrites."""
    return Place(overwrites, type)


def thread(*overwrites: Overwrite, type: int = 0) -> Place:
    """A thread below a channel with these overwrites."""
    return Place(overwrites, type, is_thread=True)


CASES: tuple[tuple[str, Holder, tuple[int, ...], Place | None, int], ...] = (
    ("@everyone alone", Holder(USER, frozenset()), (TALK,), None, TALK),
    ("roles add up", PLAIN, (TALK, int(P.KICK_MEMBERS)), None, TALK | P.KICK_MEMBERS),
    ("no role gives anything", PLAIN, (0, 0), None, 0),
    ("an owner has all", Holder(USER, frozenset(), is_owner=True), (0,), None, ALL),
    ("an administrator has all", PLAIN, (0, int(P.ADMINISTRATOR)), None, ALL),
    (
        "an administrator has all, whatever a channel denies",
        PLAIN,
        (0, int(P.ADMINISTRATOR)),
        channel(of_role(GUILD, deny=ALL), of_member(USER, deny=ALL)),
        ALL,
    ),
    (
        "an owner has all in a channel of any kind",
        Holder(USER, frozenset(), is_owner=True, timed_out=True),
        (0,),
        channel(of_member(USER, deny=ALL), type=2),
        ALL,
    ),
    ("a channel without overwrites changes nothing", PLAIN, (TALK, 0), channel(), TALK),
    (
        "@everyone is denied",
        PLAIN,
        (TALK, 0),
        channel(of_role(GUILD, deny=P.SEND_MESSAGES)),
        SEEN,
    ),
    (
        "@everyone is allowed more",
        PLAIN,
        (TALK, 0),
        channel(of_role(GUILD, allow=P.ADD_REACTIONS)),
        TALK | P.ADD_REACTIONS,
    ),
    (
        "a role is allowed what @everyone is denied",
        PLAIN,
        (TALK, 0),
        channel(of_role(ROLE, allow=P.VIEW_CHANNEL), of_role(GUILD, deny=P.VIEW_CHANNEL)),
        TALK,
    ),
    (
        "a role that isn't the member's counts for nothing",
        PLAIN,
        (TALK, 0),
        channel(of_role(OTHER, deny=P.VIEW_CHANNEL)),
        TALK,
    ),
    (
        "of two roles the one that allows wins, whatever their order",
        Holder(USER, frozenset({ROLE, OTHER})),
        (TALK, 0, 0),
        channel(of_role(OTHER, allow=P.VIEW_CHANNEL), of_role(ROLE, deny=P.VIEW_CHANNEL)),
        TALK,
    ),
    (
        "the member's own overwrite has the last word: denied",
        PLAIN,
        (TALK, 0),
        channel(of_member(USER, deny=P.SEND_MESSAGES), of_role(ROLE, allow=P.SEND_MESSAGES)),
        SEEN,
    ),
    (
        "the member's own overwrite has the last word: allowed",
        PLAIN,
        (TALK, 0),
        channel(of_role(GUILD, deny=ALL), of_role(ROLE, deny=ALL), of_member(USER, allow=TALK)),
        TALK,
    ),
    (
        "somebody else's overwrite counts for nothing",
        PLAIN,
        (TALK, 0),
        channel(of_member(USER + 1, deny=ALL)),
        TALK,
    ),
    (
        "a member whose id is a role's is not that role",
        Holder(USER, frozenset({ROLE})),
        (TALK, 0),
        channel(of_member(ROLE, deny=ALL), of_role(USER, deny=ALL)),
        TALK,
    ),
    (
        "an overwrite allows ADMINISTRATOR: that makes nobody an administrator",
        PLAIN,
        (TALK, 0),
        channel(of_role(ROLE, allow=P.ADMINISTRATOR)),
        TALK | P.ADMINISTRATOR,
    ),
    (
        "who can't see a channel can do nothing in it",
        PLAIN,
        (TALK | P.MANAGE_CHANNELS, 0),
        channel(of_role(GUILD, deny=P.VIEW_CHANNEL)),
        0,
    ),
    (
        "who can't send can't embed, attach, mention everyone or have texts read out",
        PLAIN,
        (TALK | WITH_SENDING | P.ADD_REACTIONS, 0),
        channel(of_role(GUILD, deny=P.SEND_MESSAGES)),
        SEEN | P.ADD_REACTIONS,
    ),
    (
        "in the guild at large nothing is implied",
        PLAIN,
        (int(WITH_SENDING), 0),
        None,
        WITH_SENDING,
    ),
    (
        "a thread wants SEND_MESSAGES_IN_THREADS, and SEND_MESSAGES is not inherited",
        PLAIN,
        (TALK, 0),
        thread(),
        SEEN,
    ),
    (
        "a thread in a channel where nobody may send",
        PLAIN,
        (TALK | P.SEND_MESSAGES_IN_THREADS, 0),
        thread(of_role(GUILD, deny=P.SEND_MESSAGES), type=5),
        (TALK & ~P.SEND_MESSAGES) | P.SEND_MESSAGES_IN_THREADS,
    ),
    (
        "a thread of a channel out of sight",
        PLAIN,
        (TALK | P.SEND_MESSAGES_IN_THREADS, 0),
        thread(of_role(GUILD, deny=P.VIEW_CHANNEL)),
        0,
    ),
    (
        "a voice channel without CONNECT",
        PLAIN,
        (TALK | P.CONNECT | WITH_CONNECTING, 0),
        channel(of_role(GUILD, deny=P.CONNECT), type=2),
        TALK,
    ),
    (
        "a stage with CONNECT",
        PLAIN,
        (TALK | P.CONNECT | P.REQUEST_TO_SPEAK, 0),
        channel(type=13),
        TALK | P.CONNECT | P.REQUEST_TO_SPEAK,
    ),
    (
        "CONNECT means nothing in a text channel",
        PLAIN,
        (TALK | P.MANAGE_CHANNELS, 0),
        channel(type=0),
        TALK | P.MANAGE_CHANNELS,
    ),
    (
        "in time-out only seeing and reading are left, in the guild",
        Holder(USER, frozenset({ROLE}), timed_out=True),
        (TALK, int(P.BAN_MEMBERS)),
        None,
        IN_TIME_OUT,
    ),
    (
        "in time-out, whatever the member's own overwrite allows",
        Holder(USER, frozenset({ROLE}), timed_out=True),
        (TALK, 0),
        channel(of_member(USER, allow=ALL)),
        IN_TIME_OUT,
    ),
    (
        "in time-out, where reading back is denied",
        Holder(USER, frozenset({ROLE}), timed_out=True),
        (TALK, 0),
        channel(of_role(GUILD, deny=P.READ_MESSAGE_HISTORY)),
        int(P.VIEW_CHANNEL),
    ),
    (
        "time-out doesn't show what is out of sight",
        Holder(USER, frozenset({ROLE}), timed_out=True),
        (TALK, 0),
        channel(of_role(GUILD, deny=P.VIEW_CHANNEL)),
        0,
    ),
    (
        "an administrator can't be timed out",
        Holder(USER, frozenset({ROLE}), timed_out=True),
        (TALK, int(P.ADMINISTRATOR)),
        channel(),
        ALL,
    ),
    (
        "a bit that isn't documented yet is passed on",
        PLAIN,
        (TALK | 1 << 60, 0),
        channel(),
        TALK | 1 << 60,
    ),
)


class CaseTests(SynchronousTestCase):
    """What Discord's docs say, case by case."""

    def test_table(self) -> None:
        """Each case gives its bits."""
        for name, holder, granted, place, expected in CASES:
            self.assertEqual(permissions(holder, GUILD, granted, place), int(expected), name)

    def test_all(self) -> None:
        """All are the documented bits: 0 to 52, but for 47."""
        self.assertEqual(ALL, (1 << 53) - 1 - (1 << 47))


BITS = st.integers(0, ALL) | st.sampled_from([0, ALL, TALK, int(P.ADMINISTRATOR), int(P.VIEW_CHANNEL)])
HOLDERS = st.builds(
    Holder, st.just(USER), st.frozensets(st.sampled_from([ROLE, OTHER])), st.booleans(), timed_out=st.booleans()
)
OVERWRITES = st.lists(
    st.builds(Overwrite, st.sampled_from([GUILD, ROLE, OTHER, 4]), st.just(False), BITS, BITS)
    | st.builds(Overwrite, st.sampled_from([USER, USER + 1]), st.just(True), BITS, BITS),
    max_size=6,
    unique_by=lambda each: each.id,
)


def as_documented(holder: Holder, base: int, overwrites: dict[int, Overwrite]) -> int:
    """The eight steps of "Permission Overwrites", one after the other, without what is implied."""
    steps = [(overwrites[GUILD].deny, 0), (0, overwrites[GUILD].allow)] if GUILD in overwrites else []
    of_roles = [overwrites[role] for role in sorted(holder.roles) if role in overwrites]
    steps += [(each.deny, 0) for each in of_roles]
    steps += [(0, each.allow) for each in of_roles]
    if USER in overwrites:
        steps += [(overwrites[USER].deny, 0), (0, overwrites[USER].allow)]
    for deny, allow in steps:
        base = (base & ~deny) | allow
    return base


class RuleTests(SynchronousTestCase):
    """What holds for anybody anywhere."""

    @settings(deadline=None, database=None)
    @given(HOLDERS, st.lists(BITS, min_size=1, max_size=3), OVERWRITES, st.sampled_from([0, 2, 5, 13]), st.booleans())
    def test_any(self, holder: Holder, granted: list[int], found: list[Overwrite], type: int, is_thread: bool) -> None:
        """Step by step as the docs have it; what is implied only takes away; and never more than all."""
        base = 0
        for bits in granted:
            base |= bits
        got = permissions(holder, GUILD, granted, Place(found, type, is_thread))
        if holder.is_owner or base & P.ADMINISTRATOR:
            self.assertEqual(got, ALL)
            return
        plain = as_documented(holder, base, {each.id: each for each in found})
        self.assertEqual(got & ~plain, 0)
        if holder.timed_out:
            self.assertEqual(got, plain & IN_TIME_OUT if plain & P.VIEW_CHANNEL else 0)
        elif not plain & P.VIEW_CHANNEL:
            self.assertEqual(got, 0)
        else:
            implied = int(P.SEND_MESSAGES) | WITH_SENDING | WITH_CONNECTING
            self.assertEqual(got & ~implied, plain & ~implied)
            if not is_thread and plain & P.SEND_MESSAGES and plain & P.CONNECT:
                self.assertEqual(got, plain)
