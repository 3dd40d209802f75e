"""Draws how the code is laid out, docs/architecture.svg, from the code and CONTRIBUTING.md's table.

Usage: python tools/draw_architecture.py [FILE]
       python tools/draw_architecture.py --figures [COMMIT]

       python tools/draw_architecture.py --gone COMMIT

The second prints what can be counted of the order, as a table; beside it that of a commit. The last
prints the modules of a commit that are no more, and that docs/renames.md does not name.

The drawing is a layered one (Sugiyama, Tagawa and Toda, 1981): rows are given by the table, places
in a row are sought so that few arrows cross, and an arrow that passes a row has its place in it.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from textwrap import wrap

from import_graph import NAME, Layers, Package, figures, folder_of, reachable

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGE = REPOSITORY / "docs" / "architecture.svg"

LETTER, BOX_HEIGHT, ROW_GAP, SUB_GAP, BETWEEN, MARGIN = 8.0, 40, 46, 36, 22, 20  # px
TEXT_WIDTH, TEXT_LINE, TEXT_LETTERS = 240, 15, 36  # of what a row is for, on the left
SWEEPS, SETTLINGS = 24, 300
ROS, ARGPARSE, PLAIN = "#fde3c8", "#d5e6f7", "#eceff1"
LEGEND = ((ROS, "may know ROS"), (ARGPARSE, "may know argparse"), (PLAIN, "neither"))


@dataclass(eq=False)
class Place:
    """A box in a row, or where an arrow passes through the row.

    Attributes:
        lines: of the box; none for an arrow that passes.
        x: its middle, px.
    """

    level: int
    lines: tuple[str, ...] = ()
    colour: str = ""
    x: float = 0.0
    above: list[Place] = field(default_factory=list, repr=False)  # each names the other
    below: list[Place] = field(default_factory=list, repr=False)

    @property
    def width(self) -> float:
        return LETTER * max(map(len, self.lines)) + 20 if self.lines else 0.0


@dataclass
class Drawing:
    """A layered drawing.

    Attributes:
        levels: the places of each level, from the left; a row has one level or more.
        rows: the row of each level.
        arrows: the places that each arrow passes, from box to box, and how many imports it stands
            for.
        tops: px, of each level.
        texts: what each row is for.
        left_out: how many pairs of boxes have no arrow, as others imply it.
    """

    levels: list[list[Place]]
    rows: list[int]
    arrows: list[tuple[list[Place], int]]
    tops: list[float]
    texts: list[str]
    left_out: int


def boxes_of(layers: Layers) -> dict[str, str]:
    """Return the box of each folder: its own, or one for the files that share a row."""
    boxes = {}
    for name, row in layers.row.items():
        beside = [n for n, r in layers.row.items() if r == row]
        is_shared = all(n.endswith(".py") for n in beside)
        boxes[name] = ", ".join(beside) if is_shared else name
    return boxes


def needed_arrows(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs that no way by other boxes implies, of a graph without circles."""
    pairs = sorted(set(pairs))
    to = reachable(pairs)
    ahead = {a: {b for c, b in pairs if c == a} for a, _ in pairs}
    return [(a, b) for a, b in pairs if not any(b in to.get(c, ()) for c in ahead[a] - {b})]


def levels_of(rows: dict[str, int], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the level of each box: its row's first one, or lower if boxes of its row import it."""
    depth = dict.fromkeys(rows, 0)
    for _ in rows:  # as often as the longest chain could be long
        for a, b in pairs:
            if rows[a] == rows[b]:
                depth[b] = max(depth[b], depth[a] + 1)
    numbers = sorted(set(rows.values()))
    deepest = [max(depth[b] for b in rows if rows[b] == number) for number in numbers]
    return {b: sum(1 + d for d in deepest[: rows[b]]) + depth[b] for b in rows}


def drawing_of(package: Package, layers: Layers) -> Drawing:
    """Return the folders of a package in the rows of the table, and the arrows between them."""
    boxes = boxes_of(layers)
    imports: Counter[tuple[str, str]] = Counter()
    for (a, b), count in package.between_folders.items():
        imports[boxes[a], boxes[b]] += count
    pairs = needed_arrows(pair for pair in imports if pair[0] != pair[1])
    rows = {box: layers.row[name] for name, box in boxes.items()}
    level_of = levels_of(rows, pairs)
    sizes = Counter(boxes[folder_of(module)] for module in package.modules)
    places = {
        box: Place(level, _lines(box, sizes[box]), _colour(layers.knows[rows[box]]))
        for box, level in level_of.items()
    }
    levels: list[list[Place]] = [[] for _ in range(max(level_of.values()) + 1)]
    for place in places.values():
        levels[place.level].append(place)
    arrows = [(_way(places[a], places[b], levels), imports[a, b]) for a, b in pairs]
    _order(levels)
    _spread(levels)
    row_of_level = {level_of[box]: row for box, row in rows.items()}
    level_rows = [row_of_level[level] for level in range(len(levels))]
    return Drawing(levels, level_rows, arrows, _tops(level_rows, layers.what), layers.what,
                   len([p for p in imports if p[0] != p[1]]) - len(pairs))  # fmt: skip


def _lines(box: str, files: int) -> tuple[str, ...]:
    if box.endswith(".py"):
        return (box,)
    return f"{box}/", f"{files} file{'s' if files > 1 else ''}"


def _colour(knows: set[str]) -> str:
    return ROS if "ROS" in knows else ARGPARSE if "argparse" in knows else PLAIN


def _way(start: Place, end: Place, levels: list[list[Place]]) -> list[Place]:
    """Return the places an arrow passes; those between its boxes are added to their levels."""
    passed = [Place(level) for level in range(start.level + 1, end.level)]
    for place in passed:
        levels[place.level].append(place)
    way = [start, *passed, end]
    for upper, lower in pairwise(way):
        upper.below.append(lower)
        lower.above.append(upper)
    return way


def _order(levels: list[list[Place]]) -> None:
    """Order the places of each level, by the middle of what they join, so that few arrows cross."""
    best, fewest = [list(level) for level in levels], _crossings(levels)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for level in levels if downwards else reversed(levels):
            rank = {p: k for near in levels for k, p in enumerate(near)}
            middle = {}
            for place in level:
                joined = place.above if downwards else place.below
                middle[place] = (
                    sum(rank[p] / len(levels[p.level]) for p in joined) / len(joined)
                    if joined
                    else rank[place] / len(level)
                )
            level.sort(key=middle.__getitem__)
        _swap_neighbours(levels)
        if (crossings := _crossings(levels)) < fewest:
            best, fewest = [list(level) for level in levels], crossings
    levels[:] = best


def _swap_neighbours(levels: list[list[Place]]) -> None:
    """Swap places that stand side by side while that makes arrows cross less."""
    for k, level in enumerate(levels):
        near = levels[max(0, k - 1) : k + 2]
        better = True
        while better:
            better = False
            for i in range(len(level) - 1):
                before = _crossings(near)
                level[i], level[i + 1] = level[i + 1], level[i]
                if _crossings(near) < before:
                    better = True
                else:
                    level[i], level[i + 1] = level[i + 1], level[i]


def _crossings(levels: Sequence[list[Place]]) -> int:
    count = 0
    for upper, lower in pairwise(levels):
        rank = {p: k for k, p in enumerate(lower)}
        ends = [rank[b] for a in upper for b in sorted(a.below, key=lambda p: rank.get(p, 0))]
        count += sum(b < a for k, a in enumerate(ends) for b in ends[k + 1 :])
    return count


def _spread(levels: list[list[Place]]) -> None:
    """Give each place its x: near those it joins, in order, without overlaps."""
    for level in levels:
        _settle(level, [0.0] * len(level), [1.0] * len(level))
    for _ in range(SETTLINGS):
        for level in [*levels, *reversed(levels)]:
            wanted = []
            for place in level:
                joined = [(p.x, _stiffness(place, p)) for p in place.above + place.below]
                total = sum(weight for _, weight in joined)
                wanted.append(sum(x * w for x, w in joined) / total if joined else place.x)
            _settle(level, wanted, [1.0 if place.lines else 4.0 for place in level])
    left = min(p.x - p.width / 2 for level in levels for p in level)
    for level in levels:
        for place in level:
            place.x = round(place.x - left + TEXT_WIDTH + 2 * MARGIN, 1)


def _stiffness(a: Place, b: Place) -> float:
    """Return how straight an arrow is to be: what passes several rows, before what joins two."""
    return 1.0 if a.lines and b.lines else 2.0 if a.lines or b.lines else 16.0


def _settle(level: list[Place], wanted: list[float], weights: list[float]) -> None:
    """Set x as near to what is wanted as the order and the widths allow (least squares).

    By pooling adjacent violators: those that would overlap form a group that stands together.
    """
    offsets = [0.0]
    for a, b in pairwise(level):
        offsets.append(offsets[-1] + (a.width + b.width) / 2 + BETWEEN)
    groups: list[tuple[float, float, int]] = []  # weighted mean, weight, count
    for x, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, count = x - offset, 1
        while groups and groups[-1][0] >= mean:
            other, heavy, more = groups.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + more
        groups.append((mean, weight, count))
    means = [mean for mean, _, count in groups for _ in range(count)]
    for place, mean, offset in zip(level, means, offsets, strict=True):
        place.x = mean + offset


def _tops(rows: list[int], texts: list[str]) -> list[float]:
    """Return the top of each level; a row is at least as high as the text beside it."""
    tops, y = [], float(MARGIN + 34)
    for level, row in enumerate(rows):
        if level and rows[level - 1] == row:
            y += BOX_HEIGHT + SUB_GAP
        elif level:
            begin = tops[rows.index(rows[level - 1])]
            text = TEXT_LINE * len(wrap(texts[rows[level - 1]], TEXT_LETTERS))
            y = max(y + BOX_HEIGHT, begin + text) + ROW_GAP
        tops.append(y)
    return tops


def path_of(way: list[Place], tops: list[float]) -> list[tuple[float, float]]:
    """Return the points of an arrow: from a box's lower edge, straight by others, to a box's upper.

    Arrows that leave one box, or enter it, do so side by side.
    """
    start, end = way[0], way[-1]
    points = [(_port(start, start.below, way[1]), tops[start.level] + BOX_HEIGHT)]
    for place in way[1:-1]:
        points += [(place.x, tops[place.level]), (place.x, tops[place.level] + BOX_HEIGHT)]
    return [*points, (_port(end, end.above, way[-2]), tops[end.level])]


def _port(box: Place, joined: list[Place], other: Place) -> float:
    ordered = sorted(joined, key=lambda p: p.x)
    step = min(18.0, (box.width - 16) / len(ordered))
    return box.x + step * (ordered.index(other) - (len(ordered) - 1) / 2)


def svg_of(drawing: Drawing) -> str:
    """Return the image as SVG text; the same for the same code."""
    everyone = [place for level in drawing.levels for place in level]
    width = max(p.x + p.width / 2 for p in everyone) + 2 * MARGIN
    height = drawing.tops[-1] + BOX_HEIGHT + 3 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="Helvetica, Arial, sans-serif">',
        "<title>The folders of expression_ros and which imports from which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0.5 L8 4 L0 7.5 z" fill="#546e7a"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        *_bands(drawing, width),
        *(_arrow(path_of(way, drawing.tops), count) for way, count in drawing.arrows),
        *(_box(place, drawing.tops[place.level]) for place in everyone if place.lines),
        *_legend(drawing, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bands(drawing: Drawing, width: float) -> Iterable[str]:
    for row, text in enumerate(drawing.texts):
        levels = [k for k, r in enumerate(drawing.rows) if r == row]
        top = drawing.tops[levels[0]] - 10
        lines = wrap(text, TEXT_LETTERS)
        end = max(drawing.tops[levels[-1]] + BOX_HEIGHT, top + 10 + TEXT_LINE * len(lines)) + 10
        yield (f'<rect x="{MARGIN / 2:g}" y="{top:g}" width="{width - MARGIN:.0f}" '
               f'height="{end - top:g}" rx="6" fill="#f8f9fa"/>')  # fmt: skip
        for k, line in enumerate(lines):
            yield (f'<text x="{MARGIN}" y="{top + 24 + TEXT_LINE * k:g}" font-size="12.5" '
                   f'fill="#37474f">{escape(line)}</text>')  # fmt: skip


def _arrow(points: list[tuple[float, float]], count: int) -> str:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (y + to_y) / 2
        path += f" C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
    return (f'<path d="{path}" fill="none" stroke="#78909c" marker-end="url(#tip)" '
            f'stroke-width="{thickness(count):g}"/>')  # fmt: skip


def thickness(imports: int) -> float:
    """Return how thick an arrow is that stands for so many imports, px: one step for a fourfold."""
    return 1.0 + 0.6 * ((imports.bit_length() - 1) // 2)


def _box(place: Place, top: float) -> str:
    name, *rest = place.lines
    left, middle = place.x - place.width / 2, place.x
    y = top + (17 if rest else 25)
    text = (f'<rect x="{left:.1f}" y="{top:g}" width="{place.width:.1f}" height="{BOX_HEIGHT}" '
            f'rx="5" fill="{place.colour}" stroke="#546e7a"/>'
            f'<text x="{middle:.1f}" y="{y:g}" text-anchor="middle" font-size="13" '
            f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" fill="#102027">'
            f"{escape(name)}</text>")  # fmt: skip
    for line in rest:
        text += (f'<text x="{middle:.1f}" y="{top + 32:g}" text-anchor="middle" font-size="11" '
                 f'fill="#546e7a">{escape(line)}</text>')  # fmt: skip
    return text


def _legend(drawing: Drawing, height: float) -> Iterable[str]:
    yield (f'<text x="{MARGIN}" y="{MARGIN + 6}" font-size="13" fill="#37474f">An arrow means '
           f"&#8220;imports from&#8221;, a thicker one more often; {drawing.left_out} that follow "
           "from others are left out.</text>")  # fmt: skip
    x, y = float(MARGIN), height - 1.4 * MARGIN
    for colour, text in LEGEND:
        yield (f'<rect x="{x:g}" y="{y:g}" width="18" height="14" rx="3" fill="{colour}" '
               f'stroke="#546e7a"/><text x="{x + 25:g}" y="{y + 12:g}" font-size="12.5" '
               f'fill="#37474f">{text}</text>')  # fmt: skip
        x += 170


def image() -> str:
    """Return the image of this tree."""
    table = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return svg_of(drawing_of(Package(REPOSITORY), Layers(table)))


def figures_table(commit: str) -> str:
    """Return the figures of this tree, and beside them those of a commit if one is given."""
    columns = {commit: figures(package_at(commit))} if commit else {}
    columns["now"] = figures(Package(REPOSITORY))
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in columns["now"]:
        lines.append(f"| {name} | {' | '.join(column[name] for column in columns.values())} |")
    return "\n".join(lines)


def gone_since(commit: str) -> list[str]:
    """Return the modules of a commit that are no more and that the table of renames leaves out."""
    table = (REPOSITORY / "docs" / "renames.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE))
    return sorted(set(package_at(commit).modules) - set(Package(REPOSITORY).modules) - named)


def package_at(commit: str) -> Package:
    """Return the package as it was at a commit."""
    archive = subprocess.run(["git", "archive", commit, NAME], cwd=REPOSITORY,
                             stdout=subprocess.PIPE, check=True).stdout  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        return Package(Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw how the code is laid out.")
    parser.add_argument("file", nargs="?", type=Path, default=IMAGE,
                        help="where the image goes (default: docs/architecture.svg)")  # fmt: skip
    parser.add_argument("--figures", nargs="?", const="", metavar="COMMIT",
                        help="print what can be counted, beside that of a commit")  # fmt: skip
    parser.add_argument("--gone", metavar="COMMIT", help="print modules that docs/renames.md lacks")
    args = parser.parse_args()
    if args.gone:
        print("\n".join(gone_since(args.gone)) or "none")
    elif args.figures is not None:
        print(figures_table(args.figures))
    else:
        args.file.write_text(image(), encoding="utf-8")


if __name__ == "__main__":
    main()
