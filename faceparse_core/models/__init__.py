"""The embedded weights and their model cards."""

from pathlib import Path

folder = Path(__file__).parent
