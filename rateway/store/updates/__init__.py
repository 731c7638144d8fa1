"""PURE: what each of Discord's events changes. A function per event: the bytes of ``d`` and a view in, changes out.

``table``           event name → function
``session``         READY, USER_UPDATE
``guilds``          guilds: arriving, changing, leaving, in outage
``purge``           all that a guild, a channel or a thread takes with it
``channels``        channels and their pins
``threads``         threads and their members
``infos``           what is told of voice channels beside the channel
``roles``           roles
``expressions``     emojis, stickers, soundboard sounds
``happenings``      stage instances and scheduled events
``administration``  invites, integrations, moderation rules
``members``         members joining, changing, leaving, and chunks of them
``people``          users, and the reasons to know them
``presences``       presences
``voice``           voice states and who is in which channel
``messages``        messages, and what they say about channels and people
``reactions``       reactions and poll votes on kept messages
``slices``          updates that may take long, in slices
``private``         direct message channels, known from their messages alone

An update sees the store as it was before its event, not its own changes; only what removes rows in parts (``slices``)
may find some of them gone. What it needs of an event it decodes, no more: ``msgspec`` takes ids and slices out, and the
slices are stored.
"""
