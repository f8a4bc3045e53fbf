"""Several photos through one network together: the crops that they ask for are gathered into batches.

Each photo is parsed in a thread of its own, by the same recipe as alone. Where a recipe wants scores it waits until
every other one waits as well, or is done; then all crops that were asked for go through the network, in the photos'
order. So the batches depend on the photos alone and not on which thread was faster, and the same photos give the same
bytes. Meanwhile what is no network (cropping, scaling up, cleaning) runs on all cores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError

if TYPE_CHECKING:
    from faceparse_core.parse import Parsing
    from faceparse_core.parser import Parser
    from faceparse_core.photo import Photo

Answer = TypeVar("Answer")
_Crops = NDArray[np.float32]


def parse_photos(photos: Sequence[Photo], parser: Parser | None = None) -> list[Parsing | FaceParseError]:
    """What `parse_photo` gives for each photo, in their order; the FaceParseError where it raises one.

    All photos and their parsings are held at once: of a large folder give some at a time. Any other error is raised.
    """
    from faceparse_core.parse import parse_photo
    from faceparse_core.parser import load_parser

    found: list[Parsing | FaceParseError] = []
    for answer in together(photos, parser or load_parser(), parse_photo):
        if isinstance(answer, Exception) and not isinstance(answer, FaceParseError):
            raise answer
        found.append(answer)
    return found


def together(
    photos: Sequence[Photo], parser: Parser, recipe: Callable[[Photo, Parser], Answer]
) -> list[Answer | Exception]:
    """`recipe` for each photo, with a parser that gathers what all of them ask of `parser`."""
    if len(photos) == 1:
        return [_attempt(recipe, photos[0], parser)]
    desk = _Desk(parser, len(photos))
    answers: dict[int, Answer | Exception] = {}

    def work(index: int) -> None:
        answers[index] = _attempt(recipe, photos[index], replace(parser, run=lambda crops: desk.ask(index, crops)))
        desk.leave()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(photos))]
    try:
        for thread in threads:
            thread.start()
        desk.serve()
    finally:
        desk.close()
        for thread in threads:  # also where Ctrl-C ended it: OpenCV cannot be left in the middle when Python ends
            if thread.ident is not None:
                thread.join()
    return [answers[index] for index in range(len(photos))]


def _attempt(recipe: Callable[[Photo, Parser], Answer], photo: Photo, parser: Parser) -> Answer | Exception:
    try:
        return recipe(photo, parser)
    except Exception as error:  # one photo's failure, whichever: the caller's to judge, and no other photo's
        return error


class _Desk:
    """Where recipes leave their crops and wait for the scores."""

    def __init__(self, parser: Parser, clients: int) -> None:
        self._parser = parser
        self._clients = clients  # that are not done yet
        self._asked: dict[int, _Crops] = {}
        self._answered: dict[int, _Crops | Exception] = {}
        self._closed = False
        self._changed = threading.Condition()

    def ask(self, client: int, crops: _Crops) -> _Crops:
        """The scores (n, classes, h, w) of `crops` (n, 3, size, size). Called by the client's own thread."""
        with self._changed:
            self._asked[client] = crops
            self._changed.notify_all()
            self._changed.wait_for(lambda: client in self._answered or self._closed)
            answer = self._answered.pop(client, None)
        if answer is None:
            raise RuntimeError("interrupted")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def leave(self) -> None:
        """A client is done."""
        with self._changed:
            self._clients -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody serves any longer: whoever waits fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def serve(self) -> None:
        """Runs the network, until all clients are done."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: len(self._asked) == self._clients)
                if not self._clients:
                    return
                asked, self._asked = sorted(self._asked.items()), {}
            answers = self._scores([crops for _, crops in asked])
            with self._changed:
                self._answered.update(zip((client for client, _ in asked), answers, strict=True))
                self._changed.notify_all()

    def _scores(self, asked: list[_Crops]) -> Sequence[_Crops | Exception]:
        from faceparse_core.parser import pieces

        crops = np.concatenate(asked)
        try:
            scores = np.concatenate([self._parser.run(some) for some in pieces(crops, self._parser.batch)])
        except Exception as error:  # the network's failure is everyone's
            return [error for _ in asked]
        return np.split(scores, np.cumsum([len(each) for each in asked])[:-1])
