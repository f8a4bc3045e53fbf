"""Label map -> layered SVG: the curves, the file, the command.

`trace` and `curves` turn a label map into smooth borders, `layers` stacks them, `svg` writes the file (its docstring
is the file's contract), `cli` is the command `faceparse-svg`. Nothing heavy is imported here.
"""

__version__ = "0.1.0"
