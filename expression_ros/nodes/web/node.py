"""The page in the browser for running nodes: shows their topics and sets the mirror's robot."""

from __future__ import annotations

import queue
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float32MultiArray, String

from expression_ros.images.conversion import bgr_from_message
from expression_ros.mirroring.robot_table import Robot, available_robots, load_robot
from expression_ros.mirroring.styles import available_styles
from expression_ros.nodes.common.clock_watch import steady_clock
from expression_ros.nodes.common.image_input import image_topic_of
from expression_ros.nodes.common.parameters import NodeParameters
from expression_ros.nodes.common.published import Published, scores_of, timed
from expression_ros.nodes.common.running import run_node
from expression_ros.nodes.web.calibration import CalibrationImages
from expression_ros.nodes.web.diagnostics import ReportBook
from expression_ros.parameters.nodes import WEB_PARAMETERS
from expression_ros.personal.calibration import fisherfaces_of
from expression_ros.web.page_calibration import PageCalibration
from expression_ros.web.painting import MAX_WIDTH, Painter, jpeg_of, shrunk
from expression_ros.web.state import CAMERA, NOBODY, RECOGNIZER, Person, WebState

if TYPE_CHECKING:
    from expression_ros.web.server import WebServer

try:
    from vision_msgs.msg import Detection2DArray
except ImportError:  # not on every installation; the page then counts no faces
    Detection2DArray = None

LABEL_TOPIC = "face_emotion"

_TICK_S = 0.1  # how soon the overlay is asked for when somebody looks, or let go
_REPORT_S = 1.0
_NOBODY_S = 1.0  # without a label after which a frame shows nobody
_ANSWER_S = 3.0  # that the mirror may take to answer
_HOW_TO_USE = (
    "The recognizer reads as adapted when it is started with person:={name}: "
    "ros2 launch expression_ros recognizer.launch.py person:={name}"
)


class Web(Node):
    """Serves the page; its server runs in a thread of its own, ROS in the executor's.

    Args:
        kwargs: passed to ``rclpy.node.Node`` (context, namespace, parameter_overrides).

    Raises:
        ParameterError: a parameter was given a value that cannot be used.
        ServerError: the page cannot be served there.
    """

    def __init__(self, **kwargs: Any):
        super().__init__("web", **kwargs)
        self._server: WebServer | None = None
        self._painter: Painter | None = None
        self._calibration_images: CalibrationImages | None = None
        try:
            self._set_up()
        except Exception:
            self.close()
            self.destroy_node()
            raise

    def _set_up(self) -> None:
        from expression_ros.web.server import WebServer  # here, so that what it lacks is one line

        values = NodeParameters(self, WEB_PARAMETERS)
        values.lock_fixed(True)
        self._mirror = values["mirror"]
        self._overlay_topic = self.resolve_topic_name(f"{LABEL_TOPIC}/image/compressed")
        label_topic = self.resolve_topic_name(LABEL_TOPIC)
        self.state = WebState(f"nodes on {label_topic}", available_robots(), available_styles())
        self._painter = Painter(self.state)
        self._reports = ReportBook(self._mirror)
        self._robot: Robot | None = None
        # Published right before the label of their frame: shown beside no other.
        self._scores = Published[dict[str, float]]()
        self._faces = Published[list[tuple[str, str, float]]]()
        self._label_at = -_NOBODY_S
        self._small_until = 0.0  # the overlay is known to be small until then
        self._overlay: Any = None
        self._choices: queue.SimpleQueue[tuple[str, str, Future[str]]] = queue.SimpleQueue()
        self._calls: list[tuple[float, Any, Future[str]]] = []
        # In this order: an executor takes ready messages in the order of the subscriptions.
        self.create_subscription(
            Float32MultiArray,
            f"{LABEL_TOPIC}/scores",
            timed(self._take_scores),
            QoSProfile(depth=10),
        )
        if Detection2DArray is not None:
            self.create_subscription(
                Detection2DArray, f"{LABEL_TOPIC}/detections", timed(self._take_detections),
                QoSProfile(depth=10),
            )  # fmt: skip
        self.create_subscription(String, LABEL_TOPIC, timed(self._take_label), QoSProfile(depth=10))
        self._expression_topic = self.resolve_topic_name("robot_expression")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(String, "robot_expression", self._take_expression, latched)
        self.create_subscription(
            DiagnosticArray, "/diagnostics", self._reports.take, QoSProfile(depth=10)
        )
        self._service = self.resolve_service_name(f"{self._mirror}/set_parameters")
        self._setter: Any = self.create_client(SetParameters, self._service)
        steady = steady_clock()  # a page has nothing to do with bag time
        self.create_timer(_TICK_S, self._tick, clock=steady)
        self.create_timer(_REPORT_S, self._report, clock=steady)
        model = values["model"]
        self.calibration = PageCalibration(
            self.state, lambda: fisherfaces_of(model), how_to_use=_HOW_TO_USE
        )
        self._calibration_images = CalibrationImages(
            self, self.calibration, image_topic_of(self), values["image_transport"]
        )
        names = [name.strip() for name in values["allowed_hosts"].split(",") if name.strip()]
        self._server = WebServer(self, values["host"], values["port"], names)
        self._server.start()
        if self._server.warning:
            self.get_logger().warning(self._server.warning.replace("leave out --host", "set host"))
        self.get_logger().info(f"the page is on {self._server.address}")

    @property
    def address(self) -> str:
        """Of the page, such as ``http://127.0.0.1:8080/``."""
        return self._server.address if self._server else ""

    def close(self) -> None:
        """Stop serving. May be called again."""
        if self._server is not None:
            self._server.stop()
        if self._calibration_images is not None:
            self._calibration_images.close()
            self.calibration.close()
        if self._painter is not None:
            self._painter.stop()

    # From topics to the page

    def _take_scores(self, message: Float32MultiArray, at: int) -> None:
        with suppress(ValueError):  # the mirror warns of it on /diagnostics
            self._scores.add(at, scores_of(message))

    def _frame_read(self) -> None:
        """Take that a frame was read; nobody is there if its label does not come, nor came before.

        Silence alone says nothing: a camera that fell silent shows neither somebody nor nobody.
        """
        now = time.monotonic()
        self.state.frame_read(now)
        if now - self._label_at > _NOBODY_S:
            self.state.person_seen(NOBODY, now)

    def _take_detections(self, message: Any, at: int) -> None:
        self._frame_read()
        faces = [
            (found.id, found.results[0].hypothesis.class_id, found.results[0].hypothesis.score)
            for found in message.detections
            if found.results
        ]
        self._faces.add(at, faces)

    def _take_label(self, message: String, at: int) -> None:
        now = self._label_at = time.monotonic()
        self.state.frame_read(now)
        scores, faces = self._scores.until(at) or {}, self._faces.until(at) or []
        self.state.person_seen(Person(message.data, scores, faces))

    def _take_expression(self, message: String) -> None:
        self.state.robot_shows(expression=message.data)
        assert self._painter is not None
        self._painter.show_expression(message.data, self._robot)

    def _take_overlay(self, message: CompressedImage) -> None:
        assert self._painter is not None
        self._frame_read()
        self._painter.offer(lambda: self._small_jpeg(message))

    def _small_jpeg(self, message: CompressedImage) -> bytes:
        """Return the overlay for the page; in the painter's thread."""
        now = time.monotonic()
        if now < self._small_until:
            return bytes(message.data)
        image = bgr_from_message(message)
        if image.shape[1] > MAX_WIDTH:
            return jpeg_of(shrunk(image))
        self._small_until = now + _REPORT_S  # a camera does not change its width every frame
        return bytes(message.data)

    # Ten times a second, in the executor's thread

    def _tick(self) -> None:
        self._follow_watchers()
        self._send_choices()
        assert self._calibration_images is not None
        self._calibration_images.follow()

    def _follow_watchers(self) -> None:
        """Subscribe the overlay while somebody looks: the recognizer draws it only then."""
        if self.state.is_watched == (self._overlay is not None):
            return
        if self._overlay is None:
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
            self._overlay = self.create_subscription(
                CompressedImage, self._overlay_topic, self._take_overlay, qos
            )
        else:
            self.destroy_subscription(self._overlay)
            self._overlay = None

    # Robot and style

    def choose(self, robot: str, style: str) -> Future[str]:
        """Set the mirror's parameters; called in the server's thread, never waits."""
        answer: Future[str] = Future()
        self._choices.put((robot, style, answer))
        return answer

    def _send_choices(self) -> None:
        while not self._choices.empty():
            robot, style, answer = self._choices.get()
            request = SetParameters.Request(parameters=_as_parameters(robot=robot, style=style))
            if not self._setter.service_is_ready():
                answer.set_result(f"no mirror answers on {self._service}; start one")
                continue
            call = self._setter.call_async(request)
            self._calls.append((time.monotonic() + _ANSWER_S, call, answer))
        waiting = []
        for end, call, answer in self._calls:
            if call.done():
                refused = [r.reason for r in call.result().results if not r.successful]
                answer.set_result("; ".join(refused))
            elif time.monotonic() > end:
                self._setter.remove_pending_request(call)
                answer.set_result(f"the mirror did not answer within {_ANSWER_S:.0f} s")
            else:
                waiting.append((end, call, answer))
        self._calls = waiting

    # Once a second

    def _report(self) -> None:
        now = time.monotonic()
        problem = ""
        if not self.count_publishers(self._overlay_topic):
            problem = f"no recognizer publishes {self._overlay_topic}; start one, or remap it here"
        assert self._calibration_images is not None
        self.state.told(problem=problem or self._calibration_images.problem)
        self.state.diagnosed(self._reports.diagnostics(now))
        # A recognizer that reports, but reads nothing, waits for its camera.
        reads = not problem and self._reports.recognizer_reports(now)
        self.state.suspect(CAMERA if reads else RECOGNIZER)
        mirror = self._reports.mirror_values(now)
        if not mirror:
            if not self.count_publishers(self._expression_topic):
                self.state.robot_shows(name="", style="", expression="")  # of a mirror that is gone
            return
        name = mirror.get("robot", "")
        if self._robot is None or name != self._robot.name:
            self._robot = _table_of(name)
        self.state.robot_shows(
            name=name, style=mirror.get("style", ""), intensity=_number(mirror.get("intensity"))
        )


def _as_parameters(**values: str) -> list[ParameterMessage]:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


def _table_of(name: str) -> Robot | None:
    """Return a shipped table; None for a robot of the user's own, drawn if its words are known."""
    try:
        return load_robot(name) if name in available_robots() else None
    except ValueError:
        return None


def _number(text: str | None) -> float:
    try:
        return float(text or 1.0)
    except ValueError:
        return 1.0


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code of run_node."""
    return run_node(Web, args)
