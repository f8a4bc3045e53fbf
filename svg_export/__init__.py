"""Label map -> layered SVG: the curves, the file, the command.

`trace` and `curves` turn a label map into smooth borders, `layers` stacks them, `svg` writes the file (its docstring
is the file's contract), `cli` is the command `faceparse-svg`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceparse_core.lazy import names_from

if TYPE_CHECKING:
    from svg_export.export import Drawn, write_svg
    from svg_export.files import OutputError
    from svg_export.layers import TraceSettings
    from svg_export.looks import LookSettings

__all__ = ["Drawn", "LookSettings", "OutputError", "TraceSettings", "write_svg"]
__version__ = "0.1.0"

__getattr__ = names_from(
    __name__,
    {
        "Drawn": "export",
        "LookSettings": "looks",
        "OutputError": "files",
        "TraceSettings": "layers",
        "write_svg": "export",
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
