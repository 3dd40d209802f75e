"""``expression-ros calibrate`` with a window on a screen of its own, and a topic as the camera."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from virtual_screen import virtual_screen, wait_for


@pytest.fixture
def screen():
    pytest.importorskip("tkinter", reason="needs tkinter: sudo apt install python3-tk")
    with virtual_screen() as screen:
        yield screen


@pytest.fixture
def calibrating(ros, screen, astronaut, tmp_path):
    """Run calibrate on a camera's topic, with the screen; yield the process and the screen."""
    from expression_ros.nodes.common.image_messages import to_image_message

    message = to_image_message(astronaut, ros.node.get_clock().now().to_msg(), "eye")
    publisher = ros.node.create_publisher(type(message), "/eye/image", 1)
    timer = ros.node.create_timer(0.05, lambda: publisher.publish(message))
    process = subprocess.Popen(
        [sys.executable, "-m", "expression_ros.cli", "calibrate", "ada", "--topic", "/eye/image",
         "--emotions", "happiness,surprise"],
        env={**os.environ, "DISPLAY": screen.name, "XDG_DATA_HOME": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process, screen
    process.kill()
    process.wait()
    ros.node.destroy_timer(timer)


def test_the_window_asks_and_q_ends_without_saving(calibrating, tmp_path):
    process, screen = calibrating
    screen.wait_for_window("Show your face")
    # The virtual face's skin beside the person: the example is shown.
    wait_for(lambda: (np.abs(screen.image().astype(int) - (240, 212, 152)).max(2) < 12).mean()
             > 0.02, "the example")  # fmt: skip
    wait_for(lambda: screen.press("q") or process.poll() is not None, "the end")
    out, err = process.communicate()
    assert process.returncode == 2
    assert "Show happiness: smile with mouth and eyes" in out
    assert "ended before all emotions were shown; nothing is saved" in err
    assert not list(tmp_path.rglob("*.npz"))


def test_the_space_bar_goes_on_to_the_next_emotion(calibrating, tmp_path):
    process, screen = calibrating
    screen.wait_for_window("Show your face")
    wait_for(lambda: screen.press("space") or process.poll() is not None, "the end")
    out, _ = process.communicate()
    assert process.returncode == 2  # nobody has shown anything for long enough
    happiness, surprise = out.index("Show happiness"), out.index("Show surprise")
    assert happiness < out.index("happiness: ") < surprise < out.index("surprise: ")
    assert not list(tmp_path.rglob("*.npz"))
