"""Two parameters that say from when on diagnostics are WARN and ERROR. Imports no ROS."""

from expression_ros.nodes.parameter_table import ParameterSpec


def threshold_pair(
    names: tuple[str, str], when: str, warn: float, error: float, minimum: float, maximum: float
) -> tuple[ParameterSpec, ParameterSpec]:
    """Return the parameters of the two thresholds of one quantity.

    Args:
        names: of the parameter for WARN and of that for ERROR.
        when: what is compared and how, up to the word "which".
        warn, error: their defaults.
        minimum, maximum: their range.
    """
    levels = ("warn", "call it an error")
    first, second = (
        ParameterSpec(name, default, f"{when} which the diagnostics {level}.", minimum, maximum)
        for name, default, level in zip(names, (warn, error), levels, strict=True)
    )
    return first, second
