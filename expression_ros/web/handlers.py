"""The requests of the page, one class each.

Part of ``expression_ros.web``: imports no ROS. Everything here runs in the server's one thread and
never waits: what takes time is done elsewhere and awaited.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, stream_request_body

from expression_ros.web.guard import SECURITY_HEADERS, is_known_host, is_same_origin
from expression_ros.web.page_calibration import PageCalibration
from expression_ros.web.photo_reading import MAX_PHOTO_BYTES, PhotoReader
from expression_ros.web.state import IMAGES, WebState

STATIC = Path(__file__).resolve().parent / "static"
MAX_WATCHERS = 20

_PERIOD_S = 1 / 15  # between two events of a browser
_PULSE_S = 0.5  # between two events that say that the server lives, and how old the frame is
_CHOICE_S = 5.0  # that a choice of robot and style may take
_WAITING_PHOTOS = 4
_CHOICE_BYTES = 4096


class Session(Protocol):
    """Where the page's content comes from: a video here, or the topics of nodes."""

    state: WebState
    calibration: PageCalibration

    def choose(self, robot: str, style: str) -> Future[str]:
        """Set robot and style; the future's text says why not, empty if done.

        Called in a thread that may read files.
        """
        ...


@dataclass
class Context:
    """What all handlers share.

    Attributes:
        session: see Session.
        names: host names that are ours.
        photos: reads photos, in ``worker``.
        worker: one thread.
        chooser: one thread, so that a choice does not wait for a photo.
        waiting_photos: that were sent and are not answered yet.
        stopping: whether the server ends.
    """

    session: Session
    names: frozenset[str]
    photos: PhotoReader = field(default_factory=PhotoReader)
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "photos"))
    chooser: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "choices"))
    waiting_photos: int = 0
    stopping: bool = False


class Handler(RequestHandler):
    """What holds for every request: who may ask, and which headers the answer has."""

    def initialize(self, context: Context) -> None:
        """Take what all requests share; called by Tornado."""
        self.context = context

    @property
    def state(self) -> WebState:
        """What the page shows."""
        return self.context.session.state

    def set_default_headers(self) -> None:
        """Set the headers of every answer."""
        _set_headers(self)

    def prepare(self) -> None:
        """Refuse requests from elsewhere."""
        _check(self, self.context.names)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error with one line, as JSON."""
        _answer_error(self, kwargs.get("exc_info"))

    def on_connection_close(self) -> None:
        """End what waits for the rest of a body; called when the browser has gone."""
        super().on_connection_close()  # ends what waits for the rest of a body
        self.is_gone = True

    is_gone = False


def _set_headers(handler: RequestHandler) -> None:
    for name, value in SECURITY_HEADERS.items():
        handler.set_header(name, value)
    handler.set_header("Cache-Control", "no-store")
    handler.clear_header("Server")


def _answer_error(handler: RequestHandler, raised: Any) -> None:
    """Answer an error with one line, as JSON."""
    error = raised[1] if raised else None
    line = error.log_message if isinstance(error, HTTPError) else None
    if line and isinstance(error, HTTPError):
        line = line % error.args  # Tornado doubles the per cent signs of one without arguments
    handler.finish({"error": line or handler._reason})


def _check(handler: RequestHandler, names: frozenset[str]) -> None:
    # Not request.host, for which some versions of Tornado put an address where there is no header.
    if not is_known_host(handler.request.headers.get("Host", ""), names):
        raise HTTPError(
            403,
            "this page is not known under that name; use its address, or start expression-ros "
            "web with --allow-host NAME",
        )
    if handler.request.method not in ("GET", "HEAD") and not is_same_origin(
        handler.request.headers, handler.request.protocol
    ):
        raise HTTPError(403, "this request comes from another page")


class Files(StaticFileHandler):
    """The page itself and its style and scripts."""

    def initialize(self, *, context: Context, **kwargs: Any) -> None:  # type: ignore[override]
        """Take what all requests share; called by Tornado."""
        self.names = context.names
        super().initialize(**kwargs)

    def set_default_headers(self) -> None:
        """Set the headers of every answer."""
        _set_headers(self)

    def set_extra_headers(self, path: str) -> None:
        """Let the browser ask again: the package may be newer."""
        self.set_header("Cache-Control", "no-cache")  # asks again: the package may be newer

    def prepare(self) -> None:
        """Refuse requests from elsewhere."""
        _check(self, self.names)
        if "%00" in self.request.path:  # Tornado would end with a traceback
            raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error with one line, as JSON."""
        _answer_error(self, kwargs.get("exc_info"))


class NewestImage(Handler):
    """The newest overlay, or the newest image of the robot's face, as JPEG."""

    def get(self, name: str) -> None:
        """Answer with an image; with 204 before the first one."""
        if name not in IMAGES:
            raise HTTPError(404, "there is no such image")
        number, jpeg = self.state.image(name)
        if not jpeg:
            self.set_status(204)
            return
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("X-Picture-Number", str(number))
        self.write(jpeg)


class State(Handler):
    """All that the page shows but the images, once, for scripts."""

    def get(self) -> None:
        """Answer with everything, as JSON."""
        self.write({**self.state.info(), **self.state.frame(), **self.state.pulse()})


class Events(Handler):
    """What changes, as server-sent events: history once, then info and frame.

    Who listens is counted as looking; images are made only then.
    """

    async def get(self) -> None:
        """Answer with events until the browser has gone; with 503 for one browser too many."""
        if self.state.watchers >= MAX_WATCHERS:
            raise HTTPError(503, f"{MAX_WATCHERS} browsers look already; close one")
        self.set_header("Content-Type", "text/event-stream")
        with self.state.watching(), suppress(StreamClosedError):  # when the browser has gone
            await self._tell()

    async def _tell(self) -> None:
        await self._send("history", self.state.history())
        frame_told = info_told = -1
        pulse_at = -_PULSE_S
        while not self.is_gone and not self.context.stopping:
            begin = time.monotonic()
            info, frame = self.state.info_number, self.state.frame_number
            if info != info_told:
                await self._send("info", self.state.info())
            if frame != frame_told:
                await self._send("frame", self.state.frame())
            if begin - pulse_at >= _PULSE_S:
                await self._send("pulse", self.state.pulse())
                pulse_at = begin
            info_told, frame_told = info, frame
            await asyncio.sleep(max(0.0, _PERIOD_S - (time.monotonic() - begin)))

    async def _send(self, event: str, data: Any) -> None:
        self.write(f"event: {event}\ndata: {json.dumps(data)}\n\n")
        await self.flush()  # waits for a slow connection, so that nothing piles up


class Choice(Handler):
    """Sets robot and style, as JSON: ``{"robot": "pal", "style": "mirror"}``."""

    async def post(self) -> None:
        """Set what is asked for; answer with one line of why not, if not."""
        if len(self.request.body) > _CHOICE_BYTES:
            raise HTTPError(413, "the choice is too long")
        robot, style = self._wanted()
        try:
            problem = await asyncio.wait_for(self._choose(robot, style), _CHOICE_S)
        except asyncio.TimeoutError:
            problem = "no answer came; is the mirror running?"
        if problem:
            raise HTTPError(409, problem)
        self.write({"robot": robot, "style": style})

    async def _choose(self, robot: str, style: str) -> str:
        # In a thread of its own: tables are read from files.
        loop = asyncio.get_running_loop()
        choose = self.context.session.choose
        future = await loop.run_in_executor(self.context.chooser, choose, robot, style)
        return await asyncio.wrap_future(future)

    def _wanted(self) -> tuple[str, str]:
        """Return the names, which must be among those that are offered: no path comes from here."""
        try:
            wanted = json.loads(self.request.body)
            robot, style = wanted["robot"], wanted["style"]
        except (ValueError, KeyError, TypeError):
            raise HTTPError(400, "send JSON with robot and style") from None
        info = self.state.info()
        if robot not in info["robots"] or style not in info["styles"]:
            raise HTTPError(400, "there is no such robot or style")
        return robot, style


@stream_request_body
class Photo(Handler):
    """Reads a photo, sent as it is; answered and forgotten."""

    def prepare(self) -> None:
        """Refuse requests from elsewhere."""
        self.chunks: list[bytes] = []
        self.size = 0
        super().prepare()

    def data_received(self, chunk: bytes) -> None:
        """Keep what comes, up to the limit; the rest is taken and dropped, so that 413 arrives."""
        self.size += len(chunk)
        if self.size > MAX_PHOTO_BYTES:
            self.chunks.clear()
        else:
            self.chunks.append(chunk)

    def on_connection_close(self) -> None:
        """Forget an upload that was broken off."""
        self.chunks.clear()
        super().on_connection_close()

    async def post(self) -> None:
        """Read the photo; answer with its faces, or with one line of why not."""
        if self.size > MAX_PHOTO_BYTES:
            raise HTTPError(413, f"a photo may have {MAX_PHOTO_BYTES >> 20} MB at most")
        if self.context.waiting_photos >= _WAITING_PHOTOS:
            raise HTTPError(503, "other photos are being read; try again in a moment")
        data = b"".join(self.chunks)
        self.chunks.clear()
        self.context.waiting_photos += 1
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self.context.worker, self.context.photos.read, data)
        except ValueError as error:
            raise HTTPError(400, str(error)) from None
        finally:
            self.context.waiting_photos -= 1
        self.write(answer)


def routes(context: Context) -> list[Any]:
    """Return what an Application of Tornado takes."""
    shared = {"context": context}
    files = {**shared, "path": str(STATIC)}
    return [
        (r"/events", Events, shared),
        (r"/state", State, shared),
        (r"/picture/([a-z]+)", NewestImage, shared),
        (r"/choice", Choice, shared),
        (r"/photo", Photo, shared),
        (r"/static/(.*)", Files, files),
        (r"/()", Files, {**files, "default_filename": "index.html"}),
    ]
