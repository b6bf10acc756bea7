"""Every command that a README shows is run, and what it prints is looked at.

A fenced block marked `sh` or `python` is run in a folder that looks like a fresh clone with a built program. A comment in
front of the block, which no reader of the page sees, says what differs in a test:

    <!-- test: with --iterations 20 --nodes 4 -->   appended to each line that starts quantimed
    <!-- test: expect "time to loss" -->             a regular expression that the block's output must match; any number
    <!-- test: make a data.csv -->                   a helper below that writes the user's own file first
    <!-- test: only parsed: needs a cluster -->      shell lines are checked for syntax, quantimed's options by --dry-run

`make` lines are asked what they would do (make -n). Blocks without a language are output or examples of files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md"))]
BLOCK = re.compile(r"((?:^<!-- test: .*? -->\n)*)^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"<!-- test: (.*?) -->")


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    options: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    only_parsed: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    text, found = page.read_text(encoding="utf-8"), []
    for match in BLOCK.finditer(text):
        block = Block(str(page.relative_to(ROOT)), text.count("\n", 0, match.start(2)) + 1, match[2], match[3])
        for note in NOTE.findall(match[1]):
            word, _, rest = note.partition(" ")
            if word == "with":
                block.options = rest.split()
            elif word == "expect":
                block.expected.append(rest.strip('"'))
            elif word == "make":
                block.files.append(rest)
            elif note.startswith("only parsed: "):
                block.only_parsed = note.removeprefix("only parsed: ")
            else:
                raise ValueError(f"{block}: unknown note: {note}")
        found.append(block)
    return found


BLOCKS = [block for page in PAGES for block in read_blocks(page)]
PAGES_WITH_BLOCKS = sorted({b.page for b in BLOCKS if b.language in ("sh", "python")})


def write_own_data(name: str, folder: Path) -> None:
    """The user's own file: two classes in five dimensions."""
    random = np.random.default_rng(1)
    x = random.normal(size=(600, 5)).astype("float32")
    y = (x @ random.normal(size=5) + 0.5 * random.normal(size=600) > 0).astype(int)
    path = folder / name
    if path.suffix == ".csv":
        rows = ["label,f0,f1,f2,f3,f4", *(f"{label}," + ",".join(f"{v:.4f}" for v in row) for label, row in zip(y, x))]
        path.write_text("\n".join(rows) + "\n")
    elif path.suffix == ".npz":
        np.savez(path, x=x, y=y)
    elif path.suffix == ".libsvm":
        path.write_text("".join(f"{2 * label - 1:+d} " + " ".join(f"{k + 1}:{v:.4f}" for k, v in enumerate(row)) + "\n"
                                for label, row in zip(y, x)))
    else:
        raise ValueError(f"no helper makes {name}")


def commands(text: str) -> list[str]:
    """Lines, those that end in a backslash joined; comments at their ends are the shell's."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, program: Path) -> Path:
    """A folder that looks like a clone in which `make` was called."""
    folder = tmp_path_factory.mktemp("clone")
    for name in subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True).stdout.splitlines() or [
            str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and "build" not in p.relative_to(ROOT).parts[:1]]:
        if name.split("/")[0] in ("src", "tests") and not name.endswith("README.md"):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    (folder / "build").mkdir()
    (folder / "build/quantimed").symlink_to(program)
    return folder


def run(block: Block, clone: Path) -> str:
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "QUANTIMED_PROGRAM": str(clone / "build/quantimed"), "MPLBACKEND": "Agg",
           "PATH": f"{clone / 'build'}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name in block.files:
        write_own_data(name, clone)
    if block.language == "python":
        done = subprocess.run([sys.executable, "-c", block.text], cwd=clone, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    said = ""
    for line in commands(block.text):
        program = line.split()[0]
        if program == "make":
            line = re.sub(r"^make", "make -n", line.split("#")[0]) + " DEPS=skip"
        elif program.endswith("quantimed") and block.options:
            head, _, comment = line.partition(" #")
            line = f"{head} {' '.join(block.options)}"
        if block.only_parsed:
            checked = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True)
            assert checked.returncode == 0, f"{block}: {line}\n{checked.stderr}"
            continue
        done = subprocess.run(["bash", "-c", line], cwd=clone, env=env, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{block}: {line}\nexit status {done.returncode}\n{done.stdout}{done.stderr}"
        said += done.stdout + done.stderr
    return said


@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS)
def test_every_command_of_the_page_runs(page: str, clone: Path) -> None:
    for block in (b for b in BLOCKS if b.page == page and b.language in ("sh", "python")):
        said = run(block, clone)
        for pattern in block.expected:
            assert re.search(pattern, said), f"{block}: no {pattern!r} in\n{said}"


def test_every_block_of_commands_has_a_language() -> None:
    """A block without one is not run, so it must not hold commands."""
    for block in BLOCKS:
        if block.language == "":
            assert not re.search(r"^(build/|analysis/|slurm/|bench/|make |quantimed )", block.text, re.MULTILINE), (
                f"{block}: mark it sh")


def test_every_linked_file_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target} is not there"
