"""The parameters of the node that picks among several cameras. Plain data, imports no ROS."""

from expression_ros.parameters.table import ParameterSpec as P

EMOTION_SELECTOR_PARAMETERS = (
    P(
        "sources",
        "",
        "Namespaces of the recognizers to pick from, as in front,left.",
        run_time=False,
    ),
    P(
        "switch_margin",
        0.15,
        "By how much another camera's score must lead before it is answered.",
        0.0,
        1.0,
    ),
    P(
        "source_timeout",
        0.5,
        "Seconds without a label after which a camera has no face.",
        0.05,
        60.0,
    ),
)
