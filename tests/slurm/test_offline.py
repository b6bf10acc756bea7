# SPDX-License-Identifier: BSD-3-Clause
"""What needs no cluster: the scripts' text, the site file, folders that move and merge, file systems without locks."""
from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from conftest import DATA, DIGITS, ROOT, SLURM, SMALL, arrays, tool, write

from cluster import collect, nodes, queue, scaling
from cluster import estimate as estimate_module
from cluster.estimate import Estimate, check_memory, deal, from_pilots, kind_of, mib_of, pilots, seconds_of_limit, tasks_for
from cluster.folder import Folder
from cluster.queue import Task
from cluster.site import SBATCH, read_site
from cluster.standing import Queue, Standing, standings
from cluster.tables import figures
from studies import runner
from studies.runner import Job
from studies.study_file import Run, StudyError

SCRIPTS = sorted([*SLURM.glob("*.sbatch"), *SLURM.glob("*.sh"), *Path(__file__).parent.glob("*.sh")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_sound(script: Path) -> None:
    shell = "sh" if script.read_text().startswith("#!/bin/sh") else "bash"
    assert subprocess.run([shell, "-n", script]).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck (apt-get install shellcheck)")
    done = subprocess.run(["shellcheck", "-x", "-P", ROOT, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", sorted(SLURM.glob("*.sbatch")), ids=lambda p: p.name)
def test_directives_come_before_the_first_command(script: Path) -> None:
    """SLURM silently ignores those that come later."""
    lines = script.read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line and not line.startswith("#"))
    assert any(line.startswith("#SBATCH") for line in lines[:first])
    assert not any(line.startswith("#SBATCH") for line in lines[first:])


# The batch scripts without SLURM: what there is already is never taken for something else, and never thrown away

OPTIONS = ["--dataset", str(DATA), "--nodes", "4", "--graph", "ring", "--model", "mlp:8", "--samples-per-node", "20", "--batch", "10",
           "--algorithm", "dsgd"]
DIGITS_OPTIONS = ["digits" if word == str(DATA) else word for word in OPTIONS]  # slow enough to be cut


def script(name: str, *arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "QUANTIMED_HOME", "SEEDS", "ALGORITHMS"))}
    return subprocess.run(["bash", str(SLURM / name), *map(str, arguments)], capture_output=True, text=True, timeout=1200, cwd=cwd,
                          env=clean | {"QUANTIMED_REPORT_OPTIONS": "none"} | variables)


def iterations(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file["config"].attrs["iterations"])


def cut(program: Path, trace: Path, *options: str) -> None:
    """A run of many iterations that is stopped."""
    child = subprocess.Popen([program, "run", *DIGITS_OPTIONS, *options, "--output", trace, "--quiet"])
    end = time.monotonic() + 120
    while not trace.with_name(trace.name + ".lock").exists() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    child.send_signal(signal.SIGUSR1)
    assert child.wait(timeout=1200) == 75


def test_a_run_by_hand_refuses_the_trace_of_other_options_and_keeps_it(tmp_path: Path) -> None:
    trace = tmp_path / "a.h5"
    assert script("run.sbatch", trace, *OPTIONS, "--iterations", "30").returncode == 0
    before = trace.read_bytes()
    again = script("run.sbatch", trace, *OPTIONS, "--iterations", "30")
    assert again.returncode == 0 and "complete already, with these options" in again.stderr
    refused = script("run.sbatch", trace, *OPTIONS, "--iterations", "60")
    assert refused.returncode == 2 and trace.read_bytes() == before
    assert "is of a run with iterations = 30, and 60 is asked for" in refused.stderr


def test_a_run_by_hand_keeps_the_checkpoint_of_other_options_and_resumes_its_own(tmp_path: Path, program: Path) -> None:
    trace = tmp_path / "i.h5"
    cut(program, trace, "--iterations", "40000")
    for left in (trace, tmp_path / "i.h5.partial"):
        if left != trace:  # as a killed run leaves it
            trace.rename(left)
        before = left.read_bytes()
        refused = script("run.sbatch", trace, *DIGITS_OPTIONS, "--iterations", "400")
        assert refused.returncode == 2 and "is of a run with iterations = 40000, and 400 is asked for" in refused.stderr
        assert left.read_bytes() == before
    done = script("run.sbatch", trace, *DIGITS_OPTIONS, "--iterations", "40000")
    assert done.returncode == 0, done.stderr
    with h5py.File(trace) as file:
        assert file.attrs["status"] == "complete" and file["summary"].attrs["resumptions"] == 1


def test_what_cannot_be_resumed_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    trace = tmp_path / "a.h5"
    assert script("run.sbatch", trace, *OPTIONS, "--iterations", "20").returncode == 0
    whole = trace.read_bytes()
    flipped = whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1:]
    for number, left in enumerate((whole[:10000], whole[:1000], whole[:100], whole[:4], b"", flipped), 1):
        trace.write_bytes(left)
        done = script("run.sbatch", trace, *OPTIONS, "--iterations", "20")
        aside = "a.h5.damaged" if number == 1 else f"a.h5.damaged-{number}"
        assert done.returncode == 0 and f"set aside as {aside};" in done.stderr, done.stderr
        assert (tmp_path / aside).read_bytes() == left and iterations(trace) == 20


def some_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = [1.0, 2.0]


@pytest.mark.parametrize("name, make, why", [
    ("data.txt", lambda path: shutil.copy(DATA, path), "is not a trace that quantimed wrote"),
    ("d.h5", lambda path: shutil.copy(DATA, path), "is not a trace that quantimed wrote"),
    ("notes.h5.partial", lambda path: path.write_text("notes"), "is not a trace that quantimed wrote"),
    ("notes.txt", lambda path: path.touch(), "is not a trace that quantimed wrote"),
    ("other.h5", some_hdf5, "is not a trace that quantimed wrote"),
    ("folder.h5", lambda path: path.mkdir(), "is not a plain file")])
def test_what_quantimed_did_not_write_is_refused_and_stays(tmp_path: Path, name: str, make: Callable[[Path], object], why: str) -> None:
    left = tmp_path / name
    make(left)
    before = left.read_bytes() if left.is_file() else None
    done = script("run.sbatch", tmp_path / name.removesuffix(".partial"), *OPTIONS, "--iterations", "20")
    assert done.returncode == 2, done.stderr
    assert done.stderr == f"run.sbatch: --output {left}: {why}, and is not replaced; name another file\n"
    assert list(tmp_path.iterdir()) == [left] and (left.is_dir() if before is None else left.read_bytes() == before)


def test_a_plan_that_names_somebodys_file_moves_it_nowhere(tmp_path: Path) -> None:
    notes = write(tmp_path / "notes.h5", "notes")
    moved = collect.set_damaged_aside([Standing(replace(a_job(10), path=notes), "missing")], set())
    assert moved == [] and notes.read_text() == "notes"
    ours = write(tmp_path / "dsgd-seed1-0123456789ab.h5", "torn")  # a name that nobody else gives
    moved = collect.set_damaged_aside([Standing(replace(a_job(10), path=ours), "missing")], set())
    assert moved == [tmp_path / f"{ours.name}.damaged"] and not ours.exists()


def test_without_h5py_only_what_the_program_itself_resumes_is_touched(tmp_path: Path, program: Path) -> None:
    trace = tmp_path / "a.h5"
    (tmp_path / "home" / "slurm").mkdir(parents=True)
    for file in ("surviving.sh", "run.sbatch"):
        shutil.copy(SLURM / file, tmp_path / "home" / "slurm")
    write(tmp_path / "home" / "slurm" / "earlier", "#!/bin/sh\nexit 4\n").chmod(0o755)  # as it ends without h5py
    (tmp_path / "home" / "build").mkdir()
    cut(program, trace, "--iterations", "20000")
    done = subprocess.run(["bash", tmp_path / "home" / "slurm" / "run.sbatch", trace, *DIGITS_OPTIONS, "--iterations", "20000"],
                          env=os.environ | {"QUANTIMED_PROGRAM": str(program)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trace.write_bytes(b"not a trace")
    done = subprocess.run(["bash", tmp_path / "home" / "slurm" / "run.sbatch", trace, *DIGITS_OPTIONS, "--iterations", "20000"],
                          env=os.environ | {"QUANTIMED_PROGRAM": str(program)}, capture_output=True, text=True)
    assert done.returncode == 2 and trace.read_bytes() == b"not a trace"


@pytest.mark.parametrize("name, option, fix", [
    ("compare.sbatch", "--seed", "use --seeds"), ("compare.sbatch", "--algorithm", "use --algorithms"),
    *((name, option, "leave it out") for name in ("run.sbatch", "tune.sbatch", "scale.sbatch", "compare.sbatch")
      for option in ("--output", "--resume", "--quiet"))])
def test_an_option_that_the_script_itself_gives_is_refused_by_the_script(tmp_path: Path, name: str, option: str, fix: str) -> None:
    for words in ((option, "1"), (f"{option}=1",)):
        refused = script(name, tmp_path / "new", "--iterations", "20", *words)
        assert refused.returncode == 2 and refused.stderr.startswith(f"{name}: {option}: "), refused.stderr
        assert fix in refused.stderr and refused.stderr.count("\n") == 1 and not (tmp_path / "new").exists()


def test_over_machines_the_script_itself_gives_the_engine(tmp_path: Path) -> None:
    refused = script("scale.sbatch", tmp_path / "new", "--engine", "threads", SLURM_JOB_NUM_NODES="2")
    assert refused.returncode == 2 and refused.stderr == "scale.sbatch: --engine: over machines it is mpi; leave it out\n"


BY_HAND = {"run.sbatch": "TRACE.h5", "tune.sbatch": "FOLDER", "scale.sbatch": "FOLDER", "compare.sbatch": "FOLDER"}


@pytest.mark.parametrize("name", BY_HAND)
def test_without_a_name_a_script_says_how_it_is_called(tmp_path: Path, name: str) -> None:
    for arguments in ((), ("",), ("--dataset", "digits")):
        done = script(name, *arguments, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr == f"usage: sbatch slurm/{name} {BY_HAND[name]} OPTIONS\n" and not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BY_HAND)
def test_a_file_where_a_folder_is_to_be_is_named_and_stays(tmp_path: Path, name: str) -> None:
    write(tmp_path / "notes", "notes")
    (tmp_path / "nowhere").symlink_to("gone")
    for place in ("notes", "nowhere"):
        for folder in (place, f"{place}/a/b", tmp_path / place):
            options = OPTIONS[:-2] if name == "compare.sbatch" else OPTIONS  # it has --algorithms
            done = script(name, f"{folder}/a.h5" if name == "run.sbatch" else folder, *options, cwd=tmp_path)
            file = tmp_path / place if folder == tmp_path / place else place
            assert done.returncode == 2, done.stderr
            assert done.stderr == f"{folder}: cannot be made a folder, since {file} is none; name another folder, or move that away\n"
    assert (tmp_path / "notes").read_text() == "notes" and len(list(tmp_path.iterdir())) == 2


def test_compare_takes_seeds_and_refuses_a_folder_of_other_options(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    options = [*OPTIONS[:-2], "--algorithms", "dsgd,q-dsgd"]
    done = script("compare.sbatch", folder, *options, "--seeds", "1-2", "--iterations", "20")
    assert done.returncode == 0, done.stderr
    names = {f"{a}-seed{k}.h5" for a in ("dsgd", "q-dsgd") for k in (1, 2)}
    assert {path.name for path in folder.glob("*.h5")} == names
    for seeds in ("--seeds=1-2", "--seeds=3"):  # a further seed would mix both
        refused = script("compare.sbatch", folder, *options, seeds, "--iterations", "60")
        assert refused.returncode == 2 and "is of a run with iterations = 20, and 60 is asked for" in refused.stderr
    assert {iterations(path) for path in folder.glob("*.h5")} == {20} and {path.name for path in folder.glob("*.h5")} == names
    more = script("compare.sbatch", folder, *OPTIONS[:-2], "--iterations", "20", SEEDS="3", ALGORITHMS="dsgd")
    assert more.returncode == 0 and (folder / "dsgd-seed3.h5").is_file()


@pytest.mark.parametrize("name, options", [("compare.sbatch", ["--seeds", "1-2"]), ("scale.sbatch", ["--cores", "1,2"])])
def test_a_bad_option_stops_a_script_at_its_first_error(tmp_path: Path, name: str, options: list[str]) -> None:
    done = script(name, tmp_path / "f", *options, "--bacth", "3")
    assert done.returncode == 2 and done.stderr.count("--bacth") == 1, done.stderr
    if name == "compare.sbatch":
        assert script(name, tmp_path / "f", "--seeds", "3-x").stderr == "--seeds 3-x: '3-x' is not a number or a range like 1-3\n"


def test_scaling_joins_its_steps_into_one_table_and_refuses_other_options(tmp_path: Path) -> None:
    options = ["--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--iterations", "20", "--samples-per-node", "50",
               "--batch", "10", "--algorithms", "dsgd", "--study", "strong", "--repeats", "2"]
    folder = tmp_path / "s"
    done = script("scale.sbatch", folder, *options, "--cores", "1,2", "--oversubscribe")
    assert done.returncode == 0, done.stderr
    assert "on 2 cores: measured in" in done.stdout and "give more --cores" not in done.stdout
    table = (folder / "table.md").read_text()
    assert table in done.stdout and "efficiency" in table
    assert [line.split("|")[2].strip() for line in table.splitlines() if line.startswith("| dsgd")] == ["1", "2"]
    stood = {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    assert script("scale.sbatch", folder, *options, "--cores", "1,2", "--oversubscribe").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")} == stood
    refused = script("scale.sbatch", folder, *options, "--cores", "1,2", "--oversubscribe", "--seed", "2")
    assert refused.returncode == 2 and "Give another folder" in refused.stderr


def test_the_scaling_table_has_the_figures_of_its_traces(tmp_path: Path) -> None:
    def point(cores: int, repeat: int, samples: float, verdict: str = "VALID") -> scaling.Point:
        return scaling.Point("strong", "dsgd", cores, repeat, verdict, samples, samples / 10, 0.25)
    one, two, four = scaling.rows([point(1, 1, 100.0), point(1, 2, 200.0), point(2, 1, 180.0), point(2, 2, 300.0),
                                   point(4, 1, 300.0), point(4, 2, 9.0, "INVALID: busy: x")], "strong", "dsgd")
    assert one[4:6] == ["1 [1–1]", "100 [100–100] %"]
    assert two[3:] == ["240 [180–300]", "1.65 [1.5–1.8]", "82.5 [75–90] %", "25.0 %", "VALID"]
    assert four[4:6] == ["3 [3–3]", "75 [75–75] %"] and four[7] == "1 of 2 VALID; INVALID"


@pytest.mark.parametrize("text, names", [("module load gcc/99\n", "module load gcc/99: exit status 127"),
                                         ("true\nls /nonexistent-folder\ntrue\n", "ls /nonexistent-folder: exit status 2")])
def test_a_set_up_that_fails_stops_the_job_with_its_line(tmp_path: Path, text: str, names: str) -> None:
    setup = write(tmp_path / "setup.sh", text)
    done = script("run.sbatch", tmp_path / "a.h5", *OPTIONS, "--iterations", "20", QUANTIMED_SETUP=str(setup))
    assert done.returncode == 2 and names in done.stderr and not (tmp_path / "a.h5").exists()


def test_a_set_up_may_use_unset_variables_other_folders_and_files_that_test_things(tmp_path: Path) -> None:
    write(tmp_path / "inner.sh", "false\n[ -n \"$NOT_SET\" ] && echo never\ntrue\n")
    setup = write(tmp_path / "setup.sh", f"echo \"$NOT_SET\"\nif false; then :; fi\nsource {tmp_path}/inner.sh\ncd /\n")
    done = script("run.sbatch", "a.h5", *OPTIONS, "--iterations", "20", QUANTIMED_SETUP=str(setup), cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "a.h5").is_file(), done.stderr


def test_a_program_that_does_not_start_is_said_once(tmp_path: Path) -> None:
    program = write(tmp_path / "quantimed", "#!/bin/sh\necho 'error while loading shared libraries: libx.so' >&2\nexit 127\n")
    program.chmod(0o755)
    done = script("compare.sbatch", tmp_path / "f", *OPTIONS[:-2], QUANTIMED_PROGRAM=str(program))
    assert done.returncode == 2 and done.stderr.count("libx.so") == 1 and "does not start on" in done.stderr
    done = script("run.sbatch", tmp_path / "a.h5", *OPTIONS, QUANTIMED_PROGRAM="/nonexistent")
    assert done.returncode == 2 and done.stderr == "/nonexistent does not start on this machine: /nonexistent: No such file or directory\n"


def test_fewer_cores_than_granted_are_said(tmp_path: Path) -> None:
    if not shutil.which("taskset"):
        pytest.skip("no taskset (util-linux)")
    core = min(os.sched_getaffinity(0))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    done = subprocess.run(["taskset", "-c", str(core), "bash", SLURM / "run.sbatch", tmp_path / "a.h5", *OPTIONS, "--iterations", "20"],
                          env=clean | {"SLURM_CPUS_PER_TASK": "4"}, capture_output=True, text=True)
    assert done.returncode == 0 and f"granted 4 cores and may use 1 (its mask is {core})" in done.stderr


# Study folders. Runs are made by bench/study: both share plans and traces.

def run_study(file: Path, folder: Path) -> None:
    done = subprocess.run([ROOT / "bench" / "study", file, "--output", folder, "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def nowhere() -> dict[str, str]:
    """No SLURM to ask."""
    return os.environ | {"PATH": "/nonexistent"}


def test_a_study_is_moved_read_and_merged(tmp_path: Path, nowhere: dict[str, str]) -> None:
    common = SMALL + "algorithms = dsgd, q-dsgd\n"
    run_study(write(tmp_path / "s.ini", common + "seeds = 1\n"), tmp_path / "a")
    run_study(write(tmp_path / "s.ini", common + "seeds = 1-2\n"), tmp_path / "b")
    (tmp_path / "deep").mkdir()
    a = (tmp_path / "a").rename(tmp_path / "deep" / "moved")
    said = tool("status", a, environment=nowhere)
    assert said.returncode == 0 and "2 runs: 2 done" in said.stdout and "SLURM could not be asked" in said.stderr
    ours = {path.name: path.stat().st_ino for path in a.glob("*.h5")}
    came = next(path.stem for path in (tmp_path / "b").glob("*.h5") if path.name not in ours)
    for own in (f"history/{came}.tsv", f"logs/{came}.log", "s.ini"):  # as slurm/submit and its tasks leave them
        (tmp_path / "b" / own).parent.mkdir(exist_ok=True)
        write(tmp_path / "b" / own, own)
    typo = tool("collect", tmp_path / "new", "--merge", tmp_path / "b", environment=nowhere)
    assert typo.returncode == 2 and "no study here to merge into" in typo.stderr and not (tmp_path / "new").exists()
    done = tool("collect", a, "--merge", tmp_path / "b", "--no-report", environment=nowhere)
    assert done.returncode == 0 and "2 traces taken over" in done.stdout and "4 runs: 4 done; 4 verified" in done.stdout
    assert {name: (a / name).stat().st_ino for name in ours} == ours
    assert all((a / own).read_text() == own for own in (f"history/{came}.tsv", f"logs/{came}.log", "s.ini"))
    for path in (tmp_path / "b").glob("*.h5"):
        assert arrays(path) == arrays(a / path.name)
    assert (a / "runs.csv").read_text().count("\n") == 5
    again = tool("collect", a, "--merge", tmp_path / "b", "--no-report", environment=nowhere)
    assert "0 traces taken over" in again.stdout and len(list(a.glob("*.study.json"))) == 2


def test_a_plan_leads_nowhere_else(tmp_path: Path, nowhere: dict[str, str]) -> None:
    folder = tmp_path / "f"
    run_study(write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n"), folder)
    plan = folder / "s.study.json"
    plan.write_text(plan.read_text().replace('"file": "', '"file": "/etc/../tmp/'))
    assert all(job.path.parent == folder for job in runner.read_plan(plan))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"study": "s", "runs": [{}]}', '{"study": "s", "runs": 3}'])
def test_a_broken_plan_is_said_in_one_line(tmp_path: Path, nowhere: dict[str, str], text: str) -> None:
    write(tmp_path / "s.study.json", text)
    done = tool("status", tmp_path, environment=nowhere)
    assert done.returncode == 2 and "s.study.json" in done.stderr and done.stderr.count("\n") == 1


def test_what_was_interrupted_is_said(tmp_path: Path, nowhere: dict[str, str]) -> None:
    folder = tmp_path / "f"
    run_study(write(tmp_path / "s.ini", SMALL + "seeds = 1\n"), folder)
    (folder / "history").mkdir()
    (folder / "logs").mkdir()
    runs = sorted(path.stem for path in folder.glob("*.h5"))
    for run, line in zip(runs, ["start\t-", "end\t75", "end\t1", "end\t0"]):
        write(folder / "history" / f"{run}.tsv", f"2026-01-01T00:00:00+0000\t{line}\t7/1\tn1\t0\n")
        (folder / f"{run}.h5").unlink()
    write(folder / "logs" / f"{runs[2]}.log", "quantimed: internal error: the reason\n\n")
    said = tool("status", folder, environment=nowhere).stdout
    assert "1 interrupted, 1 failed, 1 missing, 1 unknown" in said and "there is no SLURM here" in said
    assert "exit status 1: internal error: the reason" in said and "starts from its beginning" in said and "is gone" in said


def planned_folder(tmp_path: Path, seeds: str) -> tuple[Folder, list[Job]]:
    """As slurm/submit leaves it: one submission, one task of all runs, and nothing has run."""
    folder = Folder(tmp_path / "f")
    jobs = [replace(a_job(1000, seed), path=folder.path / f"r{seed}.h5") for seed in map(int, seeds.split(","))]
    (folder.path / "submissions" / "1").mkdir(parents=True)
    (folder.path / "history").mkdir()
    write(folder.path / "submissions" / "1" / "task-1.txt", "".join(f"{job.path.stem}\n" for job in jobs))
    write(folder.path / "submissions" / "1" / "jobs.txt", "array 7: 2 runs in 1 tasks\ncollection 8: when all tasks have ended\n")
    return folder, jobs


def test_what_was_cut_in_a_pack_waits_for_its_turn_when_the_task_starts_again(tmp_path: Path) -> None:
    folder, jobs = planned_folder(tmp_path, "1,2,3")
    events = folder.path / "submissions" / "1" / "task-1.tsv"
    first = "t\tstart\t-\tn1\t0\t1\t-\t0\nt\tcut\t75\tn1\t0\t1\t-\t5\n"
    write(events, first)
    write(folder.path / "history" / "r1.tsv", "t\tstart\t-\t7/1\tn1\t0\nt\tcut\t75\t7/1\tn1\t0\n")
    write(folder.path / "history" / "r2.tsv", "t\tstart\t-\t7/1\tn1\t0\nt\tend\t1\t7/1\tn1\t0\n")

    def look(state: str, reason: str) -> list[tuple[str, str]]:
        task = Task("7", "1", state, reason, "n1", folder.job_name() + "1")
        return [(s.state, s.why) for s in standings(folder, jobs, Queue([task]))]
    assert look("RUNNING", "None") == [("pending", "cut by its time limit, resumes when its task starts again"), ("failed", "exit status 1: "),
                                       ("pending", "its turn in the pack is to come")]
    assert look("PENDING", "BeginTime") == [("pending", "waits (BeginTime), cut by its time limit once, then resumes")] * 3
    write(events, first + "t\tstart\t-\tn2\t1\t1\t-\t0\n")
    assert look("RUNNING", "None") == [("pending", "its turn in the pack is to come")] * 3  # what failed is tried again, too
    write(folder.path / "history" / "r1.tsv", (folder.path / "history" / "r1.tsv").read_text() + "t\tstart\t-\t7/1\tn2\t1\n")
    assert [state for state, _ in look("RUNNING", "None")] == ["running", "pending", "pending"]


def test_accounting_is_asked_once_an_array_and_not_again_where_it_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sacct = write(tmp_path / "sacct", f"#!/bin/sh\necho asked >> {tmp_path}/asked\n"
                  "echo '7_1|COMPLETED'; echo '7_2|NODE_FAIL'; echo '7_[3-4,9%2]|CANCELLED by 0'\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    queue.accounts.cache_clear()
    assert [queue.accounting("7", index) for index in "12349x"] == ["completed", "node_fail", *["cancelled by 0"] * 3, ""]
    assert (tmp_path / "asked").read_text() == "asked\n"
    write(sacct, f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexec sleep 60\n")
    monkeypatch.setattr(queue, "LOOK_S", 0.5)
    assert [queue.accounting(job, "1") for job in ("8", "9")] == ["", ""]
    assert (tmp_path / "asked").read_text() == "asked\nasked\n"
    queue.no_accounts.clear()
    queue.accounts.cache_clear()


def test_nodes_are_bad_only_beside_others_that_work(tmp_path: Path) -> None:
    folder, _ = planned_folder(tmp_path, "1,2")
    place = folder.path / "submissions" / "1"
    for index, node, status in (("1", "n1", "7"), ("2", "n2", "7"), ("3", "n3", "0")):
        write(place / f"task-{index}.txt", f"r{index}\n")
        write(place / f"task-{index}.tsv", f"t\tstart\t-\t{node}\t0\t1\t-\t0\nt\tend\t{status}\t{node}\t0\t1\t-\t5\n")
    assert nodes.of_last_submission(folder).bad() == []
    write(folder.path / "history" / "r3.tsv", "t\tstart\t-\t7/3\tn3\t0\nt\tend\t0\t7/3\tn3\t0\n")
    found = nodes.of_last_submission(folder)
    assert found.bad() == ["n1", "n2"] and found.runs_on_bad() == {"r1", "r2"} and "submit with --exclude n1,n2" in found.text()
    write(folder.path / "history" / "r2.tsv", "t\tstart\t-\t7/2\tn2\t0\nt\tend\t1\t7/2\tn2\t0\n")  # a run failed there, which is another matter
    assert nodes.of_last_submission(folder).bad() == ["n1"]


def test_real_time_runs_on_different_processors_are_warned_of(tmp_path: Path, program: Path) -> None:
    found = []
    for seed, cpu in ((1, "one"), (2, "one"), (3, "other")):
        job = replace(a_job(2, seed, engine="threads"), path=tmp_path / f"{seed}.h5")
        with h5py.File(job.path, "w") as file:
            file.create_group("environment").attrs["cpu"] = cpu
        found.append(Standing(job, "done"))
    assert collect.warnings(found) == ["real-time runs on different processors, whose times do not compare: 2 on one, 1 on other; "
                                       "--constraint chooses one kind"]
    assert collect.warnings(found[:2]) == []


# A control group of one's own: what the program says of it

@pytest.fixture
def group(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Of the controller that the test names, version 1."""
    folder = Path("/sys/fs/cgroup") / request.param / f"quantimed-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made in {folder.parent}: {error.strerror}")
    yield folder
    folder.rmdir()


def within(group: Path, *command: object) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh", *map(str, command)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    return subprocess.run(words, capture_output=True, text=True, env=clean)


@pytest.mark.parametrize("group", ["cpuset"], indirect=True)
def test_a_cpuset_of_the_control_group_is_heeded_and_named(group: Path, program: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("needs two cores")
    write(group / "cpuset.mems", (group.parent / "cpuset.mems").read_text())
    write(group / "cpuset.cpus", f"{cores[1]}\n")
    said = within(group, program, "info").stdout
    assert f"\naffinity = {cores[1]}\n" in said and re.search("cores_rule = 1 of .* cores: the control group's cpuset", said), said


@pytest.mark.parametrize("group", ["cpu"], indirect=True)
def test_a_quota_of_the_control_group_is_heeded_and_named(group: Path, program: Path, tmp_path: Path) -> None:
    write(group / "cpu.cfs_period_us", "100000\n")
    write(group / "cpu.cfs_quota_us", "100000\n")
    said = within(group, program, "info").stdout
    assert "\ncpu_quota = 1\n" in said, said
    if len(os.sched_getaffinity(0)) > 1:
        assert "grants 1.00 cores' time to" in said
    dry = within(group, program, "run", *OPTIONS, "--iterations", "20", "--dry-run")
    assert "\nthreads = 1\n" in dry.stdout, dry.stdout + dry.stderr


@pytest.mark.parametrize("group", ["memory"], indirect=True)
def test_a_memory_limit_of_the_control_group_refuses_what_does_not_fit(group: Path, program: Path, tmp_path: Path) -> None:
    write(group / "memory.limit_in_bytes", "150M\n")
    options = [*DIGITS_OPTIONS, "--iterations", "2", "--output", tmp_path / "a.h5", "--overwrite", "--quiet"]
    assert within(group, program, "run", *options).returncode == 0
    refused = within(group, program, "run", *("mlp:4000" if word == "mlp:8" else word for word in options))
    assert refused.returncode == 4 and "of the 150 MiB that may be used" in refused.stderr, refused.stderr


# The site file and the plan

def test_a_site_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"\xef\xbb\xbfpartition = p\r\n")
    assert read_site(path).sbatch_options() == ["--partition=p"]


def test_a_site_file(tmp_path: Path) -> None:
    site = read_site(write(tmp_path / "s", "# c\npartition = p\nmodule = a/1 'b c'\nsbatch = --mail-type='END'\n[setup]\nx=1 # [y]\n"))
    assert site.sbatch_options() == ["--partition=p", "--mail-type=END"]
    assert site.script() == "module load a/1\nmodule load 'b c'\nx=1 # [y]\n"
    assert read_site(SLURM / "site.example").values == {"time": "1:00:00", "collect-sbatch": "--time=0:30:00"}
    for text in ("partitoin = x", "time", "exclusive = maybe", "parallel = 0", "nodes = 4", "sbatch = 'x", "time = 5\ntime = 9"):
        bad = write(tmp_path / "bad", text + "\n")
        with pytest.raises(StudyError) as error:
            wrong = read_site(bad)
            wrong.flag("exclusive"), wrong.number("parallel"), wrong.sbatch_options()
        assert text.split()[0] in str(error.value)


def a_job(iterations: int, seed: int = 1, nodes: int = 1, engine: str = "virtual") -> Job:
    return Job(Run("s", "dsgd", seed, {}, {}), Path(f"{seed}.h5"),
               f"algorithm = dsgd\nengine = {engine}\nnodes = {nodes}\niterations = {iterations}\n")


def test_packs_have_equal_work_and_all_runs() -> None:
    jobs = [a_job(k * 1000, k) for k in range(1, 11)]
    packs = deal(jobs, 2)
    assert [len(pack) for pack in packs] == [5, 5]
    assert sorted(job.run.seed for pack in packs for job in pack) == list(range(1, 11))
    work = [sum(job.run.seed for job in pack) for pack in packs]
    assert abs(work[0] - work[1]) <= 5


def test_automatic_packs_fill_half_an_hour_and_no_more_than_the_time_limit() -> None:
    jobs = [a_job(99_000, k) for k in range(1, 49)]
    estimate = Estimate({kind_of(jobs[0].ini): 0.001})  # 100 s a run with its start: 4,800 s in all
    assert estimate.seconds(jobs[0]) == pytest.approx(100)
    def tasks(limit: str, at_a_time: int = 1, most: int = 1000) -> int:
        return tasks_for(jobs, estimate, at_a_time, seconds_of_limit(limit), most)
    assert tasks("") == 3 and tasks("8:00:00") == 3  # of 1,800 s
    assert tasks("10") == 12  # of 432 s, 80 % of the nine minutes until it is told to stop
    assert tasks("10", at_a_time=2) == 6 and tasks("2", most=7) == 7  # no longer array than SLURM takes
    assert tasks("2", at_a_time=24) == 2  # a task has at least a run for each core
    assert tasks_for(jobs, Estimate(), 1, 600.0, 1000) == 48  # not known: a run a task
    # Another number of nodes takes in proportion; real time is not reckoned from virtual time.
    assert estimate.seconds(a_job(99_000, nodes=2)) == pytest.approx(199)
    assert math.isnan(estimate.seconds(a_job(99_000, engine="threads")))


def test_what_was_not_timed_follows_from_what_was() -> None:
    def kind(algorithm: str, model: str, nodes: int = 4) -> tuple[str, ...]:
        return kind_of(a_job(1, nodes=nodes).ini.replace("dsgd", algorithm) + f"model = {model}\n")
    small, large = ("mlp:8", "mlp:64")
    wanted = [kind(a, m) for a in ("dsgd", "q-dsgd", "async-dsgd") for m in (small, large)]
    chosen = pilots(wanted, [])  # each algorithm once, and each model
    assert chosen == [kind("dsgd", small), kind("q-dsgd", small), kind("async-dsgd", small), kind("dsgd", large)]
    assert len(pilots([kind("dsgd", f"mlp:{k}") for k in range(50)], [])) == 10
    known = Estimate(dict(zip(chosen, (1.0, 3.0, 0.5, 7.0))))
    assert known.from_others(kind("q-dsgd", large)) == pytest.approx(21) and known.from_others(kind("async-dsgd", large)) == pytest.approx(3.5)
    assert known.from_others(kind("q-dsgd", small, nodes=8)) == pytest.approx(6)  # nobody ran so many: in proportion


def test_a_run_that_ends_no_iteration_in_a_second_is_timed_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(estimate_module, "pilot", lambda one, program, estimate, seconds: asked.append(seconds) or seconds > 5)
    from_pilots([a_job(60)], Path("program"), estimate := Estimate(), False)
    assert asked == [1, 8] and estimate.sources == ["8 s each of 1 of the 1 kinds of run on this machine"]


def test_the_largest_run_is_among_those_that_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def job(model: str, nodes: int = 4) -> Job:
        made = a_job(60, nodes=nodes)
        return replace(made, ini=made.ini + f"model = {model}\n")
    timed = []
    monkeypatch.setattr(estimate_module, "pilot", lambda one, program, estimate, seconds: timed.append(one) or True)
    small = [job(f"mlp:{k}") for k in range(8, 48)]
    from_pilots([*small, large := job("mlp:1500"), many := job("mlp:50", nodes=100)], Path("program"), Estimate(), True)
    assert timed[:2] == [large, many] and len(timed) == 10


def test_memory_counts_what_looks_at_an_earlier_attempt() -> None:
    estimate = Estimate(peak_mib={kind_of(a_job(1).ini): 34.0})
    check_memory(estimate, 1, "96M")
    with pytest.raises(StudyError, match="--mem 60M: a run that resumes takes about 96 MiB, with data and libraries; give --mem 116M"):
        check_memory(estimate, 1, "60M")
    with pytest.raises(StudyError, match="4 runs at a time take about 198 MiB"):
        check_memory(estimate, 4, "150M")


@pytest.mark.parametrize("text, seconds", [("30", 1800), ("10:30", 630), ("2:00:00", 7200), ("1-2", 93600), ("1-02:30", 95400),
                                           ("1-02:30:10", 95410), ("soon", math.nan)])
def test_time_limits_are_read_as_slurm_reads_them(text: str, seconds: float) -> None:
    assert seconds_of_limit(text) == pytest.approx(seconds, nan_ok=True)


@pytest.mark.parametrize("text, mib", [("64M", 64), ("8G", 8192), ("4000", 4000), ("1.5g", 1536), ("2048K", 2), ("8GiB", 8192), ("0", math.nan), ("x", math.nan)])
def test_memory_is_read_as_slurm_reads_it(text: str, mib: float) -> None:
    assert mib_of(text) == pytest.approx(mib, nan_ok=True)


def test_nodes_mean_what_slurm_means_by_them(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    done = tool("submit", file, "--output", tmp_path / "f", "--dry-run", "--no-check", "--nodes", "4", environment=nowhere)
    assert done.returncode == 2 and done.stderr == ("submit: --nodes 4: a run lives on one node, unless its study has engine = mpi; so many tasks at once is "
                                                       "--parallel 4\n")
    done = tool("submit", file, "--output", tmp_path / "f", "--dry-run", "--no-check", "--nodes", "1", "--parallel", "4",
                "--sbatch", "--gres=x", environment=nowhere)
    assert done.returncode == 0 and "--array=1-1%4" in done.stdout and "--gres=x" in done.stdout, done.stderr


def test_a_run_over_machines_is_planned_for_each_of_them(tmp_path: Path, nowhere: dict[str, str], program: Path) -> None:
    text = DIGITS.replace("nodes = 4", "nodes = 10") + "engine = mpi\nalgorithms = dsgd\nseeds = 1\n"
    file = write(tmp_path / "s.ini", text)
    none = dry_run(file, "--nodes", 4, environment=nowhere | {"QUANTIMED_MPI_PROGRAM": str(tmp_path / "none")})
    assert none.returncode == 2 and "engine = mpi needs it; `make MPI=1` builds it" in none.stderr
    environment = nowhere | {"QUANTIMED_MPI_PROGRAM": str(program)}  # any program of this version: nothing is started
    four = dry_run(file, "--nodes", 4, environment=environment)
    assert four.returncode == 0, four.stderr
    assert "--nodes=4 --ntasks=4 --ntasks-per-node=1 --cpus-per-task=4 --exclusive --hint=nomultithread" in four.stdout  # 3 and the courier
    one = dry_run(file, environment=environment)
    assert "--nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=10" in one.stdout, one.stderr
    for options, says in ((["--nodes", 11], "--nodes 11: a run of this study has 10 nodes, and every machine needs one; give --nodes 10 or fewer"),
                          (["--nodes", 0], "nodes = 0: give 1 or more"),
                          (["--nodes", 4, "--cpus-per-task", 3], "a core for every node there and one for the courier; give 4")):
        refused = dry_run(file, *options, environment=environment)
        assert refused.returncode == 2 and says in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    mixed = write(tmp_path / "mixed.ini", text.replace("engine = mpi\n", "") + "[grid]\nengine = mpi | threads\n")
    both = dry_run(mixed, "--nodes", 4, environment=environment, output="g")
    assert both.returncode == 2 and "make two studies of it" in both.stderr, both.stderr
    (tmp_path / "f/submissions/1").mkdir(parents=True)
    write(tmp_path / "f/submissions/1/submission.json", '{"values": {"nodes": "2"}}')
    other = dry_run(file, "--nodes", 4, environment=environment)
    assert other.returncode == 2 and "f has runs over 2 machines, whose times do not compare; to resume them give --nodes 2, for others name another folder" in other.stderr


def dry_run(file: Path, *options: object, environment: dict[str, str], output: object = "f") -> subprocess.CompletedProcess[str]:
    return tool("submit", file, "--output", output, "--dry-run", "--no-check", *options, environment=environment, cwd=file.parent)


@pytest.mark.parametrize("output, says", [
    ("s.ini", "--output s.ini: is the study file itself; name a folder for what becomes of it"),
    ("link.ini", "--output link.ini: is the study file itself; name a folder for what becomes of it"),
    ("/dev/null", "--output /dev/null: is there and no folder; name another"), ("notes", "--output notes: is there and no folder; name another"),
    ("nowhere", "--output nowhere: is there and no folder; name another"),
    ("notes/f", "--output notes/f: notes is there and no folder; name another")])
def test_an_output_that_is_no_folder_is_refused_before_anything_is_done(tmp_path: Path, nowhere: dict[str, str], output: str, says: str) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    write(tmp_path / "notes", "notes")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "link.ini").symlink_to("s.ini")
    done = dry_run(file, environment=nowhere, output=output)
    assert done.returncode == 2 and done.stderr == f"submit: {says}\n" and not done.stdout


def test_an_output_may_be_there_or_a_link_to_a_folder_or_deep_in_none(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    for output in ("there", "link", "a/b/c"):
        assert dry_run(file, environment=nowhere, output=output).returncode == 0


@pytest.mark.parametrize("options, says", [
    *((["--time", text], f"--time {text}: give minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S") for text in ("abc", "-1", "1:2:3:4", "2h", "1-")),
    *((["--mem", text], f"--mem {text}: give a whole number, of MiB or with K, M, G or T") for text in ("abc", "-1", "8X", "1.5G", "8 G")),
    (["--sbatch", "nonsense"], "--sbatch nonsense: is no option of sbatch"),
    (["--sbatch", "--nice nonsense"], "--sbatch nonsense: is no option of sbatch"),
    (["--sbatch", "--gres=x nonsense"], "--sbatch nonsense: is no option of sbatch"),
    (["--sbatch", "-H nonsense"], "--sbatch nonsense: is no option of sbatch"),
    (["--collect-sbatch", "nonsense"], "--collect-sbatch nonsense: is no option of sbatch"),
    *((["--sbatch", word], f"--sbatch {word.split()[0]}: {says}") for word, says in (
        ("--job-name=x", "submit knows its jobs by their names"), ("-J x", "submit knows its jobs"), ("--job x", "submit knows"),
        ("--chdir=/tmp", "jobs run in the study's folder"), ("-D /tmp", "jobs run"), ("--output=x", "status reads the logs"), ("-ox", "status reads"),
        ("--error=x", "status reads"), ("--wrap true", "the script is submit's own"), ("--parsable", "submit asks"), ("--test-only", "is an option"),
        ("--time=1", "is an option of submit, which reckons with it: give --time there"), ("-t 1", "is an option"), ("--mem=1", "is an option"),
        ("-c4", "is an option"), ("--nodes=2", "is an option"), ("-n 2", "a task is one process"))),
    (["--partition", "y", "--sbatch", "-p x"], "--sbatch -p: --partition y is there, too"),
    (["--account", "y", "--sbatch", "--account x"], "--sbatch --account: --account y is there, too"),
    (["--sbatch", "--mem-per-cpu=1G"], "--sbatch --mem-per-cpu=1G: is memory, which submit reckons with"),
    (["--time", "１0:00"], "--time １0:00: give minutes"),
    (["--collect-sbatch", "--wrap=true"], "--collect-sbatch --wrap=true: the script is submit's own"),
    (["--collect-sbatch", "-d afterok:1"], "--collect-sbatch -d: the collection waits for the tasks"),
    *((["--sbatch", word], f"--sbatch {word.split()[0]}: the array is submit's own") for word in ("--array=1-9", "--array 1-9", "--arr=1-9",
                                                                                                  "-a1-9", "-a 1-9"))])
def test_what_sbatch_would_take_otherwise_or_not_at_all_is_refused(tmp_path: Path, nowhere: dict[str, str], options: list[str],
                                                                  says: str) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    done = dry_run(file, *options, environment=nowhere)
    assert done.returncode == 2 and done.stderr.startswith(f"submit: {says}") and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("option", [*(name for name in SBATCH), "cpus-per-task", "parallel", "nodes", "mpi", "mail", "exclusive", "site", "setup",
                                    "output", "seeds", "only", "pack"])
def test_an_empty_value_is_refused_in_one_line(tmp_path: Path, nowhere: dict[str, str], option: str) -> None:
    done = dry_run(write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n"), f"--{option}=", environment=nowhere)
    assert done.returncode == 2 and done.stderr.startswith(f"submit: --{option}: is empty; give a value, or leave it out"), done.stderr
    assert done.stderr.count("\n") == 1 and not done.stdout


def test_none_takes_back_what_the_site_file_has(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    site = write(tmp_path / "site", "partition = slow\naccount = a\n")
    own, none = (dry_run(file, "--site", site, *options, environment=nowhere)
                 for options in ((), ("--partition", "none", "--account=none", "--qos=none")))
    assert own.returncode == none.returncode == 0, none.stderr
    assert "--partition=slow" in own.stdout and "--account=a" in own.stdout
    assert not any(word in none.stdout for word in ("--partition", "--account", "--qos"))


def test_an_empty_list_of_options_or_modules_wins_over_the_site_files(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    site = write(tmp_path / "site", "sbatch = --gres=x\ncollect-sbatch = --qos=y\npartition =\nmail =\n")
    full, empty = (dry_run(file, "--site", site, *options, environment=nowhere) for options in ((), ("--sbatch=", "--collect-sbatch=")))
    assert full.returncode == empty.returncode == 0, empty.stderr
    assert "--gres=x" in full.stdout and "--qos=y" in full.stdout and "--gres" not in empty.stdout and "--qos" not in empty.stdout


@pytest.mark.parametrize("mail", ["nonsense-that-is-nobody", "@host", "me@", "me@host,", "a@b c@d", "a@b@c"])
def test_mail_goes_to_an_address_or_a_user(tmp_path: Path, nowhere: dict[str, str], mail: str) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    for options in (["--mail", mail], ["--site", write(tmp_path / "site", f"mail = {mail}\n")]):
        done = dry_run(file, *options, environment=nowhere)
        assert done.returncode == 2 and done.stderr.startswith(f"submit: --mail {mail}: '") and done.stderr.endswith("give NAME@HOST\n"), done.stderr
    for good in ("me@host.org", "me@host,you+x@other", "root"):
        done = dry_run(file, "--mail", good, environment=nowhere)
        assert done.returncode == 0 and f"--mail-user={good} " in done.stdout, done.stderr


def test_what_sbatch_takes_is_handed_on(tmp_path: Path, nowhere: dict[str, str]) -> None:
    file = write(tmp_path / "s.ini", SMALL + "algorithms = dsgd\nseeds = 1\n")
    for time_, mem, options in (("90", "4000", "--hold"), ("90:30", "4000M", "--gres gpu:1 -C fast"), ("1:30:00", "900000K", "-Cfast --nice=5"),
                                ("1-2", "8G", "--account me --nice"), ("1-02:30", "1T", "-H -A me"), ("1-02:30:10", "8GB", ""),
                                ("UNLIMITED", "0", "--signal=B:USR1@300")):
        done = dry_run(file, "--time", time_, "--mem", mem, "--sbatch", options, environment=nowhere)
        assert done.returncode == 0 and f"--time={time_} --mem={mem} {options}".rstrip() in done.stdout, done.stderr


def test_times_resumed_is_a_number_a_cell() -> None:
    assert figures({"resumed_at_iteration": "113460, 154488, 226152", "resumptions": 3, "total_bytes": 5}) == {
        "last_resumed_at_iteration": "226152", "times_resumed": 3, "bytes_sent": 5}


def test_real_time_runs_are_planned_for_the_cores_they_ask_for(tmp_path: Path, nowhere: dict[str, str]) -> None:
    text = DIGITS.replace("nodes = 4", "nodes = 48") + "engine = threads\nalgorithms = dsgd\nseeds = 1\n"
    done = tool("submit", write(tmp_path / "s.ini", text), "--output", tmp_path / "f", "--dry-run", "--no-check", environment=nowhere)
    assert done.returncode == 0, done.stderr
    assert "--cpus-per-task=48 --exclusive --hint=nomultithread" in done.stdout and not (tmp_path / "f").exists()
    for options, names in ((["--cpus-per-task", "4"], "give 48"), (["--cpus-per-task", "x"], "cpus-per-task"), (["--pack", "0"], "--pack")):
        done = tool("submit", tmp_path / "s.ini", "--output", tmp_path / "f", "--dry-run", "--no-check", *options, environment=nowhere)
        assert done.returncode == 2 and names in done.stderr and done.stderr.count("\n") == 1
    auto = write(tmp_path / "t.ini", text.replace("nodes = 48\n", ""))
    done = tool("submit", auto, "--output", tmp_path / "f", "--dry-run", "--no-check", environment=nowhere)
    assert done.returncode == 2 and "nodes: give their number" in done.stderr


# File systems without locks

def test_hdf5_data_on_a_file_system_without_locks(tmp_path: Path, program: Path) -> None:
    source = write(tmp_path / "f.c", "#include <errno.h>\nint flock(int f, int o) { (void)f; (void)o; errno = ENOLCK; return -1; }\n")
    library = tmp_path / "f.so"
    if subprocess.run([shutil.which("gcc") or "cc", "-shared", "-fPIC", "-o", library, source]).returncode:
        pytest.skip("no C compiler")
    data = tmp_path / "d.h5"
    subprocess.run([program, "export", "--dataset", "digits", "--output", data], check=True, stdout=subprocess.DEVNULL)
    run = [program, "run", "--dataset", data, "--nodes", "2", "--graph", "complete", "--iterations", "2", "--samples-per-node", "20",
           "--model", "mlp:4", "--output", tmp_path / "t.h5", "--quiet"]
    clean = {k: v for k, v in os.environ.items() if k != "HDF5_USE_FILE_LOCKING"} | {"LD_PRELOAD": str(library)}
    assert subprocess.run(run, env=clean | {"HDF5_USE_FILE_LOCKING": "FALSE"}).returncode == 0
    refused = subprocess.run(run, env=clean | {"HDF5_USE_FILE_LOCKING": "TRUE"}, capture_output=True, text=True)
    assert refused.returncode == 2 and "set HDF5_USE_FILE_LOCKING=FALSE" in refused.stderr
    assert refused.stderr.count("\n") == 1
