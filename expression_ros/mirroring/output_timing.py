"""When an output is due: the colours of a fade, and the newest call of a slow service.

Part of ``expression_ros.mirroring``: imports no ROS.
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


_LATE_S = 0.3  # for the answer of a service that was there, but not seen yet


class NewestCall:
    """Decides when a word is sent to a service.

    While a call is under way, words wait, and only the newest of them is sent when it has ended. A
    call that found no service is made again when there is one.

    Args:
        timeout: s after which an answer is given up.

    Attributes:
        sent, answered, refused, timed_out, unavailable: counts of calls: all; those with an answer;
            those whose answer said no, or that failed; those without an answer in time; those that
            found no service.
    """

    def __init__(self, timeout: float):
        self._timeout = timeout
        self._wanted: str | None = None
        self._since: float | None = None  # when the call under way was made
        self._found_service = True
        self._unserved: str | None = None  # the word of a call that found no service
        self.sent = self.answered = self.refused = self.timed_out = self.unavailable = 0

    @property
    def failures(self) -> int:
        """Calls that did not bring the robot the word."""
        return self.refused + self.timed_out + self.unavailable

    def want(self, word: str) -> None:
        """Ask for a word to be sent; it replaces one that still waits."""
        self._wanted = word

    def due(self, now: float, available: bool) -> str | None:
        """Return the word to send at this time, if any; it then counts as sent.

        Args:
            now: s; a clock that went back ends the call under way.
            available: whether the service is there, as far as is known. A first call is made in
                either case, because discovery may be late; a repeated one waits for the service.
        """
        if self._since is not None:
            self._give_up(now - self._since, available)
        if self._since is not None or self._wanted is None:
            return None
        if not available and self._wanted == self._unserved:
            return None
        word, self._wanted = self._wanted, None
        self._since, self._found_service = now, available
        self._unserved = None if available else word
        self.sent += 1
        return word

    def _give_up(self, waited: float, available: bool) -> None:
        """End the call under way if there will be no answer to it."""
        in_time = 0.0 <= waited < self._timeout
        lost = not self._found_service and available and waited >= _LATE_S
        if in_time and not lost:
            return
        self._since = None
        if self._found_service:
            self.timed_out += 1
        else:
            self.unavailable += 1
            self._wanted = self._wanted or self._unserved

    def send_now(self, now: float) -> None:
        """Count a call that is made at once, whatever is under way or waits."""
        self._wanted = self._unserved = None
        self._since, self._found_service = now, True
        self.sent += 1

    def ended(self, ok: bool) -> None:
        """Take the answer to the call under way: whether it said yes."""
        if ok:
            self.answered += 1
        else:
            self.refused += 1
        self._since = None
        self._unserved = None
