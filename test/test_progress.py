"""The progress bar: silent for two seconds, then one line that tells how far it is."""

from __future__ import annotations

import io

import numpy as np

from expression_ros import progress
from expression_ros.progress import Progress, with_progress
from expression_ros.training.data import faces
from expression_ros.training.data.faces import read_arrays, write_arrays


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream, steps: int, seconds: float, total: int | None = None) -> str:
    clock = Clock()
    with Progress("reading faces", total, stream, clock) as shown:
        for _ in range(steps):
            clock.now += seconds
            shown.advance()
    return stream.getvalue()


def test_what_takes_less_than_two_seconds_is_silent():
    assert run(io.StringIO(), 19, 0.1, 19) == "" == run(Terminal(), 19, 0.1, 19)


def test_what_takes_more_than_two_seconds_is_shown():
    assert run(Terminal(), 22, 0.1, 22).startswith("\rreading faces [")


def test_terminal_has_one_line_that_is_overwritten():
    text = run(Terminal(), 10, 1.0, 10)
    assert text.count("\n") == 1 and text.endswith("\n")
    states = text.split("\r")[1:]
    assert states[0].startswith("reading faces [#####...................] 2 of 10, 8 s left")
    assert states[-1].startswith("reading faces [########################] 10 of 10\x1b[K")


def test_log_has_a_line_every_ten_seconds_and_the_last_state():
    lines = run(io.StringIO(), 30, 1.0, 30).splitlines()
    assert [line.split("] ")[1].split(",")[0] for line in lines] == [
        "2 of 30", "12 of 30", "22 of 30", "30 of 30",
    ]  # fmt: skip
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_length_that_is_not_known_is_counted():
    assert run(io.StringIO(), 3, 1.0).splitlines()[-1] == "reading faces: 3 in 3 s"


def test_items_pass_through_and_an_interruption_ends_the_line(capsys):
    assert list(with_progress(iter("abc"), "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    stream, clock = Terminal(), Clock()
    try:
        with Progress("reading", 5, stream, clock) as shown:
            clock.now += 3
            shown.advance()
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert stream.getvalue().endswith("\n")


def test_reading_and_writing_arrays_show_progress(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(faces, "_PIECE", 1000)
    path = tmp_path / "a.npz"
    write_arrays(path, {"a": np.arange(600), "b": np.array("text")})
    written = capsys.readouterr().err
    assert "writing a.npz" in written and "6 of 6" in written
    assert set(read_arrays(path)) == {"a", "b"}
    assert "reading a.npz" in capsys.readouterr().err
