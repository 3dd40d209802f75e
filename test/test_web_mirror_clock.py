"""The robot on the page is calm although two threads, of frames and of a clock, move it."""

from __future__ import annotations

import threading

import cv2
import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from expression_ros.frames.opening import open_source
from expression_ros.web.video_session import VideoSession


def test_time_never_goes_back_for_the_mirror(astronaut, tmp_path, monkeypatch):
    """Else it would begin anew with how long an expression is held at least."""
    cv2.imwrite(str(tmp_path / "portrait.png"), astronaut)
    path = str(tmp_path / "portrait.png")
    session = VideoSession(lambda: open_source(path), "the portrait", loop=True)
    times, enough, ticked = [], threading.Event(), threading.Event()
    read, tick = session._reading._recognizer.read, session._behaviour.tick

    def slow_read(grey, stamp):
        reading = read(grey, stamp)
        ticked.clear()
        assert ticked.wait(20)  # the clock ticks while a frame is read
        return reading

    def note(now):
        times.append(now)
        ticked.set()
        if len(times) >= 6:
            enough.set()
        return tick(now)

    monkeypatch.setattr(session._reading._recognizer, "read", slow_read)
    monkeypatch.setattr(session._behaviour, "tick", note)
    session.start()
    try:
        assert enough.wait(20)
    finally:
        session.close()
    assert times == sorted(times)
