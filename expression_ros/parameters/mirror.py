"""The parameters of the mirror node. Plain data, imports no ROS."""

from expression_ros.parameters.table import ParameterSpec, threshold_pair

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
        "Seconds for which the diagnostics warn of a label that is no emotion; 0 for never.",
        minimum=0.0,
        maximum=3600.0,
    ),
)  # fmt: skip
