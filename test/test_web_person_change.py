"""Somebody else is read on the page from one frame to the next, without a trace of who was."""

from __future__ import annotations

import threading

import cv2
import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from test_web_server import wait_until

from expression_ros.frames.opening import open_source
from expression_ros.recognition.classifier import Prediction
from expression_ros.web import video_session
from expression_ros.web.video_session import VideoSession


class Sure:
    """A classifier that is sure of one label."""

    labels = ("neutral", "happiness")

    def __init__(self, label):
        self.label = label

    def read(self, grey_frame, box):
        scores = {label: float(label == self.label) for label in self.labels}
        return Prediction(self.label, 1.0, scores)


@pytest.fixture
def session(astronaut, tmp_path, monkeypatch):
    monkeypatch.setattr(video_session, "fisherfaces_of", lambda model: Sure("neutral"))
    monkeypatch.setattr(video_session, "adapted_to", lambda general, settings: Sure("happiness"))
    cv2.imwrite(str(tmp_path / "portrait.png"), astronaut)
    path = str(tmp_path / "portrait.png")
    session = VideoSession(lambda: open_source(path), "the portrait", loop=True)
    yield session
    session.close()


def test_scores_of_the_classifier_before_do_not_fade_into_those_of_the_next(session):
    told, happy = [], threading.Event()
    take = session.state.person_seen

    def note(person, *args, **kwargs):
        if person.scores:
            told.append(round(person.scores["happiness"], 6))
            if told[-1] > 0.9:
                happy.set()
        take(person, *args, **kwargs)

    session.state.person_seen = note
    session.start()
    wait_until(lambda: told, "a face that is read")
    session.calibration.use("ada")
    assert happy.wait(20)
    assert set(told) == {0.0, 1.0}
