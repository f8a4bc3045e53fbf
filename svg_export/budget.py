"""A budget of nodes: as little more tolerance as brings a drawing down to it.

The tolerance of every part is multiplied by one number, so that the parts keep their proportions: eyes and lips, which
are fitted more closely than hair, stay so, and the nodes go where the picture asks for them. The number is found by
doubling and bisection; only the fit is done again.

Limits. Corners, junctions and pieces stay whatever the tolerance is, so that some number is the least: then the drawing
with the fewest nodes that was found is taken. What crosses at a high tolerance is repaired each time
(`crossings`), which takes nodes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Drawn = TypeVar("Drawn")

_DOUBLINGS = 4  # up to 16 tolerances: beyond, shapes come apart
_HALVINGS = 5  # then the tolerance is known to 2 %


def within_budget(draw: Callable[[float], Drawn], nodes: Callable[[Drawn], int], most: int) -> Drawn:
    """Of `draw(slack)`, slack from 1 upwards, one near the least slack that has at most `most` nodes.

    Where none has, the one with the fewest.
    """
    fewest = drawn = draw(1.0)
    slack = 1.0
    for _ in range(_DOUBLINGS):
        if nodes(drawn) <= most:
            break
        slack *= 2
        drawn = draw(slack)
        fewest = min(fewest, drawn, key=nodes)
    if nodes(drawn) > most:
        return fewest
    if slack == 1.0:
        return drawn
    enough, low, high = drawn, slack / 2, slack
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        drawn = draw(middle)
        if nodes(drawn) <= most:
            enough, high = drawn, middle
        else:
            low = middle
    return enough
