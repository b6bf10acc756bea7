# SPDX-License-Identifier: BSD-3-Clause
"""The data of tests that are not about data: three classes in three features."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fleet
import pytest


@pytest.fixture(scope="session", autouse=True)
def data() -> Iterator[Path]:
    fleet.DATA.write_text("".join(f"{k % 3} 1:{k % 7} 2:{k % 5} 3:{k % 3 + k % 11 / 20}\n" for k in range(3000)), encoding="utf-8")
    yield fleet.DATA
    fleet.DATA.unlink()
