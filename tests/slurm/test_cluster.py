"""Studies on a real SLURM, from submit to report. No test depends on how fast the machine is."""
from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from box import Box, processes_of, why_no_cgroups
from conftest import ROOT, SLURM, SMALL, arrays, histories, starts, tool, write

LONG = SMALL.replace("iterations = 20", "iterations = 1000000")  # for ever; only to be cut
REPORT = {"QUANTIMED_REPORT_OPTIONS": "--no-pdf"}  # seconds of Matplotlib: only where a test looks at it
README = (SLURM / "README.md").read_text()


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with tempfile.TemporaryDirectory(prefix="quantimed-box-") as name:
        Path(name).chmod(0o755)  # for other users of the cluster
        with Box(Path(name) / "b") as made:
            yield made


class Study:
    def __init__(self, box: Box, file: Path) -> None:
        self.box, self.file, self.folder, self.environment = box, file, file.parent / file.stem, box.environment

    def tool(self, name: str, *options: object) -> subprocess.CompletedProcess[str]:
        return tool(name, self.folder, *options, environment=self.environment)

    def submit(self, *options: object, status: int = 0) -> str:
        """A task a run, and no run timed before, unless something else is said."""
        pack = [] if "--pack" in options else ["--pack", 1]
        check = ["--no-check"] if "--check" not in options else []
        options = tuple(word for word in options if word != "--check")
        done = tool("submit", self.file, "--output", self.folder, *pack, *check, *options, environment=self.environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, *options: object) -> str:
        done = self.tool("status", *options)
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

    def log(self, name: str, number: int = 1) -> str:
        return (self.folder / "submissions" / str(number) / f"{name}.log").read_text()

    def traces(self) -> list[Path]:
        return sorted(self.folder.glob("*.h5"))

    def until_running(self, count: int = 1) -> None:
        self.box.until(lambda: sum("start" in path.read_text() for path in self.folder.glob("history/*.tsv")) >= count, "a run")


@pytest.fixture
def study(box: Box, tmp_path: Path):
    return lambda text, name="study": Study(box, write(tmp_path / f"{name}.ini", text))


def cores_in(text: str) -> int:
    """Of a list as 0-3,8."""
    ranges = (part.partition("-") for part in text.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def programs(folder: Path, word: str = "") -> list[int]:
    return [pid for pid, (command, _) in processes_of(folder).items() if "quantimed run" in command and word in command]


def waiting_signals(pid: int) -> int:
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd")).split()[1], 16)


@pytest.fixture(scope="module")
def cut(box: Box, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, int]:
    """Begins with the first test and is looked at by the last: SLURM looks at time limits twice a minute. A pack of two
    runs; the process of the first stands still, so that it is not over when SLURM's warning comes, an hour before the end."""
    text = SMALL.replace("iterations = 20", "iterations = 20000") + "seeds = 1\nalgorithms = dsgd, q-dsgd\n"
    s = Study(box, write(tmp_path_factory.mktemp("cut") / "study.ini", text))
    s.submit("--time", "8:00:00", "--sbatch", "--signal=B:USR1@3600", "--pack", 2)
    s.box.until(lambda: programs(s.folder), "its process")
    pid, = programs(s.folder)
    os.kill(pid, signal.SIGSTOP)
    box.run("scontrol", "update", f"JobId={s.jobs()[0]}_1", "EndTime=now+3500seconds")
    return s, pid


def test_head_to_head_from_submit_to_report_and_nothing_runs_twice(study, box: Box, cut: tuple[Study, int]) -> None:
    s = study(SMALL + "seeds = 1\n")
    s.environment |= REPORT
    assert "4 runs in 4 tasks" in s.submit("--time", "30", "--parallel", "8")
    assert "nothing to submit" in s.submit()  # queued or running, or done
    assert s.wait() == "COMPLETED"
    assert "4 runs: 4 done" in s.status()
    rows = list(csv.DictReader((s.folder / "runs.csv").open()))
    assert len(rows) == 4 and {row["verified"] for row in rows} == {"yes"}
    assert {row["algorithm"] for row in rows} == {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}
    assert (s.folder / "report" / "index.html").stat().st_size > 10_000
    for path in s.traces():
        with h5py.File(path) as file:
            facts = file["environment"].attrs
            assert facts["slurm_node"] in ("n1", "n2", "n3", "n4")
            assert facts["slurm_array_job"] == s.jobs()[0] and 1 <= int(facts["slurm_array_task"]) <= 4
    times = {path: path.stat().st_mtime_ns for path in s.traces()}
    assert "nothing to submit" in s.submit()
    assert {path: path.stat().st_mtime_ns for path in s.traces()} == times
    assert set(starts(s.folder).values()) == {1}
    assert "version = quantimed" in (s.folder / "submissions" / "1" / "environment.txt").read_text()

    # More seeds come beside what there is, in packs.
    s.environment |= {"QUANTIMED_REPORT_OPTIONS": "none"}
    assert "4 runs in 2 tasks" in s.submit("--seeds", "2", "--pack", "2", "--cpus-per-task", "2")
    assert s.wait() == "COMPLETED" and "8 runs: 8 done" in s.status()
    assert set(starts(s.folder).values()) == {1}


def test_the_readme_is_true(box: Box, tmp_path: Path) -> None:
    blocks = [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)]
    assert len(blocks) >= 5 and README.count("```") == 2 * len(blocks)
    for block in blocks:
        assert subprocess.run(["bash", "-n"], input=block, text=True).returncode == 0, block
    for name, rest in re.findall(r"slurm/(submit|status|collect|cancel)\b([^`|\n]*)", README):
        for option in re.findall(r"--[a-z][a-z-]*", rest):
            assert option in tool(name, "--help").stdout, (name, option)
    # From the site file to the report, as it is written there.
    for name in ("slurm", "bench"):
        (tmp_path / name).symlink_to(ROOT / name)
    steps = "set -ex\n" + "".join(block for block in blocks if "site.example" in block or "small.ini" in block)
    done = subprocess.run(["bash", "-c", steps], cwd=tmp_path, env=box.environment | REPORT | {"HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"4 runs, about [\d.e-]+ core-hours, in 1 tasks of up to 4 runs and about \d+:\d\d of --time 1:00:00; a run takes about "
                     r"\d+ MiB \(from 1 s each of 4 of the 4 kinds of run on this machine\)", done.stdout), done.stdout
    assert done.stdout.count("4 runs: 4 done") == 2 and "report      " in done.stdout  # it waited
    assert (tmp_path / "runs" / "small" / "report" / "index.html").is_file()


def test_a_failing_task_does_not_lose_the_others(study, box: Box, tmp_path: Path) -> None:
    data = write(tmp_path / "data.libsvm", "".join(f"{k % 3} 1:{k % 7} 2:{k % 5}\n" for k in range(300)))
    s = study(SMALL.replace("dataset = digits\n", "") + f"seeds = 1\nalgorithms = dsgd, q-dsgd\n[grid]\ndataset = digits | {data}\n")
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
    assert s.wait() == "COMPLETED" and "4 runs: 4 done" in s.status()
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
    done = s.tool("collect")
    assert done.returncode == 1 and "set aside" in done.stderr and not bad.exists()
    assert "1 runs in 1 tasks" in s.submit()
    assert s.wait() == "COMPLETED" and arrays(bad) == whole


def test_a_site_file_reaches_the_jobs(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "partition = main\ntime = 17\ncollect-sbatch = --time=20\nexclude = n1,n3\n[setup]\necho \"set # up\"\n")
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--site", site)
    array, collection = s.jobs()
    told = box.run("scontrol", "-o", "show", "job", array).stdout
    assert "TimeLimit=00:17:00" in told and "ExcNodeList=n[1,3]" in told
    assert "TimeLimit=00:20:00" in box.run("scontrol", "-o", "show", "job", collection).stdout
    s.wait()
    assert "set # up" in s.log("task-1")


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


def test_what_belongs_to_an_earlier_form_of_a_study_is_kept_and_said(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--pack", 2)
    assert s.wait() == "COMPLETED"
    s.environment |= REPORT
    write(s.file, s.file.read_text().replace("iterations = 20", "iterations = 30"))
    assert "not in the plan: 2 traces of other options; kept, and in no table" in s.submit("--sbatch", "--hold")
    held, collection = s.jobs()
    assert f"held (JobHeldUser): scontrol release {held} starts it" in s.submit(status=1)
    write(s.file, s.file.read_text().replace("iterations = 30", "iterations = 25"))
    said = s.submit("--pack", 2, "--sbatch", "--hold")
    assert f"2 runs queued or running (scancel {held} stops them)" in said
    assert s.tool("cancel").returncode == 0
    said = s.submit("--pack", 2)
    assert s.wait() == "COMPLETED", s.status()
    said = s.status()
    assert "2 runs: 2 done" in said and "not in the plan: 2 traces of other options" in said
    assert re.search(r"jobs +2 tasks on n\d.*core-hours worked of .*; the largest run had \d+ MiB", said), said
    rows = list(csv.DictReader((s.folder / "runs.csv").open()))
    reported = list(csv.DictReader((s.folder / "report" / "runs.csv").open()))
    assert {row["file"] for row in rows} == {Path(row["file"]).name for row in reported}  # the same set
    for name in ("test_accuracy", "bytes_sent", "dataset", "engine", "nodes", "seed", "status", "verdict", "commit", "created"):
        assert sorted(row[name] for row in rows) == sorted(row[name] for row in reported), name  # by the same names
    assert {row["job"] for row in rows} == {f"{s.jobs()[0]}_1"} and {row["restarts"] for row in rows} == {"0"}
    curves = list(csv.DictReader((s.folder / "curves.csv").open()))
    assert {row["file"] for row in curves} == {row["file"] for row in rows}
    with h5py.File(s.folder / rows[0]["file"]) as file:
        assert [float(row["loss"]) for row in curves if row["file"] == rows[0]["file"]] == list(file["progress/loss"][:])
    jobs = list(csv.DictReader((s.folder / "jobs.csv").open()))
    assert jobs[-1]["ended"] == "end" and jobs[-1]["exit_status"] == "0" and jobs[-1]["host"].startswith("n")
    assert float(jobs[-1]["largest_run_mib"]) == pytest.approx(max(float(row["peak_memory_bytes"]) for row in rows) / 2**20, abs=0.1)


def test_a_study_is_looked_at_before_it_is_submitted(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1-2\nalgorithms = dsgd\n")
    said = s.submit("--check", "--pack", "auto", "--time", "30", "--mail", "me@here", "--sbatch=--hold")
    assert re.search(r"2 runs, about [\d.e-]+ core-hours, in 1 tasks of up to 2 runs and about 0:\d\d of --time 30; a run takes about \d+ MiB", said)
    assert "MailUser=me@here MailType=END,FAIL" in " ".join(box.run("scontrol", "-o", "show", "job", s.jobs()[1]).stdout.split())
    other = s.folder.parent / "other"
    few = tool("submit", s.file, "--output", other, "--mem", "10M", environment=box.environment)
    assert few.returncode == 2 and few.stderr.count("\n") == 1, few.stderr
    assert re.search(r"--mem 10M: a run.* takes about \d+ MiB, with data and libraries; give --mem \d+M", few.stderr)
    short = tool("submit", s.file, "--output", other, "--time", "1", environment=box.environment)
    assert short.returncode == 2 and "--time 1: a task is told to stop 60 s before its limit" in short.stderr
    write(s.file, s.file.read_text().replace("digits", "nosuch"))
    none = tool("submit", s.file, "--output", other, environment=box.environment)
    assert none.returncode == 2 and "nosuch" in none.stderr and "--no-check" in none.stderr
    assert not (other / "submissions").exists() and s.tool("cancel").returncode == 0


def test_folders_of_any_name_and_an_environment_that_is_not_handed_on(study, box: Box, tmp_path: Path) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.folder = tmp_path / "größe $x; 50% 'a' [1]"
    s.environment |= {"SBATCH_EXPORT": "NONE"}
    said = s.submit()
    assert s.wait() == "COMPLETED", "".join(p.read_text() for p in s.folder.glob("submissions/1/*.log"))
    assert not (s.folder / "report").exists()  # QUANTIMED_REPORT_OPTIONS=none came along
    line = said.splitlines()[-1].removeprefix("how it goes: ")
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=box.environment)
    assert pasted.returncode == 0 and "1 runs: 1 done" in pasted.stdout, pasted.stderr
    # A name that looks like an option.
    dashed = tool("submit", s.file, "--output", "./-dash", "--no-check", "--sbatch=--hold", environment=s.environment, cwd=tmp_path)
    line = dashed.stdout.splitlines()[-1].removeprefix("how it goes: ")
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=box.environment, cwd=tmp_path)
    assert pasted.returncode == 1 and "1 runs: 1 pending" in pasted.stdout, pasted.stderr
    assert tool("cancel", tmp_path / "-dash", environment=box.environment).returncode == 0


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


def test_a_colleague_sees_how_it_stands(box: Box) -> None:
    with tempfile.TemporaryDirectory(prefix="quantimed-shared-") as name:
        here = Path(name).resolve()
        here.chmod(0o755)
        s = Study(box, write(here / "study.ini", SMALL + "seeds = 1\nalgorithms = dsgd\n"))
        s.submit("--sbatch", "--hold")
        done = tool("status", s.folder, environment=box.environment, user=65534)
        assert "1 runs: 1 pending" in done.stdout, done.stdout + done.stderr
        box.run("scancel", *s.jobs())


def test_what_slurm_refuses_is_said_in_one_line_and_leaves_nothing_queued(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    for options in (["--partition", "nowhere"], ["--time", "99:00:00"]):
        for mode in ([], ["--test-only"]):
            s.submit(*options, *mode, status=2 if not mode else 1)
    s.submit("--test-only")
    assert "1 runs: 1 missing" in s.status()
    said = s.submit("--sbatch=--hold", "--collect-sbatch=--partition=nowhere", status=2)
    assert "was cancelled: nothing is left in the queue" in said, said
    assert "1 runs: 1 missing" in s.status()
    assert "1 runs in 1 tasks" in s.submit("--sbatch=--hold")
    box.run("scancel", *s.jobs())


def test_a_full_disk_is_named(study, box: Box, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        s = study(SMALL + "seeds = 1\n")
        s.folder = disk / "f"
        said = s.submit(status=2)
        assert str(s.folder) in said and "No space left on device; nothing was submitted" in said and said.count("\n") == 1
    finally:
        subprocess.run(["umount", disk], check=True)


# The batch scripts by themselves

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


def test_a_run_that_is_out_of_memory_is_told_and_goes_on_with_more(tight: Box, tmp_path: Path) -> None:
    if why := why_no_cgroups():
        pytest.skip(why)
    big = SMALL.replace("nodes = 4", "nodes = 6").replace("mlp:8", "mlp:300") + "seeds = 1\nalgorithms = dsgd\n"
    s = Study(tight, write(tmp_path / "study.ini", big))
    s.submit("--mem", "40M", "--collect-sbatch", "--mem=500M")
    s.wait()
    said = s.status()
    # Refused by the program's own account, or killed by the control group, whichever comes first.
    assert "1 failed" in said and re.search(r"killed by signal 9 \(SIGKILL\): out of memory; give more --mem|give the job more --mem", said), said
    assert "retry" not in s.log("collect")  # nobody asked for it
    s.submit("--mem", "40M", "--collect-sbatch", "--mem=500M", "--retries", 3, "--wait", status=0)
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
