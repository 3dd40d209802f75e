"""Starts the four nodes as processes of their own, watches them over ROS 2, and reports."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from expression_ros.demo.side_by_side import write_contact_sheet, write_video
from expression_ros.demo.timeline import write_csv, write_plot
from expression_ros.frames.opening import is_webcam, open_source
from expression_ros.images.files import readable_name

_START_S = 60.0  # a cold start on a slow machine
_QUIET_S = 1.5  # after the last image, what is still under way has arrived
_END_S = 10.0


class DemoError(ValueError):
    """The demonstration could not run; says which part failed."""


def run_demo(source: str, seconds: float | None, output: Path, robot: str = "virtual_face") -> int:
    """Play a source through the whole system and leave the results in ``output``.

    Args:
        source: webcam, video file or folder of images, as the camera node takes it.
        seconds: how long to watch a webcam; None to play a file or folder once to its end.
        output: folder for timeline.csv, timeline.png, contact_sheet.png, demo.mp4 and nodes.log.
        robot: a name from config/robots or a YAML file.

    Returns:
        0.

    Raises:
        DemoError: rclpy is missing, a node did not start or ended early, nothing was read, or the
            results cannot be written.
        SourceError: there is nothing to play; told before anything is started.
    """
    try:
        return _run_demo(source, seconds, output, robot)
    except BrokenPipeError:  # the reader of our output has gone
        raise
    except OSError as error:
        raise DemoError(
            f"{readable_name(error.filename or output)} cannot be written: {error.strerror}; "
            "name another folder with --output"
        ) from error


def _run_demo(source: str, seconds: float | None, output: Path, robot: str) -> int:
    if not is_webcam(source):
        open_source(source).close()
    try:
        import rclpy
    except ImportError:
        raise DemoError(
            "rclpy is missing: source your ROS 2 installation, or pip install '.[ros]'"
        ) from None
    from expression_ros.demo.observer import Observer
    from expression_ros.nodes.common.running import use_large_image_transport

    output.mkdir(parents=True, exist_ok=True)
    use_large_image_transport()
    with (output / "nodes.log").open("w", encoding="utf-8") as log, _Processes(log) as processes:
        processes.start("recognizer")
        processes.start("mirror", robot=robot)
        processes.start("robot_face")
        rclpy.init()
        try:
            observer = Observer(lambda line: print(line, flush=True))
            with _playable(source) as played:
                _watch(observer, processes, played, seconds)
            observer.finish()
        finally:
            rclpy.try_shutdown()
    if not observer.rows:
        raise DemoError(f"no frame of {readable_name(source)} was read; see {output / 'nodes.log'}")
    print(f"writing {output}/ ...", flush=True)
    write_csv(observer.rows, output / "timeline.csv")
    write_plot(observer.rows, output / "timeline.png")
    write_contact_sheet(observer.moments, output / "contact_sheet.png")
    write_video(observer.moments, output / "demo.mp4")
    print(f"{len(observer.rows)} frames read; timeline.csv, timeline.png, contact_sheet.png and "
          f"demo.mp4 are in {output}/")  # fmt: skip
    return 0


def _watch(observer: Any, processes: _Processes, source: str, seconds: float | None) -> None:
    """Wait until all is connected, start the camera, and watch until it has ended."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(observer)

    def spin_while(condition: Any, limit: float, failed: str = "") -> None:
        end = time.monotonic() + limit
        while condition():
            processes.check()
            executor.spin_once(timeout_sec=0.05)
            if time.monotonic() > end:
                if failed:
                    raise DemoError(failed)
                return

    try:
        print("starting recognizer, mirror and virtual face ...", flush=True)
        spin_while(observer.missing_topics, _START_S, "the nodes did not start; see nodes.log")
        print(f"playing {readable_name(source)}", flush=True)
        camera = processes.start(
            "camera", source=source, loop=seconds is not None, wait_for_subscriber=True
        )
        spin_while(lambda: camera.poll() is None, seconds if seconds is not None else 1e9)
        observer.last_frame_at = time.monotonic()
        spin_while(lambda: time.monotonic() - observer.last_frame_at < _QUIET_S, _END_S)
    finally:
        executor.shutdown()


@contextmanager
def _playable(source: str) -> Iterator[str]:
    """Give a name for the source that a parameter can hold: they are YAML, and so UTF-8."""
    if source.isprintable():
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "source" + "".join(filter(str.isprintable, Path(source).suffix)))
        link.symlink_to(Path(source).expanduser().absolute())
        yield str(link)


def _as_yaml(value: Any) -> str:
    """Return a parameter's value as YAML; texts stay texts, camera 0 and it's.mp4 too."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()


class _Processes:
    """The nodes, each in a process of its own; all are ended when the block is left."""

    def __init__(self, log: Any):
        self._log = log
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> _Processes:
        return self

    def start(self, node: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """Start a node with parameters."""
        command = [sys.executable, "-m", f"expression_ros.nodes.{node}", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_as_yaml(value)}"]
        process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self._running[node] = process
        return process

    def check(self) -> None:
        """Raise if a node has ended with an error."""
        for node, process in self._running.items():
            if process.poll():
                raise DemoError(
                    f"{node} ended with exit code {process.returncode}: {self._last_line()}"
                )

    def _last_line(self) -> str:
        lines = Path(self._log.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else f"see {self._log.name}"

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._running.values():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
