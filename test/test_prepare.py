"""The command ``expression-ros prepare``: faces found, cut out, divided, evened out, counted."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter

import cv2
import numpy as np
import pytest
from generated_faces import drawn_faces, write_drawn_fer2013
from labelled_data import (
    SCHEMES,
    csv_row,
    png,
    write_ck_plus,
    write_csv,
    write_folders,
    write_zip,
)

from expression_ros import progress
from expression_ros.cli import main
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.face_preparation import FacePreparation, prepare_face
from expression_ros.training.data.data_sets import load_split_faces, open_data_set
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import CROPPED, DataSet, LabelledImage, held
from expression_ros.training.data.prepare import PrepareSettings, prepare
from expression_ros.training.data.prepared_set import load_prepared_set
from expression_ros.training.data.splits import divide, surplus

FACES, LABELS = drawn_faces(60)
EMPTY = np.full((240, 240), 130, np.uint8)


@pytest.fixture(scope="module")
def portrait(astronaut):
    """A grey portrait with one face, small enough to be searched fast."""
    return cv2.resize(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)[:300, 60:360], (240, 240))


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Return a function that prepares data into out.npz: exit code, set, stdout, stderr."""
    monkeypatch.setattr(progress, "_PATIENCE_S", math.inf)  # also where the machine is busy

    def prepare_it(data, *options):
        output = tmp_path / "out.npz"
        code = main(["prepare", "--data", str(data), "--output", str(output),
                     *(str(option) for option in options)])  # fmt: skip
        out, err = capsys.readouterr()
        return code, load_prepared_set(output) if output.exists() else None, out, err

    return prepare_it


def counts(prepared):
    return Counter(zip(prepared.split.tolist(), prepared.labels.tolist(), strict=True))


# The four forms


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ck_plus_is_found_cut_out_and_divided_by_subject(tmp_path, portrait, run, scheme):
    sequences = {f"S{k:03d}/{n:03d}": (5.0, 7.0, None)[n] for k in range(5) for n in range(3)}
    root = write_ck_plus(tmp_path / "CK+", sequences, [portrait], scheme)
    code, prepared, out, err = run(root)
    assert code == 0 and err == ""
    assert prepared.images.shape == (20, 48, 48) and prepared.faces == "detect"
    assert Counter(prepared.labels.tolist()) == {"neutral": 10, "happiness": 5, "surprise": 5}
    sides = {s: set(prepared.subjects[prepared.split == s]) for s in ("train", "test")}
    assert {s: len(subjects) for s, subjects in sides.items()} == {"train": 4, "test": 1}
    assert not sides["train"] & sides["test"]
    assert "sequence without a label" in out and out.count("\n") > 6
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["neutral"] == ["8", "2"] and rows["all"] == ["16", "4"]
    assert rows["subjects"] == ["4", "1"] and rows["dropped"] == ["5:"]
    assert rows["sequence"][-1] == "5"


def test_faces_are_cut_out_as_at_run_time(tmp_path, portrait, run):
    root = write_folders(tmp_path / "set", {"happy/a.png": portrait, "sad/b.png": portrait})
    _, prepared, _, _ = run(root, "--size", 64, "--margin", 0.1, "--light", "clahe")
    face = FacePreparation(64, 0.1, "clahe", True)
    box = FaceDetector(selection="single").search_frame(portrait)[0].box
    assert np.array_equal(prepared.images[0], prepare_face(portrait, box, face))
    assert prepared.face == face


def test_faces_are_levelled_unless_told_otherwise(tmp_path, portrait, run):
    box = FaceDetector(selection="single").search_frame(portrait)[0].box
    turn = cv2.getRotationMatrix2D(box.centre, -12, 1.0)
    tilted = cv2.warpAffine(portrait, turn, (240, 240), borderMode=cv2.BORDER_REPLICATE)
    upright = write_folders(tmp_path / "upright", {"happy/a.png": portrait})
    aslant = write_folders(tmp_path / "aslant", {"happy/a.png": tilted})
    wanted, levelled, not_levelled = (
        run(root, *options)[1].images[0].astype(float).ravel()
        for root, options in ((upright, ()), (aslant, ()), (aslant, ("--no-level-by-eyes",)))
    )
    nearness = [np.corrcoef(wanted, other)[0, 1] for other in (levelled, not_levelled)]
    assert nearness[0] > nearness[1] + 0.1


def test_csv_is_taken_as_cropped(tmp_path, run):
    usages = ["Training"] * 6 + ["PublicTest"] * 3 + ["PrivateTest"] * 3
    rows = [csv_row(FACES[k], LABELS[k], usage) for k, usage in enumerate(usages)]
    code, prepared, out, _ = run(write_csv(tmp_path / "fer2013.csv", rows))
    assert code == 0 and prepared.faces == "cropped"
    assert np.array_equal(prepared.images, FACES[:12])
    assert prepared.split.tolist() == ["train"] * 6 + ["test"] * 3 + ["private_test"] * 3
    assert prepared.sources[0] == "fer2013.csv:2"
    assert "private_test" in out


def test_zipped_folders_become_the_same_set_as_unpacked_ones(tmp_path, run):
    images = {f"train/{label}/{k}.png": FACES[k] for k, label in enumerate(LABELS)}
    _, one, _, _ = run(write_folders(tmp_path / "faces", images))
    _, other, _, _ = run(write_zip(tmp_path / "faces.zip", images))
    assert len(one) == 60 and np.array_equal(one.images, other.images)
    assert one.sources.tolist() == other.sources.tolist()


def test_npz_and_a_prepared_set_can_be_prepared_again(tmp_path, portrait, run):
    _, prepared, _, _ = run(write_drawn_fer2013(tmp_path / "fer2013.npz", 40, 20))
    assert counts(prepared)["train", "happiness"] == 14 and len(prepared) == 60
    root = write_folders(tmp_path / "set", {"happy/a.png": portrait, "sad/b.png": portrait})
    _, first, _, _ = run(root, "--margin", 0.2, "--light", "clahe")
    (tmp_path / "out.npz").rename(tmp_path / "first.npz")
    _, again, _, _ = run(tmp_path / "first.npz")
    assert np.array_equal(first.images, again.images)  # light is not treated twice
    assert (again.faces, again.face) == ("detect", first.face)
    code, _, _, err = run(tmp_path / "first.npz", "--light", "equalize")
    assert code == 2 and "prepare the original data again" in err


def test_images_without_a_known_size_can_be_said_to_be_crops(tmp_path, run):
    root = write_folders(tmp_path / "set", {"happy/a.png": EMPTY, "sad/b.png": EMPTY})
    _, prepared, _, _ = run(root, "--faces", "cropped", "--test-share", 0)
    assert len(prepared) == 2 and prepared.faces == "cropped"
    assert not prepared.face.level_by_eyes  # a crop is not turned, and the file says so


# What is dropped


@pytest.fixture
def mixed(tmp_path, portrait):
    """A folder of which two images are good."""
    twins = np.hstack([portrait, EMPTY[:, :20], portrait])
    return write_folders(tmp_path / "mixed", {
        "happy/good.png": portrait, "sad/good.png": portrait, "happy/nobody.png": EMPTY,
        "happy/twins.png": twins, "sad/broken.jpg": b"no image", "hungry/x.png": portrait,
        "sad/notes.txt": b"notes",
    })  # fmt: skip


def test_drops_are_counted_by_reason_and_damage_is_named(mixed, run):
    code, prepared, out, err = run(mixed, "--test-share", 0)
    assert code == 0 and prepared.sources.tolist() == ["happy/good.png", "sad/good.png"]
    counted = {line[:30].strip(): int(line[30:]) for line in out.splitlines() if line[:2] == "  "
               and line[2:3].isalpha()}  # fmt: skip
    assert counted == {
        "no face found": 1, "more than one face": 1, "unreadable image": 1, "unknown label": 1,
        "not an image": 1,
    }  # fmt: skip
    assert "left out: sad/broken.jpg: unreadable image: not an image that OpenCV" in err
    assert "left out: hungry/x.png: unknown label: " in err
    assert "nobody" not in err and "nobody" not in out  # good data without a face: on request


def test_drops_are_listed_on_request(mixed, run, tmp_path):
    _, _, out, _ = run(mixed, "--list-dropped")
    assert "happy/nobody.png: no face found\n" in out
    assert "happy/twins.png: more than one face: 2 faces\n" in out
    assert "hungry/x.png: unknown label" in out and "sad/notes.txt: not an image" in out
    listing = tmp_path / "dropped.txt"
    _, _, out, err = run(mixed, "--list-dropped", listing)
    lines = listing.read_text().splitlines()
    assert len(lines) == 5 and "happy/nobody.png: no face found" in lines
    assert "nobody" not in out and "sad/broken.jpg" in err


def test_damaged_rows_of_the_csv_are_named_by_the_command(tmp_path, run):
    rows = [csv_row(FACES[0], LABELS[0]), csv_row(FACES[1], LABELS[1]) + "s", "x",
            csv_row(FACES[2], LABELS[2]).replace(" ", "  ", 1).replace(",", ",7 ", 1)]  # fmt: skip
    code, prepared, _, err = run(write_csv(tmp_path / "fer2013.csv", rows))
    assert code == 0 and len(prepared) == 1
    assert [line for line in err.splitlines() if "left out" in line] == [
        "left out: fer2013.csv:3: unknown usage: 'Trainings'",
        "left out: fer2013.csv:4: bad row: 1 columns",
        "left out: fer2013.csv:5: wrong pixel count: 2305, not 2304",
    ]


def test_when_nothing_is_left_the_reasons_are_said(tmp_path, run):
    root = write_folders(tmp_path / "set", {"happy/a.png": EMPTY, "sad/b.png": b"x"})
    code, prepared, _, err = run(root)
    assert code == 2 and prepared is None
    assert "left out: sad/b.png: unreadable image" in err
    last = err.splitlines()[-1]
    assert last.startswith("expression-ros: set: no face is left; dropped: ")
    assert "no face found (1)" in last and "unreadable image (1)" in last


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--size", "4"], "at least 8 px"), (["--margin", "9"], "margin must be"),
     (["--test-share", "1"], "test-share must be"), (["--balance", "-1"], "must not be negative"),
     (["--validation-share", "-0.1"], "validation-share must be"),
     (["--min-face", "0"], "min-face must be"), (["--format", "ckplus"], "not the whole of CK+")],
)  # fmt: skip
def test_option_out_of_range_is_answered_with_one_line(tmp_path, run, options, said):
    root = write_folders(tmp_path / "set", {"happy/a.png": FACES[0]})
    code, prepared, _, err = run(root, *options)
    assert code == 2 and prepared is None and err.count("\n") == 1 and said in err


@pytest.mark.parametrize(("output", "said"), [("x.zip", "end in .npz"), ("no/x.npz", "no folder")])
def test_output_that_cannot_be_written_is_refused_at_once(tmp_path, capsys, output, said):
    code = main(["prepare", "--data", str(tmp_path / "none"), "--output", str(tmp_path / output)])
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and said in error


def test_interrupted_writing_leaves_the_old_file(tmp_path, run, monkeypatch):
    root = write_folders(tmp_path / "set", {"happy/a.png": FACES[0]})
    run(root)
    before = (tmp_path / "out.npz").read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device", "out.npz")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    code, _, _, err = run(root, "--size", 64)
    assert code == 2 and "No space left" in err
    assert (tmp_path / "out.npz").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_slow_work_shows_how_far_it_is(tmp_path, run, monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    _, _, out, err = run(write_folders(tmp_path / "set", {"happy/a.png": FACES[0]}))
    for what in ("looking through set", "cutting faces out of set [", "writing out.npz"):
        assert what in err and what not in out


# Splits, balance, seed


def set_of(labels, subjects=None, splits=None, images=FACES):
    n = len(labels)
    return DataSet("made up", [
        LabelledImage(f"{k}.png", labels[k], held(images[k % len(images)]),
                      subjects[k] if subjects else "", splits[k] if splits else "")
        for k in range(n)
    ], [], CROPPED)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_no_subject_is_on_two_sides(seed):
    rng = np.random.default_rng(seed)
    subjects = [f"s{k}" for k in rng.integers(0, 25, 400)]
    labels = rng.choice(["anger", "fear", "neutral"], 400, p=[0.1, 0.2, 0.7]).tolist()
    data = set_of(labels, subjects)
    prepared = prepare(data, PrepareSettings(validation_share=0.2, seed=seed)).faces
    sides = [set(prepared.subjects[prepared.split == s]) for s in ("train", "validation", "test")]
    assert all(sides) and len(prepared) == 400
    assert sum(map(len, sides)) == len(set().union(*sides)) == len(set(subjects))
    assert 0.14 < np.mean(prepared.split == "test") < 0.26


def test_each_emotion_is_divided_by_the_shares():
    labels = ["anger"] * 10 + ["neutral"] * 200
    split, dropped = divide(labels, [""] * 210, [""] * 210, 0.2, 0.25, seed=3)
    assert not dropped
    assert Counter(zip(labels, split, strict=True)) == {
        ("anger", "train"): 6, ("anger", "validation"): 2, ("anger", "test"): 2,
        ("neutral", "train"): 120, ("neutral", "validation"): 40, ("neutral", "test"): 40,
    }  # fmt: skip


def test_split_of_the_data_is_kept_and_a_subject_on_both_sides_leaves_training():
    labels = ["anger"] * 6
    subjects = ["a", "a", "b", "b", "c", "c"]
    splits = ["train", "test", "train", "", "test", "private_test"]
    done = prepare(set_of(labels, subjects, splits), PrepareSettings(test_share=0.9))
    kept = zip(done.faces.sources.tolist(), done.faces.split.tolist(), strict=True)
    assert dict(kept) == {
        "1.png": "test", "2.png": "train", "3.png": "train", "5.png": "private_test",
    }  # fmt: skip
    assert [str(drop) for drop in done.dropped] == [
        "0.png: subject is in a test split too: subject a",
        "4.png: subject is in a test split too: subject c",
    ]


def test_copies_of_training_images_are_not_tested_on():
    labels, splits = ["anger"] * 3, ["train", "test", "test"]
    images = np.stack([FACES[0], FACES[0], FACES[1]])
    done = prepare(set_of(labels, None, splits, images), PrepareSettings())
    assert done.faces.sources.tolist() == ["0.png", "2.png"]
    assert [str(drop) for drop in done.dropped] == ["1.png: copy of a training image"]


def test_balance_is_at_most_so_many_per_emotion_in_each_split(tmp_path, run):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 60, 30)
    _, prepared, out, _ = run(data, "--balance", 7)
    assert set(counts(prepared).values()) == {7} and len(counts(prepared)) == 6
    assert "more than --balance" in out
    assert Counter(prepared.split.tolist()) == {"train": 21, "test": 21}


def test_balance_leaves_small_classes_whole():
    assert surplus(["anger", "fear", "fear"], ["train"] * 3, 1, seed=0) in ([1], [2])
    assert surplus(["anger", "anger"], ["train", "test"], 1, seed=0) == []


def test_same_seed_same_bytes_and_another_seed_another_split(tmp_path, run):
    root = write_folders(
        tmp_path / "set", {f"{label}/{k}.png": FACES[k] for k, label in enumerate(LABELS)}
    )
    written = []
    for seed in (1, 1, 2):
        run(root, "--seed", seed, "--balance", 12)
        written.append((tmp_path / "out.npz").read_bytes())
    assert written[0] == written[1] != written[2]
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_subject_pattern_divides_by_what_it_finds(tmp_path, run):
    root = write_folders(tmp_path / "set", {
        f"{label}/person{k % 7}_{k}.png": FACES[k] for k, label in enumerate(LABELS)
    })  # fmt: skip
    _, prepared, _, _ = run(root, "--subject-pattern", r"(person\d)_")
    assert set(prepared.subjects) == {f"person{k}" for k in range(7)}
    test = set(prepared.subjects[prepared.split == "test"])
    assert test and not test & set(prepared.subjects[prepared.split == "train"])


def test_split_that_stays_empty_is_said(tmp_path, run):
    code, _, _, err = run(write_folders(tmp_path / "set", {"happy/a.png": FACES[0]}))
    assert code == 0 and "no face is in the split test" in err


# The file


def test_prepared_set_says_how_it_was_made_and_goes_to_the_trainers(tmp_path, run):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 40, 20)
    _, prepared, _, _ = run(data, "--size", 32)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["settings"]))["face"]["size"] == 32
        assert set(arrays.files) == {
            "format", "images", "labels", "label_names", "subjects", "split", "sources", "settings",
        }  # fmt: skip
    train, test = load_split_faces(tmp_path / "out.npz")
    assert np.array_equal(train.images, prepared.images[:40]) and len(test) == 20


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [("settings", None, "it has no 'settings'"), ("settings", np.array("{"), "is damaged"),
     ("labels", np.array(["hungry"]), "unknown labels: hungry"),
     ("split", np.array(["exam"]), "unknown splits: exam"),
     ("subjects", np.array([1]), "subjects must be 1 texts"),
     ("images", np.zeros((1, 9, 9), np.uint8), r"\(N, 48, 48\) uint8"),
     ("format", np.array("else"), "not a prepared set")],
)  # fmt: skip
def test_damaged_prepared_set_is_refused(tmp_path, run, name, array, said):
    run(write_folders(tmp_path / "set", {"happy/a.png": FACES[0]}))
    with np.load(tmp_path / "out.npz") as data:
        arrays = {key: data[key] for key in data.files}
    arrays = {**arrays, name: array} if array is not None else {
        key: value for key, value in arrays.items() if key != name}  # fmt: skip
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=rf"bad\.npz.*{said}"):
        open_data_set(tmp_path / "bad.npz")


# Real data


def test_london_set_is_found_and_divided_by_subject(shared_data, tmp_path, run):
    if not (shared_data / "london.zip").is_file():
        pytest.skip("no london.zip beside fer2013.npz")
    with_names = open_data_set(shared_data / "london.zip")
    some = {p.source: png(p.read()) for p in with_names.images[::8]}
    code, prepared, _, _ = run(write_zip(tmp_path / "london.zip", some))
    assert code == 0 and len(prepared) >= 0.9 * len(some)
    test = set(prepared.subjects[prepared.split == "test"])
    assert test and not test & set(prepared.subjects[prepared.split == "train"])


def test_fer2013_balanced_as_in_the_tutorial(shared_data, run):
    _, prepared, _, _ = run(shared_data / "fer2013.npz", "--balance", 400)
    train = {label: n for (split, label), n in counts(prepared).items() if split == "train"}
    assert len(train) == 7 and set(train.values()) == {400}
