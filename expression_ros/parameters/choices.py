"""The words by which parameters and options choose.

What they stand for is in recognition. Plain data, imports no ROS.
"""

from __future__ import annotations

CASCADES, YUNET, CENTERFACE = "cascades", "yunet", "centerface"
DETECTORS = (CASCADES, YUNET, CENTERFACE)


# what faces are expected (recognition.vote)
EVERYDAY, POSED = EXPECTATIONS = ("everyday", "posed")


# how a face is read (recognition.models)
CLASSIFIERS = ("fisherfaces", "svm", "knn", "mlp", "landmarks", "cnn", "onnx")


# what overlays hide of a face (recognition.overlay)
NONE, BLUR, PIXELATE, DROP = "none", "blur", "pixelate", "drop"
PRIVACY_CHOICES = (NONE, BLUR, PIXELATE, DROP)


# which face is answered (recognition.tracking)
LARGEST, CENTRE, LONGEST, BY_ID = "largest", "centre", "longest", "id"
PRIMARY_CHOICES = (LARGEST, CENTRE, LONGEST, BY_ID)


# which part of a face is read (recognition.regional_vote)
AUTO, FULL_FACE, UPPER_FACE = "auto", "full", "upper"
REGIONS = (AUTO, FULL_FACE, UPPER_FACE)
