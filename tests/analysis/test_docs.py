# SPDX-License-Identifier: BSD-3-Clause
"""Every command that a README shows is run, and what it prints is looked at.

A fenced block marked `sh` or `python` is run as one script, in a folder that looks like a clone with a built program. Comments
in front of the block, which no reader of the page sees, say what differs in a test:

    <!-- test: with --iterations 20 --nodes 4 -->   for every quantimed of the block, and slurm/submit: these options in place
                                                    of its own
    <!-- test: expect "time to loss" -->             a regular expression that the output must match; may be given again
    <!-- test: make data.csv -->                     what the block needs: a row of MAKERS below
    <!-- test: status 2 -->                          how the block ends [0]
    <!-- test: interrupt -->                         the block is one program, which gets Ctrl-C and ends with 75
    <!-- test: data mnist -->                        without this data set the block is only parsed
    <!-- test: module pandas -->                     and so it is without this module of Python
    <!-- test: only parsed: needs a cluster; run by tests/slurm/test_cluster.py::test_a, tests/…::test_b -->
                                                    the shell reads the block, and quantimed its options; the tests named run
                                                    these commands, small

A block of `make` lines is asked what it would do (make -n), and of its recipes those lines that start quantimed or the report
are run. A block marked `cpp from FILE` must stand in that file, word for word. Blocks without a language hold no commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted(ROOT.glob("*/README.md")), *sorted(ROOT.glob("*/*/README.md"))]
PAGES = [page for page in PAGES if page.relative_to(ROOT).parts[0] not in ("build", "runs")]
BLOCK = re.compile(r"((?:^ *<!-- test: .*? -->\n)*)^( *)```([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"<!-- test: (.*?) -->")
PROGRAM = re.compile(r"(?:build/)?quantimed ([a-z]+)")
SMALL = "--dataset digits:600 --nodes 4 --graph ring --samples-per-node 50 --batch 10 --iterations 20 --evaluations 8".split()


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    options: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    status: int = 0
    interrupt: bool = False
    data: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    only_parsed: str = ""
    run_by: list[str] = field(default_factory=list)  # FILE::TEST

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    text, found = page.read_text(encoding="utf-8"), []
    for match in BLOCK.finditer(text):
        lines = [line.removeprefix(match[2]) for line in match[4].splitlines()]
        block = Block(str(page.relative_to(ROOT)), text.count("\n", 0, match.start(3)) + 1, match[3], "\n".join(lines) + "\n")
        for note in NOTE.findall(match[1]):
            word, _, rest = note.partition(" ")
            if word == "with":
                block.options = shlex.split(rest)
            elif word == "expect":
                block.expected.append(rest.strip('"'))
            elif word == "make":
                block.needs.append(rest)
            elif word == "status":
                block.status = int(rest)
            elif note == "interrupt":
                block.interrupt = True
            elif word == "data":
                block.data.append(rest)
            elif word == "module":
                block.modules.append(rest)
            elif note.startswith("only parsed: "):
                block.only_parsed, _, tests = note.removeprefix("only parsed: ").partition("; run by ")
                block.run_by = [test for test in tests.split(", ") if test]
            else:
                raise ValueError(f"{block}: unknown note: {note}")
        found.append(block)
    return found


BLOCKS = [block for page in PAGES for block in read_blocks(page)]
RUN = ("sh", "python")
PAGES_WITH_COMMANDS = sorted({b.page for b in BLOCKS if b.language in RUN})


# ---- what blocks need -----------------------------------------------------------------------------
def own_data(folder: Path, name: str) -> None:
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
    else:
        path.write_text("".join(f"{2 * label - 1:+d} " + " ".join(f"{k + 1}:{v:.4f}" for k, v in enumerate(row)) + "\n"
                                for label, row in zip(y, x)))


def quantimed(folder: Path, *words: str) -> None:
    done = subprocess.run([folder / "build/quantimed", *words, *SMALL, "--quiet", "--overwrite"], cwd=folder, capture_output=True, text=True,
                          env=environment(folder))
    assert done.returncode == 0, done.stdout + done.stderr


def comparison(folder: Path, name: str) -> None:
    quantimed(folder, "compare", "--seeds", "1-2", "--output", name)


def trace(folder: Path, name: str) -> None:
    quantimed(folder, "run", "--algorithm", "dsgd", "--output", name)


def real_trace(folder: Path, name: str) -> None:
    quantimed(folder, "run", "--engine", "threads", "--oversubscribe", "--algorithm", "async-dsgd", "--output", name)


MAKERS: dict[str, Callable[[Path, str], None]] = {
    "mine.csv": own_data, "mine.npz": own_data, "mine.libsvm": own_data,
    "runs/compare-virtual": comparison, "run.h5": trace, "runs/dsgd-virtual-seed1.h5": trace, "real.h5": real_trace,
}


# ---- running them ---------------------------------------------------------------------------------
def environment(clone: Path) -> dict[str, str]:
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg", "QUANTIMED_HOME": str(clone),
            "QUANTIMED_PROGRAM": str(clone / "build/quantimed"), "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{clone / 'build'}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, program: Path) -> Path:
    """A folder that looks like a clone in which the program was built."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("analysis", "bench", "datasets", "results", "slurm"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "CMakeLists.txt", "CMakePresets.json", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "build").mkdir()
    (folder / "build/quantimed").symlink_to(program)
    return folder


def commands(text: str) -> list[str]:
    """Lines without comments, those that end in a backslash joined."""
    lines = (re.sub(r"(^|\s+)#( .*|$)", "", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


@cache
def options_of(program: str, command: str) -> frozenset[str]:
    told = subprocess.run([program, command, "--help"], capture_output=True, text=True).stdout
    return frozenset(re.findall(r"^  (--[a-z][a-z0-9-]*)", told, re.MULTILINE))


def with_options(line: str, options: list[str], clone: Path) -> str:
    """quantimed's line with these options, as far as the command has them, in place of its own of the same names."""
    command = PROGRAM.match(line)
    if line.startswith("slurm/submit"):
        return shlex.join([*shlex.split(line), *options])
    if line.startswith("bench/first-run"):  # hands them to its comparisons
        return shlex.join([*shlex.split(line), *options, "--overwrite"])
    if not options or not command or command[1] in ("report", "verify", "info", "judge", "help", "version", "cite", "completion"):
        return line
    known = options_of(str(clone / "build/quantimed"), command[1])
    given = {options[k]: options[k + 1] for k in range(0, len(options), 2) if options[k] in known}
    words = shlex.split(line) + ["--overwrite"] * ("--overwrite" in known)  # pages share a folder, users' commands do not
    kept = [w for k, w in enumerate(words) if w not in given and (k == 0 or words[k - 1] not in given)]
    return shlex.join([*kept, *(word for pair in given.items() for word in pair)])


def recipe(line: str, clone: Path) -> list[str]:
    """What make would start, of quantimed and the report."""
    done = subprocess.run(["make", "-n", "DEPS=skip", *line.split()[1:]], cwd=clone, env=environment(clone), capture_output=True,
                          text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    found = [re.sub(r"\s*\|\|$", "", each) for each in commands(done.stdout)]
    return [each for each in found if re.match(r"build/quantimed [a-z]|bench/first-run|\S+ analysis/quantimed-report", each)]


def script(block: Block, clone: Path) -> str:
    lines = []
    for line in commands(block.text):
        lines += recipe(line, clone) if re.fullmatch(r"make [\w /=]+", line) else [line]
    lines = [with_options(line, block.options, clone) for line in lines]
    # On a busy machine a run in real time may be INVALID, which status 5 says.
    return "\n".join(f"{line} || [ $? = 5 ]" if line.startswith("build/quantimed verify") else line for line in lines)


def have(name: str) -> bool:
    folders = (os.environ.get("QUANTIMED_DATA", ""), ROOT / "datasets", "/usr/share/datasets")
    return any(folder and (Path(folder) / name).is_dir() for folder in folders)


def parse(block: Block, clone: Path) -> None:
    if block.language == "python":
        compile(block.text, str(block), "exec")
        return
    text = script(block, clone)
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True)
    assert checked.returncode == 0, f"{block}\n{text}\n{checked.stderr}"


def interrupted(block: Block, clone: Path) -> str:
    """Ctrl-C, once the program is ready for it."""
    with subprocess.Popen(shlex.split(script(block, clone)), cwd=clone, env=environment(clone), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as started:
        status = Path(f"/proc/{started.pid}/status")
        while started.poll() is None and not int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) >> signal.SIGINT - 1 & 1:
            time.sleep(0.01)
        started.send_signal(signal.SIGINT)
        said = started.communicate(timeout=600)[0]
    assert started.returncode == 75, f"{block}: exit status {started.returncode}\n{said}"
    return said


def run(block: Block, clone: Path) -> str:
    for name in block.needs:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        MAKERS[name](clone, name)
    if block.interrupt:
        return interrupted(block, clone)
    if block.language == "python":
        start = [sys.executable, "-c", block.text]
    else:
        text = script(block, clone)
        start = ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(start, cwd=clone, env=environment(clone), capture_output=True, text=True, timeout=1200)
    assert done.returncode == block.status, f"{block}: exit status {done.returncode}\n{start[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS)
def test_every_command_of_the_page_runs(page: str, clone: Path) -> None:
    for block in (b for b in BLOCKS if b.page == page and b.language in RUN):
        if block.only_parsed or not (all(map(have, block.data)) and all(map(find_spec, block.modules))):
            parse(block, clone)
            continue
        said = run(block, clone)
        for pattern in block.expected:
            assert re.search(pattern, said), f"{block}: no {pattern!r} in\n{said}"


def test_what_is_only_parsed_is_run_by_a_test_that_it_names() -> None:
    for block in BLOCKS:
        if block.only_parsed:
            assert block.run_by, f"{block}: only parsed: name the tests that run its commands: run by tests/FILE::TEST"
        for test in block.run_by:
            file, _, name = test.partition("::")
            assert re.search(rf"^def {re.escape(name)}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), f"{block}: no {test}"


def test_the_program_for_any_node_of_a_cluster_is_configured(tmp_path: Path) -> None:
    """slurm/README.md's build of step 2, up to the compiler."""
    if not shutil.which("cmake"):
        pytest.skip("no cmake: the build for any node of a cluster is not configured")
    command = "cmake --preset release -DQUANTIMED_NATIVE=OFF"
    assert command + " && cmake --build build" in (ROOT / "slurm/README.md").read_text(encoding="utf-8")
    done = subprocess.run([*command.split(), "-B", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "QUANTIMED_NATIVE:BOOL=OFF" in (tmp_path / "CMakeCache.txt").read_text(encoding="utf-8")
    told = subprocess.run(["cmake", "--build", str(tmp_path), "--target", "help"], capture_output=True, text=True)
    assert re.search(r"\bquantimed\b", told.stdout), told.stdout


def test_every_block_of_commands_has_a_language() -> None:
    """A block without one is not run, so it must not hold commands."""
    for block in BLOCKS:
        if block.language == "":
            assert not re.search(r"^(\./)?(build/|analysis/|slurm/|bench/|datasets/|make |quantimed )", block.text, re.MULTILINE), (
                f"{block}: mark it sh")


def test_every_excerpt_stands_in_its_file() -> None:
    for block in BLOCKS:
        if block.language.startswith("cpp from "):
            file = ROOT / block.language.removeprefix("cpp from ")
            assert block.text in file.read_text(encoding="utf-8"), f"{block}: not in {file.relative_to(ROOT)}"


def test_every_linked_file_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target} is not there"


def test_every_linked_heading_is_there() -> None:
    """As GitHub makes them: lower case, blanks to dashes, no punctuation."""
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            headings = re.findall(r"^#+ (.+)$", ((page.parent / target) if target else page).read_text(encoding="utf-8"), re.MULTILINE)
            made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in made, f"{page.relative_to(ROOT)}: no heading #{anchor} in {target or page.name}"


# ---- what the pages and the program must share ----------------------------------------------------
OTHERS = {"--perfetto", "--otf2", "--cpus-per-task", "--only", "--width", "--font", "--style", "--no-title", "--pairs"}  # the report's and SLURM's


def test_every_option_named_in_the_pages_is_one_of_the_program(program: Path) -> None:
    known = set(re.findall(r"--[a-z][a-z0-9-]*", subprocess.run([program, "help"], capture_output=True, text=True).stdout))
    for page in (ROOT / "README.md", ROOT / "src/README.md", ROOT / "results/README.md"):
        for name in re.findall(r"`(--[a-z][a-z0-9-]*)", page.read_text(encoding="utf-8")):
            assert name in known | OTHERS, f"{page.relative_to(ROOT)}: {name}"


def test_the_table_of_options_has_all_of_them(program: Path) -> None:
    told = subprocess.run([program, "help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  (--[a-z][a-z0-9-]*)", told, re.MULTILINE))
    page = (ROOT / "src/README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(--[a-z][a-z0-9-]*)", page[page.index("## Options by topic"):page.index("## An algorithm of your own")]))
    assert not known - listed, f"not in the table: {sorted(known - listed)}"


def test_the_table_of_algorithms_is_what_the_program_prints(program: Path) -> None:
    """To make it again: build/quantimed info --algorithms, between the two comments."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- algorithms: [^\n]* -->\n(.*?)<!-- end of algorithms -->", page, re.DOTALL)[1]
    assert table == subprocess.run([program, "info", "--algorithms"], capture_output=True, text=True, check=True).stdout


REJECTS = re.compile(r"(?:\.verdict\.|verdict\.)reject\(\s*(?:fmt::format\(\s*)?((?:\"[^\"]*\"\s*)+)")


def test_every_reason_for_invalid_has_a_row() -> None:
    """A row's first cell, with … for what differs, begins the reason that the program gives."""
    page = (ROOT / "results/README.md").read_text(encoding="utf-8")
    section = page[page.index("## Why is my run INVALID?"):page.index("## Questions")]
    rows = [re.escape(cell.strip()).replace("…", ".*") for cell in re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)]
    reasons = ["1 of 2 messages found the link full"]
    for source in (ROOT / "src").rglob("*.cpp"):
        for quoted in REJECTS.findall(source.read_text(encoding="utf-8")):
            reasons.append(re.sub(r"\{[^}]*\}", "7", "".join(re.findall(r'"([^"]*)"', quoted))))
    assert len(reasons) > 8
    for reason in reasons:
        assert any(re.match(row, reason) for row in rows), f"no row for: {reason}"


def test_the_page_on_traces_names_all_that_a_trace_holds(program: Path, tmp_path: Path) -> None:
    """Of both engines, with a timeline: data sets, and the attributes of groups. Options stand in --help."""
    page = (ROOT / "analysis/README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`/?([a-z0-9_/]+)`", page[page.index("## Traces"):page.index("## Where what is")]))
    words = {word for name in named for word in name.split("/")}
    held: set[str] = set()
    for name, options in (("threads", ["--engine", "threads", "--nodes", "1", "--graph", "complete"]), ("virtual", [])):
        output = tmp_path / f"{name}.h5"
        subprocess.run([program, "run", "--quiet", "--timeline", "--dataset", "gaussian-logistic:3", "--model", "logistic",
                        "--samples-per-node", "50", "--iterations", "5", "--output", output, *options], check=True, timeout=600)
        with h5py.File(output) as file:
            held |= set(file.attrs)
            file.visititems(lambda path, what: held.update(
                [path.split("/")[-1]] if isinstance(what, h5py.Dataset) else [path, *what.attrs] if path != "config" else [path]))
    assert not held - words, f"not on the page: {sorted(held - words)}"
