"""Training the network behind the descriptor ``embedding``, with PyTorch, on varied faces.

The learning rate follows the clock as well as the epochs, whichever is further on, so the time is
bounded on any machine. Every epoch leaves a checkpoint.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from expression_ros.recognition.embedding import FACE_SIZE, standardize
from expression_ros.training.networks.faces import VOTE_ORDER, Faces
from expression_ros.training.networks.residual import ExpressionNet, from_onnx
from expression_ros.vocabulary import FER2013_ORDER

BATCH = 128
MAX_RATE = 0.1
RESTART_RATE = 0.05  # of a training that starts from a trained network
WARM_UP = 0.08  # share of the training in which the learning rate rises
SMALL_UNTIL = 0.6  # share of the training spent on 32x32 faces, 2.25 times as fast
SMALL_SIZE = 32  # px
CALM_DOWN = 0.6  # share of the augmentation taken away by the end
WEIGHT_DECAY = 5e-4
AVERAGE_DECAY = 0.998  # of the moving average of the weights, which is what gets exported
SMOOTHING = 0.15  # share of a hard label given to the FER+ votes, or to all classes alike
LABEL_WEIGHT, VOTE_WEIGHT = 1.0, 0.5  # of the two heads' losses


def softened(labels: torch.Tensor, votes: torch.Tensor) -> torch.Tensor:
    """Return (N, 7) targets: the hard label, with SMOOTHING given to the votes or to all classes.

    Args:
        labels: (N,) int64, numbers of FER2013_ORDER.
        votes: (N, 8) float32 over VOTE_ORDER, rows of zeros where nobody voted.
    """
    columns = [VOTE_ORDER.index(label) for label in FER2013_ORDER]
    seven = votes[:, columns]
    total = seven.sum(dim=1, keepdim=True)
    uniform = torch.full_like(seven, 1 / len(columns))
    soft = torch.where(total > 0, seven / total.clamp_min(1e-6), uniform)
    return (1 - SMOOTHING) * F.one_hot(labels, len(columns)) + SMOOTHING * soft


@dataclasses.dataclass
class State:
    """All that changes while training; what a checkpoint holds."""

    network: ExpressionNet
    average: ExpressionNet
    optimizer: torch.optim.Optimizer
    max_rate: float = MAX_RATE
    step: int = 0
    epoch: int = 0
    images: int = 0
    seconds: float = 0.0
    label_weight: float = LABEL_WEIGHT
    vote_weight: float = VOTE_WEIGHT

    _COUNTS: ClassVar = (
        "max_rate", "step", "epoch", "images", "seconds", "label_weight", "vote_weight"
    )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash in between leaves the old one whole."""
        parts = {n: getattr(self, n).state_dict() for n in ("network", "average", "optimizer")}
        counts = {n: getattr(self, n) for n in self._COUNTS}
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**parts, **counts}, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint (tensors and numbers only; no pickled code is run)."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(saved[name])
        for name in self._COUNTS:
            setattr(self, name, saved.get(name, getattr(self, name)))


def new_state(
    device: str, start: Path | None = None, faces: np.ndarray | None = None,
    rate: float | None = None,
) -> State:  # fmt: skip
    """Return a network with its moving average and optimiser, at the beginning of a training.

    Args:
        device: where it will be trained.
        start: a checkpoint whose averaged weights it begins with (a warm restart; Loshchilov and
            Hutter, 2017), or an exported ONNX file; random weights when left out.
        faces: (N, 48, 48) uint8, some hundred to read an ONNX file with.
        rate: the largest learning rate; by default MAX_RATE, or RESTART_RATE with a start.
    """
    if start is not None and start.suffix == ".onnx":
        if faces is None:
            raise ValueError("an ONNX file is read with some faces")
        network = from_onnx(start, faces)
    else:
        network = ExpressionNet()
        if start is not None:
            saved = torch.load(start, map_location="cpu", weights_only=True)
            network.load_state_dict(saved["average"])
    network = network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    if rate is None:
        rate = MAX_RATE if start is None else RESTART_RATE
    optimizer = torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True)
    return State(network, average, optimizer, rate)


def learning_rate(progress: float, max_rate: float = MAX_RATE) -> float:
    """Linear warm-up to the largest rate, then half a cosine down to 0, over progress 0..1."""
    if progress < WARM_UP:
        return max_rate * max(progress / WARM_UP, 0.02)
    rest = min((progress - WARM_UP) / (1 - WARM_UP), 1.0)
    return max_rate * 0.5 * (1 + math.cos(math.pi * rest))


def accuracy(network: ExpressionNet, faces: Faces) -> float:
    """Return the share of faces whose FER2013 label the network's own head answers, 0..1."""
    device = next(network.parameters()).device
    right = 0
    network.eval()
    with torch.inference_mode():
        for i in range(0, len(faces), 512):
            x = torch.from_numpy(standardize(faces.images[i : i + 512])).to(device)
            answer = network(x)[0].argmax(dim=1).cpu().numpy()
            right += int((answer == faces.labels[i : i + 512]).sum())
    return right / len(faces)


def agreement(network: ExpressionNet, faces: Faces) -> float:
    """Return how often the vote head says what most people see, where more than half agree."""
    device = next(network.parameters()).device
    agreed = faces.take(faces.votes.max(axis=1) > 0.5)
    right = 0
    network.eval()
    with torch.inference_mode():
        for i in range(0, len(agreed), 512):
            x = torch.from_numpy(standardize(agreed.images[i : i + 512])).to(device)
            answer = network(x)[1].argmax(dim=1).cpu().numpy()
            right += int((answer == agreed.votes[i : i + 512].argmax(axis=1)).sum())
    return right / max(len(agreed), 1)


def train(
    state: State, training: Faces, validation: Faces, epochs: int, minutes: float, checkpoint: Path
) -> list[dict[str, float]]:
    """Train until the epochs or the minutes are over, whichever comes first.

    Args:
        state: fresh or from a checkpoint; changed in place.
        training: faces to learn from.
        validation: faces to measure on after every epoch; they change nothing. The measure takes
            48x48 faces, so it is far too low while the network learns on smaller ones.
        epochs: passes over the training faces.
        minutes: time for the training, that of earlier runs of the checkpoint included.
        checkpoint: file written after every epoch.

    Returns:
        One row of figures per epoch of this run.
    """
    device = next(state.network.parameters()).device
    raw = torch.from_numpy(training.images)[:, None]
    equalizer = cv2.createCLAHE(2.0, (4, 4))
    even = torch.from_numpy(np.stack([equalizer.apply(face) for face in training.images]))[:, None]
    labels, votes = torch.from_numpy(training.labels), torch.from_numpy(training.votes)
    steps = len(training) // BATCH
    threads = _Threads() if device.type == "cpu" else None
    begin = time.monotonic() - state.seconds
    history: list[dict[str, float]] = []
    progress = 0.0
    while progress < 1 and state.step < epochs * steps:
        state.network.train()
        order = torch.from_numpy(np.random.default_rng(state.epoch).permutation(len(training)))
        losses: list[float] = []
        for chosen in order[: steps * BATCH].view(steps, BATCH):
            state.seconds = time.monotonic() - begin
            progress = max(state.step / (epochs * steps), state.seconds / (60 * minutes))
            if progress >= 1:
                break
            if threads:
                threads.before_step()
            for group in state.optimizer.param_groups:
                group["lr"] = learning_rate(progress, state.max_rate)
            equalized = (torch.rand(BATCH) < 0.15)[:, None, None, None]
            faces = torch.where(equalized, even[chosen], raw[chosen]).to(device).float() / 255
            size = SMALL_SIZE if progress < SMALL_UNTIL else FACE_SIZE
            x = augment(faces, size, 1 - CALM_DOWN * progress)
            y, v = labels[chosen].to(device), votes[chosen].to(device)
            by_label, by_vote = state.network(x.contiguous(memory_format=torch.channels_last))
            vote_losses = -(v * F.log_softmax(by_vote, dim=1)).sum(dim=1)
            loss = state.label_weight * F.cross_entropy(by_label, softened(y, v))
            loss = loss + state.vote_weight * vote_losses.sum() / BATCH
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            state.step += 1
            state.images += BATCH
            _follow(state.average, state.network, min(AVERAGE_DECAY, state.step / (state.step + 9)))
            losses.append(float(loss.detach()))
            if state.step == 50:
                print(_forecast(state, steps, epochs, minutes), flush=True)
        state.epoch += 1
        row = {
            "epoch": state.epoch,
            "minutes": state.seconds / 60,
            "progress": progress,
            "loss": float(np.mean(losses)) if losses else math.nan,
            "validation": accuracy(state.average, validation),
            "people": agreement(state.average, validation),
        }
        history.append(row)
        state.save(checkpoint)
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    return history


class _Threads:
    """Tries every PROBE_EVERY steps whether one CPU thread or all of them are faster.

    On a machine that does other work two threads wait for each other longer than they save.
    """

    TRIAL = 5  # steps per trial
    PROBE_EVERY = 150  # steps

    def __init__(self) -> None:
        self.most = torch.get_num_threads()
        self.times: dict[int, list[float]] = {1: [], self.most: []}
        self.step = 0
        self.last = 0.0

    def before_step(self) -> None:
        """Choose the number of threads for the step that begins now."""
        now, place = time.monotonic(), self.step % self.PROBE_EVERY
        if 0 < place <= 2 * self.TRIAL:
            self.times[1 if place <= self.TRIAL else self.most].append(now - self.last)
        if place == 0:
            torch.set_num_threads(1)
        elif place == self.TRIAL:
            torch.set_num_threads(self.most)
        elif place == 2 * self.TRIAL:
            torch.set_num_threads(min(self.times, key=lambda n: float(np.median(self.times[n]))))
            self.times = {1: [], self.most: []}
        self.last = now
        self.step += 1


def _forecast(state: State, steps: int, epochs: int, minutes: float) -> str:
    by_epochs = epochs * steps / state.step * state.seconds / 60
    pace = state.images / state.seconds
    return f"{pace:.0f} faces/s: training takes about {min(by_epochs, minutes):.0f} minutes"


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    for kept, new in pairs:
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def augment(faces: torch.Tensor, size: int, strength: float = 1.0) -> torch.Tensor:
    """Vary faces as a detector's boxes, cameras and hands in front of mouths do.

    Mirror, rotation up to 15 degrees, shift up to 10 %, zoom from 0.83 to 1.2 (the margin around
    a box), gamma, light from one side, blur, noise, and random erasing (Zhong et al., 2020).

    Args:
        faces: (N, 1, 48, 48) float32, 0..1.
        size: px, width and height of the result.
        strength: factor on the range of every change, 0..1.

    Returns:
        (N, 1, size, size) float32, standardised as ``recognition.embedding.standardize`` does.
    """
    n, device = len(faces), faces.device

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(n, *shape, device=device) * (high - low) + low

    angle = uniform(-1, 1) * math.radians(15) * strength
    zoom, aspect = uniform(-0.18, 0.18), uniform(-0.06, 0.06)
    zoom, aspect = torch.exp(zoom * strength), torch.exp(aspect * strength)
    shift = uniform(-0.2, 0.2, 2) * strength
    mirror = torch.sign(uniform(-1, 1))
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [zoom * aspect * cos * mirror, -zoom * sin, shift[:, 0]]
    rows += [zoom * sin * mirror, zoom / aspect * cos, shift[:, 1]]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 1, size, size], False)
    x = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)

    x = x.clamp(1e-3, 1) ** torch.exp(strength * uniform(-0.5, 0.5, 1, 1, 1))
    ramp = torch.linspace(-1, 1, size, device=device)
    light = uniform(-0.35, 0.35, 1, 1, 1) * ramp + uniform(-0.35, 0.35, 1, 1, 1) * ramp[:, None]
    x = x * (1 + strength * light * (uniform(0, 1, 1, 1, 1) < 0.5))
    blurred = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    x = torch.where(uniform(0, 1, 1, 1, 1) < 0.2 * strength, blurred, x)
    x = x + torch.randn_like(x) * uniform(0, 0.03, 1, 1, 1)

    mean, std = x.mean(dim=(2, 3), keepdim=True), x.std(dim=(2, 3), keepdim=True)
    x = (x - mean) / std.clamp_min(1 / 255)
    place = torch.arange(size, device=device)
    centre, half = uniform(0, size, 2), uniform(0.07, 0.22, 2) * size
    hit = (place - centre[..., None]).abs() < half[..., None]
    erased = (hit[:, 0, None, :] & hit[:, 1, :, None])[:, None]
    erased &= uniform(0, 1, 1, 1, 1) < 0.3 * strength
    return torch.where(erased, torch.randn(n, 1, 1, 1, device=device), x)
