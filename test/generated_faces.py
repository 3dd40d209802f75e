"""Drawn faces with labels, and ONNX files, made by the tests themselves: nothing to download."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from expression_ros.vocabulary import FER2013_ORDER

SIDE = 48


def draw_face(label: str, rng: np.random.Generator) -> np.ndarray:
    """Return a (48, 48) uint8 face: happy, sad or surprised by its mouth, and a little noise."""
    face = np.full((SIDE, SIDE), 90, np.uint8)
    dx, dy = (int(v) for v in rng.integers(-2, 3, 2))
    cv2.ellipse(face, (24 + dx, 24 + dy), (17, 22), 0, 0, 360, 180, -1)
    for x in (17, 31):
        cv2.circle(face, (x + dx, 19 + dy), 2, 40, -1)
    if label == "surprise":
        cv2.ellipse(face, (24 + dx, 35 + dy), (4, 6), 0, 0, 360, 30, -1)
    else:
        begin, centre = (0, 31) if label == "happiness" else (180, 39)
        cv2.ellipse(face, (24 + dx, centre + dy), (9, 6), 0, begin, begin + 180, 30, 2)
    noisy = face + rng.normal(0, 12, face.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


LABELS = ("happiness", "sadness", "surprise")


def drawn_faces(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 48, 48) uint8 faces and (N,) labels, as many of each label."""
    rng = np.random.default_rng(seed)
    labels = np.array([LABELS[k % len(LABELS)] for k in range(count)])
    return np.stack([draw_face(str(label), rng) for label in labels]), labels


def write_drawn_fer2013(path: Path, train: int = 120, test: int = 30) -> Path:
    """Write drawn faces in the form of fer2013.npz."""
    images, labels = drawn_faces(train + test)
    numbers = np.array([FER2013_ORDER.index(label) for label in labels])
    split = np.repeat([0, 1], [train, test])
    np.savez(path, images=images, labels=numbers, split=split,
             duplicate_of_train=np.zeros(len(images), bool))  # fmt: skip
    return path


def write_linear_onnx(
    path: Path,
    weights: np.ndarray,
    input_shape: tuple[int, ...],
    softmax: bool = False,
    outputs: tuple[str, ...] = ("scores",),
) -> Path:
    """Write a network of one dense layer, (N, pixels) times (pixels, classes), as ONNX.

    The protocol buffer is written by hand, since neither onnx nor torch is needed to run it.
    """
    last = outputs[-1]
    nodes = [_node("Flatten", ["face"], ["flat"])]
    nodes.append(_node("MatMul", ["flat", "weights"], ["sums" if softmax else last]))
    if softmax:
        nodes.append(_node("Softmax", ["sums"], [last]))
    for name in outputs[:-1]:
        nodes.append(_node("Relu", ["flat"], [name]))
    tensor = b"".join(_number(1, n) for n in weights.shape) + _number(2, 1)
    tensor += _bytes(8, b"weights") + _bytes(9, weights.astype("<f4").tobytes())
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"graph") + _bytes(5, tensor)
    graph += _bytes(11, _value("face", input_shape))
    graph += b"".join(_bytes(12, _value(name, (1, weights.shape[1]))) for name in outputs)
    path.write_bytes(_number(1, 7) + _bytes(7, graph) + _bytes(8, _number(2, 11)))
    return path


def _node(kind: str, inputs: list[str], outputs: list[str]) -> bytes:
    names = b"".join(_bytes(1, n.encode()) for n in inputs)
    names += b"".join(_bytes(2, n.encode()) for n in outputs)
    return names + _bytes(3, outputs[0].encode()) + _bytes(4, kind.encode())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, n)) for n in shape)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += struct.pack("B", value & 127 | 128)
        value >>= 7
    return out + struct.pack("B", value)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _bytes(tag: int, value: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(value)) + value
