"""What a search finds: a face's box, and who saw it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from expression_ros.recognition.boxes import Box, without_overlaps

_ERROR = 0.03  # of a face's width, by which a cascade misplaces a box from frame to frame


@dataclass(frozen=True)
class Detection:
    """A face seen by one cascade.

    Attributes:
        box: where it is in the frame.
        cascade: the cascade's place in the order.
        turn: degrees by which the frame was turned, anticlockwise, when the cascade saw it.
        tilt: degrees by which the line of the eyes falls to the right, as far as it is known: seen
            by a detector that sees eyes, or about that of the turned frame.
    """

    box: Box
    cascade: int
    turn: int = 0
    tilt: float = 0.0


def held(found: Detection | None, known: Detection) -> Detection | None:
    """Return what was found, with the known box if it lies in the same place."""
    if found and _is_same_place(found.box, known.box):
        return replace(found, box=known.box)
    return found


def _is_same_place(box: Box, known: Box) -> bool:
    """Return whether a box differs from the known one by no more than a cascade errs.

    A box that is taken anew from every search wanders over a face that holds still.
    """
    moved = max(abs(box.x - known.x), abs(box.y - known.y), abs(box.w - known.w))
    return moved <= _ERROR * known.w


def largest_first(found: list[Detection]) -> list[Detection]:
    """Return the faces, largest first, without those that overlap a larger one."""
    found = sorted(found, key=lambda d: -d.box.area)
    return [found[i] for i in without_overlaps([d.box for d in found])]
