"""The recognizer: a managed node between a camera and /face_emotion."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from expression_ros.images.conversion import (
    ImageError,
    bgr_from_message,
    grey_from_message,
    large_enough,
)
from expression_ros.images.depth import DepthMemory
from expression_ros.nodes.common.clock_watch import ClockWatch, steady_clock
from expression_ros.nodes.common.diagnostics import OK, publish_statuses
from expression_ros.nodes.common.image_input import ImageInput, image_topic_of
from expression_ros.nodes.common.latest_worker import LatestWorker
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.running import run_node
from expression_ros.nodes.recognizer.hri_outputs import HriOutputs, hri_available
from expression_ros.nodes.recognizer.model import LoadedModel, model_status
from expression_ros.nodes.recognizer.outputs import RecognizerOutputs, detections_available
from expression_ros.nodes.recognizer.statistics import RecognizerStatistics, idle_statuses
from expression_ros.parameters.recognizer import RECOGNIZER_PARAMETERS
from expression_ros.recognition.frame_time import FrameTime
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.pipeline import ExpressionRecognizer
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.session.recognizer import (
    RUN_TIME_NAMES,
    RecognizerSettings,
    as_in_force,
    make_recognizer,
    run_time_settings,
)

_LOG_PERIOD_S = 5.0
_REPORT_S = 1.0


class Recognizer(LifecycleNode):
    """Models load in configure, the camera is subscribed between activate and deactivate.

    Images are taken by the executor's thread, which only swaps them into a slot, and read by a
    thread of their own: services, parameters and diagnostics answer while a frame is being read.
    """

    def __init__(self, **kwargs: Any):
        super().__init__("recognizer", **kwargs)
        self.parameters = NodeParameters(self, RECOGNIZER_PARAMETERS)
        self._pipeline: ExpressionRecognizer | None = None
        self._model: LoadedModel | None = None
        self._wanted: RecognitionSettings | None = None  # what parameters said last
        self._outputs: RecognizerOutputs | None = None
        self._hri: HriOutputs | None = None
        self._input: ImageInput | None = None
        self._worker: LatestWorker[tuple[Any, float]] | None = None
        self._frame_time = FrameTime()
        self._clock_watch = ClockWatch(self)
        self._depth = DepthMemory()
        self._statistics = RecognizerStatistics(time.monotonic())
        self._problem = ""  # why the last configure failed
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Of real time: a simulated clock may stand still, and that is worth telling, too.
        steady = steady_clock()
        self.create_timer(_REPORT_S, self._publish_diagnostics, clock=steady)

    def start(self) -> None:
        """Configure and activate, unless ``autostart`` is off."""
        if not self.parameters["autostart"]:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def close(self) -> None:
        """Stop reading and free everything; for the end of the process."""
        self._stop_reading()
        self._free()

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models; a failure says why in one line."""
        try:
            self._load()
        except Exception as error:  # whatever a model's files do to OpenCV: the process lives on
            known = isinstance(error, ValueError)
            self._problem = str(error) if known else f"{type(error).__name__}: {error}"
            self.get_logger().error(f"cannot be configured: {self._problem}")
            self._free()
            return TransitionCallbackReturn.FAILURE
        self._problem = ""
        self.parameters.lock_fixed(True)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and read; a failure says why in one line."""
        try:
            return self._activate(state)
        except Exception as error:  # rclpy goes to on_error without a word about why
            self._problem = f"{type(error).__name__}: {error}"
            self.get_logger().error(f"cannot be activated: {self._problem}")
            return TransitionCallbackReturn.ERROR

    def _activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self._pipeline is not None
        self._outputs = RecognizerOutputs(self)  # first, so that no frame is lost
        result = super().on_activate(state)
        self._pipeline.reset()
        self._frame_time = FrameTime()
        if self._hri is not None:
            self._hri.start()
        self._statistics = RecognizerStatistics(time.monotonic())
        self._depth = DepthMemory()
        self._worker = LatestWorker(self._read, self._read_failed, "recognition")
        self._input = ImageInput(
            self, image_topic_of(self), self.parameters["image_transport"], self._received
        )
        self.get_logger().info(f"reading faces from {self._input.topic}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop reading; the models stay."""
        self._stop_reading()
        if self._hri is not None:
            self._hri.stop()
        result = super().on_deactivate(state)
        self._close_outputs()
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the models."""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        self.close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything and go back to unconfigured, from where configure can be tried again."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def _load(self) -> None:
        settings = RecognizerSettings.from_values(self.parameters.values(), background=True)
        self._pipeline = make_recognizer(settings)
        self._wanted = settings.run_time
        self._model = LoadedModel(settings.classifier, settings.model, self._pipeline)
        if not detections_available():
            self.get_logger().info("vision_msgs is not installed: /face_emotion/detections is off")
        if self.parameters["publish_hri"]:
            if hri_available():
                self._hri = HriOutputs(self)
            else:
                self.get_logger().info("hri_msgs is not installed: /humans/faces is off")

    def _stop_reading(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _close_outputs(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None

    def _free(self) -> None:
        if self._hri is not None:
            self._hri.close()
            self._hri = None
        self._close_outputs()
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
        self._model = None
        self.parameters.lock_fixed(False)

    # Frames

    def _received(self, message: Any) -> None:
        arrival = time.monotonic()
        self._statistics.image_received(arrival)
        if self._worker is not None and self._pipeline is not None:
            self._apply_parameters(self._pipeline)
            self._worker.offer((message, arrival))

    def _read(self, received: tuple[Any, float]) -> None:
        """Read one image and publish what is in it; runs in the worker's thread."""
        message, arrival = received
        pipeline, outputs, hri = self._pipeline, self._outputs, self._hri
        if pipeline is None or outputs is None:
            return  # a transition has just freed them
        begin = time.perf_counter()
        try:
            grey = large_enough(grey_from_message(message, self._depth))
        except ImageError as error:
            self._statistics.image_refused(error.reason, str(error))
            self.get_logger().warning(
                f"image refused: {error}", throttle_duration_sec=_LOG_PERIOD_S
            )
            return
        converted = time.perf_counter() - begin
        self._statistics.quality.look(grey, time.monotonic())
        stamp = self._time_of(message, arrival)
        if self._frame_time.restarted:
            pipeline.reset()  # a bag that loops, a simulation that was reset: other faces
        reading = pipeline.read(grey, stamp)
        outputs.publish(reading, message.header)
        reading = replace(reading, stage_s={**reading.stage_s, "convert": converted})
        self._statistics.frame_read(reading, *self._latency(message, arrival))
        depth = copy(self._depth)  # as it is now; each image is one look of the stream's own
        bgr = cache(lambda: bgr_from_message(message, depth))
        if hri is not None:
            privacy = self.parameters["overlay_privacy"]
            hri.publish(reading, message.header, stamp, grey, bgr, privacy)
        outputs.publish_overlay(
            reading,
            message.header,
            bgr,
            f"{self._statistics.frame_rate:.0f} fps",
            self.parameters["overlay_quality"],
            self.parameters["overlay_privacy"],
        )

    def _read_failed(self, error: Exception) -> None:
        self._statistics.failed += 1
        self.get_logger().error(
            f"a frame could not be read ({type(error).__name__}: {error}); going on with the next",
            throttle_duration_sec=_LOG_PERIOD_S,
        )

    def _apply_parameters(self, pipeline: ExpressionRecognizer) -> None:
        """Let frames be read with the present parameters, from the next one on, if they changed.

        In the executor's thread, which changes them: of a request, a frame sees all or nothing.
        """
        values = {name: self.parameters[name] for name in RUN_TIME_NAMES}
        wanted = run_time_settings(values, background=True)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        try:
            pipeline.settings = as_in_force(wanted, pipeline.classifier)
        except ModelError as error:
            self.get_logger().warning(f"a parameter is not taken over: {error}")
            present = pipeline.settings
            least = wanted.min_confidence if wanted.min_confidence >= 0 else present.min_confidence
            pipeline.settings = replace(
                wanted, expectation=present.expectation, min_confidence=least
            )

    def _time_of(self, message: Any, arrival: float) -> float:
        """Return the time that counts for an image, in seconds that only move ahead."""
        seconds = self._frame_time.seconds(_stamp_of(message), arrival)
        self._statistics.stamps_ignored = self._frame_time.reason
        return seconds

    def _latency(self, message: Any, arrival: float) -> tuple[float, float]:
        """Return the seconds since the image was taken, and by how many its stamp lies ahead.

        Where stamp or clock are of no use, they are the seconds since it came.
        """
        since_arrival = time.monotonic() - arrival
        now = self.get_clock().now().nanoseconds
        if not now or not self._frame_time.trusted or not self._clock_watch.runs:
            return since_arrival, 0.0
        age = 1e-9 * now - _stamp_of(message)
        return (age, 0.0) if age >= 0 else (since_arrival, -age)

    # Diagnostics

    def _publish_diagnostics(self) -> None:
        now = time.monotonic()
        clock = self._clock_watch.look()
        limits = self.parameters
        statuses = [model_status(self, self._problem, self._model, limits)]
        if self._input is not None and self._worker is not None:
            counts, dropped = self._statistics, self._worker.dropped
            values = {"clock": self._clock_watch.value}
            source = counts.input_status(
                self, self._input, dropped, now, limits, clock=clock, values=values
            )
            if self._hri is not None and now - counts.last_image > limits["image_timeout"]:
                self._hri.nobody()
            if source.level != OK:
                self.get_logger().warning(source.message, throttle_duration_sec=_LOG_PERIOD_S)
            statuses += [source, counts.recognition_status(self, dropped, now, limits)]
        else:
            statuses += idle_statuses(
                self, self._statistics, self._pipeline is not None, self._problem, limits
            )
        publish_statuses(self, self._diagnostics, statuses)


def _stamp_of(message: Any) -> float:
    """Return when an image says that it was taken, in seconds; 0 where it does not say."""
    stamp = message.header.stamp
    return float(stamp.sec + 1e-9 * stamp.nanosec)


def main(args: list[str] | None = None) -> int:
    """Run the recognizer until SIGINT or SIGTERM."""
    return run_node(Recognizer, args)
