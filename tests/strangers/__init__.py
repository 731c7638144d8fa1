"""Discord libraries of others, unmodified, against the simulator: what they agree on must hold here too.

``clients/``   one bot per library, a process of its own, which reports what the library tells it as lines of JSON
``stranger``   such a process, and its reports
``course``     what every library goes through: start, messages, drops, ops 7 and 9, and traffic

The libraries are installed by ``scripts/strangers.py``, in the versions of ``requirements.txt`` and
``package-lock.json``.
"""
