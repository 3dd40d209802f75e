"""From when on the recognizer's diagnostics say WARN and ERROR. Plain data, imports no ROS.

Shares are of the last five seconds. Above and below exclude the threshold itself, so that a share
of 1 is never exceeded.
"""

from expression_ros.nodes.threshold_pair import threshold_pair

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
        "Share of images that are no readable pictures, above",
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
