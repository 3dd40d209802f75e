"""The image of the virtual robot face.

Part of ``expression_ros.mirroring``: imports no ROS. Places and lengths in this module are in face
units, x to the right and y down from the middle of the head, whose front reaches from -1.12 to 1.12
and from -0.96 to 0.96; only ``face_canvas`` knows pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from expression_ros.mirroring.face_canvas import Canvas, Colour
from expression_ros.mirroring.face_shape import FaceShape

MINIMUM_SIZE = 32  # pixels
MAXIMUM_SIZE = 4096  # pixels

# Half the width and height of all that is drawn, in face units: ears, and a margin.
_HALF_WIDTH, _HALF_HEIGHT = 1.36, 1.04
# Below this many pixels on the short side, the face is drawn larger and averaged down: the edges of
# cv2's own anti-aliasing look frayed on curves. The long side stays below the second number.
_FINE_ENOUGH, _FINE_LIMIT = 600, 2400

# Blue B, green G, red R. Light blue, dark blue and orange differ in lightness too, so the image
# reads the same to colour-blind people and in grey.
_BACKDROP: Colour = (74, 52, 36)
_SHELL: Colour = (250, 246, 242)
_SHELL_EDGE: Colour = (214, 200, 186)
_EAR: Colour = (64, 160, 246)
_SKIN: Colour = (240, 212, 150)
_LID: Colour = (226, 192, 122)
_FOLD: Colour = (176, 130, 62)
_INK: Colour = (62, 36, 20)
_WHITE: Colour = (255, 255, 255)
_IRIS: Colour = (186, 108, 28)
_IRIS_RIM: Colour = (120, 62, 14)
_PUPIL: Colour = (34, 18, 10)
_BLUSH: Colour = (150, 168, 250)
_MOUTH: Colour = (52, 22, 78)
_TONGUE: Colour = (116, 116, 240)
_TONGUE_LINE: Colour = (84, 78, 204)
_TOOTH_GAP: Colour = (206, 190, 176)
_DROP: Colour = (252, 244, 226)

_EYE_X, _EYE_Y, _EYE_A, _EYE_B = 0.44, -0.10, 0.30, 0.33
_MOUTH_Y = 0.53
_LINE = 0.036  # the width of a common ink line


def draw_face(shape: FaceShape, width: int, height: int) -> np.ndarray:
    """Return the image of a face.

    Args:
        shape: the face; values outside the documented ranges are drawn as far as they make sense.
        width: of the image in pixels, 32..4096.
        height: of the image in pixels, 32..4096.

    Returns:
        BGR image, uint8 of shape (height, width, 3), owned by the caller.

    Raises:
        ValueError: a size is out of range.
    """
    for what, size in (("width", width), ("height", height)):
        if not MINIMUM_SIZE <= size <= MAXIMUM_SIZE:
            raise ValueError(
                f"the {what} of the face must be {MINIMUM_SIZE}..{MAXIMUM_SIZE} pixels, not {size}"
            )
    wanted = math.ceil(_FINE_ENOUGH / min(width, height))
    finer = max(1, min(wanted, _FINE_LIMIT // max(width, height)))
    canvas = _head(width * finer, height * finer).copy()
    _draw_cheeks(canvas, shape)
    _draw_nose(canvas, shape)
    for side in (-1, 1):
        _draw_eye(canvas, shape, side)
    _draw_mouth(canvas, shape)
    for side in (-1, 1):
        _draw_brow(canvas, shape, side)
    _draw_sweat(canvas, shape)
    return canvas.reduced(finer)


@lru_cache(maxsize=2)
def _head(width: int, height: int) -> Canvas:
    """Return what never moves: backdrop, head and ears. Callers copy it before they draw."""
    scale = min(width / _HALF_WIDTH, height / _HALF_HEIGHT) / 2.0
    canvas = Canvas.filled(width, height, scale, _BACKDROP)
    for side in (-1, 1):
        canvas.fill(_rounded_box(side * 1.20, 0.02, 0.13, 0.30, 5.0), _EAR)
        canvas.fill(_rounded_box(side * 1.15, 0.02, 0.06, 0.38, 5.0), _SHELL_EDGE)
    canvas.fill(_rounded_box(0.0, 0.02, 1.13, 0.96, 4.0), _SHELL_EDGE)
    canvas.fill(_rounded_box(0.0, -0.015, 1.13, 0.945, 4.0), _SHELL)
    canvas.fill(_rounded_box(0.0, 0.0, 1.04, 0.885, 4.2), _SKIN)
    return canvas


def _rounded_box(x: float, y: float, a: float, b: float, power: float) -> np.ndarray:
    """Return the outline of a superellipse around (x, y) with half axes a and b, (96, 2)."""
    turn = np.linspace(0.0, 2.0 * np.pi, 96, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack(
        [
            x + a * np.sign(c) * np.abs(c) ** (2.0 / power),
            y + b * np.sign(s) * np.abs(s) ** (2.0 / power),
        ],
        axis=1,
    )


# ---------------------------------------------------------------------------------------- eyes

_EYE_U = np.sin(np.linspace(-np.pi / 2.0, np.pi / 2.0, 33))  # denser at the corners, where it bends
_EYE_ARC = _EYE_B * (1.0 - np.abs(_EYE_U) ** 2.3) ** (1.0 / 2.3)


def _side_of(shape: FaceShape, what: str, side: int) -> float:
    """Return the parameter of one side; side 1 is the right of the image, the robot's left."""
    return float(getattr(shape, f"{what}_{'left' if side > 0 else 'right'}"))


def _lids(shape: FaceShape, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the upper and lower lid, each (33, 2) from left to right.

    The upper lid runs a part of the way from the lower one to the rim of the eye, at every x, so
    that the corners stay and an eye with an openness of 0 is shut whatever its slant.
    """
    openness = max(0.0, _side_of(shape, "upper_lid", side))
    slant = shape.lid_slant * _EYE_U * side * min(1.0, openness)
    x = side * _EYE_X + _EYE_A * _EYE_U
    bottom = _EYE_ARC * (1.0 - 2.0 * _side_of(shape, "lower_lid", side))
    part = np.clip(openness + slant, 0.0, 1.4)
    top = bottom + part * np.minimum(0.0, -_EYE_ARC - bottom)
    return np.stack([x, _EYE_Y + top], axis=1), np.stack([x, _EYE_Y + bottom], axis=1)


def _draw_eye(canvas: Canvas, shape: FaceShape, side: int) -> None:
    top, bottom = _lids(shape, side)
    rim = np.stack([side * _EYE_X + _EYE_A * _EYE_U, _EYE_Y - _EYE_ARC], axis=1)
    rim[:, 1] = np.minimum(rim[:, 1], top[:, 1])
    canvas.fill(np.concatenate([rim, top[::-1]]), _LID)
    opening = np.concatenate([top, bottom[::-1]])
    with canvas.clipped_to(opening) as inside:
        inside.wipe(_WHITE)
        _draw_iris(inside, shape, side)
    canvas.stroke(bottom, 0.6 * _LINE, _INK)
    canvas.stroke(top, _LINE * (0.6 + 1.1 * (1.0 - _EYE_U**2)), _INK)


def _draw_iris(canvas: Canvas, shape: FaceShape, side: int) -> None:
    x = side * _EYE_X + 0.13 * shape.gaze_x
    y = _EYE_Y + 0.01 + 0.12 * shape.gaze_y
    radius = 0.195 * max(0.2, shape.pupil_size)
    canvas.disc(x, y, radius, _IRIS_RIM)
    canvas.disc(x, y, 0.86 * radius, _IRIS)
    canvas.disc(x, y, 0.58 * radius, _PUPIL)
    # One light on both eyes, from the upper left; it is what makes them look wet and alive.
    canvas.disc(x - 0.34 * radius, y - 0.36 * radius, 0.30 * radius, _WHITE)
    canvas.disc(x + 0.38 * radius, y + 0.40 * radius, 0.14 * radius, _WHITE)


def _draw_brow(canvas: Canvas, shape: FaceShape, side: int) -> None:
    height = _side_of(shape, "brow_height", side)
    angle = _side_of(shape, "brow_angle", side)
    t = np.linspace(-1.0, 1.0, 17)  # from the inner to the outer end
    x = _EYE_X + 0.27 * t - 0.11 * shape.brow_squeeze
    y = -0.53 - 0.15 * height + 0.15 * angle * t - 0.11 * shape.brow_arch * (1.0 - t**2)
    width = 0.10 - 0.022 * t - 0.012 * t**2
    canvas.stroke(np.stack([side * x, y], axis=1), width, _INK)


# ------------------------------------------------------------------------- cheeks, nose and sweat


def _draw_cheeks(canvas: Canvas, shape: FaceShape) -> None:
    glow = min(1.0, max(0.0, shape.cheek))
    if glow <= 0.02:
        return
    for side in (-1, 1):
        # It grows instead of fading in: half-way between blue and red there is only a bruise.
        spot = _rounded_box(side * 0.76, 0.34 - 0.06 * glow, 0.18 * glow, 0.105 * glow, 2.0)
        canvas.fill(spot, _BLUSH)


def _draw_nose(canvas: Canvas, shape: FaceShape) -> None:
    wrinkle = min(1.0, max(0.0, shape.nose_wrinkle))
    t = np.linspace(-1.0, 1.0, 9)
    y = 0.20 - 0.04 * wrinkle + 0.035 * (1.0 - t**2)
    canvas.stroke(np.stack([(0.06 + 0.03 * wrinkle) * t, y], axis=1), 0.9 * _LINE, _FOLD)
    for side in (-1, 1):
        for row in range(2):  # folds across the bridge of the nose, up and outwards
            fold = np.stack([side * (0.06 + 0.05 * t), -0.045 * t + 0.015 * t**2], axis=1)
            canvas.stroke(fold + [0.0, -0.06 + 0.105 * row], wrinkle * 1.15 * _LINE, _FOLD)
        # The furrow from the wing of the nose around the mouth.
        furrow = np.stack([side * (0.31 + 0.09 * t - 0.05 * t**2), 0.31 + 0.11 * t], axis=1)
        canvas.stroke(furrow, wrinkle * 1.15 * _LINE, _FOLD)


def _draw_sweat(canvas: Canvas, shape: FaceShape) -> None:
    if shape.sweat <= 0.05:
        return
    size = min(1.0, shape.sweat)
    turn = np.linspace(0.0, 2.0 * np.pi, 49)
    # A circle whose upper half is drawn out to a point.
    drop = np.stack([np.sin(turn) * np.sin(turn / 2.0) ** 1.5, -1.35 * np.cos(turn)], axis=1)
    for side in (-1, 1):
        middle = np.array([side * 0.89, -0.42])
        canvas.fill(middle + 0.13 * size * drop, _IRIS)
        canvas.fill(middle + [0.0, 0.012 * size] + 0.095 * size * drop, _DROP)


# --------------------------------------------------------------------------------------- mouth

_MOUTH_T = np.sin(np.linspace(-np.pi / 2.0, np.pi / 2.0, 41))


def _lips(shape: FaceShape) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper and the lower lip, each (41, 2) from left to right, corners in common."""
    t = _MOUTH_T
    corner = np.where(t < 0.0, shape.mouth_corner_right, shape.mouth_corner_left)
    # Corners move by t squared, which is smooth in the middle however they differ.
    mean = (shape.mouth_corner_left + shape.mouth_corner_right) / 2.0
    middle = 0.05 * mean - 0.23 * corner * t**2
    middle = middle + 0.028 * shape.mouth_wave * np.cos(3.0 * np.pi * t) * (1.0 - t**4)
    power = 2.0 + 4.0 * min(1.0, max(0.0, shape.mouth_square))
    opening = (1.0 - np.abs(t) ** power) ** (1.0 / power)
    x = 0.46 * shape.mouth_width * t
    upper = middle - 0.24 * max(0.0, shape.mouth_upper) * opening
    lower = middle + 0.40 * max(0.0, shape.mouth_open) * opening
    return np.stack([x, _MOUTH_Y + upper], axis=1), np.stack([x, _MOUTH_Y + lower], axis=1)


def _draw_mouth(canvas: Canvas, shape: FaceShape) -> None:
    upper, lower = _lips(shape)
    with canvas.clipped_to(np.concatenate([upper, lower[::-1]])) as inside:
        inside.wipe(_MOUTH)
        _draw_tongue_inside(inside, shape, lower)
        _draw_teeth(inside, shape, upper, lower)
    canvas.stroke(upper, 1.25 * _LINE, _INK)
    canvas.stroke(lower, 1.25 * _LINE, _INK)
    _draw_tongue_outside(canvas, shape, upper, lower)
    _draw_dimple(canvas, shape, upper)


def _draw_tongue_inside(canvas: Canvas, shape: FaceShape, lower: np.ndarray) -> None:
    size = min(1.0, max(0.0, shape.tongue))
    floor = lower[:, 1].max()
    a, b = 0.30 * shape.mouth_width * size, 0.15 * size
    canvas.fill(_rounded_box(0.0, floor + 0.02, a, b, 2.0), _TONGUE)


def _draw_teeth(canvas: Canvas, shape: FaceShape, upper: np.ndarray, lower: np.ndarray) -> None:
    gap = lower - upper
    top = upper + min(1.0, max(0.0, shape.teeth_upper)) * gap
    bottom = lower - min(1.0, max(0.0, shape.teeth_lower)) * gap
    canvas.fill(np.concatenate([upper, top[::-1]]), _WHITE)
    canvas.fill(np.concatenate([bottom, lower[::-1]]), _WHITE)
    if shape.teeth_upper + shape.teeth_lower < 0.85:
        return
    # Where the rows meet, single teeth make the mouth read as a bite and not as a white bar.
    for column in range(5, 41 - 5, 6):
        canvas.stroke(np.stack([upper[column], top[column]]), 0.4 * _LINE, _TOOTH_GAP)
        canvas.stroke(np.stack([bottom[column], lower[column]]), 0.4 * _LINE, _TOOTH_GAP)
    canvas.stroke(top, 0.55 * _LINE, _INK)


def _draw_tongue_outside(
    canvas: Canvas, shape: FaceShape, upper: np.ndarray, lower: np.ndarray
) -> None:
    out = min(1.0, max(0.0, shape.tongue_out))
    if out <= 0.02:
        return
    top, lip = upper[20, 1], lower[20, 1]
    start = 0.6 * lip + 0.4 * top
    end = start + (lip - start + 0.2) * out
    turn = np.linspace(0.0, np.pi, 25)
    half = 0.17 * min(1.0, 0.4 + out)
    x = half * np.cos(turn)
    y = start + (end - start) * np.sin(turn) ** 0.6
    tongue = np.stack([x, y], axis=1)
    canvas.fill(tongue, _TONGUE)
    canvas.stroke(tongue, _LINE, _INK)
    line = np.array([[0.0, start + 0.03], [0.0, start + 0.6 * (end - start)]])
    canvas.stroke(line, 0.7 * _LINE, _TONGUE_LINE)


def _draw_dimple(canvas: Canvas, shape: FaceShape, upper: np.ndarray) -> None:
    """Draw the crease that a corner pulled up alone presses into its cheek."""
    pull = shape.mouth_corner_left - shape.mouth_corner_right
    side = 1 if pull > 0 else -1
    x, y = upper[-1] if pull > 0 else upper[0]
    t = np.linspace(-1.0, 1.0, 9)
    crease = np.stack([x + side * (0.055 + 0.035 * (1.0 - t**2)), y + 0.10 * t], axis=1)
    canvas.stroke(crease, min(1.0, abs(pull)) * 1.1 * _LINE, _INK)
