"""The residual network behind the descriptor ``embedding``, in PyTorch, and its way into ONNX."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from expression_ros.recognition.embedding import FACE_SIZE, EmbeddingNetwork, standardize
from expression_ros.training.networks.faces import VOTE_ORDER
from expression_ros.vocabulary import FER2013_ORDER


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


class Exported(nn.Module):
    """What of a network goes into the file: the body, its average over all places, the label head.

    Args:
        network: shares its weights.
    """

    def __init__(self, network: ExpressionNet) -> None:
        super().__init__()
        self.body = network.body
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.label_head = network.label_head

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 1, 48, 48) -> embedding (N, D) and logits over FER2013_ORDER (N, 7)."""
        embedding = torch.flatten(self.pool(self.body(x)), 1)
        return embedding, self.label_head(embedding)


def export(network: ExpressionNet, path: Path) -> float:
    """Write the network as ONNX for ``cv2.dnn`` and compare the two on random faces.

    Returns:
        The largest difference between PyTorch's and cv2.dnn's outputs.

    Raises:
        RuntimeError: they differ by more than 1e-3.
    """
    exported = Exported(copy.deepcopy(network).cpu()).eval()
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


def from_onnx(path: Path, faces: np.ndarray) -> ExpressionNet:
    """Return a network that answers as an exported file does, to be trained on.

    An exported file has its normalisations folded into the convolutions. They are taken apart
    again by what the convolutions answer to ``faces``, and every filter is given the length of a
    fresh one: normalised, its length decides nothing but the pace of learning. The vote head,
    which no file has, begins anew.

    Args:
        path: ONNX that ``export`` wrote.
        faces: (N, 48, 48) uint8, some hundred faces.

    Raises:
        ValueError: the file holds another network.
    """
    import onnx  # only here: reading back is rare
    from onnx import numpy_helper

    model = onnx.load(str(path))
    arrays = {i.name: numpy_helper.to_array(i).copy() for i in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    network: ExpressionNet = ExpressionNet().eval()
    pairs = _convolutions_as_run(network)
    shapes = [arrays[node.input[1]].shape for node in nodes]
    if shapes != [tuple(convolution.weight.shape) for convolution, _ in pairs]:
        raise ValueError(f"{path} holds another network than this training's")
    with torch.no_grad():
        for (convolution, norm), node in zip(pairs, nodes, strict=True):
            weight, bias = (torch.from_numpy(arrays[name]) for name in node.input[1:3])
            fresh = convolution.weight.flatten(1).norm(dim=1)
            factor = fresh / weight.flatten(1).norm(dim=1).clamp_min(1e-12)
            convolution.weight.copy_(weight * factor[:, None, None, None])
            convolution.register_forward_hook(_Unfolding(norm, bias, factor))
        network.embed(torch.from_numpy(standardize(faces)))
        network.label_head.weight.copy_(torch.from_numpy(arrays["label_head.weight"]))
        network.label_head.bias.copy_(torch.from_numpy(arrays["label_head.bias"]))
    for convolution, _ in pairs:
        convolution._forward_hooks.clear()
    return network


class _Unfolding:
    """Gives a normalisation, before it runs, what makes it pass on a convolution's answers."""

    def __init__(self, norm: nn.BatchNorm2d, bias: torch.Tensor, factor: torch.Tensor) -> None:
        self.norm, self.bias, self.factor = norm, bias, factor

    def __call__(self, _layer: nn.Module, _inputs: Any, answers: torch.Tensor) -> None:
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(answers.mean(dim=(0, 2, 3)))
        norm.running_var.copy_(answers.var(dim=(0, 2, 3), unbiased=False))
        norm.weight.copy_((norm.running_var + norm.eps).sqrt() / self.factor)
        norm.bias.copy_(self.bias + norm.running_mean / self.factor)


def _convolutions_as_run(network: ExpressionNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    pairs, waiting = [], None
    for layer in network.body.modules():  # in the order of their definition, which is the order run
        if isinstance(layer, nn.Conv2d):
            waiting = layer
        elif isinstance(layer, nn.BatchNorm2d) and waiting is not None:
            pairs.append((waiting, layer))
    return pairs


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
    return total + int(probe.label_head.weight.numel())
