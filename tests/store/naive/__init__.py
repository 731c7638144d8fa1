"""The cache once more, as simply as can be: plain dicts, and the rules as Discord's documentation has them.

``world``    what is known, and what takes what with it
``rules``    what events do to guilds, channels, threads, and people
``things``   what events do to roles, emojis, scheduled events and their like
``writing``  what messages do, and what is done to them
``table``    event name → rule
``answers``  what a bot asking is told
``events``   what events to try are made of: few ids, so that they meet
``happenings``  an event by its name
``themes``      which events come together

Nothing of ``rateway.store`` is imported here: what both agree on, they found each by itself.
"""
