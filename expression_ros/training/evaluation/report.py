"""What an evaluation leaves behind: values for JSON, tables, and a report with images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.training.data.labelled_images import DataSet, count_by_reason
from expression_ros.training.evaluation.measurement import Measurement
from expression_ros.training.evaluation.metrics import (
    calibration_bins,
    coverage_curve,
    evaluate,
    expected_calibration_error,
    people_figures,
)
from expression_ros.training.evaluation.people_groups import (
    ENOUGH,
    GroupTable,
    group_figures,
    group_rows,
)
from expression_ros.training.evaluation.plots import save_calibration, save_confusion, save_coverage
from expression_ros.vocabulary import EMOTIONS

REPORT_NAME = "report.md"
FIGURES_NAME = "evaluation.json"
COMPARISON_NAME = "comparison.md"

_GROUPS = f"""\
Of the faces of a label in a group, how many were called by it. A difference is that of the best and
the worst of the groups with {ENOUGH} faces or more; one face in twenty is 0.05."""


def figures_of(
    result: Measurement, data: DataSet, groups: GroupTable | None = None
) -> dict[str, Any]:
    """Return all figures of a measurement, fit for JSON; docs/evaluation.md explains each.

    Args:
        result: with at least one face.
        data: what was measured on.
        groups: who is what, to say whether groups of people are read equally well.

    Raises:
        DataError: ``groups`` names nobody of the data.
    """
    labels = tuple(label for label in EMOTIONS if label in {*result.labels, *result.truth})
    scores = evaluate(result.truth, [p.label for p in result.said], labels)
    figures: dict[str, Any] = {
        "data": data.name,
        "n": len(result.truth),
        "n_no_face": len(result.no_face),
        "n_unreadable": len(result.unreadable),
        "n_cannot_say": sum(result.cannot_say.values()),
        "cannot_say": dict(result.cannot_say),
        "dropped": count_by_reason(data.dropped),
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "per_class": {
            label: asdict(score) for label, score in scores.per_label.items() if score.faces
        },
        "labels": list(labels),
        "confusion": scores.confusion.tolist(),
        "ece": expected_calibration_error(result.scores, result.right),
        "by_min_confidence": [
            {**asdict(row), "right": None if np.isnan(row.right) else row.right}
            for row in coverage_curve(result.scores, result.right)
        ],
        "latency_ms": _milliseconds(result.latency_s),
    }
    if result.detection_s:
        figures["detection_ms"] = _milliseconds(result.detection_s)
    said = [prediction.label for prediction in result.said]
    people = people_figures(result.votes, said, result.scores, result.labels)
    if people is not None:
        figures["people"] = people
    if groups is not None:
        figures["groups"] = group_figures(groups, result.sources, result.truth, list(result.right))
    return figures


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median": 1000 * float(np.median(seconds)),
        "p95": 1000 * float(np.percentile(seconds, 95)),
    }


def summary(figures: Mapping[str, Any]) -> str:
    """Return the figures as text for a terminal."""
    rows = [_per_class_rows(figures), _confusion_rows(figures), *_group_tables(figures)]
    tables = [_aligned(table) for table in rows]
    lines = [*people_lines(figures.get("people")), _headline(figures), *_counts(figures)]
    return "\n".join([*lines, *(f"\n{text}" for text in tables)])


def _group_tables(figures: Mapping[str, Any]) -> list[list[list[str]]]:
    return [group_rows(column, found) for column, found in figures.get("groups", {}).items()]


def people_lines(people: Mapping[str, Any] | None) -> list[str]:
    """Return lines about what people say of the answers; none where nobody was asked."""
    if people is None:
        return []
    recalls = ", ".join(
        f"{label} {share:.2f} of {people['faces'][label]:,}"
        for label, share in people["recall"].items()
    )
    lines = [
        f"what most people see: {people['majority']:.4f} of {people['n']:,} faces on which more "
        f"than half of them agree ({recalls})",
        f"what one person sees: {people['one_person']:.4f} (a second person "
        f"{people['second_person']:.4f}, the best answer {people['best']:.4f})",
        f"what most people see, for 90 % of the answers: {people['coverage_90']:.2f} of the faces; "
        f"for 95 %: {people['coverage_95']:.2f}; calibration error {people['ece']:.3f}",
    ]
    if people["n_cannot_say"]:
        lines.append(f"{people['n_cannot_say']:,} on which most people see what the model cannot "
                     "say: not counted")  # fmt: skip
    return lines


def _headline(figures: Mapping[str, Any]) -> str:
    return (
        f"accuracy {figures['accuracy']:.4f}, macro F1 {figures['macro_f1']:.4f}, "
        f"calibration error {figures['ece']:.3f}"
        + (", by the data's single labels" if "people" in figures else "")
    )


def _counts(figures: Mapping[str, Any]) -> list[str]:
    """Return lines about what was judged, what was not and why, and how long it took."""
    lines = [f"{figures['n']:,} faces judged"]
    if "detection_ms" in figures:
        lines.append(f"{figures['n_no_face']:,} images without exactly one face")
    if figures["n_unreadable"]:
        lines.append(f"{figures['n_unreadable']:,} unreadable images")
    for label, count in figures["cannot_say"].items():
        lines.append(f"{count:,} labelled {label}, which the model cannot say: not counted")
    for reason, count in figures["dropped"].items():
        lines.append(f"{count:,} dropped: {reason}")
    for key, what in (("detection_ms", "to find the face of an image"),
                      ("latency_ms", "to read a face")):  # fmt: skip
        if key in figures:
            lines.append(f"{figures[key]['median']:.1f} ms {what} (median), "
                         f"{figures[key]['p95']:.1f} ms (95th percentile)")  # fmt: skip
    return lines


def _per_class_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", "precision", "recall", "F1", "faces"]]
    for label, s in figures["per_class"].items():
        shares = [f"{s[key]:.2f}" for key in ("precision", "recall", "f1")]
        rows.append([label, *shares, f"{s['faces']:,}"])
    return rows


def _confusion_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Return the confusion matrix without the rows that have no faces."""
    labels = figures["labels"]
    rows = [["true, said", *labels]]
    for label, counts in zip(labels, figures["confusion"], strict=True):
        if any(counts):
            rows.append([label, *(f"{count:,}" for count in counts)])
    return rows


def comparison(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of several classifiers, by name, as one Markdown table."""
    head = ["", "accuracy", "macro F1", "calibration error", "faces", "ms a face", "p95",
            "no face", "not counted"]  # fmt: skip
    body = [
        [name, f"{f['accuracy']:.4f}", f"{f['macro_f1']:.4f}", f"{f['ece']:.3f}", f"{f['n']:,}",
         f"{f['latency_ms']['median']:.1f}", f"{f['latency_ms']['p95']:.1f}",
         f"{f['n_no_face']:,}", f"{f['n_cannot_say']:,}"]
        for name, f in rows.items()
    ]  # fmt: skip
    recalls = [["recall", *(label for label in EMOTIONS
                            if any(label in f["per_class"] for f in rows.values()))]]  # fmt: skip
    for name, f in rows.items():
        known = f["per_class"]
        recalls.append(
            [name, *(f"{known[k]['recall']:.2f}" if k in known else "-" for k in recalls[0][1:])]
        )
    asked = {name: f["people"] for name, f in rows.items() if "people" in f}
    seen = [["by people's votes", "most people", "faces", "one person", "at 90 % right",
             "at 95 % right", "calibration error"]]  # fmt: skip
    seen += [
        [name, f"{p['majority']:.4f}", f"{p['n']:,}", f"{p['one_person']:.4f}",
         f"{p['coverage_90']:.2f}", f"{p['coverage_95']:.2f}", f"{p['ece']:.3f}"]
        for name, p in asked.items()
    ]  # fmt: skip
    people = f"{table(seen)}\n\n" if asked else ""
    return f"{people}{table([head, *body])}\n\n{table(recalls)}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns for a terminal: the first to the left, numbers to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of them the head, as an aligned Markdown table."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
             for row in rows]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write_report(
    folder: Path, figures: Mapping[str, Any], result: Measurement, title: str, command: str
) -> None:
    """Write report.md, evaluation.json, confusion.png, calibration.png and coverage.png.

    Args:
        folder: made if it is not there.
        figures: of ``figures_of``.
        result: what they are of.
        title: names classifier and data.
        command: that was given, without paths of the machine.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FIGURES_NAME, figures)
    report = _report(figures, title, command)
    counts = np.array(figures["confusion"])
    if figures.get("people"):
        title = f"{title}, by its own labels"  # what people see is in figures of its own
    save_confusion(folder / "confusion.png", counts, figures["labels"], title)
    bins = calibration_bins(result.scores, result.right)
    save_calibration(folder / "calibration.png", bins, figures["ece"], title)
    save_coverage(folder / "coverage.png", coverage_curve(result.scores, result.right), title)
    (folder / REPORT_NAME).write_text(report, encoding="utf-8")


def write_comparison(folder: Path, rows: Mapping[str, Mapping[str, Any]], command: str) -> None:
    """Write comparison.md, which links to the report of each classifier; OSError if it cannot be.

    Args:
        folder: with the reports, each in a folder of its own.
        rows: figures of ``figures_of``, with ``split``, by the name of the classifier.
        command: that was given, without paths of the machine.
    """
    first = next(iter(rows.values()))
    links = "\n".join(f"* [{name}](<{name}/report.md>)" for name in rows)
    page = (
        f"# Classifiers on {first['data']}, {first['split']}\n\n    {command}\n\n"
        f"{comparison(rows)}\n\nNot counted are faces whose label the model cannot say.\n\n"
        f"{links}\n"
    )
    (folder / COMPARISON_NAME).write_text(page, encoding="utf-8")


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON; OSError if the file cannot be written."""
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _report(figures: Mapping[str, Any], title: str, command: str) -> str:
    coverage = [["min_confidence", "said", "of these right"]]
    for row in figures["by_min_confidence"]:
        right = "-" if row["right"] is None else f"{row['right']:.2f}"
        coverage.append([f"{row['threshold']:.2f}", f"{row['said']:.2f}", right])
    counts = "\n".join(f"* {line}" for line in _counts(figures))
    people = "".join(f"* {line}\n" for line in people_lines(figures.get("people")))
    people = f"{people}\n" if people else ""
    groups = "\n\n".join(table(rows) for rows in _group_tables(figures))
    groups = f"\n## By groups of people\n\n{_GROUPS}\n\n{groups}\n" if groups else ""
    return f"""\
# {title}

    {command}

{people}{_headline(figures)}

{counts}

## By label

{table(_per_class_rows(figures))}

A row of the confusion matrix is a true label, a column what was said; the image has shares of
each row as well.

{table(_confusion_rows(figures))}

![confusion matrix](confusion.png)

## Calibration

Each bar is the share of right answers among those with such a score. On the line, scores are right
as often as they say. The calibration error is the expected one of Guo et al., "On calibration of
modern neural networks", 2017: the mean distance from the line, over 15 bins of equal width, weighed
by their answers.

![reliability diagram](calibration.png)

## What is left above a score

What is said when nothing below `min_confidence` is, and how much of that is right.

{table(coverage)}

![coverage](coverage.png)
{groups}"""
