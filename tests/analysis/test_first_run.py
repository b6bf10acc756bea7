# SPDX-License-Identifier: BSD-3-Clause
"""The steps that make run takes are those that the trials beside them say, and a trial gives what it gave."""

from __future__ import annotations

import csv
import math
import os
import subprocess
from pathlib import Path

import h5py
import pytest

RESULTS = Path(__file__).resolve().parents[2] / "results"
SEARCHES = {"fashion-mnist-tuned.ini": ("fashion-mnist-trials.csv", 24, "1.97"),  # with its trials, and a target
            "fashion-mnist-real-time.ini": ("fashion-mnist-real-time-trials.csv", 16, "2.09")}
Trial = tuple[str, str]  # alpha, epsilon


def lines_of(ini: Path) -> dict[str, str]:
    return {name: value for name, equals, value in (line.partition(" = ") for line in ini.read_text().splitlines()) if equals}


def trials(ini: str) -> dict[str, dict[Trial, list[dict[str, str]]]]:
    found: dict[str, dict[Trial, list[dict[str, str]]]] = {}
    with (RESULTS / SEARCHES[ini][0]).open(newline="") as file:
        for row in csv.DictReader(file):
            if row["pass"] != "published":  # beside the budget
                found.setdefault(row["algorithm"], {}).setdefault((row["alpha"], row["epsilon"]), []).append(row)
    return found


def lower_median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def score(runs: list[dict[str, str]]) -> tuple[float, float, float]:
    """Targets missed, the mean logarithm of the times to the others, the final loss: medians over seeds. Less is better."""
    counted = [row["status"] == "complete" and row["verdict"] == "VALID" for row in runs]
    times = [lower_median([float(row[name]) if ok else math.inf for row, ok in zip(runs, counted)])
             for name in runs[0] if name.startswith("time_to_")]
    reached = [math.log(time) for time in times if time < math.inf]
    loss = lower_median([float(row["final_loss"]) if ok else math.inf for row, ok in zip(runs, counted)])
    return len(times) - len(reached), sum(reached) / max(1, len(reached)), loss


def steps_for_all_targets(ini: str, option: str) -> dict[str, str]:
    pairs = (part.split("=") for part in lines_of(RESULTS / ini)[option].split(","))
    return {name: value for name, value in pairs if "@" not in name}


@pytest.mark.parametrize("ini", SEARCHES)
def test_the_steps_are_the_best_of_as_many_trials_and_none_lies_at_the_edge(ini: str) -> None:
    alphas, epsilons = steps_for_all_targets(ini, "alpha"), steps_for_all_targets(ini, "epsilon")
    found = trials(ini)
    assert set(found) == set(alphas) == {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}
    assert {len(tried) for tried in found.values()} == {SEARCHES[ini][1]}
    for algorithm, tried in found.items():
        seeds = max(len(runs) for runs in tried.values())
        finalists = {steps: runs for steps, runs in tried.items() if len(runs) == seeds}
        best = min(finalists, key=lambda steps: score(finalists[steps]))
        assert best[0] == alphas[algorithm]
        assert best[1] == epsilons.get(algorithm, best[1])
        sizes = [float(alpha) for alpha, _ in tried]
        assert min(sizes) < float(best[0]) < max(sizes), algorithm


def small_run(folder: Path, program: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """bench/first-run with small options in a folder that looks like a clone."""
    for name in ("analysis", "results", "bench"):
        (folder / name).symlink_to(RESULTS.parent / name)
    (folder / "bench").unlink()
    (folder / "bench").mkdir()
    (folder / "bench/first-run").write_bytes((RESULTS.parent / "bench/first-run").read_bytes())
    (folder / "build").mkdir()
    (folder / "build/quantimed").symlink_to(program)
    return subprocess.run(["bash", folder / "bench/first-run", "tuned", "--dataset", "digits:300", "--graph", "complete", "--samples-per-node", "50",
                           "--batch", "10", "--iterations", "20", "--budget", "iterations", "--seeds", "1-2", *options],
                          capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "QUANTIMED_PROGRAM": str(program)})


def test_where_every_run_in_real_time_is_invalid_the_virtual_half_stands(program: Path, tmp_path: Path) -> None:
    """No machine is as fast as that: its times are no measurement."""
    done = small_run(tmp_path, program, "--nodes", "1", "--speed", "constant:1e9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "In real time nothing was measured: every run is INVALID." in done.stdout and "The machine was too busy" in done.stdout
    assert (tmp_path / "runs/report/index.html").is_file()
    assert {folder.name for folder in (tmp_path / "runs").iterdir()} == {"compare-virtual", "compare-threads", "report"}
    # What it stands on: the program's own status, and its table beside it.
    again = subprocess.run([program, "compare", "--config", tmp_path / "runs/compare-threads/study.ini", "--output",
                            tmp_path / "runs/compare-threads", "--quiet"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 5 and "INVALID" in again.stdout, again.stderr


@pytest.mark.parametrize("ini", SEARCHES)
def test_a_trial_gives_what_it_gave(program: Path, tmp_path: Path, ini: str) -> None:
    if subprocess.run([program, "info", "--contents", "--dataset", "fashion-mnist"], capture_output=True).returncode:
        pytest.skip("Fashion-MNIST is not here (apt-get install dataset-fashion-mnist)")
    alpha = steps_for_all_targets(ini, "alpha")["dsgd"]
    then = next(row for (tried, _), runs in trials(ini)["dsgd"].items() if tried == alpha for row in runs if row["seed"] == "101")
    done = subprocess.run([program, "run", "--config", RESULTS / ini, "--algorithm", "dsgd", "--alpha", alpha,
                           "--tuned-by", "none", "--target-loss", SEARCHES[ini][2], "--seed", "101", "--quiet", "--output", tmp_path / "run.h5"],
                          capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "run.h5") as file:
        # Kernels of other processors add in another order.
        assert float(file["summary"].attrs["final_loss"]) == pytest.approx(float(then["final_loss"]), rel=0.02)
