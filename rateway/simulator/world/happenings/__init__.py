"""What happens in a world by itself, by family: each function changes the world and yields the events that tell of it.

Nothing is told that the world doesn't hold: who left sends no more messages, and a reaction belongs to a message. A
happening that isn't possible now (nobody is there, nothing is left to delete) yields nothing.

``happening``      the types, and words to draw from
``chat``           messages, reactions, votes, typing, direct messages
``people``         members, presences, users, bans
``voice``          voice states, and what is known of voice channels
``rooms``          channels
``threads``        threads
``furnishings``    roles, emojis, stickers, sounds
``plans``          stages and scheduled events
``moderation``     rules of the automatic moderation, the audit log
``connections``    integrations, webhooks, invites
``application``    interactions, entitlements, subscriptions, the bot itself
``guilds``         guilds that change, are out of order, are joined and left
``mixes``          how often what happens
"""
