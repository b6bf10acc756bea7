# SPDX-License-Identifier: BSD-3-Clause
"""slurm/submit: a study file in, job ids out."""
from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from command_line import Parser
from studies.cli import chosen_runs
from studies.job import Job, ini_value
from studies.runner import find_program, only_user_of, plan, read_plan, write_plan, write_whole
from studies.study_file import Run, Study, StudyError, parse_seeds, read_study, require_quick

from . import machines, queue
from .estimate import (Estimate, check_data, check_forms, check_memory, check_time, deal, describe, from_earlier, from_pilots, mib_of,
                       seconds_of_limit, tasks_for, tell)
from .folder import NO_REPORT, WHEN, Folder, stem
from .site import Site, add_options, chosen_site
from .standing import DONE, PENDING, RUNNING, Queue, counts, never_text, standings
from .start import ROOT
from .status import command, look_at, strangers, text_of
from .status import parser as status_parser

HERE = ROOT / "slurm"
NEVER_STARTS = 1
COLLECTION_MIB = 1024
HANDED_ON = ("QUANTIMED_REPORT_OPTIONS", "HDF5_USE_FILE_LOCKING")  # SLURM need not hand on the environment (SBATCH_EXPORT=NONE)


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="slurm/submit",
        description="Submits a study: a job array, each task a pack of runs, and a job that collects when all have "
        "ended. Again: only what is missing, and neither done, queued nor running. "
        "bench/studies/study_file.py explains study files. Exit status: 0 submitted or nothing to do, 1 a job of it can never "
        "start, 2 bad input; with --wait that of slurm/status.")
    p.add_argument("study", type=Path, metavar="STUDY.ini", help="a study file")
    p.add_argument("--output", type=Path, metavar="FOLDER", help="the study's folder [runs/NAME of the file]")
    p.add_argument("--pack", default="auto", metavar="N|auto", help="runs of a task; auto: so many that a task lasts about half an "
                   "hour, and at most 80 %% of --time; one, where that cannot be estimated [auto]")
    p.add_argument("--seeds", help="these seeds instead of the file's, beside what the folder has already")
    p.add_argument("--only", action="append", default=[], metavar="NAME=VALUE",
                   help="only runs with this option, setting or algorithm, beside what the folder has already")
    p.add_argument("--quick", action="store_true", help="the file's [quick] form")
    p.add_argument("--any-commit", action="store_true", help="count traces that another commit of the same version made, too")
    p.add_argument("--no-check", action="store_true", help="do not look for the data here, nor time a few seconds of each kind of run "
                   "(for login nodes that do not see the data, or must not compute)")
    p.add_argument("--retries", type=int, default=0, metavar="N", help="submit runs that fail so many times more, with twice the "
                   "memory where they were short of it [0]")
    p.add_argument("--wait", action="store_true", help="stay until all has ended, then print how it stands")
    p.add_argument("--dry-run", action="store_true", help="print the tasks and the commands; write and submit nothing")
    p.add_argument("--test-only", action="store_true", help="let SLURM check the jobs, without timing any run; keep and submit nothing")
    add_options(p)
    return p


def joined(argv: list[str]) -> list[str]:
    """argparse takes an option's value that begins with - only after an equals sign."""
    words = list(argv)
    for k in range(len(words) - 2, -1, -1):
        if words[k] in ("--sbatch", "--collect-sbatch"):
            words[k:k + 2] = [f"{words[k]}={words[k + 1]}"]
    return words


@dataclass(frozen=True)
class Submission:
    """One array and its collection job, before they have ids."""
    folder: Folder
    number: int
    packs: list[list[Job]]
    site: Site
    real_time: bool
    retries: int = 0
    attempt: int = 0  # of --retries

    @property
    def path(self) -> Path:
        return Path("submissions") / str(self.number)  # seen from the study's folder

    def common(self, name: str, log: str) -> list[str]:
        return ["sbatch", "--parsable", f"--job-name={self.folder.job_name()}{self.number}{name}",
                f"--chdir={self.folder.path.resolve()}", f"--output={self.path / log}", *self.site.sbatch_options()]

    def array(self) -> list[str]:
        parallel = self.site.number("parallel")
        limit = f"%{parallel}" if parallel else ""
        exclusive = self.site.flag("exclusive")
        whole = self.real_time if exclusive is None else exclusive
        return [*self.common("", "task-%a.log"), f"--array=1-{len(self.packs)}{limit}", *machines.sbatch_options(self.site, self.runs),
                f"--cpus-per-task={self.cpus()}",
                *(["--exclusive"] if whole else []), *(["--hint=nomultithread"] if self.real_time else []),
                str(HERE / "study.sbatch"), str(self.path)]

    @property
    def runs(self) -> list[Job]:
        return [job for pack in self.packs for job in pack]

    def at_a_time(self) -> int:
        """Runs of a task beside each other."""
        return 1 if self.real_time else self.cpus()

    def cpus(self) -> int:
        count = machines.machines_of(self.site)
        needed = max((machines.cores_of(job, count) for job in self.runs if job.real_time), default=1)
        given = self.site.number("cpus-per-task")
        if given is not None and given < needed:
            if count > 1:
                raise StudyError(f"--cpus-per-task {given}: of a real-time run over {count} machines each needs a core for every node there "
                                 f"and one for the courier; give {needed}")
            raise StudyError(f"--cpus-per-task {given}: real-time runs of {needed} nodes need a core for each; give {needed}")
        return given or needed

    def collection(self, after: list[str]) -> list[str]:
        dependency = [f"--dependency=afterany:{':'.join(after)}"] if after else []
        return [*self.common(".collect", "collect.log"), *dependency, "--cpus-per-task=1", *self.memory_of_collection(),
                *self.site.mail_options(), *self.site.options("collect-sbatch"), str(HERE / "collect.sbatch"), str(self.path)]

    def memory_of_collection(self) -> list[str]:
        """Figures take what small runs do not."""
        return [f"--mem={COLLECTION_MIB}M"] if mib_of(self.site.get("mem")) < COLLECTION_MIB else []

    def write(self, program: Path) -> None:
        where = self.folder.path / self.path
        where.mkdir(parents=True)
        for number, pack in enumerate(self.packs, 1):
            (where / f"task-{number}.txt").write_text("".join(f"{stem(job)}\n" for job in pack), encoding="utf-8")
        variables = {"QUANTIMED_HOME": str(ROOT), "QUANTIMED_PROGRAM": str(program), "QUANTIMED_RELEASE": version_of(program),
                     "QUANTIMED_ALONE": "yes" if self.real_time else "no"}
        if data := os.environ.get("QUANTIMED_DATA"):
            variables["QUANTIMED_DATA"] = str(Path(data).resolve())
        variables |= machines.variables(self.site, self.runs, program)
        variables |= {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        if script := self.site.script():
            (where / "site.sh").write_text(script, encoding="utf-8")
            variables["QUANTIMED_SETUP"] = str(self.path / "site.sh")
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        (where / "setup.sh").write_text(f"# What every job of this submission begins with.\n{exports}", encoding="utf-8")
        state = {"values": self.site.values, "setup": self.site.setup, "real_time": self.real_time, "retries": self.retries,
                 "attempt": self.attempt, "report": wants_report()}
        (where / "submission.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        (where / "submitted.txt").write_text(time.strftime(WHEN) + "\n", encoding="utf-8")
        (where / "environment.txt").write_text(facts_text(program, self.site), encoding="utf-8")


def wants_report() -> bool:
    return os.environ.get("QUANTIMED_REPORT_OPTIONS", "").strip() != NO_REPORT


@lru_cache(maxsize=None)
def version_of(program: Path) -> str:
    return subprocess.run([str(program), "--version"], capture_output=True, text=True).stdout.strip()


def facts_text(program: Path, site: Site) -> str:
    """What a reader in a year wants to know; each trace says more of the node it ran on."""
    facts = {"program": str(program), "version": version_of(program), "submitted": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
             "from": platform.node(), "slurm": queue.ask(["sbatch", "--version"]).strip(),
             "modules": os.environ.get("LOADEDMODULES", ""), "command": shlex.join(sys.argv),
             **{f"site.{name}": value for name, value in site.values.items()}}
    return "".join(f"{name} = {value}\n" for name, value in facts.items())


def planned(args: argparse.Namespace, folder: Path, program: Path) -> tuple[Study, list[Job]]:
    study = read_study(args.study, args.quick)
    if args.quick:
        require_quick([study])
    runs = chosen_runs(study, args.seeds, args.only)
    before = folder / f"{study.name}.study.json"
    wanted = {run_key(run) for run in runs}
    earlier = read_plan(before) if (args.seeds or args.only) and before.is_file() else []  # more of the same study
    seeds = sorted({job.run.seed for job in earlier})
    runs += [run for run in (study.runs(seeds) if seeds else []) if run_key(run) not in wanted]
    tell(f"{len(runs)} runs: resolving their options …")
    jobs = plan([(study, runs)], folder, program, elsewhere=True, any_commit=args.any_commit,
                machines=machines.machines_of(chosen_site(args)))[study.name]
    names = {job.path.name for job in earlier}  # what the folder has of an earlier form of the file is not the same study
    jobs = [job for job in jobs if run_key(job.run) in wanted or job.path.name in names]
    if len({job.real_time for job in jobs}) > 1:
        raise StudyError(f"{args.study}: engine: real-time and virtual runs need different nodes; make two studies of it")
    return study, jobs


def run_key(run: Run) -> str:
    return repr((run.algorithm, run.seed, sorted(run.options.items())))


def prepare(args: argparse.Namespace, folder: Folder, jobs: list[Job], asked: Queue, program: Path) -> tuple[Submission, str, str]:
    """The submission, how the study stands, and what the submission will take."""
    found = standings(folder, jobs, asked)
    todo = [s.job for s in found if s.state not in (DONE, RUNNING, PENDING)]
    last = int(folder.submissions()[-1].name) if folder.submissions() else 0
    real_time = any(job.real_time for job in jobs)
    site = chosen_site(args)
    machines.check(site, jobs, folder, program)
    one = Submission(folder, last + 1, [todo] if todo else [], site, real_time, args.retries)
    at_a_time = max(1, min(one.at_a_time(), len(todo)))
    (one.array(), one.collection([]))  # what is wrong with the options is said before anything is timed
    check_forms(site.get("time"), site.get("mem"))
    check_time(site.get("time"))
    estimate = estimate_of(args, folder, todo, site, program)
    if not args.no_check:
        check_memory(estimate, at_a_time, site.get("mem"))
    packs = packed(args, todo, estimate, at_a_time, seconds_of_limit(site.get("time"))) if todo else []
    tell("")
    text = describe(todo, packs, estimate, one.cpus() * machines.machines_of(site), at_a_time, site.get("time"))
    return Submission(folder, last + 1, packs, site, real_time, args.retries), counts(found), text


def estimate_of(args: argparse.Namespace, folder: Folder, todo: list[Job], site: Site, program: Path) -> Estimate:
    estimate = Estimate()
    from_earlier(folder.path, estimate)
    if not args.no_check and not args.test_only and todo:
        check_data(todo, program)
        from_pilots(todo, program, estimate, memory_too=bool(site.get("mem")))
    return estimate


def packed(args: argparse.Namespace, todo: list[Job], estimate: Estimate, at_a_time: int, limit_s: float) -> list[list[Job]]:
    most = queue.most_tasks()
    if args.pack == "auto":
        return deal(todo, tasks_for(todo, estimate, at_a_time, limit_s, most), estimate)
    count = math.ceil(len(todo) / int(args.pack))
    if count > most:
        raise StudyError(f"--pack {args.pack}: {count} tasks, and an array here holds {most}; "
                         f"give --pack {math.ceil(len(todo) / most)} or more, or auto")
    return deal(todo, count, estimate)


def send(submission: Submission, tasks: list[queue.Task]) -> list[str]:
    """Submits both jobs. An older collection that still waits gives way: the new one comes after all tasks, old and new."""
    lines = []
    waiting = {t.job for t in tasks if t.live and not t.name.endswith(".collect")}
    for old in {t.job for t in tasks if t.live and t.name.endswith(".collect")}:
        try:
            queue.ask(["scancel", old])
        except StudyError:
            waiting.add(old)
    if submission.packs:
        array = queue.submit(submission.array())
        waiting.add(array)
        lines.append(f"array {array}: {sum(map(len, submission.packs))} runs in {len(submission.packs)} tasks")
        keep(submission, lines)
    try:
        collection = queue.submit(submission.collection(sorted(waiting)))
    except StudyError as refusal:
        if not submission.packs:
            raise
        queue.ask(["scancel", array])
        raise StudyError(f"{refusal}; its array {array} was cancelled: nothing is left in the queue") from None
    lines.append(f"collection {collection}: when all tasks have ended")
    keep(submission, lines)
    return lines


def keep(submission: Submission, lines: list[str]) -> None:
    write_whole(submission.folder.path / submission.path / "jobs.txt", "".join(line + "\n" for line in lines))


def check_only(submission: Submission) -> int:
    commands = ([submission.array()] if submission.packs else []) + [submission.collection([])]
    for words in commands:
        done = subprocess.run([words[0], "--test-only", *words[2:]], capture_output=True, text=True)
        print(done.stderr.strip() or "sbatch said nothing")
        if done.returncode:
            return done.returncode
    return 0


def print_plan(submission: Submission, standing: str, text: str) -> None:
    print(f"{submission.folder.path}: {standing}")
    for number, pack in enumerate(submission.packs, 1):
        first = f"{pack[0].run.label()}  [{stem(pack[0])}]"
        print(f"task {number}: {first if len(pack) == 1 else f'{len(pack)} runs, first {first}'}")
    if text:
        print(text)
    for words in ([submission.array()] if submission.packs else []) + [submission.collection(["ARRAY"])]:
        print(shlex.join(words))


def submit_it(args: argparse.Namespace, folder: Folder, program: Path) -> int:
    path = folder.path
    study, jobs = planned(args, path, program)
    tasks = queue.tasks_named(folder.job_name(), folder.owners())
    submission, standing, text = prepare(args, folder, jobs, Queue(tasks), program)
    write_plan(study, jobs, path)
    shutil.copyfile(args.study, path / f"{study.name}.ini")
    folder.write_configs(jobs)
    print(f"{path}: {standing}")
    if others := strangers(folder, folder.jobs(), tasks):
        print(others)
    collecting = any(t.live and t.is_collection for t in tasks)
    if not submission.packs and (collecting or folder.is_collected(wants_report(), [job.path for job in jobs if job.path.exists()])):
        stuck = {t.job: t for t in tasks if t.live and t.never}
        print("\n".join(["nothing to submit", *(f"{t.text()} {never_text(t)}" for t in stuck.values())]))
        return NEVER_STARTS if stuck else 0
    submission.write(program)
    lines = send(submission, tasks)
    if text:
        print(text)
    print("\n".join(lines))
    return 0


def wait(path: Path) -> int:
    """Until no job of the study is left. Ends with the status that slurm/status would end with."""
    pause_s = 1.0
    while not (picture := look_at(path)).is_over:
        time.sleep(pause_s)
        pause_s = min(15.0, 1.5 * pause_s)
    print(text_of(picture, status_parser().parse_args([str(path.resolve())])))
    return 0 if picture.is_good else 1


def main(argv: list[str]) -> int:
    args = parser().parse_args(joined(argv))
    if args.pack != "auto" and not (args.pack.isascii() and args.pack.isdecimal() and int(args.pack) >= 1):
        raise StudyError(f"--pack {args.pack}: give 1 or more, or auto")
    if args.retries < 0:
        raise StudyError(f"--retries {args.retries}: give 0 or more")
    if args.seeds is not None:
        parse_seeds(args.seeds, "--seeds")
    try:
        return carry_out(args)
    finally:
        tell("")


def check_folder(path: Path, study: Path) -> None:
    """Said before anything is timed, and by --dry-run too."""
    if path.exists() and study.exists() and path.samefile(study):
        raise StudyError(f"--output {path}: is the study file itself; name a folder for what becomes of it")
    for place in (path, *path.parents):
        if os.path.lexists(place) and not place.is_dir():
            raise StudyError(f"--output {path}: {'' if place == path else f'{place} '}is there and no folder; name another")
        if place.is_dir():
            return


def carry_out(args: argparse.Namespace) -> int:
    program = find_program()
    path: Path = args.output or Path("runs") / args.study.stem
    check_folder(path, args.study)
    folder = Folder(path)
    if args.dry_run or args.test_only:
        _, jobs = planned(args, path, program)
        tasks = queue.tasks_named(folder.job_name(), folder.owners()) if args.test_only or not queue.why_silent() else []
        submission, standing, text = prepare(args, folder, jobs, Queue(tasks), program)
        if args.test_only:
            with tempfile.TemporaryDirectory() as scratch:  # --chdir need not exist, but its job script does
                return check_only(submission if path.is_dir() else
                                  Submission(Folder(Path(scratch)), 1, submission.packs, submission.site, submission.real_time))
        print_plan(submission, standing, text)
        return 0
    try:
        with only_user_of(path):
            status = submit_it(args, folder, program)
    except OSError as error:
        raise StudyError(f"{error.filename or path}: {error.strerror}; nothing was submitted") from None
    if status == 0:
        print(f"how it goes: {command('status', path)}", flush=True)
    return wait(path) if args.wait and status == 0 else status
