# SPDX-License-Identifier: BSD-3-Clause
"""What a site asks of a job: from a site file (slurm/site.example), and from the command line, which wins."""
from __future__ import annotations

import argparse
import os
import pwd
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from studies.study_file import StudyError, read_plain

# Name here and in sbatch, and what it is for.
SBATCH = {
    "partition": "where the tasks run",
    "account": "who pays",
    "qos": "quality of service",
    "time": "limit of a task, as 2:00:00; a run that takes longer is cut, requeued and goes on",
    "mem": "memory of a task, as 8G",
    "constraint": "features of the nodes",
    "nodelist": "these nodes alone",
    "exclude": "not these nodes",
    "reservation": "a reservation's name",
}
OWN = ("cpus-per-task", "parallel", "exclusive", "module", "mail", "mpi", "sbatch", "collect-sbatch")
# Of sbatch: those that a value never follows as a word of its own.
WITHOUT_VALUE = ("contiguous", "exclusive", "get-user-env", "hold", "ignore-pbs", "no-kill", "no-requeue", "nice", "overcommit",
                 "oversubscribe", "propagate", "quiet", "reboot", "requeue", "share", "spread-job", "test-only", "use-min-nodes",
                 "verbose", "wait")
LETTERS_WITHOUT_VALUE = "HOQWhksv"
# What submit gives to sbatch itself, and what to do instead: a second one would win. First of all jobs, then of the tasks.
OF_SUBMIT = {
    "array": ("a", "the array is submit's own, and of the tasks alone; so many at once is --parallel N, some of the runs --only"),
    "job-name": ("J", "submit knows its jobs by their names; leave it out"),
    "chdir": ("D", "jobs run in the study's folder, which is --output of submit"),
    "output": ("o", "status reads the logs where submit has them; the study's folder is --output of submit"),
    "error": ("e", "status reads the logs where submit has them; the study's folder is --output of submit"),
    "wrap": ("", "the script is submit's own; what is to run before it goes into --setup or the site file"),
    "parsable": ("", "submit asks for it itself; leave it out"),
    "test-only": ("", "is an option of submit: give it there"),
    "wait": ("W", "is an option of submit: give it there"),
}
OF_TASKS = {
    **{name: (letter, f"is an option of submit, which reckons with it: give --{name} there")
       for name, letter in {"time": "t", "mem": "", "cpus-per-task": "c", "nodes": "N", "exclusive": ""}.items()},
    "mem-per-cpu": ("", "is memory, which submit reckons with: give --mem there"),
    "ntasks": ("n", "a task is one process, or one on each machine: give --nodes to submit"),
    "ntasks-per-node": ("", "a task is one process, or one on each machine: give --nodes to submit"),
}
LETTERS = {"partition": "p", "account": "A", "qos": "q", "constraint": "C", "nodelist": "w", "exclude": "x", "reservation": ""}
OF_COLLECTION = {"dependency": ("d", "the collection waits for the tasks; leave it out")}
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


def is_option(word: str, name: str, letter: str) -> bool:
    """As sbatch takes it: by its letter, or by its name, which may be cut short."""
    long = re.match(r"--([a-z-]{2,})(?:=|$)", word)
    return bool(letter and word.startswith(f"-{letter}")) or bool(long and name.startswith(long[1]))


@dataclass
class Site:
    values: dict[str, str] = field(default_factory=dict)
    setup: str = ""  # lines of bash, as they are

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def flag(self, name: str) -> bool | None:
        text = self.get(name).lower()
        if text and text not in YES + NO:
            raise StudyError(f"{name} = {text}: give yes or no")
        return text in YES if text else None

    def number(self, name: str) -> int | None:
        text = self.get(name)
        if text and (not (text.isascii() and text.isdecimal()) or int(text) < 1):
            raise StudyError(f"{name} = {text}: give 1 or more")
        return int(text) if text else None

    def words(self, name: str) -> list[str]:
        try:
            return shlex.split(self.get(name))
        except ValueError as error:
            raise StudyError(f"{name} = {self.get(name)}: {error}; correct the quotes") from None

    def options(self, name: str) -> list[str]:
        """Words that are all options of sbatch, each with its value: it takes any other for the batch script."""
        words = self.words(name)
        value_may_come = False
        for word in words:
            long = re.fullmatch(r"--([a-z-]+)(=.*)?", word, re.DOTALL)
            for other, (letter, instead) in (OF_SUBMIT | (OF_TASKS if name == "sbatch" else OF_COLLECTION)).items():
                if is_option(word, other, letter):
                    raise StudyError(f"--{name} {word}: {instead}")
            for other, letter in LETTERS.items() if name == "sbatch" else ():
                if self.get(other) and is_option(word, other, letter):
                    raise StudyError(f"--{name} {word}: --{other} {self.get(other)} is there, too; leave one of them out")
            if not word.startswith("-") and not value_may_come:
                raise StudyError(f"--{name} {word}: is no option of sbatch, which would take it for the script; options begin with -, as "
                                 f"--{name} '--gres=x --nice'")
            value_may_come = bool(long and not long[2] and not any(option.startswith(long[1]) for option in WITHOUT_VALUE) or
                                  re.fullmatch(f"-[^-{LETTERS_WITHOUT_VALUE}]", word))
        return words

    def sbatch_options(self) -> list[str]:
        return [f"--{name}={self.get(name)}" for name in SBATCH if self.get(name)] + self.options("sbatch")

    def mail_options(self) -> list[str]:
        return [f"--mail-user={self.get('mail')}", "--mail-type=END,FAIL"] if self.get("mail") else []

    def script(self) -> str:
        """Loads the modules and does the set-up, in the batch script."""
        modules = "".join(f"module load {shlex.quote(name)}\n" for name in self.words("module"))
        return modules + self.setup


def read_site(path: Path) -> Site:
    lines = read_plain(path).splitlines()
    site = Site()
    lines_of: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if line == "[setup]":  # bash from here on
            site.setup = "\n".join(lines[number:]) + "\n"
            break
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if name == "nodes":
            raise StudyError(f"{path}:{number}: '{line}': over how many machines a run goes is its study's: submit it with --nodes "
                             f"{value or 'N'}; so many tasks at once is parallel = {value or 'N'}")
        if not equals or (name not in SBATCH and name not in OWN):
            raise StudyError(f"{path}:{number}: '{line}': a line is NAME = VALUE, with NAME one of "
                             f"{', '.join((*SBATCH, *OWN))}; bash goes below [setup]")
        if (first := lines_of.setdefault(name, number)) != number:
            raise StudyError(f"{path}:{number}: {name}: is set twice in this file, in lines {first} and {number}; keep one")
        if value:
            site.values[name] = value
    return site


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the cluster (each also a line of the site file; the command line wins, and none takes back its partition and the like)")
    group.add_argument("--site", type=Path, metavar="FILE", help="the site file [$QUANTIMED_SITE]; see slurm/site.example")
    for name, meaning in SBATCH.items():
        group.add_argument(f"--{name}", metavar="VALUE", help=meaning)
    group.add_argument("--cpus-per-task", metavar="N", help="cores of a task: so many runs of its pack go at a time "
                       "[1; in real time a core for each node, over several machines one more]")
    group.add_argument("--parallel", metavar="N", help="so many tasks at once at most [no limit]")
    group.add_argument("--nodes", metavar="N", help="machines of a task, as in sbatch: a run with engine = mpi goes over so many, "
                       "a rank on each; every other run lives on one [1]")
    group.add_argument("--mpi", metavar="TYPE", help="how srun starts the ranks [pmix for Open MPI, pmi2 for MPICH]; srun --mpi=list "
                       "tells what there is")
    group.add_argument("--mail", metavar="ADDRESS", help="an e-mail when all has ended, or has failed")
    group.add_argument("--exclusive", metavar="yes|no", nargs="?", const="yes",
                       help="whole nodes [yes in real time, no in virtual time]")
    group.add_argument("--module", type=str, metavar="NAME ...", help="modules to load; empty: none")
    group.add_argument("--sbatch", type=str, metavar="OPTIONS", help="any other options of sbatch, in one word: --sbatch '--gres=x --nice'")
    group.add_argument("--collect-sbatch", type=str, metavar="OPTIONS", help="options of sbatch for the collection job alone")
    group.add_argument("--setup", type=Path, metavar="FILE", help="bash to run first in each job, instead of [setup]")


def check_mail(text: str) -> None:
    """Where the study is submitted: machines that only compute need not know its users."""
    for name in text.split(",") if text else []:
        if not re.fullmatch(r"[^\s@,;|<>]+@[^\s@,;|<>]+", name) and not is_user(name):
            raise StudyError(f"--mail {text}: '{name}' is neither an address nor a user of this machine; give NAME@HOST")


def is_user(name: str) -> bool:
    try:
        return bool(name and pwd.getpwnam(name))
    except (KeyError, ValueError):
        return False


def chosen_site(args: argparse.Namespace) -> Site:
    path = args.site or (Path(os.environ["QUANTIMED_SITE"]) if os.environ.get("QUANTIMED_SITE") else None)
    site = read_site(path) if path else Site()
    for name in (*SBATCH, *OWN, "nodes"):
        value = getattr(args, name.replace("-", "_"))
        if value == "none" and name in LETTERS:  # what the site file has
            site.values.pop(name, None)
        elif value is not None:
            site.values[name] = value
    check_mail(site.get("mail"))
    if args.setup:
        site.setup = read_plain(args.setup, f"--setup {args.setup}")
    return site
