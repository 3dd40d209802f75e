"""``expression-ros live``: a real window on a screen of its own, with the core alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from virtual_screen import PATIENCE_S, virtual_screen, wait_for

from expression_ros.cli import main
from expression_ros.frames.opening import open_source
from expression_ros.frames.sources import SourceError
from expression_ros.frames.video import VideoFile
from expression_ros.mirroring.robot_table import load_robot
from expression_ros.mirroring.styles import load_style
from expression_ros.parameters.choices import DROP, NONE
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.landmarks import LandmarkError, LandmarkFinder
from expression_ros.recognition.overlay import COLOURS
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.session.live import LiveFrame, LiveSession, behaviour_as_node
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer
from expression_ros.viewing.live_image import LiveImage, person_image

# As after "pip install ." with no ROS: whatever imports one of these fails.
CORE_ALONE = """
import sys
for name in ("rclpy", "rosidl_runtime_py", "sensor_msgs", "std_msgs", "vision_msgs", "cv_bridge",
             "ament_index_python", "rosbags", "sklearn", "scipy", "skimage", "matplotlib", "PIL",
             "tornado", "torch"):
    sys.modules[name] = None
"""
COMMAND = CORE_ALONE + "from expression_ros.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def film(astronaut, tmp_path_factory):
    """Return a video of the portrait, four seconds long."""
    path = tmp_path_factory.mktemp("film") / "portrait.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (512, 384))
    for number in range(40):
        top = 2 + number % 3
        writer.write(astronaut[top : top + 384])
    writer.release()
    return path


@pytest.fixture(scope="module")
def screen():
    """Return a screen, on which Python can open windows; or skip."""
    pytest.importorskip("tkinter", reason="needs tkinter: sudo apt install python3-tk")
    with virtual_screen() as screen:
        yield screen


@pytest.fixture
def live(screen):
    """Return a function that starts ``live`` on the screen and gives process and window."""
    processes = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "live", *map(str, words)],
            env={**os.environ, "DISPLAY": screen.name}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process, screen.wait_for_window("expression-ros:")

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def run(*words, code=COMMAND, **environment):
    """Run the command to its end without a screen."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True,
        timeout=PATIENCE_S, env={**inherited, **environment},
    )  # fmt: skip


def drawn_answer(robot: str, word: str) -> np.ndarray:
    """Return the part of the image in which the robot's word is written."""
    frame = LiveFrame(np.zeros((384, 512, 3), np.uint8), FrameReading(()))
    return LiveImage(load_robot(robot)).draw(frame, word, 0.0, ended=False)[310:, 640:]


def shows(screen, robot: str, word: str) -> bool:
    """Return whether the screen shows a happy face with its box, and this word of the robot."""
    image = screen.image()[:480, :1040]  # without a window manager it is in the corner
    boxed = (image[:, :640] == COLOURS["happiness"]).all(axis=2).sum() > 500
    return bool(boxed and np.array_equal(image[310:, 640:], drawn_answer(robot, word)))


def test_the_window_shows_person_and_answer_and_q_ends_it(live, screen, film):
    process, _ = live("--video", film)
    wait_for(lambda: shows(screen, "virtual_face", "smile"), "the robot's smile on the screen")
    screen.press("x")  # no key of ours
    screen.press("q")
    assert process.wait(PATIENCE_S) == 0
    assert process.stderr.read() == ""
    wait_for(lambda: not screen.windows(), "the window to go")


def test_another_robot_is_sent_its_own_word_and_escape_ends_it(live, screen, film):
    process, _ = live("--video", film, "--robot", "qtrobot")
    wait_for(lambda: shows(screen, "qtrobot", "QT/happy"), "QTrobot's word on the screen")
    screen.press("Escape")
    assert process.wait(PATIENCE_S) == 0


def test_closing_the_window_ends_it(live, screen, film):
    process, window = live("--video", film)
    wait_for(lambda: screen.image()[:480, :1040].any(), "an image")
    screen.close_window(window)
    assert process.wait(PATIENCE_S) == 0
    assert process.stderr.read() == ""


def test_other_keys_and_the_end_of_the_video_leave_the_window_open(live, screen, film):
    process, _ = live("--video", film, "--privacy", DROP)

    def is_neutral() -> bool:
        answer = screen.image()[310:480, 640:1040]
        return np.array_equal(answer, drawn_answer("virtual_face", "neutral"))

    def is_smiling() -> bool:
        answer = screen.image()[310:480, 640:1040]
        return np.array_equal(answer, drawn_answer("virtual_face", "smile"))

    wait_for(is_smiling, "a smile")
    screen.press("x")
    wait_for(is_neutral, "the robot to calm down after the end")
    assert process.poll() is None
    person = screen.image()[:480, :640]
    assert (person == 128).all(axis=2).mean() > 0.6  # nothing of the person is left
    screen.press("q")
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["--camera", "/dev/video97"], "there is no /dev/video97"),
        (["--camera", "film.avi"], "is not a webcam"),
        (["--video", "none.avi"], "none.avi"),
        (["--robot", "nobody"], "no robot 'nobody'"),
        (["--style", "nobody"], "nobody"),
        (["--person", "nobody"], "nobody is called nobody"),
        (["--classifier", "onnx"], "--model DIR"),
    ],
)
def test_what_is_missing_is_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["live", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_without_a_screen_or_tkinter_the_browser_is_named(film):
    pytest.importorskip("tkinter", reason="needs tkinter: sudo apt install python3-tk")
    blind = run("live", "--video", film)
    assert blind.returncode == 2 and "no window can be opened" in blind.stderr
    bare = run("live", "--video", film, code="import sys; sys.modules['tkinter'] = None" + COMMAND)
    assert bare.returncode == 2 and "sudo apt install python3-tk" in bare.stderr
    for done in (blind, bare):
        assert "expression-ros web" in done.stderr
        assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_missing_dlib_is_one_line(film, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dlib", None)
    assert main(["live", "--video", str(film), "--landmarks"]) == 2
    assert capsys.readouterr().err == (
        "expression-ros: landmarks need dlib: pip install dlib-bin face-recognition-models\n"
    )


def test_the_core_alone_imports_all_of_this_and_predicts(film, astronaut, tmp_path):
    code = CORE_ALONE + (
        "import pkgutil, importlib, expression_ros.viewing as viewing\n"
        "names = ['viewing.' + module.name for module in pkgutil.iter_modules(viewing.__path__)]\n"
        "for name in [*names, 'commands.live', 'commands.predict']:\n"
        "    print(importlib.import_module('expression_ros.' + name).__name__)\n"
    )
    done = run(code=code)
    assert done.returncode == 0, done.stderr
    assert "expression_ros.commands.live" in done.stdout.split()
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), astronaut)
    done = run("predict", photo, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "photo_expression.png").is_file()


def session_on(source, shipped_classifier, finder=None) -> LiveSession:
    robot = load_robot("virtual_face")
    behaviour = behaviour_as_node(robot, load_style("mirror"))
    settings = RecognizerSettings.from_values(background=True)
    return LiveSession(source, make_recognizer(settings, shipped_classifier), behaviour, finder)


class VanishingWebcam(VideoFile):
    """Delivers what a file holds, as it comes, and then nothing more."""

    is_live = True


def test_a_webcam_that_falls_silent_is_an_error(film, shipped_classifier):
    session = session_on(VanishingWebcam(film), shipped_classifier)
    session.start()

    def ask() -> str:
        try:
            session.newest()
        except SourceError as error:
            return str(error)
        return ""

    try:
        assert "gives no more images" in str(wait_for(ask, "the end of the webcam"))
        assert not session.has_ended
    finally:
        session.close()


def test_images_of_a_folder_that_are_not_read_are_counted(astronaut, tmp_path, monkeypatch, capsys):
    (tmp_path / "a_broken.png").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "b.png"), astronaut)

    class Window:
        """A window in which somebody presses q as soon as there is an image."""

        is_closed = False

        def __init__(self, title):
            self.pressed = []

        def show(self, image):
            self.pressed = ["q"]

        def keys(self):
            return self.pressed

        def close(self):
            pass

    monkeypatch.setattr("expression_ros.viewing.windows.ImageWindow", Window)
    assert main(["live", "--video", str(tmp_path)]) == 0
    assert "not read: 1 of its images: a_broken.png" in capsys.readouterr().err


def test_landmarks_of_a_real_face_lie_around_its_box(film, shipped_classifier):
    pytest.importorskip("dlib", reason="needs dlib: pip install dlib-bin")
    try:
        finder = LandmarkFinder()
    except LandmarkError as error:
        pytest.skip(str(error))
    session = session_on(open_source(str(film)), shipped_classifier, finder)
    session.start()
    try:
        wait_for(lambda: session.newest() and session.newest().landmarks, "landmarks")
        frame = session.newest()
    finally:
        session.close()
    ((x, y, w, h), points) = frame.reading.faces[0].box, frame.landmarks[0]
    assert points.shape == (68, 2) and len(frame.landmarks) == len(frame.reading.faces)
    assert np.all(np.abs(points.mean(axis=0) - (x + w / 2, y + h / 2)) < 0.25 * w)
    plain = person_image(LiveFrame(frame.image, frame.reading), "")
    drawn = person_image(frame, "")
    changed = np.argwhere((plain != drawn).any(axis=2))[:, ::-1]
    factor = drawn.shape[0] / frame.image.shape[0]
    for place in changed:
        assert np.abs(factor * points - place).max(axis=1).min() <= 5


def reading_of(*boxes: Box) -> FrameReading:
    faces = tuple(
        FaceReading(k, box, "happiness", 0.9, {"happiness": 0.9, "neutral": 0.1})
        for k, box in enumerate(boxes, start=1)
    )
    return FrameReading(faces, primary=faces[0] if faces else None)


@pytest.mark.parametrize("size", [(480, 640), (240, 320), (1080, 1920), (1920, 1080), (100, 2000)])
@pytest.mark.parametrize("privacy", [NONE, "blur", DROP])
def test_any_frame_becomes_an_image_of_the_same_height_and_is_not_drawn_on(size, privacy):
    image = np.full((*size, 3), 60, np.uint8)
    h = size[0] // 2
    frame = LiveFrame(image, reading_of(Box(10, 10, h, h)), (np.full((68, 2), 20.0),), 12.3)
    shown = person_image(frame, "12 fps", privacy)
    assert shown.shape[0] == 480 and shown.shape[1] <= 854 and shown.dtype == np.uint8
    assert (shown == COLOURS["happiness"]).all(axis=2).any()
    assert (image == 60).all()


def test_the_face_moves_to_the_expression_and_the_image_is_redrawn_only_for_news():
    frame = LiveFrame(np.zeros((480, 640, 3), np.uint8), reading_of())
    image = LiveImage(load_robot("virtual_face"))
    neutral = image.draw(frame, "neutral", 0.0, ended=False)
    smiling = image.draw(frame, "smile", 0.01, ended=False)
    smiling = image.draw(frame, "smile", 2.0, ended=False)
    assert (neutral[:310, 640:] != smiling[:310, 640:]).any(axis=2).mean() > 0.02
    assert (neutral[310:, 640:] != smiling[310:, 640:]).any()
    assert (neutral[:, :640] == smiling[:, :640]).all()
    ended = image.draw(frame, "smile", 2.0, ended=True)
    assert (ended[:, :640] != smiling[:, :640]).any()  # says so


def test_a_word_too_long_for_the_image_is_written_smaller():
    text = drawn_answer("virtual_face", "an_expression_with_a_name_that_never_seems_to_end")
    written = (text > 200).all(axis=2)
    assert written.any() and not written[:, :8].any() and not written[:, -8:].any()


def test_the_window_takes_images_larger_than_the_screen(screen, tmp_path):
    code = (
        "import sys, time, numpy as np\n"
        "from expression_ros.viewing.windows import ImageWindow\n"
        "window = ImageWindow('large')\n"
        "while 'q' not in window.keys():\n"
        "    window.show(np.full((1500, 3000, 3), (10, 200, 90), np.uint8))\n"
        "    time.sleep(0.02)\n"
        "window.close()\n"
        "window.close()\n"
        "window.show(np.zeros((9, 9, 3), np.uint8))\n"
        "assert window.is_closed and window.keys() == []\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "DISPLAY": screen.name}
    )
    try:
        screen.wait_for_window("large")
        colour = (10, 200, 90)
        wait_for(lambda: (screen.image()[:600] == colour).all(), "the image, as wide as screen")
        time.sleep(0.1)
        screen.press("q")
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
