"""The arithmetic of lights and of service calls, with a clock of the test's own."""

from __future__ import annotations

import random

import pytest

from expression_ros.mirroring.output_timing import ColourFade, NewestCall
from expression_ros.nodes.common.interfaces import NotInstalledError, interface_class

COLOURS = {"rest": (0.0, 0.0, 0.0, 1.0), "red": (1.0, 0.0, 0.0, 1.0), "dim": (0.0, 0.5, 1.0, 0.0)}


# Lights


def test_light_starts_neutral_and_fades_in_a_straight_line():
    light = ColourFade(COLOURS, "rest")
    assert light.at(5.0) == COLOURS["rest"]
    light.start("red", 10.0, 2.0)
    assert light.at(10.0) == COLOURS["rest"]
    assert light.at(10.5) == pytest.approx((0.25, 0.0, 0.0, 1.0))
    assert not light.finished(11.9)
    assert light.finished(12.0)
    assert light.at(12.0) == light.at(99.0) == COLOURS["red"]


def test_fade_in_the_middle_of_another_starts_where_the_light_is():
    light = ColourFade(COLOURS, "rest")
    light.start("red", 0.0, 1.0)
    before = light.at(0.5)
    light.start("dim", 0.5, 1.0)
    assert light.at(0.5) == pytest.approx(before)
    assert light.at(1.5) == COLOURS["dim"]


def test_intensity_is_the_share_of_the_way_from_the_neutral_colour():
    light = ColourFade(COLOURS, "rest")
    light.start("dim", 0.0, 0.0, intensity=0.5)
    assert light.at(0.0) == pytest.approx((0.0, 0.25, 0.5, 0.5))


def test_clock_that_goes_back_ends_the_fade():
    light = ColourFade(COLOURS, "rest")
    light.start("red", 100.0, 1.0)
    assert light.finished(1.0)
    assert light.at(1.0) == COLOURS["red"]


def test_no_sequence_leaves_the_range_or_jumps():
    draw = random.Random(3)
    for _ in range(300):
        light = ColourFade(COLOURS, "rest")
        now, before = 0.0, light.at(0.0)
        for _ in range(60):
            if draw.random() < 0.3:
                light.start(draw.choice(list(COLOURS)), now, draw.uniform(0.5, 2), draw.random())
            now += 0.01
            colour = light.at(now)
            assert all(0.0 <= part <= 1.0 for part in colour)
            assert all(abs(a - b) <= 0.01 / 0.5 + 1e-9 for a, b in zip(before, colour, strict=True))
            before = colour


# Calls


def test_word_is_sent_at_once_and_once():
    calls = NewestCall(2.0)
    assert calls.due(0.0, True) is None
    calls.want("happy")
    assert calls.due(0.0, True) == "happy"
    assert calls.due(0.1, True) is None
    calls.ended(True)
    assert calls.due(0.2, True) is None
    assert (calls.sent, calls.answered, calls.failures) == (1, 1, 0)


def test_newest_word_is_sent_when_the_call_under_way_has_ended():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(0.0, True)
    calls.want("sad")
    calls.want("angry")
    assert calls.due(0.5, True) is None
    calls.ended(True)
    assert calls.due(0.6, True) == "angry"
    assert calls.due(0.7, True) is None


def test_call_without_an_answer_is_given_up_in_time():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(0.0, True)
    calls.want("sad")
    assert calls.due(1.99, True) is None
    assert calls.due(2.0, True) == "sad"
    assert (calls.timed_out, calls.failures) == (1, 1)


def test_call_that_found_no_service_is_made_again_when_there_is_one():
    calls = NewestCall(2.0)
    calls.want("happy")
    assert calls.due(0.0, False) == "happy"  # discovery may be late
    assert calls.due(2.0, False) is None
    assert calls.unavailable == 1
    assert calls.due(60.0, False) is None
    assert calls.due(61.0, True) == "happy"
    calls.ended(True)
    assert calls.due(62.0, True) is None


def test_call_before_the_service_was_seen_is_not_waited_for_when_it_is():
    calls = NewestCall(20.0)
    calls.want("happy")
    assert calls.due(0.0, False) == "happy"
    assert calls.due(0.2, True) is None  # the answer may be on its way
    assert calls.due(0.3, True) == "happy"
    calls.ended(True)
    assert (calls.sent, calls.answered, calls.unavailable, calls.timed_out) == (2, 1, 1, 0)


def test_newer_word_replaces_one_that_found_no_service():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(0.0, False)
    calls.want("sad")
    assert calls.due(2.0, True) == "sad"
    calls.ended(True)
    assert calls.due(3.0, True) is None


def test_answer_that_comes_although_no_service_was_seen_counts():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(0.0, False)
    calls.ended(True)
    assert calls.due(5.0, True) is None
    assert calls.failures == 0


def test_refusal_is_counted_and_not_repeated():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(0.0, True)
    calls.ended(False)
    assert calls.due(1.0, True) is None
    assert (calls.refused, calls.failures) == (1, 1)


def test_clock_that_goes_back_ends_the_call_under_way():
    calls = NewestCall(2.0)
    calls.want("happy")
    calls.due(100.0, True)
    calls.want("sad")
    assert calls.due(1.0, True) == "sad"


def test_last_word_is_always_the_last_that_was_sent():
    draw = random.Random(5)
    for _ in range(300):
        calls = NewestCall(draw.uniform(0.1, 2.0))
        now, wanted, sent = 0.0, "0", ""
        for number in range(60):
            now += draw.choice([0.0, 0.05, 0.5])
            if draw.random() < 0.4:
                wanted = str(number)
                calls.want(wanted)
            if draw.random() < 0.3 and sent:
                calls.ended(draw.random() < 0.8)
            sent = calls.due(now, draw.random() < 0.7) or sent
        for _ in range(3):  # what still waits is sent when the service is there
            now += 5.0
            sent = calls.due(now, True) or sent
        assert sent == wanted or calls.sent == 0


# Types


@pytest.mark.parametrize("name", ["no_such_msgs/msg/Face", "json/msg/Face"])
def test_type_that_is_not_installed_is_named_with_the_remedy(name):
    with pytest.raises(NotInstalledError) as caught:
        interface_class(name)
    package = name.split("/")[0]
    assert str(caught.value).startswith(f"{name} is not installed: sudo apt install ros-$ROS_D")
    assert f"build {package} in your workspace" in str(caught.value)
