"""The parameters of all nodes; those of the recognizer are in ``recognizer``.

Plain data, imports no ROS.
"""

from __future__ import annotations

from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS
from expression_ros.parameters.table import ParameterSpec, threshold_pair

CAMERA_PARAMETERS = (
    ParameterSpec(
        "source",
        "0",
        "Where the frames come from: a webcam (0, /dev/video0), a video file, a folder of images "
        "or one image.",
        run_time=False,
    ),
    ParameterSpec(
        "frame_rate",
        0.0,
        "Frames per second: how fast a file or folder is played, at most how many of a webcam are "
        "published (asked of the device at start); 0 for the source's own (folders of frames: 10, "
        "of photos: 1).",
        minimum=0.0,
        maximum=480.0,
    ),
    ParameterSpec(
        "loop", True, "Whether a file or folder starts again at its end, or the node ends."
    ),
    ParameterSpec("frame_id", "camera", "The frame_id in the header of the images."),
    ParameterSpec(
        "width",
        0,
        "Width in pixels to ask a webcam for, 0 for its own; files keep theirs.",
        minimum=0,
        maximum=16384,
        run_time=False,
    ),
    ParameterSpec(
        "height",
        0,
        "Height in pixels to ask a webcam for, 0 for its own; files keep theirs.",
        minimum=0,
        maximum=16384,
        run_time=False,
    ),
    ParameterSpec(
        "wait_for_subscriber",
        False,
        "Whether a file or folder starts only when somebody subscribes to image_raw, so that its "
        "first frame is not missed.",
        run_time=False,
    ),
    ParameterSpec(
        "retry",
        False,
        "Whether a webcam that is missing at start is waited for instead of ending with an error; "
        "one that is unplugged later always is.",
        run_time=False,
    ),
)


EMOTION_SELECTOR_PARAMETERS = (
    ParameterSpec(
        "sources",
        "",
        "Namespaces of the recognizers to pick from, as in front,left.",
        run_time=False,
    ),
    ParameterSpec(
        "switch_margin",
        0.15,
        "By how much another camera's score must lead before it is answered.",
        0.0,
        1.0,
    ),
    ParameterSpec(
        "source_timeout",
        0.5,
        "Seconds without a label after which a camera has no face.",
        0.05,
        60.0,
    ),
)


MIRROR_PARAMETERS = (
    ParameterSpec(
        "robot",
        "virtual_face",
        "The robot that mirrors: a table of config/robots by name, or any by absolute path. "
        "Setting a path again reads the file again.",
    ),
    ParameterSpec(
        "style",
        "mirror",
        "How emotions are answered: mirror, empathic (concern for anger, fear, sadness, disgust), "
        "or your own table by absolute path. Setting a path again reads the file again.",
    ),
    ParameterSpec(
        "min_hold",
        # Calm enough for the eye, and a smile that has to wait for it still comes within 0.5 s.
        0.4,
        "Seconds for which an expression is shown at least.",
        minimum=0.0,
        maximum=10.0,
    ),
    ParameterSpec(
        "neutral_after",
        1.5,
        "Seconds without a label that names an emotion after which the robot turns neutral.",
        minimum=0.1,
        maximum=60.0,
    ),
    ParameterSpec(
        "cooldown",
        0.0,
        "Seconds after its end for which an expression is not shown again.",
        minimum=0.0,
        maximum=600.0,
    ),
    ParameterSpec(
        "attack",
        0.3,
        "Seconds that joints and lights take to an expression at least.",
        minimum=0.0,
        maximum=10.0,
    ),
    ParameterSpec(
        "release",
        0.8,
        "Seconds that joints and lights take back to neutral at least.",
        minimum=0.0,
        maximum=10.0,
    ),
    ParameterSpec(
        "full_score",
        0.8,
        "Score (0 to 1) from which an expression is shown in full; below it weaker, where the "
        "robot can and /face_emotion/scores tells the score; 0 for always in full.",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec(
        "enabled",
        True,
        "Whether labels are answered; if not, the robot turns neutral and is left alone. "
        "The service ~/enable sets it too.",
    ),
    *threshold_pair(
        ("publisher_gone_warn", "publisher_gone_error"),
        "Seconds without any publisher of /face_emotion after",
        5.0, 60.0, 0.0, 3600.0,
    ),
    *threshold_pair(
        ("output_problem_warn", "output_problem_error"),
        "Seconds for which an output of the robot has not worked (nobody subscribes it, the "
        "service is missing, refuses or does not answer) after",
        0.0, 30.0, 0.0, 3600.0,
    ),
    ParameterSpec(
        "unknown_word_warn",
        10.0,
        "Seconds for which the diagnostics warn of a label that is not an emotion; 0 for never.",
        minimum=0.0,
        maximum=3600.0,
    ),
)  # fmt: skip


ROBOT_FACE_PARAMETERS = (
    ParameterSpec("width", 640, "Width of the image in pixels.", 64, 1920),
    ParameterSpec("height", 480, "Height of the image in pixels.", 64, 1080),
    ParameterSpec(
        "frame_rate", 25.0, "Images per second while somebody watches.", 1.0, 60.0, run_time=False
    ),
    ParameterSpec(
        "idle", True, "Whether the face blinks and glances about by itself.", run_time=False
    ),
    ParameterSpec("frame_id", "robot_face", "The frame_id of the images."),
)


WEB_PARAMETERS = (
    ParameterSpec(
        "host",
        "127.0.0.1",
        "Address to serve the page on; 0.0.0.0 shows it to the whole network, without a password.",
        run_time=False,
    ),
    ParameterSpec(
        "port", 8080, "Port to serve the page on; 0 for any that is free.", 0, 65535, run_time=False
    ),
    ParameterSpec(
        "allowed_hosts",
        "",
        "Names besides its own by which the page may be called, as in robot.lan,head.lan.",
        run_time=False,
    ),
    ParameterSpec(
        "mirror", "mirror", "Name of the mirror that the page shows and sets.", run_time=False
    ),
    ParameterSpec(
        "model",
        "",
        "Folder with the Fisherfaces that a calibration on the page adapts, the recognizer's; "
        "empty for the shipped ones.",
        run_time=False,
    ),
    ParameterSpec(
        "image_transport",
        "raw",
        "What a calibration on the page reads of the camera: raw images, or compressed ones.",
        choices=("raw", "compressed"),
        run_time=False,
    ),
)


TABLES = {
    "recognizer": RECOGNIZER_PARAMETERS,
    "mirror": MIRROR_PARAMETERS,
    "emotion_selector": EMOTION_SELECTOR_PARAMETERS,
    "robot_face": ROBOT_FACE_PARAMETERS,
    "web": WEB_PARAMETERS,
    "camera": CAMERA_PARAMETERS,
}
