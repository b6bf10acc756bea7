# SPDX-License-Identifier: BSD-3-Clause
"""Studies on a real SLURM, from submit to report. No test depends on how fast the machine is."""
from __future__ import annotations

import csv
import re
import subprocess
import tempfile
import textwrap
from pathlib import Path

import h5py
import pytest

from box import Box
from conftest import DIGITS, REPORT, ROOT, SLURM, SMALL, Study, arrays, starts, tool, write

README = (SLURM / "README.md").read_text()


def test_head_to_head_from_submit_to_report_and_nothing_runs_twice(study) -> None:
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
    assert s.wait_for_runs() == "COMPLETED" and "8 runs: 8 done" in s.status()
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


def test_a_study_is_looked_at_before_it_is_submitted(study, box: Box) -> None:
    s = study(DIGITS + "seeds = 1-2\nalgorithms = dsgd\n")
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


def test_a_site_file_reaches_the_jobs(study, box: Box, tmp_path: Path) -> None:
    site = write(tmp_path / "site", "partition = main\ntime = 17\ncollect-sbatch = --time=20\nexclude = n1,n3\n[setup]\necho \"set # up\"\n")
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd\n")
    s.submit("--site", site)
    array, collection = s.jobs()
    told = box.run("scontrol", "-o", "show", "job", array).stdout
    assert "TimeLimit=00:17:00" in told and "ExcNodeList=n[1,3]" in told
    assert "TimeLimit=00:20:00" in box.run("scontrol", "-o", "show", "job", collection).stdout
    s.wait_for_runs()
    assert "set # up" in s.log("task-1")


def test_a_damaged_trace_is_set_aside_and_made_again(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--pack", "2")
    assert s.wait_for_runs() == "COMPLETED"
    bad = s.traces()[0]
    whole = arrays(bad)
    image = bytearray(bad.read_bytes())
    image[len(image) // 2] ^= 1
    bad.write_bytes(image)
    assert "1 done, 1 missing" in s.status() and "damaged" in s.status()
    done = s.tool("collect")
    assert done.returncode == 1 and "set aside" in done.stderr and not bad.exists()
    assert "1 runs in 1 tasks" in s.submit()
    assert s.wait_for_runs() == "COMPLETED" and arrays(bad) == whole


def test_what_belongs_to_an_earlier_form_of_a_study_is_kept_and_said(study, box: Box) -> None:
    s = study(SMALL + "seeds = 1\nalgorithms = dsgd, q-dsgd\n")
    s.submit("--pack", 2)
    assert s.wait_for_runs() == "COMPLETED"
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
        subprocess.run(["umount", "--lazy", disk], check=True)
