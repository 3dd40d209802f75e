"""The parameters of the camera node. Plain data, imports no ROS."""

from __future__ import annotations

from expression_ros.parameters.table import ParameterSpec

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
