"""A frame's label, score and answer are its own, and a line belongs to its time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expression_ros.demo.observer import ChangeTeller
from expression_ros.demo.timeline import TimelineRow
from expression_ros.nodes.common.published import Published, timed


@given(
    frames=st.lists(st.sampled_from(["", "neutral", "happiness"]), max_size=30),
    late=st.lists(st.booleans(), max_size=30),
)
def test_each_frame_keeps_its_own_label_in_whatever_order_topics_are_taken(frames, late):
    """A label may be taken after the overlay of its frame, but before that of the next."""
    labels, joined, waiting = Published(), [], None
    for k, label in enumerate(frames):
        comes_late = k < len(late) and late[k]
        if label and not comes_late:
            labels.add(10 * k + 1, label)
        if waiting is not None:
            joined.append(labels.until(waiting) or "")
        waiting = 10 * k + 2
        if label and comes_late:
            labels.add(10 * k + 1, label)
    if waiting is not None:
        joined.append(labels.until(waiting) or "")
    assert joined == frames


def test_what_holds_until_the_next_is_kept_and_what_is_of_a_frame_is_not():
    values = Published()
    values.add(5, "smile")
    assert [values.until(4, keep=True), values.until(6, keep=True), values.until(9, keep=True)] == [
        None, "smile", "smile",
    ]  # fmt: skip
    values = Published()
    values.add(5, "happiness")
    assert [values.until(6), values.until(9)] == ["happiness", None]


def told(*rows):
    lines = []
    teller = ChangeTeller(lines.append)
    for row in rows:
        teller.take(TimelineRow(*row))
    teller.finish()
    return lines


def test_a_line_has_the_time_the_label_and_the_score_of_one_frame():
    lines = told(
        (0.0, "neutral", 0.9, "neutral"),
        (1.0, "happiness", 0.6, "neutral"),
        (1.1, "happiness", 0.8, "neutral"),
        (1.2, "happiness", 0.9, "smile"),
        (1.3, "happiness", 0.9, "smile"),
    )
    assert lines == [
        "  0.0 s  neutral (0.90)  -> neutral",
        "  1.0 s  happiness (0.60)  -> smile at 1.2 s",
    ]


def test_a_label_that_goes_before_it_is_answered_is_told_too():
    lines = told(
        (0.0, "neutral", 0.9, "neutral"),
        (1.0, "fear", 0.5, "neutral"),
        (1.1, "happiness", 0.8, "neutral"),
        (1.3, "happiness", 0.8, "smile"),
    )
    assert lines[1:] == [
        "  1.0 s  fear (0.50)  -> neutral",
        "  1.1 s  happiness (0.80)  -> smile at 1.3 s",
    ]


def test_a_label_without_an_answer_is_told_after_a_while_and_nobody_is_nobody():
    lines = told(
        (0.0, "neutral", 0.9, "neutral"),
        (1.0, "unknown", 0.3, "neutral"),
        (1.6, "unknown", 0.4, "neutral"),
        (2.0, "", None, "neutral"),
        (9.0, "", None, "asleep"),
    )
    assert lines[1:] == [
        "  1.0 s  unknown (0.30)  -> neutral",
        "  2.0 s  nobody  -> neutral",
        "  9.0 s  nobody  -> asleep",
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "neutral", "happiness"]), st.sampled_from(["", "a", "b"])),
        max_size=40,
    )
)
def test_every_line_says_what_the_rows_say_at_its_times(frames):
    rows = [(0.1 * k, label, 0.5 if label else None, robot)
            for k, (label, robot) in enumerate(frames)]  # fmt: skip
    for line in told(*rows):
        begin, seen, answer = re.fullmatch(r" *([\d.]+) s  (.*)  -> (.*)", line).groups()
        robot, _, later = answer.partition(" at ")
        by_time = {f"{row[0]:.1f}": row for row in rows}
        assert seen.startswith(by_time[begin][1] or "nobody")
        assert by_time[later.removesuffix(" s") or begin][3] == robot


@pytest.mark.parametrize("is_told", [True, False], ids=["rclpy tells when", "as on Humble"])
def test_a_message_is_handed_on_with_its_time_whatever_rclpy_tells(is_told):
    taken = []
    callback = timed(lambda *both: taken.append(both), is_told)
    before = time.time_ns()
    callback("smile", *([{"source_timestamp": 7}] if is_told else []))
    ((message, at),) = taken
    assert message == "smile"
    assert at == 7 if is_told else before <= at <= time.time_ns()
