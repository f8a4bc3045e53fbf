"""The files that can come beside an SVG, by kind, as bytes (`files.EXTRAS` has their names)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceparse_core.group import GroupMap, count_faces, faces_of, parts_of
from faceparse_core.masks import colorize, heatmap, label_mask, mask
from faceparse_core.parse import Parsing
from faceparse_core.parts import BACKGROUND, PARTS, STANDARD, PartTable, Rgb, select_labels
from svg_export.export import Drawn, swatches_of
from svg_export.files import HEATMAP_OF

_WHITE: Rgb = (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """All that is known of one photo, or of one label map: then there is no `rgb`, and nothing was parsed."""

    labels: GroupMap  #: (H, W), of one or more faces
    rgb: NDArray[np.uint8] | None  #: (H, W, 3)
    parsings: Sequence[Parsing]  #: one for each face that is drawn
    drawn: Drawn | None  #: for `preview` and `palette`
    title: str
    swatches: Mapping[str, Rgb]
    parts: str | None = None  #: what masks, heatmaps and colours show; None: the face in grey, in colours all
    threshold: float | None = None  #: of the mask
    table: PartTable = STANDARD  #: with the parts that a model has of its own

    def file(self, kind: str) -> bytes:
        """The bytes of the file of this kind: a .gpl of `palette`, else a PNG. Of what is not known there is none."""
        from svg_export.preview import paint_labels, png, preview_png

        if kind == "palette" and self.drawn:
            from svg_export.palette import write_palette

            return write_palette(self.drawn.palette, self.title, self.table)
        if kind == "preview" and self.drawn:
            photo = paint_labels(self.labels, self.table) if self.rgb is None else self.rgb
            return preview_png(photo, self.drawn.faces, self.drawn.palette.get(PARTS[BACKGROUND].name, _WHITE))
        return png(self._pixels(kind))

    def _pixels(self, kind: str) -> GroupMap:
        """Grey (H, W) or RGB (h, w, 3); all but the gallery as large as the photo."""
        grey, colored = self.parts or "face", self.parts or "all"
        if kind == "labels":
            return self.labels
        parts = parts_of(self.labels)
        if kind == "colorize":
            return self._colorized(colored, None)
        if kind == "mask" and not self.parsings:
            return label_mask(parts, select_labels(grey, self.table))
        if self.parsings and self.rgb is not None:
            if kind == "mask":
                return self._brightest(mask, grey, self.threshold)
            if kind == "heatmap":
                return self._brightest(heatmap, grey)
            if kind.startswith(HEATMAP_OF):
                return self._brightest(heatmap, kind.removeprefix(HEATMAP_OF))
            if kind == "colorize-over":
                return self._colorized(colored, self.rgb)
            if kind == "gallery":
                from svg_export.gallery import contact_sheet

                swatches = [swatches_of(self.swatches, number) for number in range(1, len(self.parsings) + 1)]
                return contact_sheet(self.rgb, self._colorized(colored, None), self.parsings, colored, swatches)
        raise ValueError(f"no {kind} can be made here")

    def _colorized(self, chosen: str, rgb: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """The parts in their colours, each face in those of its swatches; over the photo where it is given."""
        out: NDArray[np.uint8] | None = None
        for number in range(1, count_faces(self.labels) + 1):
            swatches = swatches_of(self.swatches, number)
            mine = colorize(parts_of(self.labels), chosen, rgb, swatches, self.table)
            out = mine if out is None else np.where((faces_of(self.labels) == number)[..., None], mine, out)
        assert out is not None
        return out

    def _brightest(self, paint: Callable[..., NDArray[np.uint8]], *how: object) -> NDArray[np.uint8]:
        """What `paint` makes of each face, the brightest of each pixel."""
        out = paint(self.parsings[0], *how)
        for parsing in self.parsings[1:]:
            np.maximum(out, paint(parsing, *how), out=out)
        return out
