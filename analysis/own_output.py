# SPDX-License-Identifier: BSD-3-Clause
"""What a script may write over: nothing, or a file that begins as its own do. Needs the standard library alone."""
from __future__ import annotations

from pathlib import Path


def may_be_written(path: Path, start: str) -> bool:
    if not path.exists():
        return True
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(start.encode())) == start.encode()
    except OSError:
        return False
