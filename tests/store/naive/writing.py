"""What messages do, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable

from .world import Json, World, without

EPHEMERAL = 64


def message_create(world: World, d: Json) -> None:
    """A message: the last of its channel, and news of who wrote it."""
    ephemeral = bool(d["flags"] & EPHEMERAL)
    guild = world.guild_of(d)
    if guild is None:
        if "guild_id" not in d and not ephemeral and d.get("channel_type", 1) == 1:
            private_message(world, d)
            world.keep_message(0, d)
        return
    if not ephemeral:
        count_message(world, int(d["channel_id"]), int(d["id"]))
    world.keep_message(guild, d)
    if "webhook_id" in d:
        return
    if "member" in d and world.is_told_of(guild, int(d["author"]["id"])):
        world.put_member(guild, d["member"] | {"user": d["author"]}, over=True)
    else:
        world.refresh_user(d["author"])


def private_message(world: World, d: Json) -> None:
    """A direct message: its channel is known from it, and who writes with the bot there."""
    channel = int(d["channel_id"])
    known = world.private.get(channel, {"recipients": [], "last_message_id": "0"})
    stranger = int(d["author"]["id"]) != world.own and "webhook_id" not in d
    if stranger:
        world.put_user(d["author"])
    world.private[channel] = {
        "id": d["channel_id"],
        "type": 1,
        "last_message_id": str(max(int(known["last_message_id"]), int(d["id"]))),
        "recipients": [d["author"]] if stranger else known["recipients"],
    }


def count_message(world: World, channel: int, message: int) -> None:
    """The channel's last message; of a thread, how many there are, less the one that started it and any told twice."""
    for table in (world.tables["channels"], world.tables["threads"]):
        if channel not in table:
            continue
        guild, known = table[channel]
        last = {"last_message_id": str(message)}
        if table is world.tables["threads"]:
            if known["last_message_id"] is not None and int(known["last_message_id"]) >= message:
                return
            if message != channel:
                for field in ("message_count", "total_message_sent"):
                    if field in known:
                        last[field] = known[field] + 1
        table[channel] = guild, known | last
        return


def message_update(world: World, d: Json) -> None:
    """A message was edited; one not kept is, if it comes whole."""
    channel, message = int(d["channel_id"]), int(d["id"])
    known = world.messages.get(channel, {}).get(message)
    if known is not None:
        world.messages[channel][message] = known | without(d, "tts")
    elif "author" in d and "timestamp" in d:
        guild = world.guild_of(d)
        if guild is not None:
            world.keep_message(guild, d)
        elif "guild_id" not in d and channel in world.private:
            world.keep_message(0, d)


def message_delete(world: World, d: Json) -> None:
    """Messages, deleted; the one that started a thread is not among those counted."""
    channel = int(d["channel_id"])
    gone = {int(id) for id in (*d.get("ids", []), *([d["id"]] if "id" in d else []))}
    for message in gone:
        world.messages.get(channel, {}).pop(message, None)
    thread = world.tables["threads"].get(channel)
    if thread is not None and world.guild_of(d) is not None and "message_count" in thread[1]:
        left = max(0, thread[1]["message_count"] - len(gone - {channel}))
        world.tables["threads"][channel] = thread[0], thread[1] | {"message_count": left}


def same_emoji(one: Json, other: Json) -> bool:
    """A custom emoji is its id, whatever its name; one of Unicode is its name."""
    if one["id"] is None and other["id"] is None:
        return bool(one["name"] == other["name"])
    return bool(one["id"] == other["id"])


def change_reactions(world: World, d: Json, change: Callable[[list[Json]], list[Json]]) -> None:
    """New reactions for a message, if it is kept."""
    kept = world.messages.get(int(d["channel_id"]), {})
    known = kept.get(int(d["message_id"]))
    if known is not None:
        kept[int(d["message_id"])] = known | {"reactions": change(known.get("reactions", []))}


def react(more: int) -> Callable[[World, Json], None]:
    """One reaction more or less."""

    def happen(world: World, d: Json) -> None:
        own = int(d["user_id"]) == world.own
        kind, me = ("burst", "me_burst") if d["burst"] else ("normal", "me")

        def count(reactions: list[Json]) -> list[Json]:
            if more > 0 and not any(same_emoji(each["emoji"], d["emoji"]) for each in reactions):
                new = {"emoji": d["emoji"], "count": 0, "count_details": {"burst": 0, "normal": 0}, "me": False}
                reactions = [*reactions, new | {"me_burst": False, "burst_colors": d.get("burst_colors", [])}]
            counted = []
            for each in reactions:
                if same_emoji(each["emoji"], d["emoji"]):
                    details = each["count_details"]
                    details = details | {kind: max(0, details[kind] + more)}
                    each = each | {"count": each["count"] + more, "count_details": details}
                    each |= {me: more > 0} if own else {}
                if each["count"] > 0:
                    counted.append(each)
            return counted

        change_reactions(world, d, count)
        guild = world.guild_of(d) if "guild_id" in d else None
        if more > 0 and "member" in d and guild is not None and world.is_told_of(guild, int(d["user_id"])):
            world.put_member(guild, d["member"], over=True)

    return happen


def reactions_gone(world: World, d: Json) -> None:
    """All of a message's, or all with one emoji."""
    change_reactions(
        world,
        d,
        lambda reactions: [each for each in reactions if "emoji" in d and not same_emoji(each["emoji"], d["emoji"])],
    )


def vote(more: int) -> Callable[[World, Json], None]:
    """One vote more or less, where the message bears its results."""

    def happen(world: World, d: Json) -> None:
        kept = world.messages.get(int(d["channel_id"]), {})
        known = kept.get(int(d["message_id"]), {})
        if "results" not in known.get("poll", {}):
            return
        answers = known["poll"]["results"]["answer_counts"]
        if not any(answer["id"] == d["answer_id"] for answer in answers):
            answers = [*answers, {"id": d["answer_id"], "count": 0, "me_voted": False}]
        mine = {"me_voted": more > 0} if int(d["user_id"]) == world.own else {}
        answers = [
            answer | mine | {"count": max(0, answer["count"] + more)} if answer["id"] == d["answer_id"] else answer
            for answer in answers
        ]
        results = known["poll"]["results"] | {"answer_counts": answers}
        kept[int(d["message_id"])] = known | {"poll": known["poll"] | {"results": results}}

    return happen
