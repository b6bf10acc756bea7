# SPDX-License-Identifier: BSD-3-Clause
"""bench/theory: runs what is asked, keeps what is finished, writes a report with a plot for each experiment."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from studies import theory  # noqa: E402

SMALL = """# A small ridge regression
# As small as can be.
dataset = gaussian-linear:3
nodes = 4
samples-per-node = 20
l2 = 8
graph = complete
schedule = strongly-convex:0.25
c1 = 0.2
c2 = 3
codec = low-precision:0.05
{points}
seeds = 1-3
"""


@pytest.fixture
def experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not os.access(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build/quantimed"), os.X_OK):
        pytest.skip("no program")
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "strongly-convex.ini").write_text(SMALL.format(points="horizons = 20,40,80,160,320"))
    (folder / "deadline.ini").write_text(SMALL.format(points="horizons = 60\ndeadlines = 0.1,0.15,0.2,0.3,0.4"))
    monkeypatch.setattr(theory, "EXPERIMENTS", folder)
    monkeypatch.setattr(theory, "ORDER", ("strongly-convex", "deadline"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_report_has_a_finding_and_a_plot_for_each(experiments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert theory.main([]) == 0
    text = (experiments / "results/theory.md").read_text()
    for word in ("A small ridge regression", "penalty-distance", "bound", "not decided", "-0.250", "gamma^2", "1.000"):
        assert word in text
    for name in ("strongly-convex.png", "strongly-convex-approach.png", "deadline.png"):
        assert (experiments / "results/theory" / name).stat().st_size > 5000
        assert f"(theory/{name})" in text
    capsys.readouterr()
    assert theory.main([]) == 0
    assert "strongly-convex: kept" in capsys.readouterr().out


def test_another_file_is_run_again(experiments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert theory.main(["--experiments", "deadline"]) == 0
    path = experiments / "experiments/deadline.ini"
    path.write_text(path.read_text().replace("seeds = 1-3", "seeds = 1-2"))
    capsys.readouterr()
    assert theory.main(["--experiments", "deadline"]) == 0
    assert "kept" not in capsys.readouterr().out


def test_bad_use_is_one_line_and_status_two(experiments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert theory.main(["--experiments", "speed"]) == 2
    assert "--experiments speed" in capsys.readouterr().err
    path = experiments / "experiments/deadline.ini"
    path.write_text(path.read_text() + "nonsense = 1\n")
    assert theory.main(["--experiments", "deadline"]) == 2
    assert "ended with status 2" in capsys.readouterr().err
