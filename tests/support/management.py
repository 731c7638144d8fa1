"""RabbitMQ's management API, as far as tests need it; blocking, so call it in a thread (``broker`` does)."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

# No proxy of the environment's: the broker is on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ManagementApi:
    """One node's API.

    :param uri: ``http://user:password@host:port``.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.user = parts.username or ""
        self._base = f"http://{parts.hostname}:{parts.port}/api"
        login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def call(self, method: str, *path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """The decoded answer; None where there is nothing (404, or an empty answer)."""
        request = urllib.request.Request(
            "/".join([self._base, *(quote(part, safe="") for part in path)]),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self._headers | (headers or {}),
        )
        try:
            with _opener.open(request, timeout=60) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise RuntimeError(f"{method} {'/'.join(path)}: {error.code} {error.read()!r}") from None
        return json.loads(answer) if answer else None
