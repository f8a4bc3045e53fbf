"""Things in front of a face that are none of its parts: hands, microphones, cups, phones, scarves, users' cut-outs.

Everything is drawn: a skin-like or textured shape, lit from one side, at any size and any angle. An occluder is a
picture as large as the crop, uint8 RGB (size, size, 3), and where it covers, uint8 (size, size), 0 to 255. What it
covers becomes background in the labels, as CelebAMask-HQ labels hands and microphones; a scarf is cloth; what lies
before clothes is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import BACKGROUND, BEARD, CLOTH, FACE, HEAD
from faceparse_core.training.labels import SKIN_OR_BEARD, UNKNOWN

Rng = np.random.Generator
Rgb8 = NDArray[np.uint8]
Mask8 = NDArray[np.uint8]
Points = NDArray[np.float64]

#: Skin from light to dark, sRGB: the ten shades of the Monk Skin Tone scale (Monk 2019, https://skintone.google).
SKIN = np.array(
    [(246, 237, 228), (243, 231, 219), (247, 234, 208), (234, 218, 186), (215, 189, 150),
     (160, 126, 86), (130, 92, 67), (96, 65, 52), (58, 49, 42), (41, 36, 32)], np.float64,
)  # fmt: skip

_OWN_SKIN = 0.6  # share of the hands that have the colour of the face behind them: the hardest to tell from it


def read_cutouts(folder: Path) -> list[NDArray[np.uint8]]:
    """The pictures with transparency in `folder`, uint8 RGBA (h, w, 4), by name.

    Raises FaceParseError where there is none, or one cannot be read.
    """
    if not folder.is_dir():
        raise FaceParseError(f"{folder}: no such folder of cut-outs; check the name")
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".png", ".webp", ".tif", ".tiff"})
    if not paths:
        raise FaceParseError(f"{folder}: no cut-outs there; put PNG or WebP pictures with transparency into it")
    found = []
    for path in paths:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
            raise FaceParseError(f"{path}: not a picture with transparency, 8 bits a channel")
        found.append(np.ascontiguousarray(picture[..., [2, 1, 0, 3]]).astype(np.uint8))
    return found


def occlude(
    crop: Rgb8, grid: NDArray[np.uint8], textures: Sequence[Rgb8], rng: Rng, cutouts: Sequence[NDArray[np.uint8]] = ()
) -> tuple[Rgb8, NDArray[np.uint8]]:
    """One to three things before the face of a crop: the crop and its label grid with them.

    crop        uint8 RGB (size, size, 3)
    grid        uint8 (cells, cells), cells divides size
    textures    pictures whose pieces things are covered with
    cutouts     RGBA pictures that are pasted half of the time
    """
    face = np.isin(grid, (*FACE, BEARD, SKIN_OR_BEARD))
    if face.sum() < 20:
        return crop, grid
    step = crop.shape[0] // grid.shape[0]
    rows, columns = np.nonzero(face)
    reach = step * float(np.ptp(rows) + 1)  # height of the face, px
    skin = crop[::step, ::step][: len(grid), : len(grid)][grid == HEAD]
    for _ in range(int(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1]))):
        at = int(rng.integers(len(rows)))
        x, y = (step * (float(index[at]) + 0.5) for index in (columns, rows))
        label = BACKGROUND
        size = reach * float(np.exp(rng.uniform(np.log(0.2), np.log(0.9))))
        if cutouts and rng.random() < 0.5:
            colors, alpha = _cutout(cutouts[int(rng.integers(len(cutouts)))], len(crop), x, y, size, rng)
        elif rng.random() < 0.55:
            colors, alpha = _hand(len(crop), x, y, size, _skin(skin, rng), rng)
        elif rng.random() < 0.25:
            colors, alpha = _scarf(len(crop), step * float(columns.mean()), step * float(rows.max()), reach, rng)
            label = CLOTH
        else:
            colors, alpha = _thing(len(crop), x, y, size, textures[int(rng.integers(len(textures)))], rng)
        crop = _shadowed(crop, alpha, rng)
        share = cv2.merge([alpha, alpha, alpha])
        crop = cv2.add(cv2.multiply(crop, ~share, scale=1 / 255), cv2.multiply(colors, share, scale=1 / 255)).astype(
            np.uint8
        )
        cover = alpha[step // 2 :: step, step // 2 :: step][: len(grid), : len(grid)]
        # Before clothes nobody can say where a sleeve ends: what a thing covers of them is not asked for.
        grid = np.where(cover > 127, np.where(grid == CLOTH, np.uint8(UNKNOWN), np.uint8(label)), grid)
    return crop, grid


def _skin(seen: Rgb8, rng: Rng) -> Points:
    """A hand's colour: the face's own, or that of anybody."""
    if len(seen) > 20 and rng.random() < _OWN_SKIN:
        color = np.median(seen, axis=0).astype(np.float64)
    else:
        at = rng.uniform(0, len(SKIN) - 1)
        low = min(int(at), len(SKIN) - 2)
        color = SKIN[low] + (at - low) * (SKIN[low + 1] - SKIN[low])
    return color * np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.03, 3))


def _lit(color: Points, mask: Mask8, soft: float, rng: Rng) -> Rgb8:
    """A colour over the whole crop, lit from one side as if the mask were round, with the grain of skin or cloth."""
    side = len(mask)
    depth = cv2.GaussianBlur(mask, (0, 0), max(1.0, soft))
    way = rng.uniform(0, 2 * np.pi)
    slope = (np.cos(way) * cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=soft / 1000)
             + np.sin(way) * cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=soft / 1000))  # fmt: skip
    cells = max(2, side // int(rng.integers(6, 24)))
    blotches = cv2.resize(rng.normal(0, 0.03, (cells, cells)).astype(np.float32), (side, side))
    fine = rng.normal(0, 0.02, (side, side)).astype(np.float32)
    light = np.clip(0.72 + 0.28 * depth / np.float32(255) + slope * rng.uniform(0.2, 0.8) + blotches + fine, 0.2, 1.6)
    return np.clip(light[..., None] * color.astype(np.float32), 0, 255).astype(np.uint8)


def _capsule(mask: Mask8, a: Points, b: Points, thick: float, value: int = 255) -> None:
    """A thick line with round ends, to 1/16 px."""
    (ax, ay), (bx, by) = (np.rint(p * 16).astype(int).tolist() for p in (a, b))
    cv2.line(mask, (ax, ay), (bx, by), value, max(1, round(thick)), cv2.LINE_AA, 4)


def _hand(side: int, x: float, y: float, size: float, skin: Points, rng: Rng) -> tuple[Rgb8, Mask8]:
    """A hand about `size` px long with its wrist, fingers spread, closed or bent; now and then with a sleeve."""
    turn = rng.choice(4) * np.pi / 2 + rng.normal(0, 0.5) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    flip, spread, bend = rng.choice([-1.0, 1.0]), rng.uniform(0.02, 0.28), rng.normal(0, 0.25)
    tip = np.array([x, y])  # the middle finger's: what comes furthest into the face
    palm = tip - along * size * 0.62
    thick = 0.105 * size * rng.uniform(0.85, 1.2)
    mask, edges = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    knuckles = [palm + flip * across * (k - 1.5) * thick * 1.12 + along * size * 0.2 for k in range(4)]
    corners = [*knuckles, *(palm - along * size * 0.25 + flip * across * w * thick for w in (1.5, -1.5))]
    hull = cv2.convexHull(np.array(corners, np.float32))
    nails = []
    cv2.fillPoly(mask, [np.rint(hull * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    cv2.polylines(mask, [np.rint(hull * 16).astype(np.int32)], True, 255, max(1, round(thick)), cv2.LINE_AA, 4)
    for k, (base, share) in enumerate(zip(knuckles, (0.86, 1.0, 0.94, 0.74), strict=True)):
        if rng.random() < 0.12:
            continue  # bent out of sight
        angle = turn + flip * (k - 1.5) * spread + rng.normal(0, 0.05)
        joint = base
        for part, (reach, own) in enumerate(((0.2, 1.0), (0.14, 0.93), (0.11, 0.84))):
            angle += bend * (0.4 if part else 0.1)
            end = joint + np.array([np.cos(angle), np.sin(angle)]) * reach * share * size
            _capsule(mask, joint, end, thick * own)
            joint = end
        nails.append((joint, angle))
        gap = base + np.array([-np.sin(angle), np.cos(angle)]) * flip * thick * 0.55
        _capsule(edges, gap, gap + (joint - base) * 0.95, max(1.0, 0.12 * thick))
    if rng.random() < 0.75:  # the thumb
        angle = turn - flip * rng.uniform(0.5, 1.1)
        base = palm - flip * across * thick * 1.6 - along * size * 0.12
        middle = base + np.array([np.cos(angle), np.sin(angle)]) * 0.24 * size
        end = middle + np.array([np.cos(angle + flip * 0.4), np.sin(angle + flip * 0.4)]) * 0.17 * size
        _capsule(mask, base, middle, thick * 1.25)
        _capsule(mask, middle, end, thick * 1.05)
        nails.append((end, angle + flip * 0.4))
    wrist = palm - along * size * rng.uniform(2.0, 3.0)
    _capsule(mask, palm - along * size * 0.2, wrist, thick * rng.uniform(2.4, 3.2))
    colors = _lit(skin, mask, thick * 0.45, rng)
    colors = cv2.subtract(colors, cv2.merge([edges // 4, edges // 3, edges // 3]))
    if rng.random() < 0.8:
        tone = np.clip(skin * rng.uniform(0.9, 1.25) if rng.random() < 0.75 else rng.uniform(0, 255, 3), 0, 255)
        for place, angle in nails:
            axes = (float(thick * 0.75), float(thick * 0.5))
            centre = tuple((place + 0.1 * thick * np.array([np.cos(angle), np.sin(angle)])).tolist())
            cv2.ellipse(colors, (centre, axes, float(np.degrees(angle))), tone.tolist(), -1, cv2.LINE_AA)
    if rng.random() < 0.5:  # the sleeve is no skin either
        sleeve = np.zeros((side, side), np.uint8)
        _capsule(sleeve, palm - along * size * rng.uniform(0.5, 0.9), wrist, thick * 3.6)
        colors = np.where(sleeve[..., None] > 127, _lit(rng.uniform(10, 245, 3), sleeve, thick, rng), colors)
        mask = np.maximum(mask, sleeve)
    return colors.astype(np.uint8), mask


def _thing(side: int, x: float, y: float, size: float, texture: Rgb8, rng: Rng) -> tuple[Rgb8, Mask8]:
    """A microphone, a cup or bottle, a phone, a bar, or any shape, plain or covered with a piece of a picture."""
    turn = rng.choice(4) * np.pi / 2 + rng.normal(0, 0.3) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    here, mask = np.array([x, y]), np.zeros((side, side), np.uint8)
    kind = rng.choice(["microphone", "cup", "phone", "bar", "shape"], p=[0.25, 0.2, 0.15, 0.15, 0.25])
    color = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(5, 120))
    if kind == "microphone":
        head = 0.16 * size * rng.uniform(0.8, 1.6)
        _capsule(mask, here, here + along * head * rng.uniform(0.2, 1.0), 2 * head)
        body = np.zeros_like(mask)
        _capsule(body, here, here + along * 3 * size, head * rng.uniform(0.9, 1.5))
        colors = np.where(mask[..., None] > 127, _lit(color, mask, head * 0.5, rng),
                          _lit(rng.uniform(0, 90) + rng.uniform(0, 20, 3), body, head * 0.4, rng))  # fmt: skip
        dots = (rng.random((side // 2, side // 2)) < 0.3).astype(np.uint8) * int(rng.integers(0, 60))
        grille = cv2.resize(dots, (side, side), interpolation=cv2.INTER_NEAREST)
        colors = np.where(mask[..., None] > 127, cv2.subtract(colors, cv2.merge([grille] * 3)), colors)
        return colors.astype(np.uint8), np.maximum(mask, body)
    if kind in ("cup", "phone"):
        half, length = size * rng.uniform(0.15, 0.35), size * rng.uniform(0.3, 0.8)
        taper = rng.uniform(0.7, 1.0) if kind == "cup" else 1.0
        corners = [here + across * half, here - across * half, here - across * half * taper + along * length,
                   here + across * half * taper + along * length]  # fmt: skip
        outline = np.rint(np.array(corners) * 16).astype(np.int32)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, 4)
        cv2.polylines(mask, [outline], True, 255, max(1, round(0.06 * size)), cv2.LINE_AA, 4)
    elif kind == "bar":
        reach = rng.uniform(0.5, 3.0) * size
        _capsule(mask, here - along * reach, here + along * reach, size * rng.uniform(0.06, 0.3))
    else:
        angles = np.linspace(0, 2 * np.pi, int(rng.integers(3, 12)), endpoint=False)
        radii = 0.5 * size * np.exp(rng.normal(0, 0.3, len(angles)))
        outline = np.rint(np.stack([x + np.cos(angles) * radii, y + np.sin(angles) * radii], 1) * 16)
        cv2.fillPoly(mask, [outline.astype(np.int32)], 255, cv2.LINE_AA, 4)
        if rng.random() < 0.6:
            mask = np.where(cv2.GaussianBlur(mask, (0, 0), 0.06 * size + 0.5) > 127, 255, 0).astype(np.uint8)
    colors = _lit(color, mask, size * rng.uniform(0.03, 0.12), rng)
    if rng.random() < 0.5:
        part = int(rng.integers(24, 160))
        top, left = (int(rng.integers(0, extent - part)) for extent in texture.shape[:2])
        piece = cv2.resize(texture[top : top + part, left : left + part], (side, side))
        colors = cv2.multiply(np.rot90(piece, int(rng.integers(4))).copy(), colors, scale=1 / 160)
    return colors.astype(np.uint8), mask


def _scarf(side: int, x: float, chin: float, face: float, rng: Rng) -> tuple[Rgb8, Mask8]:
    """Cloth over chin, mouth and perhaps nose, in folds."""
    top = chin - face * rng.uniform(0.05, 0.55)
    half, sag, tilt = face * rng.uniform(0.45, 0.8), face * rng.normal(0.05, 0.06), rng.normal(0, 0.12)
    u = np.linspace(-1, 1, 15)
    upper = np.stack([x + u * half, top + sag * (1 - u**2) + tilt * half * u + rng.normal(0, 0.012 * face, 15)], 1)
    lower = np.stack([x + u * half * rng.uniform(0.8, 1.4), chin + face * rng.uniform(0.1, 0.7) + 0.1 * face * u**2], 1)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.rint(np.concatenate([upper, lower[::-1]]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    colors = _lit(rng.uniform(0, 255, 3), mask, 0.05 * face, rng).astype(np.float32)
    folds = np.arange(side)[:, None] + 0.15 * face * np.sin(np.arange(side)[None] / max(4.0, 0.2 * face))
    wave = 1 + rng.uniform(0, 0.2) * np.sin(folds * rng.uniform(0.1, 0.6) + rng.uniform(0, 6))
    return np.clip(colors * wave[..., None], 0, 255).astype(np.uint8), mask


def _cutout(picture: NDArray[np.uint8], side: int, x: float, y: float, size: float, rng: Rng) -> tuple[Rgb8, Mask8]:
    """A user's picture, its longer side `size` px, at any angle, quarter turns first."""
    height, width = picture.shape[:2]
    turn = rng.choice(4) * 90 + rng.normal(0, 12) if rng.random() < 0.6 else rng.uniform(0, 360)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(turn), size / max(height, width))
    matrix[:, 2] += (x - width / 2, y - height / 2)
    if size < max(height, width) / 2:
        picture = cv2.blur(picture, (round(max(height, width) / size),) * 2).astype(np.uint8)
    placed = cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    return np.ascontiguousarray(placed[..., :3]).astype(np.uint8), np.ascontiguousarray(placed[..., 3]).astype(np.uint8)


def _shadowed(crop: Rgb8, alpha: Mask8, rng: Rng) -> Rgb8:
    """The crop with the shadow that the thing throws: now and then, soft, to one side."""
    if rng.random() < 0.5:
        return crop
    away = rng.normal(0, 0.02 * len(crop), 2)
    moved = cv2.warpAffine(alpha, np.array([[1, 0, away[0]], [0, 1, away[1]]]), alpha.shape[::-1])
    shade = cv2.blur(moved, (max(1, len(crop) // 40),) * 2)
    light = 255 - cv2.multiply(shade, np.full_like(shade, 255), scale=float(rng.uniform(0.1, 0.5)) / 255)
    return cv2.multiply(crop, cv2.merge([light, light, light]), scale=1 / 255).astype(np.uint8)
