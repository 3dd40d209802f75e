"""The emotion labels of this package and the names other data sets use for them.

May be imported by every part of the package; imports none of them and no ROS.
"""

NEUTRAL = "neutral"
UNKNOWN = "unknown"

# The classes of the extended Cohn-Kanade data set (Lucey et al., 2010), in its own numbering.
EMOTIONS = (NEUTRAL, "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")

# FER2013 numbers its seven classes in this order (Goodfellow et al., 2013).
FER2013_ORDER = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", NEUTRAL)

_ALIASES = {
    "neutral": NEUTRAL, "neutrality": NEUTRAL, "normal": NEUTRAL, "calm": NEUTRAL, "ne": NEUTRAL,
    "anger": "anger", "angry": "anger", "an": "anger",
    "contempt": "contempt", "contemptuous": "contempt", "co": "contempt",
    "disgust": "disgust", "disgusted": "disgust", "di": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear", "scared": "fear", "fe": "fear",
    "happiness": "happiness", "happy": "happiness", "joy": "happiness", "joyful": "happiness",
    "smile": "happiness", "smiling": "happiness", "ha": "happiness",
    "sadness": "sadness", "sad": "sadness", "sa": "sadness",
    "surprise": "surprise", "surprised": "surprise", "su": "surprise",
    "unknown": UNKNOWN, "uncertain": UNKNOWN,
}  # fmt: skip


class UnknownLabelError(ValueError):
    """A name that is neither an emotion of the vocabulary nor one of its aliases."""


def canonical_label(name: str) -> str:
    """Return the vocabulary's label for a name such as ``happy``, ``Surprised`` or ``scared``.

    Case, surrounding blanks and the characters ``-_`` do not matter. ``unknown`` is accepted.

    Raises:
        UnknownLabelError: the name is not known; the message lists the labels there are.
    """
    key = str(name).strip().lower().replace("-", "").replace("_", "")
    try:
        return _ALIASES[key]
    except KeyError:
        raise UnknownLabelError(
            f"unknown emotion label {name!r}; known labels: {', '.join((*EMOTIONS, UNKNOWN))}"
        ) from None


def label_from_fer2013(number: int) -> str:
    """Return the label of FER2013's class number 0..6.

    Raises:
        UnknownLabelError: the number is outside that range.
    """
    return _by_number(number, FER2013_ORDER, "FER2013")


def label_from_ck_plus(number: float) -> str:
    """Return the label of CK+'s class number 0..7 (its files hold it as a float, ``3.0``).

    Raises:
        UnknownLabelError: the number is outside that range or no whole number.
    """
    return _by_number(number, EMOTIONS, "CK+")


def _by_number(number: float, order: tuple[str, ...], data_set: str) -> str:
    if number != int(number) or not 0 <= int(number) < len(order):
        raise UnknownLabelError(f"{data_set} has no class {number!r}; it has 0..{len(order) - 1}")
    return order[int(number)]
