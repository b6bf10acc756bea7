# SPDX-License-Identifier: BSD-3-Clause
"""Studies on a real SLURM, when something goes wrong: cut, cancelled, killed, a bad node, no answer. No test depends on how fast
the machine is."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import h5py
import pytest

from box import Box
from conftest import DIGITS, LONG, REPORT, SLURM, SMALL, Study, arrays, histories, programs, starts, waiting_signals, write

README = (SLURM / "README.md").read_text()


@pytest.fixture(scope="module")
def cut(box: Box, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, int]:
    """Begins with the first test and is looked at by the last: SLURM looks at time limits twice a minute. A pack of two
    runs; the process of the first stands still, so that it is not over when SLURM's warning comes, an hour before the end."""
    text = DIGITS.replace("iterations = 20", "iterations = 20000") + "seeds = 1\nalgorithms = dsgd, q-dsgd\n"
    s = Study(box, write(tmp_path_factory.mktemp("cut") / "study.ini", text))
    s.submit("--time", "8:00:00", "--sbatch", "--signal=B:USR1@3600", "--pack", 2)
    s.box.until(lambda: programs(s.folder), "its process")
    pid, = programs(s.folder)
    os.kill(pid, signal.SIGSTOP)
    box.run("scontrol", "update", f"JobId={s.jobs()[0]}_1", "EndTime=now+3500seconds")
    return s, pid


def test_a_failing_task_does_not_lose_the_others(study, box: Box, tmp_path: Path, cut: tuple[Study, int]) -> None:
    data = write(tmp_path / "data.libsvm", "".join(f"{k % 3} 1:{k % 7} 2:{k % 5}\n" for k in range(300)))
    s = study(DIGITS.replace("dataset = digits\n", "") + f"seeds = 1\nalgorithms = dsgd, q-dsgd\n[grid]\ndataset = digits | {data}\n")
    s.environment |= REPORT
    s.submit("--sbatch=--hold")
    kept = data.rename(tmp_path / "away")
    for job in s.jobs():
        box.run("scontrol", "release", job)
    assert s.wait() == "FAILED"  # as the collection says when runs are missing
    said = s.status()
    assert "4 runs: 2 done, 2 failed" in said and "data.libsvm" in said
    assert re.search(r"failed +2 runs: exit status 2: --dataset", said), said  # one line for all that failed in the same way
    assert "runs: exit status 2: --dataset" in README
    assert "bad node" not in said
    failed = s.status("--failed")
    assert failed.count("data.libsvm") >= 2 and str(s.folder / "logs") in failed
    run = next(r for r, lines in histories(s.folder).items() if lines[-1][2] == "2")
    assert "data.libsvm" in s.status("--log", run[:-3]) and "end 2 job" in s.status("--log", run)
    assert (s.folder / "report" / "index.html").is_file()
    kept.rename(data)
    s.environment |= {"QUANTIMED_REPORT_OPTIONS": "none"}
    assert "2 runs in 2 tasks" in s.submit()
    assert s.wait_for_runs() == "COMPLETED" and "4 runs: 4 done" in s.status()
    assert sorted(starts(s.folder).values()) == [1] * 2 + [2] * 2


def test_scancel_leaves_checkpoints_and_a_study_that_can_be_submitted_again(study, box: Box) -> None:
    s = study(LONG + "seeds = 1-2\n")
    s.submit("--parallel", "2")
    s.until_running(2)
    assert "running" in s.status() and "pending" in s.status()
    array, collection = s.jobs()
    box.run("scancel", array)
    assert box.wait(collection) == "FAILED"
    said = s.status()
    assert "2 interrupted, 6 missing" in said and "cancelled; submit again" in said
    assert "missing     6 runs: cancelled before it started; submit again" in said
    assert "8 runs in 8 tasks" in s.submit("--sbatch=--hold")
    array, collection = s.jobs()
    assert "8 pending" in s.status()
    box.run("scancel", array, collection)
    assert "2 interrupted, 6 missing" in s.status()
    # An array of this cluster holds eight tasks.
    seeds = write(s.folder.parent / "study.ini", s.file.read_text().replace("seeds = 1-2", "seeds = 1-3"))
    assert s.file == seeds and "12 tasks, and an array here holds 8; give --pack 2 or more, or auto" in s.submit(status=2)
    assert re.search("--array=1-[1-8] ", s.submit("--pack", "auto", "--dry-run"))


def test_a_killed_run_is_called_failed_and_the_others_go_on(study, box: Box) -> None:
    s = study(LONG + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--time", "30")
    s.until_running(2)
    run = next(iter(histories(s.folder)))
    box.until(lambda: programs(s.folder, run), "its process")
    for pid in programs(s.folder, run):
        os.kill(pid, signal.SIGKILL)
    box.until(lambda: "1 failed" in s.status(), "the failure")
    killed = "killed by signal 9 (SIGKILL), probably out of memory; give more --mem"
    assert killed in README and killed in s.status() and "1 running" in s.status()
    # How far the other is, from what it writes now and then.
    box.until(lambda: re.search(r"iteration [\d,]+ of 1,000,000 \(\d+ %\), about [\d:]+ left", s.status()), "its progress")
    assert [r["iterations"] for r in json.loads(s.status("--json"))["runs"] if r["state"] == "running"] == [1000000]
    cancelled = s.tool("cancel")
    assert cancelled.returncode == 0 and "1 running and 0 waiting tasks cancelled" in cancelled.stdout
    watched = s.status("--watch", "0.5")  # ends when nothing is left
    assert "1 interrupted, 1 failed" in watched and "cancelled; submit again, and it resumes" in watched


def test_jobs_that_die_before_their_runs_say_why(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "[setup]\necho no such licence >&2; exit 7\n")
    s = study(SMALL + "seeds = 1\n")
    s.submit("--site", site, "--pack", 2, "--retries", 3)
    assert s.wait() == "FAILED"
    said = s.status()
    died = "runs: its job failed before it started: exit status 7: no such licence"
    assert died in README and f"failed      4 {died}" in said, said
    # On every node: then none is bad, and another attempt would end in the same way.
    assert "bad node" not in said and len(list((s.folder / "submissions").iterdir())) == 1
    failing = write(tmp_path / "site", "module = gcc/99\n")
    s.submit("--site", failing, "--pack", 4)
    array, _ = s.jobs()
    box.wait(array)
    assert "set-up: module load gcc/99: exit status 127; the job ends here" in s.status()
    # What waits for a job that has failed waits for ever.
    s.submit("--sbatch", f"--dependency=afterok:{array}")
    waiting, _ = s.jobs()
    box.until(lambda: "DependencyNeverSatisfied" in s.status(), "SLURM's verdict")
    never = f"will never start (DependencyNeverSatisfied): scancel {waiting}, then submit again"
    assert never[:43] in README and never in s.status() and never in s.submit(status=1)
    assert s.tool("cancel").returncode == 0


def test_a_bad_node_is_told_and_not_used_again(study, box: Box, tmp_path: Path) -> None:
    """n2 has no such library. Each task takes a node, so that n2 gets one; it is free again at once, and may get more."""
    site = write(tmp_path / "site", "[setup]\nif [ \"$SLURMD_NODENAME\" = n2 ]; then echo no such library >&2; exit 7; fi\n")
    s = study(SMALL + "seeds = 1\n")
    s.submit("--site", site, "--exclusive", "--retries", 1, "--collect-sbatch=--hold")
    array, collection = s.jobs()
    box.wait(array)
    said = s.status()
    bad = r"bad node +n2: no run began there \(\d tasks? failed\), and elsewhere they did"
    assert re.search(bad, README) and re.search(bad + "; submit with --exclude n2", said), said
    assert re.search(r"failed .*its job failed before it started: exit status 7: no such library", said), said
    again = r"retries +\d runs are submitted again when all tasks have ended: retry 1 of \d"
    assert re.search(again, said) and re.search(again, README), said
    # The collection is given that node, too, and looks for another.
    others = "NodeName=n1,n3,n4"
    box.run("scontrol", "update", others, "State=DRAIN", "Reason=test")
    box.run("scontrol", "release", collection)
    box.until(lambda: "Restarts=1" in box.run("scontrol", "-o", "show", "job", collection).stdout, "its second attempt")
    box.run("scontrol", "update", others, "State=RESUME")
    box.release_now(collection)
    box.wait(collection)
    assert "ExcNodeList=n2" in box.run("scontrol", "-o", "show", "job", collection).stdout
    assert "this was on n2: requeued for another node" in s.log("collect")
    assert re.search(r"retry 1 of 1: \d runs again without n2: array \d+", s.log("collect")), s.log("collect")
    box.run("scontrol", "release", s.jobs()[1])  # which was submitted as the first was
    assert s.wait() == "COMPLETED" and "4 runs: 4 done" in s.status() and "bad node" not in s.status()
    assert "n2" not in {line[4] for lines in histories(s.folder).values() for line in lines}


def test_a_collection_that_failed_or_never_came_is_said(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.environment |= REPORT
    s.submit("--collect-sbatch", "--hold")
    array, collection = s.jobs()
    box.wait(array)
    held = s.tool("status")  # all runs are done, but there is no report of them
    assert held.returncode == 1 and f"job {collection} held (JobHeldUser): scontrol release {collection} starts it" in held.stdout
    box.run("scancel", collection)
    assert re.search(rf"no report: job {collection} cancelled, see .*slurm/collect .* makes it", s.status()), s.status()
    assert "collection" in s.submit("--collect-sbatch", "--export=PATH=/nonexistent")  # as where its node has no Python with h5py
    assert s.wait() == "FAILED"
    done = s.tool("status")
    assert done.returncode == 1 and "1 runs: 1 done" in done.stdout
    assert re.search(r"no report: job \d+ failed, see .*collect\.log .*slurm/collect .* makes it", done.stdout), done.stdout
    assert s.tool("collect").returncode == 0
    assert s.tool("status").returncode == 0
    assert "nothing to submit" in s.submit()


def test_a_slurm_that_does_not_answer_is_unknown_and_at_once(study, box: Box, tmp_path: Path) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--sbatch", "--hold")
    away = write(tmp_path / "slurm.conf", re.sub(r"SlurmctldPort=\d+", "SlurmctldPort=1", box.conf.read_text()))
    s.environment |= {"SLURM_CONF": str(away)}
    done = s.tool("status")
    assert done.returncode == 1 and "1 unknown" in done.stdout and "controller does not answer" in done.stdout
    s.environment = box.environment
    os.kill(box.children["slurmctld"].pid, signal.SIGSTOP)  # it hangs
    try:
        done = s.tool("status")
    finally:
        os.kill(box.children["slurmctld"].pid, signal.SIGCONT)
    assert done.returncode == 1 and "1 unknown" in done.stdout and "controller did not answer within 5 s" in done.stdout
    few = tmp_path / "bin"  # a node on which not everything is installed
    few.mkdir()
    s.environment |= {"PATH": str(few)}
    assert "there is no SLURM here (no scontrol)" in s.status()
    (few / "scontrol").symlink_to(shutil.which("scontrol") or "")
    done = s.tool("status")
    assert "1 unknown" in done.stdout and "squeue: not found" in done.stdout
    s.environment = box.environment
    assert "1 pending" in s.status() and s.tool("cancel").returncode == 0


# The last: begun by the first

def test_a_pack_cut_by_its_time_limit_resumes_and_gives_the_same_bits(box: Box, cut: tuple[Study, int], program: Path) -> None:
    s, pid = cut
    task = f"{s.jobs()[0]}_1"
    box.until(lambda: waiting_signals(pid), "SLURM's warning")
    os.kill(pid, signal.SIGCONT)
    box.until(lambda: "JobState=PENDING" in box.run("scontrol", "-o", "show", "job", task).stdout, "its return into the queue")
    said = s.status()
    assert re.search(r"pending +2 runs: waits \(.*\), cut by its time limit once, then resumes", said), said
    assert "waits (BeginTime), cut by its time limit once, then resumes" in README
    assert "nothing to submit" in s.submit()
    box.run("scontrol", "update", f"JobId={task}", "TimeLimit=8:00:00")  # else what resumes is warned, too, if it lasts
    box.release_now(task)
    assert s.wait() == "COMPLETED"
    first, second = sorted(histories(s.folder).values(), key=lambda lines: -len(lines))
    assert [(line[1], line[2], line[5]) for line in first] == [("start", "-", "0"), ("cut", "75", "0"), ("start", "-", "1"), ("end", "0", "1")]
    assert [(line[1], line[2], line[5]) for line in second] == [("start", "-", "1"), ("end", "0", "1")]
    run = next(name for name, lines in histories(s.folder).items() if len(lines) == 4)
    uncut = s.folder / "uncut.h5.reference"
    subprocess.run([program, "run", "--config", s.folder / "configs" / f"{run}.ini", "--output", uncut, "--quiet"], check=True)
    assert arrays(s.folder / f"{run}.h5") == arrays(uncut)
    with h5py.File(s.folder / f"{run}.h5") as file:
        assert file["environment"].attrs["slurm_restarts"] == "1"
