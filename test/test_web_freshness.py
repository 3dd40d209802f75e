"""What the page shows is of now, or says how old it is and who is silent."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import cv2
import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from web_client import Client

from expression_ros.frames.opening import open_source
from expression_ros.web.page_calibration import ASKING, PageCalibration
from expression_ros.web.server import WebServer
from expression_ros.web.state import RECOGNIZER, WebState
from expression_ros.web.video_session import VideoSession

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def portrait(astronaut, tmp_path_factory):
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    return path


class StallingSource:
    """A camera that shows a portrait until it is told to stall: then no frame comes any more."""

    is_live = True
    description = "a camera that stalls"

    def __init__(self, path):
        self._source = open_source(str(path))
        self.stalled = threading.Event()
        self.goes_on = threading.Event()

    def __getattr__(self, name):
        return getattr(self._source, name)

    def read(self):
        if self.stalled.is_set():
            self.goes_on.wait(PATIENCE_S)
        time.sleep(0.03)
        self._source.rewind()
        return self._source.read()


# The state


def test_the_pulse_says_how_old_the_newest_frame_is_and_who_is_silent():
    state = WebState("a camera", [], [])
    assert state.pulse(100.0)["age"] is None
    state.frame_read(100.0)
    assert state.pulse(100.5) == {"age": 0.5, "silent": "camera"}
    state.suspect(RECOGNIZER)
    assert state.pulse(103.0) == {"age": 3.0, "silent": "recognizer"}


def test_the_server_goes_on_telling_how_old_a_frame_is_that_nobody_follows():
    """Also while nothing changes: a browser knows by it that the server lives."""

    class Quiet:
        state = WebState("a camera", [], [])

    Quiet.state.frame_read()
    server = WebServer(Quiet(), port=0)
    server.start()
    try:
        ages = []
        with Client(server.address).events() as events:
            for name, data in events:
                if name == "pulse":
                    ages.append(data["age"])
                if len(ages) == 4:
                    break
        assert ages == sorted(ages) and ages[-1] - ages[0] >= 1.4
    finally:
        server.stop()


def test_views_of_a_calibration_are_told_in_their_order(monkeypatch, tmp_path):
    """The one who built a view first tells it first, also if it is held up before it does."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    state = WebState("a camera", [], [])
    calibration = PageCalibration(state, lambda: None)
    told, held_up, newer_told = state.told, threading.Event(), threading.Event()

    def held(**changes):
        if changes["calibration"]["message"] == "older":
            held_up.set()
            newer_told.wait(0.5)
        told(**changes)

    monkeypatch.setattr(state, "told", held)
    calibration._step = ASKING
    older = threading.Thread(target=calibration.cancel, args=("older",))
    older.start()
    assert held_up.wait(PATIENCE_S)
    with calibration._lock:
        calibration._step = ASKING
    calibration.cancel("newer")
    newer_told.set()
    older.join()
    assert state.info()["calibration"]["message"] == "newer"


def test_uploads_that_are_broken_off_leave_nothing_behind(portrait):
    """Forty of nine megabytes each once stayed in memory for good."""
    session = VideoSession(lambda: open_source(str(portrait)), "the portrait", loop=True)
    server = WebServer(session, port=0)
    server.start()
    size, sent = 9_500_000, 4_000_000
    try:
        address = Client(server.address)
        before = memory()
        for _ in range(40):
            connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
            connection.putrequest("POST", "/photo")
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            connection.send(b"\xff\xd8" + bytes(sent))
            connection.close()
        end = time.monotonic() + PATIENCE_S
        while memory() - before > 40e6 and time.monotonic() < end:
            time.sleep(0.1)
        assert memory() - before < 40e6
        assert address.photo(portrait.read_bytes())[0] == 200
    finally:
        server.stop()
        session.close()


def memory():
    """Return the bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# The page in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright: pip install '.[browser]'"
    )
    installed = (os.environ.get("EXPRESSION_ROS_BROWSER") or shutil.which("chromium")
                 or shutil.which("google-chrome"))  # fmt: skip
    with playwright.sync_playwright() as starter:
        try:
            browser = starter.chromium.launch(
                executable_path=installed, args=["--no-sandbox", "--disable-gpu"]
            )
        except playwright.Error as error:
            line = str(error).strip().splitlines()[0]
            pytest.skip(f"no browser (apt install chromium, or playwright install): {line}")
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(1000 * PATIENCE_S)
    yield context.new_page()
    context.close()


def expect(locator):
    from playwright.sync_api import expect

    expect.set_options(timeout=1000 * PATIENCE_S)
    return expect(locator)


def test_a_camera_that_stalls_is_told_and_what_it_last_showed_is_marked_as_old(page, portrait):
    source = StallingSource(portrait)
    session = VideoSession(lambda: source, "a camera")
    session.start()
    server = WebServer(session, port=0)
    server.start()
    try:
        page.goto(server.address)
        connection = page.locator("#connection")
        expect(page.locator("#label")).to_have_text("happiness")
        expect(connection).to_have_text("live")
        expect(page.locator("#age")).to_have_text("")
        source.stalled.set()
        expect(connection).to_have_text("no image from the camera")
        expect(page.locator("#age")).to_have_text(re.compile(r"as it was \d+ s ago"))
        expect(page.locator("body")).to_have_class("old")
        expect(page.locator("#expression")).to_have_text("neutral")  # the robot lets go
        source.stalled.clear()
        source.goes_on.set()
        expect(connection).to_have_text("live")
        expect(page.locator("#age")).to_have_text("")
    finally:
        source.goes_on.set()
        server.stop()
        session.close()


CURVE = """async () => {
    const { LastMinute } = await import(new URL("last_minute.js",
        document.querySelector("script[src]").src));
    const drawn = [];
    const ignore = () => undefined;
    const pen = new Proxy({}, {
        get: (_, name) => ["moveTo", "lineTo"].includes(name) ? () => drawn.push(name) : ignore,
        set: () => true,
    });
    const canvas = { clientWidth: 600, clientHeight: 200, getContext: () => pen };
    const minute = new LastMinute(canvas);
    minute.labels = ["fear"];
    minute.drawAxes = minute.drawNames = ignore;
    minute.restart([30, 29.75, 29.5, 10, 9.75].map((age) => ({ age, scores: { fear: 0.5 } })));
    return drawn;
}"""


def test_no_curve_is_drawn_over_a_time_of_which_nothing_is_known(page, portrait):
    session = VideoSession(lambda: open_source(str(portrait)), "the portrait", loop=True)
    server = WebServer(session, port=0)
    server.start()
    try:
        page.goto(server.address)
        drawn = page.evaluate(CURVE)
    finally:
        server.stop()
        session.close()
    assert drawn == ["moveTo", "lineTo", "lineTo", "moveTo", "lineTo"]


def test_without_a_camera_nobody_is_said_to_be_there_or_not(page):
    session = VideoSession(lambda: open_source("/dev/video99"), "webcam 99")
    session.start()
    server = WebServer(session, port=0)
    server.start()
    try:
        page.goto(server.address)
        expect(page.locator("#connection")).to_have_text("no image from the camera")
        expect(page.locator("#expression")).to_have_text("neutral")
        expect(page.locator("#label")).to_have_text("nothing yet")
        expect(page.locator("#minute-text")).to_contain_text("Nothing is known")
    finally:
        server.stop()
        session.close()


def test_a_server_that_is_silent_and_one_that_is_dead_are_told_apart(page, portrait):
    command = [sys.executable, "-m", "expression_ros.cli", "web", "--video", str(portrait),
               "--loop", "--port", "0"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = next(line for line in process.stdout if "http://" in line)
        page.goto(re.search(r"http://[^ ,]+", line)[0])
        connection = page.locator("#connection")
        expect(connection).to_have_text("live")
        expect(page.locator("#label")).to_have_text("happiness")
        os.kill(process.pid, signal.SIGSTOP)
        expect(connection).to_have_text("the server is silent")
        expect(page.locator("#age")).to_have_text(re.compile("as it was"))
        expect(page.locator("body")).to_have_class("old cut-off")
        os.kill(process.pid, signal.SIGCONT)
        expect(connection).to_have_text("live")
        process.kill()
        process.wait()
        expect(connection).to_contain_text("the connection is lost")
        expect(page.locator("#age")).to_have_text(re.compile("as it was"))
    finally:
        os.kill(process.pid, signal.SIGCONT) if process.poll() is None else None
        process.kill()
        process.wait()


def test_words_and_curves_of_the_last_minute_agree_from_the_first_moment(page, portrait):
    session = VideoSession(lambda: open_source(str(portrait)), "the portrait", loop=True)
    session.start()
    server = WebServer(session, port=0)
    server.start()
    try:
        client = Client(server.address)
        end = time.monotonic() + PATIENCE_S
        while client.state()["label"] != "happiness" and time.monotonic() < end:
            time.sleep(0.05)
        page.goto(server.address)
        page.wait_for_selector("#overlay:not([hidden])")
        assert "happiness" in page.locator("#minute-text").inner_text()
    finally:
        server.stop()
        session.close()
