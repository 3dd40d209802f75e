"""Reading CK+, FER2013, folders per emotion and npz files, whole and damaged."""

from __future__ import annotations

import os
from collections import Counter

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

from expression_ros.images.files import PhotoError
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.training.data.data_sets import form_of, load_split_faces, open_data_set
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.fer2013 import load_fer2013
from expression_ros.training.data.labelled_images import (
    CROPPED,
    DETECT,
    count_by_reason,
    fault_lines,
)
from expression_ros.training.data.prepare import PrepareSettings, prepare
from expression_ros.training.data.prepared_set import save_prepared_set

FACES, LABELS = drawn_faces(60)
WHOLE = np.full((120, 160), 130, np.uint8)  # too large and not square: no crop of a face


def faults(data):
    return [str(drop) for drop in data.dropped if drop.is_fault]


# CK+


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ck_plus_gives_the_first_image_as_neutral_and_the_last_as_labelled(tmp_path, scheme):
    root = write_ck_plus(tmp_path / "CK+", {"S005/001": 3.0, "S010/002": 5.0}, [WHOLE], scheme)
    data = open_data_set(root)
    assert form_of(root) == "ckplus" and data.faces == DETECT and not data.dropped
    assert [(p.label, p.subject) for p in data.images] == [
        ("neutral", "S005"), ("disgust", "S005"), ("neutral", "S010"), ("happiness", "S010"),
    ]  # fmt: skip
    first, last = (p.read() for p in data.images[:2])
    assert (first[0, 0], last[0, 0]) == (126, 114)  # frames 1 and 4 of 4
    assert data.images[1].source == f"{SCHEMES[scheme][0]}/S005/001/S005_001_00000004.png"


def test_ck_plus_numbers_its_emotions_in_its_own_order(tmp_path):
    labels = {f"S{n:03d}/001": float(n) for n in range(8)}
    data = open_data_set(write_ck_plus(tmp_path, labels, [WHOLE]))
    assert [p.label for p in data.images[1::2]] == [
        "neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise",
    ]  # fmt: skip


def test_ck_plus_sequences_without_a_label_are_skipped_and_counted(tmp_path):
    root = write_ck_plus(tmp_path, {"S005/001": 3.0, "S005/002": None, "S006/001": None}, [WHOLE])
    data = open_data_set(root)
    assert len(data.images) == 2
    assert count_by_reason(data.dropped) == {"sequence without a label": 2}
    assert [d.source for d in data.dropped] == [
        "cohn-kanade-images/S005/002", "cohn-kanade-images/S006/001",
    ]  # fmt: skip
    assert not faults(data)


@pytest.mark.parametrize(
    ("text", "said"),
    [("9.0", "'9.0'"), ("3.5", "'3.5'"), ("", "''"), ("happy", "'happy'"), ("nan", "'nan'"),
     ("inf", "'inf'"), ("1.0\n2.0", r"'1.0\n2.0'"), ("\N{BULLET}", "not a number")],
)  # fmt: skip
def test_ck_plus_label_that_is_none_is_named_with_file_and_line(tmp_path, text, said):
    data = open_data_set(write_ck_plus(tmp_path, {"S005/001": text, "S006/001": 1.0}, [WHOLE]))
    (fault,) = faults(data)
    assert fault.startswith("Emotion/S005/001/S005_001_00000004_emotion.txt:1: unknown label: ")
    assert said in fault
    assert {p.subject for p in data.images} == {"S006"}


def test_ck_plus_labels_that_fit_no_images_are_named(tmp_path):
    sequences = {"S001/001": 1.0, "S002/001": 1.0, "S003/001": 1.0, "S004/001": 1.0}
    root = write_ck_plus(tmp_path, sequences, [WHOLE])
    for frame in (root / "cohn-kanade-images/S001/001").iterdir():
        frame.unlink()
    (root / "cohn-kanade-images/S002/001/S002_001_00000004.png").unlink()
    (root / "Emotion/S003/001/second_emotion.txt").write_text("2.0")
    data = open_data_set(root)
    assert faults(data) == [
        "Emotion/S001/001/S001_001_00000004_emotion.txt: label without images",
        "Emotion/S002/001/S002_001_00000004_emotion.txt: label without its image: "
        "S002_001_00000004 is missing",
        "Emotion/S003/001/S003_001_00000004_emotion.txt: more than one label: "
        "beside it: second_emotion.txt",
    ]
    assert {p.subject for p in data.images} == {"S004"}


def test_ck_plus_without_its_labels_says_what_is_missing(tmp_path):
    root = write_ck_plus(tmp_path / "ck", {"S005/001": 1.0}, [WHOLE])
    for given in (root / "cohn-kanade-images", root):
        if given == root:
            (root / "Emotion").rename(root / "somewhere")
        with pytest.raises(DataError, match=r"the folder that holds both .*Emotion"):
            open_data_set(given)


def test_zipped_ck_plus_is_to_be_unpacked(tmp_path):
    path = write_zip(tmp_path / "ck.zip", {"cohn-kanade-images/S1/001/a.png": WHOLE})
    with pytest.raises(DataError, match=r"ck\.zip is CK\+'s images: unpack it"):
        open_data_set(path)


# FER2013's CSV


def test_fer2013_csv_keeps_the_private_test_apart(tmp_path):
    rows = [csv_row(FACES[k], LABELS[k], usage)
            for k, usage in enumerate(["Training", "PublicTest", "PrivateTest"])]  # fmt: skip
    path = write_csv(tmp_path / "fer2013.csv", rows)
    data = open_data_set(path)
    assert data.faces == CROPPED and data.splits() == {"train": 1, "test": 1, "private_test": 1}
    assert [p.label for p in data.images] == LABELS[:3].tolist()
    assert np.array_equal(data.images[2].read(), FACES[2])
    train, test = load_split_faces(path)
    assert np.array_equal(train.images, FACES[:1]) and np.array_equal(test.images, FACES[1:2])


def test_fer2013_csv_in_a_folder_and_with_blanks_in_its_header_is_found(tmp_path):
    row = csv_row(FACES[0], LABELS[0])
    emotion, pixels, usage = row.split(",")
    write_csv(
        tmp_path / "icml_face_data.csv", [f"{emotion},{usage},{pixels}"], "emotion, Usage, pixels"
    )
    (image,) = open_data_set(tmp_path).images
    assert image.source == "icml_face_data.csv:2" and image.split == "train"


def damaged_rows() -> dict[str, str]:
    good = csv_row(FACES[0], LABELS[0])
    emotion, pixels, usage = good.split(",")
    return {
        f"{emotion},{pixels}": "bad row: 2 columns",
        "garbage": "bad row: 1 columns",
        f"7,{pixels},{usage}": "unknown label: emotion '7', not 0..6",
        f"-1,{pixels},{usage}": "unknown label: emotion '-1', not 0..6",
        f"happy,{pixels},{usage}": "unknown label: emotion 'happy', not 0..6",
        f",{pixels},{usage}": "unknown label: emotion '', not 0..6",
        f"{emotion},{pixels},Tests": "unknown usage: 'Tests'",
        f"{emotion},{pixels} 7,{usage}": "wrong pixel count: 2305, not 2304",
        f"{emotion},{pixels.rsplit(' ', 3)[0]},{usage}": "wrong pixel count: 2301, not 2304",
        f"{emotion},,{usage}": "wrong pixel count: 0, not 2304",
        f"{emotion},256{pixels[pixels.index(' ') :]},{usage}": "bad pixel: not a whole number",
        f"{emotion},-1{pixels[pixels.index(' ') :]},{usage}": "bad pixel: not a whole number",
        f"{emotion},1.5{pixels[pixels.index(' ') :]},{usage}": "bad pixel: not a whole number",
        f'{emotion},"{pixels},{usage}': "bad row: 2 columns",  # a quote that is never closed
    }


@pytest.mark.parametrize(("row", "said"), damaged_rows().items(), ids=damaged_rows().values())
def test_damaged_row_of_the_csv_is_named_with_its_line(tmp_path, row, said):
    good = csv_row(FACES[1], LABELS[1])
    data = open_data_set(write_csv(tmp_path / "fer2013.csv", [good, "", row, good]))
    (fault,) = faults(data)
    assert fault.startswith(f"fer2013.csv:4: {said}")
    assert [p.source for p in data.images] == ["fer2013.csv:2", "fer2013.csv:5"]


def test_csv_without_its_columns_is_refused(tmp_path):
    path = write_csv(tmp_path / "fer2013.csv", [], "emotion,pixels")
    with pytest.raises(DataError, match=r"fer2013\.csv:1: no column usage"):
        open_data_set(path)
    path.write_text("")
    with pytest.raises(DataError, match=r"fer2013\.csv:1: no column emotion, pixels, usage"):
        open_data_set(path)


def test_trainers_are_told_of_damaged_rows(tmp_path, capsys):
    rows = [csv_row(FACES[0], LABELS[0]), csv_row(FACES[1], LABELS[1], "PublicTest"), "oops"]
    path = write_csv(tmp_path / "fer2013.csv", rows)
    for load in (load_fer2013, load_split_faces):
        train, test = load(path)
        assert (len(train), len(test)) == (1, 1)
        assert "left out: fer2013.csv:4: bad row" in capsys.readouterr().err


# Folders per emotion


def test_folders_are_read_by_alias_split_and_depth(tmp_path):
    names = {
        "train/happy/a.png": ("happiness", "train"),
        "train/Surprised/session 1/b.jpg": ("surprise", "train"),
        "Testing/scared/c.png": ("fear", "test"),
        "validation/NE/d.bmp": ("neutral", "validation"),
        "contempt/e.png": ("contempt", ""),
        "anger/private_test/f.png": ("anger", "private_test"),
    }
    images = {name: FACES[k] for k, name in enumerate(names)}
    for data in (
        open_data_set(write_folders(tmp_path / "set", images)),
        open_data_set(write_zip(tmp_path / "set.zip", images)),
    ):
        assert {p.source: (p.label, p.split) for p in data.images} == names
        by_source = {p.source: p.read() for p in data.images}
        assert np.array_equal(by_source["train/happy/a.png"], FACES[0])


def test_links_are_followed_and_what_cannot_be_opened_is_named(tmp_path, monkeypatch):
    elsewhere = write_folders(tmp_path / "elsewhere", {"a.png": FACES[0]})
    root = write_folders(tmp_path / "set", {"sad/b.png": FACES[1], "angry/c.png": FACES[2]})
    (root / "happy").symlink_to(elsewhere)
    (root / "sad" / "round").symlink_to(root)
    (root / "sad" / "gone.png").symlink_to(root / "nothing.png")
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("angry"):  # chmod does not stop root
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    data = open_data_set(root)
    assert faults(data) == ["angry: unreadable folder: Permission denied"]
    assert [p.source for p in data.images] == ["happy/a.png", "sad/b.png", "sad/gone.png"]
    with pytest.raises(PhotoError, match=r"gone\.png: No such file"):
        data.images[2].read()


def test_subjects_are_read_from_the_names_of_known_data_sets(tmp_path):
    subjects = {
        "happy/S010_004_00000017.png": "S010", "happy/KA.HA1.29.png": "KA",
        "happy/Aaron_Peirsol_0002.jpg": "Aaron_Peirsol", "happy/017_08.jpg": "017",
        "happy/photo.jpg": "", "happy/IMG_20240101.jpg": "",
    }  # fmt: skip
    root = write_folders(tmp_path / "set", dict.fromkeys(subjects, WHOLE))
    assert {p.source: p.subject for p in open_data_set(root).images} == subjects


def test_subject_pattern(tmp_path):
    root = write_folders(tmp_path / "set", {"p7/happy/a.png": WHOLE, "sad/b.png": WHOLE})
    data = open_data_set(root, subject_pattern=r"^(p\d+)/")
    assert [p.subject for p in data.images] == ["p7", ""]
    for pattern, said in (("(", "not a regular"), ("p", "no group"), ("(x)/", "finds no subject")):
        with pytest.raises(DataError, match=said):
            open_data_set(root, subject_pattern=pattern)


def test_small_squares_are_crops_and_all_else_is_not(tmp_path):
    assert open_data_set(write_folders(tmp_path / "a", {"sad/a.png": FACES[0]})).faces == CROPPED
    both = {"sad/a.png": FACES[0], "sad/b.png": WHOLE}
    assert open_data_set(write_folders(tmp_path / "b", both)).faces == DETECT


def test_what_is_no_image_or_names_no_emotion_is_said(tmp_path):
    content = {
        "set/happy/good.png": FACES[0], "set/happy/Thumbs.db": b"x", "set/happy/._good.png": b"x",
        "set/hungry/a.png": FACES[1], "set/3/b.png": FACES[2], "set/unknown/c.png": FACES[3],
        "set/sad/d.gif": b"GIF89a",
    }  # fmt: skip
    for data in (
        open_data_set(write_folders(tmp_path / "data", content)),
        open_data_set(write_zip(tmp_path / "data.zip", content)),
    ):
        assert [p.source for p in data.images] == ["set/happy/good.png"]
        assert count_by_reason(data.dropped) == {
            "not an image": 2, "unknown label": 2, "labelled unknown": 1, "unreadable image": 1,
        }  # fmt: skip
        number, hungry, gif = sorted(faults(data))
        assert gif == "set/sad/d.gif: unreadable image: save it as PNG or JPEG"
        assert hungry.startswith("set/hungry/a.png: unknown label: ") and "'hungry'" in hungry
        assert number.startswith("set/3/b.png: unknown label: ") and "rename" in number


def test_unreadable_images_say_so_when_they_are_read(tmp_path):
    content = {"sad/a.png": b"", "sad/b.jpg": b"no image", "sad/c.png": png(FACES[0])[:300]}
    for data in (
        open_data_set(write_folders(tmp_path / "set", content)),
        open_data_set(write_zip(tmp_path / "set.zip", content)),
    ):
        assert len(data.images) == 3
        for image in data.images:
            with pytest.raises(PhotoError, match=image.source.rsplit("/", 1)[1]):
                image.read()


def test_damaged_byte_in_a_zip_file_is_found(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"sad/a.png": FACES[0], "sad/b.png": FACES[1]})
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 255
    path.write_bytes(bytes(content))
    first, second = open_data_set(path).images
    with pytest.raises(PhotoError, match=r"sad/a\.png: cannot be read out of the zip file"):
        first.read()
    assert np.array_equal(second.read(), FACES[1])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("a.zip", b"PK\x03\x04 broken", "not a readable zip"), ("a.npz", b"no", "not a readable npz"),
     ("a.parquet", b"", "what is it"), ("none.csv", None, "no such file or folder")],
)  # fmt: skip
def test_file_that_is_no_data_set_is_refused_by_name(tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"{name}.*{said}"):
        open_data_set(path)


def test_folder_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        open_data_set(tmp_path)


# npz


def test_npz_with_names_splits_and_subjects(tmp_path):
    path = tmp_path / "faces.npz"
    np.savez(path, images=FACES[:4], labels=np.array(["happy", "hungry", "Angry", "sad"]),
             split=np.array(["train", "train", "validation", "PublicTest"]),
             subjects=np.array(["a", "b", "c", "d"]))  # fmt: skip
    data = open_data_set(path)
    assert [(p.label, p.split, p.subject) for p in data.images] == [
        ("happiness", "train", "a"), ("anger", "validation", "c"), ("sadness", "test", "d"),
    ]  # fmt: skip
    (fault,) = faults(data)
    assert fault.startswith("faces.npz[1]: unknown label or split: ") and "hungry" in fault


@pytest.mark.parametrize(
    ("arrays", "said"),
    [({"images": FACES[:2]}, "no array labels"),
     ({"images": FACES[:2], "labels": np.arange(3)}, r"2 images, but labels of \(3,\)"),
     ({"images": FACES[:2].astype(float), "labels": np.arange(2)}, "uint8, not float64"),
     ({"images": FACES[:2], "labels": np.array([{}, {}])}, "not a readable npz file")],
)  # fmt: skip
def test_npz_of_other_arrays_is_refused(tmp_path, arrays, said):
    path = tmp_path / "faces.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=rf"faces\.npz.*{said}"):
        open_data_set(path)


# Faces for the trainers


def test_trainers_get_faces_of_every_form_that_needs_no_search(tmp_path):
    fer2013 = write_drawn_fer2013(tmp_path / "fer2013.npz", 40, 20)
    prepared = tmp_path / "prepared.npz"
    larger = PrepareSettings(face=FacePreparation(size=64))
    save_prepared_set(prepared, prepare(open_data_set(fer2013), larger).faces)
    folders = write_folders(tmp_path / "folders", {
        f"{'train' if k < 40 else 'test'}/{label}/{k}.png": FACES[k]
        for k, label in enumerate(LABELS)
    })  # fmt: skip
    for path, side in ((fer2013, 48), (prepared, 64), (folders, 48)):
        train, test = load_split_faces(path)
        assert (len(train), len(test)) == (40, 20)
        assert train.images.shape[1:] == (side, side)
        assert Counter(train.labels.tolist()) == Counter(LABELS[:40].tolist())
    ours, theirs = load_split_faces(fer2013), load_fer2013(fer2013)
    for mine, other in zip(ours, theirs, strict=True):
        assert np.array_equal(mine.images, other.images)
        assert mine.labels.tolist() == other.labels.tolist()


def test_folders_without_a_split_are_divided_for_the_trainers_always_alike(tmp_path):
    root = write_folders(
        tmp_path / "set", {f"{label}/{k}.png": FACES[k] for k, label in enumerate(LABELS)}
    )
    train, test = load_split_faces(root)
    assert (len(train), len(test)) == (48, 12) and set(Counter(test.labels).values()) == {4}
    assert np.array_equal(test.images, load_split_faces(root)[1].images)


def test_trainers_send_whole_images_to_prepare(tmp_path):
    root = write_folders(tmp_path / "set", {"happy/a.png": WHOLE})
    with pytest.raises(DataError, match=r"set: its faces must be found .*expression-ros prepare"):
        load_split_faces(root)


def test_trainers_refuse_a_set_without_a_test(tmp_path):
    path = tmp_path / "faces.npz"
    np.savez(path, images=FACES[:3], labels=LABELS[:3], split=np.zeros(3, int))
    with pytest.raises(DataError, match=r"no faces in the split test.*expression-ros prepare"):
        load_split_faces(path)


def test_many_faults_are_named_up_to_a_limit_and_counted(tmp_path):
    data = open_data_set(write_csv(tmp_path / "fer2013.csv", ["oops"] * 60))
    lines = fault_lines(data.dropped)
    assert len(lines) == 51 and lines[49].startswith("fer2013.csv:51: bad row")
    assert lines[50].startswith("... and 10 more") and "--list-dropped" in lines[50]
