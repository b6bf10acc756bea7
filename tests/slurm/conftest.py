"""Small studies with the built program: QUANTIMED_PROGRAM names it."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # as slurm/submit and the others begin
# The program starts itself again where these are not set; hundreds of starts are much of these tests' time.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SLURM = ROOT / "slurm"
sys.path[:0] = [str(ROOT / "bench"), str(SLURM)]

from cluster import collect, start, status, submit  # noqa: E402,F401  once, and not again for each call below

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
         environment: Mapping[str, str] | None = None, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """slurm/submit, status, collect or another, in a process of its own: a copy of this one, which has read the libraries."""
    words = [str(SLURM / name), *map(str, arguments)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        child = os.fork()
        if child == 0:
            status = 70
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout, sys.stderr = (open(fd, "w", closefd=False, encoding="utf-8") for fd in (1, 2))
                if environment is not None:
                    os.environ.clear()
                    os.environ.update(environment)
                if cwd is not None:
                    os.chdir(cwd)
                if user is not None:
                    os.chdir("/")
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                sys.argv = words
                status = start.start(name)
            except SystemExit as ended:  # argparse
                status = int(ended.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, code = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(code), out.read(), err.read())


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
