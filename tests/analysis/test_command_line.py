# SPDX-License-Identifier: BSD-3-Clause
"""What every script says of bad usage: one line, with status 2."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import Parser

ROOT = Path(__file__).resolve().parents[2]
# How they call themselves, and what they need at least.
SCRIPTS = {"bench/study": "study", "bench/paper": "paper", "bench/theory": "theory", "bench/field/run": "field", "bench/choco/run": "choco", "bench/lenet/run": "lenet", "bench/guards": "guards",
           "slurm/submit": "submit", "slurm/status": "status", "slurm/collect": "collect", "slurm/cancel": "cancel",
           "slurm/scaling-table": "scaling-table", "analysis/quantimed-report": "quantimed-report", "datasets/fetch": "fetch",
           "tests/soak/kills": "kills", "tests/soak/long": "long", "tests/soak/replays": "replays", "tests/compare-versions": "compare-versions"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_bad_usage_is_one_line_and_status_2(script: str, tmp_path: Path) -> None:
    for arguments in (["--no-such-option"], ["x", "y", "z", "--no-such-option=3"]):
        done = subprocess.run([sys.executable, str(ROOT / script), *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=300,
                              env=os.environ | {"MPLCONFIGDIR": str(tmp_path / "m")})
        assert done.returncode == 2 and not done.stdout, done.stderr
        assert re.fullmatch(rf"{SCRIPTS[script]}: [^\n]+; see [^\n]+ --help\n", done.stderr), done.stderr


def test_no_script_prints_its_usage_instead() -> None:
    folders = ("analysis", "bench", "datasets", "slurm", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")
             if path.is_file() and path.suffix in ("", ".py") and "__pycache__" not in path.parts]
    parsers = [path for path in files if re.search(r"argparse\.ArgumentParser\(|^class \w+\(argparse", path.read_text(errors="replace"), re.MULTILINE)]
    assert [str(path.relative_to(ROOT)) for path in parsers] == ["analysis/command_line.py"] and len(files) > 100


@pytest.mark.parametrize(("arguments", "says"), [
    (["--text", ""], "x: --text: is empty; give a value, or leave it out; see a/b --help"),
    (["--path", " "], "x: --path: is empty"), (["--grouped="], "x: --grouped: is empty"),
    (["--whole", "1.5"], "x: --whole: '1.5' is no whole number; give one, as 4"), (["--whole", "\uff11"], "x: --whole: "), (["--whole", "1_0"], "x: --whole: "),
    (["--real", "nan"], "x: --real: 'nan' is no number; give one, as 0.5"), (["--real", "inf"], "x: --real: "), (["--real", "x"], "x: --real: "),
    (["--text"], "x: --text: expected one argument"), (["--two\nlines"], "x: unrecognized arguments: --two lines")])
def test_values_that_are_none(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(arguments)
    text = capsys.readouterr()
    assert end.value.code == 2 and text.err.startswith(says) and text.err.count("\n") == 1 and not text.out


def test_values_that_are_some() -> None:
    given = parser().parse_args(["--text", "a", "--path", "b", "--grouped", "c", "--whole", "-3", "--real", "1e3", "--any", ""])
    assert vars(given) == {"text": "a", "path": Path("b"), "grouped": "c", "whole": -3, "real": 1000.0, "any": ""}


def parser() -> Parser:
    made = Parser(prog="a/b", name="x")
    made.add_argument("--text")
    made.add_argument("--path", type=Path)
    made.add_argument_group("more").add_argument("--grouped")
    made.add_argument("--whole", type=int)
    made.add_argument("--real", type=float)
    made.add_argument("--any", type=str)
    return made
