"""A thread that works on the newest item and never queues: what comes meanwhile is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """Calls ``work(item)`` in a thread of its own, for the newest item each time.

    Args:
        work: what to do with an item; what it raises goes to ``failed``.
        failed: told of an exception of ``work``; the thread goes on.
        name: of the thread.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        failed: Callable[[Exception], None],
        name: str = "worker",
    ):
        self.dropped = 0
        self._work = work
        self._failed = failed
        self._waiting: Item | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Hand over an item; one that still waits is dropped and counted."""
        with self._changed:
            if self._waiting is not None:
                self.dropped += 1
            self._waiting = item
            self._changed.notify()

    def stop(self) -> None:
        """Finish the item at work, drop the one waiting, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._stopping)
                if self._stopping:
                    return
                item, self._waiting = self._waiting, None
            try:
                assert item is not None
                self._work(item)
            except Exception as error:  # one bad frame must not end the recognition
                self._failed(error)
