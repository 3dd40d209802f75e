#!/usr/bin/env python3
"""Measures what is said in streams: how often labels change, and how soon they are right.

    python tools/measure_streams.py --portraits london.zip [--people 17] [--clip FILE ...]
                                    [--set smoothing:=0.1 ...]

Streams are made of portraits (made_streams.py: rest, a smile, half a smile, talking), where it is
known what is shown; of clips (videos, bags) it is not. Everything is read as the recognizer node
reads it with its defaults, or as --set says; without the search in the background, so that the
same streams always give the same table. Columns:

  changes   of the primary face's label per minute, to and from unknown included
  said      share of the frames with a face that have another label than unknown
  rest      share of the frames at rest that say neutral, later than a second after an expression
  held      share of the frames in which the smile is held that say happiness
  other     share of the frames of talking that say neither neutral nor unknown
  onsets    how often an expression became visible: a label leads, in single frames, from
            min_confidence on, for half a second (clips), or at all (made smiles)
  answered  how many of these were said while they lasted
  median, 90 %: seconds from then to the label that is said
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from made_streams import REST, SMILE, TALK, people, script

from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recordings.opening import open_recording
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer
from expression_ros.vocabulary import NEUTRAL, UNKNOWN

RATE = 30.0
HAPPINESS = "happiness"
KINDS = ("rest", "smile", "faint", "talk")
LASTING_S, CALM_S = 0.5, 1.0
HEAD = ("stream", "seconds", "changes", "said", "rest", "held", "other", "onsets", "answered",
        "median", "90 %")  # fmt: skip
Make = Callable[[], ExpressionRecognizer]


@dataclass(frozen=True)
class Said:
    """What one frame's primary face was said to show, and what the frame alone shows."""

    stamp: float
    face: int
    label: str
    leader: str
    score: float


@dataclass
class Figures:
    """Counts of one row of the table."""

    name: str
    seconds: float = 0.0
    changes: int = 0
    frames: list[bool] = field(default_factory=list)  # said something?
    rest: list[bool] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    other: list[bool] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # NaN: never answered

    def add(self, said: list[Said]) -> None:
        """Count what can be told of any stream."""
        for before, now in pairwise(said):
            if before.face == now.face:
                self.seconds += now.stamp - before.stamp
                self.changes += before.label != now.label
        self.frames += [one.label != UNKNOWN for one in said]

    def plus(self, other: Figures) -> None:
        """Add the counts of another row."""
        self.seconds += other.seconds
        self.changes += other.changes
        for name in ("frames", "rest", "held", "other", "waits"):
            getattr(self, name).extend(getattr(other, name))

    def cells(self) -> list[str]:
        """Return the row."""
        answered = [wait for wait in self.waits if wait == wait]
        times = [f"{np.quantile(answered, q):.2f}" if answered else "" for q in (0.5, 0.9)]
        rate = f"{60 * self.changes / self.seconds:.1f}" if self.seconds else ""
        shares = [f"{np.mean(values):.3f}" if values else ""
                  for values in (self.frames, self.rest, self.held, self.other)]  # fmt: skip
        counts = [str(len(self.waits)), str(len(answered))] if self.waits else ["", ""]
        return [self.name, f"{self.seconds:.0f}", rate, *shares, *counts, *times]


def read(frames: Iterable[tuple[np.ndarray, float]], reader: ExpressionRecognizer) -> list[Said]:
    """Return what is said of the primary face, in the frames that have one."""
    said = []
    for grey, stamp in frames:
        face = reader.read(grey, stamp).primary
        if face is None:
            continue
        alone = next(t for t in reader._tracker.tracks if t.id == face.id).memory.prediction
        assert alone is not None
        leader = max(alone.scores, key=lambda label: alone.scores[label])
        said.append(Said(stamp, face.id, face.label, leader, alone.scores[leader]))
    return said


def waits(said: list[Said], least: float, lasting: float) -> list[float]:
    """Return how long each expression that became visible waited for its label; NaN: for ever."""
    found, k = [], 1
    while k < len(said):
        now, end = said[k], k
        while end < len(said) and _shows(said[end], now.face, now.leader, least):
            end += 1
        known = said[k - 1].label == now.leader or said[k - 1].face != now.face
        if end == k or known or said[end - 1].stamp - now.stamp < lasting:
            k += 1
            continue
        answer = next((one.stamp for one in said[k:end] if one.label == now.leader), np.nan)
        found.append(answer - now.stamp)
        k = end
    return found


def _shows(one: Said, face: int, label: str, least: float) -> bool:
    return one.face == face and one.leader == label and one.score >= least


def clip(path: str, make: Make) -> Figures:
    reader, recording = make(), open_recording(path)
    frames = ((frame.grey, frame.stamp) for frame in recording.frames() if frame.grey is not None)
    said = read(frames, reader)
    recording.close()
    figures = Figures(Path(path).name)
    figures.add(said)
    figures.waits = waits(said, reader.settings.min_confidence, LASTING_S)
    return figures


def made(data: Path, count: int, make: Make) -> Iterator[Figures]:
    """Yield the row of each kind of made streams."""
    rows = {kind: Figures(f"made: {kind}") for kind in KINDS}
    for seed, (_, person) in enumerate(people(data, count)):
        for kind, row in rows.items():
            moments = script(kind, RATE, np.random.default_rng(seed))
            images = enumerate(person.frames(moments, RATE, seed))
            reader = make()
            said = read(((image, k / RATE) for k, image in images), reader)
            row.add(said)
            _judge(row, [m.state for m in moments], said, reader.settings.min_confidence)
    yield from rows.values()


def _judge(row: Figures, states: list[str], said: list[Said], least: float) -> None:
    """Count how what is said goes with what is shown."""
    calm = round(CALM_S * RATE)
    for one in said:
        k = round(one.stamp * RATE)
        if all(state == REST for state in states[max(0, k - calm) : k + 1]):
            row.rest.append(one.label == NEUTRAL)
        elif states[k] == SMILE:
            row.held.append(one.label == HAPPINESS)
        elif states[k] == TALK:
            row.other.append(one.label not in (NEUTRAL, UNKNOWN))
    if SMILE not in states:
        return
    end = (len(states) - states[::-1].index(SMILE)) / RATE
    seen = [one for one in said if _shows(one, one.face, HAPPINESS, least) and one.stamp < end]
    if seen:
        times = [one.stamp for one in said if one.label == HAPPINESS and one.stamp >= seen[0].stamp]
        row.waits.append(times[0] - seen[0].stamp if times and times[0] < end else np.nan)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--portraits", type=Path, help="zip or folder with neutral and happiness")
    parser.add_argument("--people", type=int, default=17, help="of these portraits (default: 17)")
    parser.add_argument("--clip", nargs="+", default=[], help="videos and bags")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME:=VALUE",
                        help="parameters of the recognizer")  # fmt: skip
    options = parser.parse_args()
    given = {name: yaml.safe_load(value) for name, _, value in
             (one.partition(":=") for one in options.set)}  # fmt: skip

    def make() -> ExpressionRecognizer:
        return make_recognizer(RecognizerSettings.from_values(given))

    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|", flush=True)
    rows = made(options.portraits, options.people, make) if options.portraits else iter(())
    everything = Figures("all clips")
    for row in rows:
        print("| " + " | ".join(row.cells()) + " |", flush=True)
    for path in options.clip:
        row = clip(path, make)
        everything.plus(row)
        print("| " + " | ".join(row.cells()) + " |", flush=True)
    if len(options.clip) > 1:
        print("| " + " | ".join(everything.cells()) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
