"""The page in a real browser without a window, in front of a real recognition."""

from __future__ import annotations

import base64
import os
import re
import shutil
import time

import cv2
import pytest

pytest.importorskip("tornado", reason="needs Tornado: pip install '.[web]'")
pytest.importorskip("playwright", reason="needs Playwright: pip install '.[browser]'")

from obedient_person import ObedientPerson
from playwright import sync_api as playwright

from expression_ros.frames.opening import open_source
from expression_ros.web.server import WebServer
from expression_ros.web.video_session import VideoSession

PATIENCE_MS = 30_000
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True,
         "device_scale_factor": 2, "color_scheme": "dark"}  # fmt: skip
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
# Without what a browser asks of its maker's hosts at each start.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    """Return a running Chromium: one that is installed, else Playwright's own; or skip."""
    installed = (os.environ.get("EXPRESSION_ROS_BROWSER") or shutil.which("chromium")
                 or shutil.which("google-chrome"))  # fmt: skip
    with playwright.sync_playwright() as starter:
        try:
            browser = starter.chromium.launch(executable_path=installed, args=ARGUMENTS)
        except playwright.Error as error:
            line = str(error).strip().splitlines()[0]
            pytest.skip(f"no browser (apt install chromium, or playwright install): {line}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def portrait(astronaut, tmp_path_factory):
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    return path


@pytest.fixture(scope="module")
def session(portrait):
    session = VideoSession(lambda: open_source(str(portrait)), "the portrait", loop=True)
    session.start()
    yield session
    session.close()


@pytest.fixture(scope="module")
def server(session):
    server = WebServer(session, port=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_page(browser, server):
    """Return a function that opens the page; at the end nothing may have been complained of."""
    contexts, complaints, foreign = [], [], []

    def open_it(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(server.address)
                else foreign.append(r.url))  # fmt: skip
        page.goto(server.address)
        page.wait_for_selector("#overlay:not([hidden])")
        playwright.expect(page.locator("#label")).to_have_text("happiness", timeout=PATIENCE_MS)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints and not foreign


def test_person_robot_scores_and_diagnostics_are_shown(open_page):
    page = open_page(**DESKTOP)
    playwright.expect(page.locator("#expression")).to_have_text("smile", timeout=PATIENCE_MS)
    page.wait_for_selector("#robot:not([hidden])")
    page.wait_for_function("() => overlay.naturalWidth === 512 && robot.naturalWidth === 320")
    row = page.get_by_role("row", name=re.compile("happiness"))
    share = float(re.search(r"(\d+) %", row.inner_text()).group(1))
    track, bar = (row.locator(s).bounding_box() for s in (".track", ".bar"))
    assert share > 50
    playwright.expect(row).to_have_class("leading")
    assert bar["width"] / track["width"] == pytest.approx(share / 100, abs=0.05)
    playwright.expect(page.locator("#diagnostics li")).to_have_count(3, timeout=PATIENCE_MS)
    playwright.expect(page.locator("#diagnostics")).to_contain_text("1 face;")
    playwright.expect(page.locator("#faces-in-view")).to_have_text("One face in view")


def test_the_images_go_on(open_page):
    page = open_page(**DESKTOP)
    first = page.get_attribute("#overlay", "src")
    page.wait_for_function("before => overlay.getAttribute('src') !== before", arg=first)


def test_the_last_minute_is_a_curve_and_words(open_page):
    page = open_page(**DESKTOP)
    words = page.locator("#minute-text")
    playwright.expect(words).to_contain_text("happiness 100 %", timeout=PATIENCE_MS)
    colours = "[...minute.getContext('2d').getImageData(0, 0, minute.width, minute.height).data]"
    page.wait_for_function(  # the curve's own yellow, of happiness
        f"(() => {{ const d = {colours}; for (let k = 0; k < d.length; k += 4)"
        " if (d[k] === 240 && d[k+1] === 228 && d[k+2] === 66) return true; return false; })()"
    )
    described = page.get_attribute("#minute", "aria-describedby")
    assert page.locator(f"#{described}").inner_text() == words.inner_text()


@pytest.mark.parametrize("size", [DESKTOP, PHONE, {"viewport": {"width": 320, "height": 568}}])
def test_nothing_sticks_out_at_the_side(open_page, size):
    page = open_page(**size)
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    for name in ("#overlay", "#robot", "#scores", "#minute", "#choose-robot", "#photo-file"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= inner + 1, name
        assert box["height"] > 20, name
    overlay = page.locator("#overlay").bounding_box()
    assert overlay["y"] + overlay["height"] <= size["viewport"]["height"]  # seen without scrolling


def test_the_robot_is_chosen_with_the_keyboard_alone(open_page, session):
    page = open_page(**DESKTOP)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2, f"no focus to be seen on {seen[-1]}"
        if seen[-1] == "choose-robot":
            break
    assert seen[:2] == ["skip", "pause"] and seen[-1] == "choose-robot"
    page.keyboard.type("pal")
    page.keyboard.press("Tab")
    page.keyboard.type("emp")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    answer = page.get_by_role("status").filter(has_text="answers now")
    playwright.expect(answer).to_have_text("pal answers now, style empathic", timeout=PATIENCE_MS)
    playwright.expect(page.locator("#expression")).to_have_text("happy", timeout=PATIENCE_MS)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "photo-file"
    assert session.choose("virtual_face", "mirror").result() == ""


def test_a_label_is_read_out_once_and_not_at_each_frame(open_page):
    page = open_page(**DESKTOP)
    said = page.locator("[aria-live=polite]")
    playwright.expect(said).to_have_text("Person: happiness; the robot shows smile",
                                         timeout=PATIENCE_MS)  # fmt: skip
    changes = page.evaluate(
        """() => new Promise((done) => {
             let spoken = 0, frames = 0;
             const live = "[aria-live]:not([aria-live=off]), [role=status], [role=alert]";
             for (const element of document.querySelectorAll(live))
               new MutationObserver(() => spoken++).observe(
                 element, {childList: true, characterData: true, subtree: true});
             overlay.addEventListener("load", () => { if (++frames === 20) done(spoken); });
           })"""
    )
    assert changes == 0


def expect_one_happy_face(page):
    playwright.expect(page.locator("#photo-answer")).to_have_text("1 face found",
                                                                  timeout=PATIENCE_MS)  # fmt: skip
    playwright.expect(page.locator("#photo-faces li")).to_contain_text("happiness")
    page.wait_for_selector("#photo:not([hidden])")
    assert page.evaluate("[photo.width, photo.height]") == [512, 512]


def test_a_photo_is_chosen_and_read(open_page, portrait):
    page = open_page(**PHONE)
    page.get_by_label("Drop a photo here, or choose one").set_input_files(portrait)
    expect_one_happy_face(page)
    page.get_by_label("Drop a photo here, or choose one").set_input_files(portrait)
    expect_one_happy_face(page)  # the same file once more


def test_a_photo_is_dropped_and_read(open_page, portrait):
    page = open_page(**DESKTOP)
    data = base64.b64encode(portrait.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """(data) => {
             const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
             const transfer = new DataTransfer();
             transfer.items.add(new File([bytes], "photo.png", {type: "image/png"}));
             return transfer;
           }""",
        data,
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    playwright.expect(page.locator("#drop")).to_have_class("over")
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect_one_happy_face(page)


def test_a_photo_that_is_too_large_is_not_even_sent(open_page, tmp_path):
    page = open_page(**DESKTOP)
    (tmp_path / "large.jpg").write_bytes(bytes(11 * 1024 * 1024))
    sent = []
    page.on("request", lambda r: sent.append(r.url) if "/photo" in r.url else None)
    page.set_input_files("#photo-file", tmp_path / "large.jpg")
    playwright.expect(page.locator("#photo-answer")).to_contain_text("10 MB")
    assert not sent


def test_pause_stops_the_stream_and_a_second_press_goes_on(open_page, session):
    page = open_page(**DESKTOP)
    button = page.get_by_role("button", name="Pause")
    button.click()
    until(lambda: session.state.watchers == 0, page, "nobody to look")
    playwright.expect(page.locator("#connection")).to_have_text("paused")
    again = page.get_by_role("button", name="Go on")
    playwright.expect(again).to_have_attribute("aria-pressed", "true")
    again.press("Enter")
    until(lambda: session.state.watchers == 1, page, "somebody to look")
    playwright.expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)


def until(condition, page, what):
    end = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        if condition():
            return
        page.wait_for_timeout(20)  # the browser's events go on meanwhile
    raise AssertionError(f"waited in vain for {what}")


def test_who_wants_little_motion_gets_two_images_a_second(open_page):
    page = open_page(**DESKTOP, reduced_motion="reduce")
    duration = "getComputedStyle(document.querySelector('.bar')).transitionDuration"
    assert page.evaluate(duration) == "0s"
    seconds = page.evaluate(
        """() => new Promise((done) => {
             let count = 0, begin;
             overlay.addEventListener("load", () => {
               begin ??= performance.now();
               if (count++ === 4) done((performance.now() - begin) / 1000);
             });
           })"""
    )
    assert seconds > 1.8


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(open_page, portrait, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs pip install axe-playwright-python"
    )
    page = open_page(viewport=PHONE["viewport"], color_scheme=scheme, bypass_csp=True)
    page.set_input_files("#photo-file", portrait)
    expect_one_happy_face(page)
    result = axe.Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert len(result.response["passes"]) > 20


@pytest.fixture
def asking(browser, clips, astronaut, tmp_path, monkeypatch):
    """Return a page in front of somebody who shows what is asked for."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    person = ObedientPerson(clips / "single_face.mp4", astronaut)
    session = VideoSession(lambda: person, "somebody")
    person.asked = lambda: session.state.info()["calibration"].get("emotion", "")
    session.start()
    server = WebServer(session, port=0)
    server.start()
    context = browser.new_context(**PHONE)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server.address)
    page.wait_for_selector("#overlay:not([hidden])")
    yield page
    context.close()
    server.stop()
    session.close()
    assert not complaints


def test_a_person_is_calibrated_with_the_keyboard(asking):
    page, expect = asking, playwright.expect
    answer = page.locator("#calibration-answer")
    page.get_by_label("Name").fill("no name")
    page.get_by_label("Name").press("Enter")
    assert page.evaluate("document.querySelector('#calibration-name').validity.patternMismatch")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Name").press("Enter")
    question = page.locator("#calibration-question")
    expect(question).to_contain_text("Show neutral: ", timeout=PATIENCE_MS)
    expect(question).to_contain_text("(1 of 5)")
    assert page.evaluate("document.activeElement.id") == "calibration-skip"
    page.wait_for_function(
        "() => document.querySelector('#calibration-example').naturalWidth === 320"
    )
    example = page.get_by_alt_text("A drawn face that shows neutral")
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert example.bounding_box()["width"] > 90 and wide <= inner
    page.wait_for_function("() => document.querySelector('#calibration-progress').value > 2")
    expect(page.locator("#calibration-taken")).to_contain_text(" of 10")
    expect(question).to_contain_text("happiness", timeout=PATIENCE_MS)
    expect(page.locator("#calibration-advice")).to_have_text(
        "Please show your face to the camera, alone.", timeout=PATIENCE_MS
    )
    page.keyboard.press("Enter")  # skips
    for emotion in ("sadness", "anger"):
        expect(question).to_contain_text(emotion, timeout=PATIENCE_MS)
        page.keyboard.press("Enter")
    expect(answer).to_contain_text("ada is saved. From now on", timeout=PATIENCE_MS)
    table = page.locator("#calibration-result")
    expect(table.get_by_role("row", name=re.compile("^surprise 10 10 "))).to_be_visible()
    expect(page.locator("#person-in-use")).to_have_text("Read as: ada")

    page.locator("#choose-person").select_option("anybody")
    page.get_by_role("button", name="Read as this person").press("Enter")
    expect(page.locator("#person-in-use")).to_have_text("Read as: anybody")
    page.locator("#choose-person").select_option("ada")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget").press("Enter")
    expect(answer).to_have_text("ada is forgotten.", timeout=PATIENCE_MS)
    expect(page.locator("#persons")).to_be_hidden()


def test_a_lost_server_is_said_and_found_again(browser, session):
    server = WebServer(session, port=0)
    server.start()
    port = int(server.address.rstrip("/").rsplit(":", 1)[1])
    context = browser.new_context(**DESKTOP)
    try:
        page = context.new_page()
        page.goto(server.address)
        connection = page.locator("#connection")
        playwright.expect(connection).to_have_text("live", timeout=PATIENCE_MS)
        server.stop()
        playwright.expect(connection).to_contain_text("lost", timeout=PATIENCE_MS)
        server = WebServer(session, port=port)
        server.start()
        playwright.expect(connection).to_have_text("live", timeout=PATIENCE_MS)
    finally:
        context.close()
        server.stop()
