"""Reads a recording from end to end, as the recognizer node reads a camera. Imports no ROS."""

from __future__ import annotations

from expression_ros.progress import Progress
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recordings.recorded_frames import Recording
from expression_ros.recordings.timeline import FaceRows, Timeline
from expression_ros.session.recognizer import read_alone


def analyze(
    recording: Recording,
    recognizer: ExpressionRecognizer,
    rows: FaceRows,
    timeline: Timeline,
    every: int = 1,
) -> None:
    """Read all frames into ``rows`` and ``timeline``, with a progress bar on stderr.

    A frame that cannot be read is counted, as in the node, and the next one is read. Photos that
    have nothing to do with each other are read each by itself, and no face has the id of another.

    Args:
        every: read only one of so many frames.

    Raises:
        RecordingError: the recording is damaged at some place; what came before was read.
    """
    total = None if recording.total is None else -(-recording.total // every)
    next_id = 1
    with Progress(f"reading {recording.name}", total) as progress:
        for frame in recording.frames(every):
            progress.advance()
            if frame.grey is None:
                timeline.add_unreadable(frame.index, frame.reason, frame.problem)
                continue
            try:
                if recording.has_photos:
                    reading = read_alone(recognizer, frame.grey, next_id)
                else:
                    if frame.starts_anew:
                        recognizer.reset()
                    reading = recognizer.read(frame.grey, frame.stamp)
            except Exception as error:  # the node goes on with the next frame, too
                timeline.add_unreadable(frame.index, "read", f"{type(error).__name__}: {error}")
                continue
            next_id += len(reading.faces)
            seconds = timeline.seconds_of(frame)
            rows.write(frame, seconds, reading)
            timeline.add(seconds, reading)
