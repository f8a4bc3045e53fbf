# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes: the page of a file, and the viewports within it, as width, height, viewBox and preserveAspectRatio say.

A viewport is a complex number, width + height*1j in user units: what percentages are of. No bpy here.
"""

from __future__ import annotations

from typing import NamedTuple

from .css import parse_length
from .drawing import LARGEST, Affine, SvgError
from .notes import Notes
from .path_reader import parse_numbers
from .svg_tree import MAX_NAME, Node

SMALLEST = 1e-3  # px, of a drawing's sides


class Page(NamedTuple):
    size: tuple[float, float] | None  #: (height, width) in px, where the file says one
    transform: Affine  #: from user units to px
    viewport: complex


class _Box(NamedTuple):
    """A viewBox, in user units."""

    left: float
    top: float
    width: float
    height: float


def page_of(root: Node, notes: Notes) -> Page:
    """Raises SvgError where no picture has the size that is said."""
    box = _view_box(root)
    if box is None:
        if root.get("viewBox") is not None:
            notes.add("its viewBox is none that can be read: sizes may be off")
        width, height = parse_length(root.get("width")), parse_length(root.get("height"))
        if not (width and height and width > 0 and height > 0):
            notes.add("it has neither viewBox nor size: the size was taken from what is drawn")
            return Page(None, Affine(), 0j)
        return Page(_sound_size(width, height), Affine(), complex(width, height))
    width, height = parse_length(root.get("width"), box.width), parse_length(root.get("height"), box.height)
    if not width or width <= 0:
        width = box.width * (height / box.height if height and height > 0 else 1.0)
    if not height or height <= 0:
        height = box.height * (width / box.width)
    if abs(width / box.width - 1) < 1e-4 and abs(height / box.height - 1) < 1e-4:
        width, height = box.width, box.height  # millimetres as rounded in the file: these are our pixels
    size = _sound_size(width, height)
    return Page(size, _fit(box, width, height, root), complex(box.width, box.height))


def inner_view(node: Node, sized: Node, around: complex) -> tuple[Affine, complex]:
    """(map, viewport) within an <svg> or <symbol>.

    sized   the element that says its size: the <svg> itself, or the <use> that draws the symbol
    around  the viewport that it stands in
    """
    width = parse_length(sized.get("width") or "100%", around.real)
    height = parse_length(sized.get("height") or "100%", around.imag)
    if not (width and height and width > 0 and height > 0):
        return Affine(), around
    box = _view_box(node)
    if box is None:
        return Affine(), complex(width, height)
    return _fit(box, width, height, node), complex(box.width, box.height)


def _view_box(node: Node) -> _Box | None:
    """None where there is none to go by."""
    try:
        box = _Box(*parse_numbers((node.get("viewBox") or "")[:MAX_NAME]))
    except (ValueError, TypeError):  # PathError, or not four
        return None
    return box if box.width > 0 and box.height > 0 else None


def _fit(box: _Box, width: float, height: float, node: Node) -> Affine:
    """The map of a viewBox onto a viewport, by the rules of preserveAspectRatio."""
    aspect = node.get("preserveAspectRatio") or "xMidYMid meet"
    x, y = width / box.width, height / box.height
    if "none" in aspect:
        return Affine.matrix(x, 0, 0, y, -box.left * x, -box.top * y)
    scale = max(x, y) if "slice" in aspect else min(x, y)
    right = 0.0 if "xMin" in aspect else 1.0 if "xMax" in aspect else 0.5
    below = 0.0 if "YMin" in aspect else 1.0 if "YMax" in aspect else 0.5
    spare = complex((width - box.width * scale) * right, (height - box.height * scale) * below)
    return Affine(complex(scale), 0, spare - scale * complex(box.left, box.top))


def _sound_size(width: float, height: float) -> tuple[float, float]:
    """(height, width). Raises SvgError where no picture has that size."""
    if not (SMALLEST < width < LARGEST and SMALLEST < height < LARGEST):
        raise SvgError(f"a drawing of {width:g} x {height:g} px cannot be; set its size in the document's properties")
    return height, width
