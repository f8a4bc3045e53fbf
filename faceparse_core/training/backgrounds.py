"""Backgrounds of every kind, drawn by program: what stands behind a head, and what must not be taken for one.

The pairs' own backgrounds are studio walls, so a network that saw nothing else would take every leaf, brick or orange
suit for a face. Each kind below is one small function from a random generator to a picture, uint8 RGB (size, size, 3).
They look like nothing in particular; what counts is that no two are alike and that skin's colours are among them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.heads import SQUARE

Picture = NDArray[np.uint8]

SIZE = SQUARE  #: side of a composite, in pixels

#: Colours that faces have too, so that colour alone never decides: skins from dark to light, orange, wood, sand.
SKIN_LIKE = np.array(
    [(60, 36, 26), (92, 58, 40), (134, 88, 62), (172, 120, 88), (204, 152, 120), (232, 188, 160), (244, 214, 192),
     (226, 110, 30), (180, 80, 36), (150, 104, 66), (214, 190, 150), (196, 96, 88)],
    np.float32,
)  # fmt: skip
NATURAL = np.array(
    [(40, 60, 30), (80, 100, 44), (120, 140, 70), (96, 120, 160), (150, 180, 215), (210, 220, 230), (70, 70, 74),
     (130, 126, 120), (180, 172, 160), (40, 34, 30), (100, 70, 50), (24, 26, 34), (236, 236, 234)],
    np.float32,
)  # fmt: skip


def random_color(rng: np.random.Generator) -> NDArray[np.float32]:
    """One colour, float32 (3,) 0..255: a third anything, a third natural, a third like skin."""
    kind = rng.integers(3)
    if kind == 0:
        return rng.uniform(0, 255, 3).astype(np.float32)
    palette = NATURAL if kind == 1 else SKIN_LIKE
    near = palette[rng.integers(len(palette))] * rng.uniform(0.75, 1.2) + rng.normal(0, 10, 3)
    return np.clip(near, 0, 255).astype(np.float32)


def clouds(rng: np.random.Generator, size: int, channels: int = 1) -> NDArray[np.float32]:
    """Smooth noise of several octaves, float32 (size, size, channels), about 0..1."""
    total = np.zeros((size, size, channels), np.float32)
    weight, cells = 1.0, int(rng.integers(2, 8))
    roughness = rng.uniform(0.35, 0.9)
    while cells < size:
        grid = rng.random((cells, cells, channels), np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC).reshape(total.shape)
        weight, cells = weight * roughness, cells * 2
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def _mix(a: NDArray[np.float32], b: NDArray[np.float32], t: NDArray[np.float32]) -> Picture:
    """From colour a where t is 0 to colour b where t is 1."""
    return np.clip(a + (b - a) * t, 0, 255).astype(np.uint8)


def gradient(rng: np.random.Generator, size: int) -> Picture:
    """A wall, a sky: two colours running into each other."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y if rng.random() < 0.6 else np.hypot(x, y) * 1.4 - 0.5
    t = np.clip((along * rng.uniform(0.5, 4) + 0.5), 0, 1)[..., None]
    return _mix(random_color(rng), random_color(rng), t.astype(np.float32))


def noise(rng: np.random.Generator, size: int) -> Picture:
    """Cloth, stone, clouds: smooth noise between two colours, or in every channel on its own."""
    if rng.random() < 0.25:
        return (clouds(rng, size, 3) * 255).astype(np.uint8)
    t = clouds(rng, size)
    if rng.random() < 0.4:  # hard-edged patches: leaves, camouflage, marble
        t = np.clip((t - rng.uniform(0.3, 0.7)) * rng.uniform(4, 30) + 0.5, 0, 1)
    return _mix(random_color(rng), random_color(rng), t)


def stripes(rng: np.random.Generator, size: int) -> Picture:
    """Stripes, checks and waves."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    bend = (clouds(rng, size)[..., 0] - 0.5) * rng.choice([0.0, 0.0, 20.0, 60.0])
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 80)
    u = (np.cos(angle) * x + np.sin(angle) * y + bend) * (2 * np.pi / period)
    wave = np.sin(u)
    if rng.random() < 0.4:
        wave = wave * np.sin((np.cos(angle) * y - np.sin(angle) * x + bend) * (2 * np.pi / period))
    t = np.clip(wave * rng.uniform(0.5, 8) + 0.5, 0, 1)[..., None].astype(np.float32)
    return _mix(random_color(rng), random_color(rng), t)


def bricks(rng: np.random.Generator, size: int) -> Picture:
    """Bricks, shelves, windows: rows of boxes whose colours differ a little."""
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = random_color(rng)
    base, spread = random_color(rng), rng.uniform(4, 60)
    height, width, joint = int(rng.integers(8, 60)), int(rng.integers(10, 90)), int(rng.integers(1, 6))
    for row, top in enumerate(range(0, size, height)):
        for left in range(-(width // 2) * (row % 2), size, width):
            color = np.clip(base + rng.normal(0, spread, 3), 0, 255).tolist()
            cv2.rectangle(picture, (left, top), (left + width - joint, top + height - joint), color, -1)
    return picture


def shapes(rng: np.random.Generator, size: int) -> Picture:
    """Furniture, graffiti, anything: polygons, ellipses and lines, one over the other."""
    picture = gradient(rng, size)
    biggest = rng.uniform(0.08, 0.5) * size
    for _ in range(int(rng.integers(4, 60))):
        color = random_color(rng).tolist()
        x, y = rng.uniform(0, size, 2)
        kind = rng.integers(3)
        if kind == 0:
            points = np.array([x, y]) + rng.normal(0, biggest / 2, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(picture, [points.astype(np.int32)], color, cv2.LINE_AA)
        elif kind == 1:
            axes = rng.uniform(0.05, 0.6, 2) * biggest + 1
            cv2.ellipse(picture, ((x, y), (float(axes[0] * 2), float(axes[1] * 2)), rng.uniform(0, 180)), color, -1)
        else:
            end = (int(x + rng.normal(0, size / 2)), int(y + rng.normal(0, size / 2)))
            cv2.line(picture, (int(x), int(y)), end, color, int(rng.integers(1, 14)), cv2.LINE_AA)
    return picture


def leaves(rng: np.random.Generator, size: int) -> Picture:
    """Many small things of about one colour: leaves, gravel, petals, a crowd far away."""
    picture = noise(rng, size)
    base, spread, length = random_color(rng), rng.uniform(8, 45), rng.uniform(3, 22)
    for _ in range(int(rng.integers(60, 260))):
        color = np.clip(base * rng.uniform(0.4, 1.4) + rng.normal(0, spread, 3), 0, 255).tolist()
        x, y = rng.uniform(0, size, 2)
        axes = (float(length * rng.uniform(0.5, 2)), float(length * rng.uniform(0.3, 1)))
        cv2.ellipse(picture, ((x, y), axes, rng.uniform(0, 180)), color, -1)
    return picture


def lights(rng: np.random.Generator, size: int) -> Picture:
    """Soft discs out of focus, as at night."""
    picture = gradient(rng, size).astype(np.float32)
    for _ in range(int(rng.integers(5, 40))):
        disc = np.zeros((size, size), np.float32)
        x, y = rng.integers(0, size, 2).tolist()
        cv2.circle(disc, (x, y), int(rng.integers(3, 40)), float(rng.uniform(0.2, 0.9)), -1)
        picture += disc[..., None] * (random_color(rng) - picture)
    blur = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 6)))
    return np.clip(blur, 0, 255).astype(np.uint8)


def balls(rng: np.random.Generator, size: int) -> Picture:
    """Shaded round things in the colours of skin: the commonest thing to be taken for a face."""
    picture = [noise, gradient, shapes][rng.integers(3)](rng, size).astype(np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    for _ in range(int(rng.integers(1, 9))):
        center, radius, turn = rng.uniform(0, size, 2), rng.uniform(0.04, 0.3) * size, rng.uniform(0, np.pi)
        u = (np.cos(turn) * (x - center[0]) + np.sin(turn) * (y - center[1])) / radius
        v = (np.cos(turn) * (y - center[1]) - np.sin(turn) * (x - center[0])) / radius * rng.uniform(0.5, 1)
        inside = np.clip((1 - np.hypot(u, v)) * radius / 2, 0, 1)[..., None]
        light = (0.85 + 0.35 * (u * rng.normal() + v * rng.normal()))[..., None]
        picture += inside * (SKIN_LIKE[rng.integers(len(SKIN_LIKE))] * light - picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


KINDS: tuple[Callable[[np.random.Generator, int], Picture], ...] = (
    gradient, noise, noise, stripes, bricks, shapes, shapes, leaves, lights, balls, balls,
)  # fmt: skip


def make_texture(rng: np.random.Generator, size: int) -> Picture:
    """One picture of a random kind, or two of them side by side along a wavy border, sharp or out of focus."""
    picture = KINDS[rng.integers(len(KINDS))](rng, size)
    if rng.random() < 0.35:
        other = KINDS[rng.integers(len(KINDS))](rng, size)
        border = np.clip((clouds(rng, size) - 0.5) * rng.uniform(3, 80) + 0.5, 0, 1)
        picture = (picture + (other.astype(np.float32) - picture) * border).astype(np.uint8)
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.6, 8)))
    if rng.random() < 0.3:
        picture = np.clip(picture + rng.normal(0, rng.uniform(3, 20), picture.shape), 0, 255).astype(np.uint8)
    return picture
