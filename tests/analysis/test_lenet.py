# SPDX-License-Identifier: BSD-3-Clause
"""bench/lenet: a small form of it is tuned, judged and reported, on images of 8×8; the page's figures are those of the traces."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from studies import lenet, lenet_page, lenet_runs  # noqa: E402
from studies.lenet_runs import Entrant, Job, entrants, is_interrupted, loss_of  # noqa: E402
from studies.processes import Processes  # noqa: E402
from studies.study_file import StudyError  # noqa: E402

ALGORITHMS = ["quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd", "choco-sgd", "d2", "qg-dsgdm"]
IMAGES, SIDE = 300, 8
QUICK_S = 1  # of virtual time, in place of the quick form's 3


def write_images(path: Path, test: bool = False) -> None:
    """Ten classes of grey, one brighter than the other."""
    random, y = np.random.default_rng(1), np.arange(IMAGES) % 10
    x = (random.random((IMAGES, 3, SIDE, SIDE)) * 60 + 19 * y[:, None, None, None]).astype(np.uint8)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="quantimed-dataset", schema_version=1, name="greys", classes=10)
        for part in ("train", "test") if test else ("train",):
            file[f"{part}/features"], file[f"{part}/targets"] = x, y


@pytest.fixture
def small(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of bench/lenet, on small images."""
    folder = tmp_path / "lenet"
    shutil.copytree(ROOT / "bench" / "lenet", folder)
    quick = (folder / "quick.ini").read_text()
    assert "max-time = 3\n" in quick
    (folder / "quick.ini").write_text(quick.replace("max-time = 3\n", f"max-time = {QUICK_S}\n"))
    monkeypatch.setattr(lenet_runs, "FOLDER", folder)
    monkeypatch.setattr(lenet, "QUICK_IMAGES", 250)
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "greys.h5")
    return tmp_path


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    text = page.partition(f"# {heading}\n")[2].partition("\n# ")[0]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    assert all(len(cells) == len(table[0]) for cells in table)
    return {cells[0].partition(",")[0]: cells[1:] for cells in table[1:]}


def figures(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[0-9.]+(?:e-?[0-9]+)?", text.replace("–", " "))]


def test_quick_page_is_complete_its_figures_are_the_traces_and_a_second_run_repeats_nothing(
        small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dataset", "greys.h5", "--quick", "--jobs", "2"]
    assert lenet.main(arguments) == 0
    said = capsys.readouterr().err
    assert "the last 50 are held out as a test set, 200 are trained on" in said and "28 of 28 runs" in said
    runs = small / "runs/lenet-quick"
    page = (runs / "lenet.md").read_text()
    assert "is no finding" in page and "no winner is named" in page and (runs / "lenet.png").read_bytes()[:4] == b"\x89PNG"
    rows, searched = rows_of(page, "What was found"), rows_of(page, "The search")
    assert set(rows) == set(searched) == set(ALGORITHMS) and all(cell for cells in rows.values() for cell in cells)
    medians = [figures(cells[0])[0] for cells in rows.values()]
    assert medians == sorted(medians, reverse=True)
    for name, cells in rows.items():
        losses = {}
        for path in sorted((runs / "tune").glob(f"{name}-trial*.h5")):
            with h5py.File(path, "r") as file:
                config = file["config"].attrs
                losses[str(config["alpha"])] = (float(file["summary"].attrs["final_loss"]), int(config["seed"]))
        best = min(losses, key=lambda alpha: losses[alpha])
        assert {seed for _, seed in losses.values()} == {lenet_runs.TUNING_SEED}
        assert all(f"{loss:.3f}" in searched[name][1] for loss, _ in losses.values())
        traces = [runs / "judged" / f"{name}-seed{seed}.h5" for seed in lenet_runs.QUICK_SEEDS]
        accuracies, epochs, megabytes = [], [], []
        for path in traces:
            with h5py.File(path, "r") as file:
                config, summary = file["config"].attrs, file["summary"].attrs
                assert str(config["partition"]) == "by-label" and str(config["model"]) == "gn-lenet" and str(config["bits"]) == "wire"
                assert len(losses) < 2 or str(config["alpha"]) == best
                assert file["progress/time"][-1] <= 1.5 * QUICK_S and int(file["data"].attrs["test_samples"]) == 50
                accuracies.append(100 * float(file["progress/test_accuracy"][-1]))
                epochs.append(float(summary["total_samples"]) / (4 * 40))
                megabytes.append(float(summary["total_bytes"]) / 4 / 1e6)
        for cell, values in ((cells[0], accuracies), (cells[4], epochs), (cells[5], megabytes)):
            assert figures(cell)[0] == pytest.approx(np.median(values), rel=0.01, abs=0.01)
        assert f"α {best}" in cells[7] or name in lenet_runs.MIXING
        assert float(figures(cells[8])[0]) > 0

    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.h5") if path.parent.name in ("tune", "judged")}
    spent = json.loads((runs / "time.json").read_text())
    assert lenet.main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before and len(before) == 28
    assert all(json.loads((runs / "time.json").read_text())[key] >= used for key, used in spent.items())

    for path in ("judged/d2-seed1.h5", "judged/d2-seed2.h5", "judged/dsgd-seed2.h5"):
        (runs / path).unlink()
    assert lenet.main([*arguments, "--report-only"]) == 0
    page = (runs / "lenet.md").read_text()
    assert "3 of its 28 runs are missing" in page and "not in the table: d2" in page
    assert set(rows_of(page, "What was found")) == set(ALGORITHMS) - {"d2"}


def test_a_run_that_was_stopped_is_continued_to_the_same_bits(small: Path, program: Path) -> None:
    data = lenet.prepare("greys.h5", True, small, Processes())
    found = {one.name: one for one in entrants(small / "runs", True, 300.0)}["dsgd"]
    job = Job(found, lenet_runs.TUNING_SEED, 0)
    job.path.parent.mkdir(parents=True)
    child = subprocess.Popen([program, *map(str, job.arguments(data.path))], env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    while not job.path.with_suffix(".h5.lock").exists():  # from then on a signal stops it in order
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 75
    assert is_interrupted(job.path) and np.isnan(loss_of(job.path)) and not Job(found, 1, None).is_ready
    Processes().call("continued", job.arguments(data.path))
    loss = loss_of(job.path)
    job.path.unlink()
    Processes().call("whole", job.arguments(data.path))
    assert np.isfinite(loss) and loss == loss_of(job.path)


def test_all_have_as_many_trials_and_the_judged_runs_have_other_seeds(small: Path) -> None:
    found = entrants(small, False, None)
    assert [one.name for one in found][:4] == ALGORITHMS[:4] and sorted(one.name for one in found) == sorted(ALGORITHMS)
    assert {len(set(one.trials)) for one in found} == {6} and {one.horizon for one in found} == {90}
    assert {one.name for one in found if len({trial.mixing for trial in one.trials}) == 2} == set(lenet_runs.MIXING)
    assert all(lenet_runs.TUNING_SEED not in one.seeds and len(one.seeds) >= 3 for one in found)
    for one in found:
        first, last = (float(end) for end in one.options["alpha-range"].split(","))
        assert float(one.trials[0].alpha) == first and float(one.trials[-1].alpha) == last


def test_a_winner_takes_seeds_and_intervals(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(name: str, accuracies: list[float]) -> lenet_page.Entry:
        one = lenet_page.Entry(Entrant(name, (), small, tuple(range(len(accuracies)))), lenet_runs.Spent(small / "none.json"))
        one.__dict__.update(accuracy=dict(enumerate(accuracies)), errors={k: 100 - a for k, a in enumerate(accuracies)},
                            files=dict.fromkeys(range(len(accuracies)), small))
        return one

    high, low = [50 + 0.1 * k for k in range(10)], [30 + 0.1 * k for k in range(10)]
    assert "clearly less wrong" in lenet_page.ranking([entry("dsgd", high), entry("d2", low)])
    assert "not told apart from d2" in lenet_page.ranking([entry("dsgd", high), entry("d2", [a + 5 * (-1) ** k for k, a in enumerate(high)])])
    few = lenet_page.ranking([entry("dsgd", high[:3]), entry("d2", low[:3]), entry("q-dsgd", [high[0], low[0], low[1]])])
    assert "no winner is named" in few and "below that of dsgd: d2; that overlap with it: q-dsgd" in few


def test_a_test_set_that_is_there_is_taken(small: Path) -> None:
    write_images(small / "both.h5", test=True)
    assert lenet.prepare("both.h5", False, small, Processes()).path == "both.h5"
    held = lenet.prepare("greys.h5", False, small, Processes())
    with h5py.File(held.path, "r") as file, h5py.File("greys.h5", "r") as source:
        assert file["train/features"].shape == (240, 3, SIDE, SIDE) and file["test/features"].shape == (60, 3, SIDE, SIDE)
        assert (np.concatenate([file["train/features"], file["test/features"]]) == source["train/features"][:]).all()
        assert (file["test/targets"][:] == source["train/targets"][240:]).all()


def test_cifar10_is_held_out_as_images(small: Path) -> None:
    if isinstance(refusal := lenet.contents("cifar10"), str):
        pytest.skip(f"CIFAR-10 WAS NOT HELD OUT: {refusal}")
    data = lenet.prepare("cifar10", True, small, Processes())
    found = lenet.contents(data.path)
    assert not isinstance(found, str)
    assert (found["shape"], found["classes"], found["training_samples"], found["test_samples"]) == ("3x32x32", "10", "200", "50")


def test_bad_use_is_one_line_and_status_two(small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "mine.md").write_text("# Mine\n")
    for arguments, says in ((["--dataset", "digits:50"], "no colour images"), (["--quick", "--output", "mine.md"], "mine.md"), (["--output", "x.txt"], "ends in .md"),
                            (["--jobs", "0"], "--jobs 0"), (["--dataset", "nowhere.h5"], "nowhere.h5"), (["--max-time", "0"], "--max-time 0"),
                            (["--dataset", "greys.h5", "--report-only"], "no judged run")):
        assert lenet.main(arguments) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("lenet: ") and says in last
    assert (small / "mine.md").read_text() == "# Mine\n"
    monkeypatch.setenv("QUANTIMED_DATA", str(small / "nothing"))
    if not isinstance(lenet.contents("cifar10"), str):
        return  # it is in one of the folders that are always looked into
    assert lenet.main(["--where-it-is"]) == 0 and "left out" in capsys.readouterr().err
    assert lenet.main([]) == 2


def test_a_run_that_its_time_did_not_end_is_compared_with_none(small: Path, program: Path) -> None:
    data = lenet.prepare("greys.h5", True, small, Processes())
    one = next(one for one in entrants(small / "runs", True, 300.0) if one.name == "dsgd")
    job = Job(one, lenet_runs.TUNING_SEED, 0)
    job.path.parent.mkdir(parents=True)
    Processes().call("cut short", ["--iterations=3" if str(word).startswith("--iterations") else word for word in job.arguments(data.path)])
    with pytest.raises(StudyError, match="ended after .* s, and others after 100 s"):
        loss_of(job.path)
