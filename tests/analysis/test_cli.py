# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ANALYSIS, forge

from quantimed_report import cli, figures, style

PROGRAM = ANALYSIS / "quantimed-report"
ROOT = ANALYSIS.parent


@pytest.fixture(autouse=True)
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ALL", figures.ALL[:1])


def refusal(argv: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command line gets."""
    try:
        status = cli.main([str(word) for word in argv])
    except SystemExit as end:
        status = end.code
    text = capsys.readouterr()
    assert status == 2 and text.out == "" and text.err.count("\n") == 1 and text.err.startswith("quantimed-report: ")
    return text.err


def test_reports_beside_the_study_and_says_where(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(study)]) == 0
    text = capsys.readouterr()
    assert text.err == "" and text.out.count("\n") == 1
    assert text.out.startswith(f"{study / 'report' / 'index.html'}: 15 runs counted, 0 left out, 1 figure. ")
    assert (study / "report" / "figures" / f"{figures.ALL[0][0]}.pdf").stat().st_size > 1000


def test_says_the_same_when_it_reports_again(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for _ in range(2):
        assert cli.main([str(study), "--no-pdf"]) == 0
        pages.append((study / "report" / "index.html").read_bytes())
    assert pages[0] == pages[1]


def test_output_without_pdf_for_a_target(study: Path, tmp_path: Path) -> None:
    assert cli.main([str(study), "--output", str(tmp_path / "a" / "b"), "--no-pdf", "--target", "1.0,0.9"]) == 0
    page = (tmp_path / "a" / "b" / "index.html").read_text(encoding="utf-8")
    assert "Time to loss 1<" in page and "Time to loss 0.9<" in page and "targets: as given" in page
    assert not list((tmp_path / "a" / "b").rglob("*.pdf"))


def test_several_folders_make_one_report(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    forge(study / "dsgd-seed1.h5", other / "dsgd-seed1.h5", config={"dataset": "another"})
    assert "--output" in refusal([study, other], capsys)
    assert cli.main([str(study), str(other), "--output", str(tmp_path / "out"), "--no-pdf"]) == 0
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8").count('<table class="summary"') == 2


def test_a_run_without_a_timeline_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "add --perfetto" in refusal([study, "--no-pdf", "--run", "dsgd-seed1"], capsys)


def test_perfetto(study: Path, tmp_path: Path) -> None:
    assert cli.main([str(study), "--no-pdf", "--perfetto", str(tmp_path / "timeline.json"), "--run", "async-dsgd-seed2"]) == 0
    assert json.loads((tmp_path / "timeline.json").read_text())


def test_what_the_report_did_not_write_stays(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = next(study.glob("*.h5"))
    before = trace.read_bytes()
    assert "is not replaced" in refusal([study, "--no-pdf", "--perfetto", trace], capsys)
    assert trace.read_bytes() == before
    for name in ("index.html", "summary.csv", "summary.md", "runs.csv"):
        folder = tmp_path / name / "out"
        folder.mkdir(parents=True)
        (folder / name).write_text("my own\n", encoding="utf-8")
        assert f"holds a {name}" in refusal([study, "--no-pdf", "--output", folder], capsys)
        assert (folder / name).read_text(encoding="utf-8") == "my own\n"
        assert [path.name for path in folder.iterdir()] == [name]
    again = [str(study), "--no-pdf", "--output", str(tmp_path / "report"), "--perfetto", str(tmp_path / "t.json")]
    assert cli.main(again) == 0 and cli.main(again) == 0  # its own are


@pytest.mark.parametrize("script", ["paper", "theory"])
def test_a_page_that_bench_did_not_write_stays(script: str, tmp_path: Path) -> None:
    page = tmp_path / "data.svm"
    page.write_text("1 1:0.5\n", encoding="utf-8")
    done = subprocess.run([sys.executable, ROOT / "bench" / script, "--output", page, "--runs", tmp_path / "runs"],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 2 and "is not replaced" in done.stderr and done.stderr.count("\n") == 1
    assert page.read_text(encoding="utf-8") == "1 1:0.5\n" and not (tmp_path / "runs").exists()


def test_perfetto_into_no_folder_or_of_no_run(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be written" in refusal([study, "--no-pdf", "--perfetto", tmp_path / "none" / "t.json"], capsys)
    assert "no such run" in refusal([study, "--no-pdf", "--perfetto", tmp_path / "t.json", "--run", "x"], capsys)


@pytest.mark.parametrize("target", ["0", "-1", "nan", "inf", "low", "2,", "2,low"])
def test_refuses_targets_that_are_none(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no loss" in refusal([tmp_path, f"--target={target}"], capsys)


def test_refuses_what_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in refusal([tmp_path / "none"], capsys)
    assert "no traces" in refusal([tmp_path], capsys)
    (tmp_path / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n torn")
    assert "torn.h5" in refusal([tmp_path], capsys)
    assert "unrecognized arguments: --colour" in refusal([tmp_path, "--colour"], capsys)


def test_refuses_an_output_that_is_a_file(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--output" in refusal([study, "--output", study / "dsgd-seed1.h5"], capsys)


def test_a_traces_text_does_not_steer_the_terminal(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "evil").mkdir()
    forge(study / "dsgd-seed1.h5", tmp_path / "evil" / "a.h5", config={"algorithm": "x\x1b[2Jy\nz"})
    assert cli.main([str(tmp_path / "evil"), "--no-pdf"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and text.count("\n") == 1


@pytest.mark.parametrize("module", ["h5py", "numpy", "matplotlib", "jinja2", "markupsafe"])
def test_a_missing_package_is_named_as_debian_names_it(module: str, study: Path, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / f"{module}.py").write_text(f"raise ModuleNotFoundError('gone', name='{module}')\n")
    done = subprocess.run([sys.executable, PROGRAM, study], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "without")})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and f"apt-get install python3-{module}" in done.stderr


def test_help_needs_no_package(tmp_path: Path) -> None:
    for module in ("h5py", "numpy", "matplotlib"):
        (tmp_path / f"{module}.py").write_text("raise ModuleNotFoundError('gone')\n")
    done = subprocess.run([sys.executable, PROGRAM, "--help"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0 and "--perfetto" in done.stdout and "STUDY_DIR" in done.stdout


def test_figures_for_a_paper(study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.undo()
    assert cli.main([str(study), "--no-pdf", "--only", "curves-time,consensus", "--width", "6.5", "--font", "serif", "--no-title"]) == 0
    style.wear(style.Look())
    assert sorted(path.name for path in (study / "report/figures").iterdir()) == ["consensus.png", "curves-time.png"]
    width, _ = struct.unpack_from(">II", (study / "report/figures/curves-time.png").read_bytes(), 16)
    assert width == int(6.5 * style.PNG_DPI)


@pytest.mark.parametrize("options, says", [
    (["--only", "curve"], "--only curve: no such figure; there are curves-time"),
    (["--width", "0"], "'0' is no width"), (["--width", "wide"], "'wide' is no width"),
    (["--font", "No Such Font"], "--font No Such Font: not installed"), (["--style", "none.mplstyle"], "--style none.mplstyle"),
])
def test_refuses_figures_that_cannot_be_had(options: list[str], says: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal([study, *options], capsys)
