"""``expression-ros calibrate`` on real frames, and the recognizer with a calibrated person."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from videos import frames

from expression_ros.cli import main
from expression_ros.personal.clear_frames import ClearFrames, between, parsed_segments
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.person import load_person, person_names, person_path

LABELS = ("anger", "happiness", "neutral")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Keep the persons of whoever runs the tests out of it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def film(tmp_path, clips, astronaut):
    """A video: three seconds of a still face that talks, then a smile in a shaking hand."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (640, 480))
    images = [image for _, image in frames(clips / "single_face.mp4")]
    for k in range(70):
        writer.write(cv2.resize(images[k % len(images)], (640, 480)))
    portrait = cv2.resize(astronaut[:384], (640, 480))
    rng = np.random.default_rng(0)
    for _ in range(70):
        dx, dy = rng.integers(-3, 4, 2)
        light = rng.integers(-12, 13)
        moved = np.roll(portrait, (dy, dx), (0, 1)).astype(int) + light
        writer.write(np.clip(moved, 0, 255).astype(np.uint8))
    writer.release()
    return path


def test_a_video_with_segments_makes_a_person(film, capsys, ros):
    # What is asked for here is not what the general models see: sadness for a smile.
    segments = "neutral 0-3.4, sadness 3.6-7"
    assert main(["calibrate", "ada", "--video", str(film), "--segments", segments]) == 0
    out = capsys.readouterr().out
    assert "neutral: 10 taken" in out and "sadness: 10 taken" in out
    assert "wrong before" in out and "person:=ada" in out
    person = load_person("ada")
    assert person.counts() == {"neutral": 10, "sadness": 10}
    assert not list(film.parent.rglob("*.png"))  # no image is kept unless asked for

    assert main(["calibrate", "--list"]) == 0
    assert capsys.readouterr().out.strip() == "ada"
    assert main(["calibrate", "ada", "--video", str(film), "--segments", segments]) == 2
    assert "known already; add a session with --add" in capsys.readouterr().err
    again = ["calibrate", "ada", "--add", "--video", str(film), "--segments", segments]
    assert main([*again, "--keep-images", str(film.parent / "kept")]) == 0
    assert set(load_person("ada").sessions) == {0, 1}
    assert "a session left out at a time" in capsys.readouterr().out
    assert len(list((film.parent / "kept").rglob("session1_*.png"))) == 20

    _check_node(ros, film)

    assert main(["calibrate", "ada", "--delete"]) == 0
    assert person_names() == []


def _check_node(ros, film):
    """The recognizer says for the smile what this person calls it."""
    from diagnostic_msgs.msg import DiagnosticArray
    from std_msgs.msg import String

    from expression_ros.nodes.common.image_messages import to_image_message
    from expression_ros.nodes.recognizer.node import Recognizer

    rclpy_parameter = pytest.importorskip("rclpy.parameter").Parameter
    smile = [image for _, image in frames(film)][-20]
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    overrides = [rclpy_parameter("person", value="ada"),
                 rclpy_parameter("min_confidence", value=0.0)]  # fmt: skip
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    ros.in_executor(node.start)
    publisher = ros.publisher(type(to_image_message(smile, _now(ros), "eye")), "/image_raw")
    timer = ros.node.create_timer(
        0.05, lambda: publisher.publish(to_image_message(smile, _now(ros), "eye"))
    )
    labels.wait_for(lambda seen: "sadness" in {m.data for m in seen}, "the person's sadness")
    told = diagnostics.wait_for(
        lambda seen: [v.value for m in seen for s in m.status for v in s.values
                      if v.key == "person"], "the person in the diagnostics"
    )  # fmt: skip
    assert told[0] == "ada, 40 faces"
    ros.node.destroy_timer(timer)


def _now(ros):
    return ros.node.get_clock().now().to_msg()


def test_a_person_nobody_knows_leaves_the_node_unconfigured_with_the_reason(ros):
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.parameter import Parameter

    from expression_ros.nodes.recognizer.node import Recognizer

    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    overrides = [Parameter("person", value="nobody")]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    ros.in_executor(node.start)
    diagnostics.wait_for(
        lambda seen: any("expression-ros calibrate nobody" in s.message
                         for m in seen for s in m.status), "the remedy"
    )  # fmt: skip


def test_images_in_a_folder_per_emotion(tmp_path, clips, astronaut, capsys):
    images = [image for _, image in frames(clips / "single_face.mp4")]
    for k in range(5):
        for name, image in (("neutral", images[10 * k]), ("sad", np.roll(astronaut, k, 1))):
            (tmp_path / "faces" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "faces" / name / f"{k}.png"), image)
    (tmp_path / "faces" / "sad" / "notes.png").write_text("no image")
    cv2.imwrite(str(tmp_path / "faces" / "sad" / "wall.png"), np.zeros((200, 200), np.uint8))
    assert main(["calibrate", "grace", "--faces", str(tmp_path / "faces")]) == 0
    read = capsys.readouterr()
    assert "sadness: 5 taken; passed over: 1 no single face" in read.out
    assert "notes.png: not an image" in read.err
    assert load_person("grace").counts() == {"neutral": 5, "sadness": 5}


def test_images_come_from_a_running_camera_node(ros, clips):
    from expression_ros.nodes.common.image_input import subscribed_frames
    from expression_ros.nodes.common.image_messages import to_image_message

    photo = next(image for _, image in frames(clips / "single_face.mp4"))
    message = to_image_message(photo, _now(ros), "eye")
    publisher = ros.node.create_publisher(type(message), "/eye/image", 1)
    timer = ros.node.create_timer(0.05, lambda: publisher.publish(message))
    got = threading.Event()
    with subscribed_frames("/eye/image") as images:
        for grey, _ in images:
            np.testing.assert_array_equal(grey, cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY))
            got.set()
            break
    ros.node.destroy_timer(timer)
    assert got.is_set()


def test_only_clear_frames_are_taken(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    chooser = ClearFrames(FaceDetector("single"))
    offers = [grey] * 40 + [cv2.GaussianBlur(grey, (0, 0), 6)] * 20 + [np.zeros_like(grey)] * 20
    taken = [k for k, frame in enumerate(offers) if chooser.offer(frame, k / 16)]
    assert taken == list(range(16, 40, 4))  # after a second, at least a fifth of one apart
    assert chooser.refused["before the face was made"] == 16
    assert chooser.refused["blurred"] > 0 and chooser.refused["no single face"] >= 20
    assert sum(chooser.refused.values()) + len(taken) == len(offers)


def test_a_face_far_away_is_not_learnt_from(astronaut):
    small = cv2.resize(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), (220, 220))
    chooser = ClearFrames(FaceDetector("single"))
    assert not [k for k in range(40) if chooser.offer(small, k / 10)]
    assert chooser.refused["too far away"] == 40


def test_segments_say_what_is_shown_when():
    assert parsed_segments("neutral 0-4, happy 5.5-9", LABELS) == [
        ("neutral", 0.0, 4.0), ("happiness", 5.5, 9.0)
    ]  # fmt: skip
    image = np.zeros((2, 2), np.uint8)
    stream = [(image, k / 2) for k in range(10)]
    assert [stamp for _, stamp in between(stream, 1.0, 2.5)] == [1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "whom?"),
        (["ada"], "where from?"),
        (["../ada", "--camera", "0"], "is not a name for a person"),
        (["ada", "--video", "film.avi"], "needs --segments"),
        (["ada", "--video", "film.avi", "--segments", "neutral 4-2"], "must come after"),
        (["ada", "--video", "film.avi", "--segments", "bored 0-2"], "is not a segment"),
        (["ada", "--video", "none.avi", "--segments", "neutral 0-2"], "none.avi"),
        (["ada", "--faces", "nowhere"], "nowhere: no such folder"),
        (["ada", "--camera", "0", "--emotions", "contempt"], "cannot say contempt"),
        (["ada", "--camera", "0", "--frames", "0"], "at least 1"),
        (["ada", "--delete"], "ada cannot be deleted"),
        (["ada", "--add", "--camera", "0"], "nobody is called ada"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_with_the_remedy(arguments, line, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert line in error and len(error.splitlines()) == 1
    assert not person_path("ada").exists()
