"""Which emotion is shown when in a video that was recorded for calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from expression_ros.recognition.person import PersonError
from expression_ros.vocabulary import canonical_label


def parsed_segments(text: str, labels: Sequence[str]) -> list[tuple[str, float, float]]:
    """Return (emotion, begin, end) in seconds of a text like ``neutral 0-4, happy 5.5-9``.

    Raises:
        PersonError: it is not of this form, or names an emotion that cannot be said.
    """
    segments = []
    for part in filter(str.strip, text.split(",")):
        name, _, span = part.strip().rpartition(" ")
        begin, _, end = span.partition("-")
        try:
            segment = (canonical_label(name), float(begin), float(end))
        except ValueError:
            raise PersonError(
                f"{part.strip()!r} is no segment like 'happiness 5-9' (emotion, seconds)"
            ) from None
        if not 0 <= segment[1] < segment[2]:
            raise PersonError(f"{part.strip()!r}: the end must come after the beginning")
        if segment[0] not in labels:
            raise PersonError(f"this model cannot say {segment[0]}; it says {', '.join(labels)}")
        segments.append(segment)
    if not segments:
        raise PersonError("no segments; write for example 'neutral 0-4, happiness 5-9'")
    return segments


def between(
    frames: Iterable[tuple[np.ndarray, float]], begin: float, end: float
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the frames of a stretch of time, in seconds; a frame before it is passed over."""
    for grey, stamp in frames:
        if stamp >= end:
            return
        if stamp >= begin:
            yield grey, stamp
