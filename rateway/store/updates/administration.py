"""Invites, integrations, moderation rules.

Discord never lists them: known is what was made or changed while the bot was listening. Nor does it promise to tell of
an invite's expiry: the next one made has those that expired go.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rateway.store import blob, keys
from rateway.store.keys import INTEGRATIONS, RULES
from rateway.store.moments import seconds
from rateway.store.view import Changes, View

from . import purge
from .whereabouts import guild_of, is_known


class _Thing(Struct, gc=False):
    id: int
    guild_id: int


class _Invite(Struct, gc=False):
    code: Annotated[str, Meta(max_length=keys.LONGEST_CODE)]
    channel_id: int
    guild_id: int | None = None


class _Expiry(Struct, gc=False):
    expires_at: str | None = None


_thing = blob.decoder(_Thing)
_invite = blob.decoder(_Invite)
_expiry = blob.decoder(_Expiry)


def integration_upsert(d: bytes, view: View) -> Changes:
    """INTEGRATION_CREATE and INTEGRATION_UPDATE: the integration, anew."""
    out: Changes = {}
    event = _thing(d)
    if "Integration" in view.kept.names and is_known(view, event.guild_id):
        purge.put(out, INTEGRATIONS, event.guild_id, event.id, d)
    return out


def integration_delete(d: bytes, view: View) -> Changes:
    """The integration goes."""
    out: Changes = {}
    event = _thing(d)
    purge.remove(out, INTEGRATIONS, event.guild_id, event.id)
    return out


def rule_upsert(d: bytes, view: View) -> Changes:
    """AUTO_MODERATION_RULE_CREATE and AUTO_MODERATION_RULE_UPDATE: the rule, anew."""
    out: Changes = {}
    event = _thing(d)
    if "AutoModerationRule" in view.kept.names and is_known(view, event.guild_id):
        purge.put(out, RULES, event.guild_id, event.id, d)
    return out


def rule_delete(d: bytes, view: View) -> Changes:
    """The rule goes."""
    out: Changes = {}
    event = _thing(d)
    purge.remove(out, RULES, event.guild_id, event.id)
    return out


def invite_create(d: bytes, view: View) -> Changes:
    """An invite to a channel of a guild's; those of the guild's that expired go."""
    out: Changes = {}
    event = _invite(d)
    guild = guild_of(view, event.channel_id, event.guild_id)
    if guild is not None and "Invite" in view.kept.names and is_known(view, guild):
        for key, row in view.items(keys.invites(guild)):
            end = seconds(_expiry(row).expires_at)
            if end is not None and end < view.now_ms / 1000:
                purge.forget_invite(out, key)
        out[keys.invite(guild, event.code)] = d
        out[keys.invite_pointer(event.code)] = keys.number(guild)
    return out


def invite_delete(d: bytes, view: View) -> Changes:
    """An invite goes, whichever guild the event names: a code is one of its kind."""
    event = _invite(d)
    pointer = view.get(keys.invite_pointer(event.code))
    if pointer is None:
        return {}
    return {keys.invite(keys.to_id(pointer), event.code): None, keys.invite_pointer(event.code): None}
