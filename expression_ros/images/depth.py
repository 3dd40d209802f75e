"""How many bits of a 16-bit image a camera really fills, and the image in 8 bits.

Cameras send 10, 12 or 14 bits in containers of 16: taken as 16 bits they are black. No message says
which, so it is found in the images. Pure; imports no ROS.
"""

from __future__ import annotations

import numpy as np

# What sensors give. Only these steps, so that a scene that gets a little darker changes nothing.
DEPTHS = (8, 10, 12, 14, 16)
# A stuck pixel, or a driver's counter in the first row, is not light: so many may lie above.
_STRAY_SHARE = 1e-4
# Looks in a row that need fewer bits before fewer are assumed: ten seconds at 60 images a second.
# Darkness is mostly a lamp that is off for a while; brightness that jumps would be read as motion.
SHRINK_AFTER = 600


def bits_needed(values: np.ndarray) -> int:
    """Return the smallest of DEPTHS that holds all but stray values of a uint16 array."""
    highest = int(values.max(initial=0))
    stray = int(_STRAY_SHARE * values.size)
    depths = [bits for bits in DEPTHS if highest < 1 << bits]
    needed = depths[0]
    while needed > DEPTHS[0] and stray:
        smaller = DEPTHS[DEPTHS.index(needed) - 1]
        if np.count_nonzero(values >= 1 << smaller) > stray:
            break
        needed = smaller
    return needed


class DepthMemory:
    """The bit depth of one camera's stream: grows at once, shrinks only after long.

    For one thread at a time.

    Attributes:
        bits: the depth that is assumed, one of DEPTHS.
    """

    def __init__(self) -> None:
        self.bits = DEPTHS[0]
        self._fewer = 0  # looks in a row that need less than ``bits``
        self._most = DEPTHS[0]  # of those looks

    def eight_bits(self, values: np.ndarray) -> np.ndarray:
        """Return uint16 values of any shape as uint8 of the same shape, full scale 255."""
        self._look(bits_needed(values))
        reduced: np.ndarray = values >> np.uint16(self.bits - 8)
        np.minimum(reduced, 255, out=reduced)
        return reduced.astype(np.uint8)

    def _look(self, needed: int) -> None:
        if needed >= self.bits:
            self.bits, self._fewer, self._most = needed, 0, DEPTHS[0]
            return
        self._fewer += 1
        self._most = max(self._most, needed)
        if self._fewer >= SHRINK_AFTER:
            self.bits, self._fewer, self._most = self._most, 0, DEPTHS[0]
