"""Runs pytest in Blender's own Python and exits with its status.

    blender -b --factory-startup --python-exit-code 1 --python tests/blender/run_in_blender.py -- tests/blender [..]

FACEPARSE_PACKAGES names the site-packages folder where pytest and what the tests need are installed, for the same
minor version of Python as Blender's. What follows `--` is pytest's.
"""

from __future__ import annotations

import os
import re
import sys

packages = os.environ["FACEPARSE_PACKAGES"]
ours = "python{}.{}".format(*sys.version_info[:2])
theirs = re.search(r"python3\.\d+", packages)
if theirs and theirs[0] != ours:
    sys.exit(f"this Blender has {ours}, but the packages in {packages} are for {theirs[0]}")
sys.path.insert(0, packages)

import pytest  # noqa: E402

status = pytest.main(sys.argv[sys.argv.index("--") + 1 :])
sys.stdout.flush()
sys.exit(int(status))
