"""The benchmark's figures as an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"  # Okabe and Ito's, told apart by everybody


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw what was measured as PNG; a panel stays empty where nothing was."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = (
        (_throughput, ("at_640x480", "at_1280x720")), (_stages, ("stages_ms",)),
        (_latency, ("node",)), (_sizes, ("by_size",)), (_faces, ("by_faces",)),
        (_memory, ("node",)),
    )  # fmt: skip
    figure, axes = pyplot.subplots(2, 3, figsize=(14, 7.6), constrained_layout=True)
    for axis, (panel, needed) in zip(axes.flat, panels, strict=True):
        if all(key in results for key in needed):
            panel(axis, results)
        else:
            axis.set_axis_off()
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _throughput(axis: Any, results: Mapping[str, Any]) -> None:
    rows = [results["at_640x480"], results["at_1280x720"]]
    names = [f"clips\n{'x'.join(map(str, row['size']))}" for row in rows]
    pairs = [(row["classic_fps"], row["fps"]) for row in rows]
    if crowd := results.get("crowd"):
        names.append(f"{crowd['faces']} faces\n{'x'.join(map(str, crowd['size']))}")
        pairs.append((1000 / crowd["classic_ms"]["mean"], crowd["fps"]))
    for offset, which, colour, label in ((-0.2, 0, ORANGE, "classic loop"),
                                         (0.2, 1, BLUE, "expression_ros")):  # fmt: skip
        values = [pair[which] for pair in pairs]
        bars = axis.bar([k + offset for k in range(len(pairs))], values, 0.38, color=colour,
                        label=label)  # fmt: skip
        axis.bar_label(bars, [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in values])
    axis.set_yscale("log")
    axis.set_xticks(range(len(names)), names)
    smallest, largest = min(p[0] for p in pairs), max(p[1] for p in pairs)
    axis.set(title="frames per second (log scale)", ylim=(smallest / 3, largest * 12))
    axis.legend(frameon=False, loc="upper right")


def _stages(axis: Any, results: Mapping[str, Any]) -> None:
    stages = results["stages_ms"]
    medians = [row["median"] for row in stages.values()]
    more = [row["p95"] - row["median"] for row in stages.values()]
    axis.barh(list(stages), medians, color=BLUE, label="median")
    axis.barh(list(stages), more, left=medians, color=BLUE, alpha=0.3, label="p95")
    for k, row in enumerate(stages.values()):
        axis.annotate(f"{row['median']:.2f}", (row["p95"], k), xytext=(4, 0), va="center",
                      textcoords="offset points")  # fmt: skip
    axis.invert_yaxis()
    axis.legend(frameon=False, loc="lower right")
    axis.set(title="stages, one moving face, 640x480", xlabel="ms")
    axis.margins(x=0.12)


def _latency(axis: Any, results: Mapping[str, Any]) -> None:
    node = results["node"]
    runs = {
        "30/s": node["latency_ms"], "60/s": node["at_60fps"]["latency_ms"],
        "200/s": node["overload"]["latency_ms"],
        "8 faces\n720p, 30/s": node["eight_faces_1280x720_30fps"]["latency_ms"],
        "1080p\n30/s": node["at_1920x1080_30fps"]["latency_ms"],
    }  # fmt: skip
    shades = (("p50", 1.0), ("p95", 0.55), ("p99", 0.25))
    for k, row in enumerate(runs.values()):
        for share, alpha in shades:
            axis.plot(k, row[share], "o", color=BLUE, alpha=alpha, markersize=9,
                      label=share if k == 0 else None)  # fmt: skip
        axis.annotate(f"{row['p50']:.1f}", (k, row["p50"]), xytext=(9, 0), va="center",
                      textcoords="offset points", fontsize=9)  # fmt: skip
    axis.set_xticks(range(len(runs)), list(runs), fontsize=9)
    axis.set_xlim(-0.5, len(runs) - 0.3)
    axis.set_ylim(bottom=0)
    axis.set(title="image's stamp to /face_emotion, through DDS", ylabel="ms")
    axis.legend(frameon=False, loc="upper left")


def _sizes(axis: Any, results: Mapping[str, Any]) -> None:
    sizes = results["by_size"]
    pixels = [row["size"][0] * row["size"][1] / 1e6 for row in sizes]
    means = [row["frame_ms"]["mean"] for row in sizes]
    axis.plot(pixels, means, "o-", color=BLUE)
    for x, y, row in zip(pixels, means, sizes, strict=True):
        axis.annotate("x".join(map(str, row["size"])), (x, y), xytext=(6, -11), ha="left",
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axis.set(title="mean time of a frame by its size, one face", xlabel="megapixels", ylabel="ms")
    axis.set_ylim(0, 1.4 * max(means))
    axis.set_xlim(0, 1.25 * max(pixels))


def _faces(axis: Any, results: Mapping[str, Any]) -> None:
    rows = results["by_faces"]
    means = [row["frame_ms"]["mean"] for row in rows]
    axis.plot([row["faces"] for row in rows], means, "o-", color=BLUE)
    axis.axhline(1000 / 30, color=GREY, linestyle=":")
    axis.annotate("30/s", (1, 1000 / 30), xycoords=("axes fraction", "data"), xytext=(3, 0),
                  textcoords="offset points", va="center", color=GREY, fontsize=9)  # fmt: skip
    axis.set(title="mean time of a frame by faces, all moving, 1280x720", xlabel="faces",
             ylabel="ms")  # fmt: skip
    axis.set_ylim(0, 1.2 * max(*means, 1000 / 30))


def _memory(axis: Any, results: Mapping[str, Any]) -> None:
    node = results["node"]
    series, frames = node["rss_series_mb"], node["rss_growth_over_frames"]
    step = 1e-3 * frames / max(1, len(series) - 1)
    axis.plot([k * step for k in range(len(series))], series, color=BLUE)
    axis.set(title="resident memory of the node, 60 images/s", xlabel="thousand images")
    axis.set_ylabel("MB")
    axis.set_ylim(0, 1.3 * max(series))
