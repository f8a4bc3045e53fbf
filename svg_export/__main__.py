"""`faceparse-svg`, which is `python -m svg_export`: the command, and nothing loaded before Ctrl-C is minded."""

from __future__ import annotations


def main() -> int:
    """Run the command; returns the exit status. Raises SystemExit as argparse does."""
    try:
        from svg_export import cli

        return cli.main()
    except KeyboardInterrupt:  # so early that there was nothing to tell
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
