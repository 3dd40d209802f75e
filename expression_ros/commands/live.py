"""``expression-ros live``: a window with the person and the robot's answer.

Part of ``expression_ros.commands``: imports no ROS.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from expression_ros.commands.options import (
    add_classifier_options,
    add_detector_options,
    add_folder_option,
    given_parameters,
)
from expression_ros.parameters.choices import NONE, PRIVACY_CHOICES

_MOST_IMAGES_S = 25.0  # drawn per second
_LEAST_REST_S = 0.01
_END_KEYS = {"q", "Q", "Escape"}


def add_live_parser(commands: Any) -> None:
    """Add ``live`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "live",
        help="show the webcam with what is read, and the robot's answer, in a window",
        description="Reads a webcam or a video and shows, in a window, the faces with label and "
        "votes, and beside it the robot's face with the word that the robot would be sent. No ROS "
        "is needed and nothing is sent or stored. q or Escape ends it, as closing the window does.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--camera", default="0", metavar="DEVICE",
        help="a webcam: 0, 1, /dev/video0 (default: %(default)s)",
    )  # fmt: skip
    source.add_argument("--video", metavar="FILE", help="a video file or a folder of images")
    add_folder_option(parser)
    parser.add_argument(
        "--robot", default="virtual_face", help="robot that answers (default: %(default)s)"
    )
    parser.add_argument(
        "--style", default="mirror", help="how emotions are answered (default: %(default)s)"
    )
    add_classifier_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--landmarks", action="store_true", help="draw the 68 points of each face; needs dlib"
    )
    parser.add_argument(
        "--privacy", choices=PRIVACY_CHOICES, default=NONE,
        help="what the image hides (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(func=_live)


def _live(args: argparse.Namespace) -> int:
    from expression_ros import RecognizerSettings, load_robot, make_recognizer, open_source
    from expression_ros.frames.opening import is_webcam
    from expression_ros.mirroring.styles import load_style
    from expression_ros.recognition.landmarks import LandmarkFinder
    from expression_ros.session.live import LiveSession, behaviour_as_node
    from expression_ros.viewing.live_image import LiveImage
    from expression_ros.viewing.windows import ImageWindow

    if args.video is None and not is_webcam(args.camera):
        raise ValueError(
            f"--camera {args.camera} is not a webcam; give 0 or /dev/video0, or use --video"
        )
    robot, style = load_robot(args.robot), load_style(args.style)
    finder = LandmarkFinder() if args.landmarks else None
    settings = RecognizerSettings.from_values(given_parameters(args), background=True)
    recognizer = make_recognizer(settings)
    source = open_source(args.camera if args.video is None else args.video, folder=args.folder)
    session = LiveSession(source, recognizer, behaviour_as_node(robot, style), finder)
    window = None
    try:
        window = ImageWindow(f"expression-ros: {source.description} (q ends)")
        print(f"showing {source.description}; q or Escape in the window ends it", flush=True)
        session.start()
        _show(session, LiveImage(robot, args.privacy), window)
    finally:
        session.close()  # first: no other thread may run while a window is taken away
        if window is not None:
            window.close()
    if source.skipped:
        names = ", ".join(source.skipped)
        print(f"not read: {len(source.skipped)} of its images: {names}", file=sys.stderr)
    return 0


def _show(session: Any, image: Any, window: Any) -> None:
    """Show what is read until the window is closed or a key ends it."""
    while not window.is_closed:
        begin = time.monotonic()
        live = session.newest()
        if live is not None:
            shown = image.draw(live, session.expression(), begin, ended=session.has_ended)
            window.show(shown)
        if not _END_KEYS.isdisjoint(window.keys()):
            return
        spent = time.monotonic() - begin
        time.sleep(max(_LEAST_REST_S, 1.0 / _MOST_IMAGES_S - spent))
