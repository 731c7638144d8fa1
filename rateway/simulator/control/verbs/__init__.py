"""What may be done to a simulator, as values: one class per action, grouped by what they are about.

``action``    the base, and the fields that many have
``ends``      how connections, sessions and the token end
``events``    dispatches and control payloads, their sequences
``noise``     payloads that can't be read, or make no sense
``silence``   what is held back, slowed down, or cut into pieces
``arrivals``  connections to come
``places``    guilds, and what happens in them
``answers``   what REST answers
"""
