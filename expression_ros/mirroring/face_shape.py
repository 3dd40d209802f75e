"""The continuous parameters of the virtual robot face and one set of them per expression.

Part of ``expression_ros.mirroring``: imports no ROS, and numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace

import numpy as np


class UnknownExpressionError(ValueError):
    """A word that is none of the virtual face's expressions."""


@dataclass(frozen=True)
class FaceShape:
    """Where every movable part of the face is. The defaults are the neutral face.

    All values are plain numbers without a unit; each comment gives the range the face was designed
    for. ``left`` and ``right`` are the robot's own, so its left is on the right of the image.
    """

    brow_height_left: float = 0.0  # -1 pressed on the eye .. 0 at rest .. 1 as high as it goes
    brow_height_right: float = 0.0
    brow_angle_left: float = 0.08  # -1 inner end down (angry) .. 0 level .. 1 inner end up (sad)
    brow_angle_right: float = 0.08
    brow_arch: float = 0.5  # 0 straight .. 1 a round arch
    brow_squeeze: float = 0.0  # 0 apart .. 1 drawn together
    upper_lid_left: float = 0.86  # 0 closed .. 0.86 at rest .. 1 a round eye .. 1.3 torn open
    upper_lid_right: float = 0.86
    lower_lid_left: float = 0.05  # -0.1 pulled down .. 0 open .. 0.5 flat .. 0.8 a laughing arc
    lower_lid_right: float = 0.05
    lid_slant: float = 0.0  # -0.4 outer corner hangs (sad) .. 0.5 inner corner pressed (angry)
    pupil_size: float = 1.0  # 0.4 a dot .. 1 at rest .. 1.2 wide
    gaze_x: float = 0.0  # -1 the image's left .. 1 the image's right
    gaze_y: float = 0.0  # -1 up .. 1 down
    mouth_width: float = 0.75  # 0.4 an O .. 1.3 from cheek to cheek
    mouth_corner_left: float = 0.1  # -1 pulled down .. 1 pulled up
    mouth_corner_right: float = 0.1
    mouth_open: float = 0.0  # 0 closed .. 1 the jaw dropped
    mouth_upper: float = 0.0  # 0 the upper lip at rest .. 1 pulled up, away from the teeth
    mouth_square: float = 0.0  # 0 a round opening .. 1 a box
    mouth_wave: float = 0.0  # 0 smooth .. 1 trembling lips
    teeth_upper: float = 0.0  # 0 .. 1, the part of the opening's height that they fill
    teeth_lower: float = 0.0
    tongue: float = 0.0  # 0 hidden .. 1 fills the floor of the open mouth
    tongue_out: float = 0.0  # 0 inside .. 1 hangs over the lower lip
    nose_wrinkle: float = 0.0  # 0 smooth .. 1 deep folds beside and above the nose
    cheek: float = 0.0  # 0 flat .. 1 raised and glowing
    sweat: float = 0.0  # 0 none .. 1 a drop on each temple; no muscle, but every comic has it

    def to_array(self) -> np.ndarray:
        """Return the parameters in the order of the fields, float64 of shape (parameters,)."""
        return np.array(astuple(self), dtype=np.float64)

    @classmethod
    def from_array(cls, values: Iterable[float]) -> FaceShape:
        """Return the shape that :meth:`to_array` turned into ``values``.

        Raises:
            ValueError: there are more or fewer values than parameters.
        """
        numbers = [float(value) for value in values]
        if len(numbers) != len(fields(cls)):
            raise ValueError(f"a face shape has {len(fields(cls))} parameters, not {len(numbers)}")
        return cls(*numbers)


def _symmetric(**parameters: float) -> FaceShape:
    """Return a shape from parameters in which ``brow_height`` stands for both brows, and so on."""
    sided = {field.name[: -len("_left")] for field in fields(FaceShape) if "_left" in field.name}
    both: dict[str, float] = {}
    for name, value in parameters.items():
        if name in sided:
            both[f"{name}_left"] = both[f"{name}_right"] = value
        else:
            both[name] = value
    return FaceShape(**both)


# The eight emotions of the vocabulary, in its order, by the words the robot has for showing them.
#
# The action units (AU) are those of the Facial Action Coding System (Ekman & Friesen, 1978; Ekman,
# Friesen & Hager, 2002), in the combinations that EMFACS takes for each emotion. A cartoon face is
# small and seen from afar, so every unit is moved further than a human face would move it.
EXPRESSIONS: dict[str, FaceShape] = {
    # No action unit; lids and mouth at rest, with the trace of a smile that keeps it from sulking.
    "neutral": FaceShape(),
    # AU 4 brow lowerer, 5 upper lid raiser, 7 lid tightener, 23 lip tightener with 25 lips part:
    # teeth clenched in a square mouth.
    "angry": _symmetric(
        brow_height=-0.75, brow_angle=-0.95, brow_arch=0.0, brow_squeeze=0.9,
        upper_lid=0.78, lower_lid=0.22, lid_slant=0.42, pupil_size=0.8,
        mouth_width=0.85, mouth_corner=-0.45, mouth_open=0.34, mouth_upper=0.3, mouth_square=0.9,
        teeth_upper=0.5, teeth_lower=0.5, cheek=0.0,
    ),
    # AU 12 + 14 on one side only, lip corner puller and dimpler. The one raised brow (2), the
    # half-lowered lids (43) and the look from the side carry what a small image would lose.
    "contemptuous": FaceShape(
        brow_height_left=0.75, brow_height_right=-0.35, brow_angle_left=-0.1,
        brow_angle_right=-0.3, brow_arch=0.45,
        upper_lid_left=0.56, upper_lid_right=0.46, lower_lid_left=0.12, lower_lid_right=0.16,
        pupil_size=0.9, gaze_x=0.6, gaze_y=0.1,
        mouth_width=0.8, mouth_corner_left=0.95, mouth_corner_right=-0.25, cheek=0.0,
    ),
    # AU 9 nose wrinkler, 10 upper lip raiser, 15 lip corner depressor, 16 lower lip depressor, with
    # 4 + 7 as the eyes shut against the sight and 19 tongue show.
    "disgusted": _symmetric(
        brow_height=-0.85, brow_angle=-0.25, brow_arch=0.1, brow_squeeze=0.8,
        upper_lid=0.46, lower_lid=0.46, lid_slant=0.06, pupil_size=0.7,
        mouth_width=0.9, mouth_corner=-0.75, mouth_open=0.26, mouth_upper=0.45, mouth_square=0.2,
        tongue=0.8, tongue_out=1.0, nose_wrinkle=1.0, cheek=0.0,
    ),
    # AU 1 + 2 + 4 brows raised and drawn together, 5 upper lid raiser, 20 lip stretcher, 26 jaw
    # drop.
    "afraid": _symmetric(
        brow_height=0.8, brow_angle=0.8, brow_arch=0.2, brow_squeeze=0.7,
        upper_lid=1.15, lower_lid=-0.05, pupil_size=0.45,
        mouth_width=1.1, mouth_corner=-0.55, mouth_open=0.4, mouth_upper=0.4, mouth_square=0.5,
        mouth_wave=0.8, teeth_upper=0.3, teeth_lower=0.3, cheek=0.0, sweat=1.0,
    ),
    # AU 6 cheek raiser, 12 lip corner puller, 25 lips part.
    "smile": _symmetric(
        brow_height=0.4, brow_angle=0.3, brow_arch=0.9,
        upper_lid=1.08, lower_lid=0.6, pupil_size=1.15, gaze_y=-0.6,
        mouth_width=1.15, mouth_corner=1.0, mouth_open=0.65, mouth_square=0.1,
        teeth_upper=0.36, tongue=0.8, cheek=1.0,
    ),
    # AU 1 inner brow raiser, 4 brow lowerer, 15 lip corner depressor, 17 chin raiser; lids and gaze
    # sink.
    "sad": _symmetric(
        brow_height=0.05, brow_angle=0.95, brow_arch=0.1, brow_squeeze=0.4,
        upper_lid=0.62, lower_lid=0.08, lid_slant=-0.26, pupil_size=1.15, gaze_y=0.5,
        mouth_width=0.7, mouth_corner=-1.0, cheek=0.0,
    ),
    # AU 1 + 2 brows raised, 5 upper lid raiser, 26/27 jaw drop and mouth stretch.
    "surprised": _symmetric(
        brow_height=0.9, brow_angle=0.1, brow_arch=1.0,
        upper_lid=1.2, lower_lid=-0.08, pupil_size=0.8,
        mouth_width=0.5, mouth_corner=0.0, mouth_open=0.7, mouth_upper=0.75, tongue=0.9, cheek=0.0,
    ),
}  # fmt: skip


# What answers an emotion without being one that is read from faces.
ANSWERS: dict[str, FaceShape] = {
    # AU 1 inner brow raiser and a little of 4, the brows of sadness, but the eyes are open and
    # look at the other, and the mouth is closed and nearly level.
    "concerned": _symmetric(
        brow_height=0.35, brow_angle=0.85, brow_arch=0.2, brow_squeeze=0.5,
        upper_lid=0.92, lower_lid=0.12, lid_slant=-0.14, pupil_size=1.12,
        mouth_width=0.6, mouth_corner=-0.3, cheek=0.0,
    ),
}  # fmt: skip


def expression_shape(name: str) -> FaceShape:
    """Return the shape of an expression, for example ``smile``.

    Raises:
        UnknownExpressionError: the face has no such expression; the message lists those it has.
    """
    try:
        return ANSWERS[name] if name in ANSWERS else EXPRESSIONS[name]
    except (KeyError, TypeError):
        known = ", ".join((*EXPRESSIONS, *ANSWERS))
        raise UnknownExpressionError(
            f"unknown expression {name!r}; the virtual face knows: {known}"
        ) from None


_BLINK_LOWER_LID = 0.25


def with_idle(shape: FaceShape, blink: float, gaze_x: float, gaze_y: float) -> FaceShape:
    """Return the shape with its lids shut by ``blink`` (0 .. 1 closed) and its gaze moved."""

    def lower(lid: float) -> float:  # it rises to meet the upper one
        return lid + blink * max(0.0, _BLINK_LOWER_LID - lid)

    return replace(
        shape,
        upper_lid_left=shape.upper_lid_left * (1.0 - blink),
        upper_lid_right=shape.upper_lid_right * (1.0 - blink),
        lower_lid_left=lower(shape.lower_lid_left),
        lower_lid_right=lower(shape.lower_lid_right),
        gaze_x=shape.gaze_x + gaze_x,
        gaze_y=shape.gaze_y + gaze_y,
    )
