"""The ``expression-ros`` command. Each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from expression_ros import __version__
from expression_ros.commands.analyze import add_analyze_parser
from expression_ros.commands.calibrate import add_calibrate_parser
from expression_ros.commands.evaluate import add_evaluate_parser
from expression_ros.commands.live import add_live_parser
from expression_ros.commands.predict import add_predict_parser
from expression_ros.commands.prepare import add_prepare_parser
from expression_ros.commands.robots import add_robots_parser
from expression_ros.commands.train import add_train_parser
from expression_ros.commands.web import add_web_parser
from expression_ros.parameters.files import did_you_mean


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 2 with one line for bad input."""
    _let_every_letter_through()
    try:
        args = _parsed(sys.argv[1:] if arguments is None else arguments)
        code: int = args.func(args)
        if sys.stdout is not None:  # closed by the shell: >&-
            sys.stdout.flush()  # here, where a reader that has gone can be told from an error
        return code
    except ValueError as error:
        print(f"expression-ros: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough: | head
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:  # a folder that is gone, a disk that is full
        print(f"expression-ros: {_os_reason(error)}", file=sys.stderr)
        _discard_output()
        return 2


def _let_every_letter_through() -> None:
    """Let a terminal of few letters (ASCII, Latin-1) show ``?`` for the others; none is an end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _discard_output() -> None:
    """Discard what could not be written: Python flushes once more at its end, and complains."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # no file: in the tests
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _os_reason(error: OSError) -> str:
    try:
        os.getcwd()
    except OSError:
        return "the current folder has been deleted; change into another (cd)"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    args, strange = parser.parse_known_args(words)
    if strange:
        known = _options(parser, words)
        lines = [
            f"{word}{did_you_mean(word, known)}" if word.startswith("-") else word
            for word in strange
        ]
        parser.error(f"unrecognized arguments: {' '.join(lines)}")
    return args


def _options(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """Return the options of the command that the words choose."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for word in words:
                if word in action.choices:
                    found += _options(action.choices[word], words)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="expression-ros", description="Read facial expressions and mirror them onto a robot."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_predict_parser(commands)
    add_live_parser(commands)
    add_web_parser(commands)
    add_analyze_parser(commands)
    _add_demo_parser(commands)
    add_robots_parser(commands)
    add_calibrate_parser(commands)
    add_prepare_parser(commands)
    add_train_parser(commands)
    add_evaluate_parser(commands)
    return parser


def _add_demo_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", help="run camera, recognizer, mirror and virtual face over ROS 2 and report"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--camera", help="a webcam: 0, 1, /dev/video0")
    source.add_argument("--video", help="a video file or a folder of images, played once")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a webcam is watched")
    parser.add_argument("--output", default="demo_output", help="folder for the results")
    parser.add_argument("--robot", default="virtual_face", help="robot to mirror onto")
    parser.set_defaults(func=_demo)


def _demo(args: argparse.Namespace) -> int:
    from expression_ros.demo.run import run_demo

    return run_demo(
        source=args.camera or args.video,
        seconds=args.seconds if args.camera else None,
        output=Path(args.output),
        robot=args.robot,
    )


if __name__ == "__main__":
    sys.exit(main())
