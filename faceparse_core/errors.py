"""The errors this library raises. Each message says what is wrong and what to do next, on one line."""

import unicodedata


class FaceParseError(Exception):
    """Base of every error that faceparse-svg raises on purpose; the command prints it as one line."""


class PhotoError(FaceParseError):
    """The input is not a picture that can be read."""


class NoFaceError(FaceParseError):
    """The picture could be read, and no face was found in it."""


class ModelError(FaceParseError):
    """A model is unknown, missing, broken or does not speak the parser's format."""


class BrokenModelError(ModelError):
    """A model file that no runtime can open: cut off, damaged, or something else."""


class LabelMapError(FaceParseError):
    """A label map has unknown ids, the wrong type or the wrong size."""


class SettingsError(FaceParseError):
    """Settings, or what is told of a picture, that make no sense together."""


class Interrupted(FaceParseError):
    """Training was told to stop, by Ctrl-C or SIGTERM; its checkpoint is written, and it can go on."""


def printable(text: str) -> str:
    """`text` for a message or title: control characters and bytes that are no UTF-8 become replacement characters."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def quoted(word: object) -> str:
    """A word of the user's for a message: in quotes, printable, cut where it is long."""
    text = printable(str(word))
    return repr(text if len(text) <= 40 else text[:39] + "…")
