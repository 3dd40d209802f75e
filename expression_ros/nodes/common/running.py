"""Starting and ending a node in its own process, the same way for all of them."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from expression_ros.parameters.files import (
    did_you_mean,
    for_all_only,
    misspelt_nodes,
    named_nodes,
    params_files,
    section_problems,
    unknown_parameters,
)
from expression_ros.resources import ResourceError, config_path

_ROS_OPTIONS = (
    "--ros-args", "--remap", "--param", "--params-file", "--log-level", "--log-config-file",
    "--log-file-name", "--enclave", "--enable-rosout-logs", "--disable-rosout-logs",
    "--enable-stdout-logs", "--disable-stdout-logs", "--enable-external-lib-logs",
    "--disable-external-lib-logs",
)  # fmt: skip
_STOP_POLL_S = 0.1  # how long a signal may wait while nothing else happens


def profile_variable() -> str:
    """Return the variable in which this distribution's Fast DDS looks for its profile file."""
    humble = os.environ.get("ROS_DISTRO") == "humble"
    return "FASTRTPS_DEFAULT_PROFILES_FILE" if humble else "FASTDDS_DEFAULT_PROFILES_FILE"


def use_large_image_transport() -> None:
    """Point Fast DDS at the shipped profile whose shared memory holds whole camera images.

    With its default half-megabyte segment a 640x480 colour image travels in fragments, and a
    best-effort subscription then gets none of them. A profile the user has chosen is left alone.
    Must run before rclpy.init().
    """
    if profile_variable() in os.environ:
        return
    try:
        os.environ[profile_variable()] = str(config_path("fastdds_large_images.xml"))
    except ResourceError as error:
        print(f"[WARN] {error}; large images may not arrive", file=sys.stderr)


def _without_log_file(args: list[str] | None) -> list[str] | None:
    """Return the arguments, with ROS's log file switched off where it cannot be written.

    Otherwise rcl ends the process in a home that is read-only or missing, as in many containers.
    """
    home = os.environ.get("ROS_HOME") or os.path.join(os.path.expanduser("~"), ".ros")
    folder = os.environ.get("ROS_LOG_DIR") or os.path.join(home, "log")
    try:
        os.makedirs(os.path.expanduser(folder), exist_ok=True)
        if os.access(os.path.expanduser(folder), os.W_OK):
            return args
        reason = "it is read-only"
    except OSError as error:
        reason = error.strerror or str(error)
    print(f"[WARN] no log file in {folder}: {reason}; set ROS_LOG_DIR", file=sys.stderr)
    return [*(sys.argv if args is None else args), "--ros-args", "--disable-external-lib-logs"]


def _init_problem(error: RuntimeError) -> str:
    """Return why ROS did not start, in one line, with the option that an unknown one may mean."""
    line = " ".join(str(error).split())
    strange = re.findall(r"'([^']+)'", line)
    if type(error).__name__ != "UnknownROSArgsError" or not strange:
        return line
    near = (did_you_mean(word, _ROS_OPTIONS) for word in strange if word.startswith("-"))
    return f"unknown ROS arguments: {' '.join(strange)}{next(near, '')}"


def _as_utf8(word: str) -> str:
    """Return an argument with the letters that were typed: rclpy takes nothing but UTF-8.

    Under an ASCII locale (LANG=C) Python keeps other bytes as lone surrogates.

    Raises:
        UnicodeDecodeError: what was typed is not UTF-8.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in word):
        return os.fsencode(word).decode("utf-8")
    return word


class NodeFinished(Exception):
    """Raised inside a callback of a node that has finished its work and wants to end."""


def run_node(make_node: Callable[[], Any], args: list[str] | None = None) -> int:
    """Spin the node that ``make_node`` returns until SIGINT, SIGTERM or its own end.

    The node may have ``start()``, called before spinning, and ``close()``, called once at the end
    while its publishers still work (to leave the robot neutral and the camera free). To end by
    itself it raises NodeFinished in a callback.

    Returns:
        The exit code: 0 after a clean end, 2 if the node could not be made or started (a ValueError
        of either is printed as one line).
    """
    try:
        args = [_as_utf8(word) for word in (sys.argv if args is None else args)]
    except UnicodeDecodeError as error:
        print(f"[ERROR] the argument {error.object!r} is not UTF-8", file=sys.stderr, flush=True)
        return 2
    use_large_image_transport()
    # rclpy's own handlers would close the context first, and no last message could be sent.
    try:
        rclpy.init(args=_without_log_file(args), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # ROS arguments or a parameter file that cannot be understood
        print(f"[ERROR] {_init_problem(error)}", file=sys.stderr, flush=True)
        return 2
    stop = _StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _run(make_node, stop, args)
    except ValueError as error:
        print(f"[ERROR] {error}", file=sys.stderr, flush=True)
        return 2
    finally:
        # A second Ctrl-C while Python ends must not turn a clean end into a death by signal.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        rclpy.try_shutdown()


def report_unused_parameters(node: Any, arguments: Sequence[str]) -> None:
    """Warn of each parameter, and section of a parameter file, that was given and does not exist.

    Args:
        node: the node, with all its parameters declared.
        arguments: the command line it was started with.
    """
    files = params_files(arguments)
    given = getattr(node, "_parameter_overrides", {})  # rclpy tells them in no other way
    strangers = [name for name in given if not node.has_parameter(name)]
    named = named_nodes(arguments)
    if not files and not strangers and not named:
        return
    from expression_ros.parameters.nodes import TABLES

    name = node.get_fully_qualified_name()
    known = list(node.get_parameters_by_prefix(""))
    others = {spec.name for table in TABLES.values() for spec in table}
    lines = unknown_parameters(strangers, known, for_all_only(files, name), others)
    lines += misspelt_nodes(named, node.get_name(), set(TABLES))
    for file in files:
        lines += section_problems(file, name, set(TABLES))
    for line in lines:
        node.get_logger().warning(line)


class _StopFlag:
    """Set by a signal.

    No threading.Event: a second signal in the middle of the first one's ``set()`` would wait for
    its lock and never ends, in the same thread.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set


def _run(make_node: Callable[[], Any], stop: _StopFlag, args: list[str] | None) -> int:
    node = make_node()
    report_unused_parameters(node, sys.argv if args is None else args)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if hasattr(node, "start"):
            node.start()
        while not stop.is_set():
            executor.spin_once(timeout_sec=_STOP_POLL_S)
    except (NodeFinished, ExternalShutdownException):
        pass
    finally:
        if hasattr(node, "close"):
            node.close()
        executor.shutdown()
        node.destroy_node()
    return 0
