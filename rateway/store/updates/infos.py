"""What Discord tells of voice channels beside the channel: their status text, and since when somebody is there."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType

from rateway.store import blob, keys
from rateway.store.view import Changes, View

from .whereabouts import is_known


class _Info(Struct, gc=False):
    id: int
    status: Raw | UnsetType = UNSET
    voice_start_time: Raw | UnsetType = UNSET


class _Infos(Struct, gc=False):
    guild_id: int
    channels: list[_Info]


class _Status(Struct, gc=False):
    id: int
    guild_id: int
    status: Raw = blob.NULL


class _StartTime(Struct, gc=False):
    id: int
    guild_id: int
    voice_start_time: Raw = blob.NULL


_infos = blob.decoder(_Infos)
_status = blob.decoder(_Status)
_start_time = blob.decoder(_StartTime)


def channel_info(d: bytes, view: View) -> Changes:
    """CHANNEL_INFO, the answer to op 43: of each channel what was asked for, over what is known."""
    out: Changes = {}
    event = _infos(d)
    for info in event.channels:
        new: blob.Fields = {}
        if info.status is not UNSET:
            new["status"] = info.status
        if info.voice_start_time is not UNSET:
            new["voice_start_time"] = info.voice_start_time
        _merge(view, out, event.guild_id, info.id, new)
    return out


def status_update(d: bytes, view: View) -> Changes:
    """VOICE_CHANNEL_STATUS_UPDATE: the text, or none any more."""
    out: Changes = {}
    event = _status(d)
    _merge(view, out, event.guild_id, event.id, {"status": event.status})
    return out


def start_time_update(d: bytes, view: View) -> Changes:
    """VOICE_CHANNEL_START_TIME_UPDATE: since when somebody is there, or that nobody is."""
    out: Changes = {}
    event = _start_time(d)
    _merge(view, out, event.guild_id, event.id, {"voice_start_time": event.voice_start_time})
    return out


def _merge(view: View, out: Changes, guild: int, channel: int, new: blob.Fields) -> None:
    if "ChannelInfo" in view.kept.names and is_known(view, guild):
        key = keys.channel_info(guild, channel)
        out[key] = blob.merge(out.get(key) or view.get(key) or b"{}", new)
