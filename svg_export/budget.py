"""A budget of nodes: as little more tolerance as brings a drawing down to it.

The tolerance of every part is multiplied by one number, so that the parts keep their proportions: eyes and lips, which
are fitted more closely than hair, stay so, and the nodes go where the picture asks for them. Each guess at the number
costs a fit, so it is an informed one: some nodes stay at corners and ends, the others become fewer in proportion to
the tolerance, so between two drawings the nodes go with the inverse of the number. Three or four fits are enough;
where a budget is next to none, or none at all can be kept, it takes up to nine.

Limits. Corners, junctions and pieces stay whatever the tolerance is, so that some number is the least. What crosses at
a high tolerance is repaired each time (`crossings`), which takes nodes again, so that the highest need not give the
fewest: where none of the guesses suffices a few more are made, downwards for as long as they do, and where none of
these does either the drawing with the fewest nodes is taken. There may be one with fewer yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

Drawn = TypeVar("Drawn")

_MOST_SLACK = 16.0  # beyond, shapes come apart
_STAYING = 0.35  # of the nodes, whatever the tolerance: a first guess, from forty label maps
_CLOSE = 0.98  # of the budget: good enough
_GUESSES = 5
#: Where none of these was enough: from _MOST_SLACK down, each by the root of two.
_MORE_GUESSES = (11.0, 8.0, 5.6, 4.0, 2.8)


def within_budget(draw: Callable[[float], Drawn], nodes: Callable[[Drawn], int], most: int) -> Drawn:
    """Of `draw(slack)`, slack from 1 upwards, one near the least slack that has at most `most` nodes.

    Where none has, the one with the fewest.
    """
    enough: Drawn | None = None
    fewest = drawn = draw(1.0)
    low, many = 1.0, nodes(drawn)  # the most slack that is too little, and what is drawn with it
    if many <= most:
        return drawn
    high, few = np.inf, _STAYING * many  # and the least that is enough
    for guess in range(_GUESSES):
        share = (many - (1 + _CLOSE) / 2 * most) / max(many - few, 1)
        slack = 1 / max(1 / low + min(share, 1.0) * (1 / high - 1 / low), 1 / _MOST_SLACK)
        if guess == 2 and enough is None:  # the drawing is not as others are: see first whether it can be done at all
            slack = _MOST_SLACK
        drawn = draw(slack)
        found = nodes(drawn)
        if found <= most:
            enough, high, few = drawn, slack, found
            if found >= _CLOSE * most:
                break
        else:
            fewest = min(fewest, drawn, key=nodes)
            if slack == _MOST_SLACK:
                break
            low, many = slack, found
            if enough is None:
                few = min(few, _STAYING * many)
        if high < 1.03 * low:
            break
    for slack in _MORE_GUESSES if enough is None else ():
        drawn = draw(slack)
        fewest = min(fewest, drawn, key=nodes)
        if nodes(drawn) <= most:
            enough = drawn
        elif enough is not None:
            break
    return fewest if enough is None else enough
