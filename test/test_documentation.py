"""The commands of the documentation are run; what needs a camera or a robot is checked by word.

A command is a line of README.md, docs/ or CONTRIBUTING.md that is set off by four spaces.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from generated_faces import LABELS, draw_face, write_drawn_fer2013
from labelled_data import write_ck_plus, write_zip
from videos import frames

from expression_ros.cli import _parser, main
from expression_ros.resources import share_path
from expression_ros.vocabulary import FER2013_ORDER

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md",
         *sorted((REPOSITORY / "docs").glob("*.md"))]  # fmt: skip
TOOLS = ("expression-ros ", "ros2 ", "make", "python tools/")
# These go on until somebody ends them, or need a device; their own tests run them.
NOT_HERE = ("live", "web")
FIRST = ("prepare", "train svm", "train", "calibrate", "predict")


def commands(tool):
    found = {}
    for page in PAGES:
        if not page.is_file():
            continue  # of another installation than a checkout
        whole = re.sub(r" \\\n +", " ", page.read_text(encoding="utf-8"))  # a line that goes on
        for line in whole.splitlines():
            if re.match(rf" {{4,}}{re.escape(tool)}", line):
                text = re.sub(r"\s+#.*", "", line.strip())
                found.setdefault(" ".join(text.split()), page.name)
    return found


def order(command):
    words = command.removeprefix("expression-ros ")
    return next((k for k, start in enumerate(FIRST) if words.startswith(start)), len(FIRST)), words


# What a command needs that another one makes, so that each can be run by itself.
MADE_BY = {
    "ck_plus.npz": "expression-ros prepare --data CK+ --output ck_plus.npz",
    "my_models/svm": "expression-ros train svm --data fer2013.npz --output my_models/svm",
}


def made_in(arguments):
    return arguments[arguments.index("--output") + 1] if "--output" in arguments else ""


OURS = sorted(commands("expression-ros "), key=order)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory, clips):
    """Return a folder with all the files that the documentation speaks of."""
    skimage = pytest.importorskip("skimage.data", reason="needs scikit-image: pip install .[test]")
    folder = tmp_path_factory.mktemp("sandbox")
    portrait = cv2.cvtColor(skimage.astronaut(), cv2.COLOR_RGB2BGR)
    person = [image for _, image in frames(clips / "single_face.mp4")]
    for name in ("photo.jpg", "party.jpg"):
        cv2.imwrite(str(folder / name), portrait)
    for name in ("clip.mp4", "session.mp4"):
        shutil.copy(clips / "single_face.mp4", folder / name)
    (folder / "pictures").mkdir()
    for k in range(5):
        cv2.imwrite(str(folder / "pictures" / f"{k}.png"), person[k])
        # Somebody who is read wrong at first: calibrating has to be of use to be saved.
        for emotion, image in (("neutral", person[10 * k]), ("sadness", portrait)):
            place = folder / "ada" / emotion
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / f"{k}.png"), np.roll(image, k, 1))
    writer = cv2.VideoWriter(str(folder / "ada.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 20.0,
                             (640, 480))  # fmt: skip
    for k in range(200):
        image = person[k % len(person)] if k < 90 else np.roll(portrait[:384], k % 5 - 2, 1)
        writer.write(cv2.resize(image, (640, 480)))
    writer.release()
    write_drawn_fer2013(folder / "fer2013.npz", train=300, test=60)
    rng = np.random.default_rng(0)
    with np.load(folder / "fer2013.npz") as data:  # nine of ten people see what was drawn
        votes = 9 * np.eye(9, dtype=int)[data["labels"]] + np.eye(9, dtype=int)[7]
    np.savez(folder / "ferplus_votes.npz", ferplus_votes=votes,
             ferplus_names=[*FER2013_ORDER, "unknown", "NF"])  # fmt: skip
    drawn = {f"{label}/person{k}_{label}.png": draw_face(label, rng)
             for label in LABELS for k in range(10)}  # fmt: skip
    for name in ("my_faces.zip", "faces.zip"):
        write_zip(folder / name, drawn)
    whole = {"neutral": person[0], "happiness": portrait}
    portraits = {f"{label}/{k:03d}_03.png": np.roll(image, k, 1)
                 for label, image in whole.items() for k in range(3)}  # fmt: skip
    write_zip(folder / "london.zip", portraits)
    told = "".join(f"{k:03d},{'fm'[k % 2]}\n" for k in range(3))
    (folder / "london_faces_info.csv").write_text(f"face_id,face_gender\n{told}", "utf-8")
    grey = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    write_ck_plus(folder / "CK+", {f"S{k:03d}/001": 3.0 + 2 * (k % 2) for k in range(12)},
                  [grey, cv2.flip(grey, 1)])  # fmt: skip
    table = yaml.safe_load((share_path("config", "robots") / "boris.yaml").read_text("utf-8"))
    (folder / "my_robot.yaml").write_text(yaml.safe_dump({**table, "name": "my_robot"}), "utf-8")
    shutil.copytree(share_path("models"), folder / "models")
    return folder


@pytest.fixture
def inside(sandbox, monkeypatch, tmp_path):
    """Work in the sandbox, with a home of its own in which ada is known."""
    monkeypatch.chdir(sandbox)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def know_ada():
        assert main(["calibrate", "ada", "--faces", "ada"]) == 0

    return know_ada


def needs(arguments):
    """Skip where a command needs what this machine lacks."""
    if arguments[:2] == ["train", "cnn"]:
        pytest.importorskip("torch", reason="needs PyTorch")
        pytest.importorskip("onnx", reason="needs onnx")
    if arguments[0] in ("train", "evaluate", "prepare"):
        pytest.importorskip("sklearn", reason="needs scikit-learn")


@pytest.mark.parametrize("command", OURS)
def test_command_of_ours(command, inside, capsys, sandbox):
    arguments = shlex.split(command)[1:]
    _parser().parse_args(arguments)  # ends with an error if there is no such option
    alive = {"--camera", "--topic"} & set(arguments) or arguments[0] in NOT_HERE
    # The weights of detectors are the user's own (see test_detectors.py), and no neutral faces are
    # drawn here to go with those of the portraits (see test_portrait_lessons.py).
    if {"--detector", "--learn-portraits"} & set(arguments):
        return
    if alive or "demo" in arguments:
        return
    # For faces with landmarks see test_landmarks.py, for bags test_analyze.py; here are neither.
    if arguments[:2] == ["train", "landmarks"] or any("rosbag2" in word for word in arguments):
        return
    needs(arguments)
    makes_ada = arguments[0] == "calibrate" and {"--video", "--faces"} & set(arguments)
    if "ada" in arguments and not makes_ada:
        inside()
    for made, maker in MADE_BY.items():
        if made in command and made != made_in(arguments) and not (sandbox / made).exists():
            assert main(shlex.split(maker)[1:]) == 0
    if "my_models/svm_rbf" in command and not (sandbox / "my_models" / "svm_rbf").exists():
        shutil.copytree(sandbox / "my_models" / "svm", sandbox / "my_models" / "svm_rbf")
    code = main(arguments)
    said = capsys.readouterr()
    assert code == 0, said.err


def test_there_are_commands_to_check():
    if not (REPOSITORY / "README.md").is_file():
        pytest.skip("the documentation is not installed")
    assert len(OURS) > 30
    assert len(commands("ros2 launch expression_ros")) > 4


@pytest.mark.parametrize("command", sorted(commands("ros2 launch expression_ros")))
def test_launch_arguments_are_declared(command):
    _, _, _, file, *arguments = shlex.split(command)
    text = (REPOSITORY / "launch" / file).read_text(encoding="utf-8")
    for argument in arguments:
        if argument.startswith("--"):
            continue
        name, value, *_ = argument.split(":=")
        assert f'("{name}", ' in text, f"{file} has no argument {name}"
        assert value


@pytest.mark.parametrize("command", sorted(commands("ros2 run expression_ros")))
def test_executables_are_installed(command):
    executable = shlex.split(command)[3]
    setup = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    assert f'"{executable} = expression_ros.' in setup


@pytest.mark.parametrize("command", sorted(commands("make")))
def test_targets_of_make_are_there(command):
    words = shlex.split(command)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for word in words[1:]:
        name = word.split("=")[0]
        pattern = rf"^{name} \??:?=|\$\({name}\)" if "=" in word else rf"^{name}:"
        assert re.search(pattern, makefile, re.M), f"the Makefile has no {word}"


@pytest.mark.parametrize("command", sorted(commands("python tools/")))
def test_tools_are_there_and_take_these_options(command):
    _, tool, *arguments = shlex.split(command)
    assert (REPOSITORY / tool).is_file()
    options = [word for word in arguments if word.startswith("--")]
    if options:
        told = subprocess.run([sys.executable, str(REPOSITORY / tool), "--help"],
                              capture_output=True, text=True, timeout=120)  # fmt: skip
        assert told.returncode == 0, told.stderr
        for option in options:
            assert option in told.stdout
