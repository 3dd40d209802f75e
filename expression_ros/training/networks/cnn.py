"""Trains the networks of expression_networks and writes them as models of the classifier ``cnn``.

Needs torch and onnx; training only. Every epoch leaves a checkpoint, and the same command goes on
from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from expression_ros.recognition.classifier import softmax
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.network_classifier import NetworkClassifier
from expression_ros.recognition.network_description import NetworkDescription
from expression_ros.training.data.faces import DataError
from expression_ros.training.networks.cnn_model import NETWORK_FILE, CnnSettings, write_cnn
from expression_ros.training.networks.expression_networks import DESIGNS, load_imagenet_weights
from expression_ros.training.networks.training import augment

Progress = Callable[[str], None]

_WARM_UP = 0.1  # share of the training in which the learning rate rises
_HEAD_FIRST = 0.25  # share of a transfer in which only the new layer learns
_SMOOTHING = 0.1  # of the labels, many of which are wrong (Szegedy et al., 2016)
_FORECAST_AFTER = 10  # steps
_MOST_DIFFERENT = 1e-3  # between the probabilities of PyTorch and cv2.dnn


@dataclass
class CnnTraining:
    """A training that can be interrupted: all that changes is in a checkpoint.

    Attributes:
        settings: how it is trained.
        labels: one per class.
        network: what is trained.
        epoch: epochs done.
        seconds: time they took.
    """

    settings: CnnSettings
    labels: tuple[str, ...]
    network: nn.Module = field(init=False)
    epoch: int = field(init=False, default=0)
    seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        design = DESIGNS[self.settings.network]
        if design.transfer != (self.settings.weights is not None):
            raise DataError(
                f"{self.settings.network} "
                + ("needs a weight file" if design.transfer else "takes no weight file")
                + ": --weights is for mobilenetv2 and vgg16"
            )
        self.size = design.size
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.network = design.make(len(self.labels))
        if self.settings.weights is not None:
            load_imagenet_weights(self.network, self.settings.weights)
        self.network.to(self.device)
        # Biases and batch norms shrink no overfitting: they are not decayed.
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.SGD(
            groups, design.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash in between leaves the old one whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        torch.save(
            {
                "design": self.settings.network,
                "labels": list(self.labels),
                "network": self.network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "epoch": self.epoch,
                "seconds": self.seconds,
            },
            unfinished,
        )
        unfinished.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint; read with weights_only=True, so no code of it is run.

        Raises:
            DataError: it is unreadable, or of another network or other labels.
        """
        try:
            saved = torch.load(path, map_location=self.device, weights_only=True)
            same = saved["design"] == self.settings.network
            same = same and saved["labels"] == list(self.labels)
        except Exception as error:  # its many kinds of errors are not documented
            raise DataError(f"{path} is not a checkpoint of this training; delete it") from error
        if not same:
            raise DataError(f"{path} is of {saved['design']} on {', '.join(saved['labels'])}; "
                            "delete it or name another checkpoint")  # fmt: skip
        self.network.load_state_dict(saved["network"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.epoch, self.seconds = saved["epoch"], saved["seconds"]

    def run(
        self,
        images: np.ndarray,
        numbers: np.ndarray,
        checkpoint: Path,
        progress: Progress = lambda _: None,
        held_out: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Train until all epochs are done; a checkpoint after each.

        Args:
            images: (N, 48, 48) uint8, N at least one batch.
            numbers: (N,) int classes 0..C-1.
            checkpoint: file to write.
            progress: is told how long it takes and how far it is.
            held_out: images and classes to measure on after every epoch.

        Raises:
            DataError: there are fewer faces than a batch.
        """
        batch = self.settings.batch
        steps = len(images) // batch
        if not steps:
            raise DataError(f"{len(images)} faces are fewer than a batch of {batch}")
        faces = torch.from_numpy(images)[:, None]
        classes = torch.from_numpy(np.asarray(numbers, np.int64))
        while self.epoch < self.settings.epochs:
            # Seeded by the epoch: a resumed training sees what an uninterrupted one would have.
            torch.manual_seed(1000 * self.settings.seed + self.epoch)
            order = torch.randperm(len(images))[: steps * batch].view(steps, batch)
            begin, losses = time.monotonic(), []
            for step, chosen in enumerate(order):
                done = (self.epoch + step / steps) / self.settings.epochs
                losses.append(self._step(faces[chosen], classes[chosen], done))
                if self.epoch == 0 and step + 1 == min(_FORECAST_AFTER, steps):
                    pace = (time.monotonic() - begin) / (step + 1)
                    minutes = pace * steps * self.settings.epochs / 60
                    progress(
                        f"{batch / pace:.0f} faces/s on {self.device}: "
                        f"{self.settings.epochs} epochs take about {minutes:.0f} min"
                    )
            self.epoch += 1
            self.seconds += time.monotonic() - begin
            self.save(checkpoint)
            left = self.seconds / self.epoch * (self.settings.epochs - self.epoch) / 60
            measured = f", {self.accuracy(*held_out):.3f} of the faces held out" if held_out else ""
            progress(f"epoch {self.epoch} of {self.settings.epochs}: loss {np.mean(losses):.3f}"
                     f"{measured}, {left:.0f} min left")  # fmt: skip

    def accuracy(self, images: np.ndarray, numbers: np.ndarray) -> float:
        """Return the share of (N, 48, 48) uint8 faces whose class the network says, 0..1."""
        self.network.eval()
        right = 0
        with torch.inference_mode():
            for k in range(0, len(images), 256):
                faces = torch.from_numpy(images[k : k + 256])[:, None].to(self.device).float()
                answers = self.network(_standardized(self._sized(faces)))
                said = answers.argmax(dim=1).cpu().numpy()
                right += int((said == numbers[k : k + 256]).sum())
        return right / len(images)

    def export(self, folder: Path, face: FacePreparation, facts: Mapping[str, Any]) -> None:
        """Write network, description and manifest, and compare cv2.dnn with PyTorch.

        Args:
            folder: the model folder.
            face: how faces are cut out; its size is that of the network.
            facts: about the training, for people.

        Raises:
            RuntimeError: cv2.dnn and PyTorch differ.
        """
        folder.mkdir(parents=True, exist_ok=True)
        network = self.network.cpu().eval()
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, self.size, self.size),),
            str(folder / NETWORK_FILE),
            input_names=["face"],
            output_names=["logits"],
            dynamic_axes={name: {0: "faces"} for name in ("face", "logits")},
            opset_version=12,
            dynamo=False,
        )
        description = NetworkDescription(
            file=NETWORK_FILE, labels=self.labels, size=self.size, per_face=True,
            output_name="logits", output_kind="logits", face=face,
        )  # fmt: skip
        write_cnn(folder, description, facts)
        shape = (8, self.size, self.size)
        faces = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        with torch.inference_mode():
            expected = softmax(network(torch.from_numpy(description.blob(faces))).numpy())
        found = NetworkClassifier.load_cnn(folder).probabilities(faces)
        self.network.to(self.device)
        if (different := float(np.abs(found - expected).max())) > _MOST_DIFFERENT:
            raise RuntimeError(f"cv2.dnn differs from PyTorch by {different:.2g}")

    def _step(self, faces: torch.Tensor, classes: torch.Tensor, done: float) -> float:
        """Learn from one batch; ``done`` is the share of the training that is over."""
        design = DESIGNS[self.settings.network]
        head_only = design.transfer and done < _HEAD_FIRST
        self.network.train()
        if head_only:
            # What ImageNet taught is not to be undone by what an untrained layer says.
            self.network.get_submodule("features").eval()
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not (head_only and name.startswith("features.")))
        for group in self._optimizer.param_groups:
            group["lr"] = design.rate * _rate(done)
        x = augment(faces.to(self.device).float() / 255, self.size)
        answers = self.network(x)
        loss = F.cross_entropy(answers, classes.to(self.device), label_smoothing=_SMOOTHING)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())

    def _sized(self, faces: torch.Tensor) -> torch.Tensor:
        if faces.shape[-1] == self.size:
            return faces
        return F.interpolate(faces, (self.size, self.size), mode="bicubic", align_corners=False)


def _standardized(faces: torch.Tensor) -> torch.Tensor:
    mean, std = faces.mean(dim=(2, 3), keepdim=True), faces.std(dim=(2, 3), keepdim=True)
    return (faces - mean) / std.clamp_min(1.0)


def _rate(done: float) -> float:
    """Return the learning rate, 0..1: a linear rise, then half a cosine down to 0."""
    if done < _WARM_UP:
        return max(done / _WARM_UP, 0.02)
    return 0.5 * (1 + float(np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))))
