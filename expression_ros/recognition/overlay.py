"""Draws what was read onto the frame, and takes from it what of the faces may not be shown.

Boxes, labels, votes and score bars; of each face all, its colours, or nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from expression_ros.parameters.choices import BLUR, DROP, NONE, PRIVACY_CHOICES
from expression_ros.recognition.boxes import Box, covers, intersection
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.vocabulary import UNKNOWN

# Okabe and Ito's palette (2008), told apart by colour-blind people; BGR.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "neutral": (200, 200, 200),
    "anger": (0, 94, 213),
    "contempt": (167, 121, 204),
    "disgust": (115, 158, 0),
    "fear": (178, 114, 0),
    "happiness": (66, 228, 240),
    "sadness": (233, 180, 86),
    "surprise": (0, 159, 230),
    UNKNOWN: (150, 150, 150),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK = (25, 25, 25)
_LIGHT = (235, 235, 235)
_CELLS = 10  # of a strip of votes: one per member of the shipped ensemble
# Hair, ears and chin lie outside of a detector's box; this much of its size is added on each side.
_MARGIN = 0.25
# A face is left with so many cells across: too few for a person to be told, or matched by a
# program, while light and skin still look like what they are. Recognition needs some 16 and more.
_HIDDEN_CELLS = 6
_GREY = 128


def draw_overlay(image: np.ndarray, reading: FrameReading, note: str = "") -> np.ndarray:
    """Return the frame with every face's box, id, label and votes drawn in.

    The votes are a strip of ten cells at the lower edge of the box, each in the colour of the label
    voted for. The primary face also has a panel with the score of every label.

    Args:
        image: (H, W, 3) uint8 BGR; it is drawn on and returned.
        reading: the frame's faces.
        note: a line for the lower left corner, say the frame rate.
    """
    scale = max(0.4, image.shape[0] / 480)
    if reading.primary:
        _draw_bars(image, reading, reading.primary, scale)  # first: no panel may hide a box
    for face in reversed(reading.faces):  # the primary face on top
        _draw_face(image, face, scale, primary=face is reading.primary)
    for title in reversed(_titles(image.shape, reading, scale)):
        title.draw(image)
    if note:
        _text(image, note, (round(6 * scale), image.shape[0] - round(8 * scale)), 0.5 * scale)
    return image


def _draw_face(image: np.ndarray, face: FaceReading, scale: float, *, primary: bool) -> None:
    colour = COLOURS[face.label]
    x, y, w, h = face.box
    thickness = max(1, round((2 if primary else 1) * scale))
    cv2.rectangle(image, (x, y), (x + w, y + h), _DARK, thickness + 2)
    cv2.rectangle(image, (x, y), (x + w, y + h), colour, thickness)
    _draw_votes(image, face, max(4, round(7 * scale)))


@dataclass(frozen=True)
class _Title:
    """A band with a line of text.

    Attributes:
        text: the line.
        size: of the font.
        colour: of the band.
        area: of the band, in px.
        baseline: of the text, px above the lower edge of the band.
    """

    text: str
    size: float
    colour: tuple[int, int, int]
    area: Box
    baseline: int

    def draw(self, image: np.ndarray) -> None:
        x, y, w, h = self.area
        cv2.rectangle(image, (x, y), (x + w, y + h), self.colour, -1)
        place = (x + 4, y + h - self.baseline - 3)
        written = max(1, round(1.5 * self.size))
        cv2.putText(
            image, self.text, place, _FONT, self.size, _on(self.colour), written, cv2.LINE_AA
        )


def _titles(shape: tuple[int, ...], reading: FrameReading, scale: float) -> list[_Title]:
    """Return a title for each face, the primary first, where the others hide it the least.

    Where all places are taken, the label alone must do, and then the number.
    """
    faces = sorted(reading.faces, key=lambda face: face is not reading.primary)
    titles: list[_Title] = []
    for face in faces:
        number = f"{face.id}" if face.id else ""
        long = f"{number}  {face.label} {face.score:.2f}".strip()
        texts = dict.fromkeys([long, f"{number}  {face.label}".strip(), number or face.label])
        around = [*(title.area for title in titles), *(other.box for other in faces)]
        best: tuple[float, _Title] | None = None
        for text in texts:
            for title in _places(shape, face, text, 0.6 * scale):
                hidden = sum(intersection(title.area, area) for area in around)
                if best is None or hidden < best[0]:
                    best = hidden, title
            if best is not None and best[0] == 0:
                break
        assert best is not None
        titles.append(best[1])
    return titles


def _places(shape: tuple[int, ...], face: FaceReading, text: str, size: float) -> Iterator[_Title]:
    """Yield a title above and below a box, at its left and at its right end."""
    (width, height), baseline = cv2.getTextSize(text, _FONT, size, 2)
    x, y, w, h = face.box
    wide, high = width + 8, height + baseline + 6
    for top in (y - high, y + h):
        if not 0 <= top <= shape[0] - high:
            continue
        for left in (x, x + w - wide):
            area = Box(max(0, min(left, shape[1] - wide)), top, wide, high)
            yield _Title(text, size, COLOURS[face.label], area, baseline)
    if y - high < 0 and y + h > shape[0] - high:  # the box is as high as the image
        left = max(0, min(x, shape[1] - wide))
        area = Box(left, max(0, min(y, shape[0] - high)), wide, high)
        yield _Title(text, size, COLOURS[face.label], area, baseline)


def _draw_votes(image: np.ndarray, face: FaceReading, height: int) -> None:
    """Draw the strip of votes inside the lower edge of a face's box."""
    if not face.votes:
        return
    x, y, w, h = face.box
    bottom = min(y + h, image.shape[0]) - 2
    cv2.rectangle(image, (x, bottom - height - 1), (x + w, bottom), _DARK, -1)
    for k, label in enumerate(vote_cells(face.votes)):
        left, right = x + 1 + k * w // _CELLS, x + (k + 1) * w // _CELLS - 1
        cv2.rectangle(image, (left, bottom - height), (right, bottom - 1), COLOURS[label], -1)


def vote_cells(votes: Mapping[str, float]) -> list[str]:
    """Return the labels of ten cells that stand for shares of votes, the largest share first.

    Args:
        votes: shares by label, adding to 1; or nothing, which makes no cell.
    """
    ranked = sorted(votes, key=lambda label: -votes[label])
    edges = np.rint(_CELLS * np.cumsum([votes[label] for label in ranked])).astype(int)
    counts = np.diff(edges, prepend=0)
    return [label for label, count in zip(ranked, counts, strict=True) for _ in range(count)]


def _on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the text colour that stands out on a colour."""
    blue, green, red = colour
    bright = 0.114 * blue + 0.587 * green + 0.299 * red
    return _DARK if bright > 110 else _LIGHT


def _draw_bars(image: np.ndarray, reading: FrameReading, face: FaceReading, scale: float) -> None:
    """Draw one bar per label of the primary face, where the panel hides the least of any face."""
    row = max(9, round(15 * scale))
    name_width, bar_width = round(78 * scale), round(60 * scale)
    width, height = name_width + bar_width + 8, row * len(face.scores) + 6
    x, y = _panel_place(image.shape, reading, face.box, width, height)
    panel = image[y : y + height, x : x + width]
    panel[:] = panel // 4
    for k, (label, score) in enumerate(face.scores.items()):
        base = y + 3 + k * row
        cv2.putText(
            image, label, (x + 3, base + round(0.75 * row)), _FONT, 0.42 * scale, _LIGHT, 1,
            cv2.LINE_AA,
        )  # fmt: skip
        left = x + name_width
        right = left + round(score * bar_width)
        cv2.rectangle(image, (left, base + 2), (right, base + row - 3), COLOURS[label], -1)


def _panel_place(
    shape: tuple[int, ...], reading: FrameReading, box: Box, width: int, height: int
) -> tuple[int, int]:
    """Return where a panel goes: beside the primary face, or in a corner if a face is there."""
    right, bottom = max(0, shape[1] - width), max(0, shape[0] - height)
    beside = max(0, min(box.y, bottom))
    places = [(box.x + box.w + 4, beside), (box.x - width - 4, beside), (right, 0), (0, 0),
              (right, bottom), (0, bottom)]  # fmt: skip
    inside = [(x, y) for x, y in places if 0 <= x <= right]

    def hidden(place: tuple[int, int]) -> float:
        panel = Box(*place, width, height)
        return sum(covers(panel, face.box) for face in reading.faces)

    return min(inside, key=hidden)  # the first of equals


def _text(
    image: np.ndarray,
    text: str,
    origin: tuple[int, int],
    size: float,
    colour: tuple[int, int, int] = _LIGHT,
) -> None:
    """Write with a dark rim, legible on any background."""
    cv2.putText(image, text, origin, _FONT, size, _DARK, max(2, round(4 * size)), cv2.LINE_AA)
    cv2.putText(image, text, origin, _FONT, size, colour, max(1, round(1.5 * size)), cv2.LINE_AA)


def scaled(reading: FrameReading, factor: float) -> FrameReading:
    """Return a reading in the pixels of a frame that is ``factor`` times as large."""
    if factor == 1.0:
        return reading

    def smaller(face: FaceReading) -> FaceReading:
        return replace(face, box=Box(*(round(factor * value) for value in face.box)))

    faces = {face.id: smaller(face) for face in reading.faces}
    primary = faces[reading.primary.id] if reading.primary else None
    return replace(reading, faces=tuple(faces.values()), primary=primary)


def with_privacy(image: np.ndarray, boxes: Iterable[Box], privacy: str) -> np.ndarray:
    """Return an image in which the faces are no longer to be recognised.

    Args:
        image: (H, W, 3) uint8 BGR; changed in place, but for ``drop``.
        boxes: of the faces, in pixels of the image; may reach beyond it.
        privacy: ``none`` leaves the image as it is; ``blur`` and ``pixelate`` leave of each face,
            with a margin, six by six values; ``drop`` leaves nothing of the image at all, also of
            faces that were not found: a grey image of its size.

    Raises:
        ValueError: privacy is none of these.
    """
    if privacy not in PRIVACY_CHOICES:
        raise ValueError(f"privacy must be one of {', '.join(PRIVACY_CHOICES)}, not {privacy!r}")
    if privacy == DROP:
        return np.full_like(image, _GREY)
    if privacy != NONE:
        for box in boxes:
            _hide(image, box, cv2.INTER_LINEAR if privacy == BLUR else cv2.INTER_NEAREST)
    return image


def with_privacy_of_face(image: np.ndarray, privacy: str) -> np.ndarray:
    """Return an image that is filled by one face, and is no longer to be recognised.

    Args:
        image: (H, W, 3) uint8 BGR, all of it the face and what is just around it; changed in
            place, but for ``drop``.
        privacy: as for with_privacy; what is left has the cells it would have on the overlay: four
            by four.

    Raises:
        ValueError: privacy is none of the choices.
    """
    height, width = image.shape[:2]
    return with_privacy(image, [Box(0, 0, width, height)], privacy)


def _hide(image: np.ndarray, box: Box, interpolation: int) -> None:
    """Replace a box by a few of its means, drawn large again; both ways lose the same."""
    height, width = image.shape[:2]
    across, down = round(_MARGIN * box.w), round(_MARGIN * box.h)
    left, right = max(0, box.x - across), min(width, box.x + box.w + across)
    top, bottom = max(0, box.y - down), min(height, box.y + box.h + down)
    if left >= right or top >= bottom:
        return
    region = image[top:bottom, left:right]
    # At the border of the image a part of a face gets as large cells as the whole one would.
    whole = (1 + 2 * _MARGIN) * np.array([max(1, box.w), max(1, box.h)])
    part = np.array([right - left, bottom - top])
    columns, rows = np.ceil(_HIDDEN_CELLS * part / whole).astype(int)
    small = cv2.resize(
        region, (min(columns, right - left), min(rows, bottom - top)), interpolation=cv2.INTER_AREA
    )
    region[:] = cv2.resize(small, (right - left, bottom - top), interpolation=interpolation)
