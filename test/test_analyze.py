"""``expression-ros analyze``: videos, folders and bags into rows, as the live node reads them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from itertools import islice
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from videos import frames

from expression_ros.cli import main
from expression_ros.images.conversion import grey_from_message
from expression_ros.recordings.opening import VideoRecording
from expression_ros.recordings.timeline import NO_FACE, Timeline
from expression_ros.recordings.timeline_plot import runs, save_timeline

IMAGE, JPEG = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
START_NS = 1_700_000_000_123_456_789
STEP_NS = 33_333_333


@pytest.fixture
def portrait(astronaut):
    """Return (480, 640, 3) uint8 BGR with one smiling face."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[:, 64:576] = astronaut[:480]
    return scene


def stamped(images):
    """Return (nanoseconds, image) of a camera of 30 Hz."""
    return [(START_NS + k * STEP_NS, image) for k, image in enumerate(images)]


# ---- bags ----


def image_fields(image):
    height, width = image.shape[:2]
    return {"height": height, "width": width, "encoding": "bgr8", "is_bigendian": 0,
            "step": 3 * width, "data": np.ascontiguousarray(image).reshape(-1)}  # fmt: skip


def jpeg_fields(image):
    return {"format": "bgr8; jpeg compressed bgr8",
            "data": cv2.imencode(".jpg", image)[1].reshape(-1)}  # fmt: skip


def write_bag(path, plugin, topics, compression="none"):
    """Write a bag as ``ros2 bag record`` does.

    Args:
        topics: by name the type of a topic and its messages: (stamp in ns, recorded in ns, fields),
            or bytes in place of the fields.
        compression: none, file, message or storage.
    """
    rosbag2 = pytest.importorskip("rosbags.rosbag2", reason="needs rosbags: pip install rosbags")
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    Header, Time = (
        store.types[name] for name in ("std_msgs/msg/Header", "builtin_interfaces/msg/Time")
    )
    storage = rosbag2.StoragePlugin[plugin.upper()]
    writer = rosbag2.Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(
        rosbag2.CompressionMode[compression.upper()], rosbag2.CompressionFormat.ZSTD
    )
    with writer:
        for topic, (kind, messages) in topics.items():
            connection = writer.add_connection(topic, kind, typestore=store)
            for stamp_ns, recorded_ns, fields in messages:
                if not isinstance(fields, bytes):
                    header = Header(Time(*divmod(stamp_ns, 10**9)), "camera")
                    made = store.types[kind](header=header, **fields)
                    fields = bytes(store.serialize_cdr(made, kind))
                writer.write(connection, recorded_ns, fields)
    return path


def images(session, fields=image_fields):
    return [(ns, ns + 4_000_000, fields(image)) for ns, image in session]


def image_bag(path, session, plugin="sqlite3"):
    return write_bag(path, plugin, {"/camera/image_raw": (IMAGE, images(session))})


# ---- running it ----


def analyze(folder, *words):
    """Run the command and return its exit code and the rows of its CSV file."""
    code = main(["analyze", *map(str, words), "--output", str(folder)])
    return code, rows_in(folder)


def rows_in(folder):
    path = folder / "faces.csv"
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def refused(capsys, *words):
    """Return the one line with which bad input is answered."""
    capsys.readouterr()
    assert main(["analyze", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("expression-ros: ")]
    assert len(lines) == 1 and "Traceback" not in err and not out
    return lines[0]


# ---- as live ----


def portrait_session(portrait):
    """Return a face that moves and blurs, is away for half a second, and comes back turned."""
    shifted = [np.roll(portrait, k, axis=1) for k in range(0, 40, 2)]
    blurred = [cv2.GaussianBlur(portrait, (0, 0), 0.5 + k / 1.5) for k in range(20)]
    away = [np.full_like(portrait, 100 + k) for k in range(30)]
    return stamped([*shifted, *blurred, *away, *(image[:, ::-1] for image in blurred[:10])])


def clip_session(clips):
    """Return a man who begins to smile, goes, and comes back from the other side."""
    images = [image for _, image in frames(clips / "single_face.mp4")]
    away = [np.full_like(images[0], 100 + k) for k in range(30)]
    return stamped([*images, *away, *(image[:, ::-1] for image in images[40:55])])


def live_readings(ros, session, transport):
    """Return (label, scores by label) of each frame in which the running node sees a face.

    The images are sent one after the other, each when the one before has been read.
    """
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.parameter import Parameter
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Float32MultiArray, String

    from expression_ros.nodes.recognizer.node import Recognizer

    override = [Parameter("image_transport", value=transport)]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=override))
    node.start()
    labels = ros.collect(String, "/face_emotion")
    scores = ros.collect(Float32MultiArray, "/face_emotion/scores")
    overlays = ros.collect(CompressedImage, "/face_emotion/image/compressed", 1)
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    raw = transport == "raw"
    kind, fields = (Image, image_fields) if raw else (CompressedImage, jpeg_fields)
    cameras = ros.publisher(kind, "/image_raw" if raw else "/image_raw/compressed")
    # An image that is none changes nothing in the node, but is counted: the way is open.
    timer = ros.node.create_timer(0.05, lambda: cameras.publish(kind()))
    diagnostics.wait_for(lambda got: any(
        pair.key == "images refused" and int(pair.value) for message in got
        for status in message.status for pair in status.values), "a refused image")  # fmt: skip
    ros.node.destroy_timer(timer)
    for ns, image in session:
        values = fields(image)
        values["data"] = values["data"].tobytes()
        message = kind(**values)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(ns, 10**9)
        cameras.publish(message)
        overlays.wait_for(
            lambda got, stamp=message.header.stamp: got and got[-1].header.stamp == stamp,
            "the frame's overlay",
        )
    return labels, scores


def primary_rows(rows):
    return [row for row in rows if row["primary"] == "1"]


def assert_as_live(rows, labels, scores):
    """Hold the primary face's rows against what the node has published."""
    mine = primary_rows(rows)
    labels.wait_for(lambda got: len(got) >= len(mine), f"{len(mine)} labels")
    scores.wait_for(lambda got: len(got) >= len(mine), f"{len(mine)} scores")
    assert [row["label"] for row in mine] == [message.data for message in labels.messages]
    for row, message in zip(mine, scores.messages, strict=True):
        live = {part.label: value for part, value in zip(
            message.layout.dim, message.data, strict=True)}  # fmt: skip
        assert {f"score_{label}" for label in live} == {k for k in row if k.startswith("score_")}
        for label, value in live.items():
            assert float(row[f"score_{label}"]) == pytest.approx(value, abs=6e-5)


@pytest.mark.parametrize(
    ("made_of", "transport"), [("clip", "raw"), ("clip", "compressed"), ("portrait", "raw")]
)
def test_a_bag_is_read_as_the_live_node_reads_its_images(
    ros, made_of, transport, request, tmp_path
):
    material = request.getfixturevalue("clips" if made_of == "clip" else "portrait")
    session = (clip_session if made_of == "clip" else portrait_session)(material)
    fields = image_fields if transport == "raw" else jpeg_fields
    kind, topic = (IMAGE, "/eye/raw") if transport == "raw" else (JPEG, "/eye/raw/compressed")
    topics = {topic: (kind, images(session, fields))}
    found = []
    for plugin in ("sqlite3", "mcap"):
        bag = write_bag(tmp_path / plugin, plugin, topics)
        code, rows = analyze(tmp_path / f"{plugin}_out", bag)
        assert code == 0
        found.append(rows)
    assert found[0] == found[1]
    mine = primary_rows(found[0])
    # Or it would prove little: several labels (the portrait smiles all along), and frames without
    # a face.
    assert len({row["label"] for row in mine}) >= (2 if made_of == "clip" else 1)
    assert 40 <= len(mine) < len(session)
    assert_as_live(found[0], *live_readings(ros, session, transport))


def test_a_video_and_a_folder_are_what_a_camera_node_sends(portrait, tmp_path):
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
    from builtin_interfaces.msg import Time

    from expression_ros.nodes.common.image_messages import to_image_message

    images = write_folder(tmp_path / "pictures", [portrait, portrait[:, ::-1]])
    for recording in (VideoRecording(images), write_video(tmp_path / "a.avi", [portrait] * 3)):
        if not isinstance(recording, VideoRecording):
            read = [image for _, image in frames(recording)]
            recording = VideoRecording(recording)
        else:
            read = [portrait, portrait[:, ::-1]]
        greys = [frame.grey for frame in recording.frames()]
        recording.close()
        for grey, image in zip(greys, read, strict=True):
            assert np.array_equal(grey, grey_from_message(to_image_message(image, Time(), "c")))


# ---- rows ----


def write_folder(folder, images):
    folder.mkdir()
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f"frame_{k}.png"), image)
    return folder


def write_video(path, images, rate=25.0):
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


def test_every_face_of_every_frame_has_a_row(portrait, tmp_path, capsys):
    two = np.hstack([portrait, portrait[:, ::-1]])
    empty = np.full_like(two, 120)
    bag = image_bag(tmp_path / "two", stamped([two, two, empty]))
    code, rows = analyze(tmp_path / "out", bag)
    assert code == 0
    assert [row["frame"] for row in rows] == ["0", "0", "1", "1", "2"]
    assert [row["id"] for row in rows] == ["1", "2", "1", "2", ""]
    assert [row["primary"] for row in rows] == ["1", "0", "1", "0", ""]
    assert [row["stamp"] for row in rows[::2]] == [
        "1700000000.123456789", "1700000000.156790122", "1700000000.190123455"]  # fmt: skip
    assert [float(row["time_s"]) for row in rows[::2]] == [0, 0.033333, 0.066667]
    for row in rows[:4]:
        x, y, w, h = (int(row[k]) for k in "xywh")
        assert 0 <= x < x + w <= two.shape[1] and 0 <= y < y + h <= two.shape[0]
        scores = {k[6:]: float(v) for k, v in row.items() if k.startswith("score_")}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-3)
        assert row["label"] == max(scores, key=scores.get) == "happiness"
        assert float(row["score"]) == pytest.approx(scores["happiness"], abs=1e-4)
    assert set(rows[4].values()) == {"2", "0.066667", "1700000000.190123455", ""}
    image = cv2.imread(str(tmp_path / "out" / "timeline.png"))
    assert image.shape[1] == 1440 and image.std() > 10
    assert "3 frames in 0.1 s, 2 with a face; 2 faces" in capsys.readouterr().out


def test_a_folder_has_the_rate_of_a_video_until_told_otherwise(portrait, tmp_path):
    folder = write_folder(tmp_path / "session", [portrait] * 3)
    _, rows = analyze(tmp_path / "a", folder)
    assert [row["time_s"] for row in rows] == ["0.000000", "0.033333", "0.066667"]
    _, rows = analyze(tmp_path / "b", folder, "--rate", 5)
    assert [row["time_s"] for row in rows] == ["0.000000", "0.200000", "0.400000"]


def test_a_video_has_its_own_times_and_every_takes_one_of_n(portrait, tmp_path):
    video = write_video(tmp_path / "a.avi", [portrait] * 7)
    code, rows = analyze(tmp_path / "a", video, "--every", 3)
    assert code == 0
    assert [(row["frame"], row["time_s"]) for row in rows] == [
        ("0", "0.000000"), ("3", "0.120000"), ("6", "0.240000")]  # fmt: skip


@pytest.mark.parametrize("plugin", ["sqlite3", "mcap"])
def test_every_counts_messages_and_a_file_of_a_bag_is_enough(portrait, tmp_path, plugin):
    bag = image_bag(tmp_path / "bag", stamped([portrait] * 5), plugin)
    (file,) = [path for path in bag.iterdir() if path.name != "metadata.yaml"]
    code, rows = analyze(tmp_path / "out", file, "--every", 2)
    assert code == 0 and [row["frame"] for row in rows] == ["0", "2", "4"]


@pytest.mark.parametrize("mode", ["file", "message", "storage"])
def test_compressed_bags_are_read(portrait, tmp_path, mode):
    topics = {"/image_raw": (IMAGE, images(stamped([portrait] * 2)))}
    plugin = "mcap" if mode == "storage" else "sqlite3"
    _, expected = analyze(tmp_path / "a", write_bag(tmp_path / "plain", plugin, topics))
    code, rows = analyze(tmp_path / "b", write_bag(tmp_path / "packed", plugin, topics, mode))
    assert code == 0 and rows == expected and len(rows) == 2


def test_a_driver_that_does_not_stamp_has_the_time_of_the_recording(portrait, tmp_path):
    fields = image_fields(portrait)
    messages = [(0, START_NS, fields), (0, START_NS + 10**9, fields)]
    bag = write_bag(tmp_path / "bag", "mcap", {"/image_raw": (IMAGE, messages)})
    _, rows = analyze(tmp_path / "out", bag)
    assert [row["stamp"] for row in rows] == ["1700000000.123456789", "1700000001.123456789"]


def test_what_cannot_be_decoded_is_counted_by_its_reason(portrait, tmp_path, capsys):
    session = stamped([portrait] * 6)
    messages = images(session)
    messages[1][2]["encoding"] = "rgb9"
    messages[2][2]["data"] = messages[2][2]["data"][:1000]
    messages[3] = (*messages[3][:2], b"\x00\x01\x00\x00no image at all")
    messages[4][2]["height"] = 0
    bag = write_bag(tmp_path / "bag", "sqlite3", {"/image_raw": (IMAGE, messages)})
    code, rows = analyze(tmp_path / "out", bag, "--json")
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert code == 0 and [row["frame"] for row in rows] == ["0", "5"]
    assert summary["unreadable"] == {"encoding": 1, "data": 1, "message": 1, "size": 1}
    assert summary["frames"] == 6 and summary["frames_with_face"] == 2
    assert "1 unreadable (encoding), first frame 1: encoding 'rgb9' is not supported" in err
    assert "1 unreadable (data), first frame 2: image is truncated" in err


def test_a_damaged_image_of_a_folder_is_named(portrait, tmp_path, capsys):
    folder = write_folder(tmp_path / "pictures", [portrait] * 3)
    (folder / "frame_1.png").write_bytes(b"no image")
    code, rows = analyze(tmp_path / "out", folder)
    assert code == 0 and [row["frame"] for row in rows] == ["0", "2"]
    out, err = capsys.readouterr()
    assert "unreadable: decode 1" in out and "no images: frame_1.png" in err


def test_the_summary_agrees_with_the_rows(clips, tmp_path, capsys):
    code, rows = analyze(tmp_path / "out", clips / "single_face.mp4", "--json")
    summary = json.loads(capsys.readouterr().out)
    assert code == 0 and len(rows) == summary["frames"] == 72
    counts = Counter(row["label"] for row in rows)
    assert len(counts) >= 2
    assert summary["labels"] == {k: pytest.approx(n / 72, abs=1e-4) for k, n in counts.items()}
    (face,) = summary["faces"]
    assert face["id"] == 1 and face["labels"] == summary["labels"]
    assert summary["span_s"] == pytest.approx(71 / 30, abs=0.01)


def test_the_nodes_parameters_can_be_given(clips, tmp_path):
    code, rows = analyze(tmp_path / "out", clips / "single_face.mp4", "--min-confidence", 0,
                         "--face-selection", "single", "--min-face", 0.3, "--every", 9)  # fmt: skip
    assert code == 0 and "unknown" not in {row["label"] for row in rows}
    code, rows = analyze(tmp_path / "out", clips / "single_face.mp4", "--min-face", 1, "--every", 9)
    assert code == 0 and {row["id"] for row in rows} == {""}


def test_results_go_into_the_current_folder_under_the_recordings_name(
    portrait, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    image_bag(tmp_path / "data" / "session_3", stamped([portrait]))
    before = sorted(path.name for path in (tmp_path / "data" / "session_3").iterdir())
    assert main(["analyze", "data/session_3"]) == 0
    results = sorted(path.name for path in (tmp_path / "session_3_expressions").iterdir())
    assert results == ["faces.csv", "timeline.png"]
    assert sorted(path.name for path in (tmp_path / "data" / "session_3").iterdir()) == before


# ---- bad input ----


def test_nothing_is_written_into_a_recording(portrait, tmp_path, monkeypatch, capsys):
    bag = image_bag(tmp_path / "bag", stamped([portrait]))
    monkeypatch.chdir(bag)
    before = sorted(bag.iterdir())
    assert "is inside" in refused(capsys, ".")
    assert "is inside" in refused(capsys, bag, "--output", bag / "results")
    assert sorted(bag.iterdir()) == before


def test_several_image_topics_are_listed_and_one_is_chosen(portrait, tmp_path, capsys):
    session = stamped([portrait])
    topics = {
        "/left/image_raw": (IMAGE, images(session)),
        "/right/image_raw/compressed": (JPEG, images(session, jpeg_fields) * 2),
        "/silent/image_raw": (IMAGE, []),
    }
    bag = write_bag(tmp_path / "bag", "mcap", topics)
    line = refused(capsys, bag)
    assert "--topic" in line and "/left/image_raw (1 image)" in line
    assert "/right/image_raw/compressed (2 images)" in line
    assert "nothing was recorded" in refused(capsys, bag, "--topic", "/silent/image_raw")
    assert "but on /left/image_raw" in refused(capsys, bag, "--topic", "/middle")
    code, rows = analyze(tmp_path / "out", bag, "--topic", "right/image_raw/compressed")
    assert code == 0 and len(rows) == 2


def test_the_only_topic_with_images_is_taken(portrait, tmp_path):
    topics = {"/camera": (IMAGE, images(stamped([portrait]))), "/silent": (IMAGE, [])}
    code, rows = analyze(tmp_path / "out", write_bag(tmp_path / "bag", "sqlite3", topics))
    assert code == 0 and len(rows) == 1


def test_a_bag_without_images_says_what_it_has(tmp_path, capsys):
    scan = "std_msgs/msg/String"
    bag = write_bag(tmp_path / "bag", "sqlite3", {"/chatter": (scan, [])})
    assert "has no images" in (line := refused(capsys, bag)) and "/chatter" in line


@pytest.mark.parametrize("plugin", ["sqlite3", "mcap"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "missing", "metadata", "unlisted"])
def test_a_damaged_bag_is_one_line(portrait, tmp_path, capsys, plugin, damage):
    bag = image_bag(tmp_path / "bag", stamped([portrait] * 4), plugin)
    (file,) = [path for path in bag.iterdir() if path.name != "metadata.yaml"]
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "garbage":
        file.write_bytes(np.random.default_rng(0).bytes(len(data)))
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "missing":
        file.unlink()
    elif damage == "metadata":
        (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: [1, 2\n")
    else:
        (bag / "metadata.yaml").unlink()
    line = refused(capsys, bag, "--output", tmp_path / "out")
    assert str(bag) in line
    assert not (tmp_path / "out" / "faces.csv").exists()
    if damage == "unlisted":
        assert "ros2 bag reindex" in line and str(file) in line


@pytest.mark.parametrize("plugin", ["sqlite3", "mcap"])
def test_what_came_before_the_damage_is_kept(portrait, tmp_path, capsys, plugin):
    noisy = np.random.default_rng(0).integers(0, 30, portrait.shape).astype(np.uint8)
    session = stamped([cv2.add(portrait, np.roll(noisy, k)) for k in range(8)])
    # Packed, for what is damaged in a plain chunk of mcap are a few pixels, and nobody can tell.
    packed = "storage" if plugin == "mcap" else "none"
    bag = write_bag(tmp_path / "bag", plugin, {"/image": (IMAGE, images(session))}, packed)
    file = next(path for path in bag.iterdir() if path.name != "metadata.yaml")
    data = bytearray(file.read_bytes())
    # A page of the database, or the beginning of the last chunk.
    place = 6 * len(data) // 8 if plugin == "sqlite3" else data.rindex(b"\x28\xb5\x2f\xfd")
    data[place : place + 9000] = b"\xff" * 9000
    file.write_bytes(data)
    code, rows = analyze(tmp_path / "out", bag)
    err = capsys.readouterr().err
    assert code == 2 and "is damaged after image" in err
    assert rows and len(rows) < 8 and (tmp_path / "out" / "timeline.png").exists()


def test_a_journal_that_was_not_written_back_is_told(portrait, tmp_path, capsys):
    bag = image_bag(tmp_path / "bag", stamped([portrait]))
    (file,) = bag.glob("*.db3")
    file.with_name(f"{file.name}-wal").write_bytes(b"messages")
    assert "wal_checkpoint" in refused(capsys, bag)


def test_bad_paths_and_options_are_one_line(portrait, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "pictures", [portrait])
    bag = image_bag(tmp_path / "bag", stamped([portrait]))
    (tmp_path / "nothing").mkdir()
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0")
    (tmp_path / "text.mp4").write_text("no video")
    assert "no such file" in refused(capsys, "missing.mp4")
    assert "holds no images" in refused(capsys, "nothing")
    assert "webcam" in refused(capsys, "0")
    assert "rosbags-convert" in refused(capsys, "old.bag")
    assert "is not a video" in refused(capsys, "text.mp4")
    assert "--topic" in refused(capsys, folder, "--topic", "/image_raw")
    assert "--rate" in refused(capsys, bag, "--rate", "10")
    assert "--rate" in refused(capsys, folder, "--rate", "-1")
    assert "--every" in refused(capsys, folder, "--every", "0")
    assert "min_face" in refused(capsys, folder, "--min-face", "7")
    assert "no model of classifier" in refused(capsys, folder, "--classifier", "cnn")
    assert "is a file" in refused(capsys, folder, "--output", tmp_path / "text.mp4")
    (folder / "frame_0.png").write_bytes(b"no image")
    assert "cannot decode" in refused(capsys, folder)


def test_a_bag_of_which_no_image_can_be_read_is_an_error(tmp_path, capsys):
    messages = [(START_NS, START_NS, b"\x00\x01\x00\x00nothing")]
    bag = write_bag(tmp_path / "bag", "sqlite3", {"/image_raw": (IMAGE, messages)})
    line = refused(capsys, bag, "--output", tmp_path / "out")
    assert "no frame of" in line and "not a sensor_msgs/msg/Image" in line
    assert not (tmp_path / "out" / "faces.csv").exists()


def test_rosbags_is_asked_for_only_where_a_bag_is_read(portrait, tmp_path, capsys, monkeypatch):
    bag = image_bag(tmp_path / "bag", stamped([portrait]))
    folder = write_folder(tmp_path / "pictures", [portrait])
    monkeypatch.setitem(sys.modules, "rosbags.rosbag2", None)  # as if it were not installed
    assert "pip install 'rosbags" in refused(capsys, bag)
    assert analyze(tmp_path / "out", folder)[0] == 0


def test_no_ros_is_needed(portrait, tmp_path):
    folder = write_folder(tmp_path / "pictures", [portrait])
    code = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'std_msgs', 'cv_bridge'): sys.modules[name] = None\n"
        "from expression_ros.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ["analyze", str(folder), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    assert len(rows_in(tmp_path / "out")) == 1


def test_a_video_that_ends_early_is_told(portrait, tmp_path, capsys):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, portrait.shape).astype(np.uint8) for _ in range(4)]
    video = write_video(tmp_path / "whole.avi", (noise * 10)[:40])
    cut = tmp_path / "cut.avi"
    shutil.copy(video, cut)
    with cut.open("r+b") as file:
        file.truncate(video.stat().st_size // 2)
    declared = cv2.VideoCapture(str(cut)).get(cv2.CAP_PROP_FRAME_COUNT)
    code, rows = analyze(tmp_path / "out", cut)
    assert code == 0 and 10 <= len(rows) <= 25
    if declared < 40:
        pytest.skip("this OpenCV counts the frames that are there")
    assert "ends after" in capsys.readouterr().err


# ---- the image ----


def test_runs_end_where_the_label_changes_or_frames_are_missing():
    seconds = [0.0, 0.1, 0.2, 0.3, 0.4, 2.0, 2.1]
    labels = [1, 1, 2, NO_FACE, 2, 2, 2]
    found = [(run.begin, round(run.end, 6), run.label) for run in runs(seconds, labels, 0.1)]
    assert found == [(0.0, 0.2, 1), (0.2, 0.3, 2), (0.4, 0.5, 2), (2.0, 2.2, 2)]


@pytest.mark.parametrize("frames_read", [1, 2, 5000])
def test_any_timeline_can_be_drawn(tmp_path, frames_read):
    timeline = Timeline(("happiness", "neutral", "unknown"))
    for k in range(frames_read):
        faces = [SimpleNamespace(id=n, label=timeline.names[(k // 9 + n) % 3], score=0.5)
                 for n in range(k % 13)]  # fmt: skip
        primary = faces[0] if faces else None
        timeline.add(k / 30, SimpleNamespace(faces=faces, primary=primary))
    save_timeline(tmp_path / "a.png", timeline, "a" * 200, 0.7)
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_the_first_frames_of_a_recording_are_read_like_all_of_it(clips, tmp_path):
    images = [image for _, image in islice(frames(clips / "single_face.mp4"), 20)]
    first = write_folder(tmp_path / "first", images[:10])
    whole = write_folder(tmp_path / "whole", images)
    assert analyze(tmp_path / "a", first)[1] == analyze(tmp_path / "b", whole)[1][:10]


def test_one_stamp_far_ahead_does_not_ruin_a_bag(tmp_path, capsys):
    dark = np.zeros((48, 64, 3), np.uint8)
    session = stamped([dark] * 20)
    session[9] = (session[9][0] + 1_000_000 * 10**9, dark)
    entries = [
        (ns, START_NS + k * STEP_NS, image_fields(image)) for k, (ns, image) in enumerate(session)
    ]
    bag = write_bag(tmp_path / "bag", "mcap", {"/image_raw": (IMAGE, entries)})
    code, rows = analyze(tmp_path / "out", bag)
    out, err = capsys.readouterr()
    assert code == 0 and "20 frames in 0.6 s" in out and "time of recording counts" in err
    assert float(rows[-1]["time_s"]) < 1.0 and float(rows[9]["stamp"]) > 1_700_900_000
