"""The worker between camera and recognition: newest wins, the rest is counted."""

from __future__ import annotations

import threading

from expression_ros.nodes.common.latest_worker import LatestWorker

PATIENCE_S = 20.0


def test_only_the_newest_waiting_item_is_worked_on():
    started, go_on, seen, done = threading.Event(), threading.Event(), [], threading.Event()

    def work(item):
        seen.append(item)
        started.set()
        assert go_on.wait(PATIENCE_S)
        if item == 5:
            done.set()

    worker = LatestWorker(work, failed=lambda error: None)
    worker.offer(1)
    assert started.wait(PATIENCE_S)
    for item in (2, 3, 4, 5):
        worker.offer(item)
    go_on.set()
    assert done.wait(PATIENCE_S)
    worker.stop()
    assert seen == [1, 5]
    assert worker.dropped == 3


def test_an_exception_is_reported_and_the_next_item_read():
    failures, done = [], threading.Event()

    def work(item):
        if item == "bad":
            raise RuntimeError("no such face")
        done.set()

    failed = threading.Event()
    worker = LatestWorker(work, failed=lambda error: (failures.append(str(error)), failed.set()))
    worker.offer("bad")
    assert failed.wait(PATIENCE_S)
    worker.offer("good")
    assert done.wait(PATIENCE_S)
    worker.stop()
    assert failures == ["no such face"]


def stopped(worker):
    """Stop a worker in a thread and return that thread."""
    thread = threading.Thread(target=worker.stop, daemon=True)
    thread.start()
    return thread


def test_nothing_is_worked_on_after_stop():
    seen, done = [], threading.Event()

    def work(item):
        seen.append(item)
        worker.offer(item + 1)  # waits when the work is told to stop
        worker.stop()
        done.set()

    worker = LatestWorker(work, failed=lambda error: None)
    worker.offer(1)
    assert done.wait(PATIENCE_S)
    stopping = stopped(worker)
    stopping.join(PATIENCE_S)
    worker.offer(3)
    assert not stopping.is_alive()
    assert seen == [1]


def test_stop_waits_for_the_item_at_work():
    started, go_on, seen = threading.Event(), threading.Event(), []

    def work(item):
        started.set()
        assert go_on.wait(PATIENCE_S)
        seen.append(item)

    worker = LatestWorker(work, failed=lambda error: None)
    worker.offer(1)
    assert started.wait(PATIENCE_S)
    stopping = stopped(worker)
    stopping.join(0.2)
    assert stopping.is_alive()  # what the work uses must not be freed yet
    go_on.set()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()
    assert seen == [1]
