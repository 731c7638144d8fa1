"""The REST API.

``resource`` reads and writes HTTP. ``server`` decides who is let in and which route answers; ``table`` has the routes.
``limiter`` refuses what is too much; ``buckets`` and ``limits`` count for it. What the routes do is in
``applications``, ``guilds``, ``channels``, ``messages``, ``reactions``, ``webhooks``, ``interactions`` (with
``callbacks``) and ``commands``: they get a request as a ``calls.Call``, whose body ``bodies``, ``fields`` and
``drafts`` read, and raise ``errors``. ``answers`` are what goes out; ``scripts`` and ``presets`` are answers to order.
"""
