"""The images of docs/how_it_works.md tell the truth, and the pages lead where they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
if not (DOCS / "how_it_works.md").is_file():
    pytest.skip("the documentation is not installed", allow_module_level=True)
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[train]'")
pytest.importorskip("scipy", reason="needs scikit-learn: pip install '.[train]'")
sys.path.insert(0, str(REPOSITORY / "tools"))

import draw_explanations as explanations  # noqa: E402
from generated_faces import write_linear_onnx  # noqa: E402

from expression_ros.mirroring.robot_table import load_robot  # noqa: E402
from expression_ros.parameters.nodes import CAMERA_PARAMETERS  # noqa: E402
from expression_ros.parameters.table import check_value  # noqa: E402
from expression_ros.recognition.detection import FaceDetector  # noqa: E402
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble  # noqa: E402
from expression_ros.recognition.models import load_classifier  # noqa: E402
from expression_ros.recognition.network_description import (  # noqa: E402
    NetworkDescription,
    read_description,
)
from expression_ros.recognition.opencv_parts import load_cascade  # noqa: E402
from expression_ros.resources import models_path  # noqa: E402
from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model  # noqa: E402


def test_the_stages_throw_out_all_windows_but_those_about_the_face():
    scene = explanations.draw_scene()
    counts, left = explanations.windows_left(scene, explanations.read_stages())
    assert len(counts) == 26
    assert counts == sorted(counts, reverse=True)
    # OpenCV asks the same questions, of small windows at every second place only.
    theirs = load_cascade("frontalface_default").detectMultiScale(scene, 1.1, 0)
    ours, theirs = np.array(left), np.array(theirs, float)[:, :3]
    apart = np.abs(ours[:, None] - theirs).max(axis=2)
    assert (apart.min(axis=0) < 1.5).all()
    assert (apart.min(axis=1) < 1.5).mean() > 0.8
    x, y, side, _ = FaceDetector("all", 0.2).search_frame(scene, (0,))[0].box
    middles = ours[:, :2] + ours[:, 2:] / 2 - (x + side / 2, y + side / 2)
    assert np.sum(np.abs(middles).max(axis=1) > 0.5 * side) == 2  # as the page says


def test_the_nearest_mean_in_the_plane_is_what_opencv_says(tmp_path):
    models, vectors, _ = explanations.train_on_drawings()
    for model in models:
        write_opencv_model(tmp_path / "model.xml.gz", model, dict(enumerate(explanations.LABELS)))
        member = cv2.face.FisherFaceRecognizer.create()
        member.read(str(tmp_path / "model.xml.gz"))
        said = [member.predict(vector[None])[0] for vector in vectors]
        places, means = explanations.plane(model, vectors), explanations._means(model)
        near = ((places[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        # The frequency of the classes, which the plane does not show, counts for next to nothing.
        assert np.mean(near == said) > 0.98


def test_every_image_is_drawn_shown_and_small():
    text = (DOCS / "how_it_works.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([a-z_]+\.png)\)", text)
    assert sorted(shown) == sorted(explanations.IMAGES)
    files = sorted((DOCS / "pictures").iterdir())
    assert [file.name for file in files] == sorted(explanations.IMAGES)
    assert sum(file.stat().st_size for file in files) < 300_000


@pytest.mark.parametrize("name", explanations.IMAGES)
def test_images_are_as_the_code_draws_them(name, tmp_path):
    """Fonts and solvers differ between versions; another image differs by far more."""
    explanations.IMAGES[name](tmp_path / name)
    new, old = cv2.imread(str(tmp_path / name)), cv2.imread(str(DOCS / "pictures" / name))
    assert abs(new.shape[0] - old.shape[0]) < 20
    assert new.shape[1] == old.shape[1]
    new, old = (cv2.resize(image, (160, 60), interpolation=cv2.INTER_AREA).astype(float)
                for image in (new, old))  # fmt: skip
    assert np.abs(new - old).mean() < 3.0, "run: python tools/draw_explanations.py"


def test_the_page_says_what_the_shipped_model_does():
    text = " ".join((DOCS / "how_it_works.md").read_text(encoding="utf-8").split())
    ensemble = FisherfaceEnsemble.load(models_path("fisherfaces"))
    said = [ensemble.predict(face) for face in explanations.from_smile_to_surprise()]
    scores = [f"{one.score:.2f}" for one in said]
    assert f"and scores of {scores[2]}, {scores[3]} and {scores[4]}" in text
    assert {round(one.votes[one.label], 2) for one in said[2:]} == {1.0}  # ten of ten
    limit = ensemble.manifest.settings["min_confidence"]
    assert f"`min_confidence`, {limit}" in text
    card = (models_path("fisherfaces") / "README.md").read_text(encoding="utf-8")
    for row, told in (
        ("right by what most people see", "and the vote for {:.3f}"),
        ("right by what most people see", "most people, {:.3f}"),
        ("agreement with one person, of 3,274 faces", "one person, {:.3f}"),
        ("a second person with a first", "a second person would for {:.3f}"),
        ("a single model", "for {:.3f} of the faces of FER2013's public test"),
        ("accuracy of the vote", "accuracy, {:.3f}"),
        ("macro F1 of the vote", "macro F1, {:.3f}"),
        (f"{limit:.2f}", "90 of 100"),
    ):
        value = re.search(rf"^\| {re.escape(row)} \| ([0-9.]+)", card, re.M).group(1)
        assert told.format(float(value)) in text
        assert row[0] != "0" or told == f"{100 * float(value):.0f} of 100"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_description_of_a_network_works_as_it_is_printed(tmp_path):
    (text,) = blocks("classifiers.md", "yaml")
    (tmp_path / "network.yaml").write_text(text, encoding="utf-8")
    shortened = yaml.safe_load(text)
    weights = np.zeros((48 * 48, len(shortened["labels"])), np.float32)
    weights[:, 3] = 1.0
    write_linear_onnx(tmp_path / "network.onnx", weights, (1, 1, 48, 48))
    face = np.full((48, 48), 120, np.uint8)
    said = load_classifier("onnx", tmp_path).predict(face)
    assert said.label == "happiness"
    # "The rest has these defaults."
    (tmp_path / "network.yaml").write_text(
        yaml.safe_dump({key: shortened[key] for key in ("file", "labels")}), encoding="utf-8"
    )
    assert read_description(tmp_path) == NetworkDescription.from_mapping(yaml.safe_load(text))
    assert load_classifier("onnx", tmp_path).predict(face) == said


def test_the_classifier_that_is_printed_can_be_used():
    (text,) = blocks("classifiers.md", "python")
    known = {}
    exec(compile(text, "classifiers.md", "exec"), known)
    faces = known["recognizer"].read(explanations.draw_scene(), 0.0).faces
    assert [face.label for face in faces] == ["happiness"]


def test_the_robot_of_the_tutorial_works_as_it_is_printed(tmp_path):
    (text,) = blocks("tutorial.md", "yaml")
    (tmp_path / "my_robot.yaml").write_text(text, encoding="utf-8")
    robot = load_robot(str(tmp_path / "my_robot.yaml"))
    assert robot.neutral == "idle"


def test_the_parameters_of_the_camera_are_those_there_are():
    (text,) = blocks("cameras.md", "yaml")
    known = {spec.name: spec for spec in CAMERA_PARAMETERS}
    for name, value in yaml.safe_load(text)["/**/camera"]["ros__parameters"].items():
        assert check_value(known[name], value) == ""


def anchors(page):
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    "page", [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_index_names_every_page():
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page}" not in text} == set()
