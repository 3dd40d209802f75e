"""Networks for the classifier ``cnn``, as PyTorch modules. Needs torch; training only.

* ``compact``: the residual network behind the descriptor ``embedding`` with its label head.
* ``blocks``: the network of the tutorials, three convolution blocks and three dense layers.
* ``mobilenetv2``, ``vgg16``: transfer learning. The layers carry the names that torchvision gives
  them, so that its ImageNet weight files fit; torchvision itself is not needed.

Every network takes (N, 1, S, S) standardised faces and answers with (N, classes) logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from expression_ros.training.data.faces import DataError
from expression_ros.training.networks.residual import ExpressionNet


class CompactNetwork(nn.Module):
    """The residual network of residual_network with one head; 1.5 million parameters."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = ExpressionNet().body
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(256, classes))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 1, 48, 48) -> (N, classes)."""
        return self.head(torch.flatten(self.pool(self.body(faces)), 1))


class BlockNetwork(nn.Module):
    """Three blocks of two convolutions, 256, 128, 64 wide, then dense 512, 256, 128.

    2.13 million parameters for seven classes. The tutorials state widths and parameters, not the
    padding: an unpadded first convolution per block and pooling that rounds up come to that number.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, convolutions in ((256, 2), (128, 2), (64, 2)):
            for k in range(convolutions):
                layers.append(nn.Conv2d(channels, width, 3, padding=k))
                layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
            layers += [nn.MaxPool2d(2, ceil_mode=True), nn.Dropout(0.25)]
        self.body = nn.Sequential(*layers)
        dense: list[nn.Module] = []
        inputs = 64 * 5 * 5  # of 48 px, 23, 11 and 5 are left by the three blocks
        for width in (512, 256, 128):
            dense += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
            dense.append(nn.Dropout(0.25))
            inputs = width
        self.head = nn.Sequential(*dense, nn.Linear(inputs, classes))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 1, 48, 48) -> (N, classes)."""
        return self.head(torch.flatten(self.body(faces), 1))


class _GreyTransfer(nn.Module):
    """The convolutions of an ImageNet network, average over all places, and a new last layer."""

    features: nn.Sequential

    def __init__(self, features: nn.Sequential, channels: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(channels, classes))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 1, S, S) -> (N, classes)."""
        return self.head(torch.flatten(self.pool(self.features(faces)), 1))


def mobilenetv2(classes: int) -> nn.Module:
    """MobileNetV2 (Sandler et al., 2018), grey; 2.2 million parameters."""

    def convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> Any:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )

    layers: list[nn.Module] = [convolution(1, 32, 3, 2)]
    channels = 32
    for expansion, width, count, stride in _MOBILENET_STAGES:
        for k in range(count):
            layers.append(
                _InvertedResidual(channels, width, stride if k == 0 else 1, expansion, convolution)
            )
            channels = width
    layers.append(convolution(channels, 1280, 1, 1))
    return _GreyTransfer(nn.Sequential(*layers), 1280, classes)


# expansion, channels, blocks, stride of the first block: table 2 of the paper
_MOBILENET_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


class _InvertedResidual(nn.Module):
    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        expansion: int,
        convolution: Callable[..., Any],
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *([convolution(inputs, hidden, 1, 1)] if expansion != 1 else []),
            convolution(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


def vgg16(classes: int) -> nn.Module:
    """The convolutions of VGG16 (Simonyan and Zisserman, 2015), grey; 14.7 million parameters.

    Its three dense layers, 120 million parameters for a thousand classes, are left out.
    """
    layers: list[nn.Module] = []
    channels = 1
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return _GreyTransfer(nn.Sequential(*layers), 512, classes)


@dataclass(frozen=True)
class NetworkDesign:
    """A network that can be trained.

    Attributes:
        make: from the number of classes to the network.
        size: side of the faces it looks at, in px.
        rate: highest learning rate.
        transfer: whether it starts from an ImageNet weight file.
    """

    make: Callable[[int], nn.Module]
    size: int
    rate: float
    transfer: bool = False


DESIGNS = {
    "compact": NetworkDesign(CompactNetwork, 48, 0.1),
    "blocks": NetworkDesign(BlockNetwork, 48, 0.05),
    "mobilenetv2": NetworkDesign(mobilenetv2, 96, 0.02, transfer=True),
    "vgg16": NetworkDesign(vgg16, 64, 0.005, transfer=True),
}


def load_imagenet_weights(network: nn.Module, path: Path) -> None:
    """Take the convolutions of an ImageNet weight file (a state_dict as torchvision gives it).

    The file is read with ``weights_only=True``: PyTorch's loader for tensors and plain containers,
    which runs no code from the file. Everything named ``features.*`` is taken; the three colours of
    the first convolution are added up, which for a grey image comes to the same.

    Raises:
        DataError: the file is missing, unsafe, or not of this network.
    """
    if not path.is_file():
        raise DataError(f"no weight file at {path}; save torchvision's state_dict with torch.save")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # its many kinds of errors are not documented
        reason = str(error).strip().splitlines()
        raise DataError(
            f"{path} is not a weight file that torch.load(weights_only=True) reads "
            f"({reason[0][:120] if reason else type(error).__name__})"
        ) from error
    saved = saved.get("state_dict", saved) if isinstance(saved, dict) else {}
    own = {k: v for k, v in network.state_dict().items() if k.startswith("features.")}
    taken = {}
    for name, value in own.items():
        found = saved.get(name)
        if not isinstance(found, torch.Tensor):
            raise DataError(f"{path} has no {name}; it is not of this network")
        if found.ndim == 4 and found.shape[1] == 3 and value.shape[1] == 1:
            found = found.sum(dim=1, keepdim=True)
        if found.shape != value.shape:
            raise DataError(
                f"{path}: {name} is {tuple(found.shape)}, this network has {tuple(value.shape)}"
            )
        taken[name] = found
    network.load_state_dict(taken, strict=False)
