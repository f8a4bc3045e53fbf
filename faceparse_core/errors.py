"""The errors this library raises. Each message says what is wrong and what to do next."""


class FaceParseError(Exception):
    """Base of every error that faceparse-svg raises on purpose; the command prints it as one line."""


class PhotoError(FaceParseError):
    """The input is not a picture that can be read."""


class NoFaceError(FaceParseError):
    """The picture could be read, and no face was found in it."""


class ModelError(FaceParseError):
    """A model is unknown, missing, broken or does not speak the parser's format."""


class LabelMapError(FaceParseError):
    """A label map has unknown ids, the wrong type or the wrong size."""
