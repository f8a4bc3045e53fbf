"""The files that can come beside an SVG, by kind, as bytes (`files.EXTRAS` has their names)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceparse_core.group import GroupMap, parts_of
from faceparse_core.masks import colorize, heatmap, label_mask, mask
from faceparse_core.parse import Parsing
from faceparse_core.parts import STANDARD, PartTable, Rgb, select_labels
from svg_export.export import Drawn
from svg_export.files import HEATMAP_OF


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
            return preview_png(photo, self.drawn.faces)
        return png(self._pixels(kind))

    def _pixels(self, kind: str) -> GroupMap:
        """Grey (H, W) or RGB (h, w, 3); all but the gallery as large as the photo."""
        grey, colored = self.parts or "face", self.parts or "all"
        if kind == "labels":
            return self.labels
        parts = parts_of(self.labels)
        if kind == "colorize":
            return colorize(parts, colored, colors=self.swatches, table=self.table)
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
                return colorize(parts, colored, self.rgb, self.swatches, self.table)
            if kind == "gallery":
                from svg_export.gallery import contact_sheet

                return contact_sheet(self.rgb, self.parsings, colored, self.swatches)
        raise ValueError(f"no {kind} can be made here")

    def _brightest(self, paint: Callable[..., NDArray[np.uint8]], *how: object) -> NDArray[np.uint8]:
        """What `paint` makes of each face, the brightest of each pixel."""
        out = paint(self.parsings[0], *how)
        for parsing in self.parsings[1:]:
            np.maximum(out, paint(parsing, *how), out=out)
        return out
