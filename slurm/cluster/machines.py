# SPDX-License-Identifier: BSD-3-Clause
"""Runs over several machines: `engine = mpi`, quantimed-mpi started by srun, one rank on each machine of a task."""
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from studies.job import Job, ini_value
from studies.runner import ROOT
from studies.study_file import StudyError

from .folder import Folder
from .site import Site
from .usage import asked

PROGRAM = "quantimed-mpi"


def machines_of(site: Site) -> int:
    return site.number("nodes") or 1


def goes_over(job: Job) -> bool:
    return ini_value(job.ini, "engine") == "mpi"


def cores_of(job: Job, machines: int) -> int:
    """On each machine: its nodes', and where there are several one for the courier, which never sleeps."""
    nodes = int(ini_value(job.ini, "nodes"))
    return -(-nodes // machines) + 1 if goes_over(job) and machines > 1 else nodes


def sbatch_options(site: Site, runs: Sequence[Job]) -> list[str]:
    if not any(map(goes_over, runs)):
        return []
    count = machines_of(site)
    return [f"--nodes={count}", f"--ntasks={count}", "--ntasks-per-node=1"]


def find_mpi_program(program: Path) -> Path:
    """$QUANTIMED_MPI_PROGRAM, or the one beside the program without MPI."""
    found = Path(os.environ.get("QUANTIMED_MPI_PROGRAM") or program.with_name(PROGRAM))
    if not found.is_file() or not os.access(found, os.X_OK):
        raise StudyError(f"{found}: no such program, and engine = mpi needs it; `make MPI=1` builds it where MPI is installed, or set "
                         "QUANTIMED_MPI_PROGRAM")
    return found.resolve()


@lru_cache(maxsize=None)
def type_for(program: Path) -> str:
    """srun's --mpi: Open MPI understands PMIx, and the MPICHs of distributions PMI-2 alone."""
    linked = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return "pmi2" if re.search(r"libmpich|libmpi\.so\.12", linked) else "pmix"


def variables(site: Site, runs: Sequence[Job], program: Path) -> dict[str, str]:
    """For the batch script: surviving.sh starts the ranks with them."""
    if not any(map(goes_over, runs)):
        return {}
    mpi = find_mpi_program(program)
    return {"QUANTIMED_MPI_PROGRAM": str(mpi), "QUANTIMED_MACHINES": str(machines_of(site)),
            "QUANTIMED_SRUN_MPI": site.get("mpi") or type_for(mpi)}


def check(site: Site, jobs: Sequence[Job], folder: Folder, program: Path) -> None:
    """What cannot go over so many machines, before anything is timed."""
    count = machines_of(site)
    if not any(map(goes_over, jobs)):
        if count > 1:
            raise StudyError(f"--nodes {count}: a run lives on one node, unless its study has engine = mpi; so many tasks at once is "
                             f"--parallel {count}")
        return
    if count > 1 and not all(map(goes_over, jobs)):
        raise StudyError(f"--nodes {count}: this study has runs with engine = mpi and others, which live on one node; make two studies of it")
    mpi = find_mpi_program(program)
    fewest = min(int(ini_value(job.ini, "nodes")) for job in jobs)
    if count > fewest:
        raise StudyError(f"--nodes {count}: a run of this study has {fewest} nodes, and every machine needs one; give --nodes {fewest} or "
                         "fewer")
    if not same_program(mpi, program):
        raise StudyError(f"{mpi}: is another version than {program}; build both from the same sources (make MPI=1)")
    for submission in folder.submissions():
        had = int(asked(submission).get("nodes", "1"))
        if had != count:
            raise StudyError(f"--nodes {count}: {folder.path} has runs over {had} machine{'s' if had != 1 else ''}, whose times do not "
                             f"compare; to resume them give --nodes {had}, for others name another folder with --output")


@lru_cache(maxsize=None)
def same_program(mpi: Path, program: Path) -> bool:
    """Of the same version and commit. A login node on which MPI does not start says nothing of either."""
    said = [subprocess.run([str(path), "--version"], capture_output=True, text=True, cwd=ROOT) for path in (mpi, program)]
    return said[0].returncode != 0 or said[0].stdout == said[1].stdout
