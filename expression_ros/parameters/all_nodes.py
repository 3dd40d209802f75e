"""The tables of parameters of all nodes. Plain data, imports no ROS."""

from expression_ros.parameters.camera import CAMERA_PARAMETERS
from expression_ros.parameters.emotion_selector import EMOTION_SELECTOR_PARAMETERS
from expression_ros.parameters.mirror import MIRROR_PARAMETERS
from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS
from expression_ros.parameters.robot_face import ROBOT_FACE_PARAMETERS
from expression_ros.parameters.web import WEB_PARAMETERS

TABLES = {
    "recognizer": RECOGNIZER_PARAMETERS,
    "mirror": MIRROR_PARAMETERS,
    "emotion_selector": EMOTION_SELECTOR_PARAMETERS,
    "robot_face": ROBOT_FACE_PARAMETERS,
    "web": WEB_PARAMETERS,
    "camera": CAMERA_PARAMETERS,
}
