"""The pipeline against the classic loop on real clips: throughput, and whether both see a face."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from classic_loop import ClassicLoop, ClassicReading
from material import CLIPS, Clip, crowd, read_clip, shaken
from measuring import evenly_chosen, summary_ms

from expression_ros.recognition.boxes import Box, overlap
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer

SAME_FACE = 0.5  # overlap (intersection over union) from which two boxes show the same face
_RUN_LIMIT = 60  # frames: how far a run of missed frames is followed to each side
_CROWD_MIN_FACE = 0.08  # of the frame's height; the group stands further off than the default 0.12


@dataclass
class _ClipResult:
    """What both loops did on one clip; classic readings by frame number, of a sample of frames."""

    ours_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    boxes: list[list[Box]] = field(default_factory=list)
    classic: dict[int, ClassicReading] = field(default_factory=dict)

    def missed(self, number: int) -> bool:
        """Return whether the classic loop sees a face in a frame that we do not."""
        box = self.classic[number].box
        return box is not None and all(overlap(box, b) < SAME_FACE for b in self.boxes[number])


def compare(clips: Path, size: tuple[int, int], samples: int, most: int) -> dict[str, Any]:
    """Return throughput of both loops and how often they see the same face.

    The pipeline reads every frame in order, stamped at the clip's own rate; the classic loop, whose
    answers do not depend on each other, reads an even sample. They take turns, so that both meet
    the machine in the same state; both are timed with decoded frames in memory, grey conversion
    included. Where a sampled face is missed, the frames around it are read as well, to tell how
    long we miss it.

    Args:
        clips: folder of the clips.
        size: (width, height) in px.
        samples: frames per clip for the classic loop.
        most: frames per clip.
    """
    classic = ClassicLoop()
    results, longest = [], 0
    for name in CLIPS:
        clip = read_clip(clips / name, size, most)
        result = _read_in_turns(clip, classic, set(evenly_chosen(len(clip.frames), samples)))
        longest = max(longest, _longest_miss(clip, classic, result))
        results.append(result)
    ours_s = [s for result in results for s in result.ours_s]
    sampled = [reading for result in results for reading in result.classic.values()]
    seen = [(r, k) for r in results for k, reading in r.classic.items() if reading.box]
    missed = sum(result.missed(number) for result, number in seen)
    classic_s = float(np.mean([reading.seconds for reading in sampled]))
    processor_s = float(np.mean([s for result in results for s in result.processor_s]))
    classic_processor_s = float(np.mean([reading.processor_s for reading in sampled]))
    lazy_s = float(np.mean([reading.lazy_seconds for reading in sampled]))
    return {
        "size": list(size),
        "frames": len(ours_s),
        "classic_frames": len(sampled),
        "fps": 1 / float(np.mean(ours_s)),
        "classic_fps": 1 / classic_s,
        "speedup": classic_s / float(np.mean(ours_s)),
        "speedup_if_classic_stops_early": lazy_s / float(np.mean(ours_s)),
        "speedup_in_processor_time": classic_processor_s / processor_s,
        "processor_ms": 1000 * processor_s,
        "classic_processor_ms": 1000 * classic_processor_s,
        "agreement": 1 - missed / len(seen) if seen else None,
        "frames_with_one_classic_face": len(seen),
        "longest_miss_frames": longest,
        "frame_ms": summary_ms(ours_s),
        "classic_frame_ms": summary_ms([reading.seconds for reading in sampled]),
    }


def compare_on_crowd(clips: Path, size: tuple[int, int], repeats: int) -> dict[str, Any]:
    """Return how long a group image takes: the classic loop, a first look, and following.

    Args:
        clips: folder of the clips.
        size: (width, height) in px.
        repeats: frames that are followed; the image is shaken from one to the next.
    """
    frame = crowd(clips, size)
    classic = ClassicLoop()
    classic_readings = [classic.read(frame) for _ in range(max(2, repeats // 10))]
    reader = make_recognizer(RecognizerSettings.from_values({"min_face": _CROWD_MIN_FACE}))
    still_s, following_s, faces = [], [], []
    for _ in range(max(2, repeats // 10)):
        begin = time.perf_counter()
        reader.read_still(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
        still_s.append(time.perf_counter() - begin)
    rng = np.random.default_rng(0)
    for k in range(repeats):
        image = shaken(frame, rng)
        begin = time.perf_counter()
        reading = reader.read(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), k / 30)
        following_s.append(time.perf_counter() - begin)
        faces.append(len(reading.faces))
    later = slice(repeats // 4, None)  # once everybody has been found
    following, classic_s = following_s[later], [r.seconds for r in classic_readings]
    return {
        "size": list(size),
        "faces": int(np.median(faces[later])),
        "classic_sees_one_face": classic_readings[0].box is not None,
        "classic_ms": summary_ms(classic_s),
        "still_ms": summary_ms(still_s),
        "following_ms": summary_ms(following),
        "fps": 1 / float(np.mean(following)),
        "speedup": float(np.mean(classic_s) / np.mean(following)),
    }


def _read_in_turns(clip: Clip, classic: ClassicLoop, sample: set[int]) -> _ClipResult:
    reader = make_recognizer(RecognizerSettings.from_values())
    reader.read(cv2.cvtColor(clip.frames[0], cv2.COLOR_BGR2GRAY), -1.0)  # first use of every part
    reader.reset()
    result = _ClipResult()
    for number, frame in enumerate(clip.frames):
        begin, processor = time.perf_counter(), time.process_time()
        reading = reader.read(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), number / clip.rate)
        result.ours_s.append(time.perf_counter() - begin)
        result.processor_s.append(time.process_time() - processor)
        result.boxes.append([face.box for face in reading.faces])
        if number in sample:
            result.classic[number] = classic.read(frame)
    return result


def _longest_miss(clip: Clip, classic: ClassicLoop, result: _ClipResult) -> int:
    """Return the longest run of frames in which the classic loop sees a face that we miss."""
    read = dict(result.classic)

    def missed(number: int) -> bool:
        if not 0 <= number < len(clip.frames):
            return False
        if number not in read:
            read[number] = classic.read(clip.frames[number])
        box = read[number].box
        return box is not None and all(overlap(box, b) < SAME_FACE for b in result.boxes[number])

    longest = 0
    for number in filter(result.missed, result.classic):
        first = last = number
        while missed(first - 1) and number - first < _RUN_LIMIT:
            first -= 1
        while missed(last + 1) and last - number < _RUN_LIMIT:
            last += 1
        longest = max(longest, last - first + 1)
    return longest
