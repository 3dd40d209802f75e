"""``expression-ros evaluate``: figures of classifiers on labelled images."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from generated_faces import drawn_faces, write_drawn_fer2013, write_linear_onnx

from expression_ros.cli import main
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.resources import models_path
from expression_ros.training.data.labelled_images import CROPPED, DETECT, DataSet, LabelledImage
from expression_ros.training.evaluation.measurement import measure
from expression_ros.training.evaluation.people_groups import (
    GroupTable,
    group_figures,
    group_rows,
    read_groups,
)
from expression_ros.training.evaluation.report import comparison, figures_of, table

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")


def run(*words: object) -> int:
    return main(["evaluate", *(str(word) for word in words)])


class Guesser:
    """Says happiness of bright faces and neutral of dark ones, and how sure it is of each."""

    labels = ("happiness", "neutral")
    face = FacePreparation(size=48)

    def predict(self, face: np.ndarray) -> Prediction:
        bright = float(face.mean()) / 255
        scores = {"happiness": bright, "neutral": 1 - bright}
        label = max(scores, key=scores.__getitem__)
        return Prediction(label, scores[label], scores)

    def read(self, grey_frame: np.ndarray, box) -> Prediction:
        x, y, w, h = box
        return self.predict(grey_frame[y : y + h, x : x + w])


def image(label: str, grey: int, source: str = "a.png") -> LabelledImage:
    return LabelledImage(source, label, lambda: np.full((48, 48), grey, np.uint8))


def data_of(*images: LabelledImage, faces: str = CROPPED) -> DataSet:
    return DataSet("made up", images, [], faces)


def test_groups_of_people_by_hand():
    data = data_of(
        image("happiness", 230, "h/001_08.jpg"), image("happiness", 77, "h/002_08.jpg"),
        image("neutral", 26, "n/001_03.jpg"), image("neutral", 230, "n/003_03.jpg"),
    )  # fmt: skip
    told = GroupTable("info.csv", {"sex": {"001": "woman", "002": "man"}})
    figures = figures_of(measure(Guesser(), data, CROPPED), data, told)["groups"]["sex"]
    assert figures["groups"]["woman"] == {
        "happiness": {"faces": 1, "right": 1.0}, "neutral": {"faces": 1, "right": 1.0},
    }  # fmt: skip
    assert figures["groups"]["man"] == {"happiness": {"faces": 1, "right": 0.0}}
    assert figures["n_unknown"] == 1
    assert figures["differences"] == {}  # of one face each, nothing can be said


def test_a_difference_is_that_of_the_best_and_the_worst_of_groups_with_enough_faces():
    people = {f"{k:03}": ("a", "b", "c")[0 if k < 20 else 1 if k < 40 else 2] for k in range(41)}
    sources = [f"{name}.png" for name in people]
    right = [True] * 20 + [True] * 15 + [False] * 5 + [False]
    told = GroupTable("info.csv", {"origin": people})
    found = group_figures(told, sources, ["neutral"] * 41, right)["origin"]
    assert found["differences"] == {"neutral": pytest.approx(0.25)}  # c has one face only
    assert ["difference", "0.25"] in group_rows("origin", found)


def test_a_table_of_people_is_read_and_numbers_are_parted(tmp_path):
    path = tmp_path / "info.csv"
    path.write_text("id,age,sex,note\n001,20,f,x\n002,30,m,x\n003,41,f,x\n004,,m,x\n")
    groups = read_groups(path).groups
    assert groups["age"] == {"001": "up to 30", "002": "up to 30", "003": "over 30"}
    assert groups["sex"]["004"] == "m" and "note" not in groups


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a line of headings is expected"),
        ("id,sex\n", "a line of headings is expected"),
        ("id,sex\n001,f\n001,m\n", "001 twice"),
        ("id,sex\n001\n", "001 has 1 cells"),
        ("id,sex\n001,f\n002,f\n", "no column"),
        ("id,sex\n901,f\n902,m\n", "names nobody on these images"),
        (b"\xff\xfe\x00", "not a table of people"),
        (None, "not a table of people (No such file"),
    ],
)
def test_a_table_that_says_nothing_is_told_in_one_line(text, told, tmp_path, capsys):
    faces, labels = drawn_faces(2)
    for label, face in zip(labels, faces, strict=True):
        folder = tmp_path / "set" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"001_{len(list(folder.iterdir()))}.png"), face)
    path = tmp_path / "info.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run("--data", tmp_path / "set", "--faces", "cropped", "--groups", path) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and told in error[0]


def test_figures_by_hand():
    data = data_of(
        image("happiness", 230), image("happiness", 77), image("neutral", 26),
        image("neutral", 26), image("anger", 26),
    )  # fmt: skip
    figures = figures_of(measure(Guesser(), data, CROPPED), data)
    assert (figures["n"], figures["n_no_face"], figures["n_unreadable"]) == (4, 0, 0)
    assert figures["accuracy"] == 0.75
    assert figures["cannot_say"] == {"anger": 1}  # reported, not counted against it
    assert figures["labels"] == ["neutral", "happiness"]
    assert figures["confusion"] == [[2, 0], [1, 1]]
    assert figures["per_class"]["neutral"]["precision"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    # Said with 0.9, 0.7 and twice 0.9; the 0.7 is wrong.
    assert figures["ece"] == pytest.approx((3 * 0.1 + 0.7) / 4, abs=0.01)
    by_threshold = {row["threshold"]: row for row in figures["by_min_confidence"]}
    assert by_threshold[0.8]["said"] == 0.75 and by_threshold[0.8]["right"] == 1.0
    assert by_threshold[0.95]["right"] is None  # nothing is said: no share, and no NaN in the JSON
    assert 0 < figures["latency_ms"]["median"] <= figures["latency_ms"]["p95"]
    json.loads(json.dumps(figures, allow_nan=False))


def test_image_without_a_face_and_unreadable_one_are_counted(astronaut, tmp_path):
    folder = tmp_path / "smiling"
    folder.mkdir()
    cv2.imwrite(str(folder / "portrait.png"), astronaut)
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200), 128, np.uint8))
    (folder / "broken.png").write_bytes(b"no image")
    report = tmp_path / "scores.json"
    assert run("--data", tmp_path, "--faces", "detect", "--json", report) == 0
    figures = json.loads(report.read_text())
    assert (figures["n"], figures["n_no_face"], figures["n_unreadable"]) == (1, 1, 1)
    assert figures["accuracy"] == 1.0 and figures["per_class"]["happiness"]["recall"] == 1.0
    assert figures["detection_ms"]["median"] > 0


def test_all_keys_and_the_report(tmp_path, capsys):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    json_file, report = tmp_path / "scores.json", tmp_path / "report"
    assert run("--data", data, "--json", json_file, "--report", report) == 0
    figures = json.loads(json_file.read_text())
    assert {
        "n", "n_no_face", "accuracy", "macro_f1", "per_class", "confusion", "labels", "ece",
        "latency_ms",
    } <= set(figures)  # fmt: skip
    assert figures["n"] == len(drawn_faces(12, seed=1)[0])  # the test split alone
    assert json.loads((report / "evaluation.json").read_text()) == figures
    for name in ("confusion", "calibration", "coverage"):
        drawn = cv2.imread(str(report / f"{name}.png"))
        assert drawn is not None and drawn.shape[0] > 300 and drawn.std() > 5
    page = (report / "report.md").read_text()
    assert f"accuracy {figures['accuracy']:.4f}" in page and str(tmp_path) not in page
    assert f"accuracy {figures['accuracy']:.4f}" in capsys.readouterr().out


def test_classifiers_side_by_side(tmp_path, capsys):
    data, model = write_drawn_fer2013(tmp_path / "fer2013.npz", 60, 20), tmp_path / "mine"
    assert main(["train", "knn", "--data", str(data), "--output", str(model),
                 "--components", "20"]) == 0  # fmt: skip
    capsys.readouterr()
    json_file = tmp_path / "both.json"
    words = ("--data", data, "--compare", f"fisherfaces,drawn={model},{model}", "--json", json_file)
    assert run(*words, "--report", tmp_path / "report") == 0
    out = capsys.readouterr().out
    figures = json.loads(json_file.read_text())
    assert list(figures) == ["fisherfaces", "drawn", "mine"]
    assert figures["drawn"]["classifier"] == "knn"
    assert figures["drawn"]["accuracy"] == figures["mine"]["accuracy"] > 0.9
    for name, row in figures.items():
        assert f"| {name}" in out and f"{row['accuracy']:.4f}" in out
    assert (tmp_path / "report" / "drawn" / "confusion.png").is_file()
    assert (tmp_path / "report" / "comparison.md").read_text().count("\n|") == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "/nowhere.npz"), "/nowhere.npz: no such file"),
        (("--data", "DATA", "--model", "/nowhere"), "/nowhere is neither a classifier"),
        (("--data", "DATA", "--compare", "fisherfaces,hal9000"), "hal9000 is neither a classifier"),
        (("--data", "DATA", "--classifier", "knn"), "no model of classifier knn is shipped"),
        (("--data", "DATA", "--split", "validation"), "has no split validation, but train, test"),
        (("--data", "DATA", "--classifier", "svm", "--compare", "fisherfaces"), "not both"),
        (("--data", "DATA", "--json", "/nowhere/scores.json"), "there is no folder /nowhere"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, words, message):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    assert run(*(data if word == "DATA" else word for word in words)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("expression-ros: ") and message in error


def test_data_without_any_face_is_one_line(tmp_path, capsys):
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / "wall.png"), np.full((200, 200), 128, np.uint8))
    assert run("--data", tmp_path, "--faces", "detect") == 2
    assert "no face to judge; 1 without exactly one face" in capsys.readouterr().err


def test_detected_faces_are_read_with_their_surroundings(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    data = data_of(LabelledImage("a.png", "neutral", lambda: grey), faces=DETECT)
    result = measure(Guesser(), data, DETECT)
    assert len(result.said) == len(result.detection_s) == 1


def test_tables_are_aligned():
    rows = table([("", "a"), ("long name", "1")]).splitlines()
    assert rows == ["|           | a |", "|-----------|---|", "| long name | 1 |"]
    figures = {"accuracy": 0.5, "macro_f1": 0.4, "ece": 0.1, "n": 1000,
               "latency_ms": {"median": 2.0, "p95": 3.0}, "n_no_face": 4, "n_cannot_say": 5,
               "per_class": {"happiness": {"recall": 0.75}}}  # fmt: skip
    text = comparison({"x": figures})
    assert "| x | 0.5000   | 0.4000   | 0.100             | 1,000 | 2.0       | 3.0 | 4 " in text
    assert "| x      | 0.75      |" in text


def said(figures: dict) -> list[str]:
    """Return the labels said, one per face."""
    columns = zip(figures["labels"], zip(*figures["confusion"], strict=True), strict=True)
    return [label for label, column in columns for _ in range(sum(column))]


def test_the_same_photo_gets_the_label_that_predict_gives(astronaut, tmp_path, capsys):
    folder = tmp_path / "data" / "neutral"  # a wrong label, or one would not see who said it
    folder.mkdir(parents=True)
    for name, photo in (("a", astronaut), ("b", astronaut[:, ::-1]), ("c", astronaut // 2)):
        cv2.imwrite(str(folder / f"{name}.png"), photo)
    photos = sorted(str(photo) for photo in folder.iterdir())
    assert main(["predict", "--json", *photos]) == 0
    predicted = [r["faces"][0]["label"] for r in json.loads(capsys.readouterr().out)]
    report = tmp_path / "scores.json"
    assert run("--data", tmp_path / "data", "--json", report) == 0
    figures = json.loads(report.read_text())
    assert figures["faces"] == "detect" and figures["split"] == "all"
    assert sorted(said(figures)) == sorted(predicted)


def test_folders_by_any_alias_and_a_label_the_model_cannot_say(tmp_path, capsys):
    names = ("smiling", "Happy", "SURPRISED", "scared", "contemptuous", "CO")
    faces, _ = drawn_faces(len(names))
    for name, face in zip(names, faces, strict=True):
        (tmp_path / "data" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "data" / name / "face.png"), face)
    report = tmp_path / "scores.json"
    assert run("--data", tmp_path / "data", "--json", report) == 0
    figures = json.loads(report.read_text())
    assert {label: s["faces"] for label, s in figures["per_class"].items()} == {
        "fear": 1, "happiness": 2, "surprise": 1,
    }  # fmt: skip
    assert figures["n"] == sum(map(sum, figures["confusion"])) == 4
    assert figures["cannot_say"] == {"contempt": 2} and "contempt" not in figures["labels"]
    assert "2 labelled contempt, which the model cannot say" in capsys.readouterr().out


def test_what_was_dropped_is_counted_and_damage_is_named(tmp_path, capsys):
    data = tmp_path / "fer2013.npz"
    images, _ = drawn_faces(12)
    split = np.repeat([0, 1], [6, 6])
    labels = np.array([3, 4, 5] * 4)
    labels[11] = 9  # FER2013 has 0 to 6
    copies = np.arange(12) == 7
    np.savez(data, images=images, labels=labels, split=split, duplicate_of_train=copies)
    report = tmp_path / "scores.json"
    assert run("--data", data, "--json", report) == 0
    figures = json.loads(report.read_text())
    assert figures["n"] == 4 and figures["split"] == "test"
    assert figures["dropped"] == {"unknown label or split": 1, "copy of a training image": 1}
    assert "left out: fer2013.npz[11]: unknown label" in capsys.readouterr().err
    assert run("--data", data, "--split", "all", "--json", report) == 0
    assert json.loads(report.read_text())["n"] == 10


def test_report_quotes_a_command_without_the_paths_of_this_machine(tmp_path):
    data = write_drawn_fer2013(tmp_path / "drawn faces.npz", 30, 12)
    model = tmp_path / "my model"
    shutil.copytree(models_path("fisherfaces"), model)
    shutil.copytree(models_path("embedding"), tmp_path / "embedding")
    words = ("--data", data, "--model", model, "--split", "train", "--report", tmp_path / "out")
    assert run(*words) == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert ("    expression-ros evaluate --data 'drawn faces.npz' --split train "
            "--classifier fisherfaces --model 'my model'\n") in page  # fmt: skip
    assert str(tmp_path) not in page + (tmp_path / "out" / "evaluation.json").read_text()


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        ("fisherfaces,fisherfaces", "has fisherfaces twice"),
        (",", "needs classifiers"),
        ("../x=models", "is not a name"),
        ("a=EMPTY", "nor a model folder"),
    ],
)
def test_bad_comparison_is_one_line(tmp_path, capsys, compare, message):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    assert run("--data", data, "--compare", compare.replace("EMPTY", str(tmp_path))) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error


def test_network_beside_its_description_is_measured(tmp_path, capsys):
    faces, labels = drawn_faces(30)
    names = sorted(set(labels.tolist()))
    means = np.stack([faces[labels == name].mean(axis=0).ravel() for name in names], axis=1)
    means -= means.mean(axis=1, keepdims=True)
    write_linear_onnx(tmp_path / "network.onnx", means.astype(np.float32), (1, 1, 48, 48))
    (tmp_path / "network.yaml").write_text(f"file: network.onnx\nlabels: {names}\n")
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    report = tmp_path / "scores.json"
    words = ("--data", data, "--compare", f"ours=fisherfaces,theirs={tmp_path}", "--json", report)
    assert run(*words) == 2  # "fisherfaces" is no folder here
    capsys.readouterr()
    assert run("--data", data, "--compare", f"fisherfaces,theirs={tmp_path}", "--json", report) == 0
    figures = json.loads(report.read_text())
    assert figures["theirs"]["classifier"] == "onnx"
    assert sorted(figures["theirs"]["labels"]) == names
    assert figures["theirs"]["accuracy"] > figures["fisherfaces"]["accuracy"]


def test_a_flat_folder_is_told_how_it_must_look_in_one_line(tmp_path, capsys):
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((48, 48), 128, np.uint8))
    assert run("--data", tmp_path) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "expression-ros" in text]
    assert "3 images and no folders" in line and "happiness/a.png" in line
