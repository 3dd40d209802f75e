"""Where the pipeline's time goes, and how it grows with the frame's size and with faces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from material import CLIPS, read_clip, shaken, wall_of_faces
from measuring import summary_ms

from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.session.recognizer import RecognizerSettings, fisherfaces_of, make_recognizer

SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
RATE_HZ = 30.0  # of the stamps, not the speed at which frames are read


def stages(clips: Path, size: tuple[int, int], most: int) -> dict[str, dict[str, float]]:
    """Return the times of every stage of reading one moving face, one by one, in ms.

    ``convert`` is Image message to grey; ``detect`` the search around a known face; ``describe``
    cutting the face out and its descriptor; ``classify`` the vote of the ten models; ``publish``
    the messages of a frame with one face, labels, scores and, where vision_msgs is installed,
    detections. A frame in which the face holds still is spared detect, describe and classify.

    Args:
        clips: folder of the clips.
        size: (width, height) in px.
        most: frames per clip.
    """
    from publishing import FramePublisher

    from expression_ros.images.conversion import grey_from_message
    from expression_ros.nodes.common.image_messages import to_image_message

    detector, classifier = FaceDetector(), fisherfaces_of()
    reader = make_recognizer(RecognizerSettings.from_values(), classifier)
    names = ("convert", "detect", "describe", "classify", "publish")
    times: dict[str, list[float]] = {name: [] for name in names}

    def timed(stage: str, work: Any, *arguments: Any) -> Any:
        begin = time.perf_counter()
        result = work(*arguments)
        times[stage].append(time.perf_counter() - begin)
        return result

    with FramePublisher() as publisher:
        for name in CLIPS:
            known = None
            for number, frame in enumerate(read_clip(clips / name, size, most).frames):
                message = to_image_message(frame, publisher.now(), "camera")
                grey = timed("convert", grey_from_message, message)
                reading = reader.read(grey, number / RATE_HZ)
                if reading.faces:
                    timed("publish", publisher.publish, reading, message.header)
                if known is None:
                    known = next(iter(detector.search_frame(grey)), None)
                    continue
                found = timed("detect", detector.search_near, grey, known)
                if found is None:
                    known = None
                    continue
                known = found
                begin = time.perf_counter()
                face = prepare_face(grey, known.box, classifier.face)
                vector = classifier.descriptor.describe(face)
                times["describe"].append(time.perf_counter() - begin)
                timed("classify", classifier.predict_descriptor, vector)
    return {stage: summary_ms(seconds) for stage, seconds in times.items()}


def growth_with_size(clips: Path, most: int) -> list[dict[str, Any]]:
    """Return the cost of a frame at sizes from 320x240 to 1920x1080, both clips.

    Args:
        clips: folder of the clips.
        most: frames per clip.
    """
    rows = []
    for size in SIZES:
        seconds: list[float] = []
        for name in CLIPS:
            seconds += _read_all(read_clip(clips / name, size, most).frames)
        rows.append({"size": list(size), "frame_ms": summary_ms(seconds),
                     "fps": 1 / float(np.mean(seconds))})  # fmt: skip
    return rows


def growth_with_faces(clips: Path, repeats: int) -> list[dict[str, Any]]:
    """Return the cost of a 1280x720 frame with 1 to 8 faces, all of which move all the time.

    Newcomers are searched in the background as in the node: the time is a frame's, the search
    shares the processor with it.

    Args:
        clips: folder of the clips.
        repeats: frames for each number of faces.
    """
    frame = read_clip(clips / CLIPS[0], (1280, 720), 1).frames[0]
    box = FaceDetector().search_frame(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))[0].box
    rows = []
    for count in range(1, 9):
        rng = np.random.default_rng(count)
        wall = wall_of_faces(frame, box, count)
        reader = make_recognizer(RecognizerSettings.from_values(background=True))
        found, seconds = [], []
        for k in range(repeats):
            image = shaken(wall, rng)
            begin = time.perf_counter()
            reading = reader.read(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), k / RATE_HZ)
            seconds.append(time.perf_counter() - begin)
            found.append(len(reading.faces))
        reader.close()
        later = slice(repeats // 4, None)  # once everybody has been found
        rows.append({"faces": count, "found": int(np.median(found[later])),
                     "frame_ms": summary_ms(seconds[later]),
                     "fps": 1 / float(np.mean(seconds[later]))})  # fmt: skip
    return rows


def _read_all(frames: Sequence[np.ndarray]) -> list[float]:
    """Return the seconds of every frame, conversion to grey included."""
    reader = make_recognizer(RecognizerSettings.from_values())
    reader.read(cv2.cvtColor(frames[0], cv2.COLOR_BGR2GRAY), -1.0)  # first use of every part
    reader.reset()
    seconds = []
    for number, frame in enumerate(frames):
        begin = time.perf_counter()
        reader.read(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), number / RATE_HZ)
        seconds.append(time.perf_counter() - begin)
    return seconds
