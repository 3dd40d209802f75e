"""The page's calibration of a person: one at a time, driven by the frames that come anyway.

Part of ``expression_ros.web``: imports no ROS.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from expression_ros.personal.calibration import Calibration
from expression_ros.personal.dialogue import EMOTIONS, Dialogue
from expression_ros.personal.fitting import Fit
from expression_ros.personal.kept_persons import delete_person
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.person import PersonError, checked_name, load_person, person_names
from expression_ros.web.state import WebState

ASKING, COMPUTING, IDLE = "asking", "computing", "idle"
_UNSEEN_S = 5.0  # without anybody who looks, after which nobody is asked any more


class PageCalibration:
    """Asks one person for each emotion, learns, saves, and says what that changed.

    Frames are offered in one thread; everything else may be called in any other. What the page is
    to show of it is told to the state as ``calibration``.

    Args:
        state: of the page; knows whether somebody looks.
        ensemble: returns the Fisherfaces to adapt; called when somebody starts, may raise
            ValueError.
        use: reads adapted to a person of this name from now on, empty for nobody; raises
            PersonError. None where somebody else reads.
        how_to_use: what to tell then, with ``{name}``.
        in_use: who is read as adapted already.
        detector: which one finds the face; the four cascades when left out.
    """

    def __init__(
        self,
        state: WebState,
        ensemble: Callable[[], FisherfaceEnsemble],
        use: Callable[[str], None] | None = None,
        how_to_use: str = "",
        in_use: str = "",
        detector: DetectorChoice | None = None,
    ):
        self._state = state
        self._ensemble = ensemble
        self._use = use
        self._how_to_use = how_to_use
        self._in_use = in_use
        self._detector = detector or DetectorChoice()
        self._lock = threading.Lock()
        self._step = IDLE
        self._name = ""
        self._calibration: Calibration | None = None
        self._dialogue: Dialogue | None = None
        self._seen_at: float | None = None
        self._message, self._result = "", None  # type: tuple[str, dict[str, Any] | None]
        self._learning: threading.Thread | None = None
        self._persons: list[str] = []
        self._tell_all()

    @property
    def is_asking(self) -> bool:
        """Whether frames are wanted."""
        return self._step == ASKING

    def close(self) -> None:
        """Forget what is not finished, and wait for what is just being learnt."""
        self.cancel()
        if self._learning is not None:
            self._learning.join()

    # What somebody on the page does

    def start(self, name: str, again: bool = False) -> None:
        """Begin to ask.

        Args:
            name: what the person is called.
            again: a further session of somebody who is known.

        Raises:
            ValueError: somebody else is being asked, the name will not do, or the models cannot be
                loaded.
        """
        checked_name(name)
        if not again and name in person_names():
            raise PersonError(
                f"{name} is known already; choose a further session, or forget the old ones"
            )
        calibration = Calibration(self._ensemble())
        session = calibration.add_person(load_person(name)) if again else 0
        emotions = [emotion for emotion in EMOTIONS if emotion in calibration.ensemble.labels]
        detector = self._detector.make("single")
        with self._lock:
            if self._step != IDLE:
                raise PersonError(f"{self._name} is being calibrated; wait for that, or stop it")
            self._step, self._name = ASKING, name
            self._calibration = calibration
            self._dialogue = Dialogue(calibration, emotions, session=session, detector=detector)
            self._seen_at = None
            self._message, self._result = "", None
            self._tell_all()

    def skip(self) -> None:
        """Go on to the next emotion."""
        with self._lock:
            if self._dialogue is not None:
                self._dialogue.skip()
                self._go_on()
            self._tell()

    def cancel(self, why: str = "Stopped; nothing was kept.") -> None:
        """Stop asking and forget what was taken; without effect when nobody is asked."""
        with self._lock:
            if self._step != ASKING:
                return
            self._end(why)
            self._tell()

    def use(self, name: str) -> None:
        """Read as adapted to a person from now on; an empty name for nobody.

        Raises:
            ValueError: there is no such person, or reading is not ours to change.
        """
        if self._use is None:
            load_person(name)
            raise PersonError(self._how_to_use.format(name=name))
        self._use(name)
        with self._lock:
            self._in_use = name
            self._tell_all()

    def forget(self, name: str) -> None:
        """Delete all that is kept of a person.

        Raises:
            PersonError: there is no such person.
        """
        delete_person(name)
        if name == self._in_use and self._use is not None:
            self._use("")
        with self._lock:
            if name == self._in_use:
                self._in_use = ""
            self._message, self._result = f"{name} is forgotten.", None
            self._tell_all()

    # Frames

    def offer(self, grey: np.ndarray, stamp: float) -> None:
        """Look at a frame if somebody is asked.

        Args:
            grey: (H, W) uint8.
            stamp: in seconds of time.monotonic().
        """
        if self._step != ASKING:
            return
        if self._state.is_watched or self._seen_at is None:
            self._seen_at = stamp
        elif stamp - self._seen_at > _UNSEEN_S:
            self.cancel("Stopped, because the page was closed; nothing was kept.")
            return
        with self._lock:
            if self._dialogue is None:
                return
            self._dialogue.offer(grey, stamp)
            self._go_on()
            self._tell()

    def _go_on(self) -> None:
        """Learn when all has been asked for; under the lock."""
        if self._dialogue is None or self._dialogue.emotion:
            return
        self._step, self._dialogue = COMPUTING, None
        self._learning = threading.Thread(target=self._learn, name="calibration", daemon=True)
        self._learning.start()

    def _learn(self) -> None:
        name, calibration = self._name, self._calibration
        assert calibration is not None
        result: dict[str, Any] | None = None
        try:
            left_out = calibration.leave_out_scarce()
            fit = calibration.fit()
            result = as_json(fit)
            calibration.save(name, fit)
            message = f"{name} is saved. " + self._take_into_use(name)
            if left_out:
                message += f" Left out, with too few clear images: {', '.join(left_out)}."
        except ValueError as error:
            message = f"Not saved: {error}"
        except Exception as error:  # the page must not wait for ever, whatever went wrong
            message = f"Not saved: {type(error).__name__}: {error}"
        with self._lock:
            self._end(message, result)
            self._tell_all()

    def _take_into_use(self, name: str) -> str:
        if self._use is None:
            return f"{self._how_to_use.format(name=name)}."
        self._use(name)
        self._in_use = name
        return "From now on this page reads as adapted."

    def _end(self, message: str, result: dict[str, Any] | None = None) -> None:
        self._step, self._name = IDLE, ""
        self._dialogue = self._calibration = None
        self._message, self._result = message, result

    # What the page shows

    def _tell_all(self) -> None:
        """Tell with a look at who is kept, which is not for every frame; under the lock."""
        self._persons = person_names()
        self._tell()

    def _tell(self) -> None:
        """Tell how it stands; under the lock, or an older view could be told after a newer one."""
        view = {
            "step": self._step,
            "name": self._name,
            "persons": self._persons,
            "in_use": self._in_use,
            "can_use": self._use is not None,
            "message": self._message,
            "result": self._result,
            **self._question(),
        }
        self._state.told(calibration=view)

    def _question(self) -> dict[str, Any]:
        dialogue = self._dialogue
        if dialogue is None:
            return {}
        return {
            "emotion": dialogue.emotion,
            "hint": dialogue.hint,
            "number": dialogue.number + 1,
            "of": len(dialogue.emotions),
            "taken": dialogue.taken,
            "frames": dialogue.frames,
            "advice": dialogue.advice,
        }


def as_json(fit: Fit) -> dict[str, Any]:
    """Return what the page shows of a fit."""
    rows = [
        {"label": label, "faces": faces, "before": before, "after": after}
        for label, (before, after, faces) in fit.by_label.items()
    ]
    both = {"faces": fit.faces, "before": fit.errors_before, "after": fit.errors_after}
    return {
        "rows": [*rows, {"label": "all", **both}],
        "right_before": round(fit.right_before, 2),
        "right_after": round(fit.right_after, 2),
        "folds": fit.folds,
    }
