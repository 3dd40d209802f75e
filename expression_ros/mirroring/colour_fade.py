"""From colour to colour without a jump, whatever arrives in the middle of a fade.

Part of ``expression_ros.mirroring``: imports no ROS. Time is always an argument, in s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Colour = tuple[float, ...]


class ColourFade:
    """The colour of a light that fades between the colours of expressions.

    Every component moves in a straight line from where it is, so none ever leaves 0 .. 1.

    Args:
        colours: red, green, blue and opacity of every word, each 0 .. 1.
        neutral: the word for the colour at first, and that of intensity 0.
    """

    def __init__(self, colours: Mapping[str, Sequence[float]], neutral: str):
        self._colours = colours
        self._neutral = tuple(colours[neutral])
        self._from = self._to = self._neutral
        self._begun = self._ends = 0.0

    def start(self, word: str, now: float, duration: float, intensity: float = 1.0) -> None:
        """Fade to a word's colour from where the light is.

        Args:
            word: one of the colours' words.
            now: s.
            duration: s, 0 or more.
            intensity: 0 .. 1, how far from the neutral colour to that of the word.
        """
        self._from = self.at(now)
        self._to = tuple(
            a + intensity * (b - a) for a, b in zip(self._neutral, self._colours[word], strict=True)
        )
        self._begun, self._ends = now, now + duration

    def at(self, now: float) -> Colour:
        """Return the colour at a time; a clock that went back shows the end of the fade."""
        if self.finished(now):
            return self._to
        share = (now - self._begun) / (self._ends - self._begun)
        return tuple(a + share * (b - a) for a, b in zip(self._from, self._to, strict=True))

    def finished(self, now: float) -> bool:
        """Return whether the light has its last colour; yes too if the clock went back."""
        return now >= self._ends or now < self._begun
