"""A calibration from start to end: frames in, a person's file and a report out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from expression_ros.personal.clear_frames import ClearFrames
from expression_ros.personal.fitting import MIN_FACES, STRENGTH, Fit, fit
from expression_ros.personal.kept_persons import save_person
from expression_ros.recognition.adapted_vote import ProjectedVote, check_fits, descriptor_digest
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.face_views import levelled
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.person import Person, PersonError

Frames = Iterable[tuple[np.ndarray, float]]  # (H, W) uint8 grey, stamp in seconds


@dataclass
class Calibration:
    """Collects described faces of one person.

    Attributes:
        ensemble: describes the faces; its vote is what is adapted.
        keep_images: folder for the taken faces as PNG, a folder per emotion; None keeps none.
        vectors: taken so far, (D,) each.
        labels: the emotion of each.
        sessions: the session of each.
        refused: how many frames were not taken, by emotion and reason.
    """

    ensemble: FisherfaceEnsemble
    keep_images: Path | None = None
    vectors: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)

    def add_person(self, person: Person) -> int:
        """Take over what is kept of a person; return the number of the next session."""
        check_fits(self.ensemble, person)
        self.vectors += list(person.vectors)
        self.labels += person.labels
        self.sessions += [int(session) for session in person.sessions]
        return max(self.sessions) + 1

    def collect(
        self,
        emotion: str,
        frames: Frames,
        most: int,
        session: int = 0,
        detector: Detector | None = None,
        taken: Callable[[int], None] = lambda count: None,
    ) -> int:
        """Take the clear frames of one emotion; return how many were taken.

        Args:
            emotion: what the person shows in all of these frames.
            frames: in the order in which they were taken.
            most: frames after which no more is read.
            session: the number of this sitting.
            detector: finds the face; by default one for a single face.
            taken: is called with the count after each frame that was taken.
        """
        chooser = ClearFrames(detector or FaceDetector("single"))
        count = 0
        for grey, stamp in frames:
            box = chooser.offer(grey, stamp)
            if box is not None:
                self.take(emotion, *levelled(grey, box, chooser.tilt), session)
                count += 1
                taken(count)
            if count >= most:
                break
        self.refused[emotion] = dict(chooser.refused)
        return count

    def take(self, emotion: str, grey: np.ndarray, box: Box, session: int) -> None:
        """Keep the description of one face."""
        face = prepare_face(grey, box, self.ensemble.face)
        self.vectors.append(self.ensemble.descriptor.describe(face).ravel())
        self.labels.append(emotion)
        self.sessions.append(session)
        if self.keep_images is not None:
            folder = self.keep_images / emotion
            folder.mkdir(parents=True, exist_ok=True)
            cut = grey[max(0, box.y) : box.y + box.h, max(0, box.x) : box.x + box.w]
            name = f"session{session}_{self.labels.count(emotion):03d}.png"
            if not cv2.imwrite(str(folder / name), cut):
                raise PersonError(f"{folder / name} cannot be written")

    def leave_out_scarce(self) -> dict[str, int]:
        """Forget the emotions of which too few faces were taken to learn from.

        Returns:
            How many there were of each of these.
        """
        counts = {label: self.labels.count(label) for label in dict.fromkeys(self.labels)}
        scarce = {label: count for label, count in counts.items() if count < MIN_FACES}
        keep = [k for k, label in enumerate(self.labels) if label not in scarce]
        self.vectors = [self.vectors[k] for k in keep]
        self.labels = [self.labels[k] for k in keep]
        self.sessions = [self.sessions[k] for k in keep]
        return scarce

    def fit(self) -> Fit:
        """Measure whether adapting helps; PersonError if there are too few faces."""
        if not self.vectors:
            raise PersonError(
                "no clear face was taken; is there one face, well lit, at least 60 pixels wide?"
            )
        vectors = np.stack(self.vectors)
        return fit(ProjectedVote(self.ensemble), vectors, self.labels, np.array(self.sessions))

    def save(self, name: str, result: Fit, folder: Path | None = None) -> Path:
        """Save the person, unless that would make the recognizer worse.

        Raises:
            PersonError: the adapted vote is no better, or the file cannot be written.
        """
        if not result.helps:
            raise PersonError(
                f"{name} is not saved: the general models read {result.errors_before} of "
                f"{result.faces} faces wrong, the adapted ones {result.errors_after}; "
                "calibrate in another light, or show the emotions more clearly"
            )
        person = Person(
            name,
            np.stack(self.vectors).astype(np.float32),
            tuple(self.labels),
            np.array(self.sessions),
            descriptor_digest(self.ensemble),
            STRENGTH,
        )
        return save_person(person, folder)


def report(result: Fit) -> str:
    """Return what a person may want to know of a fit, as text."""
    left_out = "a session" if result.folds == "session" else "a fifth of each emotion"
    lines = [
        f"{'':<11}{'faces':>6}  {'wrong before':>12}  {'wrong after':>11}",
        *(
            f"{label:<11}{count:>6}  {before:>12}  {after:>11}"
            for label, (before, after, count) in result.by_label.items()
        ),
        f"{'all':<11}{result.faces:>6}  {result.errors_before:>12}  {result.errors_after:>11}",
        f"probability of the right emotion, on average: {result.right_before:.2f} before, "
        f"{result.right_after:.2f} after",
        f"(cross-validated, {left_out} left out at a time)",
    ]
    return "\n".join(lines)
