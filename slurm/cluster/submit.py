"""slurm/submit: a study file in, job ids out."""
from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from studies.cli import chosen_runs
from studies.runner import Job, environment, find_program, ini_value, only_user_of, plan, read_plan, write_plan, write_whole
from studies.study_file import Study, StudyError, read_study

from . import queue
from .folder import DONE, PENDING, RUNNING, Folder, counts, standings, stem
from .site import Site, add_options, chosen_site
from .start import ROOT

HERE = ROOT / "slurm"


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="slurm/submit",
        description="Submits a study: a job array, one task a run or a pack of runs, and a job that collects when all have "
        "ended. Again: only what is missing, and neither done, queued nor running. "
        "bench/studies/study_file.py explains study files. Exit status: 0 submitted or nothing to do, 2 bad input.")
    p.add_argument("study", type=Path, metavar="STUDY.ini", help="a study file")
    p.add_argument("--output", type=Path, metavar="FOLDER", help="the study's folder [runs/NAME of the file]")
    p.add_argument("--pack", type=int, default=1, metavar="N", help="runs of a task [1]")
    p.add_argument("--seeds", help="these seeds instead of the file's, beside what the folder has already")
    p.add_argument("--only", action="append", default=[], metavar="NAME=VALUE",
                   help="only runs with this option, setting or algorithm, beside what the folder has already")
    p.add_argument("--quick", action="store_true", help="the file's [quick] form")
    p.add_argument("--dry-run", action="store_true", help="print the runs and the commands; write and submit nothing")
    p.add_argument("--test-only", action="store_true", help="let SLURM check the jobs; keep and submit nothing")
    add_options(p)
    return p


@dataclass(frozen=True)
class Submission:
    """One array and its collection job, before they have ids."""
    folder: Folder
    number: int
    packs: list[list[Job]]
    site: Site
    real_time: bool

    @property
    def path(self) -> Path:
        return Path("submissions") / str(self.number)  # seen from the study's folder

    def common(self, name: str, log: str) -> list[str]:
        return ["sbatch", "--parsable", f"--job-name={self.folder.job_name()}{self.number}{name}",
                f"--chdir={self.folder.path.resolve()}", f"--output={self.path / log}", *self.site.sbatch_options()]

    def array(self) -> list[str]:
        nodes = self.site.number("nodes")
        limit = f"%{nodes}" if nodes else ""
        exclusive = self.site.flag("exclusive")
        whole = self.real_time if exclusive is None else exclusive
        return [*self.common("", "task-%a.log"), f"--array=1-{len(self.packs)}{limit}", f"--cpus-per-task={self.cpus()}",
                *(["--exclusive"] if whole else []), *(["--hint=nomultithread"] if self.real_time else []),
                str(HERE / "study.sbatch"), str(self.path)]

    def cpus(self) -> int:
        jobs = [job for pack in self.packs for job in pack]
        needed = max((int(ini_value(job.ini, "nodes")) for job in jobs if job.real_time), default=1)
        given = self.site.number("cpus-per-task")
        if given is not None and given < needed:
            raise StudyError(f"--cpus-per-task {given}: real-time runs of {needed} nodes need a core for each; give {needed}")
        return given or needed

    def collection(self, after: list[str]) -> list[str]:
        dependency = [f"--dependency=afterany:{':'.join(after)}"] if after else []
        return [*self.common(".collect", "collect.log"), *dependency, "--cpus-per-task=1",
                *self.site.words("collect-sbatch"), str(HERE / "collect.sbatch"), str(self.path)]

    def write(self, program: Path) -> None:
        where = self.folder.path / self.path
        where.mkdir(parents=True)
        for number, pack in enumerate(self.packs, 1):
            (where / f"task-{number}.txt").write_text("".join(f"{stem(job)}\n" for job in pack), encoding="utf-8")
        variables = {"QUANTIMED_HOME": str(ROOT), "QUANTIMED_PROGRAM": str(program), "QUANTIMED_RELEASE": version_of(program),
                     "QUANTIMED_ALONE": "yes" if self.real_time else "no"}
        if data := environment().get("QUANTIMED_DATA"):
            variables["QUANTIMED_DATA"] = str(Path(data).resolve())
        # SLURM need not hand on the environment (SBATCH_EXPORT=NONE).
        variables |= {name: os.environ[name] for name in ("QUANTIMED_REPORT_OPTIONS", "HDF5_USE_FILE_LOCKING") if name in os.environ}
        if script := self.site.script():
            (where / "site.sh").write_text(script, encoding="utf-8")
            variables["QUANTIMED_SETUP"] = str(self.path / "site.sh")
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        (where / "setup.sh").write_text(f"# What every job of this submission begins with.\n{exports}", encoding="utf-8")
        (where / "environment.txt").write_text(describe(program, self.site), encoding="utf-8")


def version_of(program: Path) -> str:
    return subprocess.run([str(program), "--version"], capture_output=True, text=True).stdout.strip()


def describe(program: Path, site: Site) -> str:
    """What a reader in a year wants to know; each trace says more of the node it ran on."""
    facts = {"program": str(program), "version": version_of(program), "submitted": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
             "from": platform.node(), "slurm": queue.ask(["sbatch", "--version"]).strip(),
             "modules": os.environ.get("LOADEDMODULES", ""), "command": shlex.join(sys.argv),
             **{f"site.{name}": value for name, value in site.values.items()}}
    return "".join(f"{name} = {value}\n" for name, value in facts.items())


def deal(jobs: list[Job], pack: int) -> list[list[Job]]:
    """Into packs of about equal work, the longest runs first."""
    ordered = sorted(jobs, key=lambda job: -job.cost)
    count = -(-len(ordered) // pack)
    return [ordered[k::count] for k in range(count)]


def planned(args: argparse.Namespace, folder: Path, program: Path) -> tuple[Study, list[Job]]:
    study = read_study(args.study, args.quick)
    runs = chosen_runs(study, args.seeds, args.only)
    jobs = plan([(study, runs)], folder, program, elsewhere=True)[study.name]
    before = folder / f"{study.name}.study.json"
    if (args.seeds or args.only) and before.is_file():  # more of the same study
        jobs = list({job.path.name: job for job in (*read_plan(before), *jobs)}.values())
    if len({job.real_time for job in jobs}) > 1:
        raise StudyError(f"{args.study}: engine: real-time and virtual runs need different nodes; make two studies of it")
    return study, jobs


def prepare(args: argparse.Namespace, folder: Folder, jobs: list[Job], tasks: list[queue.Task]) -> tuple[Submission, str]:
    found = standings(folder, jobs, tasks)
    todo = [s.job for s in found if s.state not in (DONE, RUNNING, PENDING)]
    packs = deal(todo, args.pack) if todo else []
    last = int(folder.submissions()[-1].name) if folder.submissions() else 0
    return Submission(folder, last + 1, packs, chosen_site(args), any(job.real_time for job in jobs)), counts(found)


def is_reported(folder: Path, jobs: list[Job]) -> bool:
    page = folder / "report" / "index.html"
    return page.is_file() and all(job.path.stat().st_mtime <= page.stat().st_mtime for job in jobs if job.path.exists())


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
    collection = queue.submit(submission.collection(sorted(waiting)))
    return [*lines, f"collection {collection}: when all tasks have ended"]


def check_only(submission: Submission) -> int:
    commands = ([submission.array()] if submission.packs else []) + [submission.collection([])]
    for command in commands:
        done = subprocess.run([command[0], "--test-only", *command[2:]], capture_output=True, text=True)
        print(done.stderr.strip() or "sbatch said nothing")
        if done.returncode:
            return done.returncode
    return 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.pack < 1:
        raise StudyError(f"--pack {args.pack}: give 1 or more")
    program = find_program()
    path: Path = args.output or Path("runs") / args.study.stem
    folder = Folder(path)
    if args.dry_run or args.test_only:
        _, jobs = planned(args, path, program)
        submission, standing = prepare(args, folder, jobs, queue.tasks_named(folder.job_name()) if args.test_only else [])
        if args.test_only:
            with tempfile.TemporaryDirectory() as scratch:  # --chdir need not exist, but its job script does
                return check_only(submission if path.is_dir() else
                                  Submission(Folder(Path(scratch)), 1, submission.packs, submission.site, submission.real_time))
        print(f"{path}: {standing}")
        for number, pack in enumerate(submission.packs, 1):
            print("".join(f"task {number}: {job.run.label()}  [{stem(job)}]\n" for job in pack), end="")
        for command in ([submission.array()] if submission.packs else []) + [submission.collection(["ARRAY"])]:
            print(shlex.join(command))
        return 0
    with only_user_of(path):
        study, jobs = planned(args, path, program)
        write_plan(study, jobs, path)
        shutil.copyfile(args.study, path / f"{study.name}.ini")
        folder.write_configs(jobs)
        tasks = queue.tasks_named(folder.job_name())
        submission, standing = prepare(args, folder, jobs, tasks)
        print(f"{path}: {standing}")
        collecting = any(t.live and t.name.endswith(".collect") for t in tasks)
        if not submission.packs and (collecting or is_reported(path, jobs)):
            print("nothing to submit")
            return 0
        if len(submission.packs) > (most := queue.most_tasks()):
            raise StudyError(f"--pack {args.pack}: {len(submission.packs)} tasks, and an array here holds {most}; "
                             f"give --pack {-(-sum(map(len, submission.packs)) // most)} or more")
        submission.write(program)
        lines = send(submission, tasks)
        write_whole(path / submission.path / "jobs.txt", "".join(line + "\n" for line in lines))
    print("\n".join(lines))
    print(f"how it goes: slurm/status {path}")
    return 0
