"""The calibration as a dialogue: what is asked when, what is taken, and what is said meanwhile."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.personal.calibration import Calibration
from expression_ros.personal.dialogue import EMOTIONS, HINTS, PATIENCE_S, Dialogue, asked_emotions
from expression_ros.personal.kept_persons import save_person
from expression_ros.recognition.person import PersonError, person_names
from expression_ros.session.recognizer import fisherfaces_of
from expression_ros.viewing.asking import ask_for_each
from expression_ros.vocabulary import EMOTIONS as ALL
from expression_ros.web.page_calibration import PageCalibration
from expression_ros.web.state import WebState

RATE = 10.0
NOBODY = np.full((240, 320), 90, np.uint8)


@pytest.fixture(scope="module")
def ensemble():
    return fisherfaces_of()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def grey(astronaut):
    return cv2.cvtColor(astronaut[:400], cv2.COLOR_BGR2GRAY)


@pytest.fixture
def calibration(ensemble):
    return Calibration(ensemble)


def offer(dialogue, image, until, clock=None):
    """Offer an image ten times a second until something is true; return the seconds it took."""
    clock = clock or [0.0]
    begin = clock[0]
    while not until():
        dialogue.offer(image, clock[0])
        clock[0] += 1 / RATE
        assert clock[0] - begin < 10 * PATIENCE_S, "for ever"
    return clock[0] - begin


def test_each_emotion_is_asked_for_in_turn_and_enough_frames_are_taken(calibration, grey):
    dialogue = Dialogue(calibration, ["neutral", "happiness"], frames=5)
    clock = [100.0]
    assert (dialogue.emotion, dialogue.taken) == ("neutral", 0)
    took = offer(dialogue, grey, lambda: dialogue.emotion != "neutral", clock)
    assert 1.0 <= took < 4.0  # a second to make the face, a fifth of a second between two
    assert dialogue.emotion == "happiness" and dialogue.hint == HINTS["happiness"]
    offer(dialogue, grey, lambda: not dialogue.emotion, clock)
    assert calibration.labels == ["neutral"] * 5 + ["happiness"] * 5
    assert calibration.refused["neutral"]["before the face was made"] > 3
    dialogue.offer(grey, clock[0])  # after the end nothing more is taken
    assert len(calibration.labels) == 10 and dialogue.hint == ""


def test_who_is_not_seen_is_told_so_and_not_waited_for_for_ever(calibration):
    dialogue = Dialogue(calibration, ["neutral"])
    dialogue.offer(NOBODY, 0.0)
    assert dialogue.advice == "show your face to the camera, alone"
    took = offer(dialogue, NOBODY, lambda: not dialogue.emotion)
    assert PATIENCE_S <= took < PATIENCE_S + 1
    assert calibration.refused["neutral"]["no single face"] > 100 and not calibration.labels


def test_a_face_far_away_is_asked_to_come_closer(calibration, grey):
    dialogue = Dialogue(calibration, ["neutral"])
    small = np.full((300, 400), 90, np.uint8)
    small[50:250, 72:328] = cv2.resize(grey, (256, 200), interpolation=cv2.INTER_AREA)
    offer(dialogue, small, lambda: dialogue.advice == "come closer")
    assert dialogue.taken == 0


def test_advice_stays_long_enough_to_be_read(calibration, grey):
    dialogue = Dialogue(calibration, ["neutral"])
    advised = []
    for k in range(80):  # nobody in every second frame: advice that follows would flicker
        dialogue.offer(grey if k % 2 else NOBODY, k / RATE)
        advised.append(dialogue.advice)
    changes = [k for k in range(1, 80) if advised[k] != advised[k - 1]]
    assert changes and min(np.diff(changes)) >= 7


def test_skipping_keeps_what_was_taken(calibration, grey):
    dialogue = Dialogue(calibration, ["neutral", "anger"])
    offer(dialogue, grey, lambda: dialogue.taken == 2)
    dialogue.skip()
    assert (dialogue.emotion, dialogue.taken) == ("anger", 0)
    assert calibration.labels == ["neutral"] * 2
    assert dialogue.counts == {"neutral": 2, "anger": 0}
    dialogue.skip()
    dialogue.skip()
    assert dialogue.emotion == ""


def test_emotions_with_too_few_faces_are_left_out_and_named(calibration):
    for label, count in (("neutral", 5), ("anger", 3), ("happiness", 4)):
        for k in range(count):
            calibration.vectors.append(np.full(256, k, np.float32))
            calibration.labels.append(label)
            calibration.sessions.append(0)
    assert calibration.leave_out_scarce() == {"anger": 3}
    assert calibration.labels == ["neutral"] * 5 + ["happiness"] * 4
    assert len(calibration.vectors) == len(calibration.sessions) == 9


def test_every_emotion_can_be_asked_for_and_what_a_model_cannot_say_is_refused():
    assert set(EMOTIONS) < set(HINTS) == set(ALL)
    assert asked_emotions("happy, joy,sad,,", ("anger", "happiness", "sadness")) == [
        "happiness", "sadness"]  # fmt: skip
    with pytest.raises(ValueError, match="unknown emotion label"):
        asked_emotions("cheese", ("anger",))
    with pytest.raises(PersonError, match="cannot say contempt; it says anger"):
        asked_emotions("contempt", ("anger",))
    with pytest.raises(PersonError, match="no emotion is named; name some of anger"):
        asked_emotions(" , ", ("anger",))


def test_without_a_screen_the_terminal_asks_and_advises(calibration, grey, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    dialogue = Dialogue(calibration, ["neutral", "happiness"], frames=4)
    away = [(NOBODY, k / RATE) for k in range(10)]
    there = [(grey, 1.0 + k / RATE) for k in range(100)]
    ask_for_each(dialogue, iter(away + there), calibration)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"Show neutral: {HINTS['neutral']}."
    assert lines[1].startswith("neutral: 4 taken; passed over: ") and "no single face" in lines[1]
    assert lines[2] == f"Show happiness: {HINTS['happiness']}."
    assert lines[3].startswith("happiness: 4 taken")
    assert "0 of 4: show your face to the camera, alone" in err and "4 of 4" in err
    assert calibration.labels == ["neutral"] * 4 + ["happiness"] * 4


# On the page


class Watched(WebState):
    """A state at which somebody looks, or not, as the test says."""

    looked_at = True

    @property
    def is_watched(self):
        return self.looked_at

    @property
    def view(self):
        return self.info()["calibration"]


@pytest.fixture
def state():
    return Watched("test", [], [])


@pytest.fixture
def page(state, ensemble):
    used = []
    page = PageCalibration(state, lambda: ensemble, used.append)
    page.used = used
    yield page
    page.close()


def known(name, ensemble):
    from expression_ros.recognition.adapted_vote import descriptor_digest
    from expression_ros.recognition.person import Person

    save_person(Person(name, np.zeros((1, 256), np.float32), ("neutral",), np.zeros(1, int),
                       descriptor_digest(ensemble), 3.0))  # fmt: skip


def test_the_page_tells_each_step(page, state, grey):
    assert state.view["step"] == "idle" and state.view["persons"] == []
    page.start("ada")
    assert page.is_asking
    view = state.view
    assert (view["step"], view["name"], view["emotion"]) == ("asking", "ada", "neutral")
    assert (view["number"], view["of"], view["taken"], view["frames"]) == (1, 5, 0, 10)
    for k in range(20):
        page.offer(grey, k / RATE)
    assert state.view["taken"] > 0
    page.skip()
    assert (state.view["number"], state.view["emotion"]) == (2, "happiness")
    page.cancel()
    assert not page.is_asking and state.view["message"] == "Stopped; nothing was kept."
    assert person_names() == [] and "emotion" not in state.view


def test_one_at_a_time_and_nobody_is_overwritten(page, ensemble):
    known("ada", ensemble)
    with pytest.raises(PersonError, match="ada is known already; choose a further session"):
        page.start("ada")
    with pytest.raises(PersonError, match="nobody is called bob"):
        page.start("bob", again=True)
    with pytest.raises(PersonError, match="not a name for a person"):
        page.start("../ada")
    page.start("eve")
    with pytest.raises(PersonError, match="eve is being calibrated; wait"):
        page.start("bob")


def test_nobody_is_asked_when_the_page_is_closed(page, state, grey):
    page.start("ada")
    page.offer(grey, 0.0)
    state.looked_at = False
    page.offer(grey, 4.0)
    assert page.is_asking
    page.offer(grey, 5.1)
    assert not page.is_asking and "the page was closed" in state.view["message"]


def test_too_little_is_not_saved_and_the_reason_told(page, state):
    page.start("ada")
    while page.is_asking:
        page.skip()
    page._learning.join()
    assert state.view["step"] == "idle" and person_names() == []
    assert state.view["message"].startswith("Not saved: no clear face was taken")
    assert page.used == []


def test_an_error_nobody_thought_of_ends_the_dialogue_too(page, state, monkeypatch):
    monkeypatch.setattr(Calibration, "fit", lambda self: 1 / 0)
    page.start("ada")
    while page.is_asking:
        page.skip()
    page._learning.join()
    assert state.view["message"] == "Not saved: ZeroDivisionError: division by zero"


def test_a_person_is_used_and_forgotten(page, state, ensemble):
    known("ada", ensemble)
    page.use("ada")
    assert page.used == ["ada"] and state.view["in_use"] == "ada"
    page.forget("ada")
    assert page.used == ["ada", ""] and state.view["in_use"] == "" and person_names() == []
    with pytest.raises(PersonError, match="cannot be deleted"):
        page.forget("ada")


def test_where_nodes_read_the_remedy_is_told(state, ensemble):
    page = PageCalibration(state, lambda: ensemble, how_to_use="person:={name}")
    known("ada", ensemble)
    with pytest.raises(PersonError, match="person:=ada"):
        page.use("ada")
    assert state.view["can_use"] is False
