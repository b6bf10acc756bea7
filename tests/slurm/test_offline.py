"""What needs no cluster: the scripts' text, the site file, folders that move and merge, file systems without locks."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, SLURM, SMALL, arrays, tool, write

from cluster.site import read_site
from cluster.submit import deal
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
    assert said.returncode == 0 and "2 runs: 2 done" in said.stdout and "queue could not be read" in said.stderr
    ours = {path.name: path.stat().st_ino for path in a.glob("*.h5")}
    done = tool("collect", a, "--merge", tmp_path / "b", "--no-report", environment=nowhere)
    assert done.returncode == 0 and "2 traces taken over" in done.stdout and "4 runs: 4 done; 4 verified" in done.stdout
    assert {name: (a / name).stat().st_ino for name in ours} == ours
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
    assert "1 interrupted, 2 failed, 1 missing" in said and "ended without a word" in said
    assert "exit status 1: internal error: the reason" in said and "starts anew" in said and "is gone" in said


# The site file and the plan

def test_a_site_file(tmp_path: Path) -> None:
    site = read_site(write(tmp_path / "s", "# c\npartition = p\nmodule = a/1 'b c'\nsbatch = --mail-type='END'\n[setup]\nx=1 # [y]\n"))
    assert site.sbatch_options() == ["--partition=p", "--mail-type=END"]
    assert site.script() == "module load a/1\nmodule load 'b c'\nx=1 # [y]\n"
    assert read_site(SLURM / "site.example").values == {"time": "1:00:00", "collect-sbatch": "--time=0:30:00"}
    for text in ("partitoin = x", "time", "exclusive = maybe", "nodes = 0", "sbatch = 'x"):
        bad = write(tmp_path / "bad", text + "\n")
        with pytest.raises(StudyError) as error:
            wrong = read_site(bad)
            wrong.flag("exclusive"), wrong.number("nodes"), wrong.sbatch_options()
        assert text.split()[0] in str(error.value)


def test_packs_have_equal_work_and_all_runs() -> None:
    jobs = [Job(Run("s", "dsgd", k, {}, {}), Path(f"{k}.h5"), f"nodes = 1\niterations = {k * 1000}\n") for k in range(1, 11)]
    packs = deal(jobs, 5)
    assert [len(pack) for pack in packs] == [5, 5]
    assert sorted(job.run.seed for pack in packs for job in pack) == list(range(1, 11))
    work = [sum(job.run.seed for job in pack) for pack in packs]
    assert abs(work[0] - work[1]) <= 5


def test_real_time_runs_are_planned_for_the_cores_they_ask_for(tmp_path: Path, nowhere: dict[str, str]) -> None:
    text = SMALL.replace("nodes = 4", "nodes = 48") + "engine = threads\nalgorithms = dsgd\nseeds = 1\n"
    done = tool("submit", write(tmp_path / "s.ini", text), "--output", tmp_path / "f", "--dry-run", environment=nowhere)
    assert done.returncode == 0, done.stderr
    assert "--cpus-per-task=48 --exclusive --hint=nomultithread" in done.stdout and not (tmp_path / "f").exists()
    for options, names in ((["--cpus-per-task", "4"], "give 48"), (["--cpus-per-task", "x"], "cpus-per-task"), (["--pack", "0"], "--pack")):
        done = tool("submit", tmp_path / "s.ini", "--output", tmp_path / "f", "--dry-run", *options, environment=nowhere)
        assert done.returncode == 2 and names in done.stderr and done.stderr.count("\n") == 1
    auto = write(tmp_path / "t.ini", text.replace("nodes = 48\n", ""))
    done = tool("submit", auto, "--output", tmp_path / "f", "--dry-run", environment=nowhere)
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
