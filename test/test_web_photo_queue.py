"""Many photos at once: a few wait, the others are told to come back, and all get an answer."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from test_web_server import wait_until
from web_client import Client

from expression_ros.web.photo_reading import PhotoReader
from expression_ros.web.server import WebServer
from expression_ros.web.state import WebState

SENT = 12
AT_MOST = 8  # may wait; a person has no use for a longer queue


def test_no_more_photos_wait_than_are_soon_read(monkeypatch):
    go_on = threading.Event()

    def read(self, data):
        assert go_on.wait(60)
        return {"width": 1, "height": 1, "faces": []}

    monkeypatch.setattr(PhotoReader, "read", read)
    session = SimpleNamespace(state=WebState("nothing", [], []), calibration=None)
    server = WebServer(session, port=0)
    server.start()
    web, refused = Client(server.address), []

    def send(number):
        status, answer = web.photo(b"x")
        if status != 200:
            refused.append(answer["error"])
        return status

    try:
        with ThreadPoolExecutor(SENT) as senders:
            answers = senders.map(send, range(SENT))
            try:
                wait_until(lambda: len(refused) >= SENT - AT_MOST, "photos to be refused")
            finally:
                go_on.set()
            counts = Counter(answers)
        assert set(counts) == {200, 503} and sum(counts.values()) == SENT
        assert 1 <= counts[200] <= AT_MOST
        assert set(refused) == {"other photos are being read; try again in a moment"}
        assert web.photo(b"x")[0] == 200  # who comes back later is answered
    finally:
        server.stop()
