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

from faceparse_core.parts import CLOTH, FACE, NECK
from faceparse_core.training.backgrounds import SKIN_LIKE, Picture, make_texture, random_color
from faceparse_core.training.data import Pair

SIZE = 256  #: side of a composite, and of the network's input, in pixels
PADDING = 128  #: grey of the bars that a photo gets which is not square
SMALLEST = 9.0  #: face height in pixels below which nobody is expected to find a face

Homography = NDArray[np.float64]
Mask = NDArray[np.float32]  # (SIZE, SIZE), 0 to 1
Colors = NDArray[np.float32]  # (SIZE, SIZE, 3), 0 to 255


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
    face: tuple[int, int, int, int]


def make_cutouts(pairs: Iterable[Pair]) -> list[Cutout]:
    """Pairs of any size -> cutouts. A pair without a face is left out."""
    cutouts = []
    for pair in pairs:
        rgb = cv2.resize(pair.rgb, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        labels = cv2.resize(pair.labels, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        labels[labels == 255] = 0
        ys, xs = np.nonzero(np.isin(labels, FACE))
        if len(ys) > 500:
            box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
            cutouts.append(Cutout(rgb, labels, box))
    return cutouts


class Studio:
    """Makes composites out of `cutouts`; `seed` and a number decide everything in one."""

    def __init__(self, cutouts: list[Cutout], seed: int, textures: int = 600) -> None:
        self.cutouts = cutouts
        self.seed = seed
        rng = np.random.default_rng((seed, 0))
        self.textures = [make_texture(rng, SIZE) for _ in range(textures)]

    def composite(self, number: int) -> Composite:
        """Composite `number` of this studio's seed."""
        rng = np.random.default_rng((self.seed, 1, number))
        if rng.random() < 0.12:
            canvas = self._whole_frame(rng)
        else:
            canvas = _Canvas(self._background(rng))
            for _ in range(rng.choice([0, 1, 2, 4], p=[0.4, 0.3, 0.2, 0.1])):
                self._decoy(rng, canvas)
            self._heads(rng, canvas)
        if rng.random() < 0.15:
            canvas.cover(*_fingers(rng, *rng.uniform(0, SIZE, 2), rng.uniform(10, 90)))
        bars = _bars(rng) if rng.random() < 0.5 else (0, SIZE, 0, SIZE)
        return canvas.finish(rng, bars)

    # ------------------------------------------------------------------------------------------------ far things

    def _texture(self, rng: np.random.Generator) -> Picture:
        """A piece of a drawn texture, turned and tinted."""
        texture = self.textures[rng.integers(len(self.textures))]
        side = int(rng.integers(SIZE // 3, SIZE + 1))
        x, y = rng.integers(0, SIZE - side + 1, 2)
        piece = np.rot90(texture[y : y + side, x : x + side], int(rng.integers(4)))
        piece = cv2.resize(np.ascontiguousarray(piece), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        return _tint(rng, piece, 0.25)

    def _faceless(self, rng: np.random.Generator) -> Picture:
        """A pair's picture whose face gave way to its surroundings, to a texture, or to plain skin."""
        cutout = self._cutout(rng)
        face = np.isin(cutout.labels, FACE).astype(np.uint8)
        grow = int(rng.integers(3, 12))
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
            side = int(rng.integers(32, 130))
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
        kind = rng.integers(5)
        x, y = rng.uniform(0, SIZE, 2)
        size = float(np.exp(rng.uniform(np.log(14), np.log(150))))
        if kind == 0:
            canvas.cover(*_fingers(rng, x, y, size * 0.6))
        elif kind == 1:
            canvas.cover(*_blank_head(rng, x, y, size))
        elif kind == 2:
            canvas.cover(*_animal(rng, x, y, size))
        else:
            cutout = self._cutout(rng)
            way = _placement(rng, cutout.face, x, y, size)
            if kind == 3:  # hair and clothes around no face
                rgb, alpha = self._faceless(rng), (cutout.labels > 0).astype(np.float32)
            else:
                rgb, alpha = _scramble(rng, cutout)
            canvas.paste(rgb, alpha, way)

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
            alpha = _oval(cutout.face, float(rng.uniform(0.75, 1.2)))
        else:
            shown = cutout.labels > 0
            if not dressed:
                shown &= (cutout.labels < NECK) | (cutout.labels > CLOTH)
            alpha = shown.astype(np.float32)
            alpha = np.minimum(cv2.blur(alpha, (3, 3)), _oval(cutout.face, 1.35))
        rgb, face = cutout.rgb, np.isin(cutout.labels, FACE)
        if rng.random() < 0.12:  # turned away: only one half of the face is seen
            alpha, face = _half(rng, cutout, alpha, face)
        if rng.random() < 0.3:
            rgb, alpha, face = _hide(rng, cutout, rgb, alpha, face)
        canvas.paste(_tint(rng, rgb, 0.1), alpha, way, face)

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
        canvas.cover(fill, mask.astype(np.float32) / 255)

    def _whole_frame(self, rng: np.random.Generator) -> _Canvas:
        """A pair's picture as it is, or a little nearer or farther, mirrored outwards at its edges."""
        cutout = self._cutout(rng)
        scale = rng.uniform(0.6, 1.5)
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

    def paste(
        self, rgb: Picture, alpha: Mask | None, way: Homography, face: NDArray[np.bool_] | None = None
    ) -> None:
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


def _placement(
    rng: np.random.Generator, face: tuple[int, int, int, int], x: float, y: float, size: float, wild: bool = True
) -> Homography:
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


def _oval(face: tuple[int, int, int, int], radius: float) -> Mask:
    """A soft oval around a face, float32 (SIZE, SIZE): rounds off hair that the pair's own frame had cut."""
    left, top, right, bottom = face
    along = np.arange(SIZE, dtype=np.float32)
    u = (along - (left + right) / 2) / (bottom - top)
    v = (along - (top + bottom) / 2) / (bottom - top) * 0.85
    v *= np.where(v > 0, 0.55, 1.0)  # room for the neck
    distance = np.sqrt(u[None, :] ** 2 + v[:, None] ** 2)
    return np.clip((0.62 * radius - distance) * 18, 0, 1)


def _half(
    rng: np.random.Generator, cutout: Cutout, alpha: Mask, face: NDArray[np.bool_]
) -> tuple[Mask, NDArray[np.bool_]]:
    """Cuts one side of the face away along a line near the nose, about as a profile looks."""
    nose = np.nonzero(cutout.labels == 10)
    if len(nose[0]) == 0:
        return alpha, face
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    bulge = 6 * np.sin((y - nose[0].mean()) / 14)
    line = nose[1].mean() + rng.normal(0, 8) + rng.normal(0, 0.12) * (y - nose[0].mean()) + bulge
    keep = (x < line) if rng.random() < 0.5 else (x > line)
    return alpha * cv2.blur(keep.astype(np.float32), (3, 3)), face & keep


def _hide(
    rng: np.random.Generator, cutout: Cutout, rgb: Picture, alpha: Mask, face: NDArray[np.bool_]
) -> tuple[Picture, Mask, NDArray[np.bool_]]:
    """Something in front of a face that is still a face: a hat, a mask, dark glasses, a hand, a cup.

    `face` stays whole: a hidden face is found all the same, with its full height.
    """
    left, top, right, bottom = cutout.face
    width, height, middle = right - left, bottom - top, (left + right) / 2
    rgb, alpha = rgb.copy(), alpha.copy()
    color = random_color(rng).tolist()
    over = np.zeros((SIZE, SIZE), np.uint8)
    kind = rng.integers(5)
    if kind == 0:  # a hat or cap down to the brows
        brim = top + height * rng.uniform(0.05, 0.28)
        wide, high = width * rng.uniform(0.55, 0.75), height * rng.uniform(0.35, 0.6)
        cv2.ellipse(over, (round(middle), round(brim)), (round(wide), round(high)), 0, 180, 360, 255, -1, cv2.LINE_AA)
        if rng.random() < 0.6:
            axes = (round(wide * rng.uniform(1, 1.7)), round(height * rng.uniform(0.03, 0.12)))
            cv2.ellipse(over, (round(middle), round(brim)), axes, rng.normal(0, 6), 0, 360, 255, -1, cv2.LINE_AA)
    elif kind == 1:  # a mask or scarf over nose and mouth
        line = top + height * rng.uniform(0.5, 0.75)
        points = [(left - 4, line), (middle, line - 0.1 * height), (right + 4, line), (right, bottom + 6)]
        points += [(middle, bottom + 16), (left, bottom + 6)]
        cv2.fillPoly(over, [np.array(points, np.int32)], 255, cv2.LINE_AA)
    elif kind == 2:  # dark or mirrored glasses
        row, lens = round(top + height * rng.uniform(0.36, 0.46)), round(width * rng.uniform(0.15, 0.22))
        for side in (-1, 1):
            at = (round(middle + side * width * 0.22), row)
            cv2.ellipse(over, at, (lens, round(lens * rng.uniform(0.6, 1))), 0, 0, 360, 255, -1, cv2.LINE_AA)
        cv2.line(over, (left, row), (right, row), 255, 4, cv2.LINE_AA)
        if rng.random() < 0.7:
            color = rng.uniform(0, 60, 3).tolist()
    elif kind == 3:  # a hand at the chin or cheek
        at = (rng.uniform(left, right), rng.uniform(top + 0.6 * height, bottom + 0.2 * height))
        hand, cover = _fingers(rng, *at, height * 0.25)
        rgb = np.clip(rgb + (hand - rgb.astype(np.float32)) * cover[..., None], 0, 255).astype(np.uint8)
        alpha = np.maximum(alpha, cover)
    else:  # a camera, a cup, a bar
        at, turn = (rng.uniform(left, right), rng.uniform(top, bottom)), float(rng.uniform(0, 180))
        box = cv2.boxPoints((at, (width * rng.uniform(0.3, 0.7), height * rng.uniform(0.1, 0.35)), turn))
        cv2.fillPoly(over, [box.astype(np.int32)], 255, cv2.LINE_AA)
    shade = np.outer(np.linspace(0.8, 1.2, SIZE), color).clip(0, 255).astype(np.uint8)
    rgb = np.where(over[..., None] > 127, shade[None], rgb)
    return rgb, np.maximum(alpha, over.astype(np.float32) / 255), face


def _scramble(rng: np.random.Generator, cutout: Cutout) -> tuple[Picture, Mask]:
    """A face cut in tiles that changed places: all of a face's colours and none of its order."""
    left, top, right, bottom = cutout.face
    count = int(rng.integers(3, 6))
    step_x, step_y = (right - left) // count, (bottom - top) // count
    rgb = cutout.rgb.copy()
    for to, source in enumerate(rng.permutation(count * count)):
        (row, column), (from_row, from_column) = divmod(to, count), divmod(int(source), count)
        piece = cutout.rgb[top + from_row * step_y :, left + from_column * step_x :][:step_y, :step_x]
        if rng.random() < 0.5:
            piece = piece[::-1, ::-1]
        rgb[top + row * step_y :, left + column * step_x :][:step_y, :step_x] = piece
    return rgb, (cutout.labels > 0).astype(np.float32)


# ------------------------------------------------------------------------------------------------ things drawn by hand


def _shaded(rng: np.random.Generator, color: NDArray[np.float32], mask: NDArray[np.uint8], soft: float) -> Colors:
    """A colour over the whole canvas, lit as if the mask were a rounded body. float32 (SIZE, SIZE, 3)."""
    small = cv2.resize(mask, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    depth = cv2.GaussianBlur(small, (0, 0), max(soft / 4, 0.5))
    light = 1 + rng.normal(0, 0.5) * (depth - np.roll(depth, int(soft / 4) + 1, int(rng.integers(2))))
    shade = color * (0.6 + 0.45 * depth * light)[..., None] + rng.normal(0, 5, (*small.shape, 1))
    return cv2.resize(shade.astype(np.float32), (SIZE, SIZE))


def _fingers(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """A hand of about `size` pixels, or an arm: (colour, alpha), each float32 over the canvas."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    turn = rng.uniform(0, 2 * np.pi)
    thick = max(1, round(size * rng.uniform(0.14, 0.22)))
    cv2.ellipse(mask, ((x, y), (size * 0.9, size * rng.uniform(0.6, 1)), float(np.degrees(turn))), 255, -1)
    for finger in range(int(rng.integers(0, 6))):
        spread = turn + (finger - 2) * rng.uniform(0.15, 0.35)
        tip = (round(x + np.cos(spread) * size), round(y + np.sin(spread) * size))
        base = (round(x + np.cos(spread) * size * 0.3), round(y + np.sin(spread) * size * 0.3))
        cv2.line(mask, base, tip, 255, thick, cv2.LINE_AA)
    wrist = (round(x - np.cos(turn) * size * 2.5), round(y - np.sin(turn) * size * 2.5))
    cv2.line(mask, (round(x), round(y)), wrist, 255, max(1, round(size * 0.5)), cv2.LINE_AA)
    color = SKIN_LIKE[rng.integers(len(SKIN_LIKE))] * rng.uniform(0.8, 1.15)
    return _shaded(rng, color, mask, size * 0.1), mask.astype(np.float32) / 255


def _blank_head(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """An oval in a skin's colour, with hair or a hat on it, and nothing that makes it a face."""
    mask, hair = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(mask, ((x, y), (size * rng.uniform(0.6, 1), size), float(rng.normal(0, 20))), 255, -1)
    rgb = _shaded(rng, SKIN_LIKE[rng.integers(len(SKIN_LIKE))], mask, size * 0.15)
    if rng.random() < 0.7:
        at = ((x + rng.normal(0, size * 0.1), y - size * rng.uniform(0.1, 0.4)), (size * 0.95, size * 0.7), 0.0)
        cv2.ellipse(hair, at, 255, -1)
        rgb = np.where(hair[..., None] > 0, random_color(rng) * 0.6, rgb).astype(np.float32)
    return rgb, np.maximum(mask, hair).astype(np.float32) / 255


def _animal(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """Fur with two pointed ears, two round eyes and a snout: cats, dogs, teddy bears, seen roughly."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(mask, ((x, y), (size * rng.uniform(0.9, 1.2), size * 0.9), 0.0), 255, -1)
    for side in (-1, 1):
        ear = np.array([(side * 0.5, -0.1), (side * rng.uniform(0.35, 0.6), -0.8), (side * 0.1, -0.35)]) * size
        cv2.fillPoly(mask, [(ear + (x, y)).astype(np.int32)], 255, cv2.LINE_AA)
    fur = random_color(rng)
    rgb = _shaded(rng, fur, mask, size * 0.12)
    stripes = cv2.resize(rng.normal(0, 26, (SIZE // 2, SIZE // 8)).astype(np.float32), (SIZE, SIZE))
    rgb = np.ascontiguousarray(rgb + stripes[..., None], np.float32)
    eye, iris = random_color(rng).tolist(), max(1, round(size * rng.uniform(0.05, 0.11)))
    for side in (-1, 1):
        at = (round(x + side * size * 0.24), round(y - size * 0.08))
        cv2.circle(rgb, at, iris, eye, -1, cv2.LINE_AA)
        cv2.ellipse(rgb, at, (max(1, iris // 3), max(1, iris * 2 // 3)), 0, 0, 360, (10, 10, 10), -1)
    snout = (fur * rng.uniform(0.9, 1.5)).clip(0, 255).tolist()
    cv2.ellipse(rgb, ((x, y + size * 0.2), (size * 0.42, size * 0.32), 0.0), snout, -1)
    cv2.ellipse(rgb, ((x, y + size * 0.12), (size * 0.14, size * 0.1), 0.0), (40, 24, 24), -1)
    return rgb, mask.astype(np.float32) / 255


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
        rgb = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return rgb
