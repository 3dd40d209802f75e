"""The recognizer's life cycle, over its services: any order, again and again, nothing left behind.

EXPRESSION_ROS_CYCLES sets how often a process is configured and cleaned up.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_bench import wait_until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32MultiArray, String

from expression_ros.nodes.common.image_messages import to_image_message
from expression_ros.nodes.recognizer.node import Recognizer

SEED = 1864
STEPS = 120
CYCLES = int(os.environ.get("EXPRESSION_ROS_CYCLES", "100"))
WARM_UP = 5  # cycles after which the allocator and the middleware have their working set
GROWTH_MB = 8.0  # of resident memory after that; measured: 0.5 to 6 in 100, 0.5 in 400

UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = (
    State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE, State.PRIMARY_STATE_ACTIVE,
    State.PRIMARY_STATE_FINALIZED,
)  # fmt: skip
# The life cycle of https://design.ros2.org/articles/node_lifecycle.html: (state, transition): state
MODEL = {
    (UNCONFIGURED, Transition.TRANSITION_CONFIGURE): INACTIVE,
    (INACTIVE, Transition.TRANSITION_CLEANUP): UNCONFIGURED,
    (INACTIVE, Transition.TRANSITION_ACTIVATE): ACTIVE,
    (ACTIVE, Transition.TRANSITION_DEACTIVATE): INACTIVE,
    (UNCONFIGURED, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN): FINALIZED,
    (INACTIVE, Transition.TRANSITION_INACTIVE_SHUTDOWN): FINALIZED,
    (ACTIVE, Transition.TRANSITION_ACTIVE_SHUTDOWN): FINALIZED,
}
STAYING = [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP,
           Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE]  # fmt: skip
SHUTDOWNS = [Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, Transition.TRANSITION_INACTIVE_SHUTDOWN,
             Transition.TRANSITION_ACTIVE_SHUTDOWN]  # fmt: skip
NO_TRANSITION = [0, 77, 255, Transition.TRANSITION_DESTROY]


def change(ros, number: int, namespace: str = "") -> bool:
    request = ChangeState.Request()
    request.transition.id = number
    return ros.call(ChangeState, f"{namespace}/recognizer/change_state", request).success


def state(ros) -> int:
    return ros.call(GetState, "/recognizer/get_state", GetState.Request()).current_state.id


def unstarted(ros) -> Recognizer:
    return ros.add(Recognizer(context=ros.context))


def model_status(diagnostics, condition):
    def look(messages):
        for one in (one for message in reversed(messages) for one in message.status):
            if one.name == "recognizer: model":
                return one if condition(one) else None
        return None

    return diagnostics.wait_for(look, "the status of the model")


@pytest.mark.parametrize("ending", SHUTDOWNS)
def test_any_order_of_transitions_ends_where_the_life_cycle_says(ros, ending):
    """Random requests, possible and impossible, with models present and missing."""
    dice = random.Random(SEED + ending)
    unstarted(ros)
    expected, model_is_there, taken = UNCONFIGURED, True, set()
    for step in range(STEPS // len(SHUTDOWNS)):
        if expected == UNCONFIGURED and dice.random() < 0.3:
            model_is_there = dice.random() < 0.6
            model = "" if model_is_there else "/no/such/folder"
            assert ros.set_parameter("/recognizer", "model", model).successful
        asked = dice.choice(NO_TRANSITION if dice.random() < 0.1 else STAYING)
        if dice.random() < 0.1:  # a shutdown that is not this state's
            asked = dice.choice([s for s in SHUTDOWNS if (expected, s) not in MODEL])
        possible = (expected, asked) in MODEL
        succeeds = possible and (asked != Transition.TRANSITION_CONFIGURE or model_is_there)
        what = f"step {step}: transition {asked} in state {expected}"
        assert change(ros, asked) == succeeds, what
        if succeeds:
            taken.add((expected, asked))
            expected = MODEL[expected, asked]
        assert state(ros) == expected, what
    assert len(taken) == len(STAYING), "every transition was taken"

    # To the state whose shutdown is to be tried, then the end of all transitions.
    assert ros.set_parameter("/recognizer", "model", "").successful or expected != UNCONFIGURED
    wanted = next(s for s, transition in MODEL if transition == ending)
    ways = {UNCONFIGURED: [Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP],
            INACTIVE: [Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CONFIGURE],
            ACTIVE: [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE]}  # fmt: skip
    for number in ways[wanted]:
        change(ros, number)
    assert state(ros) == wanted
    assert change(ros, ending) and state(ros) == FINALIZED
    for number in (*STAYING, *SHUTDOWNS):
        assert not change(ros, number)
    assert state(ros) == FINALIZED


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ValueError("no model in /here; train one"), "no model in /here; train one"),
        (RuntimeError("unheard of"), "RuntimeError: unheard of"),
        (MemoryError("too large"), "MemoryError: too large"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    ],
)
def test_any_error_in_configure_leaves_the_node_unconfigured_with_the_reason(
    ros, monkeypatch, failure, words
):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    unstarted(ros)

    def fail(*_):
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr("expression_ros.nodes.recognizer.node.make_recognizer", fail)
        assert not change(ros, Transition.TRANSITION_CONFIGURE)
    assert state(ros) == UNCONFIGURED
    one = model_status(diagnostics, lambda s: s.level == DiagnosticStatus.ERROR)
    assert one.message == words
    assert change(ros, Transition.TRANSITION_CONFIGURE), "and it can be tried again"
    model_status(diagnostics, lambda s: s.level == DiagnosticStatus.OK)


def test_an_error_in_activate_leaves_the_node_unconfigured_and_free(ros, monkeypatch):
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    node = unstarted(ros)
    assert change(ros, Transition.TRANSITION_CONFIGURE)

    def fail(*_):
        raise RuntimeError("no subscription today")

    with monkeypatch.context() as broken:
        broken.setattr("expression_ros.nodes.recognizer.node.ImageInput", fail)
        assert not change(ros, Transition.TRANSITION_ACTIVATE)
    assert state(ros) == UNCONFIGURED
    assert node.count_publishers("/face_emotion") == 0
    one = model_status(diagnostics, lambda s: s.level == DiagnosticStatus.ERROR)
    assert "no subscription today" in one.message
    assert change(ros, Transition.TRANSITION_CONFIGURE)
    assert change(ros, Transition.TRANSITION_ACTIVATE)


def test_after_the_answer_to_deactivate_nothing_is_published(ros, monkeypatch):
    """Every publish call is watched at its source, so that no delay of the middleware helps."""
    from rclpy.lifecycle import LifecyclePublisher

    published: list[str] = []
    plain = LifecyclePublisher.publish

    def watched(self, message):
        if self.is_activated:
            published.append(self.topic_name)
        return plain(self, message)

    monkeypatch.setattr(LifecyclePublisher, "publish", watched)
    unstarted(ros)
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    for kind, topic in ((String, "/face_emotion"), (Float32MultiArray, "/face_emotion/scores"),
                        (CompressedImage, "/face_emotion/image/compressed")):  # fmt: skip
        ros.collect(kind, topic)
    image = ros.collect(Image, "/face_emotion/image", qos)
    camera = ros.node.create_publisher(Image, "image_raw", qos)
    frame = to_image_message(np.full((240, 320, 3), 90, np.uint8),
                             ros.node.get_clock().now().to_msg(), "camera")  # fmt: skip
    ros.node.create_timer(0.01, lambda: camera.publish(frame))
    assert change(ros, Transition.TRANSITION_CONFIGURE)
    for _ in range(5):
        image.clear()
        assert change(ros, Transition.TRANSITION_ACTIVATE)
        image.wait_for(lambda got: len(got) >= 3, "images while active")
        assert change(ros, Transition.TRANSITION_DEACTIVATE)
        published.clear()
        # The node is busy with other requests meanwhile; frames go on coming at 100 Hz.
        for _ in range(20):
            assert state(ros) == INACTIVE
        assert published == []


class Process:
    """A recognizer as ``ros2 run`` starts it, and what the kernel says of it."""

    def __init__(self, *arguments: str):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "expression_ros.nodes.recognizer", "--ros-args", *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()

    def held(self) -> tuple[float, int, int]:
        """Return resident memory in MB, threads and file handles."""
        folder = Path("/proc") / str(self.popen.pid)
        lines = (folder / "status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        megabytes = int(fields["VmRSS"].split()[0]) / 1024
        return megabytes, int(fields["Threads"]), len(list((folder / "fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
def test_cycles_leave_no_memory_threads_or_file_handles_behind(ros):
    steps = [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
             Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP]  # fmt: skip
    # In a namespace: the name alone may still be known from the node of an earlier test.
    with Process("-p", "autostart:=false", "-r", "__ns:=/cycles") as process:
        wait_until(lambda: ("recognizer", "/cycles") in ros.node.get_node_names_and_namespaces(),
                   "the process")  # fmt: skip
        held = []
        for _ in range(WARM_UP + CYCLES):
            for number in steps:
                assert change(ros, number, "/cycles")
            held.append(process.held())
        memory, threads, handles = (np.array(column) for column in zip(*held, strict=True))
        after = slice(WARM_UP, None)
        grown = np.polyfit(np.arange(CYCLES), memory[after], 1)[0] * CYCLES
        median = float(np.median(memory[after]))
        print(f"{CYCLES} cycles: {grown:+.1f} MB of {median:.0f}, threads "
              f"{np.unique(threads)}, file handles {np.unique(handles)}")  # fmt: skip
        assert grown < GROWTH_MB, memory
        assert threads[-1] <= threads[WARM_UP] and handles[-1] <= handles[WARM_UP], held
        assert process.popen.poll() is None
