"""A progress bar on stderr for what takes more than two seconds; results go to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TextIO, TypeVar

T = TypeVar("T")

_PATIENCE_S = 2.0  # what is done sooner says nothing
_TERMINAL_INTERVAL_S = 0.2
_LOG_INTERVAL_S = 10.0  # where lines cannot be overwritten: a file, a pipe
_WIDTH = 24


class Progress:
    """Says how far a loop is, after the first two seconds. Use it as a context manager.

    On a terminal one line is overwritten; elsewhere a line is written every ten seconds.

    Args:
        what: what is being done, for example ``reading faces``.
        total: how many steps there are, if that is known.
        stream: where to write; stderr when left out.
        clock: seconds that only go up.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._total = total
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._begin = clock()
        self._next = self._begin + _PATIENCE_S
        self._done = 0
        self._shown = False
        self._closed = False

    def advance(self, steps: int = 1) -> None:
        """Count steps that are done, and say so if it is time."""
        self._done += steps
        now = self._clock()
        if now >= self._next:
            self._next = now + (_TERMINAL_INTERVAL_S if self._terminal else _LOG_INTERVAL_S)
            self._show(now)

    def close(self) -> None:
        """Write the last state, if anything was written before; more calls do nothing."""
        if self._shown and not self._closed:
            self._show(self._clock())
            if self._terminal:
                self._stream.write("\n")
                self._stream.flush()
        self._closed = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _show(self, now: float) -> None:
        self._shown = True
        text = self._text(now - self._begin)
        self._stream.write(f"\r{text}\x1b[K" if self._terminal else f"{text}\n")
        self._stream.flush()

    def _text(self, seconds: float) -> str:
        if not self._total:
            return f"{self._what}: {self._done:,} in {seconds:.0f} s"
        share = min(1.0, self._done / self._total)
        bar = "#" * round(_WIDTH * share)
        rest = f", {seconds / share - seconds:.0f} s left" if 0 < share < 1 else ""
        return f"{self._what} [{bar:.<{_WIDTH}}] {self._done:,} of {self._total:,}{rest}"


def with_progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and say how far it is; ``total`` is their length if they have one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(what, total) as progress:
        for item in items:
            yield item
            progress.advance()
