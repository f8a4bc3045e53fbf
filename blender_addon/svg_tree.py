# SPDX-License-Identifier: GPL-3.0-or-later
"""An SVG file -> a tree of plain nodes. No bpy here.

What could blow up (nesting, entities, sheer number) ends in SvgError here: all of it counts against a limit far above
what an illustrator draws. What no reader of drawings asks for, as other programs' attributes, is not kept.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from xml.parsers import expat

from .drawing import Budget, SvgError

MAX_BYTES = 256 << 20  # an embedded photo of 48 megapixels takes 90 MB
MAX_MARKUP = 16 << 20  # bytes without the embedded pictures
MAX_ATTRIBUTES = 400_000  # estimated by their =
MAX_ATTRIBUTE = 1 << 16  # characters of an attribute that is neither a shape's points nor a link
MAX_ENTITIES, MAX_ENTITY_TEXT = 200, 1 << 20  # of a file's own, and what they may expand to, characters
MAX_DEPTH = 200  # elements within elements
MAX_ELEMENTS = 30_000
MAX_NAME = 200  # characters of a title, or of an id in a note

SVG = "http://www.w3.org/2000/svg"
LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
GROUP_MODE = "{http://www.inkscape.org/namespaces/inkscape}groupmode"
INSENSITIVE = "{http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd}insensitive"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"

GROUPS = {"g", "a", "switch", "svg", "use"}
SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
DRAWN = {*GROUPS, *SHAPES, "image", "text", "flowRoot", "foreignObject"}

_LONG, _SHORT = {"d", "points", "href", XLINK_HREF}, {"id", "class", "style", "transform"}
_FOREIGN = {LABEL, GROUP_MODE, INSENSITIVE, XLINK_HREF}  # what we read of other namespaces
_WITH_TEXT = {"title", "metadata", "style"}
# An embedded picture. Expat would take a second for 30 MB of it.
_PICTURE = re.compile(rb"""(["'])(data:[^"'<&]{4096,})\1""")


@dataclass(eq=False)
class Node:
    """An element."""

    tag: str  #: local name of an SVG element; `{namespace}name` of others
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  #: its text, in pieces; of a few elements only

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def name(self) -> str:
        """What it is called in a note."""
        return beginning(self.id) or f"<{self.tag}>"

    @property
    def title(self) -> str:
        title = self.find("title")
        return beginning(title.text) if title else ""

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def href(self) -> str:
        return self.attributes.get("href") or self.attributes.get(XLINK_HREF) or ""

    @property
    def is_layer(self) -> bool:
        """As Inkscape says it."""
        return self.tag == "g" and self.get(GROUP_MODE) == "layer"

    @cached_property
    def drawn(self) -> list[Node]:
        """The children that draw something, bottom to top; of a <switch> the first that needs no other program."""
        children = [child for child in self.children if child.tag in DRAWN]
        if self.tag == "switch":
            children = [child for child in children if child.get("requiredExtensions") is None][:1]
        return children

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def find(self, tag: str) -> Node | None:
        return next((child for child in self.children if child.tag == tag), None)

    def walk(self) -> Iterator[Node]:
        """Itself and all that it holds, in the order of the file."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes, no more of them than one too many. Raises SvgError."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SvgError(str(error.strerror or error)) from None
    except ValueError as error:  # a path with a null byte
        raise SvgError(str(error)) from None


def parse_tree(data: bytes) -> Node:
    """The root of an .svg or .svgz. Raises SvgError on what is no SVG, and on what is more than a drawing has."""
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(data)
    if len(data) > MAX_BYTES:
        raise SvgError(f"larger than {MAX_BYTES >> 20} MB; link the photo instead of embedding it")
    data, pictures = _without_pictures(data)
    if len(data) > MAX_MARKUP:
        raise SvgError(f"more than {MAX_MARKUP >> 20} MB without its pictures; split the drawing, or simplify it")
    if data.count(b"=") > MAX_ATTRIBUTES:
        raise SvgError(f"more than {MAX_ATTRIBUTES} attributes; split the drawing, or simplify it")
    root = _parse_xml(data, pictures)
    if root.tag != "svg":
        raise SvgError(f"an XML file, but no SVG: its root is <{root.tag[:40]}>")
    return root


def beginning(text: str | None) -> str:
    """The beginning of a text, on one line."""
    return " ".join((text or "")[:MAX_NAME].split())


def _unpacked(data: bytes) -> bytes:
    """What a .svgz holds, and no more of it than one byte too many."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise SvgError(f"compressed, and broken ({error}); save it again as SVG") from None


def _without_pictures(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The file with short names in the place of embedded pictures, and the pictures by these names."""
    pictures: dict[str, str] = {}

    def take_out(match: re.Match[bytes]) -> bytes:
        name = f"data:,{len(pictures)}"
        pictures[name] = match[2].decode("latin-1")
        return match[1] + name.encode() + match[1]

    return (_PICTURE.sub(take_out, data) if b"data:" in data else data), pictures


def _parse_xml(data: bytes, pictures: Mapping[str, str]) -> Node:
    builder = _Builder(data, pictures)
    parser = expat.ParserCreate(namespace_separator="}")  # reads no external entity unless told to
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = builder.text, builder.entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise SvgError(f"no XML, or broken: {error}; open it in Inkscape and save it again") from None
    except SvgError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise SvgError(f"no XML that can be read: {error}") from None
    return builder.top.children[0]


class _Builder:
    """What expat calls. Whatever could blow up is counted here."""

    def __init__(self, data: bytes, pictures: Mapping[str, str]) -> None:
        self.top = Node("", {})
        self._stack = [self.top]
        self._pictures = pictures
        self._elements, self._entities = Budget(MAX_ELEMENTS), Budget(MAX_ENTITIES)
        self._characters = Budget(len(data) + MAX_ENTITY_TEXT)  # entities grow, and a DTD gives attributes to all
        self._references = data.count(b"&")
        self._longest_entity = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._stack) > MAX_DEPTH:
            raise SvgError(f"elements stand more than {MAX_DEPTH} deep in each other; this is no drawing")
        if not self._elements.spend(1):
            raise SvgError(f"more than {MAX_ELEMENTS} elements; split the drawing, or simplify it")
        self._count(sum(map(len, attributes.values())))
        node = Node(_local(tag), self._kept(attributes))
        self._stack[-1].children.append(node)
        self._stack.append(node)

    def end(self, _tag: str) -> None:
        self._stack.pop()

    def text(self, words: str) -> None:
        self._count(len(words))
        node = self._stack[-1]
        if node.tag in _WITH_TEXT:
            node.words.append(words)

    def entity(self, _name: str, parameter: bool, value: str | None, *_rest: Any) -> None:
        if value is None or parameter or "&" in value or not self._entities.spend(1):
            raise SvgError("it defines entities that refer to others or to files, or many; save it as plain SVG")
        # Before expat builds it: an attribute is handed to us only when it is whole.
        self._longest_entity = max(self._longest_entity, len(value))
        if self._longest_entity * self._references > MAX_ENTITY_TEXT:
            raise SvgError("its entities expand without measure; save it as plain SVG")

    def _kept(self, attributes: Mapping[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for key, value in attributes.items():
            if "}" in key:
                key = "{" + key
                if key not in _FOREIGN:
                    continue
            if len(value) > MAX_ATTRIBUTE and key not in _LONG:
                if key in _SHORT:
                    raise SvgError(f"an attribute {key} of {len(value)} characters; this is no drawing")
                continue  # an animation's values, or a note of another program's
            kept[key] = self._pictures.get(value, value) if key in ("href", XLINK_HREF) else value
        return kept

    def _count(self, length: int) -> None:
        if not self._characters.spend(length):
            raise SvgError("it expands without measure; save it as plain SVG")


def _local(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    return name if namespace in ("", SVG) else f"{{{namespace}}}{name}"
