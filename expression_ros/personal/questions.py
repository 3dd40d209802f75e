"""What a person is asked to show in a calibration, and how long."""

from __future__ import annotations

from collections.abc import Sequence

from expression_ros.recognition.person import PersonError
from expression_ros.vocabulary import canonical_label

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger")  # asked for by default
FRAMES = 10  # clear frames of each emotion
PATIENCE_S = 20.0  # per emotion, before what was taken has to do

HINTS = {
    "neutral": "look as you do when you read",
    "happiness": "smile with mouth and eyes",
    "surprise": "raise your brows and open your mouth",
    "sadness": "pull the inner ends of your brows up and the corners of your mouth down",
    "anger": "draw your brows together and press your lips",
    "disgust": "wrinkle your nose",
    "fear": "raise your brows, open your eyes wide, stretch your lips",
    "contempt": "lift one corner of your mouth",
}


def asked_emotions(text: str, labels: Sequence[str]) -> list[str]:
    """Return the emotions that a comma-separated text names, each once.

    Args:
        text: names or aliases of emotions.
        labels: what the model can say.

    Raises:
        PersonError: the model cannot say one of them, or none is named.
    """
    emotions = [canonical_label(name) for name in filter(str.strip, text.split(","))]
    if unknown := [emotion for emotion in emotions if emotion not in labels]:
        said = ", ".join(labels)
        raise PersonError(f"this model cannot say {', '.join(unknown)}; it says {said}")
    if not emotions:
        raise PersonError(f"no emotion is named; name some of {', '.join(labels)}")
    return list(dict.fromkeys(emotions))
