"""A webcam or video read, mirrored and shown in this process, without ROS.

Part of ``expression_ros.web``: imports no ROS. It behaves as the nodes do with their defaults.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from expression_ros.frames.playback import frames_in_time
from expression_ros.frames.sources import FrameSource, SourceError
from expression_ros.images.files import listed
from expression_ros.mirroring.robot_table import available_robots, load_robot
from expression_ros.mirroring.styles import available_styles, load_style
from expression_ros.parameters.choices import NONE
from expression_ros.recognition.readings import FrameReading
from expression_ros.session.live import MirroredReading, behaviour_as_node
from expression_ros.session.recognizer import (
    RecognizerSettings,
    adapted_to,
    fisherfaces_of,
    make_recognizer,
)
from expression_ros.web.page_calibration import PageCalibration
from expression_ros.web.painting import Painter, overlay_jpeg
from expression_ros.web.state import ERROR, OK, WARNING, Diagnostic, Person, WebState

_REPORT_S = 1.0
_RETRY_S = 2.0  # between attempts to open a webcam
_TICK_S = 0.05  # of the mirror while no frame comes
_FRAMES = 300  # of which the time is remembered


class VideoSession:
    """Reads a source frame by frame in a thread of its own, and answers as the mirror does.

    When a file has ended the session goes on and says so; a webcam that is missing or stops is
    tried again every two seconds.

    Args:
        open_frames: opens the source; raises SourceError where that is not possible.
        description: of the source until it is open.
        robot, style: as the mirror's parameters of those names.
        loop: start a file again at its end.
        privacy: what the overlay hides; see with_privacy.
        settings: of what reads the frames; the recognizer's defaults when left out.
        tell: called with one line when the source cannot be read, and when it can again.

    Attributes:
        state: for the page.
        calibration: of the person in front of the camera.

    Raises:
        ValueError: the robot, the style, the person, the detector or the models cannot be loaded.
    """

    def __init__(
        self,
        open_frames: Callable[[], FrameSource],
        description: str,
        *,
        robot: str = "virtual_face",
        style: str = "mirror",
        loop: bool = False,
        privacy: str = NONE,
        settings: RecognizerSettings | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ):
        self._open = open_frames
        self._loop = loop
        self._privacy = privacy
        self._tell = tell
        self._robot = load_robot(robot)
        self._behaviour = behaviour_as_node(self._robot, load_style(style))
        self._settings = settings or RecognizerSettings.from_values(background=True)
        self._ensemble = fisherfaces_of(self._settings.model)
        self._reading = MirroredReading(
            make_recognizer(self._settings, self._ensemble), self._behaviour, self._show
        )
        self.frame_times: deque[float] = deque(maxlen=_FRAMES)  # s, from frame to published result
        self._frames = 0
        self._frames_reported = 0
        self._rate = 0.0
        self._faces = 0
        self._reported_at = time.monotonic()
        self._problem = ""
        self._unreadable: tuple[str, ...] = ()  # files of a folder
        self._photos = False  # whether each frame is to be read by itself
        self.state = WebState(description, available_robots(), available_styles())
        self.state.robot_shows(name=robot, style=style, expression=self._behaviour.expression)
        self._painter = Painter(self.state)
        self.calibration = PageCalibration(
            self.state,
            lambda: self._ensemble,
            self._read_as,
            in_use=self._settings.person,
            detector=self._settings.detector,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recognition", daemon=True)
        # A camera that stalls holds up the thread that reads it, but must not hold up the robot.
        self._clock = threading.Thread(target=self._tick, name="mirror", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()
        self._clock.start()

    def close(self) -> None:
        """Stop reading and release the source."""
        self._stopping.set()
        for thread in (self._thread, self._clock):
            if thread.ident is not None:
                thread.join()
        self.calibration.close()
        self._painter.stop()
        self._reading.close()

    def choose(self, robot: str, style: str) -> Future[str]:
        """Answer in another robot's words, or in another style, from now on.

        Returns:
            A future of why that is not possible; of an empty text if it is done.
        """
        answer: Future[str] = Future()
        try:
            table, answers = load_robot(robot), load_style(style)  # without holding up a frame
            with self._reading.lock:
                if table != self._robot:
                    self._robot = table
                    self._behaviour.set_robot(table)
                self._behaviour.set_style(answers)
                self._show()
                self.state.robot_shows(name=robot, style=style)
            answer.set_result("")
        except ValueError as error:
            answer.set_result(str(error))
        return answer

    def _read_as(self, person: str) -> None:
        settings = replace(self._settings, person=person)
        self._reading.read_with(adapted_to(self._ensemble, settings))

    # In the reading thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                source = self._open()
            except SourceError as error:
                self._fail(str(error))
                self._stopping.wait(_RETRY_S)
                continue
            try:
                self._recover(source)
                self._play(source)
            except Exception as error:  # the page stays and says so, whatever a driver does
                known = isinstance(error, ValueError)
                self._fail(str(error) if known else f"{type(error).__name__}: {error}")
            finally:
                source.close()
            self._reading.reset()
            if not source.is_live:
                self._stopping.wait()  # what a file had to show was shown
            self._stopping.wait(_RETRY_S)

    def _play(self, source: FrameSource) -> None:
        """Read the source to its end, or for ever."""
        self._photos = source.has_photos
        for frame in frames_in_time(source, self._stopping, self._loop):
            self._read(frame)
            self._unreadable = source.skipped
        self._unreadable = source.skipped
        if not self._stopping.is_set():
            gone = "gives no more images; it is tried again until it does"
            ended = "has ended; start expression-ros web again, or with --loop, to see more"
            self._fail(f"{source.description} {gone if source.is_live else ended}")

    def _read(self, frame: np.ndarray) -> None:
        begin = time.perf_counter()
        now = time.monotonic()
        grey, reading = self._reading.read(frame, alone=self._photos)
        self.state.frame_read(now)
        self.state.person_seen(person_of(reading), now)
        note = f"{self._rate:.0f} fps"
        self._painter.offer(lambda: overlay_jpeg(frame, reading, note, self._privacy))
        self._faces = len(reading.faces)
        self._frames += 1
        self.frame_times.append(time.perf_counter() - begin)
        self.calibration.offer(grey, now)

    def _show(self) -> None:
        """Let the page show what the robot is sent; with the lock of the behaviour held."""
        behaviour = self._behaviour
        self._painter.show_expression(behaviour.expression, self._robot)
        self.state.robot_shows(
            expression=behaviour.expression, intensity=round(behaviour.intensity, 2)
        )

    def _tick(self) -> None:
        """Let the robot turn neutral and diagnostics go on, whether frames come or not."""
        while not self._stopping.wait(_TICK_S):
            self._reading.tick()
            self._report(time.monotonic())

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell(problem)
            self.state.told(problem=problem)

    def _recover(self, source: FrameSource) -> None:
        if self._problem:
            self._tell(f"reading {source.description}")
        self._problem = ""
        self.state.told(problem="", source=source.description)

    def _report(self, now: float) -> None:
        passed = now - self._reported_at
        if passed < _REPORT_S:
            return
        self._rate = (self._frames - self._frames_reported) / passed
        self._frames_reported, self._reported_at = self._frames, now
        self.state.diagnosed([*self._source_diagnostics(), self._mirror_diagnostic()])

    def _source_diagnostics(self) -> list[Diagnostic]:
        rows = []
        if self._unreadable:
            text = f"{len(self._unreadable)} could not be read: {listed(self._unreadable)}"
            rows.append(Diagnostic("pictures", WARNING, text))
        if self._problem:
            return [*rows, Diagnostic("source", WARNING, self._problem)]
        rows += [Diagnostic("source", OK, f"{self._rate:.0f} frames/s")]
        if self.frame_times:
            seen = f"{self._faces} face{'' if self._faces == 1 else 's'}"
            middle = 1000 * statistics.median(self.frame_times)
            rows.append(Diagnostic("recognition", OK, f"{seen}; {middle:.1f} ms a frame"))
        if self._painter.problem:
            rows.append(Diagnostic("overlay", ERROR, self._painter.problem))
        return rows

    def _mirror_diagnostic(self) -> Diagnostic:
        text = f"{self._robot.name} shows {self._behaviour.expression}"
        return Diagnostic("mirror", OK, text)


def person_of(reading: FrameReading) -> Person:
    """Return what the page shows of a reading."""
    face = reading.primary
    return Person(
        face.label if face else "",
        face.scores if face else {},
        [(str(f.id), f.label, f.score) for f in reading.faces],
    )
