# SPDX-License-Identifier: BSD-3-Clause
"""What cannot be written to standard output is an error of every script; a closed pipe ends it quietly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSED = 4


def python_scripts() -> Iterator[str]:
    """Every file of the project that is run by its name, found by its first line."""
    skipped = {"build", ".git", "runs", "__pycache__"}
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in skipped and not name.startswith("build")]
        for name in files:
            path = Path(folder, name)
            if os.access(path, os.X_OK) and path.is_file():
                with path.open("rb") as file:
                    first = file.readline(100)
                if first.startswith(b"#!") and b"python" in first:
                    yield str(path.relative_to(ROOT))


SCRIPTS = sorted(python_scripts())


def words_that_print(script: str) -> list[str]:
    return [] if script.endswith(("screen-picture", "mnist_numpy.py")) else ["--help"]


def test_all_scripts_are_found() -> None:
    assert {"bench/study", "slurm/submit", "analysis/quantimed-report", "datasets/fetch"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_full_disk_is_an_error(script: str) -> None:
    if not words_that_print(script) and script.endswith("mnist_numpy.py"):
        pytest.skip("prints only after minutes of work; it ends as the others do")
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, ROOT / script, *words_that_print(script)], stdout=full,
                              stderr=subprocess.PIPE, text=True, input="a line\n", timeout=600)
    assert done.returncode == REFUSED, done.stderr
    assert done.stderr == (f"{Path(script).name}: standard output cannot be written: No space left on device; "
                           "free some space, or send it elsewhere\n")


# Where who starts it ignores the signal, too: of the one way to end, so a few of them show it.
@pytest.mark.parametrize(("ignored", "script"), [(False, script) for script in SCRIPTS] + [(True, script) for script in SCRIPTS[::6]])
def test_a_closed_pipe_ends_quietly(script: str, ignored: bool) -> None:
    if script.endswith("mnist_numpy.py"):
        pytest.skip("prints only after minutes of work; it ends as the others do")
    out, into = os.pipe()
    os.close(out)
    done = subprocess.run([sys.executable, ROOT / script, *words_that_print(script)], stdout=into, stderr=subprocess.PIPE,
                          text=True, input="a line\n", timeout=600, restore_signals=not ignored)
    os.close(into)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_ends_in_the_one_way(script: str) -> None:
    assert "end_with(" in (ROOT / script).read_text(encoding="utf-8")


ENDS = """
import sys
sys.path.insert(0, {analysis!r})
from whole_output import end_with
def main():
    for k in range(int(sys.argv[1])):
        print("line", k)
    if sys.argv[2] == "exit":
        sys.exit(3)
    return int(sys.argv[2])
end_with(main)
"""


@pytest.mark.parametrize(("lines", "returned", "status"), [(1, "0", REFUSED), (100_000, "0", REFUSED), (1, "2", 2), (1, "exit", 3),
                                                           (0, "0", 0), (0, "exit", 3)])
def test_a_status_that_says_more_is_kept(lines: int, returned: str, status: int) -> None:
    program = ENDS.format(analysis=str(ROOT / "analysis"))
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", program, str(lines), returned], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status and len(done.stderr.splitlines()) == (1 if lines else 0)


def test_standard_output_that_is_closed() -> None:
    program = ENDS.format(analysis=str(ROOT / "analysis"))
    for lines, status in ((1, 1), (0, 0)):
        done = subprocess.run(["sh", "-c", '"$0" -c "$1" "$2" 0 >&-', sys.executable, program, str(lines)],
                              stderr=subprocess.PIPE, text=True)
        assert done.returncode == status and "Traceback" not in done.stderr
