"""Trains the network behind the descriptor ``embedding`` and writes it as ONNX.

    python -m expression_ros.training.embedding_network --data fer2013.npz \\
        --muxspace muxspace.zip --output models/embedding/embedding.onnx

The only module that imports PyTorch (``pip install torch onnx``); recognition runs the ONNX file
with ``cv2.dnn``. A residual network (He et al., 2016) of 1.5 million parameters looks at 48x48 grey
faces and has two answers while it learns: the single label of FER2013 (Goodfellow et al., 2013)
and, on a second head, the distribution of the ten votes of FER+ (Barsoum et al., 2016). The two
label sets disagree in a systematic way (of FER2013's ``sad`` faces FER+ calls as many neutral as
sad), which is why one head per label set does better than one head for a mixture.

The learning rate follows the clock as well as the epochs, whichever is further on, so ``--minutes``
bounds the time on any machine. Every epoch leaves a checkpoint; the same command goes on from it.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import hashlib
import json
import math
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from expression_ros.recognition.embedding import FACE_SIZE, EmbeddingNetwork, standardize
from expression_ros.training.held_out import LIST_NAME, write_held_out
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER, UNKNOWN, canonical_label

VOTE_ORDER = EMOTIONS  # classes of the FER+ head, contempt included
VALIDATION_SHARE = 0.05  # of FER2013's training images, never trained on
NEAR_COPY = 0.95  # correlation of two 16x16 thumbnails from which images count as one picture
MUXSPACE_CAP = 3000  # images per class taken from muxspace (its happy and neutral ones abound)
MUXSPACE_CROP = 0.88  # central share of its square portraits, which are looser than FER2013's

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
VOTE_WEIGHT = 0.5  # of the FER+ head's loss


@dataclasses.dataclass
class Faces:
    """Labelled faces.

    Attributes:
        images: (N, 48, 48) uint8.
        labels: (N,) int64, numbers of FER2013_ORDER.
        votes: (N, 8) float32 over VOTE_ORDER, rows sum to 1, or to 0 where nobody voted.
    """

    images: np.ndarray
    labels: np.ndarray
    votes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def take(self, which: np.ndarray) -> Faces:
        """Return the faces of a mask or of an index array."""
        return Faces(self.images[which], self.labels[which], self.votes[which])

    def plus(self, other: Faces) -> Faces:
        """Return these faces and then the other ones."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Faces(*(np.concatenate(pair) for pair in pairs))


# ---------------------------------------------------------------- data


def load_fer2013(path: Path) -> tuple[Faces, Faces]:
    """Read an npz of FER2013 with FER+ votes (images, labels, split, ferplus_votes, names).

    Returns:
        The training faces without those that most FER+ voters called no face at all, and the
        public-test faces without pixel copies of training images.
    """
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    order = [FER2013_ORDER.index(canonical_label(name)) for name in arrays["label_names"]]
    labels = np.array(order, np.int64)[arrays["labels"]]
    raw = arrays["ferplus_votes"].astype(np.float32)
    no_face = np.zeros(len(raw), bool)
    votes = np.zeros((len(raw), len(VOTE_ORDER)), np.float32)
    for column, name in enumerate(arrays["ferplus_names"]):
        if name == "NF":
            no_face = raw[:, column] > 5
        elif (label := canonical_label(name)) != UNKNOWN:
            votes[:, VOTE_ORDER.index(label)] = np.maximum(raw[:, column], 0)
    total = votes.sum(axis=1, keepdims=True)
    votes = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    faces = Faces(arrays["images"], labels, votes)
    copies = arrays["duplicate_of_train"].astype(bool)
    split = arrays["split"]
    return faces.take((split == 0) & ~no_face), faces.take((split == 1) & ~copies)


def load_muxspace(path: Path) -> Faces:
    """Read the muxspace faces, a zip with a folder per emotion, at most MUXSPACE_CAP per class.

    Square portraits are cut to their central part, tight crops taken whole; all are resized to
    48x48 by area. Contempt is left out: FER2013 has no such class.
    """
    images: list[np.ndarray] = []
    labels: list[int] = []
    with zipfile.ZipFile(path) as archive:
        by_label: dict[str, list[str]] = {}
        for name in sorted(archive.namelist()):
            if name.lower().endswith((".jpg", ".jpeg", ".png")):
                by_label.setdefault(canonical_label(Path(name).parent.name), []).append(name)
        for label, names in sorted(by_label.items()):
            if label not in FER2013_ORDER:
                continue
            order = np.random.default_rng(0).permutation(len(names))[:MUXSPACE_CAP]
            for name in (names[i] for i in order):
                encoded = np.frombuffer(archive.read(name), np.uint8)
                image = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
                if image is None or image.std() < 5:
                    continue
                if image.shape[0] == image.shape[1]:
                    edge = round(image.shape[0] * (1 - MUXSPACE_CROP) / 2)
                    image = image[edge : image.shape[0] - edge, edge : image.shape[1] - edge]
                images.append(
                    cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
                )
                labels.append(FER2013_ORDER.index(label))
    votes = np.zeros((len(images), len(VOTE_ORDER)), np.float32)
    return Faces(np.stack(images), np.array(labels, np.int64), votes)


def resembles(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Say which images show the same picture as one of the others, mirrored or not.

    Args:
        images: (N, 48, 48) uint8.
        others: (M, 48, 48) uint8.

    Returns:
        (N,) bool, correlation of 16x16 thumbnails above NEAR_COPY.
    """

    def thumbnails(faces: np.ndarray) -> np.ndarray:
        small = faces.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(-1, 256)
        small = (small - small.mean(axis=1, keepdims=True)).astype(np.float32)
        return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)

    both = thumbnails(np.concatenate([others, others[:, :, ::-1]])).T
    mine = thumbnails(images)
    found = [(mine[i : i + 2048] @ both).max(axis=1) > NEAR_COPY for i in range(0, len(mine), 2048)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def split_data(data: Path, muxspace: Path | None) -> tuple[Faces, Faces, Faces, dict[str, int]]:
    """Return faces to train on, to validate on, to test on, and how many were left out.

    No training face resembles a validation or test face.
    """
    faces, test = load_fer2013(data)
    validate = np.random.default_rng(0).random(len(faces)) < VALIDATION_SHARE
    validation, training = faces.take(validate), faces.take(~validate)
    counts = {"fer2013": len(training)}
    if muxspace is not None:
        extra = load_muxspace(muxspace)
        counts["muxspace"] = len(extra)
        training = training.plus(extra)
    copies = resembles(training.images, np.concatenate([validation.images, test.images]))
    counts["near copies left out"] = int(copies.sum())
    return training.take(~copies), validation, test, counts


# ---------------------------------------------------------------- network


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., 2016); the shortcut averages on a stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(
                pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


class ExpressionNet(nn.Module):
    """Faces in, an embedding and the answers of the two heads out."""

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (1, 1, 2, 1),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(1, widths[0] // 2)]
        layers.append(_convolution(widths[0] // 2, widths[0], 2))
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(ResidualBlock(channels, width, stride))
                channels = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.label_head = nn.Linear(channels, len(FER2013_ORDER))
        self.vote_head = nn.Linear(channels, len(VOTE_ORDER))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1, 48, 48) standardised faces -> (N, D)."""
        return self.body(x).mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 1, 48, 48) -> logits over FER2013_ORDER (N, 7) and over VOTE_ORDER (N, 8)."""
        embedding = self.dropout(self.embed(x))
        return self.label_head(embedding), self.vote_head(embedding)


class _Exported(nn.Module):
    def __init__(self, network: ExpressionNet) -> None:
        super().__init__()
        self.body = network.body
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.label_head = network.label_head

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = torch.flatten(self.pool(self.body(x)), 1)
        return embedding, self.label_head(embedding)


def export(network: ExpressionNet, path: Path) -> float:
    """Write the network as ONNX for ``cv2.dnn`` and compare the two on random faces.

    Returns:
        The largest difference between PyTorch's and cv2.dnn's outputs.

    Raises:
        RuntimeError: they differ by more than 1e-3.
    """
    exported = _Exported(copy.deepcopy(network).cpu()).eval()
    exported = exported.to(memory_format=torch.contiguous_format)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        exported,
        (torch.zeros(1, 1, FACE_SIZE, FACE_SIZE),),
        str(path),
        input_names=["face"],
        output_names=["embedding", "logits"],
        dynamic_axes={name: {0: "faces"} for name in ("face", "embedding", "logits")},
        opset_version=12,
        dynamo=False,
    )
    faces = np.random.default_rng(0).integers(0, 256, (16, FACE_SIZE, FACE_SIZE), np.uint8)
    with torch.inference_mode():
        expected = [t.numpy() for t in exported(torch.from_numpy(standardize(faces)))]
    reader = EmbeddingNetwork(path)
    found = [reader.describe_batch(faces), reader.logits(faces)]
    error = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
    if error > 1e-3:
        raise RuntimeError(f"cv2.dnn {cv2.__version__} differs from PyTorch by {error:.2g}")
    return error


# ---------------------------------------------------------------- training


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

    _COUNTS: ClassVar = ("max_rate", "step", "epoch", "images", "seconds")

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


def new_state(device: str, start: Path | None = None) -> State:
    """Return a network with its moving average and optimiser, at the beginning of a training.

    Args:
        device: where it will be trained.
        start: a checkpoint whose averaged weights it begins with (a warm restart; Loshchilov and
            Hutter, 2017); random weights when left out.
    """
    network = ExpressionNet().to(device, memory_format=torch.channels_last)
    if start is not None:
        saved = torch.load(start, map_location="cpu", weights_only=True)
        network.load_state_dict(saved["average"])
    average = copy.deepcopy(network).eval().requires_grad_(False)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
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
    while progress < 1:
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
            loss = F.cross_entropy(by_label, softened(y, v))
            vote_losses = -(v * F.log_softmax(by_vote, dim=1)).sum(dim=1)
            loss = loss + VOTE_WEIGHT * vote_losses.sum() / BATCH
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


# ---------------------------------------------------------------- report


def multiplications(network: ExpressionNet) -> int:
    """Return the multiplications of one 48x48 face through convolutions and the label head."""
    total = 0

    def count(layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        total += weight.numel() * output.shape[2] * output.shape[3]

    probe = copy.deepcopy(network).cpu().eval()
    for layer in probe.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        probe(torch.zeros(1, 1, FACE_SIZE, FACE_SIZE))
    return total + probe.label_head.weight.numel()


def milliseconds_per_face(reader: EmbeddingNetwork) -> float:
    """Return the median time of ``describe`` on one thread, with the normalisation."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    face = np.random.default_rng(0).integers(0, 256, (FACE_SIZE, FACE_SIZE), np.uint8)
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        reader.describe(face)
        times.append(time.perf_counter() - begin)
    cv2.setNumThreads(threads)
    return 1000 * float(np.median(times))


def measure(path: Path, validation: Faces, test: Faces) -> dict[str, Any]:
    """Return the scores of the exported file, read and run as the robot will run it."""
    reader = EmbeddingNetwork(path)
    logits = reader.logits(test.images)
    answers = logits.argmax(axis=1)
    mirrored = logits + reader.logits(np.ascontiguousarray(test.images[:, :, ::-1]))
    recall = {
        label: float((answers[test.labels == number] == number).mean())
        for number, label in enumerate(FER2013_ORDER)
    }
    return {
        "test faces": len(test),
        "test accuracy": float((answers == test.labels).mean()),
        "test accuracy with the mirrored face": float(
            (mirrored.argmax(axis=1) == test.labels).mean()
        ),
        "mean recall": float(np.mean(list(recall.values()))),
        "recall": recall,
        "validation faces": len(validation),
        "validation accuracy": float(
            (reader.logits(validation.images).argmax(axis=1) == validation.labels).mean()
        ),
        "dimension": reader.dimension,
        "milliseconds per face": milliseconds_per_face(reader),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


_CARD = """\
# Embedding network for facial expressions

`{name}` turns a grey 48x48 face into {dimension} numbers; `expression_ros.recognition.embedding`
reads it with `cv2.dnn`. Fisherfaces are trained on these numbers (descriptor `embedding`).
Every figure on this page was written by the command that trained the network.

## What it is

* Input `face`: (N, 1, 48, 48) float32, each face brought to mean 0 and standard deviation 1.
  Outputs `embedding`: (N, {dimension}) and `logits`: (N, 7), in the order
  {order}.
* Residual network: 3x3 stem to 24x24, four stages of {widths} channels with
  {blocks} residual blocks, average over all places. {parameters:,} parameters,
  {multiplications:.1f} million multiplications a face, {megabytes:.1f} MB (fp32),
  {ms:.2f} ms a face on one thread of the machine that trained it (other work was running there).
* SHA-256 `{sha256}`

## Scores on FER2013's public test

{test_faces:,} images (without those that are pixel copies of training images), the network's own
label head, run by `cv2.dnn`; nothing was chosen by this test.

| measure | value |
|---|---|
| accuracy | {accuracy:.3f} |
| accuracy, logits averaged with those of the mirrored face | {mirrored:.3f} |
| mean recall of the seven classes | {mean_recall:.3f} |
{recalls}
| accuracy on {validation_faces:,} training images held out for validation | {validation:.3f} |

People agree on these labels only in part: FER2013's authors put human accuracy at 0.65 +- 0.05.

## How it was trained

{training_faces:,} faces: {counts}.
FER2013's training split (the single label on one head, the FER+ votes on another), and up to
{cap:,} images per class of the muxspace set where it is named above. Faces that resemble a
validation or public-test image (correlation of 16x16 thumbnails above {near}) were left out of
training; no public-test image and no image of the London set was trained on. `{held_out}` names
the validation faces by a digest, so that what is trained on this network can be calibrated on them.
{start}{epochs} epochs, {images:,} faces seen, {minutes:.0f} minutes on {device} (PyTorch
{torch}), the first {small:.0%} of them on 32x32 faces; SGD, moving average of the weights. Rebuild:

    {command}

Random numbers and the clock decide the exact weights: a rebuild scores alike, not bit by bit.

{note}## Licences and limits

The weights are this project's, under its licence. FER2013 was collected from web search for a 2013
ICML challenge and states no licence; FER+ votes are MIT; muxspace is Apache-2.0. No image is part
of this file or of the repository.

Meant for a robot that mirrors an expression. The labels say what a face looks like to annotators,
not what a person feels. Not for judging people: no hiring, policing, border control, medicine,
teaching assessment or advertising. Web images of 2013 do not represent all ages, skin tones, head
poses or lighting; disgust, with the fewest examples, and fear are read least reliably.
"""

_RESTARTED = """\
It began with the weights of an earlier training (the same command without `--start`), at a lower
learning rate. The figures of this training:
"""


def model_card(
    path: Path, state: State, report: dict[str, Any], command: str, note: str = ""
) -> str:
    """Return the model card (Markdown) of an exported network, from measured figures only."""
    network = state.average
    stages = [m for m in network.body if isinstance(m, ResidualBlock)]
    widths = [m.second[0].out_channels for m in stages]
    unique = sorted(set(widths))
    device = next(network.parameters()).device
    return _CARD.format(
        name=path.name,
        dimension=report["dimension"],
        order=", ".join(FER2013_ORDER),
        widths=", ".join(map(str, unique)),
        blocks=", ".join(str(widths.count(w)) for w in unique),
        parameters=sum(p.numel() for p in _Exported(network).parameters()),
        multiplications=multiplications(network) / 1e6,
        megabytes=report["bytes"] / 1e6,
        ms=report["milliseconds per face"],
        sha256=report["sha256"],
        test_faces=report["test faces"],
        accuracy=report["test accuracy"],
        mirrored=report["test accuracy with the mirrored face"],
        mean_recall=report["mean recall"],
        recalls="\n".join(f"| recall of {k} | {v:.3f} |" for k, v in report["recall"].items()),
        validation_faces=report["validation faces"],
        validation=report["validation accuracy"],
        training_faces=report["training faces"],
        counts=", ".join(f"{name} {count:,}" for name, count in report["counts"].items()),
        cap=MUXSPACE_CAP,
        near=NEAR_COPY,
        held_out=LIST_NAME,
        start="" if state.max_rate == MAX_RATE else _RESTARTED,
        epochs=state.epoch,
        images=state.images,
        minutes=state.seconds / 60,
        device=f"{torch.get_num_threads()} CPU threads" if device.type == "cpu" else "a GPU",
        torch=torch.__version__,
        small=SMALL_UNTIL,
        command=command,
        note=f"{note}\n\n" if note else "",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train (or go on training), export, measure, and write the model card beside the network."""
    parser = argparse.ArgumentParser(
        prog="python -m expression_ros.training.embedding_network",
        description=main.__doc__,
    )
    parser.add_argument("--data", type=Path, required=True, help="npz of FER2013 with FER+ votes")
    parser.add_argument("--muxspace", type=Path, help="zip of the muxspace faces")
    parser.add_argument("--output", type=Path, default=Path("models/embedding/embedding.onnx"))
    parser.add_argument("--checkpoint", type=Path, default=Path("embedding_checkpoint.pt"))
    parser.add_argument("--start", type=Path, metavar="CHECKPOINT",
                        help="begin with the weights of an earlier training")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=60, help="at most (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=70, help="at most (default %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's)")
    parser.add_argument("--note", default="", help="remark for the model card on this very run")
    parser.add_argument("--export-only", action="store_true", help="export what the checkpoint has")
    options = parser.parse_args(arguments)

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    training, validation, test, counts = split_data(options.data, options.muxspace)
    print(f"{len(training)} faces to train on, {len(validation)} to validate on: {counts}")
    state = new_state(device, options.start)
    if options.checkpoint.is_file():
        state.load(options.checkpoint)
        torch.manual_seed(state.step)
        print(f"going on from {options.checkpoint}, epoch {state.epoch}")
    if not options.export_only:
        train(state, training, validation, options.epochs, options.minutes, options.checkpoint)
    error = export(state.average, options.output)
    write_held_out(options.output.with_name(LIST_NAME), validation.images)
    report = measure(options.output, validation, test)
    report |= {"counts": counts, "training faces": len(training), "export error": error}
    print(json.dumps(report, indent=2))
    command = "python -m expression_ros.training.embedding_network --data fer2013.npz"
    command += " \\\n        --muxspace muxspace.zip" if options.muxspace else ""
    if options.start:
        command += f" --start {options.start.name}"
    command += f" --epochs {options.epochs} --minutes {options.minutes:g}"
    card = model_card(options.output, state, report, command, options.note)
    options.output.with_name("README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
