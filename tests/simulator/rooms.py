"""The rest of what a client that believes every event knows: channels, threads, voice, and all that a guild has."""

from __future__ import annotations

from .mirror import HIDDEN, Json, View, by_id, emoji_key
from .mirror import Mirror as Half

__all__ = ["Mirror", "emoji_key"]


class Mirror(Half):
    """The whole of it."""

    # --- channels

    def on_channel_create(self, d: Json) -> None:
        view = self.view(d)
        self.check(d["id"] not in view.channels, "twice")
        self.check(d["parent_id"] is None or d["parent_id"] in view.channels, "in no category")
        view.channels[d["id"]] = self.bare(d)

    @staticmethod
    def bare(d: Json) -> Json:
        return {key: value for key, value in d.items() if key != "guild_id"}

    def on_channel_update(self, d: Json) -> None:
        view = self.view(d)
        self.check(d["id"] in view.channels, "of no channel")
        self.check(d["parent_id"] is None or d["parent_id"] in view.channels, "in no category")
        if d["flags"] & HIDDEN:
            self.messages.pop(d["id"], None)
        view.channels[d["id"]] = self.bare(d)

    def on_channel_delete(self, d: Json) -> None:
        view = self.view(d)
        self.check(d["id"] in view.channels, "of no channel")
        self.check(all(state["channel_id"] != d["id"] for state in view.voice.values()), "with people in it")
        self.check(all(stage["channel_id"] != d["id"] for stage in view.stages.values()), "with a stage in it")
        self.check(view.channels.pop(d["id"], None) == self.bare(d), "another channel than was known")
        for thread in [id for id, thread in view.threads.items() if thread["parent_id"] == d["id"]]:
            self.drop_thread(view, thread)
        view.invites = {code: each for code, each in view.invites.items() if each["channel_id"] != d["id"]}
        self.messages.pop(d["id"], None)

    def on_voice_channel_status_update(self, d: Json) -> None:
        self.learn(d, "status")

    def on_voice_channel_start_time_update(self, d: Json) -> None:
        self.learn(d, "voice_start_time")

    def learn(self, d: Json, key: str) -> None:
        view = self.view(d)
        self.check(d["id"] in view.channels, "of no channel")
        info = view.info.setdefault(d["id"], {})
        info[key] = d[key]
        if info[key] is None:
            del info[key]
        if not info:
            del view.info[d["id"]]

    # --- threads

    def drop_thread(self, view: View, id: str) -> None:
        view.threads.pop(id, None)
        self.messages.pop(id, None)

    def on_thread_create(self, d: Json) -> None:
        view = self.view(d)
        parent = view.channels.get(d["parent_id"], {"flags": HIDDEN})
        self.check(not parent["flags"] & HIDDEN, "in no channel")
        self.check(d["id"] not in view.threads and d["owner_id"] in view.members, "twice, or of nobody")
        if parent.get("type") in (15, 16):
            parent["last_message_id"] = d["id"]
        view.threads[d["id"]] = {key: value for key, value in d.items() if key != "newly_created"}

    def on_thread_update(self, d: Json) -> None:
        view = self.view(d)
        if d["thread_metadata"]["archived"]:
            self.check(d["id"] in view.threads, "archives what is not there")
            self.drop_thread(view, d["id"])
        else:
            view.threads[d["id"]] = d

    def on_thread_delete(self, d: Json) -> None:
        view = self.view(d)
        self.check(d["id"] in view.threads, "of no thread")
        self.drop_thread(view, d["id"])

    def on_thread_list_sync(self, d: Json) -> None:
        view, own = self.view(d), by_id(d["members"])
        parents = d.get("channel_ids", list(view.channels))
        known = {id for id, thread in view.threads.items() if thread["parent_id"] in parents}
        self.check(known == {thread["id"] for thread in d["threads"]}, "other threads than were known")
        for thread in d["threads"]:
            member = {key: own[thread["id"]][key] for key in ("flags", "join_timestamp")}
            view.threads[thread["id"]] = {**thread, "member": member}

    def on_thread_member_update(self, d: Json) -> None:
        self.check(d["id"] in self.view(d).threads and d["user_id"] == self.user["id"], "not of the bot")

    def on_thread_members_update(self, d: Json) -> None:
        view = self.view(d)
        self.check(d["id"] in view.threads, "of no thread")
        added = d.get("added_members", [])
        self.check(all(each["user_id"] in view.members for each in added), "adds nobody")
        view.threads[d["id"]]["member_count"] += len(added) - len(d.get("removed_member_ids", []))
        self.check(view.threads[d["id"]]["member_count"] == d["member_count"], "a wrong member_count")

    # --- voice

    def on_voice_state_update(self, d: Json) -> None:
        view, id = self.view(d), d["user_id"]
        if d["channel_id"] is None:
            self.check(id in view.voice, "left, but was not there")
            view.voice.pop(id, None)
            return
        self.check(id in view.members and d["member"] == view.members[id], "of nobody")
        self.check(view.channels.get(d["channel_id"], {}).get("type") in (2, 13), "in no voice channel")
        view.voice[id] = {key: value for key, value in d.items() if key not in ("guild_id", "member")}

    def on_voice_server_update(self, d: Json) -> None:
        self.check(self.user["id"] in self.view(d).voice, "without the bot in voice")

    def on_voice_channel_effect_send(self, d: Json) -> None:
        state = self.view(d).voice.get(d["user_id"], {})
        self.check(state.get("channel_id") == d["channel_id"], "from outside")

    # --- what a guild has

    def set(self, d: Json, name: str) -> None:
        view = self.view(d)
        setattr(view, name, by_id(d[name]))

    def on_guild_role_create(self, d: Json) -> None:
        self.check(d["role"]["id"] not in self.view(d).roles, "twice")
        self.view(d).roles[d["role"]["id"]] = d["role"]

    def on_guild_role_update(self, d: Json) -> None:
        self.check(d["role"]["id"] in self.view(d).roles, "of no role")
        self.view(d).roles[d["role"]["id"]] = d["role"]

    def on_guild_role_delete(self, d: Json) -> None:
        view, id = self.view(d), d["role_id"]
        self.check(view.roles.pop(id, None), "of no role")
        for member in view.members.values():
            member["roles"] = [role for role in member["roles"] if role != id]

    def on_guild_emojis_update(self, d: Json) -> None:
        self.set(d, "emojis")

    def on_guild_stickers_update(self, d: Json) -> None:
        self.set(d, "stickers")

    def on_guild_soundboard_sound_create(self, d: Json) -> None:
        self.add(self.view(d).sounds, d, "sound_id")

    def on_guild_soundboard_sound_update(self, d: Json) -> None:
        self.change(self.view(d).sounds, d, "sound_id")

    def on_guild_soundboard_sound_delete(self, d: Json) -> None:
        self.remove(self.view(d).sounds, d, "sound_id")

    def on_guild_soundboard_sounds_update(self, d: Json) -> None:
        for sound in d["soundboard_sounds"]:
            self.change(self.view(d).sounds, sound, "sound_id")

    def on_stage_instance_create(self, d: Json) -> None:
        self.check(d["channel_id"] in self.view(d).channels, "in no channel")
        self.add(self.view(d).stages, d)

    def on_stage_instance_update(self, d: Json) -> None:
        self.change(self.view(d).stages, d)

    def on_stage_instance_delete(self, d: Json) -> None:
        self.remove(self.view(d).stages, d)

    def on_guild_scheduled_event_create(self, d: Json) -> None:
        self.add(self.view(d).events, d)

    def on_guild_scheduled_event_update(self, d: Json) -> None:
        self.change(self.view(d).events, d)
        if d["status"] in (3, 4):
            del self.view(d).events[d["id"]]

    def on_guild_scheduled_event_delete(self, d: Json) -> None:
        self.remove(self.view(d).events, d)

    def on_guild_scheduled_event_user_add(self, d: Json) -> None:
        self.attend(d, 1)

    def on_guild_scheduled_event_user_remove(self, d: Json) -> None:
        self.attend(d, -1)

    def attend(self, d: Json, change: int) -> None:
        event = self.view(d).events.get(d["guild_scheduled_event_id"])
        self.check(event is not None and d["user_id"] in self.view(d).members, "of no event, or by nobody")
        if event is not None:
            event["user_count"] += change
            self.check(event["user_count"] >= 0, "fewer than nobody")

    def on_auto_moderation_rule_create(self, d: Json) -> None:
        self.add(self.view(d).rules, d)

    def on_auto_moderation_rule_update(self, d: Json) -> None:
        self.change(self.view(d).rules, d)

    def on_auto_moderation_rule_delete(self, d: Json) -> None:
        self.remove(self.view(d).rules, d)

    def on_auto_moderation_action_execution(self, d: Json) -> None:
        rule = self.view(d).rules.get(d["rule_id"], {})
        self.check(rule.get("enabled") and d["channel_id"] in self.view(d).channels, "of no rule, or nowhere")
        self.somebody(d)

    def on_guild_audit_log_entry_create(self, d: Json) -> None:
        self.somebody(d)

    def on_integration_create(self, d: Json) -> None:
        self.add(self.view(d).integrations, self.bare(d))

    def on_integration_update(self, d: Json) -> None:
        self.change(self.view(d).integrations, self.bare(d))

    def on_integration_delete(self, d: Json) -> None:
        self.remove(self.view(d).integrations, d)

    def on_guild_integrations_update(self, d: Json) -> None:
        self.view(d)

    def on_webhooks_update(self, d: Json) -> None:
        self.check(d["channel_id"] in self.view(d).channels, "of no channel")

    def on_application_command_permissions_update(self, d: Json) -> None:
        self.view(d)

    def on_invite_create(self, d: Json) -> None:
        self.check(d["channel_id"] in self.view(d).channels, "to no channel")
        self.add(self.view(d).invites, d, "code")

    def on_invite_delete(self, d: Json) -> None:
        self.remove(self.view(d).invites, d, "code")

    # --- the application

    def on_interaction_create(self, d: Json) -> None:
        if d.get("guild_id") in self.guilds:
            view = self.view(d)
            self.check(d["member"]["user"]["id"] in view.members and d["channel_id"] in view.channels, "by nobody")
        else:
            self.check("1" in d["authorizing_integration_owners"], "from an unknown guild, by nobody's own")

    def on_entitlement_create(self, d: Json) -> None:
        self.add(self.entitlements, d)

    def on_entitlement_update(self, d: Json) -> None:
        self.change(self.entitlements, d)

    def on_entitlement_delete(self, d: Json) -> None:
        self.remove(self.entitlements, d)

    def on_subscription_create(self, d: Json) -> None:
        self.add(self.subscriptions, d)

    def on_subscription_update(self, d: Json) -> None:
        self.change(self.subscriptions, d)

    def on_subscription_delete(self, d: Json) -> None:
        self.remove(self.subscriptions, d)

    # --- collections

    def add(self, known: dict[str, Json], d: Json, key: str = "id") -> None:
        self.check(d[key] not in known, "twice")
        known[d[key]] = d

    def change(self, known: dict[str, Json], d: Json, key: str = "id") -> None:
        self.check(d[key] in known, "of what is not there")
        known[d[key]] = d

    def remove(self, known: dict[str, Json], d: Json, key: str = "id") -> None:
        self.check(known.pop(d[key], None) is not None, "of what is not there")
