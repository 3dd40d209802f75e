"""``expression-ros web``: a page in the browser.

Part of ``expression_ros.commands``: imports ROS only where the page is to show running nodes.
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
import time
from typing import Any

from expression_ros.commands.options import (
    DETECTOR_OPTIONS,
    add_detector_options,
    add_folder_option,
    given_parameters,
)
from expression_ros.parameters.choices import NONE, PRIVACY_CHOICES


def add_web_parser(commands: Any) -> None:
    """Add ``web`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "web",
        help="show camera, scores and the robot's face on a page in the browser",
        description="Serves a page for the browser on this machine. With --camera or --video it "
        "reads and mirrors in this process, without ROS; with neither it shows the nodes that run.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", metavar="DEVICE", help="a webcam: 0, 1, /dev/video0")
    source.add_argument("--video", metavar="FILE", help="a video file or a folder of images")
    add_folder_option(parser)
    parser.add_argument("--loop", action="store_true", help="start the video again at its end")
    parser.add_argument("--robot", help="robot to mirror onto (default: virtual_face)")
    parser.add_argument("--style", help="how emotions are answered (default: mirror)")
    parser.add_argument(
        "--privacy", choices=PRIVACY_CHOICES, help="what the overlay hides (default: none)"
    )
    add_detector_options(parser)
    parser.set_defaults(detector=None, detector_model=None, detector_sha256=None)
    parser.add_argument("--person", help="whom to adapt to, a name from expression-ros calibrate")
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="address to serve on; 0.0.0.0 lets the whole network see it (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=8080, help="port to serve on, 0 for any (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another name by which the page may be called; may be repeated",
    )  # fmt: skip
    parser.set_defaults(func=_web)


def _web(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65535:
        raise ValueError(f"--port must be from 0 to 65535, not {args.port}")
    if args.camera is None and args.video is None:
        return _show_nodes(args)
    from expression_ros import RecognizerSettings, open_source
    from expression_ros.frames.opening import is_webcam
    from expression_ros.web.server import WebServer
    from expression_ros.web.video_session import VideoSession

    text = args.camera if args.video is None else args.video
    if args.camera is not None and not is_webcam(text):
        raise ValueError(f"--camera {text} is not a webcam; give 0 or /dev/video0, or use --video")
    if args.video is not None:
        # A wrong name is told at once, not on the page.
        open_source(text, folder=args.folder).close()
    settings = RecognizerSettings.from_values(given_parameters(args), background=True)
    session = VideoSession(
        lambda: open_source(text, folder=args.folder),
        f"webcam {text}" if args.video is None else f"video {text}",
        robot=args.robot or "virtual_face",
        style=args.style or "mirror",
        loop=args.loop,
        privacy=args.privacy or NONE,
        settings=settings,
        tell=lambda line: print(f"expression-ros: {line}", file=sys.stderr, flush=True),
    )
    server = WebServer(session, args.host, args.port, args.allow_host, settings)
    try:
        server.start()
        if server.warning:
            print(f"expression-ros: warning: {server.warning}", file=sys.stderr, flush=True)
        print(f"the page is on {server.address} (Ctrl-C ends it)", flush=True)
        session.start()
        _wait_for_the_end()
    finally:
        server.stop()
        session.close()
    return 0


def _show_nodes(args: argparse.Namespace) -> int:
    """Serve the page of the nodes that run, as the node ``web`` does."""
    for name in ("robot", "style", "loop", "privacy", "person", *DETECTOR_OPTIONS):
        if getattr(args, name):
            option = name.replace("_", "-")
            raise ValueError(
                f"--{option} goes with --camera or --video; of running nodes it is set on the "
                "page, at the launch, or by ros2 param set"
            )
    if importlib.util.find_spec("rclpy") is None:
        raise ValueError(
            "give --camera 0 or --video FILE; to show running nodes, rclpy is needed: source your "
            "ROS 2 installation"
        )
    from expression_ros.nodes.web.node import main

    return main(
        [
            "web", "--ros-args", "-p", f"host:='{args.host}'", "-p", f"port:={args.port}",
            "-p", f"allowed_hosts:='{','.join(args.allow_host)}'",
        ]
    )  # fmt: skip


def _wait_for_the_end() -> None:
    """Wait for SIGINT or SIGTERM."""
    came: list[int] = []  # no threading.Event: its lock may be held when the signal comes
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    while not came:
        time.sleep(0.1)
