"""Whom the control API answers: programs on this machine, and no page that a browser has open.

A browser names the page that sends a request in ``Origin`` or ``Sec-Fetch-Site``. A page whose own name was made to
lead to this machine is told by the header ``Host``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\]")


def refuse(headers: Mapping[str, str], names: Collection[str]) -> str | None:
    """Why a request is not answered, in a sentence; None when it is.

    :param headers: by lower-case names.
    :param names: host names that are the simulator's own.
    """
    if "origin" in headers:
        return "the control API answers no web page: send no Origin header"
    if headers.get("sec-fetch-site", "none") != "none":
        return "the control API answers no web page: a browser sent this for one"
    host = re.sub(r":\d*$", "", headers.get("host", "").lower())
    if not host or host == "localhost" or _ADDRESS.fullmatch(host) or host in {name.lower() for name in names}:
        return None
    return f"the control API is not called {host!r}: use the address, localhost, or the name given by --host"
