"""Plain HTTP to the page of a running server, as a browser or a script would ask it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit


class Client:
    """Asks a server as a browser or a script would.

    Args:
        address: of the page.
    """

    def __init__(self, address: str):
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        return json.loads(self.ask("/state")[2])

    def choose(self, **choice: Any) -> tuple[int, dict[str, Any]]:
        status, _, body = self.ask("/choice", "POST", json.dumps(choice).encode())
        return status, json.loads(body)

    def photo(self, data: bytes) -> tuple[int, dict[str, Any]]:
        status, _, body = self.ask("/photo", "POST", data)
        return status, json.loads(body)

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """Listen; yields an iterator over (event, data)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()

        def each() -> Iterator[tuple[str, Any]]:
            event = ""
            for line in answer:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    event = text[len("event: ") :]
                elif text.startswith("data: "):
                    yield event, json.loads(text[len("data: ") :])

        try:
            yield each()
        finally:
            answer.close()
            connection.close()
