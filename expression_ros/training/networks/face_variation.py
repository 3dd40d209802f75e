"""Varying faces while a network learns, with PyTorch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


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
