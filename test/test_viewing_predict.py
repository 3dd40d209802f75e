"""The table of ``expression-ros predict`` and the images it writes."""

from __future__ import annotations

import json
import struct

import cv2
import numpy as np
import pytest

from expression_ros.cli import main
from expression_ros.images.files import PhotoError, read_colour_photo, read_photo
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.overlay import COLOURS


@pytest.fixture
def portrait(astronaut, tmp_path, monkeypatch):
    """Return a photo in a folder of its own; the current folder is another, empty one."""
    folder, here = tmp_path / "photos", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    path = folder / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    return path


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def pixels_of(image, colour) -> int:
    return int((image == colour).all(axis=2).sum())


def test_the_annotated_image_lies_in_the_current_folder_and_is_named(
    portrait, astronaut, tmp_path, capsys
):
    assert main(["predict", str(portrait)]) == 0
    heads, row, written = capsys.readouterr().out.splitlines()
    assert heads.split() == ["PHOTO", "FACE", "EXPRESSION", "SCORE", "VOTES", "BOX"]
    assert row.split()[:3] == [str(portrait), "1", "happiness"] and "%" in row
    assert written == "written: astronaut_expression.png"
    assert names(tmp_path / "here") == ["astronaut_expression.png"]
    assert names(portrait.parent) == ["astronaut.png"]
    image = cv2.imread("astronaut_expression.png")
    assert image.shape == astronaut.shape
    assert pixels_of(image, COLOURS["happiness"]) > 500
    untouched = image[300:] == astronaut[300:]  # below the box; the panel is beside it
    assert untouched.mean() > 0.95


def test_no_file_is_ever_overwritten(portrait, tmp_path, capsys):
    mine = tmp_path / "here" / "astronaut_expression.png"
    mine.write_text("mine")
    assert main(["predict", str(portrait), str(portrait)]) == 0
    assert mine.read_text() == "mine"
    numbered = [f"astronaut_expression{end}.png" for end in ("", "_2", "_3")]
    assert names(mine.parent) == sorted(numbered)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [f"written: {name}" for name in numbered[1:]]


@pytest.mark.parametrize("option", ["--no-picture", "--json"])
def test_without_an_image_nothing_is_written(portrait, tmp_path, capsys, option):
    assert main(["predict", str(portrait), option]) == 0
    assert names(tmp_path / "here") == [] and names(portrait.parent) == ["astronaut.png"]
    assert "written" not in capsys.readouterr().out


def test_json_names_the_image_that_was_asked_for(portrait, tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["predict", str(portrait), "--json", "--output", str(folder)]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["picture"] == str(folder / "astronaut_expression.png")
    assert cv2.imread(result["picture"]) is not None
    (face,) = result["faces"]
    assert sum(face["votes"].values()) == pytest.approx(1.0)
    assert names(tmp_path / "here") == []


def test_a_folder_that_cannot_be_one_is_said_and_the_table_still_printed(portrait, capsys):
    assert main(["predict", str(portrait), "--output", str(portrait)]) == 2
    captured = capsys.readouterr()
    assert "is not a folder; name another with --output" in captured.err
    assert captured.err.count("\n") == 1 and "happiness" in captured.out
    assert cv2.imread(str(portrait)) is not None


def test_small_photos_are_enlarged_and_those_without_a_face_say_so(
    astronaut, portrait, tmp_path, capsys
):
    small, wall = portrait.parent / "small.png", portrait.parent / "wall.png"
    cv2.imwrite(str(small), cv2.resize(astronaut[:256, 100:356], (64, 64)))
    cv2.imwrite(str(wall), np.full((400, 500), 128, np.uint8))
    assert main(["predict", str(small), str(wall), "--min-face", "0.3"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[2].split()[1:] == ["-", "no", "face"]
    assert cv2.imread("small_expression.png").shape == (320, 320, 3)
    image = cv2.imread("wall_expression.png")
    assert image.shape == (400, 500, 3)
    assert pixels_of(image[350:], (128, 128, 128)) < 150 * 500  # "no face", in the corner
    assert (image[:350] == 128).all()


def test_every_face_of_the_table_is_boxed_in_the_image(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(clips / "multi_face.jpg")]) == 0
    _, *rows, _ = capsys.readouterr().out.splitlines()
    assert [row.split()[1] for row in rows] == [str(k + 1) for k in range(len(rows))]
    assert len(rows) >= 4
    image = cv2.imread("multi_face_expression.png")
    for row in rows:
        width, x, y = int(row.split()[5].split("x")[0]), *map(int, row.split()[-1].split(","))
        label = row.split()[2]
        sides = [x - 2, x - 1, x, x + 1, x + 2, x + width - 1, x + width, x + width + 1]
        edges = image[y + width // 2, sides]  # one may lie under the box of a larger face
        assert (edges == COLOURS[label]).all(axis=1).any(), row


def test_a_person_is_adapted_to(portrait, astronaut, monkeypatch, tmp_path, capsys):
    from expression_ros.personal.kept_persons import save_person
    from expression_ros.recognition.adapted_vote import descriptor_digest
    from expression_ros.recognition.models import load_classifier
    from expression_ros.recognition.person import Person

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert main(["predict", str(portrait), "--person", "ada", "--no-picture"]) == 2
    assert "nobody is called ada" in capsys.readouterr().err
    assert main(["predict", str(portrait), "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)[0]["faces"]
    assert face["label"] == "happiness"
    ensemble = load_classifier("fisherfaces")
    prepared = prepare_face(read_photo(portrait), face["box"], ensemble.face)
    vectors = np.repeat(ensemble.descriptor.describe(prepared), 10, axis=0).astype(np.float32)
    digest = descriptor_digest(ensemble)
    save_person(Person("ada", vectors, ("sadness",) * 10, np.zeros(10, np.int64), digest, 0.1))
    assert main(["predict", str(portrait), "--json", "--person", "ada"]) == 0
    (face,) = json.loads(capsys.readouterr().out)[0]["faces"]
    assert face["label"] == "sadness"  # what this person calls that face


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG whose EXIF data say how it is to be turned."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + b"\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_colour_photo_is_turned_as_the_grey_one(tmp_path, orientation):
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :32] = (0, 0, 255)  # red in the upper left
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_orientation(cv2.imencode(".jpg", stored)[1].tobytes(), orientation))
    colour, grey = read_colour_photo(path), read_photo(path)
    assert colour.shape == (*grey.shape, 3)
    assert grey.shape == ((32, 64) if orientation < 5 else (64, 32))
    as_grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(as_grey - grey).max() < 20
    corners = {(0, 0): (1, 5), (0, -1): (2, 6), (-1, -1): (3, 7), (-1, 0): (4, 8)}
    (red,) = [corner for corner in corners if colour[corner][2] > 200]
    assert orientation in corners[red]


def test_a_photo_on_its_side_is_drawn_on_upright(astronaut, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    on_its_side = cv2.rotate(astronaut[:400], cv2.ROTATE_90_COUNTERCLOCKWISE)
    data = cv2.imencode(".jpg", on_its_side, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    (tmp_path / "phone.jpg").write_bytes(with_orientation(data, 6))  # to be turned clockwise
    assert main(["predict", "phone.jpg"]) == 0
    assert "happiness" in capsys.readouterr().out
    image = cv2.imread("phone_expression.png")
    assert image.shape == (400, 512, 3)
    below = np.abs(image[300:].astype(int) - astronaut[300:400])
    assert np.median(below) < 10


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_what_is_no_photo_is_refused_in_colour_too(tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=r"not an image|is empty"):
        read_colour_photo(path)
    with pytest.raises(PhotoError, match="no such file"):
        read_colour_photo(tmp_path)
