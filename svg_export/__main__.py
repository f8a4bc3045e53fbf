"""`python -m svg_export` is `faceparse-svg`."""

from svg_export.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
