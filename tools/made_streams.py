"""Streams that are made of portraits: one person at rest, smiling, smiling faintly, talking.

From a neutral and a smiling portrait of the same person all faces in between are made: dense
optical flow from the one to the other (DIS; Kroeger et al., 2016), both warped along it and mixed.
The mouth talks by a lower jaw that drops and comes up, with a dark gap, and by lips that are drawn
wide and narrow; eyes blink. Head and camera add a sway, a slow change of light, and noise.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from expression_ros.recognition.detection import FaceDetector

WIDTH, HEIGHT = 320, 240
FACE = 110.0  # px, width of the cascades' box in a stream
REST, SMILE, TALK = "rest", "smile", "talk"
# Of the cascades' box: where mouth and eyes are.
_MOUTH_ROWS, _EYES = (0.72, 0.90), ((0.31, 0.40), (0.69, 0.40))


@dataclass(frozen=True)
class Moment:
    """One frame of a script: how much of the smile is shown, and of what talking and blinks do."""

    state: str
    smile: float = 0.0
    jaw: float = 0.0
    wide: float = 0.0
    blink: float = 0.0


def script(kind: str, rate: float, rng: np.random.Generator) -> list[Moment]:
    """Return what happens in each frame of a stream.

    Args:
        kind: "rest"; "smile" and "faint": 3 s of rest, 0.4 s until the smile or half of it is
            there, 2.5 s held, 0.5 s until it is gone, 2 s of rest; "talk": 1.5 s of rest, 5.5 s of
            talking, 1 s of rest.
        rate: frames per second.
        rng: of the blinks and the syllables.
    """
    if kind == "talk":
        return _blinking(_talking(rate, rng), rate, rng)
    most = {"rest": 0.0, "smile": 1.0, "faint": 0.5}[kind]
    times = np.arange(0, 8.4, 1 / rate)
    shown = most * np.interp(times, [3.0, 3.4, 5.9, 6.4], [0, 1, 1, 0])
    # While the smile is under way nobody can say what it is.
    states = [REST if s == 0 else SMILE if s >= 0.99 * most else "" for s in shown]
    return _blinking(
        [Moment(state, smile) for state, smile in zip(states, shown, strict=True)], rate, rng
    )


def _talking(rate: float, rng: np.random.Generator) -> list[Moment]:
    """Return phrases of three to eight syllables, four a second, with pauses between them."""
    moments = [Moment(REST)] * round(1.5 * rate)
    end = len(moments) + round(5.5 * rate)
    while len(moments) < end:
        for _ in range(rng.integers(3, 9)):
            count = max(2, round(rng.uniform(0.17, 0.33) * rate))
            jaw, wide = rng.uniform(0.3, 1.0), rng.uniform(-1.0, 1.0)
            bow = np.sin(np.linspace(0, np.pi, count, endpoint=False))
            moments += [Moment(TALK, 0.0, jaw * b, wide * b) for b in bow]
        moments += [Moment(TALK)] * round(rng.uniform(0.2, 0.5) * rate)
    return moments[:end] + [Moment(REST)] * round(1.0 * rate)


def _blinking(moments: list[Moment], rate: float, rng: np.random.Generator) -> list[Moment]:
    closed = np.zeros(len(moments))
    at = rng.uniform(0.5, 2.0)
    while at * rate < len(moments):
        frames = np.arange(len(moments)) / rate
        closed = np.maximum(closed, np.interp(np.abs(frames - at), [0.05, 0.12], [1, 0]))
        at += rng.uniform(1.5, 4.0)
    return [
        Moment(m.state, m.smile, m.jaw, m.wide, float(c))
        for m, c in zip(moments, closed, strict=True)
    ]


class Person:
    """Somebody of whom there are a neutral and a smiling portrait.

    Args:
        neutral: (H, W) uint8 grey, one face.
        smiling: the same person.

    Raises:
        ValueError: the cascades do not find the face in both.
    """

    def __init__(self, neutral: np.ndarray, smiling: np.ndarray) -> None:
        self._neutral = _placed(neutral)
        smile = _placed(smiling)
        left, top = (WIDTH - FACE) / 2, (HEIGHT - FACE) / 2
        self._box = left, top, FACE, FACE
        self._smile = _aligned(self._neutral, smile, self._box)
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow = cv2.GaussianBlur(flow.calc(self._neutral, self._smile, None), (0, 0), 2)
        self._grid = np.stack(
            np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32)),
            axis=-1,
        )
        rows = slice(*(int(top + share * FACE) for share in _MOUTH_ROWS))
        columns = slice(int(left + 0.38 * FACE), int(left + 0.62 * FACE))
        darkness = cv2.GaussianBlur(self._neutral, (0, 0), 1.5)[rows, columns].mean(axis=1)
        self._lips = float(rows.start + int(darkness.argmin()))  # where they meet

    def frames(self, moments: list[Moment], rate: float, seed: int) -> Iterator[np.ndarray]:
        """Yield (240, 320) uint8 grey frames of a script."""
        rng = np.random.default_rng(seed)
        phase = rng.uniform(0, 2 * np.pi, 5)
        for k, moment in enumerate(moments):
            wave = np.sin(2 * np.pi * np.array([0.23, 0.31, 0.17, 0.4, 0.12]) * k / rate + phase)
            yield self._frame(moment, wave, rng)

    def _frame(self, moment: Moment, wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        face = self._between(moment.smile)
        if moment.jaw or moment.wide:
            face = self._mouth(face, moment.jaw, moment.wide)
        if moment.blink:
            face = self._blink(face, moment.blink)
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 1.5 * wave[2], 1 + 0.02 * wave[3])
        turn[:, 2] += 3 * wave[0], 2 * wave[1]
        moved = cv2.warpAffine(face, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        lit = moved * (1 + 0.06 * wave[4]) + rng.normal(0, 3, moved.shape)
        return np.clip(lit, 0, 255).astype(np.uint8)

    def _between(self, smile: float) -> np.ndarray:
        if smile == 0:
            return self._neutral.astype(np.float32)
        there = self._warped(self._neutral, self._grid - smile * self._flow)
        back = self._warped(self._smile, self._grid + (1 - smile) * self._flow)
        return (1 - smile) * there + smile * back

    @staticmethod
    def _warped(image: np.ndarray, at: np.ndarray) -> np.ndarray:
        return cv2.remap(
            image.astype(np.float32), at.astype(np.float32), None, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip

    def _mouth(self, face: np.ndarray, jaw: float, wide: float) -> np.ndarray:
        """Let the lower jaw drop by up to 8 % of the face, draw the lips by up to 15 %."""
        x, y = self._grid[..., 0] - WIDTH / 2, self._grid[..., 1] - self._lips
        drop = 0.08 * FACE * jaw
        lips = np.exp(-((x / (0.16 * FACE)) ** 4))  # closed in the corners
        near = np.exp(-((x / (0.24 * FACE)) ** 4) - (y / (0.13 * FACE)) ** 4)
        below = np.clip(y / max(drop, 1e-3), 0, 1)
        fading = np.clip(1.6 - y / (0.3 * FACE), 0, 1)  # towards the chin
        at = self._grid.copy()
        at[..., 0] -= x * 0.15 * wide * near
        at[..., 1] -= drop * np.where(y > 0, below * fading, 0) * lips
        moved = self._warped(face, at)
        gap = np.clip(np.minimum(y, drop * lips - y) / 1.5, 0, 1)
        return moved * (1 - 0.75 * gap)

    def _blink(self, face: np.ndarray, closed: float) -> np.ndarray:
        left, top, width, height = self._box
        at = self._grid.copy()
        at[..., 1] += 0.09 * height  # the skin below the eye
        lid = cv2.GaussianBlur(self._warped(face, at), (0, 0), 1)
        for right, down in _EYES:
            x = (self._grid[..., 0] - left - right * width) / (0.13 * width)
            y = (self._grid[..., 1] - top - down * height) / (0.055 * height)
            mask = closed * np.clip(2 * (1 - x**2 - y**2), 0, 1)
            face = face * (1 - mask) + lid * mask
        return face


def _placed(portrait: np.ndarray) -> np.ndarray:
    """Return a stream's frame with the face of a portrait in its middle."""
    found = FaceDetector().search_photo(portrait)
    if not found:
        raise ValueError("no face is found")
    x, y, width, _ = found[0].box
    scale = FACE / width
    middle = x + width / 2, y + width / 2
    shift = np.array([[scale, 0, WIDTH / 2 - scale * middle[0]],
                      [0, scale, HEIGHT / 2 - scale * middle[1]]])  # fmt: skip
    return cv2.warpAffine(
        portrait, shift, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )


def _aligned(neutral: np.ndarray, smile: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Return the smiling frame with eyes and forehead where they are in the neutral one."""
    left, top, width, height = (round(side) for side in box)
    mask = np.zeros_like(neutral)
    mask[top : top + round(0.6 * height), left : left + width] = 255
    matrix = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        _, matrix = cv2.findTransformECC(
            neutral, smile, matrix, cv2.MOTION_EUCLIDEAN, criteria, mask, 5
        )
    except cv2.error:  # too different for it; the flow does the rest
        return smile
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        smile, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def people(data: Path, count: int) -> list[tuple[str, Person]]:
    """Return up to so many persons with their names, spread evenly over a zip or a folder.

    Args:
        data: with folders ``neutral`` and ``happiness``; the files of a person begin alike, up to
            the first underscore.
        count: of the persons.
    """
    pairs = _pairs(data)
    chosen = [pairs[k] for k in np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)]
    found = []
    for name, neutral, smiling in chosen:
        try:
            found.append((name, Person(neutral, smiling)))
        except ValueError:
            continue
    return found


def _pairs(data: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    if data.is_dir():
        files = {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*.jpg")}
    else:
        with zipfile.ZipFile(data) as archive:
            files = {n: archive.read(n) for n in archive.namelist() if n.endswith(".jpg")}
    by_kind: dict[str, dict[str, bytes]] = {"neutral": {}, "happiness": {}}
    for name, content in files.items():
        kind = Path(name).parent.name
        if kind in by_kind:
            by_kind[kind][Path(name).stem.split("_")[0]] = content
    both = sorted(set(by_kind["neutral"]) & set(by_kind["happiness"]))
    return [
        (who, *(_decoded(by_kind[kind][who]) for kind in ("neutral", "happiness"))) for who in both
    ]


def _decoded(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
