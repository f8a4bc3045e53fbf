"""Pictures for the head finder to learn from: heads cut out along their label maps and pasted anywhere.

CelebAMask-HQ's faces fill the frame and look at us. A finder has to know heads of every size, tilted, half turned,
half hidden, several or none. So each composite is built like a collage, far things first:

    background -> decoys (hands, faceless heads, scrambled faces) -> heads, each on a body -> things in front -> camera

Composite number i of a seed is always the same, whichever process makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.heads import PADDING
from faceparse_core.parts import CLOTH, FACE, NECK, NOSE
from faceparse_core.training.backgrounds import SIZE, Picture, make_texture, random_color
from faceparse_core.training.data import Pair
from faceparse_core.training.labels import UNKNOWN
from faceparse_core.training.props import (
    EARS,
    Box,
    Colors,
    Mask,
    animal,
    blank_head,
    disguised,
    feature_alone,
    flower,
    hand,
    one_side,
    scrambled,
    soft_oval,
    specks,
)  # fmt: skip

SMALLEST = 7.5  #: face height in pixels below which nobody is expected to find a face

Homography = NDArray[np.float64]


@dataclass(frozen=True)
class Spot:
    """A face in a picture: centre and upright height in pixels of the picture."""

    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Composite:
    """One picture, uint8 RGB (SIZE, SIZE, 3), the faces in it, and those that may or may not be found."""

    rgb: Picture
    faces: tuple[Spot, ...]
    unsure: tuple[Spot, ...]


@dataclass(frozen=True)
class Cutout:
    """A pair shrunk to SIZE: what a composite is pasted together from. `face` is (left, top, right, bottom)."""

    rgb: Picture
    labels: NDArray[np.uint8]
    face: Box


def make_cutouts(pairs: Iterable[Pair]) -> list[Cutout]:
    """Pairs of any size -> cutouts. A pair without a face is left out."""
    cutouts = []
    for pair in pairs:
        rgb = cv2.resize(pair.rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        labels = cv2.resize(pair.labels, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        labels[labels == UNKNOWN] = 0
        ys, xs = np.nonzero(np.isin(labels, FACE))
        if len(ys) > 300:
            box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
            cutouts.append(Cutout(rgb, labels, box))
    return cutouts


class Studio:
    """Makes composites out of `cutouts`; `seed` and a number decide everything in one."""

    def __init__(self, cutouts: list[Cutout], seed: int, textures: int = 600) -> None:
        self.cutouts = cutouts
        self.seed = seed
        self.textures: list[Picture | None] = [None] * textures  # each is drawn when it is first wanted

    def composite(self, number: int) -> Composite:
        """Composite `number` of this studio's seed."""
        rng = np.random.default_rng((self.seed, 1, number))
        if rng.random() < 0.12:
            canvas = self._whole_frame(rng)
        else:
            canvas = _Canvas(self._background(rng))
            for _ in range(rng.choice([0, 1, 2, 4], p=[0.3, 0.35, 0.23, 0.12])):
                self._decoy(rng, canvas)
            self._heads(rng, canvas)
        if rng.random() < 0.15:
            x, y = rng.uniform(0, SIZE, 2)
            canvas.cover(*hand(rng, x, y, rng.uniform(0.04, 0.35) * SIZE))
        bars = _bars(rng) if rng.random() < 0.5 else (0, SIZE, 0, SIZE)
        return canvas.finish(rng, bars)

    def portrait(self, number: int) -> Composite:
        """Cutout `number` upright, whole, at a tenth to two thirds of the picture: to measure sizes by."""
        rng = np.random.default_rng((self.seed, 2, number))
        cutout = self.cutouts[number]
        size = float(np.exp(rng.uniform(np.log(0.1), np.log(0.65)))) * SIZE
        x, y = rng.uniform(size * 0.6, SIZE - size * 0.6, 2) if size * 1.2 < SIZE else (SIZE / 2, SIZE / 2)
        way = _placement(rng, cutout.face, x, y, size, wild=False)
        canvas = _Canvas(self._background(rng))
        alpha = np.minimum((cutout.labels > 0).astype(np.float32), soft_oval(cutout.face, 1.35))
        canvas.paste(cutout.rgb, alpha, way, np.isin(cutout.labels, FACE))
        return canvas.finish(rng, (0, SIZE, 0, SIZE))

    # ------------------------------------------------------------------------------------------------ far things

    def _texture(self, rng: np.random.Generator) -> Picture:
        """A piece of a drawn texture, turned and tinted."""
        number = int(rng.integers(len(self.textures)))
        texture = self.textures[number]
        if texture is None:
            texture = self.textures[number] = make_texture(np.random.default_rng((self.seed, 0, number)), SIZE)
        side = int(rng.integers(SIZE // 3, SIZE + 1))
        x, y = rng.integers(0, SIZE - side + 1, 2)
        piece = np.rot90(texture[y : y + side, x : x + side], int(rng.integers(4)))
        piece = cv2.resize(np.ascontiguousarray(piece), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        return _tint(rng, piece, 0.25)

    def _faceless(self, rng: np.random.Generator, cutout: Cutout | None = None) -> Picture:
        """A pair's picture whose face gave way to its surroundings, to a texture, or to plain skin."""
        cutout = cutout or self._cutout(rng)
        face = np.isin(cutout.labels, FACE).astype(np.uint8)
        grow = int(rng.integers(2, 10))
        hole = cv2.dilate(face, np.ones((grow, grow), np.uint8))
        soft = cv2.blur(hole.astype(np.float32), (5, 5))[..., None]
        kind = rng.integers(3)
        if kind == 0:  # what is around it, smeared over it
            keep = (1 - hole)[..., None].astype(np.float32)
            colors = cv2.resize(cutout.rgb * keep, (10, 10), interpolation=cv2.INTER_AREA)
            weight = cv2.resize(keep, (10, 10), interpolation=cv2.INTER_AREA)[..., None]
            mean = colors.sum((0, 1)) / max(float(weight.sum()), 1e-3)
            colors = (colors + 0.05 * mean) / (weight + 0.05)
            fill = cv2.resize(colors, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        elif kind == 1:
            fill = self._texture(rng).astype(np.float32)
        else:  # its own colours, without eyes, nose and mouth
            fill = cv2.resize(cv2.resize(cutout.rgb, (6, 6), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
        return np.clip(cutout.rgb + (fill - cutout.rgb.astype(np.float32)) * soft, 0, 255).astype(np.uint8)

    def _tiles(self, rng: np.random.Generator) -> Picture:
        """Pieces of the pairs' pictures without faces, turned any way: hair, cloth, walls, skin."""
        count = int(rng.choice([1, 2, 3, 4]))
        edges = np.linspace(0, SIZE, count + 1).astype(int)
        picture = np.empty((SIZE, SIZE, 3), np.uint8)
        for top, bottom in zip(edges, edges[1:], strict=False):
            for left, right in zip(edges, edges[1:], strict=False):
                piece = self._piece_without_face(rng)
                picture[top:bottom, left:right] = cv2.resize(piece, (int(right - left), int(bottom - top)))
        return picture

    def _piece_without_face(self, rng: np.random.Generator) -> Picture:
        for _ in range(6):
            cutout = self._cutout(rng)
            side = int(rng.integers(SIZE // 8, SIZE // 2))
            x, y = rng.integers(0, SIZE - side, 2)
            left, top, right, bottom = cutout.face
            if max(0, min(x + side, right) - max(x, left)) * max(0, min(y + side, bottom) - max(y, top)) < side**2 / 8:
                turned = np.rot90(cutout.rgb[y : y + side, x : x + side], int(rng.integers(4)))
                return np.ascontiguousarray(turned)
        return self._texture(rng)

    def _background(self, rng: np.random.Generator) -> Picture:
        kind = rng.random()
        if kind < 0.5:
            picture = self._texture(rng)
        elif kind < 0.75:
            picture = self._tiles(rng)
        else:
            picture = np.ascontiguousarray(np.rot90(self._faceless(rng), int(rng.choice([0, 0, 1, 2, 3]))))
        if rng.random() < 0.25:
            other = self._texture(rng) if rng.random() < 0.5 else self._tiles(rng)
            split = int(rng.integers(SIZE // 4, SIZE))
            picture = np.vstack([picture[:split], other[split:]])  # a horizon, a wall, a table
        if rng.random() < 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.7, 10)))
        return picture

    # ------------------------------------------------------------------------------------------------------ decoys

    def _decoy(self, rng: np.random.Generator, canvas: _Canvas) -> None:
        """Something that has a face's colour or place and is none."""
        kind = rng.integers(9)
        x, y = rng.uniform(0, SIZE, 2)
        size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6)))) * SIZE
        if kind < 5:
            draw = (hand, blank_head, animal, flower, specks)[kind]
            canvas.cover(*draw(rng, x, y, size * 0.6))
            return
        cutout = self._cutout(rng)
        way = _placement(rng, cutout.face, x, y, size)
        head = (cutout.labels > 0).astype(np.float32)
        if kind == 5:  # hair and clothes around no face
            canvas.paste(self._faceless(rng, cutout), head, way)
        elif kind == 6:
            canvas.paste(scrambled(rng, cutout.rgb, cutout.face), head, way)
        else:  # an ear, an eye, a mouth as large as a face; or on a head, as an ear is seen from the side
            feature = feature_alone(rng, cutout.labels)
            if feature is None:
                return
            if kind == 8:
                canvas.paste(self._faceless(rng, cutout), head, way)
                x, y = x + rng.normal(0, 0.2) * size, y + rng.normal(0, 0.15) * size
                size *= rng.uniform(0.25, 0.6)
            alpha, box = feature
            canvas.paste(cutout.rgb, alpha, _placement(rng, box, x, y, size))

    # ------------------------------------------------------------------------------------------------------- heads

    def _heads(self, rng: np.random.Generator, canvas: _Canvas) -> None:
        count = int(rng.choice([0, 1, 2, 3, 5], p=[0.15, 0.5, 0.2, 0.1, 0.05]))
        largest = {0: 0.0, 1: 0.8, 2: 0.5, 3: 0.4, 5: 0.25}[count]
        sizes = np.sort(np.exp(rng.uniform(np.log(0.042), np.log(max(largest, 0.05)), count))) * SIZE
        if count == 1 and rng.random() < 0.15:
            sizes[0] = rng.uniform(0.6, 1.15) * SIZE  # a close-up
        taken: list[Spot] = []
        for size in sizes:  # small ones first: they stand farther away
            for _ in range(8):
                low, high = (0.0, 1.0) if rng.random() < 0.4 else (0.2, 0.8)
                x, y = rng.uniform(low, high) * SIZE, rng.uniform(low, high * 0.85) * SIZE
                if all(np.hypot(x - other.x, y - other.y) > 0.55 * (size + other.size) for other in taken):
                    taken.append(Spot(x, y, float(size)))
                    self._head(rng, canvas, x, y, float(size))
                    break

    def _head(self, rng: np.random.Generator, canvas: _Canvas, x: float, y: float, size: float) -> None:
        cutout = self._cutout(rng)
        way = _placement(rng, cutout.face, x, y, size)
        dressed = rng.random() < 0.75
        if dressed or rng.random() < 0.5:
            self._body(rng, canvas, cutout, way)
        if rng.random() < 0.12:  # with its own background, as a sticker or a soft oval
            alpha = soft_oval(cutout.face, float(rng.uniform(0.75, 1.2)))
        else:
            shown = cutout.labels > 0
            if not dressed:
                shown &= (cutout.labels < NECK) | (cutout.labels > CLOTH)
            alpha = shown.astype(np.float32)
            alpha = np.minimum(cv2.blur(alpha, (3, 3)), soft_oval(cutout.face, 1.35))
        rgb, face = cutout.rgb, np.isin(cutout.labels, FACE)
        turned = rng.random() < 0.2
        if turned:  # turned away: only one half of the face is seen
            side = one_side(rng, cutout.labels == NOSE)
            alpha, face = alpha * cv2.blur(side.astype(np.float32), (3, 3)), face & side
        if rng.random() < 0.3:  # `face` stays whole: a hidden face is found all the same, with its full height
            rgb, alpha = disguised(rng, rgb, alpha, cutout.face)
        canvas.paste(_tint(rng, rgb, 0.1), alpha, way, face)
        if turned and rng.random() < 0.5:
            self._ear(rng, canvas, cutout, face, way)

    def _ear(
        self, rng: np.random.Generator, canvas: _Canvas, cutout: Cutout, face: NDArray[np.bool_], way: Homography
    ) -> None:
        """The large ear of a head seen from the side, at the edge of its face that is not cut."""
        columns = np.nonzero(face.any(0))[0]
        left, top, right, bottom = cutout.face
        if len(columns) == 0:
            return
        outer = left if columns[0] - left < right - columns[-1] else right
        inwards = (columns.mean() - outer) * rng.uniform(0.0, 0.6)
        point = np.array([[(outer + inwards, top + (bottom - top) * rng.uniform(0.45, 0.6))]])
        x, y = cv2.perspectiveTransform(point, way)[0, 0]
        for _ in range(4):  # many ears hide beneath hair
            other = self._cutout(rng)
            ear = feature_alone(rng, other.labels, EARS)
            if ear is not None:
                size = _spot(face, way).size * rng.uniform(0.35, 0.6)
                canvas.paste(other.rgb, ear[0], _placement(rng, ear[1], x, y, size, wild=False))
                return

    def _body(self, rng: np.random.Generator, canvas: _Canvas, cutout: Cutout, way: Homography) -> None:
        """Neck, shoulders and trunk beneath a head, in the colour of its clothes or any other."""
        left, top, right, bottom = cutout.face
        width, height, middle = right - left, bottom - top, (left + right) / 2
        neck, shoulder = rng.uniform(0.28, 0.45) * width, rng.uniform(0.7, 1.5) * width
        drop = rng.uniform(0.15, 0.5) * height
        points = [(neck, 0.85), (neck * 1.1, 1.05), (shoulder * 0.6, 1.05 + 0.3 * drop / height)]
        points += [(shoulder, 1.05 + drop / height), (shoulder * rng.uniform(0.8, 1.15), 4.0)]
        right_side = [(middle + dx, top + height * dy) for dx, dy in points]
        left_side = [(middle - dx, top + height * dy) for dx, dy in reversed(points)]
        outline = cv2.perspectiveTransform(np.array([right_side + left_side], np.float64), way)[0]
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(mask, [np.clip(outline, -4000, 4000).astype(np.int32)], 255, cv2.LINE_AA)
        cloth = cutout.labels == CLOTH
        if cloth.sum() > 300 and rng.random() < 0.4:
            color, weave = cutout.rgb[cloth].mean(0), 0.15
        else:
            color, weave = random_color(rng), float(rng.choice([0.1, 0.2, 1.0]))
        plain = np.full((SIZE, SIZE, 3), color * (1 - weave), np.uint8)
        fill = cv2.addWeighted(self._texture(rng), weave, plain, 1, 0)
        canvas.cover(fill, (mask / np.float32(255)).astype(np.float32))

    def _whole_frame(self, rng: np.random.Generator) -> _Canvas:
        """A pair's picture as it is, or a little nearer or farther, mirrored outwards at its edges."""
        cutout = self._cutout(rng)
        scale = rng.uniform(0.75, 1.5)
        left, top, right, bottom = cutout.face
        x, y = (left + right - SIZE) / 2, (top + bottom - SIZE) / 2
        shift = rng.normal(0, 0.08 * SIZE, 2)
        center = (SIZE / 2 + x * scale + shift[0], SIZE / 2 + y * scale + shift[1])
        way = _placement(rng, cutout.face, *center, (bottom - top) * scale, wild=False)
        canvas = _Canvas(self._background(rng))
        canvas.paste(cutout.rgb, None, way, np.isin(cutout.labels, FACE))
        return canvas

    def _cutout(self, rng: np.random.Generator) -> Cutout:
        return self.cutouts[rng.integers(len(self.cutouts))]


class _Canvas:
    """The collage while it grows. `owner` says whose face each pixel shows, 0 for nobody's."""

    def __init__(self, rgb: Picture) -> None:
        self.rgb = rgb.astype(np.float32)
        self.owner = np.zeros((SIZE, SIZE), np.uint8)
        self.spots: list[tuple[Spot, float]] = []  # with the pixels the face would cover were nothing before it

    def cover(self, rgb: Colors | Picture, alpha: Mask) -> None:
        """Lays `rgb` (SIZE, SIZE, 3) over everything where float32 `alpha` (SIZE, SIZE) says so."""
        x, y, width, height = cv2.boundingRect((alpha * 255).astype(np.uint8))
        at = np.s_[y : y + height, x : x + width]
        self.rgb[at] += (rgb[at] - self.rgb[at]) * alpha[at][..., None]
        self.owner[at][alpha[at] > 0.5] = 0

    def paste(self, rgb: Picture, alpha: Mask | None, way: Homography, face: NDArray[np.bool_] | None = None) -> None:
        """Lays a cutout over everything, moved by `way`; where `face` is, a new face is seen.

        Without `alpha` it covers the canvas, mirrored outwards at its edges.
        """
        shrink = float(np.sqrt(abs(np.linalg.det(way[:2, :2]))))
        if shrink < 0.6:  # against aliasing: shrink by whole pixels first, then move
            side = max(8, round(SIZE * shrink * 1.3))
            rgb = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
            alpha = None if alpha is None else cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA)
            moved = way @ np.diag([SIZE / side, SIZE / side, 1.0])
        else:
            moved = way
        edge = cv2.BORDER_REFLECT if alpha is None else cv2.BORDER_CONSTANT
        laid = cv2.warpPerspective(rgb, moved, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=edge)
        if alpha is None:
            cover = np.ones((SIZE, SIZE), np.float32)
        else:
            cover = cv2.warpPerspective(alpha, moved, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        self.cover(laid, cover)
        if face is not None and face.any():
            shown = cv2.warpPerspective(face.astype(np.uint8), way, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
            spot = _spot(face, way)
            self.spots.append((spot, face.sum() * shrink**2))
            self.owner[shown > 0] = len(self.spots)

    def finish(self, rng: np.random.Generator, bars: tuple[int, int, int, int]) -> Composite:
        """What a camera and a file make of the collage, and which of its faces can be seen."""
        top, bottom, left, right = bars
        rgb = _camera(rng, np.clip(self.rgb, 0, 255).astype(np.uint8))
        framed = np.full_like(rgb, PADDING)
        framed[top:bottom, left:right] = rgb[top:bottom, left:right]
        faces, unsure = [], []
        for number, (spot, area) in enumerate(self.spots, 1):
            seen = float((self.owner[top:bottom, left:right] == number).sum()) / max(area, 1.0)
            inside = left <= spot.x < right and top <= spot.y < bottom
            if inside and seen > 0.5 and spot.size >= SMALLEST:
                faces.append(spot)
            elif seen > 0.1 or spot.size < SMALLEST:
                x, y = float(np.clip(spot.x, left, right - 1)), float(np.clip(spot.y, top, bottom - 1))
                unsure.append(Spot(x, y, spot.size))
        return Composite(framed, tuple(faces), tuple(unsure))


def _spot(face: NDArray[np.bool_], way: Homography) -> Spot:
    """Where a face's box goes: the centre, and the upright height whichever way it is turned."""
    ys, xs = np.nonzero(face)
    left, right, top, bottom = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    middle, center = (left + right) / 2, (top + bottom) / 2
    points = np.array([[(middle, center), (middle, top), (middle, bottom)]], np.float64)
    at, above, below = cv2.perspectiveTransform(points, way)[0]
    return Spot(float(at[0]), float(at[1]), float(np.hypot(*(below - above))))


def _placement(rng: np.random.Generator, face: Box, x: float, y: float, size: float, wild: bool = True) -> Homography:
    """The way that brings a face to (x, y) at height `size`: tilted, mirrored, squashed, seen from a side or below."""
    left, top, right, bottom = face
    to_face = np.array([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2], [0, 0, 1.0]])
    scale = size / (bottom - top)
    angle, kind = rng.normal(0, 8), rng.random()
    if wild and kind < 0.35:
        angle = rng.normal(0, 20)
    elif wild and kind < 0.5:
        angle = rng.uniform(-70, 70)
    cos, sin = np.cos(np.radians(angle)) * scale, np.sin(np.radians(angle)) * scale
    turn = np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1.0]])
    squash = np.diag([rng.uniform(0.6, 1.1) if rng.random() < 0.4 else 1.0, rng.uniform(0.85, 1.1), 1.0])
    lean = np.eye(3)
    if wild and rng.random() < 0.4:
        lean[2, :2] = rng.uniform(-0.45, 0.45, 2) / (bottom - top)
    mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0, 1.0])
    return turn @ squash @ lean @ mirror @ to_face  # type: ignore[no-any-return]


# -------------------------------------------------------------------------------------------------- camera and file


def _tint(rng: np.random.Generator, rgb: Picture, strength: float) -> Picture:
    """Other light: each channel's gain and the whole's brightness change by about `strength`."""
    gain = np.exp(rng.normal(0, strength, 3) * 0.6 + rng.normal(0, strength))
    table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(rgb, table[None])  # type: ignore[no-any-return]


def _bars(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of a photo that is not square inside the square."""
    short = round(SIZE * rng.uniform(0.5, 0.95))
    first = (SIZE - short) // 2
    return (first, first + short, 0, SIZE) if rng.random() < 0.5 else (0, SIZE, first, first + short)


def _camera(rng: np.random.Generator, rgb: Picture) -> Picture:
    """Colour, contrast, grey, blur, noise and JPEG, each in some of the pictures."""
    if rng.random() < 0.7:
        rgb = _tint(rng, rgb, 0.2)
    if rng.random() < 0.5:
        curve = (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.35))
        contrast, lift = rng.uniform(0.6, 1.25), rng.uniform(-0.08, 0.12)
        rgb = cv2.LUT(rgb, (np.clip((curve - 0.5) * contrast + 0.5 + lift, 0, 1) * 255).astype(np.uint8))
    fade = rng.random()
    if fade < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        rgb = grey if fade < 0.12 else cv2.addWeighted(rgb, rng.uniform(0.2, 0.9), grey, rng.uniform(0.1, 0.6), 0)
    if rng.random() < 0.25:
        rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.4, 2.0)))
    if rng.random() < 0.25:
        rgb = np.clip(rgb + rng.normal(0, rng.uniform(2, 16), rgb.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, file = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])
        rgb = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)
    return rgb
