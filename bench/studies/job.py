# SPDX-License-Identifier: BSD-3-Clause
"""A run of a study and the file it is to become: what lies under that name, and whether it is exactly this run."""
from __future__ import annotations

import os
import re
import subprocess
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import h5py

from .study_file import Run, StudyError

SEAL = re.compile(rb"quantimed-trace-crc32:([0-9a-f]{8})\n\n\Z")  # the last 32 bytes: the checksum of all before
# Lines of an .ini that do not change what is computed.
NOT_COMPARED = re.compile(r"^(output|quiet) = .*\n", re.MULTILINE)
NOTHING, DONE, RESUME, AGAIN, OTHER, FOREIGN = "nothing", "done", "resume", "again", "other", "foreign"
# How runner.name_of names a study's traces: nobody else's file has such a name.
OF_A_STUDY = re.compile(r".+-seed\d+-[0-9a-f]{12}\.h5(\.partial)?")
SIGNATURE, SCHEMA = b"\x89HDF\r\n\x1a\n", b"quantimed-trace"
EARLIEST_NAMES = (b"schema_version", b"software_version")  # within a trace's first TOO_SHORT bytes
TOO_SHORT, HEAD = 512, 1 << 16
UNREADABLE = (OSError, KeyError, ValueError, AttributeError, RuntimeError, TypeError)


@dataclass(frozen=True)
class Release:
    """Which program: its version, and the commit of the sources that it was built from."""
    version: str
    commit: str

    def __str__(self) -> str:
        return f"quantimed {self.version} ({self.commit or 'unknown commit'})"


@dataclass(frozen=True)
class Job:
    run: Run
    path: Path
    ini: str = field(repr=False)  # resolved by the program, without NOT_COMPARED
    # What else decides the bits. None and "": not known, in plans that were made before this was asked.
    release: Release | None = None
    data: str = ""  # fingerprint_of what it reads

    @property
    def real_time(self) -> bool:
        """On the machine's own clock: it runs after all others, and alone."""
        return ini_value(self.ini, "engine") in ("threads", "mpi")

    @property
    def cost(self) -> float:
        """Only a weight, for the order and the time left: nodes' iterations, and something for starting."""
        nodes, iterations = (int(ini_value(self.ini, name)) for name in ("nodes", "iterations"))
        return nodes * (iterations + 40)


def ini_value(ini: str, name: str) -> str:
    match = re.search(rf"^{re.escape(name)} = (.*)$", ini, re.MULTILINE)
    return match[1] if match else ""


def fingerprint_of(contents: dict[str, object]) -> str:
    """Of all that a run reads beside its options: data, and the files of a graph, of speeds and of a machine, if any."""
    names = ("fingerprint", "graph_fingerprint", "speed_fingerprint", "machine_fingerprint")
    return "-".join(str(contents[name]) for name in names if contents.get(name))


@lru_cache(maxsize=None)
def release_of(program: Path) -> Release:
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True)
    words = done.stdout.split()
    if done.returncode or len(words) < 2 or words[0] != "quantimed":
        raise StudyError(f"{program}: --version says '{(done.stdout or done.stderr).strip()}'; is this quantimed?")
    return Release(words[1], words[2] if len(words) > 2 else "")


@dataclass(frozen=True)
class Facts:
    """What a trace says of itself."""
    status: str
    release: Release
    ini: str
    data: str
    has_checkpoint: bool


def facts_of(path: Path) -> Facts | None:
    """None for a file that is not there, not a trace, or not as it was written."""
    try:
        image = path.read_bytes()
        seal = SEAL.search(image)
        if not seal or int(seal[1], 16) != zlib.crc32(image[:-32]):
            return None
        with h5py.File(path, "r") as file:
            return Facts(str(file.attrs["status"]), Release(str(file.attrs["software_version"]), str(file.attrs["commit"])),
                         NOT_COMPARED.sub("", file["config/ini"][()].decode()),
                         fingerprint_of(dict(file["data"].attrs)) if "data" in file else "", "checkpoint" in file)
    except UNREADABLE:
        return None


def is_ours(path: Path) -> bool:
    """Whether a file is a trace that quantimed wrote, whole, damaged or cut short, or stands under the name of a study's
    trace. Anything else is its owner's, whatever its name ends with."""
    if not path.is_file():
        return False
    if OF_A_STUDY.fullmatch(path.name):
        return True
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(-min(32, file.seek(0, os.SEEK_END)), os.SEEK_END)
        if SEAL.search(file.read()):
            return True
    if not head:  # as a full disk leaves it
        return path.name.endswith((".h5", ".h5.partial"))
    if not head.startswith(SIGNATURE[:len(head)]):
        return False
    try:
        with h5py.File(path, "r") as whole:
            return str(whole.attrs["schema"]) == SCHEMA.decode()
    except KeyError:  # another's HDF5
        return False
    except UNREADABLE:
        return len(head) < TOO_SHORT or SCHEMA in head or all(name in head for name in EARLIEST_NAMES)


def difference(job: Job, facts: Facts, free: tuple[str, ...] = ()) -> str:
    """Why a trace is not of this job's run; nothing where it is. `free`: options that may differ."""
    def lines(ini: str) -> dict[str, str]:
        pairs = (line.partition(" = ") for line in ini.splitlines())
        return {name: value for name, equals, value in pairs if equals and name not in free}

    if facts.ini != job.ini:
        asked, has = lines(job.ini), lines(facts.ini)
        for name in (*asked, *has):
            if asked.get(name) != has.get(name):
                return f"is of a run with {name} = {has.get(name, 'something else')}, and {asked.get(name, 'something else')} is asked for"
    if job.data and facts.data != job.data:
        return f"is of other data (fingerprint {facts.data or 'unknown'}; now it is {job.data})"
    if job.release and facts.release != job.release:
        return f"was made by {facts.release}, and this is {job.release}"
    return ""


@dataclass(frozen=True)
class Remains:
    """What an earlier attempt left, and what is to be done: NOTHING is there, DONE, RESUME it, start AGAIN since it
    cannot be resumed, it is an OTHER run's, or FOREIGN: nothing that quantimed wrote."""
    state: str
    why: str = ""


def look(job: Job, free: tuple[str, ...] = ()) -> Remains:
    """The trace itself wins over its .partial, unless it is damaged."""
    partial = job.path.with_name(job.path.name + ".partial")
    found = [one for path in (job.path, partial) if (one := _look_at(path, job, free))]
    if not found:
        return Remains(NOTHING)
    for state in (FOREIGN, OTHER, DONE, RESUME):
        for one in found:
            if one.state == state:
                return one
    return found[0]


def _look_at(path: Path, job: Job, free: tuple[str, ...]) -> Remains | None:
    if not path.exists():
        return None
    if not path.is_file():
        return Remains(FOREIGN, f"{path.name}: is not a plain file")
    facts = facts_of(path)
    if facts is None and not is_ours(path):
        return Remains(FOREIGN, f"{path.name}: is not a trace that quantimed wrote")
    if facts is None:
        return Remains(AGAIN, f"{path.name} is damaged, or no trace")
    if why := difference(job, facts, free):
        return Remains(OTHER, f"{path.name} {why}")
    if facts.status in ("complete", "diverged") and path == job.path:  # one that diverged would again
        return Remains(DONE, facts.status)
    return Remains(RESUME) if facts.has_checkpoint else Remains(AGAIN, f"{path.name} was cut and has no checkpoint")


def is_done(job: Job) -> bool:
    """Whether the trace is there, whole, and of exactly this run. A run that diverged is done: it would again."""
    found = _look_at(job.path, job, ())
    return found is not None and found.state == DONE


def set_aside(path: Path) -> Path | None:
    """What is not to be taken for a trace, and not to be lost either: beside those set aside before. What is not ours stays."""
    if not is_ours(path):
        return None
    number, aside = 1, path.with_name(path.name + ".damaged")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.replace(aside)
    return aside


def others_in(folder: Path, jobs: Iterable[Job]) -> dict[str, list[Path]]:
    """Traces in the folder that are none of these jobs', by what they are: left by an earlier form of a study."""
    jobs = list(jobs)
    ours = {job.path.name for job in jobs}
    releases = {job.release for job in jobs if job.release}
    inis = {job.ini for job in jobs}
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.h5")):
        if path.name in ours:
            continue
        facts = facts_of(path)
        kind = ("damaged or unfinished" if facts is None or facts.status not in ("complete", "diverged") else
                f"made by {facts.release}" if releases and facts.release not in releases else
                "of other data" if facts.ini in inis else "of other options")
        found.setdefault(kind, []).append(path)
    return found


def others_text(found: dict[str, list[Path]]) -> str:
    parts = [f"{len(paths)} trace{'s' if len(paths) > 1 else ''} {kind}" for kind, paths in found.items()]
    return ", ".join(parts)
