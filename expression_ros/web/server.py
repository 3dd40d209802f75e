"""The server of the page: one thread, on this machine only unless told otherwise.

Part of ``expression_ros.web``: imports no ROS.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

try:
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets
    from tornado.web import Application
except ImportError:
    raise ValueError(
        "the page needs Tornado: sudo apt install python3-tornado, or pip install tornado"
    ) from None

from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.web.calibration_handlers import calibration_routes
from expression_ros.web.guard import is_loopback, known_names
from expression_ros.web.handlers import Context, Handler, Session, routes
from expression_ros.web.photo_reading import PhotoReader

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080

# What a photo may have is asked by its handler; beyond this the connection is closed.
_MAX_BODY = 64 * 1024 * 1024
_BODY_S = 60.0  # that a request may take to arrive
_IDLE_S = 60.0  # after which an unused connection is closed
_LAST_WORDS_S = 0.2  # in which streams of events end by themselves
_END_S = 5.0


class ServerError(ValueError):
    """The server cannot be started; one line with the remedy."""


class WebServer:
    """Serves the page of a session.

    Args:
        session: see Session.
        host: address or name to bind to.
        port: 0 for any that is free.
        allowed_hosts: names besides its own under which the page may be called.

    Attributes:
        address: of the page, once started.
    """

    def __init__(
        self,
        session: Session,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        allowed_hosts: Iterable[str] = (),
        detector: DetectorChoice | None = None,
    ):
        self._host = host
        self._port = port
        self._context = Context(
            session, known_names(host, allowed_hosts), PhotoReader(detector=detector)
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.address = ""

    @property
    def warning(self) -> str:
        """One line for who opens the page to a network; empty if nobody else can reach it."""
        if is_loopback(self._host):
            return ""
        return (
            f"the page on {self._host} shows the camera to all who reach this machine, without "
            "a password; leave out --host to keep it here"
        )

    def start(self) -> None:
        """Begin to serve.

        Raises:
            ServerError: the port or the address cannot be used.
        """
        ready: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="web server", daemon=True
        )
        self._thread.start()
        self.address = ready.result()

    def stop(self) -> None:
        """End all connections and the thread. May be called again."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(_END_S)
        for executor in (self._context.worker, self._context.chooser):
            executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, ready: Future[str]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, ready: Future[str]) -> None:
        # Tornado tells every refused request on stderr; the answer says what was wrong.
        logging.getLogger("tornado.access").setLevel(logging.ERROR)
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        application = Application(
            [*calibration_routes(self._context), *routes(self._context)],
            default_handler_class=_NotFound,
            default_handler_args={"context": self._context},
        )
        server = HTTPServer(
            application,
            max_body_size=_MAX_BODY,
            body_timeout=_BODY_S,
            idle_connection_timeout=_IDLE_S,
        )
        sockets = self._bind()
        server.add_sockets(sockets)
        port = sockets[0].getsockname()[1]
        ready.set_result(f"http://{_shown(self._host)}:{port}/")
        await self._stop.wait()
        self._context.stopping = True
        server.stop()
        await asyncio.sleep(_LAST_WORDS_S)
        await server.close_all_connections()

    def _bind(self) -> list[Any]:
        try:
            sockets = bind_sockets(self._port, self._host)
        except OSError as error:
            raise ServerError(
                f"the page cannot be served on {self._host} port {self._port}: "
                f"{error.strerror or error}; choose another with --port or --host"
            ) from None
        if not sockets:
            raise ServerError(f"{self._host} is not an address of this machine; correct --host")
        return sockets


class _NotFound(Handler):
    def prepare(self) -> None:
        super().prepare()
        self.send_error(404)


def _shown(host: str) -> str:
    """Return a host as it stands in an address that a browser on this machine can open."""
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host
