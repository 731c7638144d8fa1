"""Scenarios: a bad day of Discord's in a file, and what is expected of the client meanwhile.

``format``        what a file may hold, table by table: the reference
``reading``       TOML into that, with errors that name file, table, key and remedy; the packaged scenarios
``conditions``    PURE: which facts are meant (``where``)
``facts``         PURE: the journal's records as facts with named fields
``expectations``  PURE: what facts say about an expectation
``report``        the verdicts, as words
``runner``        performs the steps, watches the expectations
``face``          the same for twistd: prints, and ends with an exit code
``resource``      the same by HTTP
"""
