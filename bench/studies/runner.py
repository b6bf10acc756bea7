# SPDX-License-Identifier: BSD-3-Clause
"""Runs a plan: one process of one worker thread a core, resumed where it stopped.

Virtual time gives the same bits whatever runs beside it, so cores may be shared freely.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from .job import NOT_COMPARED as NOT_COMPARED
from .job import AGAIN, OTHER, RESUME, Job, Release, is_done, look, release_of, set_aside
from .job import facts_of as facts_of
from .job import fingerprint_of
from .job import ini_value as ini_value
from .study_file import Run, Study, StudyError

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED, BAD_INPUT, DIVERGED, MACHINE, INVALID = 75, 2, 3, 4, 5
# The options that say what a run reads beside them.
SEED = re.compile(r"^seed = .*$", re.MULTILINE)  # what runs differ in that are otherwise alike: they are resolved once
READ = ("dataset", "classes", "grey", "target", "seed", "graph", "speed", "machine")


def find_program() -> Path:
    """$QUANTIMED_PROGRAM, the one built in this repository, or the one that is installed."""
    named, built = os.environ.get("QUANTIMED_PROGRAM"), ROOT / "build" / "quantimed"
    places = (Path(named),) if named else (built, ROOT.parent.parent / "bin" / "quantimed", Path(shutil.which("quantimed") or built))
    program = next((place for place in places if place.is_file()), places[0])
    if not os.access(program, os.X_OK) or not program.is_file():
        raise StudyError(f"{program}: no such program; `make build/quantimed`, or set QUANTIMED_PROGRAM")
    return program.resolve()


def resolved(program: Path, arguments: Iterable[str]) -> str:
    """The .ini that `quantimed run ARGUMENTS` comes to."""
    done = subprocess.run([str(program), "run", *arguments, "--dry-run"], capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[0] if done.stderr.strip() else f"exit status {done.returncode}"
        raise StudyError(reason.removeprefix("quantimed: "))
    return NOT_COMPARED.sub("", done.stdout)


def data_of(program: Path, ini: str, elsewhere: bool = False) -> str:
    """The fingerprint of what such a run reads; "" where that is not here and need not be."""
    try:
        return contents(program, tuple(f"--{name}={value}" for name in READ if (value := ini_value(ini, name))))
    except StudyError:
        if elsewhere:
            return ""
        raise


@lru_cache(maxsize=None)  # reading a data set takes a thousand times as long as resolving options
def contents(program: Path, options: tuple[str, ...]) -> str:
    """The fingerprint of what a run with these options reads, by content and not by name."""
    done = subprocess.run([str(program), "info", "--contents", *options], capture_output=True, text=True)
    if done.returncode:
        raise StudyError((done.stderr.strip().splitlines() or [f"info: exit status {done.returncode}"])[0].removeprefix("quantimed: "))
    return fingerprint_of({name: value for name, _, value in (line.partition(" = ") for line in done.stdout.splitlines())})


def plan(studies: Iterable[tuple[Study, list[Run]]], folder: Path, program: Path, elsewhere: bool = False,
         any_commit: bool = False, machines: int = 1) -> dict[str, list[Job]]:
    """Each study's jobs. The program itself resolves the options, so a bad one ends here and not after an hour.
    A job's file is named by all that decides its bits: options, data, program. Studies that share a run share its file.
    elsewhere: they will run on another machine, or on several, so the cores of this one do not matter.
    any_commit: a trace that another commit of the same version made counts, too."""
    release = release_of(program)

    def resolve(run: Run, alike: dict[str, str]) -> Job:
        arguments = arguments_of(run)
        real_time = run.options.get("engine") in ("threads", "mpi")
        engine = [] if real_time else ["--engine=virtual", "--threads=1"]
        if real_time and elsewhere:
            if not run.options.get("nodes", "").isdecimal():
                raise StudyError(f"{run.study}: {run.label()}: nodes: give their number; auto would count this machine's cores")
            engine = [f"--threads={-(-int(run.options['nodes']) // machines)}"]
            engine += [] if run.options.get("oversubscribe") == "true" else ["--oversubscribe"]
        try:
            if not alike:
                alike[""] = resolved(program, [*engine, f"--algorithm={run.algorithm}", f"--seed={run.seed}", *arguments])
            ini = SEED.sub(f"seed = {run.seed}", alike[""])
            data = data_of(program, ini, elsewhere)
        except StudyError as error:
            raise StudyError(f"{run.study}: {run.label()}: {error}") from None
        if real_time and elsewhere and run.options.get("oversubscribe") != "true":
            ini = ini.replace("\noversubscribe = true\n", "\noversubscribe = false\n")
        job = Job(run, folder / name_of(run, ini, data, release), ini, release, data)
        return of_any_commit(job, folder) if any_commit and not is_done(job) else job

    def resolve_all(runs: list[Run]) -> list[Job]:
        alike: dict[str, str] = {}
        return [resolve(run, alike) for run in runs]

    but_for_seed: dict[tuple[str, ...], list[Run]] = {}
    studies = list(studies)
    for _, runs in studies:
        for run in runs:
            but_for_seed.setdefault((run.algorithm, *arguments_of(run)), []).append(run)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = {id(job.run): job for jobs in pool.map(resolve_all, but_for_seed.values()) for job in jobs}
    return {study.name: [found[id(run)] for run in runs] for study, runs in studies}


def arguments_of(run: Run) -> list[str]:
    return [f"--{k}" if v == "true" else f"--{k}={v}" for k, v in run.options.items() if v != "false"]


def name_of(run: Run, ini: str, data: str, release: Release) -> str:
    identity = "\0".join((ini, data, release.version, release.commit))
    return f"{run.algorithm}-seed{run.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.h5"


def of_any_commit(job: Job, folder: Path) -> Job:
    """The same job with the trace of another commit of this version, where there is one."""
    assert job.release
    for path in sorted(folder.glob(f"{job.run.algorithm}-seed{job.run.seed}-*.h5")):
        if (facts := facts_of(path)) and facts.release.version == job.release.version:
            other = replace(job, path=path, release=facts.release)
            if is_done(other):
                return other
    return job


def write_plan(study: Study, jobs: list[Job], folder: Path) -> None:
    runs = [{"file": job.path.name, "algorithm": job.run.algorithm, "seed": job.run.seed, "setting": job.run.setting,
             "options": job.run.options, "version": job.release.version if job.release else "",
             "commit": job.release.commit if job.release else "", "data": job.data, "ini": job.ini} for job in jobs]
    text = json.dumps({"study": study.name, "figure": study.text("figure"), "runs": runs}, indent=1)
    write_whole(folder / f"{study.name}.study.json", text + "\n")


def read_plan(path: Path) -> list[Job]:
    """The jobs that write_plan wrote down; their files are beside the plan, wherever the folder is now."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        runs = [(Run(plan["study"], r["algorithm"], int(r["seed"]), r["setting"], r["options"]), r) for r in plan["runs"]]
        # A name, never a path that leads elsewhere.
        return [Job(run, path.parent / Path(r["file"]).name, r["ini"],
                    Release(r["version"], r["commit"]) if r.get("version") else None, r.get("data", "")) for run, r in runs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path}: no plan of a study ({error}); submit or run the study again") from None


def plans_in(folder: Path) -> list[Job]:
    """The jobs of all plans in a folder; two that share a run share its file."""
    return list({job.path.name: job for plan in sorted(folder.glob("*.study.json")) for job in read_plan(plan)}.values())


def write_whole(path: Path, text: str) -> None:
    """Under its name only when complete: a reader beside us, or a kill, never leaves half of it."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


@dataclass
class Outcome:
    kept: int = 0
    ran: int = 0
    diverged: list[Job] = field(default_factory=list)
    failed: list[tuple[Job, str]] = field(default_factory=list)
    stopped: bool = False
    seconds: float = 0

    def add(self, other: Outcome) -> None:
        """What ran after it."""
        self.kept, self.ran, self.seconds = self.kept + other.kept, self.ran + other.ran, self.seconds + other.seconds
        self.diverged += other.diverged
        self.failed += other.failed
        self.stopped |= other.stopped

    @property
    def exit_status(self) -> int:
        return INTERRUPTED if self.stopped else 1 if self.failed else 0


@contextmanager
def only_user_of(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w", encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{folder}: {error.strerror}; choose another --output") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(f"{folder}: another study is running into it; wait, or choose another --output") from None
        yield


def execute(jobs: Iterable[Job], program: Path, at_once: int, progress: bool) -> Outcome:
    """Runs what is not done yet, the longest first, so that no core waits at the end; real-time runs last."""
    outcome = Outcome()
    unique = {job.path: job for job in jobs}
    waiting = [job for job in unique.values() if not is_done(job)]
    outcome.kept = len(unique) - len(waiting)
    waiting.sort(key=lambda job: (not job.real_time, job.cost))
    running: dict[subprocess.Popen[str], Job] = {}
    meter = Meter(waiting, at_once, progress)
    # A signal is noted, not thrown: it must not come between a run's end and its entry in the books.
    came: list[int] = []
    handlers = {s: signal.signal(s, lambda number, frame: came.append(number)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        while (waiting or running) and not came:
            while waiting and len(running) < (1 if waiting[-1].real_time else at_once):
                job = waiting.pop()
                running[start(job, program)] = job
            time.sleep(0.02)
            for child in [c for c in running if c.poll() is not None]:
                job = running.pop(child)
                if bad_input := settle(child, job, outcome):
                    raise StudyError(f"{job.run.study}: {job.run.label()}: {bad_input}")
                meter.done(job)
            meter.show(running.values())
        outcome.stopped = bool(came)
    finally:
        outcome.ran += stop(running)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        meter.end()
        outcome.seconds = time.monotonic() - meter.start
    return outcome


def start(job: Job, program: Path) -> subprocess.Popen[str]:
    """From where an earlier attempt was stopped, if there was one."""
    ini = job.path.with_suffix(".ini")
    ini.write_text(job.ini, encoding="utf-8")
    found = look(job)
    if found.state in (AGAIN, OTHER):
        for path in (job.path, job.path.with_name(job.path.name + ".partial")):
            set_aside(path)
    output = ["--resume", str(job.path)] if found.state == RESUME else ["--output", str(job.path)]
    command = [str(program), "run", "--config", str(ini), *output, "--quiet"]
    # Its own session: Ctrl-C reaches this process alone, which then ends the children in order.
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def settle(child: subprocess.Popen[str], job: Job, outcome: Outcome) -> str:
    """Books a child that has ended. Returns a message where the others would fail in the same way."""
    assert child.stderr
    with child.stderr:
        message = child.stderr.read().strip().splitlines()
    reason = message[0].removeprefix("quantimed: ") if message else f"exit status {child.returncode}"
    if child.returncode == BAD_INPUT:
        return reason
    job.path.with_suffix(".ini").unlink(missing_ok=True)
    if child.returncode in (0, DIVERGED) and is_done(job):
        outcome.ran += 1
        if child.returncode == DIVERGED:
            outcome.diverged.append(job)
    else:
        outcome.failed.append((job, reason))
    return ""


def stop(running: dict[subprocess.Popen[str], Job]) -> int:
    """Ends the children, which leave their checkpoints. Returns how many ended just in time, and are kept."""
    for child in running:
        child.send_signal(signal.SIGINT)
    for child, job in running.items():
        try:
            child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        job.path.with_suffix(".ini").unlink(missing_ok=True)
    return sum(is_done(job) for job in running.values())


class Meter:
    """How much is done, and how long the rest may take: one line on a terminal; in a file one at the start, and one now and then."""

    FIRST_S, BETWEEN_S, REFRESH_S = 20.0, 30.0, 0.5  # as the program's own

    def __init__(self, jobs: list[Job], at_once: int, visible: bool) -> None:
        self.total, self.count = sum(job.cost for job in jobs), len(jobs)
        self.visible, self.is_terminal = visible, sys.stderr.isatty()
        self.finished = 0.0
        self.ended = 0
        self.start = time.monotonic()
        self.shown = self.start + self.FIRST_S - self.BETWEEN_S
        if jobs and visible and not self.is_terminal:
            beside = f", {at_once} at a time" if at_once > 1 and not jobs[-1].real_time else ""
            print(f"{self.count} run{'s' if self.count > 1 else ''}{beside}; time unknown yet", file=sys.stderr, flush=True)

    def done(self, job: Job) -> None:
        self.finished += job.cost
        self.ended += 1

    def show(self, running: Iterable[Job]) -> None:
        now = time.monotonic()
        if not self.visible or now - self.shown < (self.REFRESH_S if self.is_terminal else self.BETWEEN_S):
            return
        self.shown = now
        left = "" if not self.finished else f", about {self.left(now):.0f} s left"
        names = "; ".join(f"{job.run.study} {job.run.label()}" for job in running)
        text = f"{self.ended} of {self.count} runs, {now - self.start:.0f} s{left}: {names}"[:114]
        sys.stderr.write(f"\r\033[K{text}" if self.is_terminal else f"{text}\n")
        sys.stderr.flush()

    def left(self, now: float) -> float:
        return (now - self.start) * (self.total - self.finished) / self.finished

    def end(self) -> None:
        if self.visible and self.is_terminal:
            sys.stderr.write("\r\033[K")
