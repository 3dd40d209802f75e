"""The tables of parameters of all nodes. Plain data, imports no ROS."""

from expression_ros.nodes.camera_parameters import CAMERA_PARAMETERS
from expression_ros.nodes.emotion_selector_parameters import EMOTION_SELECTOR_PARAMETERS
from expression_ros.nodes.mirror_parameters import MIRROR_PARAMETERS
from expression_ros.nodes.recognizer_parameters import RECOGNIZER_PARAMETERS
from expression_ros.nodes.robot_face_parameters import ROBOT_FACE_PARAMETERS
from expression_ros.nodes.web_parameters import WEB_PARAMETERS

TABLES = {
    "recognizer": RECOGNIZER_PARAMETERS,
    "mirror": MIRROR_PARAMETERS,
    "emotion_selector": EMOTION_SELECTOR_PARAMETERS,
    "robot_face": ROBOT_FACE_PARAMETERS,
    "web": WEB_PARAMETERS,
    "camera": CAMERA_PARAMETERS,
}
