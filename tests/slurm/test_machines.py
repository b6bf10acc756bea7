# SPDX-License-Identifier: BSD-3-Clause
"""Runs over several machines of a real SLURM, from submit to report, with each MPI that the program was built with. All
machines of the box are this one, so their cores are shared (oversubscribe) and no time means anything."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from box import Box, processes_of
from conftest import DIGITS, REPORT, ROOT, Study, histories, waiting_signals, write

PROGRAMS = [Path(p) for p in os.environ.get("QUANTIMED_MPI_PROGRAMS", "").split(":") if p]
OVER = DIGITS.replace("nodes = 4", "nodes = 8") + "engine = mpi\noversubscribe = true\nseeds = 1\n"
LONG = OVER.replace("iterations = 20", "iterations = 1000000") + "algorithms = dsgd\n"  # to be ended
# Over UCX both of them, which has TCP between the machines. Open MPI's own (btl/tcp of 4.1.4) now and then calls through a
# null pointer in MPI_Init where many processes start on few cores: 4 of 295 starts of a program that does nothing else.
ENVIRONMENT = {"OMPI_MCA_pml": "ucx", "OMPI_MCA_osc": "ucx", "OMPI_MCA_opal_common_ucx_tls": "any",
               "OMPI_MCA_opal_common_ucx_devices": "any", "UCX_TLS": "tcp,self"}


@pytest.fixture(autouse=True)
def no_jobs_left(machines: Box) -> Iterator[None]:
    """What a failed test leaves running would keep the machines from all others."""
    yield
    machines.run("scancel", f"--user={os.geteuid()}", check=False)


def kind(program: Path) -> str:
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return "mpich" if "libmpich" in linked else "openmpi"


@pytest.fixture(scope="module")
def machines() -> Iterator[Box]:
    """Four, of so many cores that the ranks of two have room on one, as far as SLURM knows."""
    with tempfile.TemporaryDirectory(prefix="quantimed-box-") as name:
        with Box(Path(name) / "b", cpus=8) as made:
            yield made


def study_over(machines: Box, folder: Path, program: Path, text: str) -> Study:
    s = Study(machines, write(folder / "study.ini", text))
    s.environment |= ENVIRONMENT | {"QUANTIMED_MPI_PROGRAM": str(program)}
    return s


def ranks_of(folder: Path) -> list[int]:
    """The processes of a study's run, in the order of their ranks."""
    found = {}
    for pid in processes_of(folder):
        try:
            executable = os.readlink(f"/proc/{pid}/exe")
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if executable in map(str, map(Path.resolve, PROGRAMS)) and (rank := re.search(r"\0SLURM_PROCID=(\d+)\0", environment)):
            found[int(rank[1])] = pid
    return [found[rank] for rank in sorted(found)]


def same_as_in_one_process(trace: Path) -> None:
    """At fixed batches the number of machines, and cuts, change no bit. Where the curve has its points, a cut may change."""
    with h5py.File(trace) as file:
        ini, model, curve = file["config/ini"][()].decode(), file["model/mean"][()], points(file)
    alone = trace.with_name("alone.h5.reference")
    config = write(trace.with_name("alone.ini"), ini)
    subprocess.run([os.environ["QUANTIMED_PROGRAM"], "run", "--config", config, "--engine", "threads", "--output", alone, "--quiet"], check=True)
    with h5py.File(alone) as file:
        assert file["model/mean"][()].tobytes() == model.tobytes()
        other = points(file)
    shared = curve.keys() & other.keys()
    assert 20000 in shared and all(curve[at] == other[at] for at in shared)


def points(file: h5py.File) -> dict[int, bytes]:
    losses, errors = file["progress/loss"][()], file["progress/consensus_error"][()]
    return {int(at): loss.tobytes() + error.tobytes() for at, loss, error in zip(file["progress/iteration"][()], losses, errors)}


CASES = [(program, count) for k, program in enumerate(PROGRAMS) for count in ((2, 4) if k == 0 else (4,))]


@pytest.mark.parametrize("program, count", CASES, ids=lambda value: kind(value) if isinstance(value, Path) else str(value))
def test_a_study_from_submit_to_report_cut_by_its_time_limit_and_resumed(machines: Box, tmp_path: Path, program: Path, count: int) -> None:
    text = OVER.replace("iterations = 20", "iterations = 20000")
    s = study_over(machines, tmp_path, program, text + "algorithms = dsgd\n[algorithm async-dsgd]\niterations = 300\n")
    write(s.file, s.file.read_text().replace("algorithms = dsgd\n", "algorithms = dsgd, async-dsgd\n"))
    s.environment |= REPORT
    said = s.submit("--nodes", count, "--time", "8:00:00", "--sbatch", "--signal=B:USR1@3600", "--pack", 2)
    assert "2 runs in 1 tasks" in said, said
    machines.until(lambda: any(s.folder.glob("dsgd-*.h5.lock")), "the first run")
    ranks = ranks_of(s.folder)
    assert len(ranks) == count
    for pid in ranks:  # so that it is not over when SLURM's warning comes, an hour before the end
        os.kill(pid, signal.SIGSTOP)
    task = f"{s.jobs()[0]}_1"
    machines.run("scontrol", "update", f"JobId={task}", "EndTime=now+3500seconds")
    machines.until(lambda: all(map(waiting_signals, ranks)), "SLURM's warning")
    for pid in ranks:
        os.kill(pid, signal.SIGCONT)
    machines.until(lambda: "JobState=PENDING" in machines.run("scontrol", "-o", "show", "job", task).stdout, "its return into the queue")
    assert "cut by its time limit once, then resumes" in s.status()
    machines.run("scontrol", "update", f"JobId={task}", "TimeLimit=8:00:00")
    machines.release_now(task)
    assert s.wait() == "COMPLETED", s.status() + s.log("task-1")
    said = s.status()
    assert "2 runs: 2 done" in said and "1 requeues" in said, said
    assert (s.folder / "report" / "index.html").stat().st_size > 5_000
    first, second = sorted(histories(s.folder).values(), key=lambda lines: -len(lines))
    assert [(line[1], line[2], line[5]) for line in first] == [("start", "-", "0"), ("cut", "75", "0"), ("start", "-", "1"), ("end", "0", "1")]
    assert [(line[1], line[2], line[5]) for line in second] == [("start", "-", "1"), ("end", "0", "1")]
    for trace in s.traces():
        with h5py.File(trace) as file:
            facts = file["environment"].attrs
            assert facts["ranks"] == count and file.attrs["status"] == "complete"
            assert facts["slurm_array_job"] == s.jobs()[0] and facts["slurm_restarts"] == "1"
            assert file["summary"].attrs["messages_between_ranks"] > 0
            if trace.name.startswith("dsgd-"):
                assert file["summary"].attrs["resumptions"] == 1
    same_as_in_one_process(next(t for t in s.traces() if t.name.startswith("dsgd-")))
    # The same folder does not take runs whose times would not compare with these.
    other = s.submit("--nodes", 6 - count, status=2)
    assert f"has runs over {count} machines" in other and "--output" in other, other


@pytest.mark.parametrize("program", PROGRAMS, ids=kind)
def test_a_rank_that_is_killed_fails_its_run_which_is_then_run_again(machines: Box, tmp_path: Path, program: Path) -> None:
    s = study_over(machines, tmp_path, program, LONG)
    s.submit("--nodes", 3)
    partial = lambda: next(s.folder.glob("*.h5.partial"), None)  # noqa: E731
    machines.until(partial, "its first checkpoint")
    ranks = ranks_of(s.folder)
    assert len(ranks) == 3
    os.kill(ranks[1], signal.SIGKILL)
    s.wait_for_runs()
    said = s.status()
    assert "1 failed" in said and "killed by signal 9 (SIGKILL)" in said, said
    assert not ranks_of(s.folder)
    own = [line for path in s.folder.glob("logs/*.log") for line in path.read_text().splitlines() if line.startswith("quantimed:")]
    assert len(own) <= 1, own
    killed = partial()
    before = killed.stat().st_ino
    s.submit("--nodes", 3)
    machines.until(lambda: ranks_of(s.folder) and killed.exists() and killed.stat().st_ino != before, "its next checkpoint")
    assert s.tool("cancel").returncode == 0
    machines.wait(s.jobs()[0])
    said = s.status()
    assert re.search(r"interrupted dsgd seed=1: cancelled; submit again, and it resumes", said), said
    with h5py.File(s.traces()[0]) as file:
        assert "checkpoint" in file and file["environment"].attrs["ranks"] == 3


def test_ranks_that_do_not_find_each_other_are_one_line(machines: Box, tmp_path: Path) -> None:
    """MPICH takes a PMIx that it does not know for nobody, and each process itself for the whole run."""
    program = next((p for p in PROGRAMS if kind(p) == "mpich"), None)
    if program is None:
        pytest.skip("no program with MPICH")
    s = study_over(machines, tmp_path, program, LONG)
    s.submit("--nodes", 3, "--mpi", "none")
    s.wait_for_runs()
    said = s.status()
    assert "exit status 2: MPI: srun has started 3 processes and this MPI library sees one; give srun the --mpi" in said, said
    assert sum(path.read_text().count("quantimed:") for path in s.folder.glob("logs/*.log")) == 1
    assert not s.traces()


def test_scaling_over_machines_by_hand(machines: Box, tmp_path: Path) -> None:
    folder, program = tmp_path / "s", PROGRAMS[0]
    job = machines.run("sbatch", "--parsable", "--nodes=4", "--ntasks=4", "--cpus-per-task=3", f"--output={tmp_path}/log", ROOT / "slurm/scale.sbatch",
                       folder, "--nodes-each", 2, "--machines", "1,2,4", "--dataset", "digits", "--graph", "complete", "--model", "mlp:8", "--iterations",
                       30, "--samples-per-node", 80, "--batch", 16, "--algorithms", "dsgd", "--repeats", 2, "--oversubscribe",
                       QUANTIMED_HOME=str(ROOT), QUANTIMED_MPI_PROGRAM=str(program), QUANTIMED_REPORT_OPTIONS="none", **ENVIRONMENT).stdout.strip()
    assert machines.wait(job) == "COMPLETED", (tmp_path / "log").read_text()
    table = (folder / "table.md").read_text()
    columns = [[cell.strip() for cell in line.split("|")[2:4]] for line in table.splitlines() if line.startswith("| dsgd")]
    assert columns == [["1", "2"], ["2", "4"], ["4", "8"]] * 2, table  # strong and weak
    for trace in folder.glob("*.h5"):
        nodes = int(re.search(r"-n(\d+)-", trace.name)[1])
        with h5py.File(trace) as file:
            assert file["environment"].attrs.get("ranks", 1) == nodes // 2 and file.attrs["status"] == "complete"
