"""Studies on a real SLURM, from submit to report. No test depends on how fast the machine is."""
from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from box import Box, processes_of
from conftest import SLURM, SMALL, arrays, histories, starts, tool, write

LONG = SMALL.replace("iterations = 20", "iterations = 1000000")  # for ever; only to be cut


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with Box(tmp_path_factory.mktemp("box") / "b") as made:
        yield made


class Study:
    def __init__(self, box: Box, file: Path) -> None:
        self.box, self.file, self.folder = box, file, file.parent / file.stem

    def submit(self, *options: object) -> str:
        done = tool("submit", self.file, "--output", self.folder, *options, environment=self.box.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self, *options: object) -> str:
        done = tool("status", self.folder, *options, environment=self.box.environment)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def jobs(self) -> tuple[str, str]:
        """Of the last submission: array and collection; no array where nothing was missing."""
        last = max((self.folder / "submissions").iterdir(), key=lambda p: int(p.name))
        text = (last / "jobs.txt").read_text()
        array = re.search(r"^array (\d+)", text, re.MULTILINE)
        collection = re.search(r"^collection (\d+)", text, re.MULTILINE)
        assert collection
        return array[1] if array else "", collection[1]

    def wait(self) -> str:
        return self.box.wait(self.jobs()[1])

    def traces(self) -> list[Path]:
        return sorted(self.folder.glob("*.h5"))

    def until_running(self, count: int = 1) -> None:
        self.box.until(lambda: sum("start" in path.read_text() for path in self.folder.glob("history/*.tsv")) >= count, "a run")


@pytest.fixture
def study(box: Box, tmp_path: Path):
    return lambda text, name="study": Study(box, write(tmp_path / f"{name}.ini", text))


def test_head_to_head_from_submit_to_report_and_nothing_runs_twice(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1-3\n")
    assert "12 runs in 12 tasks" in s.submit("--time", "5", "--nodes", "8")
    assert "nothing to submit" in s.submit()  # queued or running, or done
    assert s.wait() == "COMPLETED"
    assert "12 runs: 12 done" in s.status()
    rows = list(csv.DictReader((s.folder / "runs.csv").open()))
    assert len(rows) == 12 and {row["verified"] for row in rows} == {"yes"}
    assert {row["algorithm"] for row in rows} == {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}
    assert (s.folder / "report" / "index.html").stat().st_size > 10_000
    nodes = set()
    for path in s.traces():
        with h5py.File(path) as file:
            facts = file["environment"].attrs
            nodes.add(facts["slurm_node"])
            assert facts["slurm_array_job"] == s.jobs()[0] and 1 <= int(facts["slurm_array_task"]) <= 12
    assert nodes <= {"n1", "n2", "n3", "n4"} and len(nodes) > 1
    times = {path: path.stat().st_mtime_ns for path in s.traces()}
    assert "nothing to submit" in s.submit()
    assert {path: path.stat().st_mtime_ns for path in s.traces()} == times
    assert set(starts(s.folder).values()) == {1}
    assert "version = quantimed" in (s.folder / "submissions" / "1" / "environment.txt").read_text()

    # More seeds come beside what there is, in packs.
    assert "4 runs in 2 tasks" in s.submit("--seeds", "4", "--pack", "2", "--cpus-per-task", "2")
    assert s.wait() == "COMPLETED" and "16 runs: 16 done" in s.status()
    assert set(starts(s.folder).values()) == {1}


def programs(folder: Path, word: str = "") -> list[int]:
    return [pid for pid, (command, _) in processes_of(folder).items() if "quantimed run" in command and word in command]


def waiting_signals(pid: int) -> int:
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd")).split()[1], 16)


def test_a_run_cut_by_its_time_limit_goes_on_and_gives_the_same_bits(study, box: Box, program: Path) -> None:
    s = study(SMALL.replace("iterations = 20", "iterations = 100000") + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--time", "10")
    array, _ = s.jobs()
    s.until_running()
    box.until(lambda: programs(s.folder), "its process")
    pid, = programs(s.folder)
    os.kill(pid, signal.SIGSTOP)  # SLURM looks at time limits twice a minute: the run must not be over by then
    box.run("scontrol", "update", f"JobId={array}_1", "EndTime=now+50seconds")
    box.until(lambda: waiting_signals(pid), "SLURM's warning")
    os.kill(pid, signal.SIGCONT)
    box.release_now(f"{array}_1")
    assert s.wait() == "COMPLETED"
    (run, lines), = histories(s.folder).items()
    assert [(line[1], line[2], line[5]) for line in lines] == [("start", "-", "0"), ("cut", "75", "0"), ("start", "-", "1"), ("end", "0", "1")]
    trace, = s.traces()
    uncut = s.folder / "uncut.h5.reference"
    subprocess.run([program, "run", "--config", s.folder / "configs" / f"{run}.ini", "--output", uncut, "--quiet"], check=True)
    assert arrays(trace) == arrays(uncut)
    with h5py.File(trace) as file:
        assert file["environment"].attrs["slurm_restarts"] == "1"


def test_a_failing_task_does_not_lose_the_others(study, box: Box, tmp_path: Path) -> None:
    data = write(tmp_path / "data.libsvm", "".join(f"{k % 3} 1:{k % 7} 2:{k % 5}\n" for k in range(300)))
    text = SMALL.replace("dataset = digits\n", "") + f"seeds = 1\n[grid]\ndataset = digits | {data}\n"
    s = study(text)
    s.submit("--sbatch=--hold")
    kept = data.rename(tmp_path / "away")
    for job in s.jobs():
        box.run("scontrol", "release", job)
    assert s.wait() == "FAILED"  # as the collection says when runs are missing
    said = s.status()
    assert "8 runs: 4 done, 4 failed" in said and "exit status 2" in said and "data.libsvm" in said
    assert (s.folder / "report" / "index.html").is_file()
    kept.rename(data)
    assert "4 runs in 4 tasks" in s.submit()
    assert s.wait() == "COMPLETED" and "8 runs: 8 done" in s.status()
    assert sorted(starts(s.folder).values()) == [1] * 4 + [2] * 4


def test_scancel_leaves_checkpoints_and_a_study_that_can_be_submitted_again(study, box: Box) -> None:
    s = study(LONG + "seeds = 1-3\n")
    s.submit("--nodes", "2")
    s.until_running(2)
    assert "running" in s.status() and "pending" in s.status()
    array, collection = s.jobs()
    box.run("scancel", array)
    assert box.wait(collection) == "FAILED"
    said = s.status()
    assert "2 interrupted, 10 missing" in said and "submit again" in said and "never started" in said
    assert "12 runs in 12 tasks" in s.submit("--sbatch=--hold")
    array, collection = s.jobs()
    assert "12 pending" in s.status()
    box.run("scancel", array, collection)
    assert "2 interrupted, 10 missing" in s.status()


def test_a_killed_run_is_called_failed_and_the_others_go_on(study, box: Box) -> None:
    s = study(LONG + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--time", "5")
    s.until_running(2)
    run = next(iter(histories(s.folder)))
    box.until(lambda: programs(s.folder, run), "its process")
    for pid in programs(s.folder, run):
        os.kill(pid, signal.SIGKILL)
    box.until(lambda: "1 failed" in s.status(), "the failure")
    assert "exit status 137" in s.status() and "1 running" in s.status()
    box.run("scancel", *s.jobs())


def test_a_damaged_trace_is_set_aside_and_made_again(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--pack", "2")
    assert s.wait() == "COMPLETED"
    bad = s.traces()[0]
    whole = arrays(bad)
    image = bytearray(bad.read_bytes())
    image[len(image) // 2] ^= 1
    bad.write_bytes(image)
    assert "1 done, 1 missing" in s.status() and "damaged" in s.status()
    done = tool("collect", s.folder, environment=box.environment)
    assert done.returncode == 1 and "set aside" in done.stderr and not bad.exists()
    assert "1 runs in 1 tasks" in s.submit()
    assert s.wait() == "COMPLETED" and arrays(bad) == whole


def test_a_site_file_reaches_the_jobs(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "partition = main\ntime = 7\ncollect-sbatch = --time=3\n[setup]\necho \"set # up\"\n")
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--site", site)
    array, collection = s.jobs()
    assert "TimeLimit=00:07:00" in box.run("scontrol", "-o", "show", "job", array).stdout
    assert "TimeLimit=00:03:00" in box.run("scontrol", "-o", "show", "job", collection).stdout
    s.wait()
    assert "set # up" in (s.folder / "submissions" / "1" / "task-1.log").read_text()


def test_what_slurm_refuses_is_said_in_one_line_and_leaves_nothing_queued(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\n")
    for options in (["--partition", "nowhere"], ["--time", "99:00:00"]):
        for mode in ([], ["--test-only"]):
            done = tool("submit", s.file, "--output", s.folder, *options, *mode, environment=box.environment)
            assert done.returncode != 0, options
    assert tool("submit", s.file, "--output", s.folder, "--test-only", environment=box.environment).returncode == 0
    assert "4 runs: 4 missing" in s.status()
    assert "4 runs in 4 tasks" in s.submit("--sbatch=--hold")
    box.run("scancel", *s.jobs())


# The batch scripts by themselves

SCRIPTS = sorted(SLURM.glob("*.sbatch"))
SCRIPT_RUN = ["--dataset", "digits", "--nodes", "2", "--graph", "complete", "--model", "mlp:8", "--iterations", "20",
              "--samples-per-node", "50", "--batch", "10"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_slurm_takes_every_script(box: Box, script: Path) -> None:
    assert "to start at" in box.run("sbatch", "--test-only", script, "somewhere").stderr


def by_hand(box: Box, script: str, *arguments: object, options: tuple[str, ...] = (), wait: bool = True, **variables: str) -> str:
    job = box.run("sbatch", "--parsable", f"--chdir={SLURM.parent}", f"--output={box.folder}/%x-%j.log", *options, SLURM / script,
                  *arguments, QUANTIMED_HOME=str(SLURM.parent), **variables).stdout.strip()
    if wait:
        state = box.wait(job)
        assert state == "COMPLETED", state + "".join(p.read_text() for p in box.folder.glob(f"*-{job}.log"))
    return job


def test_compare_by_hand(box: Box, tmp_path: Path) -> None:
    by_hand(box, "compare.sbatch", tmp_path / "c", *SCRIPT_RUN, SEEDS="1 2", ALGORITHMS="dsgd q-dsgd")
    assert len(list((tmp_path / "c").glob("*.h5"))) == 4 and (tmp_path / "c" / "report" / "index.html").is_file()


def test_a_run_by_hand_is_not_repeated(box: Box, tmp_path: Path) -> None:
    trace = tmp_path / "one.h5"
    by_hand(box, "run.sbatch", trace, *SCRIPT_RUN)
    first = trace.stat().st_mtime_ns
    by_hand(box, "run.sbatch", trace, *SCRIPT_RUN)
    assert trace.stat().st_mtime_ns == first


def test_a_run_by_hand_survives_a_signal(box: Box, tmp_path: Path) -> None:
    trace = tmp_path / "cut.h5"
    options = ["50000" if word == "20" else word for word in SCRIPT_RUN]  # iterations
    job = by_hand(box, "run.sbatch", trace, *options, wait=False)
    box.until(lambda: programs(SLURM.parent, str(trace)), "the run")
    pid, = programs(SLURM.parent, str(trace))
    os.kill(pid, signal.SIGSTOP)
    box.run("scancel", "--batch", "--signal=USR1", job)
    box.until(lambda: waiting_signals(pid), "the signal")
    os.kill(pid, signal.SIGCONT)
    box.release_now(job)
    assert box.wait(job) == "COMPLETED"
    with h5py.File(trace) as file:
        assert file.attrs["status"] == "complete" and file["environment"].attrs["slurm_restarts"] == "1"


def test_tuning_by_hand(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    by_hand(box, "tune.sbatch", folder, *SCRIPT_RUN, "--seeds", "1", "--trials", "2", options=("--array=1,3",))
    assert (folder / "dsgd" / "dsgd.ini").is_file() and (folder / "q-dsgd" / "trials.csv").is_file()


def test_scaling_by_hand(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    by_hand(box, "scale.sbatch", folder, "--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--iterations", "20",
            "--samples-per-node", "50", "--batch", "10", "--algorithms", "dsgd", "--study", "strong", "--repeats", "2",
            options=("--cpus-per-task=2",))
    assert {p.name for p in folder.glob("finished-*")} == {"finished-on-1-cores", "finished-on-2-cores"}
    assert {p.name for p in folder.glob("*.h5")} == {f"strong-dsgd-n{n}-repeat{r}.h5" for n in (1, 2) for r in (1, 2)}
    assert (folder / "report" / "index.html").is_file()


# Cores

def test_a_run_sees_and_uses_only_the_allocated_core(tmp_path: Path) -> None:
    with Box(tmp_path / "b", nodes=1, cpus=2, task_plugin="task/affinity") as bound:
        options = ["--engine", "threads", "--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--samples-per-node",
                   "50", "--batch", "10", "--iterations", "3000"]
        jobs = [by_hand(bound, "run.sbatch", tmp_path / f"{k}.h5", *options, options=("--cpus-per-task=1",), wait=False)
                for k in (1, 2)]
        assert [bound.wait(job) for job in jobs] == ["COMPLETED"] * 2
        cores = []
        for k in (1, 2):
            with h5py.File(tmp_path / f"{k}.h5") as file:
                facts = file["environment"].attrs
                assert facts["affinity"] == facts["node_cores"] and facts["affinity"] in ("0", "1")
                assert file["config"].attrs["nodes"] == 1 and facts["slurm_cpus_per_task"] == "1"
                cores.append(facts["affinity"])
        refused = by_hand(bound, "run.sbatch", tmp_path / "3.h5", *options, "--nodes", "2", options=("--cpus-per-task=1",), wait=False)
        assert bound.wait(refused) == "FAILED"
        assert "only 1 core" in next(bound.folder.glob(f"*-{refused}.log")).read_text()
