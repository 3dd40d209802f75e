"""The parameters of the virtual robot face. Plain data, imports no ROS."""

from expression_ros.parameters.table import ParameterSpec as P

ROBOT_FACE_PARAMETERS = (
    P("width", 640, "Width of the picture in pixels.", 64, 1920),
    P("height", 480, "Height of the picture in pixels.", 64, 1080),
    P("frame_rate", 25.0, "Pictures per second while somebody watches.", 1.0, 60.0, run_time=False),
    P("idle", True, "Whether the face blinks and glances about by itself.", run_time=False),
    P("frame_id", "robot_face", "The frame_id of the pictures."),
)
