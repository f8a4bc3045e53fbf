"""The colour of each part: a robust mean of the photo's pixels, in Oklab.

Oklab (Ottosson 2020, https://bottosson.github.io/posts/oklab/) is a perceptual space: there the mean of two colours
looks half way between them, which a mean of sRGB bytes does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceparse_core.arrays import distinct
from faceparse_core.parts import BROWS, EARS, EYES, GLASSES, HEAD, NOSE, Rgb

_LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # linear sRGB -> cone responses; the matrices are Ottosson's  # fmt: skip
_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip

_SAMPLES = 2048  #: pixels that are looked at per part
_ROUNDS = 4  #: of weighing down what is far from the mean
_REACH = 0.08  #: Oklab distance at which a pixel counts half
_SEEN = 0.12  #: Oklab distance from the skin's colour at which glasses stand out, by eye on six portraits
_FRAME = 0.2  #: of their pixels, those least like skin, are the frame of glasses
_TOLD = 0.03  #: Oklab distance at which a nose is told from the skin, by eye on nine portraits where it was nearer
_ALIKE = 0.005  #: Oklab lightness by which a nose is neither darker nor lighter than the skin; then it becomes ...
_BRIGHT = 0.9  #: ... lighter, or where the skin is lighter than this darker
_SKIN = 0.1  #: how far noses and ears are from the skin at most: what was beyond, of sixty portraits, was gleam or hair
_MOST_FRAME = 0.5  #: of the colour of glasses comes from their frame at most


def part_colors(rgb: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[int, Rgb]:
    """sRGB colour of every id that occurs in `labels` (H, W), from the photo (H, W, 3).

    Pixels within a few px of another part are left out where a part has others, for the lens mixes them. The mean is
    reweighted by distance, so that highlights, shadows and stray pixels hardly count. Both eyes have the colour of the
    darker one, and both brows, for of the other more is skin, gleam or white; slivers do not count. Glasses are one
    shape, most of it lens: where skin is seen through that, as much of the frame's colour is mixed in, up to a half, as
    makes them stand out. A nose stands out from the skin by a little, too. But nose and ears are skin: where they gleam
    or lie in the shade, or hair lies over them, their colours come no farther from the head's than skin may.
    """
    step = max(1, round((labels.size / 400_000) ** 0.5))  # so many pixels say it all
    labels, rgb = labels[::step, ::step], rgb[::step, ::step]
    inside = _inside(labels, reach=2)
    colors, well_seen = {}, set()
    for part in distinct(labels).tolist():
        mine = labels == part
        places = np.flatnonzero(mine & inside)
        if len(places) >= 16:
            well_seen.add(part)
        else:
            places = np.flatnonzero(mine)
        if len(places):
            places = places[:: max(1, len(places) // _SAMPLES)]
            colors[part] = robust_mean(rgb[np.divmod(places, labels.shape[1])])
    for left, right in (BROWS, EYES):
        if left in colors and right in colors:
            leading = well_seen & {left, right} or {left, right}
            colors[left] = colors[right] = min((colors[part] for part in sorted(leading)), key=_lightness)
    if HEAD in colors:
        skin = colors[HEAD]
        for part in {NOSE, *EARS} & colors.keys():
            colors[part] = _like_skin(colors[part], skin)
        if NOSE in colors:
            colors[NOSE] = _seen_nose(colors[NOSE], skin)
        if GLASSES in colors:
            pixels = rgb[labels == GLASSES]
            colors[GLASSES] = _seen_glasses(pixels[:: max(1, len(pixels) // _SAMPLES)], colors[GLASSES], skin)
    return colors


def _seen_glasses(pixels: NDArray[np.uint8], lens: Rgb, skin: Rgb) -> Rgb:
    """The colour of glasses, of which `pixels` (n, 3) are all parts: the lens's, and some of the frame's."""
    of_lens, of_skin = srgb_to_oklab(np.array([lens, skin], np.uint8))
    lab = srgb_to_oklab(pixels)
    unlike = np.hypot.reduce(lab - of_skin, axis=1)
    of_frame = np.median(lab[unlike >= np.quantile(unlike, 1 - _FRAME)], axis=0)
    mixed = of_lens + np.linspace(0, _MOST_FRAME, 26)[:, None] * (of_frame - of_lens)
    seen = np.hypot.reduce(mixed - of_skin, axis=1) >= _SEEN
    if seen[0]:
        return lens
    return as_color(mixed[seen.argmax() if seen.any() else -1])


def _like_skin(color: Rgb, skin: Rgb) -> Rgb:
    """A colour, or what of the way to it from the skin's is as far as skin may be.

    Its tint counts twice: shade and gleam change the lightness.
    """
    of_part, of_skin = srgb_to_oklab(np.array([color, skin], np.uint8))
    away = float(np.hypot.reduce((of_part - of_skin) * (1, 2, 2)))
    return color if away <= _SKIN else as_color(of_skin + _SKIN / away * (of_part - of_skin))


def _seen_nose(nose: Rgb, skin: Rgb) -> Rgb:
    """The nose's colour, or where it could not be told from the skin's a lighter or darker one that can.

    A flat drawing has no shading that would show the nose.
    """
    of_nose, of_skin = srgb_to_oklab(np.array([nose, skin], np.uint8))
    lighter, a, b = of_nose - of_skin
    lacking = _TOLD**2 - a * a - b * b
    if lacking <= lighter * lighter:
        return nose
    if abs(lighter) < _ALIKE:
        lighter = 1.0 if of_skin[0] < _BRIGHT else -1.0
    return as_color(np.array([of_skin[0] + np.copysign(lacking**0.5, lighter), *of_nose[1:]]))


def _lightness(color: Rgb) -> float:
    return float(srgb_to_oklab(np.array([color], np.uint8))[0, 0])


def robust_mean(pixels: NDArray[np.uint8]) -> Rgb:
    """The colour around which `pixels` (n, 3) crowd, as sRGB bytes."""
    lab = srgb_to_oklab(pixels)
    mean = np.median(lab, axis=0)
    for _ in range(_ROUNDS):
        weights = 1 / (1 + ((lab - mean) ** 2).sum(1) / _REACH**2)
        mean = weights @ lab / weights.sum()
    return as_color(mean)


def as_color(lab: NDArray[np.float64]) -> Rgb:
    """A colour in Oklab (3,) as sRGB bytes, clipped to what sRGB can show."""
    red, green, blue = oklab_to_srgb(lab[None])[0].tolist()
    return red, green, blue


def srgb_to_oklab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 sRGB (n, 3) -> Oklab (n, 3)."""
    linear = _LINEAR[rgb]
    lab: NDArray[np.float64] = np.cbrt(linear @ _LMS.T) @ _LAB.T
    return lab


def oklab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Oklab (n, 3) -> uint8 sRGB (n, 3), clipped to what sRGB can show."""
    linear = np.clip(((lab @ np.linalg.inv(_LAB).T) ** 3) @ np.linalg.inv(_LMS).T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    out: NDArray[np.uint8] = np.rint(encoded * 255).astype(np.uint8)
    return out


def _inside(labels: NDArray[np.uint8], reach: int) -> NDArray[np.bool_]:
    """Pixels whose neighbours `reach` px up, down, left and right bear the same label."""
    inside = np.ones(labels.shape, bool)
    for axis in (0, 1):
        near, far = (labels[reach:], labels[:-reach]) if axis == 0 else (labels[:, reach:], labels[:, :-reach])
        same = near == far
        first, second = (inside[reach:], inside[:-reach]) if axis == 0 else (inside[:, reach:], inside[:, :-reach])
        first &= same
        second &= same
    return inside


def _decode_srgb() -> NDArray[np.float64]:
    encoded = np.arange(256) / 255
    linear: NDArray[np.float64] = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear


_LINEAR = _decode_srgb()  #: linear light of each sRGB byte
