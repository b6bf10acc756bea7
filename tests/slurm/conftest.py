"""Small studies with the built program: QUANTIMED_PROGRAM names it."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SLURM = ROOT / "slurm"
sys.path[:0] = [str(ROOT / "bench"), str(SLURM)]

SMALL = """dataset = digits
nodes = 4
graph = ring
model = mlp:8
iterations = 20
samples-per-node = 50
batch = 10
"""


@pytest.fixture(scope="session", autouse=True)
def program() -> Path:
    path = Path(os.environ.setdefault("QUANTIMED_PROGRAM", str(ROOT / "build" / "quantimed"))).resolve()
    if not path.is_file():
        pytest.skip(f"no {path}: build the program, or set QUANTIMED_PROGRAM")
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def tool(name: str, *arguments: object, cwd: Path | None = None,
         environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """slurm/submit, status or collect."""
    return subprocess.run([sys.executable, str(SLURM / name), *map(str, arguments)], capture_output=True, text=True, timeout=1200,
                          cwd=cwd, env=environment or os.environ)


def arrays(path: Path) -> dict[str, bytes]:
    """All that was computed, but for how long it took this machine."""
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, np.asarray(item[()]).tobytes())
                        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and "checkpoint" not in name else None)
    return found


def histories(folder: Path) -> dict[str, list[list[str]]]:
    """By run: [time, event, status, job/index, node, restarts] in their order."""
    return {path.stem: [line.split("\t") for line in path.read_text().splitlines()]
            for path in sorted((folder / "history").glob("*.tsv"))}


def starts(folder: Path) -> dict[str, int]:
    return {run: sum(line[1] == "start" for line in lines) for run, lines in histories(folder).items()}
