# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file could not be read: each kind of thing once, with the elements that it was so of. No bpy here."""

from __future__ import annotations

from .svg_tree import Node

MAX_NAMED = 3  # elements that a note names


class Notes:
    def __init__(self) -> None:
        self._elements: dict[str, list[str]] = {}

    def add(self, what: str, node: Node | None = None) -> None:
        self._elements.setdefault(what, []).append(node.name if node else "")

    def sentences(self) -> tuple[str, ...]:
        return tuple(_sentence(what, elements) for what, elements in self._elements.items())


def _sentence(what: str, elements: list[str]) -> str:
    named = ", ".join(filter(None, elements[:MAX_NAMED]))
    more = f" and {len(elements) - MAX_NAMED} more" if len(elements) > MAX_NAMED else ""
    return f"{named}{more}: {what}" if named else what
