"""One training sample from one pair: where the head lies in the crop, what is behind it, what the camera did.

Everything is drawn from the generator that is passed in: the same seed gives the same samples. Plain OpenCV on uint8,
because this runs on the same cores as the training itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.training.data import Pair
from faceparse_core.training.labels import SIDES, UNKNOWN
from faceparse_core.training.occluders import occlude

Rng = np.random.Generator


@dataclass(frozen=True)
class AugmentSettings:
    size: int = 256  # side of the crop that the network sees, in px
    stride: int = 4  # labels are taken on the network's output grid, once every `stride` px
    near: tuple[float, float] = (0.85, 1.40)  # scale of the frame in the crop, 1 = the data set's own framing ...
    far: tuple[float, float] = (0.55, 0.85)  # ... and zoomed out, as the wider crops of real photos show heads
    far_share: float = 0.3
    tilt: float = 11.0  # standard deviation of the rotation, in degrees
    lying: float = 50.0  # heads that lie: any tilt up to this, in degrees
    lying_share: float = 0.1
    occluded: float = 0.25  # share of the crops with something in front of the face
    cut: float = 0.15  # share of the crops in which the photo ends
    shift: float = 0.08  # of the crop's side, either way; zoomed-out heads wander a little further


def augment(
    pair: Pair,
    others: Sequence[Pair],
    rng: Rng,
    settings: AugmentSettings = AugmentSettings(),
    cutouts: Sequence[NDArray[np.uint8]] = (),
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A crop, uint8 RGB (size, size, 3), and its labels on the output grid, uint8 (size / stride, size / stride).

    `others` lend their pictures as backgrounds, where there are any; `cutouts`, uint8 RGBA, lie in front of faces
    beside what is drawn.
    """
    far = rng.random() < settings.far_share
    scale = float(np.exp(rng.uniform(*np.log(settings.far if far else settings.near))))
    crop, grid = _place(pair.rgb, pair.labels, scale * pair.wide, others, rng, settings)
    if rng.random() < 0.5:
        crop, grid = np.ascontiguousarray(crop[:, ::-1]), SIDES[grid[:, ::-1]]
    if rng.random() < settings.occluded:
        crop, grid = occlude(crop, grid, [_any(others or [pair], rng).rgb], rng, cutouts)
    crop = camera(crop, rng)
    if rng.random() < settings.cut:
        crop, grid = end_of_photo(crop, grid, rng)
    return crop, grid


def end_of_photo(
    crop: NDArray[np.uint8], grid: NDArray[np.uint8], rng: Rng
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The photo ends within the crop, at one side or two: beyond, its last pixels go on, as in the product's crops."""
    crop, grid, stride = crop.copy(), grid.copy(), crop.shape[0] // grid.shape[0]
    for turns in rng.choice(4, 1 + int(rng.random() < 0.3), replace=False).tolist():
        cells = int(rng.uniform(0.05, 0.4) * grid.shape[0])
        seen, known = np.rot90(crop, turns), np.rot90(grid, turns)  # views
        seen[: cells * stride] = seen[cells * stride]
        known[:cells] = UNKNOWN
    return crop, grid


def _place(
    rgb: NDArray[np.uint8], labels: NDArray[np.uint8], scale: float, others: Sequence[Pair], rng: Rng,
    s: AugmentSettings,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:  # fmt: skip
    side = labels.shape[0]
    factor = scale * s.size / side  # crop px per photo px
    if factor < 0.7:  # the warp below samples points: shrink first, so that nothing aliases
        half = max(1, round(side / 2))
        rgb = cv2.resize(rgb, (half, half), interpolation=cv2.INTER_AREA).astype(np.uint8)
    tilt = rng.uniform(-s.lying, s.lying) if rng.random() < s.lying_share else rng.normal(0, s.tilt)
    tilt = np.radians(np.clip(tilt, -s.lying, s.lying))
    squash = np.exp(rng.normal(0, 0.06))
    cos, sin = np.cos(tilt) / factor, np.sin(tilt) / factor
    back = np.array([[cos / squash, sin / squash], [-sin * squash, cos * squash]])  # crop px -> photo px, linear part
    room = 0.2 * max(0.0, 1 - scale) + s.shift
    centre = np.array([side / 2, side / 2]) - back @ (rng.uniform(-room, room, 2) * s.size)
    cells = s.size // s.stride
    across, down = _sources(back, centre, cells, s.stride)
    beyond = np.maximum(np.abs(across - side / 2), np.abs(down - side / 2)) - side / 2  # > 0: outside of the frame, px
    style = rng.random()
    if beyond.max() < -s.stride / factor:
        style = 0.0  # the frame fills the crop
    # Clothes and long hair go on beneath a real photo's crop. A sharp end there would teach that they don't: the
    # picture is mirrored at the frame's edges, and where another background stands, nobody asks what is below it.
    border = cv2.BORDER_REFLECT if style < 0.65 else cv2.BORDER_REPLICATE
    crop = _warp(rgb, back, centre, s.size, 1.0, side, cv2.INTER_LINEAR, border, 0)
    grid = _warp(labels, back, centre, cells, float(s.stride), side, cv2.INTER_NEAREST, border, 0)
    if style < 0.65:
        grid[beyond > 0.15 * side] = UNKNOWN  # further off it shows a face upside down
        return crop, grid
    if style < 0.75:  # the frame on another background
        mask = np.full_like(labels, 255)
    else:  # the person alone on another background: no straight frame edges to learn
        mask = ((labels != 0) & (labels != UNKNOWN)).astype(np.uint8) * 255
        mask = cv2.blur(mask, (5, 5)).astype(np.uint8)
    mask = _warp(mask, back, centre, s.size, 1.0, side, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT, 0)
    behind = background(_any(others, rng) if others else None, s.size, rng)
    grid[beyond > 0] = 0
    grid[(down > side) & (across > 0) & (across < side)] = UNKNOWN
    share = cv2.merge([mask, mask, mask])
    return cv2.add(cv2.multiply(crop, share, scale=1 / 255), cv2.multiply(behind, ~share, scale=1 / 255)), grid


def _any(pairs: Sequence[Pair], rng: Rng) -> Pair:
    return pairs[int(rng.integers(len(pairs)))]


def _sources(
    back: NDArray[np.float64], centre: NDArray[np.float64], cells: int, step: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y in the photo, px, of the centres of cells x cells cells, `step` px of the crop apart."""
    place = (np.arange(cells) + 0.5 - cells / 2) * step
    x, y = np.meshgrid(place, place)
    return back[0, 0] * x + back[0, 1] * y + centre[0], back[1, 0] * x + back[1, 1] * y + centre[1]


def _warp(
    image: NDArray[np.uint8], back: NDArray[np.float64], centre: NDArray[np.float64], size: int, step: float, side: int,
    interpolation: int, border: int, value: int,
) -> NDArray[np.uint8]:  # fmt: skip
    """Sample `image`, of any resolution of a photo `side` px wide, at size x size cell centres `step` px apart."""
    ratio = image.shape[0] / side
    linear = back * step * ratio
    offset = (centre + back @ np.full(2, step * 0.5 - size * step / 2)) * ratio - 0.5
    matrix = np.hstack([linear, offset[:, None]])
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=border, borderValue=value).astype(
        np.uint8
    )


def background(other: Pair | None, size: int, rng: Rng) -> NDArray[np.uint8]:
    """Something to stand behind a head, uint8 RGB (size, size, 3), with no face in it that could be recognised."""
    style = rng.random()
    if style < 0.35:  # flat or a gradient, with a little grain
        ends = rng.integers(0, 256, (2, 2, 3)).astype(np.float32)
        if style < 0.12:
            ends[:] = ends[0, 0]
        image = cv2.resize(ends, (size, size), interpolation=cv2.INTER_LINEAR)
        return grain(image.astype(np.uint8), rng.uniform(0, 8), rng)
    if style < 0.55 or other is None:  # clouds of colour at some scale
        cells = int(rng.integers(3, 48))
        noise = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        mode = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
        return cv2.resize(noise, (size, size), interpolation=mode).astype(np.uint8)
    # a piece of another picture's background, turned: texture of the real world
    for _ in range(4):
        part = int(rng.integers(40, 160))
        y, x = (int(rng.integers(0, extent - part)) for extent in other.labels.shape)
        if not other.labels[
            y : y + part : 4, x : x + part : 4
        ].any():  # somebody's hair or shirt must not be called none
            piece = np.rot90(other.rgb[y : y + part, x : x + part], int(rng.integers(1, 4)))
            return cv2.resize(np.ascontiguousarray(piece), (size, size), interpolation=cv2.INTER_LINEAR).astype(
                np.uint8
            )
    return grain(np.full((size, size, 3), other.rgb[0, 0], np.uint8), 4, rng)


def camera(rgb: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Light, colour, focus, noise and compression, each now and then. uint8 RGB in and out, same shape."""
    out = rgb
    if rng.random() < 0.85:  # exposure, white balance, contrast and saturation are one matrix; then the gamma
        gains = np.exp(rng.normal(0, 0.06, 3) + rng.normal(0, 0.18))
        contrast, saturation = np.exp(rng.normal(0, 0.18)), np.exp(rng.normal(0, 0.25))
        out = _mix(out, gains, contrast, saturation)
        curve = 255 * np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.2))
        out = cv2.LUT(out, np.rint(curve).astype(np.uint8)).astype(np.uint8)
    if rng.random() < 0.10:
        out = _mix(out, np.ones(3), 1.0, 0.0)
    if rng.random() < 0.10:
        out = grain(out, rng.uniform(3, 16), rng)
    if rng.random() < 0.15:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 2.0))).astype(np.uint8)
    if rng.random() < 0.20:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_COLOR)
        out = np.asarray(decoded, np.uint8)
    return out


def _mix(rgb: NDArray[np.uint8], gains: NDArray[np.float64], contrast: float, saturation: float) -> NDArray[np.uint8]:
    """Scale contrast about the mean, saturation about the grey, and the channels by `gains`."""
    grey = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    matrix = gains[:, None] * (saturation * np.eye(3) + (1 - saturation) * grey) * contrast
    offset = gains * (1 - contrast) * float(cv2.mean(rgb)[1])
    return cv2.transform(rgb, np.hstack([matrix, offset[:, None]])).astype(np.uint8)


def grain(rgb: NDArray[np.uint8], strength: float, rng: Rng) -> NDArray[np.uint8]:
    """`rgb` with film grain of one or two pixels; `strength` is about its amplitude in grey levels."""
    tile = rng.integers(-2 * round(strength), 2 * round(strength) + 1, (128, 128, 3), np.int16)
    tile = cv2.resize(tile, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(rgb + tile, 0, 255).astype(np.uint8)
