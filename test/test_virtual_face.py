"""The virtual face: its expressions, its movement, its images."""

import itertools
import math
import random
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from expression_ros.commands import face_sheet
from expression_ros.mirroring.virtual_face import (
    BLINK_PERIOD,
    EXPRESSIONS,
    GLANCE_SIZE,
    SPRING_RATE,
    FaceAnimator,
    FaceShape,
    UnknownExpressionError,
    draw_face,
    expression_shape,
)
from expression_ros.vocabulary import EMOTIONS, canonical_label

WORDS = list(EXPRESSIONS)
TABLE = np.array([shape.to_array() for shape in EXPRESSIONS.values()])
SPAN = np.ptp(TABLE, axis=0)  # how far each parameter moves at most

WIDTH, HEIGHT = 320, 240
# Rows of the image of that size, and the columns of the head's front.
REGIONS = {"brows": (24, 87), "eyes": (87, 143), "mouth": (150, 222)}
FRONT = slice(50, 270)


def grey(word: str) -> np.ndarray:
    """Return the lightness of an expression, int: what is left to one who sees no colour."""
    image = draw_face(EXPRESSIONS[word], WIDTH, HEIGHT)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)


@pytest.fixture(scope="module")
def greys() -> dict[str, np.ndarray]:
    return {word: grey(word) for word in WORDS}


def difference(first: np.ndarray, second: np.ndarray, region: str) -> float:
    """Return the mean difference of two grey images in a region, 0..255."""
    top, bottom = REGIONS[region]
    return float(np.abs(first - second)[top:bottom, FRONT].mean())


# ---------------------------------------------------------------------------------- expressions


def test_there_is_one_expression_per_emotion_of_the_vocabulary():
    assert [canonical_label(word) for word in EXPRESSIONS] == list(EMOTIONS)


def test_unknown_expression_is_refused_with_the_known_ones():
    for ask in (expression_shape, FaceAnimator, lambda name: FaceAnimator().set_target(name, 0.0)):
        with pytest.raises(UnknownExpressionError) as caught:
            ask("grumpy")
        assert all(word in str(caught.value) for word in ("grumpy", *WORDS))
    assert issubclass(UnknownExpressionError, ValueError)


def test_shape_survives_the_way_through_an_array():
    for shape in EXPRESSIONS.values():
        assert FaceShape.from_array(shape.to_array()) == shape
    with pytest.raises(ValueError, match="parameters, not 3"):
        FaceShape.from_array([1.0, 2.0, 3.0])


def test_only_contempt_differs_between_left_and_right():
    lefts = [field.name for field in fields(FaceShape) if field.name.endswith("_left")]
    assert len(lefts) == 5
    for word, shape in EXPRESSIONS.items():
        pairs = [
            (getattr(shape, name), getattr(shape, name.replace("_left", "_right")))
            for name in lefts
        ]
        symmetric = all(left == right for left, right in pairs) and shape.gaze_x == 0.0
        assert symmetric == (word != "contemptuous"), word


# ------------------------------------------------------------------------------------- movement


def pose(animator: FaceAnimator, now: float) -> np.ndarray:
    return animator.shape_at(now).to_array()


@pytest.mark.parametrize("seed", range(8))
def test_face_never_jumps_however_the_targets_follow(seed):
    """Positions and speeds are continuous, and no parameter leaves the range of the expressions."""
    chance = random.Random(seed)
    animator = FaceAnimator(idle=False)
    step = 0.001
    track = []
    next_change = 0.0
    for tick in range(3000):
        now = 100.0 + tick * step
        if now >= 100.0 + next_change:
            animator.set_target(chance.choice(WORDS), now)
            next_change += chance.choice([0.0, 0.002, 0.03, 0.1, 0.4])
        track.append(pose(animator, now))
    path = np.array(track)
    assert np.ptp(path, axis=0).max() > 0.5  # it did move
    # A critically damped spring is no faster than rate / e times its range per second, for each way
    # its target may have jumped, and its speed changes by no more than 2.5 rate^2 times its range.
    # A speed that jumped would change it ten times as much within one step.
    assert (np.abs(np.diff(path, axis=0)) <= 2 / math.e * SPRING_RATE * step * SPAN + 1e-9).all()
    bend = np.abs(np.diff(path, n=2, axis=0))
    assert (bend <= 2.5 * SPRING_RATE**2 * step**2 * SPAN + 1e-9).all()
    assert (path >= TABLE.min(axis=0) - 1e-9).all()
    assert (path <= TABLE.max(axis=0) + 1e-9).all()


@pytest.mark.parametrize("start, end", list(itertools.permutations(WORDS, 2)))
def test_face_reaches_its_target_within_four_tenths_of_a_second(start, end):
    animator = FaceAnimator(start, idle=False)
    assert animator.shape_at(7.0) == EXPRESSIONS[start]
    animator.set_target(end, 7.0)
    assert animator.target == end
    assert pose(animator, 7.0) == pytest.approx(EXPRESSIONS[start].to_array(), abs=1e-12)
    goal = EXPRESSIONS[end].to_array()
    way = np.abs(EXPRESSIONS[start].to_array() - goal)
    early = np.abs(pose(animator, 7.03) - goal)
    assert (early >= 0.85 * way - 1e-9).all()  # it starts gently
    assert (np.abs(pose(animator, 7.4) - goal) <= 0.02 * way + 1e-9).all()
    assert np.abs(pose(animator, 9.0) - goal).max() < 1e-6


def test_path_does_not_depend_on_the_frame_rate():
    seldom, often = FaceAnimator(seed=3), FaceAnimator(seed=3)
    for animator in (seldom, often):
        animator.set_target("sad", 0.0)
    for tick in range(500):
        often.shape_at(tick / 1000.0)
    assert seldom.shape_at(0.5).to_array() == pytest.approx(often.shape_at(0.5).to_array())


@pytest.mark.parametrize("idle", [False, True])
def test_time_that_goes_back_holds_the_face_and_then_moves_on(idle):
    animator = FaceAnimator(idle=idle, seed=1)
    animator.set_target("angry", 50.0)
    before = pose(animator, 50.1)
    assert pose(animator, 2.0) == pytest.approx(before)
    later = pose(animator, 2.02)
    assert 0 < np.abs(later - before).max() < 0.5
    animator.set_target("smile", 1.0)
    assert pose(animator, 1.0) == pytest.approx(later)
    assert animator.shape_at(2.0).mouth_corner_left == pytest.approx(1.0, abs=1e-3)


def test_long_gap_leaves_a_settled_face():
    animator = FaceAnimator(idle=False)
    animator.set_target("afraid", -1e300)
    assert animator.shape_at(1e300).to_array() == pytest.approx(EXPRESSIONS["afraid"].to_array())


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_time_that_is_no_number_is_refused_and_changes_nothing(now):
    animator = FaceAnimator(idle=False)
    animator.set_target("sad", 1.0)
    with pytest.raises(ValueError, match="finite"):
        animator.shape_at(now)
    with pytest.raises(ValueError, match="finite"):
        animator.set_target("smile", now)
    assert animator.target == "sad"
    assert animator.shape_at(3.0).to_array() == pytest.approx(EXPRESSIONS["sad"].to_array())


# --------------------------------------------------------------------------------------- idling


def lids_of(seed: int, seconds: float = 120.0) -> np.ndarray:
    """Return the openness of the left upper lid, sampled every 10 ms."""
    animator = FaceAnimator(idle=True, seed=seed)
    times = np.arange(0.0, seconds, 0.01)
    return np.array([animator.shape_at(float(now)).upper_lid_left for now in times])


def closings(lids: np.ndarray) -> np.ndarray:
    """Return the samples at which a lid shuts."""
    shut = lids < 0.02
    return np.flatnonzero(shut[1:] & ~shut[:-1]) + 1


@pytest.mark.parametrize("seed", range(4))
def test_blinks_shut_the_eyes_at_natural_intervals_and_open_them_again(seed):
    lids = lids_of(seed)
    starts = closings(lids)
    assert len(starts) == 120.0 / BLINK_PERIOD
    intervals = np.diff(starts) * 0.01
    assert intervals.min() > 0.5
    assert intervals.max() < 2 * BLINK_PERIOD
    assert intervals.std() > 0.5  # no metronome
    rest = EXPRESSIONS["neutral"].upper_lid_left
    for start in starts:
        assert lids[start + 30] == pytest.approx(rest)
    assert (lids < 0.99 * rest).mean() < 0.1  # open almost always
    assert np.abs(np.diff(lids)).max() < 0.25 * rest  # it takes several frames to shut


def test_same_seed_blinks_at_the_same_times_and_another_seed_does_not():
    assert (lids_of(5, 30.0) == lids_of(5, 30.0)).all()
    assert list(closings(lids_of(5, 30.0))) != list(closings(lids_of(6, 30.0)))


def test_idle_can_be_switched_off():
    animator = FaceAnimator("sad", idle=False)
    assert all(animator.shape_at(tick / 50.0) == EXPRESSIONS["sad"] for tick in range(1000))


def test_gaze_drifts_a_little():
    animator = FaceAnimator(seed=2)
    gaze = [animator.shape_at(tick / 100.0).gaze_x for tick in range(3000)]
    assert np.ptp(gaze) > 0.3 * GLANCE_SIZE
    assert np.abs(gaze).max() <= GLANCE_SIZE
    assert np.abs(np.diff(gaze)).max() < 0.5 * GLANCE_SIZE


def test_blink_hides_the_white_of_the_eyes_and_shows_it_again():
    animator = FaceAnimator(seed=1)
    start = int(closings(lids_of(1))[0])
    animator.shape_at(0.0)  # its life begins
    whites = []
    for tick in (start - 20, start + 1, start + 30):
        image = draw_face(animator.shape_at(tick * 0.01), WIDTH, HEIGHT)
        whites.append(int((image[70:143, FRONT].min(axis=2) > 250).sum()))
    before, during, after = whites
    assert before > 1000
    assert during == 0
    assert after == pytest.approx(before, rel=0.1)


# ------------------------------------------------------------------------------------- images


@pytest.mark.parametrize("first, second", list(itertools.combinations(WORDS, 2)))
def test_expressions_look_clearly_different(greys, first, second):
    parts = sorted(difference(greys[first], greys[second], region) for region in REGIONS)
    assert parts[2] > 30, parts  # of 255, in the region that tells most
    assert parts[1] > 20, parts  # and a second one agrees
    assert parts[0] > 6, parts  # and the third is not the same either


@pytest.mark.parametrize(
    "first, second, region, least",
    [
        ("afraid", "surprised", "brows", 25),
        ("afraid", "surprised", "mouth", 25),
        ("angry", "disgusted", "eyes", 25),
        ("angry", "disgusted", "mouth", 20),
        ("neutral", "contemptuous", "brows", 25),
        ("neutral", "contemptuous", "eyes", 35),
    ],
)
def test_pairs_that_people_mix_up_differ_where_people_look(greys, first, second, region, least):
    assert difference(greys[first], greys[second], region) > least


def test_only_contempt_is_drawn_lopsided(greys):
    """The eyes are left out: the light on them comes from one side."""
    for word, image in greys.items():
        mirrored = image[:, ::-1]
        lopsided = [difference(image, mirrored, region) for region in ("brows", "mouth")]
        if word == "contemptuous":
            assert min(lopsided) > 5, lopsided
        else:
            assert max(lopsided) < 2, (word, lopsided)


def mouth_bow(image: np.ndarray) -> float:
    """Return how many pixels the corners of the mouth are above its middle."""
    top, bottom = REGIONS["mouth"]
    rows, columns = np.nonzero(image[top:bottom, 80:240] < 60)
    left, right = columns.min(), columns.max()
    ends = rows[(columns <= left + 3) | (columns >= right - 3)].mean()
    middle = rows[np.abs(columns - (left + right) / 2.0) <= 3].mean()
    return float(middle - ends)


def test_smile_curves_up_and_sadness_curves_down(greys):
    assert mouth_bow(greys["smile"]) > 10
    assert mouth_bow(greys["sad"]) < -10
    assert abs(mouth_bow(greys["neutral"])) < 4


@pytest.mark.parametrize(
    "width, height",
    [(64, 64), (65, 63), (160, 120), (121, 397), (397, 121), (32, 4096), (641, 479), (1920, 1080)],
)
def test_face_is_drawn_at_any_size(width, height):
    images = [draw_face(shape, width, height) for shape in EXPRESSIONS.values()]
    for image in images:
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8
    for first, second in itertools.combinations(images, 2):
        assert (first != second).any()


@pytest.mark.parametrize("word", WORDS)
def test_small_image_shows_the_same_face_as_a_large_one(word):
    large = draw_face(EXPRESSIONS[word], 1280, 960)
    small = draw_face(EXPRESSIONS[word], 160, 120)
    shrunk = cv2.resize(large, (160, 120), interpolation=cv2.INTER_AREA)
    same = np.abs(small.astype(int) - shrunk).mean()
    others = [
        np.abs(draw_face(shape, 160, 120).astype(int) - shrunk).mean()
        for other, shape in EXPRESSIONS.items()
        if other != word
    ]
    assert same < 2.0
    assert same < 0.3 * min(others)


@pytest.mark.parametrize("width, height", [(64, 64), (640, 480), (1280, 720)])
def test_edges_are_smooth(width, height):
    """Between the light and the dark parts there are pixels of many shades."""
    image = cv2.cvtColor(draw_face(EXPRESSIONS["neutral"], width, height), cv2.COLOR_BGR2GRAY)
    assert len(np.unique(image)) > 60


def test_image_belongs_to_the_caller():
    first = draw_face(EXPRESSIONS["sad"], 700, 700)
    kept = first.copy()
    first[:] = 0
    assert (draw_face(EXPRESSIONS["sad"], 700, 700) == kept).all()


@pytest.mark.parametrize("width, height", [(31, 64), (64, 31), (0, 0), (-5, 64), (64, 4097)])
def test_size_out_of_range_is_refused(width, height):
    with pytest.raises(ValueError, match=r"of the face must be 32\.\.4096 pixels"):
        draw_face(EXPRESSIONS["neutral"], width, height)


def test_every_face_between_two_expressions_can_be_drawn():
    animator = FaceAnimator(seed=4)
    chance = random.Random(4)
    last = draw_face(animator.shape_at(0.0), 96, 72).astype(int)
    for tick in range(1, 300):
        if tick % 20 == 0:
            animator.set_target(chance.choice(WORDS), tick / 60.0)
        image = draw_face(animator.shape_at(tick / 60.0), 96, 72).astype(int)
        assert np.abs(image - last).mean() < 12  # one frame at 60 Hz; 40 between expressions
        last = image


# ---------------------------------------------------------------------------------------- sheet


def test_sheet_in_the_documentation_shows_the_faces_of_today():
    path = Path(__file__).parents[1] / "docs" / "robot_face.png"
    assert path.stat().st_size < 200_000
    stored = cv2.imread(str(path))
    today = face_sheet.draw_contact_sheet()
    assert stored is not None
    assert stored.shape == today.shape
    # Releases of OpenCV smooth edges a little differently.
    assert np.abs(stored.astype(int) - today).mean() < 2.0, "run face_sheet docs/robot_face.png"


def test_sheet_is_written_where_the_command_line_says(tmp_path, capsys):
    path = tmp_path / "sheet.png"
    assert face_sheet.main([str(path)]) == 0
    written = cv2.imread(str(path))
    assert written is not None
    assert np.array_equal(written, face_sheet.draw_contact_sheet())
    assert face_sheet.main([str(tmp_path / "missing" / "sheet.png")]) == 1
    assert "cannot write" in capsys.readouterr().err
