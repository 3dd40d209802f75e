"""A plot of a timeline: label, score and faces over time. Needs matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.recognition.overlay import COLOURS
from expression_ros.recordings.recorded_frames import RecordingError
from expression_ros.recordings.timeline import NO_FACE, Timeline
from expression_ros.vocabulary import UNKNOWN
from expression_ros.whole_files import whole_file

_DPI = 120
_TITLE = 80  # letters that there is room for
_WIDTH_IN = 12.0
_ROW_IN = 0.36  # of a label or a face
_DARK, _GREY, _PALE = "#333333", "#777777", "#f1f1f1"
_MAX_FACES = 10  # with a row of their own
_GAP_STEPS = 3.0  # so many frames without one are a gap of the recording
_FINEST = 1 / 700  # of the time axis: what is shorter would not be seen
_WRITTEN = 1 / 12  # of the time axis: what is longer has its label written in
_MAX_POINTS = 1500  # of the curve; of more, means are drawn
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)


@dataclass(frozen=True)
class Run:
    """A label that lasted.

    Attributes:
        begin, end: in seconds.
        label: its number.
    """

    begin: float
    end: float
    label: int


def check_drawing() -> None:
    """Raise RecordingError if there is nothing to draw with."""
    if importlib.util.find_spec("matplotlib") is None:
        raise RecordingError("the timeline is drawn by matplotlib: pip install matplotlib")


def runs(seconds: Sequence[float], labels: Sequence[int], step: float) -> Iterator[Run]:
    """Yield how long each label lasted, without the frames that have none.

    Args:
        seconds: (N,) of all frames.
        labels: (N,) numbers of labels, NO_FACE for none.
        step: from frame to frame in seconds; a label lasts that long after its last frame.
    """
    begin = 0
    for k in range(1, len(seconds) + 1):
        lasts = k < len(seconds) and labels[k] == labels[begin]
        if lasts and 0 <= seconds[k] - seconds[k - 1] <= _GAP_STEPS * step:
            continue
        if labels[begin] != NO_FACE:
            # To where the next frame begins, and no longer than a frame over a gap.
            end = seconds[k - 1] + step
            if k < len(seconds) and seconds[k] > seconds[k - 1]:
                end = min(end, seconds[k])
            yield Run(seconds[begin], end, labels[begin])
        begin = k


def save_timeline(path: Path, timeline: Timeline, title: str, min_confidence: float) -> None:
    """Draw a timeline as a PNG.

    The upper rows are the labels of the primary face, below them is its score; where there was
    more than one face, the faces follow, the longest seen first.

    Args:
        path: PNG to write.
        timeline: with at least one frame.
        title: over the image.
        min_confidence: drawn as a line among the scores.
    """
    # Not by pyplot, which would change the backend of the caller.
    from matplotlib.figure import Figure

    seconds = np.asarray(timeline.seconds)
    step = _step_of(seconds)
    faces = sorted(timeline.faces.items(), key=lambda item: -len(item[1].places))
    drawn = faces[:_MAX_FACES] if len(faces) > 1 else []
    heights = [_ROW_IN * len(timeline.names), 1.3]
    if drawn:
        heights.append(_ROW_IN * max(2, len(drawn)))
    figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 1.1 + 0.3 * len(heights)),
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    panels = panels[:, 0]
    panels[0].set_title(_shortened(title), fontsize=12, loc="left")
    panels[0].set_title("blank: no face; right: share of the frames with one", fontsize=8,
                        loc="right", color=_GREY)  # fmt: skip
    first, last = float(seconds.min()), float(seconds.max()) + step
    span = last - first
    _draw_labels(panels[0], timeline, step, span)
    _draw_scores(panels[1], timeline, step, min_confidence)
    if drawn:
        _draw_faces(panels[2], timeline, drawn, len(faces), step, span)
    panels[-1].set_xlim(first - 0.005 * span, last + 0.005 * span)
    _label_time(panels[-1], span)
    figure.align_ylabels(panels)
    with whole_file(path) as part:
        figure.savefig(part, dpi=_DPI, format="png")


def _draw_labels(axes: Any, timeline: Timeline, step: float, span: float) -> None:
    names = timeline.names
    for row in range(0, len(names), 2):  # bands lead the eye from a name to the far end
        axes.axhspan(row - 0.5, row + 0.5, color=_PALE, linewidth=0, zorder=0)
    lasting = list(runs(timeline.seconds, timeline.primary, step))
    for number, name in enumerate(names):
        bars = [_bar(run, span) for run in lasting if run.label == number]
        axes.broken_barh(bars, (number - 0.38, 0.76), **_look(name, len(lasting)))
    counts = np.bincount([n for n in timeline.primary if n != NO_FACE], minlength=len(names))
    seen = max(1, counts.sum())
    axes.set_yticks(range(len(names)), names)
    right = axes.secondary_yaxis("right")
    right.set_yticks(
        range(len(names)), [_percent(count / seen) if count else "" for count in counts]
    )
    right.tick_params(length=0, colors=_DARK)
    right.spines["right"].set_visible(False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_ylabel("primary face")
    _tidy(axes)
    axes.tick_params(axis="y", length=0)


def _draw_scores(axes: Any, timeline: Timeline, step: float, min_confidence: float) -> None:
    seconds, scores = _thinned(
        np.asarray(timeline.seconds), np.asarray(timeline.scores, dtype=float), step
    )
    lonely = "." if np.count_nonzero(~np.isnan(scores)) < 60 else None
    axes.plot(seconds, scores, color=_DARK, linewidth=1.1, marker=lonely, markersize=4)
    axes.axhline(min_confidence, color="#d55e00", linestyle="--", linewidth=1.2)
    axes.text(1.005, min_confidence, f"{UNKNOWN}\nbelow {min_confidence:g}",
              transform=axes.get_yaxis_transform(), va="center", fontsize=8,
              color="#a04400")  # fmt: skip
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.5, 1])
    axes.grid(axis="y", color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.set_ylabel("its score")
    _tidy(axes)


def _draw_faces(
    axes: Any, timeline: Timeline, drawn: list[Any], count: int, step: float, span: float
) -> None:
    from matplotlib.patches import Patch

    used: set[int] = set()
    for row, (_, times) in enumerate(drawn):
        labels = np.full(len(timeline.seconds), NO_FACE, dtype=int)
        labels[np.asarray(times.places)] = np.asarray(times.labels)
        lasting = list(runs(timeline.seconds, labels.tolist(), step))
        used |= {run.label for run in lasting}
        for number, name in enumerate(timeline.names):
            bars = [_bar(run, span) for run in lasting if run.label == number]
            axes.broken_barh(bars, (row - 0.36, 0.72), **_look(name, len(lasting)))
        for run in lasting:
            if run.end - run.begin >= _WRITTEN * span:
                axes.text((run.begin + run.end) / 2, row, timeline.names[run.label], fontsize=8,
                          ha="center", va="center", color=_ink(timeline.names[run.label]),
                          bbox=_plate(timeline.names[run.label]))  # fmt: skip
    axes.set_yticks(range(len(drawn)), [f"face {number}" for number, _ in drawn])
    axes.set_ylim(max(2, len(drawn)) - 0.5, -0.5)
    axes.set_ylabel("faces" if count == len(drawn) else f"{len(drawn)} of {count} faces")
    axes.tick_params(axis="y", length=0)
    _tidy(axes)
    names = [timeline.names[number] for number in sorted(used)]
    axes.legend(handles=[Patch(label=name, **_look(name, 1)) for name in names],
                loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False, fontsize=8,
                handlelength=1.4)  # fmt: skip


def _bar(run: Run, span: float) -> tuple[float, float]:
    """Return begin and width of a bar, wide enough to be seen."""
    return run.begin, max(run.end - run.begin, _FINEST * span)


def _look(name: str, count: int) -> dict[str, Any]:
    """Return how the bars of a label look: unknown is hatched, it is not an answer."""
    blue, green, red = (channel / 255 for channel in COLOURS[name])
    few = count < 100
    if name == UNKNOWN:
        line = 0.6 if few else 0.0  # of many bars only the edges would be seen
        return {"facecolor": "white", "edgecolor": "#999999", "hatch": "////", "linewidth": line}
    # A darker edge of its own hue: a thin yellow bar on white is hard to see.
    edge = _DARK if few else (0.65 * red, 0.65 * green, 0.65 * blue)
    return {"facecolor": (red, green, blue), "edgecolor": edge, "linewidth": 0.6 if few else 0.3}


def _ink(name: str) -> str:
    blue, green, red = (channel / 255 for channel in COLOURS[name])
    dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.45
    return "white" if dark and name != UNKNOWN else "black"


def _plate(name: str) -> dict[str, Any] | None:
    """Return what text stands on: text on a hatch is hard to read."""
    if name != UNKNOWN:
        return None
    return {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def _step_of(seconds: np.ndarray) -> float:
    """Return the usual time from frame to frame."""
    between = np.diff(seconds)
    between = between[between > 0]
    return float(np.median(between)) if len(between) else 1.0


def _thinned(seconds: np.ndarray, scores: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (M,) times and (M,) scores for a curve with gaps (NaN) where nothing is known."""
    if len(seconds) > _MAX_POINTS:
        groups = np.array_split(np.arange(len(seconds)), _MAX_POINTS)
        known = [group[~np.isnan(scores[group])] for group in groups]
        seconds = np.array([seconds[group].mean() for group in groups])
        scores = np.array([scores[group].mean() if len(group) else np.nan for group in known])
        step *= len(groups[0])
    holes = np.flatnonzero(np.abs(np.diff(seconds)) > _GAP_STEPS * step) + 1
    return np.insert(seconds, holes, seconds[holes - 1]), np.insert(scores, holes, np.nan)


def _label_time(axes: Any, span: float) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    tick = next((tick for tick in _TICKS_S if span / tick <= 14), span / 10)
    axes.xaxis.set_major_locator(MultipleLocator(tick))
    if span <= 120:
        axes.set_xlabel("seconds since the first frame")
        return
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds)))
    axes.set_xlabel(f"time since the first frame ({'h:mm:ss' if span > 3600 else 'min:s'})")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < -0.5 else ""
    return sign + (f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}")


def _shortened(title: str) -> str:
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}\u2026"
    return short.replace("$", r"\$")  # between two of them matplotlib would read a formula


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %"


def _tidy(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(_GREY)
    axes.spines["bottom"].set_color(_GREY)
