"""A calibration over the page's HTTP, of somebody who shows what is asked for."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from obedient_person import ObedientPerson
from test_web_server import wait_until
from web_client import Client

from expression_ros.recognition.person import load_person, person_names
from expression_ros.web.server import WebServer
from expression_ros.web.video_session import VideoSession


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def person(clips, astronaut):
    return ObedientPerson(clips / "single_face.mp4", astronaut)


@pytest.fixture(scope="module")
def session(home, person):
    session = VideoSession(lambda: person, "somebody")
    person.asked = lambda: session.state.info()["calibration"].get("emotion", "")
    session.start()
    yield session
    session.close()


@pytest.fixture(scope="module")
def web(session):
    server = WebServer(session, port=0)
    server.start()
    client = Client(server.address)
    wait_until(lambda: client.state()["label"], "a face")
    yield client
    server.stop()


def step(web, **wanted):
    status, _, body = web.ask("/calibration", "POST", json.dumps(wanted).encode())
    return status, json.loads(body)


def told(web):
    return web.state()["calibration"]


def leading(web):
    scores = web.state()["scores"]
    return max(scores, key=scores.get, default="")


def test_a_person_is_asked_learnt_used_and_forgotten(web, session, person, home):
    assert told(web)["step"] == "idle"
    with session.state.watching():
        assert step(web, do="start", name="ada") == (200, {"do": "start", "name": "ada"})
        status, answer = step(web, do="start", name="bob")
        assert status == 409 and "ada is being calibrated" in answer["error"]
        wait_until(lambda: told(web).get("taken", 0) > 0, "images of neutral")
        wait_until(lambda: told(web).get("emotion") == "happiness", "the next question")
        wait_until(lambda: "alone" in told(web).get("advice", ""), "advice to whom nobody sees")
        step(web, do="skip")
        wait_until(lambda: told(web).get("emotion") == "surprise", "surprise")
        for emotion in ("sadness", "anger"):
            wait_until(lambda e=emotion: told(web).get("emotion") == e, emotion)
            step(web, do="skip")
        view = wait_until(lambda: (v := told(web))["step"] == "idle" and v, "the end")
    assert view["message"].startswith("ada is saved. From now on"), view["message"]
    assert view["persons"] == ["ada"] and view["in_use"] == "ada"
    rows = {row["label"]: row for row in view["result"]["rows"]}
    assert rows["surprise"]["faces"] == 10 and rows["surprise"]["before"] == 10
    assert rows["all"]["after"] < rows["all"]["before"]
    assert load_person("ada").counts() == {"neutral": 10, "surprise": 10}
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["ada.npz"]  # and no image

    person.asked = lambda: "surprise"
    wait_until(lambda: leading(web) == "surprise", "the person's own surprise")
    assert step(web, do="use", name="")[0] == 200
    wait_until(lambda: leading(web) == "happiness", "what anybody would see")
    assert step(web, do="use", name="ada")[0] == 200
    wait_until(lambda: leading(web) == "surprise", "the person's own surprise again")
    assert step(web, do="forget", name="ada")[0] == 200
    assert person_names() == [] and told(web)["in_use"] == ""
    wait_until(lambda: leading(web) == "happiness", "the general models again")
    person.asked = lambda: session.state.info()["calibration"].get("emotion", "")


def test_stopping_keeps_nothing(web, session):
    with session.state.watching():
        assert step(web, do="start", name="eve")[0] == 200
        wait_until(lambda: told(web).get("taken", 0) > 2, "pictures")
        assert step(web, do="cancel")[0] == 200
    assert told(web)["step"] == "idle" and "nothing was kept" in told(web)["message"]
    assert person_names() == []


@pytest.mark.parametrize(
    ("wanted", "status", "line"),
    [
        ({"do": "start", "name": "../../etc/x"}, 409, "is not a name for a person"),
        ({"do": "start", "name": ""}, 409, "is not a name for a person"),
        ({"do": "start", "name": "a%sb"}, 409, "'a%sb' is not a name"),
        ({"do": "forget", "name": "nobody"}, 409, "cannot be deleted"),
        ({"do": "use", "name": "nobody"}, 409, "nobody is called nobody"),
        ({"do": "use", "name": "../x"}, 409, "is not a name for a person"),
        ({"do": "dance"}, 400, "send JSON with do (start, skip"),
        ({"do": "start", "name": 3}, 400, "send JSON with do"),
        ({"do": "start", "name": "a", "again": "yes"}, 400, "send JSON with do"),
        ([], 400, "send JSON with do"),
        ({"do": ["start"]}, 400, "send JSON with do"),
        ({"do": "start", "name": "a" * 5000}, 413, "too long"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_in_one_line(web, wanted, status, line):
    found, _, body = web.ask("/calibration", "POST", json.dumps(wanted).encode())
    assert found == status and line in json.loads(body)["error"]


def test_another_page_cannot_calibrate_or_forget(web):
    foreign = {"Origin": "http://evil.example"}
    for wanted in ({"do": "start", "name": "eve"}, {"do": "forget", "name": "ada"}):
        status, _, _ = web.ask("/calibration", "POST", json.dumps(wanted).encode(), foreign)
        assert status == 403
    assert told(web)["step"] == "idle"


def test_skip_and_cancel_without_a_dialogue_do_nothing(web):
    assert step(web, do="skip")[0] == step(web, do="cancel")[0] == 200
    assert told(web)["step"] == "idle"


def test_each_emotion_has_an_example_and_nothing_else_has(web):
    for emotion in ("neutral", "happiness", "anger"):
        status, headers, body = web.ask(f"/example/{emotion}")
        assert status == 200 and headers["Content-Type"] == "image/jpeg" and body[:2] == b"\xff\xd8"
    assert web.ask("/example/nothing")[0] == 404
