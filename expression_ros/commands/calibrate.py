"""The subcommand ``calibrate`` of the command ``expression-ros``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from expression_ros import FrameSource, open_source
from expression_ros.commands.options import add_detector_options, chosen_detector
from expression_ros.personal.calibration import Calibration, report
from expression_ros.personal.clear_frames import between, parsed_segments
from expression_ros.personal.dialogue import EMOTIONS, FRAMES, Dialogue, asked_emotions
from expression_ros.personal.kept_persons import delete_person
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_views import levelled
from expression_ros.recognition.person import PersonError, checked_name, load_person, person_names
from expression_ros.session.recognizer import fisherfaces_of
from expression_ros.viewing.asking import ask_for_each, tell


def add_calibrate_parser(subparsers: Any) -> None:
    """Add ``calibrate`` to the subparsers of argparse; ``func`` returns an exit code."""
    parser = subparsers.add_parser(
        "calibrate", help="adapt the recognizer to one person",
        description="Asks for each emotion in turn, takes the clear frames by itself, moves the "
        "vote of the Fisherfaces towards this person and says what that changes. Only described "
        "faces are kept, no images. The recognizer uses them with the parameter person.",
    )  # fmt: skip
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the person is called")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", metavar="DEVICE", help="a webcam: 0, 1, /dev/video0")
    source.add_argument("--topic", metavar="TOPIC",
                        help="images of a running camera node, such as /image_raw")  # fmt: skip
    source.add_argument("--video", metavar="FILE", help="a video; needs --segments")
    source.add_argument("--faces", type=Path, metavar="DIR",
                        help="a folder per emotion with images of this person")  # fmt: skip
    source.add_argument("--delete", action="store_true", help="forget this person")
    source.add_argument("--list", action="store_true", help="say who is known")
    parser.add_argument("--segments", metavar="TEXT",
                        help="what is shown when in the video, in seconds: "
                        "'neutral 0-4, happiness 5-9'")  # fmt: skip
    parser.add_argument("--emotions", default=",".join(EMOTIONS), metavar="A,B,...",
                        help="what is asked for, in this order (default: %(default)s)")  # fmt: skip
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N",
                        help="clear frames of each emotion (default: %(default)s)")  # fmt: skip
    parser.add_argument("--add", action="store_true",
                        help="a further session of somebody who is known: another day, another "
                        "light; two sessions and more are left out one at a time")  # fmt: skip
    parser.add_argument("--keep-images", type=Path, metavar="DIR",
                        help="also keep the taken faces as images, here")  # fmt: skip
    parser.add_argument("--model", default="", metavar="DIR",
                        help="folder with Fisherfaces (default: the shipped ones)")  # fmt: skip
    add_detector_options(parser)
    parser.set_defaults(func=_calibrate)


def _calibrate(args: argparse.Namespace) -> int:
    if args.list:
        print("\n".join(person_names()) or "nobody yet")
        return 0
    if not args.name:
        raise PersonError("whom? expression-ros calibrate NAME --camera 0")
    checked_name(args.name)
    if args.delete:
        print(f"{args.name} is forgotten: {delete_person(args.name)} deleted")
        return 0
    if args.frames < 1:
        raise PersonError("--frames must be at least 1")
    if not args.add and args.name in person_names():
        raise PersonError(
            f"{args.name} is known already; add a session with --add, or forget the old ones with "
            "--delete"
        )
    calibration = Calibration(fisherfaces_of(args.model), args.keep_images)
    session = calibration.add_person(load_person(args.name)) if args.add else 0
    _collect(args, calibration, session)
    for emotion, count in calibration.leave_out_scarce().items():
        print(f"{emotion} is left out: {count} clear faces are too few to learn from")
    result = calibration.fit()
    print(report(result))
    path = calibration.save(args.name, result)
    print(f"saved as {path}; use it: ros2 launch expression_ros recognizer.launch.py "
          f"person:={args.name}")  # fmt: skip
    return 0


def _collect(args: argparse.Namespace, calibration: Calibration, session: int) -> None:
    emotions = asked_emotions(args.emotions, calibration.ensemble.labels)
    choice = chosen_detector(args)
    if args.faces is not None:
        _from_images(args.faces, calibration, session, choice.make("single", 0.06))
    elif args.video is not None:
        if not args.segments:
            raise PersonError("--video needs --segments: 'neutral 0-4, happiness 5-9'")
        detector = choice.make("single")
        segments = parsed_segments(args.segments, calibration.ensemble.labels)
        for emotion, begin, end in segments:
            with_source = open_source(args.video)
            try:
                frames = between(_stamped(with_source), begin, end)
                count = calibration.collect(emotion, frames, args.frames, session, detector)
            finally:
                with_source.close()
            tell(calibration, emotion, count)
    elif args.topic is not None:
        from expression_ros.nodes.common.image_input import subscribed_frames

        with subscribed_frames(args.topic) as frames:
            dialogue = Dialogue(calibration, emotions, args.frames, session, choice.make("single"))
            ask_for_each(dialogue, frames, calibration)
    elif args.camera is not None:
        camera = open_source(args.camera)
        try:
            dialogue = Dialogue(calibration, emotions, args.frames, session, choice.make("single"))
            ask_for_each(dialogue, _live(camera), calibration)
        finally:
            camera.close()
    else:
        raise PersonError("where from? --camera 0, --topic /image_raw, --video FILE or --faces DIR")


def _from_images(folder: Path, calibration: Calibration, session: int, detector: Detector) -> None:
    from expression_ros import read_photo
    from expression_ros.images.files import PhotoError

    if not folder.is_dir():
        raise PersonError(f"{folder}: no such folder")
    for emotion_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        emotion = asked_emotions(emotion_folder.name, calibration.ensemble.labels)[0]
        count, passed = 0, 0
        for path in sorted(emotion_folder.iterdir()):
            try:
                grey = read_photo(path)
            except PhotoError as error:
                print(f"expression-ros: {error}", file=sys.stderr)
                continue
            found = detector.search_frame(grey)
            if len(found) == 1:
                view = levelled(grey, found[0].box, found[0].tilt)
                calibration.take(emotion, *view, session)
                count += 1
            else:
                passed += 1
        calibration.refused[emotion] = {"no single face": passed} if passed else {}
        tell(calibration, emotion, count)


def _stamped(source: FrameSource) -> Iterator[tuple[np.ndarray, float]]:
    while (frame := source.read()) is not None:
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), source.seconds


def _live(source: FrameSource) -> Iterator[tuple[np.ndarray, float]]:
    import time

    while (frame := source.read()) is not None:
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), time.monotonic()
    raise PersonError("the webcam gives no more images; is it plugged in, or used elsewhere?")
