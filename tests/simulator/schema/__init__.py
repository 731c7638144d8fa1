"""What Discord sends, as types: each object's required and optional keys, their types, and which may be null.

``scalars`` has the small values, ``people``, ``furnishings``, ``channels``, ``guilds``, ``messages`` and
``interactions`` the objects, ``events`` every event's ``d``, ``control`` the payloads around it, ``rest`` the answers
of REST; ``checking`` applies them. They are msgspec structs that forbid unknown fields: as strict as JSON Schema with
``additionalProperties`` false, checked by mypy, and fast enough for every payload of a run.

Source: Discord's docs, "Gateway Events" and "Resources"; keys that only live traffic shows are marked undocumented.
"""
