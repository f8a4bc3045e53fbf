"""Whatever the label map: closed outlines that do not cross, layers without a seam, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import shapely
from any_maps import (
    KINDS,
    Labels,
    distance_to_borders,
    evidence_of,
    faults,
    flat_line,
    known_maps,
    maps,
    mirrored,
    painted,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from faceparse_core.parts import PARTS, PRESETS
from svg_export.export import draw
from svg_export.layers import Traced, TraceSettings, trace_map
from svg_export.looks import LookSettings
from svg_export.subpixel import Evidence

JOINS, CURVES = ("underlap", "stacked", "cutout"), ("bezier", "polygon")
HEAD = 260.0  # px: what lengths are relative to, as in a photo; specks and slivers are kept here, to be drawn
MOVED = 4.0  # px: how far evidence may move borders, at most
Known = tuple[Labels, Evidence]


def kept(**options: object) -> TraceSettings:
    return TraceSettings(speck=0.0, sliver=0.0, **options)  # type: ignore[arg-type]


def traced(labels: Labels, trace: TraceSettings, evidence: Evidence | None = None) -> Traced:
    """What is drawn; nothing of it crosses."""
    found = trace_map(labels, {}, settings=trace, head_size=HEAD, evidence=evidence)
    assert found.crossings == 0
    return found


@settings(max_examples=20)
@given(maps())
@pytest.mark.parametrize("curves", CURVES)
@pytest.mark.parametrize("joins", JOINS)
def test_any_map_becomes_sound_layers(joins: str, curves: str, labels: Labels) -> None:
    trace = kept(joins=joins, curves=curves)
    assert faults(traced(labels, trace).layers, labels, trace) == []


@settings(max_examples=12)
@given(known_maps())
@pytest.mark.parametrize("curves", CURVES)
@pytest.mark.parametrize("joins", JOINS)
def test_so_it_does_whatever_the_scores_and_the_photo_say(joins: str, curves: str, known: Known) -> None:
    labels, evidence = known
    trace = kept(joins=joins, curves=curves)
    assert faults(traced(labels, trace, evidence).layers, labels, trace, MOVED) == []


@settings(max_examples=12)
@given(maps(), st.sampled_from(JOINS))
def test_at_no_tolerance_polygons_are_the_map(labels: Labels, joins: str) -> None:
    trace = kept(joins=joins, curves="polygon", tolerance_px=0.0)
    layers = traced(labels, trace).layers
    assert (painted(layers, labels.shape) == labels).all()
    assert faults(layers, labels, trace) == []


@settings(max_examples=8)
@given(maps(16), st.sampled_from(JOINS))
def test_a_mirrored_map_gives_the_mirrored_drawing(labels: Labels, joins: str) -> None:
    check_mirrored(labels, None, joins)


@settings(max_examples=12)
@given(known_maps(16), st.sampled_from(JOINS))
def test_and_so_does_mirrored_evidence(known: Known, joins: str) -> None:
    check_mirrored(*known, joins)


def check_mirrored(labels: Labels, evidence: Evidence | None, joins: str) -> None:
    trace = kept(joins=joins)
    turned, known = mirrored(labels, evidence)
    here, there = traced(labels, trace, evidence), traced(turned, trace, known)
    assert [layer.part for layer in here.layers] == [layer.part for layer in there.layers]
    changed = painted(here.layers, labels.shape) != painted(there.layers, labels.shape)[:, ::-1]
    assert not changed[distance_to_borders(labels) > 1.5].any()
    lines = [
        shapely.union_all([shapely.LineString(flat_line(line, 6)) for line in each.lines]) for each in (here, there)
    ]
    if not lines[0].is_empty:
        back = shapely.transform(lines[1], lambda points: np.array([labels.shape[1], 0]) + points * [-1, 1])
        assert lines[0].hausdorff_distance(back) < 2 * TraceSettings().drift  # of both, px


@settings(max_examples=10)
@given(known_maps(), st.sampled_from(JOINS), st.sampled_from(CURVES))
def test_the_same_map_gives_the_same_bytes(known: Known, joins: str, curves: str) -> None:
    labels, evidence = known
    if not labels.any():
        return
    trace = kept(joins=joins, curves=curves)
    for what in (None, evidence):
        one, other = (
            draw(labels, {}, PRESETS["all"], trace, title="t", head_size=HEAD, evidence=what).svg for _ in range(2)
        )
        assert one == other


@settings(max_examples=8)
@given(maps(), st.sampled_from(JOINS), st.sampled_from([1, 5, 40]))
def test_a_budget_however_small_opens_no_seam(labels: Labels, joins: str, most: int) -> None:
    trace = kept(joins=joins, max_nodes=most)
    found = traced(labels, trace)
    assert [fault for fault in faults(found.layers, labels, trace) if "px wrong" not in fault] == []
    assert np.isfinite(found.error)
    assert found.nodes <= traced(labels, kept(joins=joins)).nodes


@settings(max_examples=10)
@given(maps(), st.sampled_from(JOINS), st.sampled_from(CURVES), st.integers(0, 2**32 - 1))
def test_tones_lie_within_their_parts(labels: Labels, joins: str, curves: str, seed: int) -> None:
    if not labels.any():
        return
    rng = np.random.default_rng(seed)
    size = labels.shape[1], labels.shape[0]
    rgb = cv2.resize(rng.integers(0, 256, (5, 4, 3)).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    trace = kept(joins=joins, curves=curves)
    layers = draw(
        labels,
        {},
        PRESETS["all"],
        trace,
        LookSettings(style="cel"),
        title="t",
        head_size=20.0,
        evidence=Evidence(rgb.reshape(*labels.shape, 3)),
    ).layers
    assert faults(layers, labels, trace, MOVED) == []
    for layer in layers:
        rings = [ring for tone in layer.tones for shape in tone.shapes for ring in shape.rings]
        assert curves == "bezier" or all(ring.lines.all() for ring in rings), PARTS[layer.part].name


def degenerate() -> Iterator[tuple[str, Labels]]:
    rng = np.random.default_rng(7)
    for kind in KINDS:
        for size in ((1, 1), (1, 19), (19, 1), (19, 19)):
            yield f"{kind.__name__} {size[0]}x{size[1]}", kind(rng, *size, 4)


@pytest.mark.parametrize("joins", JOINS)
def test_every_kind_of_map_at_its_smallest(joins: str) -> None:
    for name, labels in degenerate():
        trace = kept(joins=joins)
        assert faults(traced(labels, trace).layers, labels, trace) == [], name
        evidence = evidence_of(labels, np.random.default_rng(len(name)))
        assert faults(traced(labels, trace, evidence).layers, labels, trace, MOVED) == [], name


def test_the_faults_are_seen() -> None:
    labels = np.full((24, 24), 1, np.uint8)
    labels[:, 12:] = 17
    trace = kept(joins="cutout")
    head, hair = traced(labels, trace).layers
    assert faults([head, hair], labels, trace) == []
    assert faults([head], labels, trace)
    moved = labels.copy()
    moved[:, 10:14] = 1
    other = traced(moved, trace).layers
    assert any("overlap" in fault for fault in faults([other[0], hair], labels, trace))
    assert any("seam" in fault for fault in faults([head, other[1]], labels, trace))


@pytest.mark.parametrize("seed", [1885, 1935, 2165])
@pytest.mark.parametrize("curves", ["bezier", "polygon"])
def test_a_ring_around_one_pixel_is_drawn(seed, curves):
    """Maps in which every few points of a border once were too few for a ring."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 27, 2).tolist()
    labels = KINDS[seed % len(KINDS)](rng, height, width, int(rng.choice([2, 3, 4, 5, 6, 19])))
    settings = TraceSettings(speck=0.0, sliver=0.0, joins="underlap", curves=curves)
    tracing = trace_map(labels, {}, settings=settings, head_size=260.0)
    assert not faults(tracing.layers, labels, settings, 0.0)


HARD = {
    "a hole at whose corner its outline touches itself": (
        [13, 15, 15, 1, 1, 1, 1],
        [13, 19, 13, 15, 1, 1, 1],
        [13, 15, 19, 15, 1, 1, 1],
        [1, 13, 16, 1, 1, 1, 1],
        [1, 15, 1, 1, 1, 1, 1],
    ),
    "an outline hidden from its first pixel on": ([12, 16, 12], [7, 18, 16], [12, 18, 12]),
    "two pixels at the frame, hidden but for one side": ([9, 15, 15, 8], [0, 8, 9, 4]),
    "a pixel within another part, at the frame": ([3, 3, 3, 3], [3, 9, 3, 3], *6 * [[3, 3, 3, 3]]),
    "a pixel in a notch": ([10, 13, 13, 13, 10], [10, 13, 11, 13, 10], [10, 10, 10, 10, 10]),
}


@pytest.mark.parametrize("curves", CURVES)
@pytest.mark.parametrize("joins", JOINS)
@pytest.mark.parametrize("name", HARD)
def test_maps_that_were_hard_to_draw(name: str, joins: str, curves: str) -> None:
    labels = np.array(HARD[name], np.uint8)
    trace = kept(joins=joins, curves=curves)
    assert faults(traced(labels, trace).layers, labels, trace) == []
