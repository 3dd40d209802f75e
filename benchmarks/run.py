#!/usr/bin/env python3
"""Measures speed on real clips: pipeline and running node against the classic loop, in one run.

    make bench                                  # everything: results.json, RESULTS.md, results.png
    make bench BENCH=--quick                    # a look at everything in a few minutes, not kept
    make bench BENCH="--only node --frames 600" # a part, not kept

What is measured and how: docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
CLIPS = REPOSITORY / ".cache" / "clips"
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Where make puts vision_msgs for this Python; last, so that an installed one goes first.
_INTERFACES = REPOSITORY / ".cache" / "interfaces" / "lib" / _PYTHON / "site-packages"
sys.path += [str(REPOSITORY), str(_INTERFACES)]

PARTS = ("compare", "crowd", "stages", "growth", "node", "fer")
_FRAMES, _QUICK_FRAMES = 20_000, 900
_DOMAIN = 232  # beyond the ports that Linux hands out and what people and the tests use


def main() -> int:
    options = _options()
    if options.redraw:
        folder = options.output or HERE
        _write(json.loads((folder / "results.json").read_text("utf-8")), folder)
        return 0
    os.environ |= {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(options.domain),
    }  # fmt: skip
    from measuring import machine
    from report import page

    from expression_ros.nodes.common.running import use_large_image_transport

    if not (CLIPS / "multi_face.jpg").is_file():
        print("no clips: python tools/fetch_clips.py .cache/clips", file=sys.stderr)
        return 2
    use_large_image_transport()
    begin = time.monotonic()
    parts = tuple(options.only or PARTS)
    results: dict[str, Any] = {"machine": machine(), "quick": options.quick}
    results |= measure(parts, options.quick, options.frames)
    results["machine"] |= {
        "load_at_the_end": machine()["load"], "minutes": (time.monotonic() - begin) / 60
    }  # fmt: skip
    print(page(results))
    folder = options.output
    if folder is None and not options.quick and parts == PARTS:
        folder = HERE
    if folder is not None:
        _write(results, folder)
    return 1 if results["failed"] else 0


def _write(results: dict[str, Any], folder: Path) -> None:
    from plot import draw
    from report import page

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    (folder / "RESULTS.md").write_text(page(results), "utf-8")
    draw(results, folder / "results.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer frames; not kept")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure these parts; not kept")
    parser.add_argument("--frames", type=int,
                        help=f"of the node's long run at 60 Hz (default: {_FRAMES:,}, which takes "
                        f"six minutes; with --quick {_QUICK_FRAMES})")  # fmt: skip
    parser.add_argument(
        "--output", type=Path, help="folder for the results, also of a part or of a quick look"
    )
    parser.add_argument(
        "--domain", type=int, default=_DOMAIN, help="ROS domain to use (default: %(default)s)"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="write page and image anew from results.json"
    )
    options = parser.parse_args()
    if options.frames is None:
        options.frames = _QUICK_FRAMES if options.quick else _FRAMES
    return options


def measure(parts: tuple[str, ...], quick: bool, frames: int) -> dict[str, Any]:
    """Return the figures of the parts; those to quote are at the top.

    A part that fails does not take the others with it: its error is in ``failed``.
    """
    from comparison import compare, compare_on_crowd
    from pipeline_bench import growth_with_faces, growth_with_size, stages

    samples, most, repeats, short = (6, 96, 24, 90) if quick else (40, 1000, 120, 900)
    results: dict[str, Any] = {"failed": {}}

    def step(part: str, key: str, work: Callable[..., Any], *arguments: Any) -> None:
        if part not in parts:
            return
        print(f"{key} ...", file=sys.stderr, flush=True)
        try:
            results[key] = work(*arguments)
        except Exception as error:  # minutes of other measurements are worth keeping
            results["failed"][key] = f"{type(error).__name__}: {error}"
            print(f"{key} failed: {results['failed'][key]}", file=sys.stderr, flush=True)

    step("compare", "at_640x480", compare, CLIPS, (640, 480), samples, most)
    step("compare", "at_1280x720", compare, CLIPS, (1280, 720), samples, most)
    step("crowd", "crowd", compare_on_crowd, CLIPS, (1280, 720), repeats)
    step("stages", "stages_ms", stages, CLIPS, (640, 480), most)
    step("growth", "by_size", growth_with_size, CLIPS, min(most, 150))
    step("growth", "by_faces", growth_with_faces, CLIPS, repeats)
    step("node", "node", _measure_node, frames, 1 if quick else 3, short)
    step("fer", "fer", _measure_fer, 10 if quick else 40)
    return _headlines(results) | results


def _measure_node(frames: int, starts: int, short: int) -> dict[str, Any]:
    from node_bench import measure_node

    return measure_node(CLIPS, frames, starts, short)


def _measure_fer(frames: int) -> dict[str, Any]:
    from fer_bench import measure_fer
    from material import CLIPS as NAMES
    from material import read_clip

    return measure_fer(read_clip(CLIPS / NAMES[0], (640, 480), frames).frames)


def _headlines(results: dict[str, Any]) -> dict[str, Any]:
    top: dict[str, Any] = {}
    if "at_640x480" in results:
        top["speedup_vs_classic_loop"] = results["at_640x480"]["speedup"]
        top["agreement_with_classic_loop"] = results["at_640x480"]["agreement"]
    for name in ("latency_ms", "cpu_cores_at_30fps", "rss_mb", "rss_growth_mb",
                 "start_to_first_emotion_s"):  # fmt: skip
        if "node" in results:
            top[name] = results["node"][name]
    return top


if __name__ == "__main__":
    sys.exit(main())
