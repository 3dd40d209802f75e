"""Faults of the field that no other test has: see tools/faults.py for those that take longer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from ros_bench import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String

from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.mirror.node import Mirror
from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.personal.kept_persons import save_person
from expression_ros.recognition.adapted_vote import descriptor_digest
from expression_ros.recognition.person import Person
from expression_ros.resources import models_path
from expression_ros.session.recognizer import fisherfaces_of

REPOSITORY = Path(__file__).resolve().parent.parent
ONE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class Camera:
    """Sends one image at 30 Hz, stamped with the time and an offset in seconds."""

    def __init__(self, ros, image):
        self.image, self.offset, self.ros = image, 0.0, ros
        self._publisher = ros.node.create_publisher(Image, "image_raw", ONE)
        ros.node.create_timer(1 / 30, self._send)

    def _send(self):
        now = self.ros.node.get_clock().now().nanoseconds + round(1e9 * self.offset)
        stamp = Time(nanoseconds=now).to_msg()
        self._publisher.publish(to_image_message(self.image, stamp, "camera"))


@pytest.fixture
def portrait(astronaut):
    """Return a smiling face, (480, 512, 3)."""
    return np.ascontiguousarray(astronaut[:480])


def run(node, log, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", f"expression_ros.nodes.{node}", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )


def ended(process):
    process.kill()
    process.wait()


def start(ros, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=overrides))
    node.start()
    return node


@pytest.mark.parametrize("variables", [{}, {"ROS_LOG_DIR": "/proc/no_log"}], ids=["home", "log"])
def test_without_a_writable_home_the_recognizer_reads_and_says_that_there_is_no_log(
    ros, portrait, tmp_path, variables
):
    """/proc cannot be written to even by root, on whom permissions make no impression."""
    labels = ros.collect(String, "/face_emotion")
    Camera(ros, portrait)
    log = tmp_path / "said"
    process = run("recognizer", log, **{"HOME": "/proc", "ROS_LOG_DIR": "", "ROS_HOME": "",
                                        **variables})  # fmt: skip
    try:
        labels.wait_for(lambda got: len(got) > 3, "labels")
        assert log.read_text().count("no log file in /proc/") == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        ended(process)


FULL_DISK = """
mount -t tmpfs -o size=64k tmpfs "$1" || exit 99
cat /dev/zero > "$1/full" 2>/dev/null
cd "$1"
shift
if echo x > more 2>/dev/null; then exit 98; fi
exec "$@"
"""


def test_on_a_full_disk_the_recognizer_reads_all_the_same(ros, portrait, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh", str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"]).returncode:
        pytest.skip("needs a machine on which a process may mount a small disk of its own")
    labels = ros.collect(String, "/face_emotion")
    Camera(ros, portrait)
    environment = {**os.environ, "HOME": str(disk), "TMPDIR": str(disk), "ROS_LOG_DIR": "",
                   "ROS_HOME": "", "PYTHONPATH": str(REPOSITORY)}  # fmt: skip
    process = subprocess.Popen(
        [*inside, sys.executable, "-m", "expression_ros.nodes.recognizer"], env=environment
    )
    try:
        labels.wait_for(lambda got: len(got) > 3, "labels")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        ended(process)


class LoopingBag:
    """A bag played again and again with its clock: a face for a second, nobody for three."""

    LENGTH, FACE = 4.0, 1.0  # seconds

    def __init__(self, ros, face):
        from rosgraph_msgs.msg import Clock

        self.rounds, self.position, self.paused = 0, 0.0, False
        self._clock_type, self._frames = Clock, (face, np.full_like(face, 128))
        self._ticks = 0
        self._clock = ros.node.create_publisher(Clock, "/clock", 10)
        self._images = ros.node.create_publisher(Image, "image_raw", ONE)
        ros.node.create_timer(0.01, self._tick)

    def _tick(self):
        stamp = Time(seconds=1_700_000_000 + self.position).to_msg()
        self._clock.publish(self._clock_type(clock=stamp))
        if self.paused:
            return
        if self._ticks % 4 == 0:
            frame = self._frames[self.position >= self.FACE]
            self._images.publish(to_image_message(frame, stamp, "camera"))
        self._ticks += 1
        self.position += 0.01
        if self.position >= self.LENGTH:
            self.position, self.rounds = 0.0, self.rounds + 1


def test_the_clock_of_a_bag_that_loops_is_followed_by_both_nodes(ros, portrait, tmp_path):
    shown = ros.collect(String, "/robot_expression", 100)
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    bag = LoopingBag(ros, portrait)
    simulated = ("--ros-args", "-p", "use_sim_time:=true")
    processes = [run(node, tmp_path / node, *simulated) for node in ("recognizer", "mirror")]

    def shows(word, begin):
        shown.wait_for(lambda got: any(one.data == word for one in got[begin:]), word)
        return len(shown.messages)

    try:
        seen = shows("smile", 0)
        for _ in range(2):
            seen = shows("neutral", seen)
            rounds = bag.rounds
            seen = shows("smile", seen)
            assert bag.rounds == rounds + 1, "in the next round, at once"
        bag.paused = True
        diagnostics.clear()
        diagnostics.wait_for(
            lambda got: any("no image on" in one.message for m in got for one in m.status),
            "a warning while time stands still",
        )
        bag.paused = False
        shows("neutral", seen)
    finally:
        for process in processes:
            ended(process)


def test_a_killed_mirror_leaves_labels_alone_and_a_new_one_shows_the_present_expression(
    ros, portrait, tmp_path
):
    labels = ros.collect(String, "/face_emotion")
    shown = ros.collect(String, "/robot_expression")
    Camera(ros, portrait)
    start(ros)
    process = run("mirror", tmp_path / "said")
    try:
        shown.wait_for(lambda got: got and got[-1].data == "smile", "a smile")
        ended(process)
        labels.clear()
        labels.wait_for(lambda got: len(got) >= 10, "labels without a mirror")
        shown.clear()
        process = run("mirror", tmp_path / "said")
        shown.wait_for(lambda got: got and got[-1].data == "smile", "a smile of the new one")
    finally:
        ended(process)


def test_time_that_goes_back_is_followed(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    node = start(ros)
    camera = Camera(ros, portrait)
    for offset in (0.0, -60.0, 0.0, -86_400.0):
        camera.offset = offset
        labels.clear()
        labels.wait_for(lambda got: len(got) >= 10, f"labels {offset:g} s from now")
        assert {message.data for message in labels.messages} == {"happiness"}
    assert node._statistics.failed == 0


def test_a_killed_recognizer_leaves_the_robot_neutral_and_a_new_one_goes_on(
    ros, portrait, tmp_path
):
    shown = ros.collect(String, "/robot_expression")
    ros.add(Mirror(context=ros.context))
    Camera(ros, portrait)
    process = run("recognizer", tmp_path / "said")
    try:
        shown.wait_for(lambda got: got and got[-1].data == "smile", "a smile")
        ended(process)  # 30 frames a second come: it is at work on one
        shown.wait_for(lambda got: got[-1].data == "neutral", "a neutral robot")
        process = run("recognizer", tmp_path / "said")
        shown.wait_for(lambda got: got[-1].data == "smile", "a smile again")
    finally:
        ended(process)


def change(ros, *transitions):
    """Ask the recognizer for transitions one after the other; return whether all were done."""

    def done(number):
        request = ChangeState.Request()
        request.transition.id = number
        return ros.call(ChangeState, "/recognizer/change_state", request).success

    return all(done(number) for number in transitions)


def test_a_model_file_replaced_while_running_does_no_harm_until_it_is_loaded(
    ros, portrait, tmp_path
):
    for name in ("fisherfaces", "embedding"):
        shutil.copytree(models_path(name), tmp_path / name)
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    Camera(ros, portrait)
    start(ros, model=str(tmp_path / "fisherfaces"))
    labels.wait_for(len, "a label")
    victim = sorted((tmp_path / "fisherfaces").glob("*.xml.gz"))[4]
    good = victim.read_bytes()
    victim.write_bytes(good[:-100] + bytes(100))
    labels.clear()
    labels.wait_for(lambda got: len(got) > 3, "labels of the loaded model")

    assert change(ros, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
    assert not change(ros, Transition.TRANSITION_CONFIGURE)
    diagnostics.wait_for(
        lambda got: any(victim.name in one.message for m in got for one in m.status), "its name"
    )
    victim.write_bytes(good)
    labels.clear()
    assert change(ros, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
    labels.wait_for(len, "a label of the restored model")


def somebody(name):
    """Return a person whom the recognizer takes for anybody."""
    ensemble = fisherfaces_of()
    mean = ensemble.members[0].getMean().ravel()
    vectors = mean + np.random.default_rng(0).normal(0, 0.05, (4, len(mean)))
    labels = ("neutral", "neutral", "happiness", "happiness")
    return Person(name, vectors, labels, np.zeros(4, int), descriptor_digest(ensemble), 1e4)


def test_a_damaged_person_file_does_no_harm_until_it_is_loaded_and_is_told_then(
    ros, portrait, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = save_person(somebody("ada"))
    good = path.read_bytes()
    labels = ros.collect(String, "/face_emotion")
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    Camera(ros, portrait)
    start(ros, person="ada")
    labels.wait_for(len, "a label")
    path.write_bytes(good[:-100] + bytes(100))
    labels.clear()
    labels.wait_for(lambda got: len(got) > 3, "labels with the person that is loaded")
    assert change(ros, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
    assert not change(ros, Transition.TRANSITION_CONFIGURE)
    diagnostics.wait_for(
        lambda got: any("ada.npz cannot be used" in one.message for m in got for one in m.status),
        "its name",
    )
    path.write_bytes(good)
    labels.clear()
    assert change(ros, Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
    labels.wait_for(len, "a label with the restored file")


def test_images_of_another_size_are_read_wherever_the_face_was(ros, portrait):
    height, width = portrait.shape[:2]
    large = np.full((height * 3 // 2, width * 3 // 2, 3), 128, np.uint8)
    large[-height:, -width:] = portrait  # the face where the small image has no pixels
    small = np.ascontiguousarray(portrait[::2, ::2])
    labels = ros.collect(String, "/face_emotion")
    node = start(ros)
    camera = Camera(ros, large)
    for image in (large, small, large, portrait, small):
        camera.image = image
        labels.clear()
        labels.wait_for(lambda got: len(got) >= 10, f"labels at {image.shape}")
    assert node._statistics.failed == 0


_NEVER_READS = (
    "import rclpy, signal; from sensor_msgs.msg import Image; "
    "rclpy.init(); node = rclpy.create_node('never_reads'); "
    "node.create_subscription(Image, 'face_emotion/image', print, 1); signal.pause()"
)


def test_a_subscriber_of_the_overlay_that_never_reads_stops_nothing(ros, portrait):
    labels = ros.collect(String, "/face_emotion")
    Camera(ros, portrait)
    node = start(ros)
    labels.wait_for(len, "a label")
    reader = subprocess.Popen([sys.executable, "-c", _NEVER_READS], env=dict(os.environ))
    try:
        wait_until(lambda: node.count_subscribers("/face_emotion/image") == 1, "the reader")
        labels.clear()
        labels.wait_for(lambda got: len(got) >= 10, "labels while it does not spin")
        reader.send_signal(signal.SIGSTOP)
        labels.clear()
        labels.wait_for(lambda got: len(got) >= 60, "labels while its process stands still")
    finally:
        ended(reader)


def run_beside(code):
    """Run code of the tool in a process of its own: it chooses a ROS domain when it is imported."""
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "tools", check=True, timeout=60)


def test_the_table_of_faults_is_written_between_its_marks():
    run_beside(
        "import faults; text = 'a\\n' + faults.BEGIN + 'old' + faults.END + '\\nz'; "
        "new = faults.with_table(text, [('f', 's', '1.0 s', 'l')]); "
        "assert new.startswith('a\\n') and new.endswith('\\nz') and 'old' not in new; "
        "assert '| f | s | 1.0 s | l |' in new; assert faults.with_table(new, []) != new"
    )


def test_the_table_has_every_fault_and_each_is_survived():
    text = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.split("<!-- faults: begin -->")[1].split("<!-- faults: end -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    assert "not survived" not in table
    run_beside(
        "import faults; titles = [title for title, _ in faults.FAULTS.values()]; "
        f"assert titles == {[row[0] for row in rows]!r}, titles"
    )


_PRETEND = """
import sys, types
from pathlib import Path
import faults


class Nobody(dict):
    running = property(lambda self: self)
    __enter__ = lambda self: self
    __exit__ = lambda self, *_: None
    start = lambda self, node, **_: self.setdefault(node, node)
    kill = dict.pop
    dead = lambda self: ["mirror"] if "broken" in self else []


def not_here(scene):
    raise faults.NotHere("no launch")


def in_vain(scene):
    raise TimeoutError("waited in vain")


def kills(scene):
    scene.processes["broken"] = 1
    return faults.Outcome("fine", 1.0, "")


faults.smiling_image = lambda clip: None
faults.Processes = lambda log: Nobody()
faults.Watcher = Nobody
good = lambda scene: faults.Outcome("fine", 1.25, "nothing")
tried = (good, not_here, in_vain, kills, good)
faults.FAULTS = {str(k): (f"t{k}", one) for k, one in enumerate(tried)}
rows = faults.run(list(faults.FAULTS), "", Path())
assert rows == [
    ("t0", "fine", "1.2 s", "nothing"),
    ("t1", "not tried: no launch", "", ""),
    ("t2", "**not survived:** waited in vain", "never", ""),
    ("t3", "**not survived:** mirror died", "never", ""),
    ("t4", "fine", "1.2 s", "nothing"),
], rows
"""


def test_a_fault_that_cannot_be_tried_is_no_failure_and_one_that_is_not_survived_is():
    run_beside(_PRETEND)


def test_launch_is_here_only_where_it_can_be_imported():
    """The folder launch of this repository is no such package."""
    installed = subprocess.run(
        [sys.executable, "-c", "import launch.actions, launch_ros.actions"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    here = installed.returncode == 0
    run_beside(f"import launched_nodes; assert launched_nodes.launch_is_here() is {here}")
