"""From what somebody typed to a recording. Imports no ROS."""

from __future__ import annotations

from pathlib import Path

from expression_ros.folder_kinds import AUTO
from expression_ros.frame_sources import is_webcam
from expression_ros.recordings.bag_images import BAG_SUFFIXES, BagRecording, is_bag
from expression_ros.recordings.recorded_frames import Recording, RecordingError
from expression_ros.recordings.video_frames import VideoRecording


def open_recording(
    text: str, *, topic: str = "", rate: float = 0.0, folder: str = AUTO
) -> Recording:
    """Open a video file, a folder of images, an image or a rosbag2 recording.

    Args:
        text: its path.
        topic: of a bag, which images; empty for the only ones.
        rate: of a video or folder, frames per second; 0 for the video's own, 30 for a folder of
            frames and 1 for one of photos.
        folder: what the images of a folder are, see open_source.

    Raises:
        ValueError: it cannot be read, or an option does not fit it; one line that says what to do.
    """
    path = Path(text).expanduser()
    if not path.exists():
        if is_webcam(text):
            raise RecordingError(
                f"{text} is a webcam, no recording: expression-ros demo --camera {text}"
            )
        raise RecordingError(f"no such file or folder: {text}; check the spelling")
    if is_bag(path):
        if rate:
            raise RecordingError(f"--rate is for videos and folders; {path} has its own stamps")
        return BagRecording(path, topic)
    if path.suffix == ".zstd" and Path(path.stem).suffix in BAG_SUFFIXES:
        raise RecordingError(f"{path} is packed; give the folder of the bag, {path.parent}")
    if path.suffix == ".bag":
        raise RecordingError(
            f"{path} is a bag of ROS 1: rosbags-convert --src {path} --dst {path.stem}, "
            f"then give {path.stem}"
        )
    if topic:
        raise RecordingError(f"--topic is for bags, and {path} is none")
    return VideoRecording(path, rate, folder)
