# SPDX-License-Identifier: BSD-3-Clause
"""Small studies with the built program: QUANTIMED_PROGRAM names it."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # as slurm/submit and the others begin
# The program starts itself again where these are not set; hundreds of starts are much of these tests' time.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SLURM = ROOT / "slurm"
sys.path[:0] = [str(ROOT / "bench"), str(SLURM), str(ROOT / "analysis")]

from box import Box, processes_of  # noqa: E402
from cluster import collect, start, status, submit  # noqa: E402,F401  once, and not again for each call below

DATA = Path(tempfile.gettempdir()) / f"quantimed-tests-{os.getpid()}.libsvm"
SMALL = f"""dataset = {DATA}
nodes = 4
graph = ring
model = mlp:8
iterations = 20
samples-per-node = 50
batch = 10
"""
DIGITS = SMALL.replace(str(DATA), "digits")  # a quarter of a second longer, to generate them; and slow enough to be cut
LONG = DIGITS.replace("iterations = 20", "iterations = 1000000")  # for ever; only to be cut
REPORT = {"QUANTIMED_REPORT_OPTIONS": "--no-pdf"}  # seconds of Matplotlib: only where a test looks at it


@pytest.fixture(scope="session", autouse=True)
def program() -> Path:
    path = Path(os.environ.setdefault("QUANTIMED_PROGRAM", str(ROOT / "build" / "quantimed"))).resolve()
    if not path.is_file():
        pytest.skip(f"no {path}: build the program, or set QUANTIMED_PROGRAM")
    return path


@pytest.fixture(scope="session", autouse=True)
def data() -> Iterator[Path]:
    DATA.write_text("".join(f"{k % 3} 1:{k % 7} 2:{k % 5} 3:{k % 3 + k % 11 / 20}\n" for k in range(300)), encoding="utf-8")
    yield DATA
    DATA.unlink()


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    with tempfile.TemporaryDirectory(prefix="quantimed-box-") as name:
        Path(name).chmod(0o755)  # for other users of the cluster
        with Box(Path(name) / "b") as made:
            yield made


@pytest.fixture
def study(box: Box, tmp_path: Path) -> Callable[..., Study]:
    return lambda text, name="study": Study(box, write(tmp_path / f"{name}.ini", text))


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


class Study:
    def __init__(self, box: Box, file: Path) -> None:
        self.box, self.file, self.folder, self.environment = box, file, file.parent / file.stem, box.environment

    def tool(self, name: str, *options: object) -> subprocess.CompletedProcess[str]:
        return tool(name, self.folder, *options, environment=self.environment)

    def submit(self, *options: object, status: int = 0) -> str:
        """A task a run, and no run timed before, unless something else is said."""
        pack = [] if "--pack" in options else ["--pack", 1]
        check = ["--no-check"] if "--check" not in options else []
        options = tuple(word for word in options if word != "--check")
        done = tool("submit", self.file, "--output", self.folder, *pack, *check, *options, environment=self.environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, *options: object) -> str:
        done = self.tool("status", *options)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def jobs(self) -> tuple[str, str]:
        """Of the last submission: array and collection; no array where nothing was missing."""
        last = max((self.folder / "submissions").iterdir(), key=lambda p: int(p.name))
        text = (last / "jobs.txt").read_text()
        array = re.search(r"^array (\d+)", text, re.MULTILINE)
        collection = re.search(r"^collection (\d+)", text, re.MULTILINE)
        assert collection
        return array[1] if array else "", collection[1]

    def wait(self) -> str:
        return self.box.wait(self.jobs()[1])

    def wait_for_runs(self) -> str:
        """Without the collection, which takes seconds."""
        array, collection = self.jobs()
        state = self.box.wait(array)
        self.box.run("scancel", collection)
        return state

    def log(self, name: str, number: int = 1) -> str:
        return (self.folder / "submissions" / str(number) / f"{name}.log").read_text()

    def traces(self) -> list[Path]:
        return sorted(self.folder.glob("*.h5"))

    def until_running(self, count: int = 1) -> None:
        self.box.until(lambda: sum("start" in path.read_text() for path in self.folder.glob("history/*.tsv")) >= count, "a run")


def programs(folder: Path, word: str = "") -> list[int]:
    return [pid for pid, (command, _) in processes_of(folder).items() if "quantimed run" in command and word in command]


def waiting_signals(pid: int) -> int:
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd")).split()[1], 16)
