# SPDX-License-Identifier: BSD-3-Clause
"""bench/choco: a small form of it is tuned, compared and reported; the page's figures are those of the traces."""
from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from studies import choco  # noqa: E402
from studies.statistics import estimate  # noqa: E402

FEATURES, SAMPLES = 60, 180
ROWS = {"dsgd, exact", "choco-sgd, top-k:0.01", "dcd-psgd, top-k:0.01", "choco-sgd, random-k:0.01", "dcd-psgd, random-k:0.01",
        "choco-sgd, qsgd-rescaled:16", "dcd-psgd, qsgd-rescaled:16", "dcd-psgd, qsgd:256", "ecd-psgd, qsgd:256", "no exchange"}


@pytest.fixture
def small(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of bench/choco, but for fewer trials; smaller data, fewer seeds, and steps that get somewhere in no time."""
    folder = tmp_path / "choco"
    shutil.copytree(ROOT / "bench" / "choco", folder)
    (folder / "quick.ini").write_text("# Small\ntrials = 1\nalpha-range = 2,2\n")
    for name, value in (("FOLDER", folder), ("QUICK_DATA", f"positive:{FEATURES},0.1,{SAMPLES}"), ("TUNING_SEEDS", "101"),
                        ("QUICK_SEEDS", "1-2"), ("QUICK_POINTS", 8)):
        monkeypatch.setattr(choco, name, value)
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def least_loss(path: Path) -> float:
    """min mean log(1 + exp(−y aᵀx)) + |x|²/(2m), by Newton's method."""
    with h5py.File(path, "r") as file:
        rows, y = file["train/features"], 2.0 * file["train/targets"][:].ravel() - 1
        a = np.zeros((SAMPLES, FEATURES))
        a[np.repeat(np.arange(SAMPLES), np.diff(rows["indptr"][:].astype(int))), rows["indices"][:]] = rows["data"][:]
    x = np.zeros(FEATURES)
    for _ in range(30):
        s = 1 / (1 + np.exp(y * (a @ x)))
        hessian = (a.T * (s * (1 - s))) @ a / SAMPLES + np.eye(FEATURES) / SAMPLES
        x -= np.linalg.solve(hessian, x / SAMPLES - a.T @ (y * s) / SAMPLES)
    return float(np.log1p(np.exp(-y * (a @ x))).mean() + x @ x / (2 * SAMPLES))


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    text = page.partition(f"## {heading}\n")[2].partition("\n#")[0]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    assert all(len(cells) == len(table[0]) for cells in table)
    return {cells[0]: cells[1:] for cells in table[1:]}


def test_quick_page_is_complete_and_its_figures_are_the_traces(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choco.main(["--quick", "--jobs", "2"]) == 0
    assert f"data: positive:{FEATURES}" in capsys.readouterr().err
    runs = small / "runs/choco-quick"
    page = (runs / "choco.md").read_text()
    assert "is no finding" in page and (runs / "choco.png").read_bytes()[:4] == b"\x89PNG"
    best = least_loss(runs / "data.h5")
    for partition in choco.PARTITIONS:
        rows = rows_of(page, partition.capitalize())
        assert set(rows) == ROWS
        assert all(cell for cells in rows.values() for cell in cells)
        found = re.search(r"f\* = ([0-9.]+);", page.partition(f"## {partition.capitalize()}\n")[2])
        assert found and abs(float(found[1]) - best) < 1e-6
        for (code, name), label in {("exact", "dsgd"): "dsgd, exact", ("qsgd-256", "ecd-psgd"): "ecd-psgd, qsgd:256"}.items():
            traces = sorted((runs / partition / code / "compare").glob(f"{name}-seed*.h5"))
            assert len(traces) == 2
            losses = []
            for path in traces:
                with h5py.File(path, "r") as file:
                    losses.append(file["progress/loss"][-1])
                    assert file["config"].attrs["partition"] == choco.PARTITIONS[partition]
                    assert file["data"].attrs["training_samples"] == SAMPLES
            shown = [float(number) for number in re.findall(r"[-0-9.e]+", rows[label][3].replace("–", " "))]
            assert shown == pytest.approx([estimate(losses).median - best, min(losses) - best, max(losses) - best], rel=0.01, abs=1e-6)
        # A node sends 4 bytes a number to each of 2 neighbours, and a header of at most 64.
        iterations, megabytes = (float(text) for text in re.match(r"([0-9.]+) .*; ([-0-9.e]+) MB", rows["dsgd, exact"][4]).groups())
        assert 8 * FEATURES <= megabytes * 1e6 / iterations * 1.01 and megabytes * 1e6 / iterations < 8 * FEATURES + 2 * 64
    seeds = {h5py.File(path, "r")["data"].attrs["fingerprint"] for path in runs.rglob("*-seed*.h5")}
    assert len(seeds) == 1, "seeds had data of their own"


def test_bad_use_is_one_line_and_status_two(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small / "mine.md").write_text("# Mine\n")
    for arguments, says in ((["--dataset", "digits:50"], "has 10 classes"), (["--quick", "--output", "mine.md"], "mine.md"),
                            (["--quick", "--jobs", "0"], "--jobs 0"), (["--dataset", "nowhere.svm"], "nowhere.svm")):
        assert choco.main(arguments) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("choco: ") and says in last
    assert (small / "mine.md").read_text() == "# Mine\n"
