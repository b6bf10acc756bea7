# SPDX-License-Identifier: BSD-3-Clause
"""The batch scripts by themselves on a real SLURM, and jobs that have no more than they were given. No test depends on how fast
the machine is."""
from __future__ import annotations

import csv
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from box import Box, why_no_cgroups
from conftest import DIGITS, REPORT, ROOT, SLURM, SMALL, Study, programs, waiting_signals, write


SCRIPTS = sorted(SLURM.glob("*.sbatch"))
SCRIPT_RUN = ["--dataset", "digits", "--nodes", "2", "--graph", "complete", "--model", "mlp:8", "--iterations", "20",
              "--samples-per-node", "50", "--batch", "10"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_slurm_takes_every_script(box: Box, script: Path) -> None:
    assert "to start at" in box.run("sbatch", "--test-only", script, "somewhere").stderr


def test_scripts_are_submitted_from_any_folder_and_without_an_environment(box: Box, tmp_path: Path, program: Path) -> None:
    """Nobody tells them where the clone is, and they say what is wrong at their first error."""
    jobs = {name: box.run("sbatch", "--parsable", f"--chdir={tmp_path}", f"--output={tmp_path}/{name}.log",
                          f"--export=QUANTIMED_PROGRAM={program},QUANTIMED_REPORT_OPTIONS=none", SLURM / f"{name}.sbatch", *arguments).stdout.strip()
            for name, arguments in {
                "run": ["a.h5", *SCRIPT_RUN],
                "compare": ["c", *SCRIPT_RUN, "--seeds", "1-2", "--algorithms", "dsgd"],
                "scale": ["s", "--bacth", "3"], "tune": ["t", "--bacth", "3"]}.items()}
    states = {name: box.wait(job) for name, job in jobs.items()}
    said = {name: (tmp_path / f"{name}.log").read_text() for name in jobs}
    assert states == {"run": "COMPLETED", "compare": "COMPLETED", "scale": "FAILED", "tune": "FAILED"}, said
    assert (tmp_path / "a.h5").is_file() and len(list((tmp_path / "c").glob("*.h5"))) == 2
    assert all(said[name].count("--bacth") == 1 for name in ("scale", "tune")), said


def by_hand(box: Box, script: str, *arguments: object, options: tuple[str, ...] = (), wait: bool = True, **variables: str) -> str:
    job = box.run("sbatch", "--parsable", f"--chdir={ROOT}", f"--output={box.folder}/%x-%j.log", *options, SLURM / script,
                  *arguments, QUANTIMED_HOME=str(ROOT), **variables).stdout.strip()
    if wait:
        state = box.wait(job)
        assert state == "COMPLETED", state + "".join(p.read_text() for p in box.folder.glob(f"*-{job}.log"))
    return job


def test_compare_by_hand(box: Box, tmp_path: Path) -> None:
    by_hand(box, "compare.sbatch", tmp_path / "c", *SCRIPT_RUN, SEEDS="1 2", ALGORITHMS="dsgd q-dsgd", **REPORT)
    assert len(list((tmp_path / "c").glob("*.h5"))) == 4 and (tmp_path / "c" / "report" / "index.html").is_file()


def test_a_run_by_hand_survives_a_signal_and_is_not_repeated(box: Box, tmp_path: Path) -> None:
    trace = tmp_path / "cut.h5"
    options = ["50000" if word == "20" else word for word in SCRIPT_RUN]  # iterations
    job = by_hand(box, "run.sbatch", trace, *options, wait=False)
    box.until(lambda: programs(ROOT, str(trace)), "the run")
    pid, = programs(ROOT, str(trace))
    os.kill(pid, signal.SIGSTOP)
    box.run("scancel", "--batch", "--signal=USR1", job)
    box.until(lambda: waiting_signals(pid), "the signal")
    os.kill(pid, signal.SIGCONT)
    box.release_now(job)
    assert box.wait(job) == "COMPLETED"
    with h5py.File(trace) as file:
        assert file.attrs["status"] == "complete" and file["environment"].attrs["slurm_restarts"] == "1"
    first = trace.stat().st_mtime_ns
    by_hand(box, "run.sbatch", trace, *options)
    assert trace.stat().st_mtime_ns == first


def test_tuning_by_hand(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    options = [*SCRIPT_RUN, "--seeds", "1", "--trials", "2", "--algorithms", "dsgd,q-dsgd"]
    by_hand(box, "tune.sbatch", folder, *options)
    steps = (folder / "tuned.ini").read_text()  # one file for all algorithms
    assert re.search(r"^alpha = .*dsgd.*=.*q-dsgd.*=", steps, re.MULTILINE), steps
    assert {row["algorithm"] for row in csv.DictReader((folder / "trials.csv").open())} == {"dsgd", "q-dsgd"}
    stood = (folder / "trials.csv").stat().st_mtime_ns
    by_hand(box, "tune.sbatch", folder, *options)
    assert (folder / "trials.csv").stat().st_mtime_ns == stood


def test_scaling_by_hand(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    by_hand(box, "scale.sbatch", folder, "--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--iterations", "20",
            "--samples-per-node", "50", "--batch", "10", "--algorithms", "dsgd", "--study", "strong", "--repeats", "2",
            options=("--cpus-per-task=2",), **REPORT)
    assert (folder / "report" / "index.html").is_file()
    assert {p.name for p in folder.glob("finished-*")} == {"finished-on-1-cores", "finished-on-2-cores"}
    assert {p.name for p in folder.glob("*.h5")} == {f"strong-dsgd-n{n}-repeat{r}.h5" for n in (1, 2) for r in (1, 2)}
    assert "efficiency" in (folder / "table.md").read_text()


# Jobs that have no more than they were given

@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One node, with control groups where the machine allows them; jobs are bound to their cores in any case."""
    with Box(tmp_path_factory.mktemp("tight") / "b", nodes=1, cpus=2, task_plugin="task/affinity", cgroups=not why_no_cgroups()) as made:
        yield made


def cores_in(text: str) -> int:
    """Of a list as 0-3,8."""
    ranges = (part.partition("-") for part in text.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def test_a_run_that_is_out_of_memory_is_told_and_goes_on_with_more(tight: Box, tmp_path: Path) -> None:
    if why := why_no_cgroups():
        pytest.skip(why)
    big = DIGITS.replace("nodes = 4", "nodes = 6").replace("mlp:8", "mlp:300") + "seeds = 1\nalgorithms = dsgd\n"
    s = Study(tight, write(tmp_path / "study.ini", big))
    s.submit("--mem", "40M")
    s.wait()
    said = s.status()
    # Refused by the program's own account, or killed by the control group, whichever comes first.
    assert "1 failed" in said and re.search(r"killed by signal 9 \(SIGKILL\): out of memory; give more --mem|give the job more --mem", said), said
    assert "retry" not in s.log("collect")  # nobody asked for it
    s.submit("--mem", "40M", "--retries", 3, "--wait", status=0)
    assert "1 runs: 1 done" in s.status() and re.search("of 40 or 80 (or 160 )?asked|of 40, 80 or 160 asked", s.status()), s.status()
    assert re.search(r"retry 1 of 3: 1 runs again with --mem 80M: array \d+", s.log("collect", 2)), s.log("collect", 2)


def test_a_real_time_run_uses_the_cores_that_it_was_given_whatever_binds_openmp(tight: Box, tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    text = SMALL.replace("nodes = 4\n", "nodes = 2\nengine = threads\n").replace("ring", "complete")
    site = write(tmp_path / "site", "[setup]\nexport OMP_PROC_BIND=close OMP_PLACES=cores GOMP_CPU_AFFINITY=0 SLURM_CPU_BIND=none\n")
    s = Study(tight, write(tmp_path / "study.ini", text + "seeds = 1\nalgorithms = dsgd\n"))
    s.submit("--site", site)
    assert s.wait() == "COMPLETED", s.status("--failed") + s.log("task-1")
    with h5py.File(s.traces()[0]) as file:
        facts = file["environment"].attrs
        assert cores_in(facts["node_cores"]) == 2 and facts["slurm_cpus_per_task"] == "2"
    assert "may use" not in s.log("task-1")


def test_a_run_sees_and_uses_only_the_allocated_core(tight: Box, tmp_path: Path) -> None:
    options = ["--engine", "threads", "--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--samples-per-node",
               "50", "--batch", "10", "--iterations", "3000"]
    jobs = [by_hand(tight, "run.sbatch", tmp_path / f"{k}.h5", *options, options=("--cpus-per-task=1",), wait=False) for k in (1, 2)]
    jobs.append(by_hand(tight, "run.sbatch", tmp_path / "3.h5", *options, "--nodes", "2", options=("--cpus-per-task=1",), wait=False))
    assert [tight.wait(job) for job in jobs] == ["COMPLETED", "COMPLETED", "FAILED"]
    for k in (1, 2):
        with h5py.File(tmp_path / f"{k}.h5") as file:
            facts = file["environment"].attrs
            assert facts["affinity"] == facts["node_cores"] and cores_in(facts["affinity"]) == 1
            assert file["config"].attrs["nodes"] == 1 and facts["slurm_cpus_per_task"] == "1"
    assert "only 1 core" in next(tight.folder.glob(f"*-{jobs[2]}.log")).read_text()
