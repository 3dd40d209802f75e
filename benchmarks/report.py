"""The benchmark's figures as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MORE, LESS = "at least", "at most"
AIMS = (
    # figure, where it is in the results, the aim
    ("throughput, times that of the classic loop, clips at 640x480",
     "at_640x480.speedup", MORE, 100),
    ("frames with the same face as the classic loop, 640x480",
     "at_640x480.agreement", MORE, 0.99),
    ("image's stamp to `/face_emotion` through DDS, p50, ms", "node.latency_ms.p50", LESS, 10),
    ("the same, p99, ms", "node.latency_ms.p99", LESS, 30),
    ("processor at 30 images/s of 640x480, one face, cores",
     "node.cpu_cores_at_30fps", LESS, 0.35),
    ("resident memory, MB", "node.rss_mb", LESS, 300),
    ("its growth over the long run, MB", "node.rss_growth_mb", LESS, 2),
    ("start of the process to the first emotion, s", "node.start_to_first_emotion_s", LESS, 2),
    ("60 images/s of 640x480: latency in the last third of the run, times that in the first",
     "node.at_60fps.delay_growth", LESS, 1.5),
    ("60 images/s: images neither read nor counted as dropped",
     "node.at_60fps.unaccounted", LESS, 1),
    ("1920x1080 at 30 images/s: labels per image",
     "node.at_1920x1080_30fps.labels_per_image", MORE, 0.95),
    ("eight faces in 1280x720, all moving: frames/s", "by_faces.7.fps", MORE, 15),
)  # fmt: skip


def value_of(results: Mapping[str, Any], path: str) -> float | None:
    """Return the figure at a path such as ``by_faces.7.fps``, None where it was not measured."""
    value: Any = results
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, Sequence) else value[part]
        except (KeyError, IndexError):
            return None
    return None if value is None else float(value)


def page(results: Mapping[str, Any]) -> str:
    """Return the figures as Markdown; what was not measured is left out."""
    sections = (_head, _aims, _classic, _stages, _growth, _node, _fer, _failures)
    return "\n\n".join(text for section in sections for text in section(results)) + "\n"


def _head(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield "# How fast it is"
    how = "a quick look, few frames" if results["quick"] else "one run"
    yield (
        f"Written by `make bench`; do not edit by hand. {how.capitalize()} on one machine "
        f"({machine['cores']} cores of {machine['processor']}, Python {machine['python']}, OpenCV "
        f"{machine['opencv']}, {machine['minutes']:.0f} minutes; load {machine['load']:.1f} before "
        f"it began, {machine['load_at_the_end']:.1f} at the end with its own share): ratios "
        "travel, milliseconds do not. What was measured and how: "
        "[docs/performance.md](../docs/performance.md)."
    )


def _aims(results: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for text, path, sign, aim in AIMS:
        value = value_of(results, path)
        if value is not None:
            reached = value >= aim if sign == MORE else value <= aim
            rows.append((text, _number(value), f"{sign} {aim:g}", "yes" if reached else "**no**"))
    if rows:
        yield _table(("figure", "measured", "aim", "reached"), rows)
    if not results["quick"] and len(rows) == len(AIMS):
        yield "![the same as a chart](results.png)"


def _classic(results: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        ("x".join(map(str, row["size"])), f"{row['classic_fps']:.2f}", f"{row['fps']:.0f}",
         f"{row['speedup']:.0f}", f"{row['speedup_in_processor_time']:.0f}",
         f"{row['speedup_if_classic_stops_early']:.0f}",
         f"{row['agreement']:.4f} of {row['frames_with_one_classic_face']}",
         str(row["longest_miss_frames"]))
        for key in ("at_640x480", "at_1280x720") if (row := results.get(key))
    ]  # fmt: skip
    if rows:
        yield "## Against the classic loop"
        yield _table(
            ("clips at", "classic loop, frames/s", "ours, frames/s", "times",
             "times, by processor time",
             "times, if the classic loop stopped at its first success",
             "same face, of frames with exactly one face to the classic loop",
             "longest run without it, frames"),
            rows,
        )  # fmt: skip
    if crowd := results.get("crowd"):
        sees = "one face" if crowd["classic_sees_one_face"] else "nobody, because there are several"
        yield (
            f"A crowd in {'x'.join(map(str, crowd['size']))}: the classic loop takes "
            f"{crowd['classic_ms']['median']:.0f} ms and reads {sees}; `predict`, which asks all "
            f"cascades and reads everybody, {crowd['still_ms']['median']:.0f} ms; the stream with "
            f"{crowd['faces']} faces that all move {crowd['following_ms']['median']:.1f} ms a "
            f"frame ({crowd['fps']:.0f} frames/s, {crowd['speedup']:.0f} times the classic loop)."
        )


def _stages(results: Mapping[str, Any]) -> Iterator[str]:
    if rows := results.get("stages_ms"):
        yield "## Where the time of a frame goes: one moving face, 640x480, ms"
        cells = [(s, f"{row['median']:.2f}", f"{row['p95']:.2f}") for s, row in rows.items()]
        yield _table(("stage", "median", "p95"), cells)
        yield (
            "A frame in which the face holds still, or that follows the last look at it within a "
            "twentieth of a second, is spared `detect`, `describe` and `classify`: a frame of the "
            "clips therefore costs less than the sum."
        )


def _growth(results: Mapping[str, Any]) -> Iterator[str]:
    head = ("mean ms a frame", "p95", "frames/s")

    def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
        time = row["frame_ms"]
        return f"{time['mean']:.1f}", f"{time['p95']:.1f}", f"{row['fps']:.0f}"

    if rows := results.get("by_size"):
        yield "## How it grows"
        yield _table(
            ("frame, one face", *head),
            [("x".join(map(str, row["size"])), *cells(row)) for row in rows],
        )
    if rows := results.get("by_faces"):
        yield _table(
            ("faces in 1280x720, all moving", "found", *head),
            [(str(row["faces"]), str(row["found"]), *cells(row)) for row in rows],
        )


def _node(results: Mapping[str, Any]) -> Iterator[str]:
    node = results.get("node")
    if node is None:
        return
    yield "## The running node"
    names = {
        "30 images/s": None, "60 images/s, the long run": "at_60fps",
        "overload, one face": "overload",
        "eight faces in 1280x720, 30 images/s": "eight_faces_1280x720_30fps",
        "1920x1080, 30 images/s": "at_1920x1080_30fps",
    }  # fmt: skip
    rows = []
    for name, key in names.items():
        runs = {name: node[key]} if key else {
            f"{name}, {clip}": run for clip, run in node["at_30fps"].items()
        }  # fmt: skip
        rows += [_run_cells(text, run) for text, run in runs.items()]
    yield _table(
        ("images", "sent", "per s", "labels per image", "dropped, counted", "unaccounted",
         "never received",
         "latency p50", "p95", "p99, ms", "p50, first third", "last third", "cores", "threads"),
        rows,
    )  # fmt: skip
    exact = node["at_60fps"]["latency_is_exact"]
    yield (
        f"Latency is {'exact: the detections carry the stamp of their image' if exact else ''}"
        f"{'' if exact else 'to the newest image sent before the label, at least'}. Memory over "
        f"{node['rss_growth_over_frames']:,} images at 60 Hz: {node['rss_mb']:.0f} MB at most, of "
        f"which {node['rss_shared_with_middleware_mb']:.0f} MB are shared with the middleware; "
        f"{node['rss_growth_mb']:+.2f} MB from the first twentieth of the run to the last. Starts: "
        f"{', '.join(f'{s:.2f}' for s in node['starts_s'])} s from process to first label."
    )


def _run_cells(name: str, run: Mapping[str, Any]) -> tuple[str, ...]:
    latency = run["latency_ms"]
    return (
        name, f"{run['images']:,}", f"{run['images_per_s']:.0f}", f"{run['labels_per_image']:.3f}",
        str(run["dropped_and_counted"]), str(run["unaccounted"]),
        str(run["images"] - run["received"]),
        *(f"{latency[p]:.1f}" for p in ("p50", "p95", "p99")),
        f"{run['latency_first_third_ms']:.1f}", f"{run['latency_last_third_ms']:.1f}",
        f"{run['cpu_cores']:.2f}", str(run["threads"]),
    )  # fmt: skip


def _fer(results: Mapping[str, Any]) -> Iterator[str]:
    fer = results.get("fer")
    if fer is None:
        return
    yield "## Against the package `fer`"
    if "fps" in fer:
        ours = results.get("at_640x480", {}).get("fps")
        times = f", {ours / fer['fps']:.0f} times slower than ours on the clips" if ours else ""
        yield (
            f"`fer` {fer['version']} with its Haar cascade reads {fer['fps']:.1f} frames/s of "
            f"single_face.mp4 at 640x480{times}, and finds a face in {fer['with_a_face']:.0%} of "
            "them."
        )
    else:
        yield f"Not measured: {fer['not_measured']}."


def _failures(results: Mapping[str, Any]) -> Iterator[str]:
    if results.get("failed"):
        yield "## Not measured"
        yield "\n".join(f"* {key}: {text}" for key, text in results["failed"].items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
