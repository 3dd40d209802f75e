"""What the pipeline asks of a face detector: an interface, so that it knows none of them.

The boxes of every detector mean what those of the cascades mean, because classifiers learnt crops
made from them: a square from above the brows to below the mouth, about 2.6 times as wide as the
eyes lie apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from expression_ros.recognition.boxes import Box, Detection


class Detector(Protocol):
    """Finds faces in whole frames, or around a face already known. One thread at a time.

    Attributes:
        selection: ``single``: a search of the frame returns one face or none; ``all``: every one.
        min_face: width of the smallest face of interest as a fraction of the frame's height.
        searches: looks taken so far: what a frame costs, independent of the clock.
        parts: into how many parts a thorough search of a frame is divided, such as cascades; a
            stream asks one a frame.
        turned_looks: how many looks at the turned frame a stream adds to such a search; their
            numbers follow those of the parts.
        lost_looks: how many different looks there are where a face was lost.
    """

    selection: str
    min_face: float
    searches: int
    parts: int
    turned_looks: int
    lost_looks: int

    def small_looks(self, height: int, /) -> int:
        """Return how many looks at parts of a frame a stream adds for the smallest faces.

        Their numbers follow those of the turned looks.

        Args:
            height: of the frame in px.
        """
        ...

    def clone(self) -> Detector:
        """Return a detector with the same settings for another thread; it is made once."""
        ...

    def search_frame(
        self,
        grey: np.ndarray,
        parts: Iterable[int] | None = ...,
        coarse: bool = False,
        known: Sequence[Box] = (),
        /,
    ) -> list[Detection]:
        """Search a whole frame.

        Args:
            grey: (H, W) uint8.
            parts: which parts of a thorough search to make, for faces that are not very small;
                all of them, for faces of all sizes, by default.
            coarse: in less time, for a stream, where a face that is missed once is found soon.
            known: faces that are not searched for.

        Returns:
            The faces, largest first; empty if there is not what ``selection`` asks for.
        """
        ...

    def search_photo(self, grey: np.ndarray, /) -> list[Detection]:
        """Return what all parts see together, largest first: slower, for still images.

        Args:
            grey: (H, W) uint8.
        """
        ...

    def search_near(self, grey: np.ndarray, known: Detection, /) -> Detection | None:
        """Return where a face is that was just there; None if it is not near any more."""
        ...

    def search_size(self, grey: np.ndarray, known: Detection, /) -> Detection | None:
        """Return the same at any size it may have taken since; asked every so often."""
        ...

    def search_lost(self, grey: np.ndarray, known: Detection, look: int, /) -> Detection | None:
        """Return where a face is that was there some frames ago, by one of ``lost_looks``."""
        ...
