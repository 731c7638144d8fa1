"""The world a simulated bot lives in: what is there, what happens in it, and what may be done to it.

``world``        guilds, users, direct channels, all drawn from one seed
``guild``        one guild; ``furniture`` what it begins with, ``sizes`` how many people that is
``users``        made when they are looked at, as ``members`` and ``presences`` are; ``draws`` chance without memory
``payloads``     Discord's objects as JSON values; ``channels`` those of channels
``places``       where messages are; ``messages`` and ``reactions`` what becomes of them
``permissions``  what a member may do
``deeds``        what somebody from outside does
``happenings``   what happens by itself; ``traffic`` how much of it
``clock``        clocks for a world whose time is not everybody's; ``ids`` snowflakes
"""
