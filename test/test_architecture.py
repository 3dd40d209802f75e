"""The image of the folders is drawn from the code and can be read; the page about it is true."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from html import unescape
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
sys.path.insert(0, str(REPOSITORY / "tools"))

import draw_architecture as drawn  # noqa: E402
from import_graph import Layers, Package, reachable  # noqa: E402

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
RENAMES = (DOCS / "renames.md").read_text(encoding="utf-8")
PACKAGE = Package(REPOSITORY)
SVG = "{http://www.w3.org/2000/svg}"
SMALL = """
| folder | what | may know |
|---|---|---|
| `cli.py` | typed words | argparse |
| `nodes/` | topics & time | ROS |
| `shop/` > `goods/`, `web/` | <things> | - |
| `words.py`, `paths.py` | ground | - |

"""


@pytest.fixture(scope="module")
def drawing():
    table = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return drawn.drawing_of(PACKAGE, Layers(table))


def test_the_image_is_what_the_command_draws_now():
    kept = (DOCS / "architecture.svg").read_text(encoding="utf-8")
    assert kept == drawn.image(), "draw it anew: python tools/draw_architecture.py"


def test_every_folder_has_a_box_in_its_row(drawing):
    table = Layers((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    shown = {name.rstrip("/"): drawing.rows[place.level] for level in drawing.levels
             for place in level if place.lines for name in place.lines[0].split(", ")}  # fmt: skip
    assert shown == table.row


def test_arrows_say_the_same_as_all_imports(drawing):
    """What is left out follows from what is drawn, and every arrow stands for an import."""
    box_of = drawn.boxes_of(Layers((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    everything = {(box_of[a], box_of[b]) for a, b in PACKAGE.between_folders}
    everything = {(a, b) for a, b in everything if a != b}
    shown = {(way[0].lines[0].rstrip("/"), way[-1].lines[0].rstrip("/"))
             for way, _ in drawing.arrows}  # fmt: skip
    assert shown <= everything
    assert reachable(shown) == reachable(everything)
    assert len(shown) + drawing.left_out == len(everything)
    assert len(shown) < 45, "an image of so many arrows is not looked at"


def box(drawing, place):
    top = drawing.tops[place.level]
    return place.x - place.width / 2, top, place.x + place.width / 2, top + drawn.BOX_HEIGHT


def test_no_box_touches_another_or_the_words_beside(drawing):
    for level in drawing.levels:
        boxes = [box(drawing, place) for place in level if place.lines]
        assert all(a[2] + 10 < b[0] for a, b in pairwise(boxes))
        assert boxes[0][0] > drawn.MARGIN + drawn.TEXT_WIDTH


def test_no_arrow_crosses_a_box_and_all_go_down(drawing):
    everyone = [place for level in drawing.levels for place in level if place.lines]
    for way, _ in drawing.arrows:
        points = drawn.path_of(way, drawing.tops)
        assert [y for _, y in points] == sorted({y for _, y in points})
        for x, y in points:
            for other in set(everyone) - {way[0], way[-1]}:
                left, top, right, bottom = box(drawing, other)
                assert not (left - 5 < x < right + 5 and top <= y <= bottom), (way, other)


def test_ends_of_arrows_are_apart_and_on_their_boxes(drawing):
    ends = [point for way, _ in drawing.arrows
            for point in (drawn.path_of(way, drawing.tops)[k] for k in (0, -1))]  # fmt: skip
    assert len(set(ends)) == len(ends)
    for way, _ in drawing.arrows:
        points = drawn.path_of(way, drawing.tops)
        for place, (x, _) in ((way[0], points[0]), (way[-1], points[-1])):
            assert abs(x - place.x) < place.width / 2


def texts(svg):
    return [(float(t.get("x")), float(t.get("y")), t.text) for t in svg.iter(f"{SVG}text")]


def test_words_stay_in_their_row_and_left_of_the_boxes():
    svg = ElementTree.fromstring(drawn.image())
    left = [(y, text) for x, y, text in texts(svg) if x == drawn.MARGIN][:-1]
    assert all(7 * len(text) < drawn.TEXT_WIDTH + 2 * drawn.MARGIN for _, text in left)
    heights = sorted(y for y, _ in left)
    assert all(b - a >= drawn.TEXT_LINE for a, b in pairwise(heights))
    table = Layers((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert " ".join(text for _, text in left) == " ".join(table.what)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Make a repository of a small package its tree; return what its modules import."""
    imports = {
        "__init__": "",
        "cli": "import expression_ros.nodes.web, expression_ros.shop.till",
        "nodes.web": "import expression_ros.shop.till, expression_ros.words",
        "shop.till": "import expression_ros.goods.bread",
        "goods.bread": "import expression_ros.words",
        "web.page": "import expression_ros.words, expression_ros.paths",
        "words": "",
        "paths": "",
    }
    for module, text in imports.items():
        path = tmp_path / "expression_ros" / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "CONTRIBUTING.md").write_text(SMALL, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(drawn, "REPOSITORY", tmp_path)
    return tmp_path


def test_a_small_package_is_drawn_as_it_is(small):
    drawing = drawn.drawing_of(Package(small), Layers(SMALL))
    # goods/ stands below shop/ in the same row
    assert drawing.rows == [0, 1, 2, 2, 3]
    arrows = {(way[0].lines[0], way[-1].lines[0]): n for way, n in drawing.arrows}
    ground = "words.py, paths.py"
    assert arrows == {
        ("cli.py", "nodes/"): 1, ("nodes/", "shop/"): 1, ("shop/", "goods/"): 1,
        ("goods/", ground): 1, ("web/", ground): 2,
    }  # fmt: skip
    assert drawing.left_out == 2
    colours = {p.lines[0]: p.colour for level in drawing.levels for p in level if p.lines}
    assert [colours[name] for name in ("cli.py", "nodes/", "web/")] == [
        drawn.ARGPARSE, drawn.ROS, drawn.PLAIN,
    ]  # fmt: skip
    svg = drawn.image()
    assert "topics &amp; time" in svg and "&lt;things&gt;" in svg
    ElementTree.fromstring(svg)
    assert "<things>" in unescape(svg)


def test_a_row_is_as_high_as_its_words(small):
    long = SMALL.replace("<things>", "many words " * 40)
    (small / "CONTRIBUTING.md").write_text(long, encoding="utf-8")
    svg = ElementTree.fromstring(drawn.image())
    bands = [(float(r.get("y")), float(r.get("height"))) for r in svg.iter(f"{SVG}rect")
             if r.get("fill") == "#f8f9fa"]  # fmt: skip
    assert len(bands) == 4
    assert all(y + height < below for (y, height), (below, _) in pairwise(bands))


@pytest.mark.parametrize(("imports", "width"), [(1, 1.0), (3, 1.0), (4, 1.6), (15, 1.6), (16, 2.2)])
def test_more_imports_are_a_thicker_arrow(imports, width):
    assert drawn.thickness(imports) == pytest.approx(width)


def git(folder, *words):
    names = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


def test_a_commit_is_compared_with_now(small):
    git(small, "init", "-q")
    git(small, "add", ".")
    git(small, "commit", "-qm", "before")
    (small / "expression_ros" / "words.py").rename(small / "expression_ros" / "terms.py")
    (small / "expression_ros" / "paths.py").unlink()
    for path in (small / "expression_ros").rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace(", expression_ros.paths", "")
        path.write_text(text.replace("ros.words", "ros.terms"), encoding="utf-8")
    (small / "docs" / "renames.md").write_text("| `words` | `terms` |\n", encoding="utf-8")
    assert drawn.figures_table("HEAD").splitlines()[:3] == [
        "| | HEAD | now |", "|---|---|---|", "| files | 8 | 7 |",
    ]  # fmt: skip
    assert drawn.figures_table("").splitlines()[2] == "| files | 7 |"
    assert drawn.gone_since("HEAD") == ["paths"]


@pytest.mark.parametrize("page", [PAGE, RENAMES], ids=["architecture", "renames"])
def test_what_the_pages_name_is_there(page):
    links = re.findall(r"\]\(\.\./([\w/.]+)", page)
    paths = re.findall(r"`((?:expression_ros|config|launch|tools|docs)/[\w/.]+)`", page)
    for name in (*links, *paths):
        assert (REPOSITORY / name).exists(), name
    for word, target in re.findall(r"\[([\w/]+)\]\(\.\./expression_ros/([\w/]+)\.py\)", page):
        assert word in (target, "expression_ros"), f"{word} leads to {target}"


def test_every_row_of_what_to_add_names_where_and_a_test():
    table = PAGE.partition("## I want to add")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| a")]
    assert len(rows) > 15
    for what, where, test in rows:
        assert re.search(r"`[\w/.]+`|\]\(", where), what
        assert re.search(r"\]\(\.\./test/test_\w+\.py\)", test), what


@pytest.mark.parametrize(
    ("title", "starts"),
    [
        ("The way of a frame to a label", ["nodes.recognizer.node", "commands.live"]),
        ("The way of a label to a joint", ["nodes.mirror.node", "nodes.robot_face"]),
    ],
)
def test_the_modules_of_a_way_are_those_that_the_code_takes(title, starts):
    """Each is imported, directly or by others, by the module at which the way begins."""
    section = PAGE.partition(f"## {title}")[2].partition("\n## ")[0]
    named = {name.replace("/", ".") for name in re.findall(r"expression_ros/([\w/]+)\.py", section)}
    assert len(named) > 10
    ways = reachable((a, b) for a, ahead in PACKAGE.graph.items() for b in ahead)
    taken = {*starts}.union(*(ways[start] for start in starts))
    assert named <= taken


def rows_of(columns):
    return re.findall("^" + r"\| " + r" \| ".join(columns) + r" \|$", RENAMES, re.MULTILINE)


def test_renamed_modules_and_names_are_where_the_table_says():
    modules = rows_of(["`([a-z0-9_.]+)`", "`([a-z0-9_.]+)`"])
    assert len(modules) > 100
    for old, new in modules:
        assert old not in PACKAGE.files or f"{old}.__init__" in PACKAGE.files, f"{old} is there"
        assert new in PACKAGE.files, f"{new} is not there: where did {old} go?"
    names = rows_of(["`([a-z0-9_.]+)`", "(`[^|]+`)", "`([a-z0-9_.]+)`"])
    assert len(names) > 10
    for _, words, new in names:
        module = importlib.import_module(f"expression_ros.{new}")
        for word in re.findall(r"`(\w+)`", words):
            assert hasattr(module, word), f"{new} has no {word}"


def test_renamed_words_are_where_the_table_says():
    rows = re.findall(
        r"^\| `([a-z0-9_.]+)` \| `([\w.]+)(?:\(\))?` \| `([\w.]+)(?:\(\))?` \|$",
        RENAMES.partition("\n## Words\n")[2],
        re.MULTILINE,
    )
    assert len(rows) >= 9
    for place, old, new in rows:
        *owner, name = new.split(".")
        home = importlib.import_module(f"expression_ros.{place}")
        for part in owner:
            home = getattr(home, part)
        known = {*dir(home), *getattr(home, "__dataclass_fields__", ())}
        assert name in known, f"{place} has no {new}"
        assert old.split(".")[-1] not in known, f"{place} still has {old}"
