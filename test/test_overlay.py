"""The overlay: what it marks, and that it stays inside the image at any size."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from expression_ros.recognition.boxes import Box, intersection
from expression_ros.recognition.overlay import COLOURS, _titles, draw_overlay, vote_cells
from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.vocabulary import EMOTIONS, UNKNOWN

SCORES = {label: 0.0 for label in EMOTIONS} | {"happiness": 0.9, "neutral": 0.1}


def face(box, label="happiness", number=1):
    return FaceReading(number, Box(*box), label, 0.9, SCORES)


def reading_of(*faces: FaceReading) -> FrameReading:
    return FrameReading(faces, primary=faces[0])


def test_nobody_leaves_the_image_as_it_is():
    image = np.full((240, 320, 3), 90, np.uint8)
    assert (draw_overlay(image.copy(), FrameReading(())) == image).all()


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920), (64, 64)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.7, 0.0), (0.3, 0.3), (0.7, 0.7), (0.0, 0.7)])
@pytest.mark.parametrize("label", ["happiness", "fear", UNKNOWN])
def test_a_face_anywhere_is_framed_in_its_colour(size, place, label):
    height, width = size
    side = int(0.3 * height)
    box = (int(place[0] * width), int(place[1] * height), side, side)
    image = draw_overlay(np.full((*size, 3), 90, np.uint8), reading_of(face(box, label)))
    assert (image[box[1] + side // 2, box[0]] == COLOURS[label]).all()


def test_no_panel_hides_another_face():
    image = np.full((480, 640, 3), 200, np.uint8)
    faces = (face((250, 150, 120, 120)), face((400, 150, 100, 100), "fear", 2),
             face((130, 160, 100, 100), "anger", 3))  # fmt: skip
    drawn = draw_overlay(image.copy(), reading_of(*faces))
    for one in faces:
        x, y, w, h = one.box
        assert (drawn[y + 40 : y + h - 40, x + 10 : x + w - 10] == 200).all()


@pytest.mark.parametrize("height", [240, 480, 1080])
def test_every_title_of_a_group_can_be_read(height):
    k = height / 480
    boxes = ((430, 187, 82, 82), (195, 150, 78, 78), (330, 197, 80, 80), (274, 135, 66, 66))
    labels = ("happiness", "fear", "anger", "sadness")
    faces = [face([round(k * v) for v in box], label, number)
             for number, (box, label) in enumerate(zip(boxes, labels, strict=True), 1)]  # fmt: skip
    titles = _titles((height, round(640 * k), 3), reading_of(*faces), max(0.4, k))
    assert [title.text.split()[1] for title in titles] == list(labels)
    for one, other in combinations(titles, 2):
        assert not intersection(one.area, other.area)
    for title in titles:
        assert not any(intersection(title.area, one.box) for one in faces)


def test_where_there_is_no_room_a_number_does():
    crowd = [face((8 + 50 * (n % 6), 16 + 50 * (n // 6), 48, 48), "happiness", n)
             for n in range(24)]  # fmt: skip
    titles = _titles((240, 320, 3), reading_of(*crowd), 0.5)
    assert len(titles) == 24 and min(len(title.text) for title in titles) <= 2
    image = draw_overlay(np.full((240, 320, 3), 90, np.uint8), reading_of(*crowd))
    assert image.shape == (240, 320, 3)


def test_the_winning_bar_is_the_longest():
    image = draw_overlay(np.zeros((480, 640, 3), np.uint8),
                         reading_of(face((300, 200, 100, 100))), note="")  # fmt: skip

    def longest(label):
        return max((image[:, 404:] == COLOURS[label]).all(axis=2).sum(axis=1))

    assert longest("happiness") > 40 > 3 * longest("neutral") > 0


@pytest.mark.parametrize(
    ("votes", "cells"),
    [
        ({"neutral": 0.3, "happiness": 0.7}, ["happiness"] * 7 + ["neutral"] * 3),
        ({"neutral": 1 / 3, "happiness": 1 / 3, "fear": 1 / 3}, None),
        ({"neutral": 0.0, "happiness": 1.0}, ["happiness"] * 10),
        ({}, []),
    ],
)
def test_ten_cells_stand_for_the_votes(votes, cells):
    found = vote_cells(votes)
    assert found == cells if cells is not None else len(found) == 10


@pytest.mark.parametrize("size", [(240, 320), (1080, 1920)])
def test_votes_are_seen_at_the_edge_of_the_box(size):
    side = size[0] // 3
    voted = FaceReading(1, Box(40, 60, side, side), "happiness", 0.9, SCORES,
                        {"happiness": 0.6, "fear": 0.4})  # fmt: skip
    image = draw_overlay(np.full((*size, 3), 90, np.uint8), FrameReading((voted,)))
    row = image[60 + side - 5]
    happy, afraid = ((row == COLOURS[label]).all(axis=1).sum() for label in ("happiness", "fear"))
    assert 0.4 * side < happy < 0.6 * side and 0.25 * side < afraid < 0.4 * side
