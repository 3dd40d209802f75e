"""Does the page slow the recognizer? The same clip, by turns with nobody and with one who looks.

    python benchmarks/web_bench.py --clip .cache/clips/single_face.mp4          (without ROS)
    python benchmarks/web_bench.py --clip .cache/clips/single_face.mp4 --ros    (nodes, over DDS)

All in one run, so that a busy machine is busy for both. Who looks is a process of its own that
takes every event and every image, as a browser does. Printed are times of a frame and the ratio.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "test")]

_WARM_S = 2.0  # of each turn that is not counted

Turn = dict[str, float]


def main() -> int:
    """Measure and print; return 0."""
    options = _options()
    if options.look_at:
        return look_at(options.look_at)
    with (running_nodes if options.ros else running_session)(options.clip) as (address, measure):
        turns: dict[int, list[Turn]] = {0: [], 1: []}
        for turn in range(options.turns):
            for readers in (0, 1) if turn % 2 == 0 else (1, 0):
                with readers_of(address, readers) as images:
                    time.sleep(_WARM_S)
                    before = images()
                    begin = time.monotonic()
                    result = measure(options.seconds)
                    result["pictures/s"] = (images() - before) / (time.monotonic() - begin)
                turns[readers].append(result)
                words = ", ".join(f"{name} {value:.2f}" for name, value in result.items())
                print(f"{readers} looking: {words}", flush=True)
    print(f"\n{'':24}{'nobody':>10}{'one':>10}{'ratio':>10}")
    for name in turns[0][0]:
        nobody, one = (statistics.median(t[name] for t in turns[k]) for k in (0, 1))
        ratio = f"{one / nobody:10.3f}" if nobody else f"{'':>10}"
        print(f"{name:24}{nobody:10.2f}{one:10.2f}{ratio}")
    return 0


@contextmanager
def running_session(clip: str) -> Iterator[tuple[str, Callable[[float], Turn]]]:
    """Run the page of ``expression-ros web --video`` in this process."""
    from expression_ros.frames.opening import open_source
    from expression_ros.web.server import WebServer
    from expression_ros.web.video_session import VideoSession

    session = VideoSession(lambda: open_source(clip), clip, loop=True)
    server = WebServer(session, port=0)
    server.start()
    session.start()

    def measure(seconds: float) -> Turn:
        times: list[float] = []
        used = time.process_time()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            session.frame_times.clear()
            time.sleep(min(2.0, seconds))  # before the oldest are dropped
            times += [1000 * t for t in list(session.frame_times)]
        times.sort()
        return {
            "frame mean (ms)": statistics.fmean(times),
            "frame median (ms)": statistics.median(times),
            "frame p95 (ms)": times[int(0.95 * len(times))],
            "frames/s": len(times) / seconds,
            "processor (%)": 100 * (time.process_time() - used) / seconds,
        }

    try:
        yield server.address, measure
    finally:
        server.stop()
        session.close()


@contextmanager
def running_nodes(clip: str) -> Iterator[tuple[str, Callable[[float], Turn]]]:
    """Run camera, recognizer, mirror and page, each in a process of its own."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor

    from expression_ros.nodes.common.running import use_large_image_transport

    os.environ.setdefault("ROS_DOMAIN_ID", "214")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    use_large_image_transport()
    processes = [
        start_node("camera", source=clip),
        start_node("recognizer"),
        start_node("mirror"),
        start_node("web", port=8187),
    ]
    rclpy.init()
    node = rclpy.create_node("web_bench")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    reports: list[dict[str, str]] = []

    def take(message: Any) -> None:
        for status in message.status:
            if status.name == "recognizer: recognition":
                reports.append({entry.key: entry.value for entry in status.values})

    node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)

    def measure(seconds: float) -> Turn:
        reports.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end or not reports:
            executor.spin_once(timeout_sec=0.1)
        names = ("latency median (ms)", "latency p95 (ms)", "rate (Hz)")
        return {name: statistics.fmean(float(report[name]) for report in reports) for name in names}

    try:
        measure(8.0)  # until all run
        yield "http://127.0.0.1:8187/", measure
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(20)
        executor.shutdown()
        rclpy.try_shutdown()


def start_node(name: str, **parameters: Any) -> subprocess.Popen[bytes]:
    """Start a node as ``ros2 run`` would."""
    command = [sys.executable, "-m", f"expression_ros.nodes.{name}", "--ros-args"]
    for key, value in parameters.items():
        command += ["-p", f"{key}:={value}"]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


@contextmanager
def readers_of(address: str, count: int) -> Iterator[Callable[[], int]]:
    """Have so many processes look; yields a function that tells the images they have got."""
    command = [sys.executable, str(Path(__file__).resolve()), "--look-at", address]
    logs = [Path(f"/dev/shm/web_bench_{os.getpid()}_{k}") for k in range(count)]
    opened = [log.open("wb") for log in logs]
    readers = [subprocess.Popen(command, stdout=file) for file in opened]
    try:
        yield lambda: sum(log.stat().st_size for log in logs)
    finally:
        for reader in readers:
            reader.terminate()
            reader.wait()
        for file, log in zip(opened, logs, strict=True):
            file.close()
            log.unlink()


def look_at(address: str) -> int:
    """Take every event and every new image until ended; one byte to stdout for each."""
    import http.client

    from web_client import Client

    client = Client(address)
    images = http.client.HTTPConnection(client.host, client.port)
    had: dict[str, int] = {}
    with client.events() as events:
        for name, data in events:
            if name != "frame":
                continue
            for image, number in data["pictures"].items():
                if number != had.get(image):
                    had[image] = number
                    images.request("GET", f"/picture/{image}")
                    if images.getresponse().read():
                        os.write(1, b".")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", default=str(REPOSITORY / ".cache/clips/single_face.mp4"))
    parser.add_argument("--ros", action="store_true", help="measure the nodes")
    parser.add_argument("--turns", type=int, default=4, help="turns of each kind")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")
    parser.add_argument("--look-at", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
