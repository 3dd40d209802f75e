"""The page's server over a real socket, in front of a real recognition."""

from __future__ import annotations

import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")

from web_client import Client

from expression_ros.frames.opening import open_source
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.web.handlers import STATIC
from expression_ros.web.painting import MAX_RATE, Painter, overlay_jpeg
from expression_ros.web.photo_reading import MAX_PHOTO_BYTES
from expression_ros.web.server import ServerError, WebServer
from expression_ros.web.state import OVERLAY, WebState
from expression_ros.web.video_session import VideoSession

PATIENCE_S = 30.0
REPOSITORY = Path(__file__).resolve().parent.parent


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain for {what}")


@pytest.fixture(scope="module")
def portrait(astronaut, tmp_path_factory):
    """Return a PNG file of the smiling portrait, wider than an image on the page may be."""
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    cv2.imwrite(str(path), cv2.resize(astronaut, (1024, 1024)))
    return path


@pytest.fixture(scope="module")
def session(portrait):
    session = VideoSession(lambda: open_source(str(portrait)), "the portrait", loop=True)
    session.start()
    yield session
    session.close()


@pytest.fixture(scope="module")
def web(session):
    server = WebServer(session, port=0, allowed_hosts=["robot.lan"])
    server.start()
    client = Client(server.address)
    wait_until(lambda: client.state()["label"] == "happiness", "the portrait's label")
    yield client
    server.stop()


# The page itself


def test_page_and_files_are_served_with_headers_that_keep_others_out(web):
    for path, kind in (("/", "text/html"), ("/static/page.js", "javascript"),
                       ("/static/style.css", "text/css"), ("/static/icon.svg", "svg")):  # fmt: skip
        status, headers, body = web.ask(path)
        assert status == 200 and body, path
        assert kind in headers["Content-Type"], path
        assert "default-src 'self'" in headers["Content-Security-Policy"], path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert "Server" not in headers, path


def test_nothing_comes_from_elsewhere_and_no_script_is_in_the_page():
    files = [file for file in STATIC.iterdir() if file.suffix in (".html", ".css", ".js")]
    assert len(files) >= 4
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"""(https?:)?//[a-z]|@import|url\(""", _without_comments(text)), file
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)


def _without_comments(text):
    return re.sub(r"(?m)^\s*//.*$|/\*.*?\*/", "", text)


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/nothing",
                                  "/static/page%00.js", "/static/a%ff"])  # fmt: skip
def test_nothing_else_is_served(web, path, capfd):
    status, headers, body = web.ask(path)
    assert status in (400, 403, 404) and b"import" not in body and b"%s" not in body
    assert "Traceback" not in capfd.readouterr().err
    assert "Content-Security-Policy" in headers


# Who may ask


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example",
                                  "127.0.0.1.evil.example", "[::1", ""])  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/state", "/events", "/picture/overlay"])
def test_a_foreign_name_is_refused(web, name, path):
    status, _, body = web.ask(path, headers={"Host": name})
    assert status in (400, 403), body


@pytest.mark.parametrize("name", ["localhost", "localhost:99", "127.0.0.1", "[::1]:8080",
                                  "robot.lan", "ROBOT.lan.", "192.168.1.4:8080"])  # fmt: skip
def test_own_names_and_plain_addresses_are_answered(web, name):
    assert web.ask("/state", headers={"Host": name})[0] == 200


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"},
                                     {"Sec-Fetch-Site": "cross-site"},
                                     {"Sec-Fetch-Site": "same-site"}])  # fmt: skip
@pytest.mark.parametrize("path", ["/choice", "/photo"])
def test_another_page_can_change_and_send_nothing(web, path, headers):
    before = web.state()["robot"]
    body = b'{"robot": "pal", "style": "mirror"}'
    status, _, answer = web.ask(path, "POST", body, headers)
    assert status == 403 and b"another page" in answer
    assert web.state()["robot"]["name"] == before["name"]


def test_a_path_that_only_tells_takes_no_post(web):
    assert web.ask("/state", "POST", b"")[0] == 405


# What is told


def test_state_tells_person_robot_and_diagnostics(web):
    state = web.state()
    assert state["label"] == "happiness"
    assert sum(state["scores"].values()) == pytest.approx(1, abs=0.01)
    assert max(state["scores"], key=state["scores"].get) == "happiness"
    assert [face["id"] for face in state["faces"]] == ["1"]
    assert "virtual_face" in state["robots"] and "empathic" in state["styles"]
    wait_until(lambda: web.state()["robot"]["expression"] == "smile", "the robot's smile")
    names = wait_until(
        lambda: {d["name"] for d in web.state()["diagnostics"]} >= {"recognition", "source"},
        "diagnostics",
    )
    assert names


def test_events_begin_with_the_last_minute_and_go_on_with_what_changes(web):
    with web.events() as events:
        name, history = next(events)
        assert name == "history" and history
        assert all(0 <= point["age"] <= 60 for point in history)
        assert history[-1]["scores"]["happiness"] > 0.5
        seen = {}
        for name, data in events:
            seen[name] = data
            if {"info", "frame"} <= set(seen):
                break
    assert seen["frame"]["label"] == "happiness" and "pictures" in seen["frame"]


# Images


def test_an_overlay_that_is_ready_after_the_last_one_left_is_not_kept():
    state = WebState("a film", [], [])
    painter = Painter(state)
    begun, left = threading.Event(), threading.Event()

    def make_jpeg():
        begun.set()
        assert left.wait(30)
        return b"a person"

    try:
        with state.watching():
            # The painter may forget the first offer: it rests while nobody looks.
            wait_until(lambda: painter.offer(make_jpeg) or begun.is_set(), "an image begun")
        left.set()
    finally:
        painter.stop()
    assert not painter.problem
    assert state.image(OVERLAY) == (0, b"")


def test_images_are_made_only_while_somebody_looks(web, session):
    wait_until(lambda: session.state.watchers == 0, "nobody looking")
    wait_until(lambda: web.ask("/picture/overlay")[0] == 204, "the overlay to be forgotten")
    number = session.state.image("overlay")[0]
    begin = time.monotonic()
    wait_until(lambda: session.state.history(begin)[-1]["age"] < -1.0, "a second of frames")
    assert session.state.image("overlay")[0] == number
    with web.events() as events:
        for name, data in events:
            made = data["pictures"] if name == "frame" else {}
            if made.get("overlay", 0) > number and made["robot"]:  # which is made after it
                break
        status, headers, jpeg = web.ask("/picture/overlay")
        assert status == 200 and headers["Content-Type"] == "image/jpeg"
        assert headers["Cache-Control"] == "no-store"
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (640, 640, 3)
        face = cv2.imdecode(np.frombuffer(web.ask("/picture/robot")[2], np.uint8), cv2.IMREAD_COLOR)
        assert face.shape == (240, 320, 3)
    wait_until(lambda: web.ask("/picture/overlay")[0] == 204, "the overlay to be forgotten")


def test_no_more_images_are_made_than_fifteen_a_second(astronaut, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), astronaut)
    session = VideoSession(
        lambda: open_source(str(tmp_path), frame_rate=60.0), "sixty a second", loop=True
    )
    session.start()
    try:
        with session.state.watching():
            first = wait_until(lambda: session.state.image("overlay")[0], "an image")
            begin = time.monotonic()
            wait_until(lambda: session.state.image("overlay")[0] >= first + 30, "30 images")
            rate = 30 / (time.monotonic() - begin)
    finally:
        session.close()
    assert rate <= MAX_RATE * 1.05  # how slow it may be is the machine's affair


def test_a_wide_frame_is_drawn_small_and_left_as_it_was(astronaut):
    frame = cv2.resize(astronaut, (1280, 1280))
    before = frame.copy()
    box = Box(400, 200, 300, 300)
    face = FaceReading(1, box, "happiness", 0.9, {"happiness": 0.9, "neutral": 0.1})
    reading = FrameReading((face,), primary=face)
    jpeg = overlay_jpeg(frame, reading)
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (640, 640, 3)
    assert np.array_equal(frame, before)
    plain = cv2.resize(frame, (640, 640), interpolation=cv2.INTER_AREA)
    x, y, _, h = (value // 2 for value in box)
    changed = np.abs(image.astype(int) - plain).max(axis=2) > 60
    assert changed[y : y + h, x - 2 : x + 3].mean() > 0.5  # the left edge of the box is there


def test_a_browser_that_stops_reading_holds_up_nobody(web, session):
    stuck = [socket.create_connection((web.host, web.port)) for _ in range(3)]
    try:
        for connection in stuck:
            connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: session.state.watchers >= 3, "three who look")
        read = session._frames
        wait_until(lambda: session._frames > read + 20, "frames that are read")
        assert web.state()["label"] == "happiness"
    finally:
        for connection in stuck:
            connection.close()
    wait_until(lambda: session.state.watchers == 0, "them to be gone")


def test_more_browsers_than_can_be_served_are_told_so(web, session):
    holders = [session.state.watching() for _ in range(20)]
    for holder in holders:
        holder.__enter__()
    try:
        status, _, body = web.ask("/events")
        assert status == 503 and b"look already" in body
    finally:
        for holder in holders:
            holder.__exit__(None, None, None)


# Robot and style


def test_the_robot_changes_and_answers_in_its_own_words(web):
    try:
        assert web.choose(robot="pal", style="mirror")[0] == 200
        wait_until(lambda: web.state()["robot"]["expression"] == "happy", "pal's own word")
        assert web.state()["robot"]["name"] == "pal"
    finally:
        assert web.choose(robot="virtual_face", style="mirror")[0] == 200
    wait_until(lambda: web.state()["robot"]["expression"] == "smile", "the virtual face's word")


@pytest.mark.parametrize("choice", [
    {"robot": "nobody", "style": "mirror"}, {"robot": "/etc/passwd", "style": "mirror"},
    {"robot": "pal", "style": "../mirror"}, {"robot": ["pal"], "style": "mirror"},
    {"robot": "pal"}, {},
])  # fmt: skip
def test_a_choice_that_is_not_offered_is_refused(web, choice):
    status, answer = web.choose(**choice)
    assert status == 400 and answer["error"]
    assert web.state()["robot"]["name"] == "virtual_face"


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b"7" * 5000, b"\xff\xfe"])
def test_a_choice_that_is_no_json_is_refused(web, body):
    assert web.ask("/choice", "POST", body)[0] in (400, 413)


# Photos


def test_a_photo_is_read_with_boxes_and_scores(web, portrait):
    status, answer = web.photo(portrait.read_bytes())
    assert status == 200 and (answer["width"], answer["height"]) == (1024, 1024)
    (face,) = answer["faces"]
    assert face["label"] == "happiness"
    assert sum(face["scores"].values()) == pytest.approx(1, abs=0.01)
    x, y, w, h = face["box"]
    assert 300 < x < 480 and 80 < y < 240 and 140 < w < 320 and 140 < h < 320


def _png(width, height, data):
    def chunk(name, content):
        return (struct.pack(">I", len(content)) + name + content
                + struct.pack(">I", zlib.crc32(name + content)))  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b""))  # fmt: skip


@pytest.mark.parametrize(("data", "words"), [
    (b"", "not an image"), (b"no image at all", "not an image"), (b"<svg/>", "not an image"),
    (_png(30_000, 30_000, bytes(1000)), "too many pixels"),
    (_png(8000, 8000, bytes(1000)), "cut short"),
    (b"\xff\xd8\xff" + bytes(2000), "not an image"),
    (b"II*\x00" + bytes(2000), "not an image"),
])  # fmt: skip
def test_what_is_no_photo_or_a_bomb_gets_one_line(web, data, words):
    status, answer = web.photo(data)
    assert status == 400 and words in answer["error"] and "\n" not in answer["error"]


def test_a_photo_that_is_too_large_is_told_so_and_the_next_is_read(web, portrait):
    status, answer = web.photo(bytes(MAX_PHOTO_BYTES + 1))
    assert status == 413 and "10 MB" in answer["error"]
    assert web.photo(portrait.read_bytes())[0] == 200


_written: list[str] = []
_watching_files = threading.Event()


def _note_writing(event, arguments):
    if event == "open" and _watching_files.is_set():
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & 0b11:
            _written.append(str(path))


sys.addaudithook(_note_writing)


def test_neither_photos_nor_frames_are_written_to_any_file(web, session, portrait, tmp_path):
    _written.clear()
    _watching_files.set()
    try:
        (tmp_path / "shows that writing is seen").write_bytes(b"")
        web.photo(portrait.read_bytes())
        with web.events() as events:
            images = (d["pictures"]["overlay"] for n, d in events if n == "frame")
            first = next(images)
            assert next(number for number in images if number >= first + 5)
            web.ask("/picture/overlay")
    finally:
        _watching_files.clear()
    assert [Path(name).name for name in _written] == ["shows that writing is seen"]


# Sources that end or are missing


def test_when_the_video_ends_the_page_says_so_and_stays(portrait):
    told = []
    session = VideoSession(lambda: open_source(str(portrait)), "one image", tell=told.append)
    server = WebServer(session, port=0)
    server.start()
    client = Client(server.address)
    session.start()
    try:
        wait_until(lambda: "has ended" in client.state()["problem"], "the end to be told")
        wait_until(lambda: client.state()["robot"]["expression"] == "neutral", "a neutral robot")
        state = client.state()  # what was seen last, and how old it is: not that nobody is there
        assert state["label"] == "happiness" and state["age"] > 0
        assert client.photo(portrait.read_bytes())[0] == 200
    finally:
        server.stop()
        session.close()
    assert len(told) == 1 and "has ended" in told[0]


def test_images_that_cannot_be_read_are_counted_and_named(portrait, tmp_path):
    (tmp_path / "a.heic").write_bytes(b"no image")
    (tmp_path / "b.png").write_bytes(portrait.read_bytes())
    session = VideoSession(lambda: open_source(str(tmp_path)), "photos")
    session.start()
    try:
        rows = wait_until(
            lambda: [d for d in session.state.info()["diagnostics"] if d["name"] == "pictures"],
            "the count",
        )
        assert rows[0]["message"] == "1 could not be read: a.heic"
        assert rows[0]["level"] == "warning"
    finally:
        session.close()


def test_a_missing_camera_is_one_line_and_is_tried_until_it_is_there(portrait):
    told, there = [], threading.Event()

    def open_frames():
        return open_source(str(portrait) if there.is_set() else "/dev/video99")

    session = VideoSession(open_frames, "webcam 99", loop=True, tell=told.append)
    session.start()
    try:
        wait_until(lambda: session.state.info()["problem"], "the problem")
        assert "/dev/video99" in session.state.info()["problem"]
        wait_until(lambda: session.state.info()["diagnostics"], "diagnostics")
        assert session.state.info()["diagnostics"][0]["level"] == "warning"
        there.set()
        wait_until(lambda: session.state.frame()["label"], "a face")
        assert session.state.info()["problem"] == ""
    finally:
        session.close()
    assert len([line for line in told if "does not open" in line]) == 1


# Starting and ending


def test_a_port_in_use_and_a_wrong_address_are_one_line(web, session):
    for host, port in (("127.0.0.1", web.port), ("192.0.2.1", 0), ("no.such.host.invalid", 0)):
        with pytest.raises(ServerError) as problem:
            WebServer(session, host, port).start()
        assert "--port or --host" in str(problem.value) and "\n" not in str(problem.value)


def test_who_opens_the_page_to_the_network_is_warned_once(session):
    assert "without a password" in WebServer(session, "0.0.0.0").warning
    assert WebServer(session, "127.0.0.1").warning == WebServer(session, "::1").warning == ""


def test_the_server_ends_in_silence_although_somebody_looks(session, capfd):
    server = WebServer(session, port=0)
    server.start()
    with Client(server.address).events() as events:
        next(events)
        server.stop()
        assert not [t for t in threading.enumerate() if t is server._thread]
    server.stop()
    assert capfd.readouterr().err == ""


def command(*arguments):
    return [sys.executable, "-m", "expression_ros.cli", "web", *arguments]


def test_the_command_serves_a_video_and_ends_by_ctrl_c(portrait):
    process = subprocess.Popen(
        command("--video", str(portrait), "--loop", "--port", "0"), cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        client = Client(re.search(r"http://\S+", line).group())
        wait_until(lambda: client.state()["label"] == "happiness", "the portrait's label")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        _, errors = process.communicate()
    assert errors == ""


@pytest.mark.parametrize(("arguments", "words"), [
    (("--video", "none.mp4"), "none.mp4"), (("--camera", "face.mp4"), "--video"),
    (("--camera", "0", "--robot", "nobody", "--port", "0"), "nobody"),
    (("--camera", "0", "--port", "70000"), "--port"), (("--loop",), "--loop"),
])  # fmt: skip
def test_wrong_arguments_are_one_line(arguments, words):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 2 and words in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
