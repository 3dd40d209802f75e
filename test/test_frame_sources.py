"""Frames from real files; a webcam cannot be had on a test machine, only its absence."""

from __future__ import annotations

import math
import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from expression_ros.frames import sources, webcam
from expression_ros.frames import video as frames_video
from expression_ros.frames.folder import IMAGE_RATE_HZ, ImageSequence
from expression_ros.frames.opening import is_webcam, open_source
from expression_ros.frames.playback import Playback, PlaybackSchedule, RateLimit, frames_in_time
from expression_ros.frames.sources import FALLBACK_RATE_HZ, FrameSource, SourceError
from expression_ros.frames.webcam import Webcam


def write_video(path: Path, frames: int = 12, rate: float = 25.0, size=(64, 48)) -> Path:
    """Write a video whose frames get brighter by 16 each."""
    code = cv2.VideoWriter_fourcc(*"MJPG")  # type: ignore[attr-defined]  # not in its stubs
    writer = cv2.VideoWriter(str(path), code, rate, size)
    assert writer.isOpened()
    for index in range(frames):
        writer.write(np.full((size[1], size[0], 3), 16 * index, np.uint8))
    writer.release()
    return path


def write_image(path: Path, value: int, size=(20, 10)) -> Path:
    # Gray, because that is all PGM can hold; it is read as colour.
    assert cv2.imwrite(str(path), np.full((size[1], size[0]), value, np.uint8))
    return path


def all_frames(source) -> list[np.ndarray]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "clip.avi")


# ---- videos ----


def test_video_gives_all_frames_in_order_then_none(video):
    source = open_source(str(video))
    frames = all_frames(source)
    assert [round(frame.mean() / 16) for frame in frames] == list(range(12))
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert source.read() is None and not source.is_live and source.position == 12


def test_video_keeps_its_own_rate_unless_another_is_given(video):
    assert open_source(str(video)).frame_rate == pytest.approx(25.0)
    assert open_source(str(video), frame_rate=5.0).frame_rate == 5.0


def test_video_description_names_file_size_and_rate(video):
    assert open_source(str(video)).description == "video clip.avi (64x48, 25 Hz)"


@pytest.mark.parametrize("rate", [0.0, -1.0, 90000.0, math.nan, math.inf])
def test_nonsense_rate_of_a_container_becomes_30(rate):
    assert sources.plausible_rate(rate) == FALLBACK_RATE_HZ == 30.0


def test_rewound_video_starts_at_its_first_frame(video):
    source = open_source(str(video))
    first = all_frames(source)
    source.rewind()
    assert source.position == 0
    again = all_frames(source)
    assert len(again) == len(first)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_grab_passes_over_frames(video):
    source = open_source(str(video))
    assert all(source.grab() for _ in range(5))
    frame = source.read()
    assert frame is not None and round(frame.mean() / 16) == 5 and source.position == 6


def test_video_can_be_closed_twice_and_then_gives_nothing(video):
    source = open_source(str(video))
    source.close()
    source.close()
    assert source.read() is None


def test_video_with_spaces_percent_and_colon_in_its_name(tmp_path):
    path = write_video(tmp_path / "plain.avi").rename(tmp_path / "a %d: clip.avi")
    assert len(all_frames(open_source(str(path)))) == 12


def test_video_named_relative_to_the_working_directory(video, monkeypatch):
    monkeypatch.chdir(video.parent)
    assert len(all_frames(open_source("clip.avi"))) == 12


def test_video_deleted_while_playing_says_so_at_rewind(video):
    source = open_source(str(video))
    all_frames(source)
    video.unlink()
    with pytest.raises(SourceError, match="can no longer be read"):
        source.rewind()


# ---- folders and images ----


def test_folder_is_played_in_natural_order(tmp_path):
    for index in (10, 8, 11, 9):
        write_image(tmp_path / f"frame{index}.png", index)
    source = open_source(str(tmp_path))
    assert [int(frame[0, 0, 0]) for frame in all_frames(source)] == [8, 9, 10, 11]
    assert source.frame_rate == IMAGE_RATE_HZ == 10.0 and source.position == 4


def test_folder_takes_every_image_format_and_leaves_the_rest(tmp_path):
    for suffix in ("png", "jpg", "JPEG", "bmp", "pgm", "tif", "webp"):
        write_image(tmp_path / f"picture.{suffix}", 128)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._picture.jpg").write_bytes(b"left behind by macOS")
    frames = all_frames(open_source(str(tmp_path)))
    assert len(frames) == 7
    assert all(frame.shape == (10, 20, 3) and frame.dtype == np.uint8 for frame in frames)


def test_broken_images_of_a_folder_are_skipped_and_named_once(tmp_path):
    write_image(tmp_path / "1.png", 10)
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "3.jpg").write_bytes(b"")
    write_image(tmp_path / "4.png", 40)
    source = open_source(str(tmp_path))
    for _ in range(2):
        assert [int(frame[0, 0, 0]) for frame in all_frames(source)] == [10, 40]
        source.rewind()
    assert source.skipped == ("2.png", "3.jpg")


def test_image_removed_while_playing_is_skipped(tmp_path):
    for index in range(3):
        write_image(tmp_path / f"{index}.png", index)
    source = open_source(str(tmp_path))
    (tmp_path / "1.png").unlink()
    assert len(all_frames(source)) == 2 and source.skipped == ("1.png",)


def test_gray_deep_and_transparent_images_become_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((10, 20), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((10, 20, 4), 7, np.uint8))
    deep = np.full((10, 20), 7 * 256, np.uint16)
    deep[0, 0] = 65535
    cv2.imwrite(str(tmp_path / "3.png"), deep)
    frames = all_frames(open_source(str(tmp_path)))
    assert [frame.shape for frame in frames] == [(10, 20, 3)] * 3
    assert all(frame.dtype == np.uint8 and (frame[1:] == 7).all() for frame in frames)


def test_one_image_is_a_source_of_one_frame(tmp_path):
    source = open_source(str(write_image(tmp_path / "face.png", 99)), frame_rate=2.0)
    assert source.description == "image face.png" and source.frame_rate == 2.0
    assert len(all_frames(source)) == 1
    source.rewind()
    frame = source.read()
    assert frame is not None and (frame == 99).all()


def test_drawing_into_a_frame_leaves_the_next_round_clean(tmp_path):
    source = open_source(str(write_image(tmp_path / "face.png", 99)))
    frame = source.read()
    assert frame is not None
    frame[:] = 0
    source.rewind()
    frame = source.read()
    assert frame is not None and (frame == 99).all()


# ---- what cannot be opened ----


def problem_of(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_file_names_the_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = problem_of("nothing.mp4")
    assert "no such file or folder" in message and str(tmp_path / "nothing.mp4") in message


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00\x00\x00\x18ftypmp42" + bytes(500)])
def test_file_that_is_no_video(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert "is not a video that OpenCV can decode" in problem_of(str(path))


def test_file_that_is_no_image(tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(b"no image")
    assert "cannot decode" in problem_of(str(path))


def test_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    message = problem_of(str(tmp_path))
    assert "holds no images" in message and "png" in message


def test_folder_with_nothing_but_broken_images(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"no image")
    assert "cannot decode any of them" in problem_of(str(tmp_path))


def test_no_source_and_a_network_stream_are_refused():
    assert "no source named" in problem_of("  ")
    assert "camera driver" in problem_of("rtsp://camera/stream")


def test_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "neither a file nor a folder" in problem_of(str(tmp_path / "pipe.mp4"))


# ---- webcams ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", True),
        (" 12 ", True),
        ("/dev/video0", True),
        ("/dev/face_camera", True),
        ("/dev/shm/clip.mp4", False),
        ("./0", False),
        ("-1", False),
        ("99999999999", False),
        ("clip.mp4", False),
        ("", False),
    ],
)
def test_what_is_a_webcam(text, expected):
    assert is_webcam(text) is expected


@pytest.mark.parametrize("text", ["97", "/dev/video97"])
def test_missing_webcam_is_one_line_and_opencv_keeps_quiet(text, capfd):
    message = problem_of(text)
    assert f"webcam {text} does not open" in message and "/dev/video97" in message
    assert capfd.readouterr().err == ""


@pytest.fixture
def device(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    path = tmp_path / "video0"
    path.touch()
    return path


def test_missing_webcam_lists_those_there_are(device):
    problem = webcam._webcam_problem(97, ["/dev/video1", "/dev/video2"])
    assert "no /dev/video97" in problem and "/dev/video1, /dev/video2" in problem


def test_forbidden_webcam_names_the_group(device, monkeypatch):
    monkeypatch.setattr(webcam.os, "access", lambda *_: False)
    problem = webcam._webcam_problem(str(device), [str(device)])
    assert "usermod -aG video" in problem


def test_webcam_in_use_suggests_the_other_program(device):
    problem = webcam._webcam_problem(str(device), [str(device)])
    assert "another program" in problem


class FakeCapture:
    """Stands for cv2.VideoCapture with a webcam behind it, which a test machine has not."""

    def __init__(self, device, backend):
        self.device = device
        self.values = {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}
        self.image = np.full((480, 640, 3), 5, np.uint8)
        self.plugged = True

    def isOpened(self):
        return True

    def set(self, key, value):
        self.values[key] = value

    def get(self, key):
        return float(self.values.get(key, 0))

    def grab(self):
        return self.plugged

    def retrieve(self):
        return True, self.image

    def release(self):
        self.plugged = False


def test_webcam_is_asked_for_size_and_rate(monkeypatch):
    monkeypatch.setattr(frames_video.cv2, "VideoCapture", FakeCapture)
    source = open_source("0", width=320, height=240, frame_rate=15.0)
    assert source.is_live and source.frame_rate == 15.0
    assert source.description == "webcam 0 (320x240, 15 Hz)"
    source.rewind()  # has no effect
    assert source.read() is not None


def test_webcam_that_does_not_know_its_rate_has_30(monkeypatch):
    monkeypatch.setattr(frames_video.cv2, "VideoCapture", FakeCapture)
    assert open_source("/dev/video0").frame_rate == 30.0


def test_gray_webcam_gives_colour_and_a_deep_one_is_passed_over(monkeypatch):
    monkeypatch.setattr(frames_video.cv2, "VideoCapture", FakeCapture)
    source = Webcam(0)
    capture: Any = source._capture
    capture.image = np.full((480, 640), 5, np.uint8)
    frame = source.read()
    assert frame is not None and frame.shape == (480, 640, 3)
    capture.image = np.full((480, 640), 5, np.uint16)
    assert source.grab() and source.retrieve() is None


def test_unplugged_webcam_reads_none(monkeypatch):
    monkeypatch.setattr(frames_video.cv2, "VideoCapture", FakeCapture)
    source = open_source("0")
    source.close()
    assert source.read() is None


# ---- the schedule ----


def test_schedule_adds_up_no_errors():
    schedule = PlaybackSchedule(29.97, now=100.0)
    for _ in range(29970):
        schedule.advance()
    assert schedule.due == pytest.approx(1100.0, abs=1e-9)


def test_less_than_a_period_late_is_not_late():
    schedule = PlaybackSchedule(10.0, now=0.0)
    assert schedule.frames_late(-5.0) == 0
    assert schedule.frames_late(0.099) == 0
    assert schedule.frames_late(0.35) == 3


def test_new_rate_holds_from_the_last_frame_on_without_a_burst():
    schedule = PlaybackSchedule(10.0, now=0.0)
    schedule.advance()  # frame 0 was shown at 0.0, frame 1 is due at 0.1
    schedule.set_rate(2.0, now=0.05)
    assert schedule.due == pytest.approx(0.5)
    schedule.set_rate(0.1, now=0.2)
    assert schedule.due == pytest.approx(10.0)
    schedule.set_rate(100.0, now=5.0)
    assert schedule.due == pytest.approx(5.0) and schedule.frames_late(5.0) == 0


def test_restart_gives_up_what_was_missed():
    schedule = PlaybackSchedule(10.0, now=0.0)
    schedule.restart(7.0)
    assert schedule.due == 7.0


def test_rate_limit_keeps_the_average_and_never_bursts():
    limit = RateLimit()
    times = [100.0 + index / 30.0 for index in range(300)]
    kept = [now for now in times if limit.admits(now, 10.0)]
    assert len(kept) == pytest.approx(100, abs=1) and np.diff(kept).min() > 0.09
    kept = [now for now in times if limit.admits(now + 50.0, 20.0)]
    assert len(kept) == pytest.approx(200, abs=2)


def test_rate_limit_that_is_raised_or_lifted_takes_effect_at_once():
    limit = RateLimit()
    assert limit.admits(100.0, 0.01) and not limit.admits(101.0, 0.01)
    assert not limit.admits(101.1, 5.0) and limit.admits(101.3, 5.0)
    assert all(limit.admits(101.31, 0.0) for _ in range(3))


def test_sequence_description_counts(tmp_path):
    paths = [write_image(tmp_path / f"{index}.png", index) for index in range(3)]
    assert ImageSequence(paths, "folder x").description == "folder x (3 images)"


@pytest.fixture
def hundred(tmp_path):
    """A folder of a hundred images of one grey level each, the number of the image."""
    for k in range(100):
        cv2.imwrite(str(tmp_path / f"{k:03d}.png"), np.full((8, 8, 3), k, np.uint8))
    return lambda rate: open_source(str(tmp_path), frame_rate=rate)


def numbers(frames):
    for frame in frames:
        yield int(frame[0, 0, 0])


def test_a_file_is_played_in_time_and_what_is_late_is_passed_over(hundred):
    begin, seen = time.monotonic(), []
    for number in numbers(frames_in_time(hundred(200.0), threading.Event())):
        seen.append(number)
        if len(seen) == 5:
            time.sleep(0.2)  # as long as 40 frames take
    took = time.monotonic() - begin
    assert seen == sorted(set(seen))
    assert seen[5] - seen[4] >= 40  # the speed stays true
    assert took >= seen[-1] / 200.0


def test_a_file_begins_again_where_that_is_wanted_and_ends_when_asked_to(hundred):
    stopping, seen = threading.Event(), []
    for number in numbers(frames_in_time(hundred(480.0), stopping, loop=True)):
        seen.append(number)
        if sum(later < sooner for sooner, later in pairwise(seen)) == 2:
            stopping.set()
    assert stopping.is_set()


def test_every_frame_is_shown_or_counted(hundred):
    playback, seen = Playback(hundred(200.0), threading.Event()), []
    for number in numbers(playback):
        seen.append(number)
        if len(seen) == 5:
            time.sleep(0.2)
    assert playback.passed_over >= 30
    assert len(seen) + playback.passed_over == 100


def test_a_changed_rate_is_followed_while_a_slow_frame_is_waited_for(hundred):
    rates, seen = [1e-3], []
    playback = Playback(hundred(1.0), threading.Event(), rate=lambda: rates[-1])
    for number in numbers(playback):
        seen.append(number)
        threading.Timer(0.05, rates.append, [480.0]).start()  # the next is due in 1,000 s
        if len(seen) == 3:
            break
    assert seen == sorted(seen)


class Once(FrameSource):
    """Two frames, of which none can be decoded in the next rounds: the medium was taken away."""

    def __init__(self):
        super().__init__("film on a stick", 480.0)
        self.rounds = 0

    def _advance(self):
        return self.position < 2

    def retrieve(self):
        return np.zeros((8, 8, 3), np.uint8) if self.rounds == 0 else None

    def _restart(self):
        self.rounds += 1
        assert self.rounds < 5, "it is tried for ever"

    def close(self):
        pass


def test_a_looped_file_of_which_nothing_is_left_to_read_ends_with_a_line():
    seen = []
    with pytest.raises(SourceError, match="film on a stick can no longer be read; was it changed"):
        seen.extend(frames_in_time(Once(), threading.Event(), loop=True))
    assert len(seen) == 2


def test_a_webcam_is_read_as_it_comes_until_it_ends(monkeypatch, hundred):
    source = hundred(1.0)
    source.is_live = True
    assert list(numbers(frames_in_time(source, threading.Event(), loop=True))) == list(range(100))


@pytest.mark.parametrize("inside", [False, True])
def test_a_missing_webcam_is_told_with_what_is_most_likely_first(tmp_path, monkeypatch, inside):
    mark = tmp_path / "mark"
    if inside:
        mark.touch()
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    monkeypatch.setattr(webcam, "_CONTAINER_MARKS", (str(mark),))
    nothing = webcam._webcam_problem(97, [])
    assert "there are no cameras here); plug one in" in nothing
    assert ("docker" in nothing) is inside
    assert "); name one of them" in webcam._webcam_problem(97, ["/dev/video1"])
