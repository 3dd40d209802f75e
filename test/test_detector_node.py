"""The recognizer over real DDS with another detector than the cascades."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from detector_files import choice_of

pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from std_msgs.msg import String
from test_recognizer_node import Feed, change, start, status

from expression_ros.nodes.recognizer.node import Recognizer
from expression_ros.parameters.choices import DETECTORS, YUNET

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.fixture
def tilted(astronaut):
    """Return 640x480 with the smiling face, tilted further than the cascades find one at once."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    scene[:, 64:576] = astronaut[:480]
    turn = cv2.getRotationMatrix2D((288, 114), 32, 1.0)
    turn[:, 2] += (32, 100)
    return cv2.warpAffine(scene, turn, (640, 480), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("name", DETECTORS[1:])
def test_a_tilted_smile_is_found_by_a_network_and_read(ros, tilted, name):
    choice = choice_of(name)
    labels = ros.collect(String, "/face_emotion")
    start(ros, detector=name, detector_model=choice.model)
    Feed(ros, tilted)
    labels.wait_for(lambda got: sum(m.data == "happiness" for m in got) >= 10, "ten smiles")


def test_what_is_wrong_with_the_weights_is_told_and_can_be_put_right(ros, tilted, tmp_path):
    choice = choice_of(YUNET)
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    labels = ros.collect(String, "/face_emotion")
    node = start(ros, detector=YUNET, detector_model=str(tmp_path / "none.onnx"))
    problem = status(diagnostics, "model", lambda s: "none.onnx" in s.message)
    assert "there is no such file of weights" in problem.message
    (result,) = node.set_parameters([Parameter("detector_model", value=choice.model)])
    assert result.successful
    assert change(ros, "configure") and change(ros, "activate")
    Feed(ros, tilted)
    labels.wait_for(lambda got: got, "a label")
    (result,) = node.set_parameters([Parameter("detector", value="cascades")])
    assert not result.successful and "cleanup" in result.reason


def test_another_name_than_the_three_is_refused_at_start(ros):
    with pytest.raises(ValueError, match="detector must be one of cascades, yunet, centerface"):
        Recognizer(context=ros.context,
                   parameter_overrides=[Parameter("detector", value="haar")])  # fmt: skip
