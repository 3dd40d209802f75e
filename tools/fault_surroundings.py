"""Faults of what surrounds the nodes: disks, files, ports, other processes of a launch."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fault_scene import SMILE, Feed, NotHere, Outcome, Scene
from launched_nodes import Launched, launch_is_here
from node_processes import REPOSITORY, until


def _started_with(scene: Scene, start: Callable[[str], object]) -> float:
    """Start recognizer and mirror in another way, see them work, and start them as usual again."""
    nodes = ("recognizer", "mirror")
    for node in nodes:
        scene.processes.stop(node)
    begin = time.monotonic()
    with Feed(scene.watcher, scene.image):
        for node in nodes:
            start(node)
        scene.labels(since=begin)
        scene.shows(SMILE)
        back = time.monotonic() - begin
        if dead := scene.processes.dead():
            raise TimeoutError(f"{', '.join(dead)} died")
    scene.restart(*nodes)
    return back


def home_read_only(scene: Scene) -> Outcome:
    # /proc cannot be written to, not even by root, on whom permissions make no impression.
    environment = {"HOME": "/proc", "ROS_LOG_DIR": "", "ROS_HOME": ""}
    back = _started_with(scene, lambda node: scene.processes.start(node, environment))
    return Outcome("both nodes say so, start and answer", back, "log files")


_ON_FULL_DISK = (
    'mount -t tmpfs -o size=64k tmpfs "$1" && { cat /dev/zero > "$1/full" 2>/dev/null; '
    'cd "$1"; shift; exec "$@"; }'
)


def disk_full(scene: Scene) -> Outcome:
    disk = scene.folder / "disk"
    disk.mkdir(exist_ok=True)
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", _ON_FULL_DISK, "sh", str(disk)]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        raise NotHere("this machine lets nobody mount a small disk of his own") from None
    environment = {"HOME": str(disk), "ROS_LOG_DIR": "", "ROS_HOME": "", "TMPDIR": str(disk),
                   "PYTHONPATH": str(REPOSITORY)}  # fmt: skip

    def start(node: str) -> None:
        command = [*inside, sys.executable, "-m", f"expression_ros.nodes.{node}"]
        scene.processes.run(node, command, environment)

    back = _started_with(scene, start)
    return Outcome("home and temporary files on a full disk: both nodes start and answer", back,
                   "what the log files would have said")  # fmt: skip


def _change(scene: Scene, *numbers: int) -> bool:
    """Ask the recognizer for transitions one after the other; return whether the last was done."""
    from lifecycle_msgs.srv import ChangeState

    done = True
    for number in numbers:
        request = ChangeState.Request()
        request.transition.id = number
        done = scene.watcher.call(ChangeState, "/recognizer/change_state", request).success
    return done


def model_replaced(scene: Scene) -> Outcome:
    from lifecycle_msgs.msg import Transition

    copy = scene.folder / "models"
    shutil.copytree(REPOSITORY / "models", copy, dirs_exist_ok=True)
    scene.restart("recognizer", model=str(copy / "fisherfaces"))
    with Feed(scene.watcher, scene.image):
        scene.labels()
        victim = next((copy / "fisherfaces").glob("*.xml.gz"))
        good = victim.read_bytes()
        victim.write_bytes(good[: len(good) // 2])
        scene.labels(30)
        stopped = time.monotonic()
        refused = not _change(
            scene, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
            Transition.TRANSITION_CONFIGURE,
        )  # fmt: skip
        scene.status("recognizer: model", lambda s: victim.name in s.message, "the file's name")
        victim.write_bytes(good)
        begin = time.monotonic()
        _change(scene, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        back = scene.labels(since=begin)
        silence = scene.silence(stopped)
    scene.restart("recognizer")
    if not refused:
        raise TimeoutError("the damaged model was loaded")
    return Outcome(
        "goes on with the loaded model; the next configure refuses the file by its name and "
        "SHA-256, and takes the restored one",
        back,
        f"nothing while it runs; labels for {silence:.1f} s, from deactivate until activate",
    )


_DAMAGES = 40


def _damaged(good: bytes, seed: int) -> bytes:
    """Return a person's file: cut short, something else, or with other bytes or arrays in it."""
    rng = np.random.default_rng(seed)
    data = np.frombuffer(good, np.uint8).copy()
    kind = seed % 5
    if kind == 0:
        return good[: rng.integers(len(good))]
    if kind == 1:
        return rng.bytes(int(rng.integers(1, 2000)))
    if kind == 2:
        with np.load(io.BytesIO(good)) as file:
            arrays = {key: file[key] for key in file.files}
        odd = (np.zeros((2, 3, 1)), np.array("x"), np.array([], int), np.array(np.inf))
        arrays[list(arrays)[rng.integers(len(arrays))]] = odd[rng.integers(4)]
        changed = io.BytesIO()
        np.savez(changed, **arrays)
        return changed.getvalue()
    # Archives say at their end, and before each file, what is in them: there it hurts most.
    at = rng.integers(len(data), size=8) if kind == 3 else -1 - rng.integers(700, size=3)
    data[at] = rng.integers(256, size=len(at))
    return data.tobytes()


def _save_somebody(name: str, folder: Path) -> Path:
    """Save a person who looks like anybody, so that labels stay what they are; return the file."""
    from expression_ros.personal.kept_persons import save_person
    from expression_ros.recognition.adapted_vote import descriptor_digest
    from expression_ros.recognition.person import Person
    from expression_ros.session.recognizer import fisherfaces_of

    ensemble = fisherfaces_of()
    mean = ensemble.members[0].getMean().ravel()
    vectors = mean + np.random.default_rng(0).normal(0, 0.05, (30, len(mean)))
    labels = tuple(label for label in ("neutral", "happiness", "sadness") for _ in range(10))
    digest = descriptor_digest(ensemble)
    person = Person(name, vectors, labels, np.zeros(30, int), digest, 1e4)
    return save_person(person, folder)


def person_damaged(scene: Scene) -> Outcome:
    from lifecycle_msgs.msg import Transition as To

    def lines(*words: str) -> int:
        text = scene.processes.log.read_text(errors="replace")
        return sum(all(word in line for word in words) for line in text.splitlines())

    remedy = ("cannot be configured: ", "expression-ros calibrate somebody")
    path = _save_somebody("somebody", scene.folder / "expression_ros" / "persons")
    good, name = path.read_bytes(), path.name
    scene.processes.stop("recognizer")
    home = {"XDG_DATA_HOME": str(scene.folder)}
    scene.processes.start("recognizer", home, person="somebody")
    refusals = 0
    told, traces = lines(*remedy), lines("Traceback")
    with Feed(scene.watcher, scene.image):
        scene.labels()
        path.write_bytes(_damaged(good, 0))
        scene.labels(30)  # with the person that is loaded
        stopped = time.monotonic()
        _change(scene, To.TRANSITION_DEACTIVATE, To.TRANSITION_CLEANUP)
        for seed in range(1, _DAMAGES):
            path.write_bytes(_damaged(good, seed))
            if _change(scene, To.TRANSITION_CONFIGURE):  # some bytes matter to nobody
                _change(scene, To.TRANSITION_CLEANUP)
                continue
            refusals += 1
        path.write_bytes(_damaged(good, 0))
        refusals += not _change(scene, To.TRANSITION_CONFIGURE)
        until(lambda: lines(*remedy) >= told + refusals, "a remedy each")
        scene.status("recognizer: model", lambda s: name in s.message, "the file's name")
        if lines("Traceback") > traces:
            raise TimeoutError("a damaged file gave a traceback")
        path.write_bytes(good)
        begin = time.monotonic()
        _change(scene, To.TRANSITION_CONFIGURE, To.TRANSITION_ACTIVATE)
        back = scene.labels(since=begin)
        silence = scene.silence(stopped)
    scene.restart("recognizer")
    return Outcome(
        f"goes on with the person that is loaded; of {_DAMAGES} damages of the file the next "
        f"configure refuses {refusals}, each with one line that says the remedy, and takes "
        "the restored one",
        back,
        f"nothing while it runs; labels for {silence:.1f} s, during {_DAMAGES} attempts",
    )


def _serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _said(scene: Scene, words: str, since: int) -> bool:
    """Return whether something was said after so many bytes of the log."""
    return words.encode() in scene.processes.log.read_bytes()[since:]


def port_taken(scene: Scene) -> Outcome:
    with Feed(scene.watcher, scene.image) as feed:
        scene.labels()
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port, log = holder.getsockname()[1], scene.processes.log.stat().st_size
            begin, sent = time.monotonic(), feed.sent
            page = scene.processes.start("web", port=port)
            until(lambda: page.poll() is not None, "the end of the page")
            ended = time.monotonic() - begin
            del scene.processes.running["web"]
            if page.returncode != 2 or not _said(scene, f"port {port}: Address already", log):
                raise TimeoutError(f"the page ended with {page.returncode}, without the port")
            scene.labels()
            missed = max(0, feed.sent - sent - scene.count(begin))
            sent = feed.sent - sent
        scene.processes.start("web", port=port)
        back = until(lambda: _serves(port), "the page")
        scene.processes.stop("web")
    return Outcome(
        f"the page ends after {ended:.1f} s with code 2 and one line that names the port; "
        "recognizer and mirror go on; started when the port is free, it is served",
        back,
        f"the page; {missed} of {sent} labels",
    )


def stranger_dies(scene: Scene) -> Outcome:
    """One stranger ends with the exit code that our own nodes have when they are misconfigured."""
    if not launch_is_here():
        raise NotHere("ROS 2's launch is not installed")
    for node in ("recognizer", "mirror"):
        scene.processes.stop(node)
    log = scene.processes.log.stat().st_size
    with (
        socket.create_server(("127.0.0.1", 0)) as holder,
        scene.processes.log.open("a") as output,
        Feed(scene.watcher, scene.image) as feed,
    ):
        port = holder.getsockname()[1]
        parameters = scene.folder / "page.yaml"
        parameters.write_text(f"/**/web: {{ros__parameters: {{port: {port}}}}}\n")
        scene.watcher.expressions.clear()
        with Launched(
            scene.folder / "launch", output, web=True, params_file=parameters
        ) as launched:
            scene.labels()
            until(lambda: _said(scene, f"port {port}: Address already", log), "the page's end")
            until(lambda: len(launched.strangers()) == 2, "two strangers")
            scene.shows(SMILE)
            begin, sent = time.monotonic(), feed.sent
            for pid, number in zip(
                launched.strangers(), (signal.SIGUSR1, signal.SIGKILL), strict=True
            ):
                os.kill(pid, number)
                until(lambda pid=pid: _said(scene, f"pid {pid}", log), "word of its end")
                scene.labels(60)
            missed = max(0, feed.sent - sent - scene.count(begin))
            sent = feed.sent - sent
            silence = scene.silence(begin)
            scene.leaves(feed)
            scene.shows(SMILE)
            if not launched.runs():
                raise TimeoutError("the launch has ended")
    return Outcome(
        "in one launch the page's port is taken, a stranger ends with code 2, another is killed: "
        f"recognizer and mirror go on, never longer than {silence:.1f} s without a label",
        0.0,
        f"the page; {missed} of {sent} labels",
    )


FAULTS: dict[str, tuple[str, Callable[[Scene], Outcome]]] = {
    "home": ("read-only home", home_read_only),
    "disk": ("disk full", disk_full),
    "model": ("model file replaced while running", model_replaced),
    "person": ("person file damaged", person_damaged),
    "port": ("the page's port taken", port_taken),
    "stranger": ("a stranger's process dies in the same launch", stranger_dies),
}
