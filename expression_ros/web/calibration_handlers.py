"""The requests of the page's calibration.

Part of ``expression_ros.web``: imports no ROS.
"""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

from tornado.web import HTTPError

from expression_ros.mirroring.robot_table import load_robot
from expression_ros.mirroring.virtual_face import draw_face, expression_shape
from expression_ros.web.handlers import Context, Handler
from expression_ros.web.page_calibration import PageCalibration
from expression_ros.web.painting import jpeg_of

_MOST_BYTES = 4096
_EXAMPLE_SIZE = (320, 240)  # pixels


class CalibrationStep(Handler):
    """Does a step, as JSON: ``{"do": "start", "name": "ada", "again": false}``.

    ``do`` is start, skip, cancel, use or forget. What comes of it is told by /events.
    """

    async def post(self) -> None:
        """Do one step of the calibration; answer with what is asked next."""
        if len(self.request.body) > _MOST_BYTES:
            raise HTTPError(413, "the request is too long")
        do, name, again = self._wanted()
        loop = asyncio.get_running_loop()
        try:
            # In the worker: models may have to be loaded first.
            await loop.run_in_executor(
                self.context.worker, _do, self.context.session.calibration, do, name, again
            )
        except ValueError as error:
            raise HTTPError(409, str(error)) from None
        self.write({"do": do, "name": name})

    def _wanted(self) -> tuple[str, str, bool]:
        try:
            wanted = json.loads(self.request.body)
            do, name = wanted["do"], wanted.get("name", "")
            again = wanted.get("again", False)
        except (ValueError, KeyError, TypeError, AttributeError):
            do, name, again = None, "", False
        if do not in _STEPS or not isinstance(name, str) or not isinstance(again, bool):
            raise HTTPError(400, f"send JSON with do ({', '.join(_STEPS)}), name and again")
        return do, name, again


_STEPS = ("start", "skip", "cancel", "use", "forget")


def _do(calibration: PageCalibration, do: str, name: str, again: bool) -> None:
    if do == "start":
        calibration.start(name, again)
    elif do == "skip":
        calibration.skip()
    elif do == "cancel":
        calibration.cancel()
    elif do == "use":
        calibration.use(name)
    else:
        calibration.forget(name)


class Example(Handler):
    """The drawn face with the emotion that is asked for, as JPEG."""

    def get(self, emotion: str) -> None:
        """Answer with the example image of an emotion, as JPEG."""
        if emotion not in _words():
            raise HTTPError(404, "there is no such emotion")
        self.set_header("Content-Type", "image/jpeg")
        self.write(_example(emotion))


@cache
def _words() -> dict[str, str]:
    return dict(load_robot("virtual_face").expressions)


@cache
def _example(emotion: str) -> bytes:
    return jpeg_of(draw_face(expression_shape(_words()[emotion]), *_EXAMPLE_SIZE))


def calibration_routes(context: Context) -> list[Any]:
    """Return what an Application of Tornado takes."""
    shared = {"context": context}
    return [(r"/calibration", CalibrationStep, shared), (r"/example/([a-z]+)", Example, shared)]
