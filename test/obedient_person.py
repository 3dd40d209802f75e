"""Frames of a person who shows what the page asks for, as far as the clips have it."""

from __future__ import annotations

import itertools
import time

import cv2
import numpy as np
from videos import frames

from expression_ros.frames.sources import FrameSource


class ObedientPerson(FrameSource):
    """A camera, as far as anybody can tell: never ends, and shakes a little.

    Args:
        clip: a video of somebody who talks; shown unless something else is asked for.
        portrait: (H, W, 3) uint8, a smile, which is what this person calls surprise.
    """

    is_live = True

    def __init__(self, clip, portrait):
        super().__init__("an obedient person", 60.0)
        self.asked = lambda: ""
        talking = [cv2.resize(image, (640, 480)) for _, image in frames(clip)][:40]
        smile = cv2.resize(portrait[:384], (640, 480))
        nobody = np.full((480, 640, 3), 90, np.uint8)
        self._images = {"neutral": talking, "": talking, "surprise": [smile]}
        self._nobody = [nobody]
        self._random = np.random.default_rng(0)
        self._count = itertools.count()

    def retrieve(self):
        images = self._images.get(self.asked(), self._nobody)
        image = images[next(self._count) % len(images)]
        dx, dy = self._random.integers(-3, 4, 2)
        light = int(self._random.integers(-12, 13))
        return np.clip(np.roll(image, (dy, dx), (0, 1)).astype(int) + light, 0, 255).astype(
            np.uint8
        )

    def close(self):
        pass

    def _advance(self):
        time.sleep(1 / self.frame_rate)  # as a camera makes one wait
        return True

    def _restart(self):
        pass
