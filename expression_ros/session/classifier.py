"""The classifier that parameters or options ask for: node, recordings and commands read alike."""

from __future__ import annotations

from pathlib import Path

from expression_ros.parameters.choices import EVERYDAY, FULL_FACE
from expression_ros.recognition.adapted_vote import adapted
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.expectation import expect
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.person import load_person
from expression_ros.recognition.regional_vote import regional


def chosen_classifier(
    name: str,
    model: str | Path = "",
    thresholds: str = "",
    person: str = "",
    region: str = FULL_FACE,
    expectation: str = EVERYDAY,
) -> Classifier:
    """Return a classifier, adapted to a person and to a region of the face if that is asked for.

    Args:
        name, model, thresholds: see load_classifier.
        person: see load_person; empty for nobody.
        region: one of REGIONS.
        expectation: one of EXPECTATIONS.

    Raises:
        ValueError: something is missing, corrupt or does not fit together.
    """
    classifier = load_classifier(name, model, thresholds)
    if person:
        classifier = adapted(classifier, load_person(person))
    classifier = classifier if region == FULL_FACE else regional(classifier, region)
    expect(classifier, expectation)
    return classifier
