"""``expression-ros predict`` on real images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from expression_ros.cli import main

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def portrait_file(astronaut, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # annotated images go into the current folder
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    return path


def test_the_portrait_is_one_happy_face(portrait_file, capsys):
    assert main(["predict", str(portrait_file), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["file"] == str(portrait_file)
    (face,) = result["faces"]
    assert face["label"] == "happiness"
    assert face["score"] == max(face["scores"].values())
    assert sum(face["scores"].values()) == pytest.approx(1.0, abs=1e-3)
    x, y, w, h = face["box"]
    assert 150 < x < 240 and 40 < y < 120 and 70 < w < 160 and 70 < h < 160


def test_the_table_names_file_label_and_place(portrait_file, capsys):
    assert main(["predict", str(portrait_file), "--no-picture"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.split()[:3] == [str(portrait_file), "1", "happiness"] and "pixels at" in row


def test_an_image_without_a_face_says_so(tmp_path, capsys):
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((100, 100), 128, np.uint8))
    assert main(["predict", str(path), "--no-picture"]) == 0
    assert "no face" in capsys.readouterr().out


def test_unreadable_files_are_named_and_the_others_read(portrait_file, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    code = main(["predict", str(broken), str(tmp_path / "none.png"), str(portrait_file), "--json"])
    captured = capsys.readouterr()
    assert code == 2
    assert f"{broken}: not an image" in captured.err
    assert "none.png: no such file" in captured.err
    assert [r["file"] for r in json.loads(captured.out)] == [str(portrait_file)]


def test_a_missing_model_is_one_line(portrait_file, tmp_path, capsys):
    assert main(["predict", str(portrait_file), "--model", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(portrait_file):
    command = [sys.executable, "-m", "expression_ros.cli", "predict", str(portrait_file), "--json"]
    reading, writing = os.pipe()
    os.close(reading)  # as when head has ended
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ""
