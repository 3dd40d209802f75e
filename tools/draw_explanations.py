"""Draws the images of docs/how_it_works.md from drawn faces, by the package's own code.

Usage: python tools/draw_explanations.py [docs/pictures]

Needs matplotlib and scikit-learn: pip install '.[train]'. No image of a person is used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from PIL import Image  # comes with matplotlib

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cascade_stages import read_stages, windows_left
from generated_faces import LABELS, draw_face, drawn_faces

from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.opencv_parts import CASCADE_ORDER
from expression_ros.recognition.overlay import COLOURS, vote_cells
from expression_ros.recognition.smoothing import LabelSmoother
from expression_ros.resources import models_path
from expression_ros.training.fisherfaces.ensemble import train_fisherfaces
from expression_ros.training.fisherfaces.settings import FisherfaceSettings
from expression_ros.vocabulary import UNKNOWN

matplotlib.use("Agg")
import matplotlib.pyplot as plt

REPOSITORY = Path(__file__).resolve().parent.parent
SIDE = 48
SHORT = {"neutral": "ne", "anger": "an", "contempt": "co", "disgust": "di", "fear": "fe",
         "happiness": "ha", "sadness": "sa", "surprise": "su", UNKNOWN: "?"}  # fmt: skip
MARKERS = {"happiness": "o", "sadness": "^", "surprise": "s"}
DARK = "#191919"


def colour(label: str) -> tuple[float, float, float]:
    """Return the overlay's colour of a label, as red, green, blue from 0 to 1."""
    blue, green, red = COLOURS[label]
    return red / 255, green / 255, blue / 255


# ---- the cascade ----


def draw_scene() -> np.ndarray:
    """Return a drawn room, (240, 320) uint8: a face, shelves, a lamp, and noise."""
    rng = np.random.default_rng(3)
    scene = np.full((240, 320), 90, np.uint8)
    for k in range(4):
        cv2.rectangle(scene, (8, 30 + 50 * k), (104, 36 + 50 * k), 50, -1)
        for x in range(12, 100, 11):
            height = int(rng.integers(18, 40))
            top = 30 + 50 * k - height
            cv2.rectangle(scene, (x, top), (x + 8, 29 + 50 * k), int(rng.integers(60, 220)), -1)
    cv2.circle(scene, (284, 60), 26, 210, -1)
    cv2.line(scene, (284, 86), (284, 230), 40, 5)
    face = draw_face("happiness", rng)
    scene[80:200, 130:250] = cv2.resize(face, (120, 120), interpolation=cv2.INTER_CUBIC)
    return np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)


def draw_cascade(path: Path) -> None:
    scene = draw_scene()
    stages = read_stages()
    counts, _ = windows_left(scene, stages)
    detector = FaceDetector("all", 0.2)
    boxes = {name: detector.search_frame(scene, (k,)) for k, name in enumerate(CASCADE_ORDER)}
    figure, axes = plt.subplots(1, 4, figsize=(10.4, 2.9), dpi=90,
                                gridspec_kw={"width_ratios": (1, 1, 1.5, 1.9)})  # fmt: skip
    x, y, side, _ = boxes["default"][0].box
    window = cv2.resize(scene[y : y + side, x : x + side], (240, 240))
    for axis, k, title in zip(axes, (0, 1), ("first question", "second question"), strict=False):
        axis.imshow(window, cmap="gray", vmin=0, vmax=255, extent=(0, 24, 24, 0))
        for rx, ry, w, h, weight in stages[0].stumps[k].rectangles:
            face = (0, 0.45, 0.7, 0.55) if weight < 0 else (0.94, 0.89, 0.26, 0.6)
            axis.add_patch(plt.Rectangle((rx, ry), w, h, facecolor=face, edgecolor=DARK))
        axis.set_title(title, fontsize=10)
    axes[2].imshow(scene, cmap="gray", vmin=0, vmax=255)
    styles = zip(("#e69f00", "#56b4e9", "#f0e442", "#ffffff"), ("-", "--", ":", "-."), strict=True)
    for (name, found), (tint, style) in zip(boxes.items(), styles, strict=True):
        for detection in found:
            bx, by, w, h = detection.box
            axes[2].add_patch(plt.Rectangle((bx, by), w, h, fill=False, edgecolor=tint, lw=2.2,
                                            linestyle=style, label=name))  # fmt: skip
    axes[2].legend(fontsize=8, loc="lower left", framealpha=0.9)
    axes[2].set_title("what the cascades see", fontsize=10)
    for axis in axes[:3]:
        axis.set_xticks([])
        axis.set_yticks([])
    axes[3].semilogy(range(len(counts)), np.maximum(counts, 0.8), "o-", color="#0072b2", ms=3.5)
    axes[3].set_title("windows left in this image", fontsize=10)
    axes[3].set_xlabel(f"stage of {len(stages)} ({CASCADE_ORDER[0]})", fontsize=9)
    axes[3].tick_params(labelsize=8)
    axes[3].grid(alpha=0.3)
    axes[3].set_ylim(20, 1.5e6)
    for k in (0, 3, len(stages)):
        axes[3].annotate(f"{counts[k]:,}", (k, counts[k]), textcoords="offset points",
                         xytext=(6, 4) if k < 5 else (-8, 7), fontsize=9)  # fmt: skip
    _save(figure, path)


# ---- the Fisherfaces ----


def train_on_drawings() -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Return ten models trained on pixels of drawn faces, other faces (N, D) and their labels."""
    faces, labels = drawn_faces(600, seed=1)
    numbers = np.array([LABELS.index(label) for label in labels])
    models = train_fisherfaces(_vectors(faces), numbers, FisherfaceSettings(components=40))
    others, labels = drawn_faces(150, seed=2)
    return models, _vectors(others), labels


def _vectors(faces: np.ndarray) -> np.ndarray:
    return faces.reshape(len(faces), -1).astype(np.float32)


def plane(model: Any, vectors: np.ndarray) -> np.ndarray:
    """Return (N, 2), vectors in the plane of a model of three classes."""
    return ((vectors - model.mean.ravel()) @ model.eigenvectors)[:, :2]


def _scatter(axis: Any, points: np.ndarray, labels: np.ndarray, size: float) -> None:
    for label in LABELS:
        chosen = points[labels == label]
        axis.scatter(chosen[:, 0], chosen[:, 1], s=size, marker=MARKERS[label], label=label,
                     color=colour(label), edgecolors=DARK, linewidths=0.4)  # fmt: skip


def draw_planes(path: Path) -> None:
    models, vectors, labels = train_on_drawings()
    model = models[1]
    training = _vectors(drawn_faces(600, seed=1)[0])
    centre = training.mean(axis=0)
    components = np.linalg.svd(training - centre, full_matrices=False)[2][:2]
    figure = plt.figure(figsize=(10.4, 3.7), dpi=90)
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 3, 3, 1))
    images = [components[0], components[1],
              model.eigenvectors[:, 0], model.eigenvectors[:, 1]]  # fmt: skip
    names = ("component 1", "component 2", "Fisherface 1", "Fisherface 2")
    for k, (image, name) in enumerate(zip(images, names, strict=True)):
        axis = figure.add_subplot(grid[k % 2, 0 if k < 2 else 3])
        limit = np.abs(image).max()
        axis.imshow(image.reshape(SIDE, SIDE), cmap="gray", vmin=-limit, vmax=limit)
        axis.set_title(name, fontsize=9)
        axis.axis("off")
    left, right = figure.add_subplot(grid[:, 1]), figure.add_subplot(grid[:, 2])
    _scatter(left, (vectors - centre) @ components.T, labels, 22)
    left.set_title("two principal components: where faces differ most", fontsize=9)
    points = plane(model, vectors)
    _scatter(right, points, labels, 22)
    right.legend(fontsize=8, loc="upper center")
    for label, mean in zip(LABELS, _means(model), strict=True):
        right.plot(*mean, marker="X", ms=13, color=colour(label), mec=DARK, mew=1.5)
    right.set_title("two Fisherfaces: where emotions differ most (X: class means)", fontsize=9)
    for axis in (left, right):
        axis.set_xticks([])
        axis.set_yticks([])
    _save(figure, path)


def _means(model: Any) -> np.ndarray:
    """Return (3, 2), the class means in the plane of a model, in the order of LABELS."""
    order = np.argsort(np.ravel(model.numbers))
    return np.asarray(model.projections).reshape(len(LABELS), -1)[order][:, :2]


def half_smile() -> np.ndarray:
    """Return (48, 48) uint8: a drawing between a happy and a sad face."""
    rng = np.random.default_rng(11)
    happy, sad = draw_face("happiness", rng), draw_face("sadness", rng)
    return np.round(0.52 * happy + 0.48 * sad).astype(np.uint8)


def draw_ten(path: Path) -> None:
    models, vectors, labels = train_on_drawings()
    face = half_smile()
    figure, axes = plt.subplots(2, 6, figsize=(10.4, 3.9), dpi=90)
    for row in (0, 1):
        axes[row, 0].axis("off")
    axes[0, 0].imshow(face, cmap="gray", vmin=0, vmax=255)
    axes[0, 0].set_title("the face to be read", fontsize=9)
    said = []
    for model, axis in zip(models, axes[:, 1:].ravel(), strict=True):
        points, place, means = plane(model, vectors), plane(model, _vectors(face[None]))[0], \
            _means(model)  # fmt: skip
        low, high = points.min(axis=0) - 1, points.max(axis=0) + 1
        xs, ys = np.meshgrid(*(np.linspace(low[k], high[k], 160) for k in (0, 1)))
        near = np.argmin([(xs - x) ** 2 + (ys - y) ** 2 for x, y in means], axis=0)
        regions = np.array([colour(label) for label in LABELS])[near]
        axis.imshow(0.65 + 0.35 * regions, origin="lower", aspect="auto",
                    extent=(low[0], high[0], low[1], high[1]))  # fmt: skip
        _scatter(axis, points, labels, 5)
        for label, mean in zip(LABELS, means, strict=True):
            axis.plot(*mean, marker="X", ms=7, color=colour(label), mec=DARK)
        axis.plot(*place, marker="*", ms=14, color="white", mec=DARK, mew=1.2)
        said.append(LABELS[int(np.argmin(((means - place) ** 2).sum(axis=1)))])
        axis.set_title(f"{len(said)}: {said[-1]}", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    votes = {label: said.count(label) / len(said) for label in LABELS}
    _cells(axes[1, 0], votes, 0.45, 0.2)
    axes[1, 0].set_xlim(0, 10)
    axes[1, 0].set_ylim(0, 1)
    winner = max(votes, key=lambda label: votes[label])
    axes[1, 0].text(5, 0.8, f"the vote: {winner}", ha="center", fontsize=9)
    _save(figure, path)


def _cells(axis: Any, votes: dict[str, float], bottom: float, height: float) -> None:
    """Draw ten cells from 0 to 10 in the colours of the labels, with their beginnings."""
    for k, label in enumerate(vote_cells(votes)):
        axis.add_patch(plt.Rectangle((k, bottom), 1, height, facecolor=colour(label),
                                     edgecolor=DARK, lw=0.8))  # fmt: skip
        axis.text(k + 0.5, bottom + height / 2, SHORT[label], ha="center", va="center",
                  fontsize=7, color="white" if label in ("fear", "disgust") else DARK)  # fmt: skip


# ---- the vote and the smoothing, of the shipped model ----


def from_smile_to_surprise() -> list[np.ndarray]:
    """Return five (48, 48) uint8 faces from a drawn smile to a drawn open mouth."""
    rng = np.random.default_rng(4)
    happy, surprised = draw_face("happiness", rng), draw_face("surprise", rng)
    return [np.round((1 - k) * happy + k * surprised).astype(np.uint8)
            for k in np.linspace(0, 1, 5)]  # fmt: skip


def draw_votes(path: Path) -> None:
    ensemble = FisherfaceEnsemble.load(models_path("fisherfaces"))
    limit = _min_confidence(ensemble)
    faces = from_smile_to_surprise()
    figure, axes = plt.subplots(1, 5, figsize=(10.4, 2.75), dpi=90)
    for axis, face in zip(axes, faces, strict=True):
        said = ensemble.predict(face)
        axis.imshow(face, cmap="gray", vmin=0, vmax=255, extent=(2.2, 7.8, 3.1, 8.7), zorder=2)
        _cells(axis, dict(said.votes), 1.6, 1.2)
        axis.barh(0.6, 10 * said.score, height=0.7, color=colour(said.label), edgecolor=DARK)
        axis.plot([10 * limit] * 2, [0.1, 1.1], color=DARK, lw=1.5, linestyle="--")
        label = said.label if said.score >= limit else UNKNOWN
        share = said.votes[said.label]
        axis.set_title(f"{said.label}\nvotes {share:.0%}, score {said.score:.2f}", fontsize=9)
        axis.text(5, -0.75, f"label: {label}", ha="center", fontsize=9)
        axis.set_xlim(0, 10)
        axis.set_ylim(-1.3, 8.8)
        axis.set_aspect("auto")
        axis.axis("off")
    _save(figure, path)


def _min_confidence(ensemble: FisherfaceEnsemble) -> float:
    assert ensemble.manifest is not None
    return float(ensemble.manifest.settings["min_confidence"])


def draw_smoothing(path: Path) -> None:
    ensemble = FisherfaceEnsemble.load(models_path("fisherfaces"))
    limit = _min_confidence(ensemble)
    rng = np.random.default_rng(8)
    times = np.arange(0, 4, 0.05)  # s: twenty readings a second
    smoother = LabelSmoother(time_constant=0.25, margin=0.1, min_confidence=limit)
    raw, smooth, single, settled = [], [], [], []
    for time in times:
        share = float(np.clip(1.6 * np.sin(np.pi * time / 4) ** 2 - 0.3, 0, 1))
        face = (1 - share) * draw_face("surprise", rng) + share * draw_face("happiness", rng)
        said = ensemble.predict(np.round(face).astype(np.uint8))
        label, _ = smoother.update(said.scores, float(time))
        raw.append(said.scores["happiness"])
        smooth.append(smoother.scores["happiness"])
        single.append(said.label if said.score >= limit else UNKNOWN)
        settled.append(label)
    figure, (top, below) = plt.subplots(2, 1, figsize=(8.6, 3.6), sharex=True, dpi=90,
                                        gridspec_kw={"height_ratios": (3, 1)})  # fmt: skip
    top.plot(times, raw, "o", ms=3.5, color="#999999", label="of a single frame")
    top.plot(times, smooth, color="#0072b2", lw=2, label="averaged (smoothing 0.25 s)")
    top.axhline(limit, color=DARK, lw=1, linestyle="--")
    top.text(0.02, limit + 0.03, f"min_confidence {limit}", fontsize=8)
    top.set_ylabel("score of happiness", fontsize=9)
    top.set_ylim(0, 1)
    top.legend(fontsize=8, loc="lower center")
    for y, labels in ((1, single), (0, settled)):
        for time, label in zip(times, labels, strict=True):
            below.add_patch(plt.Rectangle((time, y + 0.1), 0.05, 0.8, facecolor=colour(label)))
    below.set_yticks([0.5, 1.5], ["settled", "each frame"], fontsize=9)
    below.set_ylim(0, 2)
    below.set_xlim(0, 4)
    below.set_xlabel("seconds", fontsize=9)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour(label))
               for label in sorted({*single, *settled})]  # fmt: skip
    below.legend(handles, sorted({*single, *settled}), fontsize=8, loc="lower center", ncol=4,
                 bbox_to_anchor=(0.5, -1.35), frameon=False)  # fmt: skip
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]  # type: ignore[attr-defined]
    plt.close(figure)
    # A palette halves the size, and no version of matplotlib is written in it.
    Image.fromarray(image).quantize(200, dither=0).save(path, optimize=True)


IMAGES = {
    "cascade.png": draw_cascade,
    "planes.png": draw_planes,
    "ten_fisherfaces.png": draw_ten,
    "votes.png": draw_votes,
    "smoothing.png": draw_smoothing,
}


def main(arguments: Sequence[str]) -> int:
    """Draw all images into a folder."""
    folder = Path(arguments[0]) if arguments else REPOSITORY / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in IMAGES.items():
        draw(folder / name)
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
