# SPDX-License-Identifier: BSD-3-Clause
"""What scripts take from where they lie: data sets come from QUANTIMED_DATA and from nowhere else."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAYS = 'echo "data: ${QUANTIMED_DATA-none}"'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone, with a folder of data sets beside it."""
    (tmp_path / "shared" / "data").mkdir(parents=True)
    clone = tmp_path / "clone"
    (clone / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", clone / ".ci")
    return clone


def said(command: list[str | Path], clone: Path, **variables: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "QUANTIMED_DATA"}
    done = subprocess.run(command, cwd=clone, env=clean | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("data: ")).removeprefix("data: ")


def test_continuous_integration_finds_the_data_beside_its_clone_and_takes_what_it_is_given(checkout: Path) -> None:
    (checkout / "Makefile").write_text(f"test:\n\t@{SAYS.replace('$', '$$')}\n")
    run = [checkout / ".ci" / "run"]
    assert Path(said(run, checkout)).samefile(checkout.parent / "shared" / "data")
    assert said(run, checkout, QUANTIMED_DATA="/elsewhere") == "/elsewhere"
    assert said(run, checkout, QUANTIMED_DATA="") == ""
    shutil.rmtree(checkout.parent / "shared")
    assert said(run, checkout) == "none"


def test_nothing_else_looks_beside_the_clone(checkout: Path) -> None:
    text = (ROOT / "Makefile").read_text()
    (checkout / "Makefile").write_text(text + f"\nsay: ## for this test\n\t@{SAYS.replace('$', '$$')}\n")
    assert said(["make", "-s", "say"], checkout) == "none"
    # Studies, by hand and on a cluster, start the program with what they were given.
    shutil.copytree(ROOT / "bench" / "studies", checkout / "bench" / "studies")
    program = checkout / "program"
    program.write_text(f'#!/bin/sh\nif [ "$1" = info ]; then {SAYS}; fi\n')
    program.chmod(0o755)
    ask = ("import sys; sys.path.insert(0, 'bench'); from studies import runner; from pathlib import Path; "
           "runner.fingerprint_of = lambda facts: next(iter(facts)); print(runner.contents(Path('program').resolve(), ()))")
    assert said([sys.executable, "-c", ask], checkout) == "none"
    files = subprocess.run(["git", "grep", "-lF", "shared/data"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert set(files) <= {".ci/run", "tests/package/test_surroundings.py"}
