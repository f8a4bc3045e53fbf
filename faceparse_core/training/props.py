"""Props for the composites: what is taken for a face and is none, and what makes one that is harder to recognise.

Everything works on pictures of SIZE x SIZE. Things drawn by program come as a pair: colours over the whole picture,
float32 (SIZE, SIZE, 3), and where they cover it, float32 (SIZE, SIZE), 0 to 1.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.parts import MOUTH
from faceparse_core.training.backgrounds import SIZE, SKIN_LIKE, Picture, random_color

Box = tuple[int, int, int, int]  # left, top, right, bottom
Mask = NDArray[np.float32]  # (SIZE, SIZE), 0 to 1
Colors = NDArray[np.float32]  # (SIZE, SIZE, 3), 0 to 255

EARS = ((7,), (8,))
FEATURES = (*EARS, (4,), (5,), MOUTH)  # an ear, an eye, a mouth, by part ids

# ------------------------------------------------------------------------------------------ taken for a face, and none


def _soft(mask: Picture) -> Mask:
    """A drawn mask of 0 to 255 as a share of 0 to 1."""
    return (mask / np.float32(255)).astype(np.float32)


def _shaded(rng: np.random.Generator, color: NDArray[np.float32], mask: NDArray[np.uint8], soft: float) -> Colors:
    """A colour over the whole canvas, lit as if the mask were a rounded body. float32 (SIZE, SIZE, 3)."""
    small = cv2.resize(mask, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    depth = cv2.GaussianBlur(small, (0, 0), max(soft / 4, 0.5))
    light = 1 + rng.normal(0, 0.5) * (depth - np.roll(depth, int(soft / 4) + 1, int(rng.integers(2))))
    shade = color * (0.6 + 0.45 * depth * light)[..., None] + rng.normal(0, 5, (*small.shape, 1))
    return cv2.resize(shade.astype(np.float32), (SIZE, SIZE))


def hand(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
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
    return _shaded(rng, color, mask, size * 0.1), _soft(mask)


def blank_head(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """An oval in a skin's colour, with hair or a hat on it, and nothing that makes it a face."""
    mask, hair = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(mask, ((x, y), (size * rng.uniform(0.6, 1), size), float(rng.normal(0, 20))), 255, -1)
    rgb = _shaded(rng, SKIN_LIKE[rng.integers(len(SKIN_LIKE))], mask, size * 0.15)
    if rng.random() < 0.7:
        at = ((x + rng.normal(0, size * 0.1), y - size * rng.uniform(0.1, 0.4)), (size * 0.95, size * 0.7), 0.0)
        cv2.ellipse(hair, at, 255, -1)
        rgb = np.where(hair[..., None] > 0, random_color(rng) * 0.6, rgb).astype(np.float32)
    return rgb, _soft(np.maximum(mask, hair))


def animal(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
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
    return rgb, _soft(mask)


def flower(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """Petals in rings around a middle: round, in a skin's colours, with some order in it."""
    mask, rgb = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE, 3), np.float32)
    base, petals = random_color(rng), int(rng.integers(5, 16))
    for radius in np.linspace(0.75, 0.15, int(rng.integers(1, 6))) * size:
        start = rng.uniform(0, 360)
        for angle in np.linspace(start, start + 360, petals, endpoint=False):
            at = (float(x + np.cos(np.radians(angle)) * radius), float(y + np.sin(np.radians(angle)) * radius))
            shape = (at, (size * 0.55, max(1.0, 3.5 * radius / petals)), angle)
            cv2.ellipse(mask, shape, 255, -1)
            cv2.ellipse(rgb, shape, (base * rng.uniform(0.6, 1.25)).clip(0, 255).tolist(), -1)
    cv2.circle(mask, (round(x), round(y)), round(size * 0.25), 255, -1)
    cv2.circle(rgb, (round(x), round(y)), round(size * 0.25), random_color(rng).tolist(), -1)
    return cv2.GaussianBlur(rgb, (0, 0), max(size * 0.02, 0.4)), _soft(mask)


def specks(rng: np.random.Generator, x: float, y: float, size: float) -> tuple[Colors, Mask]:
    """A few spots on a spot: lamps, coins, windows, a face so far away that nobody could tell."""
    mask, rgb = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE, 3), np.float32)
    for _ in range(int(rng.integers(1, 8))):
        far = rng.normal(0, 2.5 * size, 2)
        own = size * rng.uniform(0.1, 0.5)
        for part in range(int(rng.integers(1, 5))):
            spot = rng.normal(0, own * 0.5, 2) if part else np.zeros(2)
            axes = rng.uniform(0.3, 1.0, 2) * own * (2 if part == 0 else 0.8) + 1
            shape = ((x + far[0] + spot[0], y + far[1] + spot[1]), (axes[0], axes[1]), rng.uniform(0, 180))
            cv2.ellipse(mask, shape, 255, -1)
            cv2.ellipse(rgb, shape, random_color(rng).tolist(), -1)
    return rgb, _soft(mask)


def feature_alone(
    rng: np.random.Generator, labels: NDArray[np.uint8], choice: tuple[tuple[int, ...], ...] = FEATURES
) -> tuple[Mask, Box] | None:
    """Where one of a pair's features lies, and its box; None where it is too small to be cut out."""
    ids = choice[rng.integers(len(choice))]
    ys, xs = np.nonzero(np.isin(labels, ids))
    if len(ys) < 30:
        return None
    left, right, top, bottom = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    side = max(right - left, bottom - top) * rng.uniform(0.55, 0.9)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    middle = ((left + right) / 2, (top + bottom) / 2)
    cv2.ellipse(mask, (middle, (float(right - left + side), float(bottom - top + side)), 0.0), 255, -1)
    box = (int(middle[0] - side), int(middle[1] - side), int(middle[0] + side), int(middle[1] + side))
    return cv2.GaussianBlur(_soft(mask), (0, 0), 1.0), box


def scrambled(rng: np.random.Generator, picture: Picture, face: Box) -> Picture:
    """A face cut in tiles that changed places: all of a face's colours and none of its order."""
    left, top, right, bottom = face
    count = int(rng.integers(3, 6))
    step_x, step_y = (right - left) // count, (bottom - top) // count
    rgb = picture.copy()
    for to, source in enumerate(rng.permutation(count * count)):
        (row, column), (from_row, from_column) = divmod(to, count), divmod(int(source), count)
        piece = picture[top + from_row * step_y :, left + from_column * step_x :][:step_y, :step_x]
        if rng.random() < 0.5:
            piece = piece[::-1, ::-1]
        rgb[top + row * step_y :, left + column * step_x :][:step_y, :step_x] = piece
    return rgb


# -------------------------------------------------------------------------------------- a face, and harder to recognise


def disguised(rng: np.random.Generator, rgb: Picture, alpha: Mask, face: Box) -> tuple[Picture, Mask]:
    """Something in front of a face that is still a face: a hat, a mask, dark glasses, a hand, a cup."""
    left, top, right, bottom = face
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
        x, y = rng.uniform(left, right), rng.uniform(top + 0.6 * height, bottom + 0.2 * height)
        fingers, cover = hand(rng, x, y, height * 0.25)
        rgb = np.clip(rgb + (fingers - rgb.astype(np.float32)) * cover[..., None], 0, 255).astype(np.uint8)
        alpha = np.maximum(alpha, cover)
    else:  # a camera, a cup, a bar
        x, y, turn = rng.uniform(left, right), rng.uniform(top, bottom), float(rng.uniform(0, 180))
        box = cv2.boxPoints(((x, y), (width * rng.uniform(0.3, 0.7), height * rng.uniform(0.1, 0.35)), turn))
        cv2.fillPoly(over, [box.astype(np.int32)], 255, cv2.LINE_AA)
    shade = np.outer(np.linspace(0.8, 1.2, SIZE), color).clip(0, 255).astype(np.uint8)
    rgb = np.where(over[..., None] > 127, shade[None], rgb)
    return rgb, np.maximum(alpha, _soft(over))


def one_side(rng: np.random.Generator, nose: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is left of a head, bool (SIZE, SIZE), that is cut along a line by its nose: about as a profile looks."""
    rows, columns = np.nonzero(nose)
    if len(rows) == 0:
        return np.ones((SIZE, SIZE), bool)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    bulge = 6 * np.sin((y - rows.mean()) / 14)
    line = columns.mean() + rng.normal(0, 8) + rng.normal(0, 0.12) * (y - rows.mean()) + bulge
    return (x < line) if rng.random() < 0.5 else (x > line)


def soft_oval(face: Box, radius: float) -> Mask:
    """A soft oval around a face, float32 (SIZE, SIZE): rounds off hair that the pair's own frame had cut."""
    left, top, right, bottom = face
    along = np.arange(SIZE, dtype=np.float32)
    u = (along - (left + right) / 2) / (bottom - top)
    v = (along - (top + bottom) / 2) / (bottom - top) * 0.85
    v *= np.where(v > 0, 0.55, 1.0)  # room for the neck
    distance = np.sqrt(u[None, :] ** 2 + v[:, None] ** 2)
    return np.clip((0.62 * radius - distance) * 18, 0, 1)
