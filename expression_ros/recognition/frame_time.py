"""Which time counts for a frame: that of its stamp, or that of its arrival.

A stamp says best when an image was taken: it knows nothing of queues, networks and busy computers,
and in a bag or a simulation that does not run at the pace of real time it is the only one that
fits what is seen. But cameras stamp with zero, with one time for all, in whole seconds, with
the clock of another computer; two of them may share a topic, and a bag may start again. So a stamp
counts only while it moves plausibly against a clock that cannot stand still.

Plausible is what a pace from 1/20 to 20 times that of arrival can explain: every stamp is later
than the one before, by no more than 20 times what passed until arrival and half a second (frames
that waited in a queue come all at once), and over each second it moves by a twentieth of it. How
far stamp and arrival lie apart does not matter: hours between two clocks are no jump. A bag at
another rate and a simulation at half or ten times the pace keep their own time; where they pause,
start again or jump, arrival counts for a few frames.
"""

from __future__ import annotations

from collections import Counter, deque

_PACE = 20.0  # the most by which stamps run faster or slower than arrival
_BURST_S = 0.5  # that may lie between the stamps of frames that arrive together
_SPAN_S = 1.0  # over which stamps must have moved
_PROVEN = 4  # steps in a row that have to be plausible before stamps count again
_LEAST_S = 0.001  # passes from every frame to the next
_RECENT = 30  # frames that the reason is told of

NOT_STAMPED = "are zero"
STANDS_STILL = "stand still"
WHOLE_SECONDS = "come in whole seconds"
GOES_BACK = "go back"
JUMPS = "jump ahead"
CREEPS = "hardly move"


class FrameTime:
    """Turns the stamp and the arrival of frame after frame into a time that only moves ahead.

    Attributes:
        trusted: whether the stamp of the last frame counted; at first nothing is held against it.
        restarted: whether with the last frame it has turned out that the stamps began anew, earlier
            than they were: a bag that loops, a simulation that was reset, a driver that started
            again. Faces of before are of another run.
    """

    def __init__(self) -> None:
        self.trusted = True
        self.restarted = False
        self._now: float | None = None
        self._stamp = self._arrival = 0.0  # of the last frame
        self._anchor = (0.0, 0.0)  # stamp and arrival where the span began that is looked at
        self._plausible = _PROVEN  # steps in a row
        self._latest = 0.0  # stamp that counted last
        self._reasons: deque[str] = deque(maxlen=_RECENT)

    @property
    def reason(self) -> str:
        """Why the stamps of most of the last frames did not count; empty if they did.

        It completes the words "the stamps ...".
        """
        wrong = Counter(reason for reason in self._reasons if reason)
        if 2 * wrong.total() <= len(self._reasons):
            return ""
        return wrong.most_common(1)[0][0]

    def seconds(self, stamp: float, arrival: float) -> float:
        """Return the time of the next frame in seconds: that of arrival at first, then moving on.

        Args:
            stamp: when the frame says that it was taken, in seconds of any clock; 0 or NaN if it
                does not say.
            arrival: when it came, in seconds of a clock that cannot stand still; in a recording
                when the message was received.
        """
        self.restarted = False
        if self._now is None:
            self._now = arrival
            self._anchor = (stamp, arrival)
            self._latest = stamp
            if not _is_stamped(stamp):
                self.trusted, self._plausible = False, 0
            self._reasons.append("" if self.trusted else NOT_STAMPED)
        else:
            passed = max(_LEAST_S, arrival - self._arrival)
            moved = stamp - self._stamp
            reason = self._judged(stamp, arrival)
            self._now += max(_LEAST_S, moved) if self.trusted else passed
            self._reasons.append(reason)
        self._stamp, self._arrival = stamp, arrival
        return self._now

    def _judged(self, stamp: float, arrival: float) -> str:
        """Decide whether the stamp counts; return why not, or nothing."""
        reason = self._step(stamp, arrival) or self._span(stamp, arrival)
        if reason:
            self.trusted = False
            self._plausible = 0
            self._anchor = (stamp, arrival)
            return reason
        self._plausible += 1
        if not self.trusted:
            if self._plausible < _PROVEN:
                return self._reasons[-1]
            if reason := self._pace(stamp, arrival):
                return reason
            self.trusted = True
            self.restarted = stamp < self._latest
        self._latest = stamp
        return ""

    def _step(self, stamp: float, arrival: float) -> str:
        """Return what is wrong with the step from the last stamp to this one."""
        moved = stamp - self._stamp
        if not _is_stamped(stamp):
            return NOT_STAMPED
        if moved == 0.0:
            return STANDS_STILL
        if moved < 0.0:
            return GOES_BACK
        most = _PACE * max(0.0, arrival - self._arrival) + _BURST_S
        if not moved <= most:  # also where the last stamp was not a number
            return JUMPS
        if stamp % 1.0 == 0.0 == self._stamp % 1.0:
            return WHOLE_SECONDS
        return ""

    def _span(self, stamp: float, arrival: float) -> str:
        """Return what is wrong with the stamps of the last second, once that is over."""
        if arrival - self._anchor[1] < _SPAN_S:
            return ""
        reason = self._pace(stamp, arrival)
        self._anchor = (stamp, arrival)
        return reason

    def _pace(self, stamp: float, arrival: float) -> str:
        """Return what is wrong with how far the stamps have moved since the span began."""
        moved, passed = stamp - self._anchor[0], arrival - self._anchor[1]
        if _PACE * moved < passed:
            return CREEPS
        return JUMPS if moved > _PACE * passed + _BURST_S else ""


def _is_stamped(stamp: float) -> bool:
    return stamp != 0.0 and stamp == stamp  # NaN is no time
