"""Published faces that are no longer to be recognised: on the overlay, and cut out for ROS4HRI."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from expression_ros.parameters.choices import PRIVACY_CHOICES
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.overlay import with_privacy, with_privacy_of_face
from expression_ros.recognition.ros4hri import aligned_face, cropped_face

SIZE = (240, 320)
NOISE = np.random.default_rng(7).integers(0, 256, (*SIZE, 3), np.uint8)
FACE = Box(100, 60, 80, 80)
AROUND = (slice(40, 160), slice(80, 200))  # the face with a quarter of it on each side


def values_in(region):
    """Return how many independent values a region holds, by its singular values."""
    return np.linalg.matrix_rank(region[..., 0].astype(float) - region[..., 0].mean(), tol=60)


def test_none_changes_nothing():
    assert np.array_equal(with_privacy(NOISE.copy(), [FACE], "none"), NOISE)


@pytest.mark.parametrize("privacy", ["blur", "pixelate"])
def test_a_face_keeps_six_by_six_values_and_the_rest_of_the_image_all(privacy):
    hidden = with_privacy(NOISE.copy(), [FACE], privacy)
    assert values_in(NOISE[AROUND]) > 50, "there was something to hide"
    assert values_in(hidden[AROUND]) <= 6
    rest = np.ones(SIZE, bool)
    rest[AROUND] = False
    assert np.array_equal(hidden[rest], NOISE[rest])
    means = hidden[AROUND].mean() - NOISE[AROUND].mean()
    assert abs(means) < 3, "its light is still there"


def test_pixels_of_a_pixelated_face_are_squares():
    hidden = with_privacy(NOISE.copy(), [FACE], "pixelate")[AROUND]
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) == 36


def test_drop_keeps_nothing_even_where_no_face_was_found():
    dropped = with_privacy(NOISE.copy(), [], "drop")
    assert dropped.shape == NOISE.shape and dropped.dtype == np.uint8
    assert (dropped == 128).all()


@pytest.mark.parametrize("privacy", PRIVACY_CHOICES)
@pytest.mark.parametrize(
    "box",
    [Box(-40, -40, 100, 100), Box(300, 220, 60, 60), Box(500, 500, 80, 80), Box(-90, 0, 80, 80),
     Box(0, 0, 320, 240), Box(10, 10, 0, 0), Box(10, 10, 1, 1), Box(319, 239, 1, 1),
     Box(-1000, -1000, 5000, 5000)],
    ids=str,
)  # fmt: skip
def test_boxes_may_lie_anywhere(privacy, box):
    hidden = with_privacy(NOISE.copy(), [box], privacy)
    assert hidden.shape == NOISE.shape


def test_a_face_cut_by_the_border_keeps_no_finer_cells():
    part = with_privacy(NOISE.copy(), [Box(280, 60, 80, 80)], "pixelate")[40:160, 260:]
    assert len(np.unique(part.reshape(-1, 3), axis=0)) <= 6 * 3


def test_faces_that_overlap_are_both_hidden():
    hidden = with_privacy(NOISE.copy(), [FACE, Box(150, 60, 80, 80)], "blur")
    assert values_in(hidden[40:160, 80:250]) <= 13


@pytest.mark.parametrize("privacy", ["blur", "pixelate", "drop"])
def test_a_real_face_is_not_even_found_any_more(astronaut, privacy):
    def faces(image):
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return [one.box for one in FaceDetector().search_photo(grey)]

    found = faces(astronaut)
    assert len(found) == 1
    assert not faces(with_privacy(astronaut.copy(), found, privacy))


def test_another_word_is_an_error():
    with pytest.raises(ValueError, match="one of none, blur, pixelate, drop"):
        with_privacy(NOISE.copy(), [], "hide")


@pytest.mark.parametrize("image", ["cropped", "aligned"])
def test_an_image_of_a_face_keeps_four_by_four_values(image):
    grey = cv2.cvtColor(NOISE, cv2.COLOR_BGR2GRAY)
    cut = cropped_face(NOISE, FACE) if image == "cropped" else aligned_face(NOISE, grey, FACE)
    assert np.array_equal(with_privacy_of_face(cut.copy(), "none"), cut)
    pixelated = with_privacy_of_face(cut.copy(), "pixelate")
    assert pixelated.shape == cut.shape
    assert len(np.unique(pixelated.reshape(-1, 3), axis=0)) <= 16
    assert values_in(cut) > 20 and values_in(with_privacy_of_face(cut.copy(), "blur")) <= 4
    assert (with_privacy_of_face(cut.copy(), "drop") == 128).all()
    with pytest.raises(ValueError, match="one of none"):
        with_privacy_of_face(cut, "hide")


@pytest.mark.parametrize("privacy", ["blur", "pixelate", "drop"])
def test_an_image_of_a_real_face_shows_none_any_more(astronaut, privacy):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    (found,) = FaceDetector().search_photo(grey)
    for cut in (cropped_face(astronaut, found.box, 256), aligned_face(astronaut, grey, found.box)):
        detector = FaceDetector(min_face=0.3)
        assert detector.search_photo(cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY))
        hidden = cv2.cvtColor(with_privacy_of_face(cut, privacy), cv2.COLOR_BGR2GRAY)
        assert not detector.search_photo(hidden)


@pytest.mark.parametrize("image", ["cropped", "aligned"])
def test_images_of_faces_are_hidden_as_the_overlay_is(ros, astronaut, image):
    """The faces of ROS4HRI, of a running recognizer, at run time."""
    pytest.importorskip("hri_msgs.msg", reason="needs hri_msgs: tools/build_test_interfaces.py")
    from hri_msgs.msg import IdsList
    from rclpy.parameter import Parameter
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    from expression_ros.nodes.common.image_messages import to_image_message
    from expression_ros.nodes.recognizer.node import Recognizer

    one = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    tracked = ros.collect(IdsList, "/humans/faces/tracked")
    private = [Parameter("overlay_privacy", value="pixelate")]
    node = ros.add(Recognizer(context=ros.context, parameter_overrides=private))
    node.start()
    camera = ros.node.create_publisher(Image, "image_raw", one)
    frame = to_image_message(astronaut, ros.node.get_clock().now().to_msg(), "camera")
    ros.node.create_timer(1 / 30, lambda: camera.publish(frame))
    (name,) = tracked.wait_for(lambda got: got and list(got[-1].ids), "a face")
    faces = ros.collect(Image, f"/humans/faces/{name}/{image}", one)

    def colours(message):
        return len(np.unique(np.frombuffer(message.data, np.uint8).reshape(-1, 3), axis=0))

    faces.wait_for(len, "an image")
    assert {colours(message) for message in faces.messages} <= set(range(1, 17))
    assert ros.set_parameter("/recognizer", "overlay_privacy", "none").successful
    faces.wait_for(lambda got: colours(got[-1]) > 1000, "the face itself")
    assert ros.set_parameter("/recognizer", "overlay_privacy", "drop").successful
    faces.wait_for(lambda got: set(got[-1].data) == {128}, "grey")


def test_the_overlay_of_the_node_drops_the_image_at_run_time(ros, astronaut):
    pytest.importorskip("rclpy")
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    from expression_ros.nodes.common.image_messages import to_image_message
    from expression_ros.nodes.recognizer.node import Recognizer

    one = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    overlays = ros.collect(Image, "/face_emotion/image", one)
    node = ros.add(Recognizer(context=ros.context))
    node.start()
    camera = ros.node.create_publisher(Image, "image_raw", one)
    frame = to_image_message(astronaut, ros.node.get_clock().now().to_msg(), "camera")
    ros.node.create_timer(1 / 30, lambda: camera.publish(frame))

    def grey_share(message):
        image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        return (image == 128).all(axis=2).mean()

    overlays.wait_for(lambda got: got and grey_share(got[-1]) < 0.1, "the image")
    assert not ros.set_parameter("/recognizer", "overlay_privacy", "some").successful
    assert ros.set_parameter("/recognizer", "overlay_privacy", "drop").successful
    dropped = overlays.wait_for(lambda got: got and grey_share(got[-1]) > 0.5 and got[-1])
    assert grey_share(dropped) < 0.999, "boxes and labels are still drawn"
    assert ros.set_parameter("/recognizer", "overlay_privacy", "none").successful
    overlays.clear()
    overlays.wait_for(lambda got: got and grey_share(got[-1]) < 0.1, "the image again")
