# SPDX-License-Identifier: BSD-3-Clause
"""slurm/earlier: what an earlier attempt left under a trace's name, for the batch scripts that are submitted by hand."""
from __future__ import annotations

import sys
from pathlib import Path

from studies.job import AGAIN, DONE, FOREIGN, OTHER, RESUME, Job, difference, facts_of, ini_value, look, release_of, set_aside
from studies.runner import data_of, find_program, resolved
from studies.study_file import Run, StudyError

USAGE = """usage: slurm/earlier TRACE.h5 OPTION...     one word: nothing, done, resume, or again
       slurm/earlier --folder FOLDER OPTION...   whether all traces there are of these options
OPTIONs are those of `quantimed run`. Exit status: 0, or 2 where something of other options, other data or another
program lies there; it stays as it is."""
FREE = ("threads",)  # of this allocation; changes no bit


def job_of(path: Path, options: list[str]) -> Job:
    program = find_program()
    ini = resolved(program, options)
    run = Run("by hand", ini_value(ini, "algorithm"), int(ini_value(ini, "seed")), {}, {})
    return Job(run, path, ini, release_of(program), data_of(program, ini))


def check_folder(folder: Path, options: list[str]) -> None:
    """A folder that is to be reported on as a whole has only runs of these options, whatever their algorithm and seed."""
    for path in sorted((*folder.glob("*.h5"), *folder.glob("*.h5.partial"))):
        if (facts := facts_of(path)) is None:
            continue
        own = [f"--{name}={ini_value(facts.ini, name)}" for name in ("algorithm", "seed")]
        if why := difference(job_of(path, [*options, *own]), facts, FREE):
            raise StudyError(f"{path}: {why}; give another folder, or remove what is in this one")


def main(argv: list[str]) -> int:
    if len(argv) < 1 or argv[0] in ("-h", "--help") or argv == ["--folder"]:
        print(USAGE)
        return 0 if argv and argv[0] != "--folder" else 2
    if argv[0] == "--folder":
        check_folder(Path(argv[1]), argv[2:])
        return 0
    trace = Path(argv[0])
    if trace.with_name(trace.name + ".lock").exists():
        print(RESUME)  # someone may be writing it: the program finds out
        return 0
    found = look(job_of(trace, argv[1:]), FREE)
    if found.state == FOREIGN:
        raise StudyError(f"--output {trace.parent / found.why}, and is not replaced; name another file")
    if found.state == OTHER:
        raise StudyError(f"{trace.parent / found.why}; it is kept: give another name, or remove it")
    if found.state == AGAIN:
        for path in (trace, trace.with_name(trace.name + ".partial")):
            if aside := set_aside(path):
                print(f"{trace.parent / found.why}: set aside as {aside.name}; the run starts from its beginning", file=sys.stderr)
    if found.state == DONE:
        print(f"{trace}: {found.why} already, with these options: nothing to do", file=sys.stderr)
    print(found.state)
    return 0
