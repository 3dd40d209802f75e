"""Reads the scores that the recognizer publishes with a label."""

from __future__ import annotations

from std_msgs.msg import Float32MultiArray


def scores_of(message: Float32MultiArray) -> dict[str, float]:
    """Return the score of every label, which is named in the message's layout.

    Raises:
        ValueError: there are not as many labels as scores.
    """
    labels = [dimension.label for dimension in message.layout.dim]
    if len(labels) != len(message.data):
        raise ValueError(f"{len(message.data)} scores with {len(labels)} labels in the layout")
    return dict(zip(labels, message.data, strict=True))
