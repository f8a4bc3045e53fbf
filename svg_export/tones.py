"""Cel shading: the light and the shadow on each broad part, from the photo, as a few shapes painted upon it.

1. The photo around the parts is brought to a size at which every head is _HEAD px high.
2. Lightness (Oklab's) is blurred within each part, and carried on beyond its edge. Head and nose are one surface.
3. What is darker or lighter than the part's median by more than its own spread is shadow or light; specks go.
4. Both regions are traced as parts are, smoothly, beyond the part's edge.
5. They are cut to the part's shape: where a tone reaches the part's edge it runs along the same curve. The part stays
   whole beneath, so there is no seam to open.

Limits. Light is told from paint by its size alone: a broad stripe of a shirt or a dyed strand becomes a tone. Blurring
takes cast shadows with sharp edges for soft ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceparse_core.colors import as_color, robust_mean, srgb_to_oklab
from faceparse_core.parts import BACKGROUND, CLOTH, HAIR, HAIR_BACK, HEAD, LAYERS, NOSE, STANDARD, PartTable, Rgb
from svg_export.clip import clip
from svg_export.layers import TraceSettings, build_layers, shown_parts
from svg_export.looks import TONED, TONES, ToneName, ToneSettings
from svg_export.shapes import Layer, Ring, Shape, Tone

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_HEAD = 256.0  # px: the head's height at which light is looked at
_MOST = 2048  # px: the longer side of what is looked at; where it is longer, heads are smaller
_PAD = 16  # px around it, so that tones are traced beyond parts that end at the frame
_WIDER = (1.0, 4.0, 16.0)  # blurs, one beneath the other: where one sees nothing of the part the next one does
_FAINT = 1e-3  # how little each next one weighs
_SAMPLES = 4096  # pixels that a colour is the mean of
_STAND_INS: dict[ToneName, int] = {"shadow": CLOTH, "light": HAIR}  # parts that tones are traced as
_SURFACES = {HEAD: (HEAD, NOSE), NOSE: (HEAD, NOSE), HAIR_BACK: (HAIR,)}  # what the light falls on as on one


def add_tones(
    layers: Sequence[Layer],
    labels: NDArray[np.uint8],
    rgb: NDArray[np.uint8],
    parts: frozenset[int],
    head_size: float,
    swatches: Mapping[str, Rgb],
    settings: ToneSettings,
    curves: Literal["bezier", "polygon"] = "bezier",
    table: PartTable = STANDARD,
) -> tuple[Layer, ...]:
    """The layers with their tones, each filled with the colour of what is neither light nor shadow.

    layers     of `labels` (H, W), with the layers of `parts`
    rgb        (H, W, 3) the photo
    head_size  px
    curves     what the tones' own outlines are made of, as `TraceSettings` says
    swatches   colours by name: of a part that has one, tones that have none are as far from it as in the photo
    table      with the parts that the label map's model has of its own, which stay flat
    """
    scene = _Scene.of(shown_parts(parts, table)[labels], rgb, head_size, table.on_head)
    surfaces: dict[tuple[int, ...], _Surface | None] = {}
    toned = []
    for layer in layers:
        key = _SURFACES.get(layer.part, (layer.part,))
        if layer.part in TONED and key not in surfaces:
            surfaces[key] = _judged(key, scene, settings, curves)
        surface = surfaces.get(key)
        toned.append(_toned(layer, surface, swatches) if surface else layer)
    return tuple(toned)


@dataclass(frozen=True)
class _Scene:
    """What is around the parts, at the size where heads are `head` px high."""

    labels: NDArray[np.uint8]  # (h, w)
    rgb: NDArray[np.uint8]  # (h, w, 3)
    light: Floats  # (h, w) L
    head: float
    scale: NDArray[np.float64]  # (2,) x, y: px of the photo in one of the scene
    origin: NDArray[np.float64]  # (2,) px of the photo
    on_head: frozenset[int]  # parts

    @classmethod
    def of(cls, labels: NDArray[np.uint8], rgb: NDArray[np.uint8], head_size: float, on_head: frozenset[int]) -> _Scene:
        rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
        (top, bottom), (left, right) = ((int(axis[0]), int(axis[-1]) + 1) for axis in (rows, columns))
        labels, rgb = labels[top:bottom, left:right], rgb[top:bottom, left:right]
        factor = min(_HEAD / head_size, _MOST / max(labels.shape))
        size = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        pad = (_PAD, _PAD, _PAD, _PAD)
        rgb = cv2.copyMakeBorder(rgb, *pad, cv2.BORDER_REPLICATE)
        labels = cv2.copyMakeBorder(labels, *pad, cv2.BORDER_CONSTANT, value=BACKGROUND)
        light = srgb_to_oklab(rgb.reshape(-1, 3))[:, 0].reshape(rgb.shape[:2]).astype(np.float32)
        scale = np.array([(right - left) / size[0], (bottom - top) / size[1]])
        return cls(labels, rgb, light, head_size * factor, scale, np.array([left, top]) - _PAD * scale, on_head)


@dataclass(frozen=True)
class _Surface:
    """Parts that the light falls on as on one."""

    base: Rgb  # of what is neither light nor shadow
    tones: dict[ToneName, tuple[tuple[Shape, ...], Rgb]]  # shapes reach beyond the parts
    min_area: float  # px squared of the photo: smaller pieces, and pieces thinner than ...
    min_width: float  # ... px of the photo, are left out


def _judged(
    parts: tuple[int, ...], scene: _Scene, s: ToneSettings, curves: Literal["bezier", "polygon"]
) -> _Surface | None:
    """Light and shadow on a surface, None where there is neither."""
    mine = np.isin(scene.labels, parts)
    if not mine.any():
        return None
    sure = _shrunk(mine, s.rim * scene.head)
    field = _spread_out(scene.light, sure, s.blur * scene.head)
    middle = float(np.median(field[sure]))
    deviation = 1.4826 * float(np.median(np.abs(field[sure] - middle)))  # of a normal distribution the standard one
    offset = float(np.clip(s.spread * deviation, s.least, s.most))
    carries = mine | np.isin(scene.labels, [*scene.on_head]) if HEAD in parts else mine
    regions = _regions(field - middle, offset, mine, _grown(carries, s.beyond * scene.head), scene, s)
    if not regions:
        return None
    own = scene.light - middle
    agrees: dict[ToneName, Mask] = {"shadow": own < -offset, "light": own > offset}
    plain = sure & ~np.any(list(regions.values()), axis=0)
    base = _color(scene, plain if plain.any() else sure, np.abs(own) <= offset)
    shapes = _traced(regions, scene, s, curves)
    tones = {tone: (shapes[tone], _color(scene, mine & regions[tone], agrees[tone] & sure)) for tone in regions}
    px = float(scene.scale.mean()) * scene.head
    return _Surface(base, tones, s.crumb * px**2, s.thin * px)


def _toned(layer: Layer, surface: _Surface, swatches: Mapping[str, Rgb]) -> Layer:
    name = LAYERS[layer.part].name
    fill = swatches.get(name, surface.base)
    tones = []
    for tone, (shapes, color) in surface.tones.items():
        cut = clip(shapes, layer.shapes, surface.min_area, surface.min_width)
        cut = tuple(_kept_within(shape, layer.shapes) for shape in cut)
        if cut:
            tones.append(Tone(tone, cut, swatches.get(f"{name}-{tone}", _moved(color, surface.base, fill))))
    return replace(layer, fill=fill, tones=tuple(tones))


def _regions(
    field: Floats, offset: float, mine: Mask, near: Mask, scene: _Scene, s: ToneSettings
) -> dict[ToneName, Mask]:
    """Where light and shadow lie within `near`, not overlapping.

    field   (h, w) L as seen from the surface's median
    offset  L: how far from it they begin
    mine    where the surface shows
    """
    plain = mine & (np.abs(field) <= offset)
    level = float(field[plain].mean()) if plain.any() else 0.0
    far: dict[ToneName, Mask] = {"shadow": field < -offset, "light": field > offset}
    found: dict[ToneName, Mask] = {}
    taken = np.zeros_like(mine)
    for tone in TONES:
        region = _tidied(far[tone] & near & ~taken, mine, s.speck * scene.head**2) & ~taken
        seen = region & mine
        if seen.sum() >= s.share * mine.sum() and abs(float(field[seen].mean()) - level) >= s.contrast:
            found[tone] = region
            taken |= region
    return found


def _tidied(region: Mask, mine: Mask, speck: float) -> Mask:
    """The region without pieces, and without holes, that show less than `speck` px of the part."""
    for wanted in (True, False):
        count, pieces = cv2.connectedComponents((region == wanted).astype(np.uint8), connectivity=4)
        small = np.bincount(pieces[mine], minlength=count) < speck
        small[0] = False
        region = region ^ small[pieces]
    return region


def _traced(
    regions: Mapping[ToneName, Mask], scene: _Scene, s: ToneSettings, curves: Literal["bezier", "polygon"]
) -> dict[ToneName, tuple[Shape, ...]]:
    """The regions as shapes in px of the photo."""
    drawn = np.zeros(scene.labels.shape, np.uint8)
    for tone, region in regions.items():
        drawn[region] = _STAND_INS[tone]
    trace = TraceSettings(
        joins="cutout",
        curves=curves,
        tolerance=s.tolerance,
        smoothing=s.smoothing,
        corner=s.corner,
        speck=0.0,
        sliver=0.0,
        decimals=3,
    )
    layers = {each.part: each for each in build_layers(drawn, {}, frozenset(_STAND_INS.values()), trace, scene.head)}
    return {tone: tuple(_placed(shape, scene) for shape in layers[_STAND_INS[tone]].shapes) for tone in regions}


def _kept_within(shape: Shape, outer: tuple[Shape, ...]) -> Shape:
    """A tone's shape, not beyond the box around its part's: near the frame a curve may stray by its tolerance."""
    points = np.concatenate([ring.points for each in outer for ring in each.rings])
    low, high = points.min(axis=0), points.max(axis=0)
    return Shape(tuple(Ring(np.clip(ring.points, low, high), ring.lines) for ring in shape.rings))


def _placed(shape: Shape, scene: _Scene) -> Shape:
    return Shape(tuple(Ring(scene.origin + ring.points * scene.scale, ring.lines) for ring in shape.rings))


def _color(scene: _Scene, mask: Mask, agrees: Mask) -> Rgb:
    """The colour of a tone; of pixels that have its lightness themselves, where those are not few."""
    chosen = mask & agrees
    pixels = scene.rgb[chosen if chosen.sum() > 0.25 * mask.sum() else mask]
    return robust_mean(pixels[:: max(1, len(pixels) // _SAMPLES)])


def _moved(color: Rgb, base: Rgb, fill: Rgb) -> Rgb:
    """The colour that is to `fill` as `color` is to `base`, in Oklab."""
    if fill == base:
        return color
    one, two, three = srgb_to_oklab(np.array([color, base, fill], np.uint8))
    return as_color(three + one - two)


def _spread_out(light: Floats, sure: Mask, sigma: float) -> Floats:
    """`light` blurred over the pixels in `sure` alone, with a value everywhere."""
    known = sure.astype(np.float32)
    total, weight = np.zeros_like(light), np.full_like(light, 1e-12)
    for step, wider in enumerate(_WIDER):
        share = np.float32(_FAINT**step)
        total += share * _blurred(light * known, sigma * wider)
        weight += share * _blurred(known, sigma * wider)
    field: Floats = total / weight
    return field


def _blurred(values: Floats, sigma: float) -> Floats:
    """A Gaussian blur; the wide ones on a smaller picture."""
    height, width = values.shape
    step = max(1, min(int(sigma / 6), height, width))
    small = cv2.resize(values, (width // step, height // step), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / step, 0.3), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _shrunk(mask: Mask, reach: float) -> Mask:
    """The mask less its rim, or itself where little would be left."""
    inner = cv2.erode(mask.astype(np.uint8), _disc(reach), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    return np.asarray(inner if inner.sum() > 0.3 * mask.sum() else mask, np.bool_)


def _grown(mask: Mask, reach: float) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(reach)) > 0, np.bool_)


def _disc(reach: float) -> NDArray[np.uint8]:
    side = 2 * round(reach) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
