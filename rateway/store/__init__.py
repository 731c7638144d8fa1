"""What is known of Discord, on disk: one LMDB environment per cluster, written by one process and read by all.

``cluster``      ClusterStore, the writer: events in, sessions and cursors out
``cache``        Cache, the reader: a bot's query in, an entity's JSON out
``membership``   PURE: how much of a guild's members is known
``doubt``        PURE: which gaps in what is kept bear on an answer
``queries``      the table of queries: type → arguments and function
``updates``      PURE: event name → function, what an event changes
``transaction``  the view updates compute over, and the changes they leave
``keys``         the rows' keys
``blob``         PURE: cheap work on JSON as bytes
``moments``      PURE: Discord's times
``packing``      PURE: members and users, compressed
``notes``        PURE: what was seen of rows before, so that they needn't be looked up for each event
``sessions``     the session records and cursors
``found``        what an earlier run left, for the log
``trust``        what makes an earlier run's store worth believing
``environment``  LMDB: opening, growing, locking
"""
