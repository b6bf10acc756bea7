# SPDX-License-Identifier: BSD-3-Clause
"""The command line of bench/study."""
from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from command_line import Parser

from .job import Job, is_done, others_in, others_text
from .runner import BAD_INPUT, INTERRUPTED, Outcome, execute, find_program, only_user_of, plan, plans_in, write_plan
from .study_file import Run, Study, StudyError, parse_seeds, read_study, require_quick


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/study",
        description="Runs studies: algorithms x settings x seeds in virtual time, one run a core, resumed where it "
        "stopped. bench/studies/study_file.py explains the files. "
        "Exit status: 0 done, 1 a run failed, 2 bad input, 75 stopped by a signal.")
    p.add_argument("files", nargs="+", type=Path, metavar="FILE", help="study files (.ini)")
    p.add_argument("--output", type=Path, metavar="FOLDER",
                   help="the folder for traces and plans; studies in one folder share runs [runs/NAME of the file]")
    p.add_argument("--seeds", help="instead of the file's: 1-3 or 1,5")
    p.add_argument("--only", action="append", default=[], metavar="NAME=VALUE",
                   help="only runs with this option, setting or algorithm; may be given again")
    p.add_argument("--quick", action="store_true", help="the file's [quick] form")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)),
                   help="runs at a time [the cores allowed]")
    p.add_argument("--any-commit", action="store_true",
                   help="count traces that another commit of the same version made, too")
    p.add_argument("--list", action="store_true", help="print the runs, and whether each is done")
    p.add_argument("--dry-run", action="store_true", help="print each run's resolved .ini and stop")
    p.add_argument("--quiet", action="store_true", help="errors alone")
    return p


def chosen_runs(study: Study, seeds: str | None, only: list[str]) -> list[Run]:
    wanted: dict[str, str] = {}
    for text in only:
        name, equals, value = text.partition("=")
        if not equals:
            raise StudyError(f"--only {text}: give NAME=VALUE, as batch=20 or algorithm=dsgd")
        if wanted.setdefault(name.strip(), value.strip()) != value.strip():
            raise StudyError(f"--only {text}: no run has two values of {name.strip()}; {name.strip()}={wanted[name.strip()]} is asked for, too: "
                             "give one of them")
    runs = study.runs(parse_seeds(seeds, "--seeds") if seeds is not None else None)
    found = [run for run in runs if run.matches(wanted)]
    if not found:
        raise StudyError(f"{study.path}: --only {' '.join(only)}: no run has it; --list shows what there is")
    return found


def report(outcome: Outcome, folder: Path) -> None:
    for job in outcome.diverged:
        print(f"diverged: {job.run.label()}: {job.path}", file=sys.stderr)
    for job, reason in outcome.failed:
        print(f"failed: {job.run.study}: {job.run.label()}: {reason}", file=sys.stderr)
    if outcome.stopped:
        print(f"stopped; {outcome.kept + outcome.ran} runs are kept in {folder}, the same command continues",
              file=sys.stderr)


def run_studies(args: argparse.Namespace) -> int:
    if args.jobs < 1:
        raise StudyError(f"--jobs {args.jobs}: give 1 or more")
    program = find_program()
    studies = [read_study(path, args.quick) for path in args.files]
    runs = [(study, chosen_runs(study, args.seeds, args.only)) for study in studies]
    if args.quick:
        require_quick(studies)
    names = [study.name for study in studies]
    if len(set(names)) < len(names):
        raise StudyError(f"{args.files[0]}: two study files of one name; run them one by one")
    folder: Path = args.output or Path("runs") / names[0]
    jobs: dict[str, list[Job]] = plan(runs, folder, program, any_commit=args.any_commit)
    everything = [job for name in names for job in jobs[name]]
    if args.dry_run:
        for job in everything:
            print(f"# {job.run.study}: {job.run.label()}\n{job.ini}")
        return 0
    if args.list:
        for job in everything:
            print(f"{'done' if is_done(job) else 'to do':6} {job.run.study}: {job.run.label()}  {job.path}")
        return 0
    with only_user_of(folder):
        for study in studies:
            write_plan(study, jobs[study.name], folder)
        if not args.quiet and (others := others_in(folder, plans_in(folder))):
            print(f"study: {folder}: {others_text(others)}: kept, and not part of this study as it is now", file=sys.stderr)
        outcome = execute(everything, program, args.jobs, not args.quiet)
    report(outcome, folder)
    if not args.quiet and not outcome.stopped:
        print(f"{folder}: {outcome.ran} runs in {outcome.seconds:.1f} s, {outcome.kept} kept from before, "
              f"{len(outcome.diverged)} diverged, {len(outcome.failed)} failed")
    return outcome.exit_status


def main(argv: list[str]) -> int:
    try:
        return run_studies(parser().parse_args(argv))
    except StudyError as error:
        print(f"study: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"study: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:  # before or after the runs; during them it is execute's
        return INTERRUPTED


def program() -> None:
    """As `pip install` calls it."""
    from whole_output import end_with
    end_with(lambda: main(sys.argv[1:]))
