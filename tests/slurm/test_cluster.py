"""Studies on a real SLURM, from submit to report. No test depends on how fast the machine is."""
from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from box import Box, processes_of, why_no_cgroups
from conftest import SLURM, SMALL, arrays, histories, starts, tool, write

LONG = SMALL.replace("iterations = 20", "iterations = 1000000")  # for ever; only to be cut


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with Box(tmp_path_factory.mktemp("box") / "b") as made:
        yield made


class Study:
    def __init__(self, box: Box, file: Path) -> None:
        self.box, self.file, self.folder = box, file, file.parent / file.stem

    def submit(self, *options: object, status: int = 0) -> str:
        """A task a run, and no run timed before, unless something else is said."""
        pack = [] if "--pack" in options else ["--pack", 1]
        check = ["--no-check"] if "--check" not in options else []
        options = tuple(word for word in options if word != "--check")
        done = tool("submit", self.file, "--output", self.folder, *pack, *check, *options, environment=self.box.environment)
        assert done.returncode == status, done.stdout + done.stderr
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
    assert "12 runs in 12 tasks" in s.submit("--time", "30", "--parallel", "8")
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
    assert "8 runs: 4 done, 4 failed" in said and "data.libsvm" in said
    assert re.search(r"failed +4 runs: exit status 2: --dataset", said), said  # one line for all that failed in the same way
    failed = s.status("--failed")
    assert failed.count("data.libsvm") >= 4 and str(s.folder / "logs") in failed
    run = next(r for r, lines in histories(s.folder).items() if lines[-1][2] == "2")
    assert "data.libsvm" in s.status("--log", run[:-3]) and "end 2 job" in s.status("--log", run)
    assert (s.folder / "report" / "index.html").is_file()
    kept.rename(data)
    assert "4 runs in 4 tasks" in s.submit()
    assert s.wait() == "COMPLETED" and "8 runs: 8 done" in s.status()
    assert sorted(starts(s.folder).values()) == [1] * 4 + [2] * 4


def test_scancel_leaves_checkpoints_and_a_study_that_can_be_submitted_again(study, box: Box) -> None:
    s = study(LONG + "seeds = 1-3\n")
    s.submit("--parallel", "2")
    s.until_running(2)
    assert "running" in s.status() and "pending" in s.status()
    array, collection = s.jobs()
    box.run("scancel", array)
    assert box.wait(collection) == "FAILED"
    said = s.status()
    assert "2 interrupted, 10 missing" in said and "cancelled; submit again" in said
    assert "missing     10 runs: cancelled before it started; submit again" in said
    assert "12 runs in 12 tasks" in s.submit("--sbatch=--hold")
    array, collection = s.jobs()
    assert "12 pending" in s.status()
    box.run("scancel", array, collection)
    assert "2 interrupted, 10 missing" in s.status()


def test_a_killed_run_is_called_failed_and_the_others_go_on(study, box: Box) -> None:
    s = study(LONG + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--time", "30")
    s.until_running(2)
    run = next(iter(histories(s.folder)))
    box.until(lambda: programs(s.folder, run), "its process")
    for pid in programs(s.folder, run):
        os.kill(pid, signal.SIGKILL)
    box.until(lambda: "1 failed" in s.status(), "the failure")
    assert "killed by signal 9 (SIGKILL), probably out of memory; give more --mem" in s.status() and "1 running" in s.status()
    # How far the other is, from what it writes now and then.
    box.until(lambda: re.search(r"iteration [\d,]+ of 1,000,000 \(\d+ %\), about [\d:]+ left", s.status()), "its progress")
    assert [r["iterations"] for r in json.loads(s.status("--json"))["runs"] if r["state"] == "running"] == [1000000]
    cancelled = tool("cancel", s.folder, environment=box.environment)
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
    done = tool("collect", s.folder, environment=box.environment)
    assert done.returncode == 1 and "set aside" in done.stderr and not bad.exists()
    assert "1 runs in 1 tasks" in s.submit()
    assert s.wait() == "COMPLETED" and arrays(bad) == whole


def test_a_site_file_reaches_the_jobs(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "partition = main\ntime = 17\ncollect-sbatch = --time=20\n[setup]\necho \"set # up\"\n")
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--site", site)
    array, collection = s.jobs()
    assert "TimeLimit=00:17:00" in box.run("scontrol", "-o", "show", "job", array).stdout
    assert "TimeLimit=00:20:00" in box.run("scontrol", "-o", "show", "job", collection).stdout
    s.wait()
    assert "set # up" in (s.folder / "submissions" / "1" / "task-1.log").read_text()


def test_jobs_that_die_before_their_runs_say_why(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "[setup]\necho no such licence >&2; exit 7\n")
    s = study(SMALL + "seeds = 1\n")
    s.submit("--site", site, "--pack", 2)
    s.wait()
    said = s.status()
    assert re.search(r"failed +4 runs: its job failed before it started: exit status 7: no such licence", said), said
    failing = write(tmp_path / "site", "module = gcc/99\n")
    s.submit("--site", failing, "--pack", 4)
    s.wait()
    assert "set-up: module load gcc/99: exit status 127; the job ends here" in s.status()


def test_a_collection_that_failed_is_said(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--collect-sbatch", "--export=PATH=/nonexistent")  # as where its node has no Python with h5py
    assert s.wait() == "FAILED"
    done = tool("status", s.folder, environment=box.environment)
    assert done.returncode == 1 and "1 runs: 1 done" in done.stdout
    assert re.search(r"no report: job \d+ failed, see .*collect\.log .*slurm/collect .* makes it", done.stdout), done.stdout
    assert tool("collect", s.folder, environment=box.environment).returncode == 0
    assert tool("status", s.folder, environment=box.environment).returncode == 0


def test_what_belongs_to_an_earlier_form_of_a_study_is_kept_and_said(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--pack", 2)
    assert s.wait() == "COMPLETED"
    write(s.file, s.file.read_text().replace("iterations = 20", "iterations = 30"))
    assert "not in the plan: 2 traces of other options; kept, and in no table" in s.submit("--sbatch", "--hold")
    held, collection = s.jobs()
    assert f"held (JobHeldUser): scontrol release {held} starts it" in s.submit(status=1)
    write(s.file, s.file.read_text().replace("iterations = 30", "iterations = 25"))
    said = s.submit("--pack", 2, "--sbatch", "--hold")
    assert f"2 runs queued or running (scancel {held} stops them)" in said
    assert tool("cancel", s.folder, environment=box.environment).returncode == 0
    said = s.submit("--pack", 2)
    assert s.wait() == "COMPLETED", s.status()
    assert "2 runs: 2 done" in s.status() and "not in the plan: 2 traces of other options" in s.status()
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


def test_a_study_is_looked_at_before_it_is_submitted(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1-2\nalgorithms = dsgd\n")
    said = s.submit("--check", "--pack", "auto", "--time", "30", "--wait", "--mail", "me@here")
    assert re.search(r"2 runs, about [\d.e-]+ core-hours, in 1 tasks of up to 2 runs and about 0:\d\d of --time 30; a run takes about \d+ MiB", said)
    assert "2 runs: 2 done" in said and "report      " in said  # it waited
    assert "MailUser=me@here MailType=END,FAIL" in " ".join(box.run("scontrol", "-o", "show", "job", s.jobs()[1]).stdout.split())
    few = tool("submit", s.file, "--output", s.folder.parent / "other", "--mem", "10M", environment=box.environment)
    assert few.returncode == 2 and few.stderr.count("\n") == 1, few.stderr
    assert re.search(r"--mem 10M: a run takes about \d+ MiB, with data and libraries; give --mem \d+M", few.stderr)
    write(s.file, s.file.read_text().replace("digits", "nosuch"))
    none = tool("submit", s.file, "--output", s.folder.parent / "other", environment=box.environment)
    assert none.returncode == 2 and "nosuch" in none.stderr and "--no-check" in none.stderr
    assert not (s.folder.parent / "other" / "submissions").exists()


def test_folders_of_any_name_and_an_environment_that_is_not_handed_on(study, box: Box, tmp_path: Path) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.folder = tmp_path / "größe $x; 50% 'a' [1]"
    environment = box.environment | {"SBATCH_EXPORT": "NONE"}
    done = tool("submit", s.file, "--output", s.folder, "--no-check", environment=environment)
    assert done.returncode == 0, done.stderr
    assert s.wait() == "COMPLETED", "".join(p.read_text() for p in s.folder.glob("submissions/1/*.log"))
    assert not list(s.folder.glob("report/*.pdf"))  # QUANTIMED_REPORT_OPTIONS, --no-pdf, came along
    line = done.stdout.splitlines()[-1].removeprefix("how it goes: ")
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=box.environment)
    assert pasted.returncode == 0 and "1 runs: 1 done" in pasted.stdout, pasted.stderr


def test_a_controller_that_does_not_answer_is_unknown_and_at_once(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--sbatch", "--hold")
    away = box.environment | {"SLURM_CONF": str(write(s.folder.parent / "slurm.conf", re.sub(
        r"SlurmctldPort=\d+", "SlurmctldPort=1", box.conf.read_text())))}
    done = tool("status", s.folder, environment=away)
    assert done.returncode == 1 and "1 unknown" in done.stdout and "controller does not answer" in done.stdout
    box.run("scancel", *s.jobs())


def test_what_slurm_refuses_is_said_in_one_line_and_leaves_nothing_queued(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\n")
    for options in (["--partition", "nowhere"], ["--time", "99:00:00"]):
        for mode in ([], ["--test-only"]):
            done = tool("submit", s.file, "--output", s.folder, *options, *mode, environment=box.environment)
            assert done.returncode != 0, options
    assert tool("submit", s.file, "--output", s.folder, "--test-only", environment=box.environment).returncode == 0
    assert "4 runs: 4 missing" in s.status()
    done = tool("submit", s.file, "--output", s.folder, "--pack", 1, "--no-check", "--sbatch=--hold",
                "--collect-sbatch=--partition=nowhere", environment=box.environment)
    assert done.returncode != 0 and "was cancelled: nothing is left in the queue" in done.stderr, done.stderr
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


@pytest.mark.parametrize("name", ["run.sbatch"])
def test_a_script_is_submitted_from_any_folder(box: Box, tmp_path: Path, name: str) -> None:
    trace = tmp_path / "any.h5"
    job = box.run("sbatch", "--parsable", f"--chdir={tmp_path}", f"--output={tmp_path}/log", SLURM / name, trace, *SCRIPT_RUN,
                  SBATCH_EXPORT="NONE", QUANTIMED_PROGRAM="").stdout.strip()
    state = box.wait(job)
    said = (tmp_path / "log").read_text()
    # The program is the clone's own here, which the tests need not have built.
    assert state == "COMPLETED" or "build/quantimed does not start on" in said, said


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
            options=("--cpus-per-task=2",))
    assert {p.name for p in folder.glob("finished-*")} == {"finished-on-1-cores", "finished-on-2-cores"}
    assert {p.name for p in folder.glob("*.h5")} == {f"strong-dsgd-n{n}-repeat{r}.h5" for n in (1, 2) for r in (1, 2)}
    assert (folder / "report" / "index.html").is_file()


# Control groups: jobs that have no more than they were given

@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if why := why_no_cgroups():
        pytest.skip(why)
    with Box(tmp_path_factory.mktemp("tight") / "b", nodes=1, cpus=2, cgroups=True) as made:
        yield made


def test_a_run_that_is_out_of_memory_is_told_and_goes_on_with_more(tight: Box, tmp_path: Path) -> None:
    big = SMALL.replace("nodes = 4", "nodes = 6").replace("mlp:8", "mlp:300") + "seeds = 1\nalgorithms = dsgd\n"
    s = Study(tight, write(tmp_path / "study.ini", big))
    s.submit("--mem", "40M", "--collect-sbatch", "--mem=500M")
    s.wait()
    said = s.status()
    assert "1 failed" in said and "killed by signal 9 (SIGKILL): out of memory; give more --mem" in said, said
    assert "retry" not in (s.folder / "submissions" / "1" / "collect.log").read_text()  # nobody asked for it
    s.submit("--mem", "40M", "--collect-sbatch", "--mem=500M", "--retries", 3, "--wait", status=0)
    assert "1 runs: 1 done" in s.status()
    assert re.search(r"retry 1 of 3: 1 runs again with --mem 80M: array \d+", (s.folder / "submissions" / "2" / "collect.log").read_text())


def test_a_job_in_a_control_group_uses_the_cores_that_it_was_given(tight: Box, tmp_path: Path) -> None:
    s = Study(tight, write(tmp_path / "study.ini", SMALL + "seeds = 1\nalgorithms = dsgd\n"))
    s.submit("--sbatch", "--export=ALL,OMP_PROC_BIND=close,OMP_PLACES=cores")
    assert s.wait() == "COMPLETED", s.status()
    with h5py.File(s.traces()[0]) as file:
        assert file["environment"].attrs["affinity"] in ("0", "1")
    assert "may use" not in "".join(path.read_text() for path in s.folder.glob("submissions/1/*.log"))


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
