"""Roles. Members that held a deleted one are left as they are: an answer leaves out roles that aren't there."""

from __future__ import annotations

from msgspec import Raw, Struct

from rateway.store import blob
from rateway.store.keys import ROLES
from rateway.store.view import Changes, View

from . import purge
from .whereabouts import is_known


class _Role(Struct, gc=False):
    guild_id: int
    role: Raw


class _Deleted(Struct, gc=False):
    guild_id: int
    role_id: int


_role = blob.decoder(_Role)
_deleted = blob.decoder(_Deleted)


def role_upsert(d: bytes, view: View) -> Changes:
    """GUILD_ROLE_CREATE and GUILD_ROLE_UPDATE: the role, anew."""
    out: Changes = {}
    event = _role(d)
    if "Role" in view.kept.names and is_known(view, event.guild_id):
        purge.put(out, ROLES, event.guild_id, blob.id_of(event.role).id, bytes(event.role))
    return out


def role_delete(d: bytes, view: View) -> Changes:
    """The role goes."""
    out: Changes = {}
    event = _deleted(d)
    purge.remove(out, ROLES, event.guild_id, event.role_id)
    return out
