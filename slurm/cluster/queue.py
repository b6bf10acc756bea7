# SPDX-License-Identifier: BSD-3-Clause
"""What SLURM says: submits jobs, and reads the queue. Everything goes by job name, so that a job whose id was never
written down, since the submission was killed, is found too."""
from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from studies.study_file import StudyError

# Not over; SLURM may start such a task, or start it again.
LIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
        "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT")
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
ATTEMPTS, PAUSE_S = 5, 2.0  # a busy controller answers again a little later
LIMIT_S, PING_S, LOOK_S = 120.0, 5.0, 20.0  # for an order, for `is it there`, and for a look that can be taken again
NO_SLURM = "there is no SLURM here"
# A job that waits for these waits for ever; so does one that is held.
NEVER = ("DependencyNeverSatisfied", "BadConstraints", "PartitionNodeLimit", "PartitionTimeLimit", "InvalidAccount", "InvalidQOS")
HELD = re.compile("held|hold", re.IGNORECASE)  # JobHeldUser, JobHeldAdmin, JobHoldMaxRequeue, launch failed requeued held
TRANSIENT = re.compile("timed out|Unable to contact|Connection refused|Resource temporarily|Zero Bytes", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    job: str  # of the array
    index: str  # within it, or N/A
    state: str
    reason: str
    node: str
    name: str

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def held(self) -> bool:
        return self.state in WAITING and bool(HELD.search(self.reason))

    @property
    def never(self) -> bool:
        return self.held or self.state in WAITING and self.reason in NEVER

    @property
    def is_collection(self) -> bool:
        return self.name.endswith(".collect")

    def text(self) -> str:
        return f"job {self.job}" + (f"_{self.index}" if self.index.isdecimal() else "")


def ask(command: list[str], attempts: int = ATTEMPTS, limit_s: float = LIMIT_S) -> str:
    """The command's output. Refusals are StudyErrors; a controller that does not answer is asked again."""
    for attempt in range(attempts):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
        except FileNotFoundError:
            raise StudyError(f"{command[0]}: not found; submit from a node of a SLURM cluster, or run bench/study here") from None
        except subprocess.TimeoutExpired:
            raise StudyError(f"{command[0]}: no answer within {limit_s:.0f} s; is the controller up (scontrol ping)?") from None
        if done.returncode == 0:
            return done.stdout
        if not TRANSIENT.search(done.stderr):
            break
        if attempt + 1 < attempts:
            time.sleep(PAUSE_S)
    lines = [line for line in done.stderr.strip().splitlines() if line] or [f"exit status {done.returncode}"]
    name = "sbatch" if command[0] == "env" else command[0]
    raise StudyError(f"{name}: {'; '.join(line.removeprefix(f'{name}: ') for line in lines)}")


def why_silent() -> str:
    """Why SLURM cannot be asked; nothing where it can. At once: squeue itself tries for a minute."""
    try:
        done = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=PING_S)
    except FileNotFoundError:
        return f"{NO_SLURM} (no scontrol)"
    except subprocess.TimeoutExpired:
        return f"its controller did not answer within {PING_S:.0f} s"
    return "" if " is UP" in done.stdout else "its controller does not answer (scontrol ping)"


def submit(command: list[str]) -> str:
    """The job's id. Not asked again: a submission whose answer was lost may have been taken. From within a job, that
    job's own grant is not handed on."""
    keep = ("SLURM_CONF",)
    clean = [f"--unset={name}" for name in os.environ if name.startswith("SLURM_") and name not in keep]
    answer = ask(["env", *clean, *command] if clean else command, attempts=1).strip().partition(";")[0]
    if not answer.isdecimal():
        raise StudyError(f"sbatch: said '{answer}' where a job id was expected")
    return answer


def tasks_named(prefix: str, owners: Iterable[int] = (), just_a_look: bool = False) -> list[Task]:
    """All that SLURM still knows of the jobs of this user and of `owners` whose names begin so, ended ones included."""
    users = ",".join(map(str, sorted({os.getuid(), *owners})))
    text = ask(["squeue", "--noheader", "--array", "--states=all", f"--user={users}", "--format=%F|%K|%T|%r|%N|%j"],
               *((1, LOOK_S) if just_a_look else ()))
    tasks = [Task(*(part.strip() for part in line.split("|", 5))) for line in text.splitlines() if line.count("|") >= 5]
    return [task for task in tasks if task.name.startswith(prefix)]


def most_tasks() -> int:
    """Of one array; SLURM's own default where it cannot be asked."""
    if why_silent():
        return 1000
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask(["scontrol", "show", "config"]), re.MULTILINE)
    return int(match[1]) - 1 if match else 1000


no_accounts: list[str] = []  # why sacct is not asked again


@lru_cache(maxsize=None)
def accounts(job: str) -> dict[str, str]:
    """By index: how SLURM's accounting says that an array's tasks ended; nothing where there is no accounting. A study has
    many tasks: it is asked once an array, and not again after it gave no answer."""
    if no_accounts:
        return {}
    try:
        text = ask(["sacct", "--noheader", "--parsable2", "--allocations", "--format=JobID,State", f"--jobs={job}"], 1, LOOK_S)
    except StudyError as error:
        no_accounts.append(str(error))
        return {}
    lines = (line.partition("|") for line in text.splitlines())
    return {index: state.lower() for name, _, state in lines for index in indices(name.rpartition("_")[2])}


def indices(text: str) -> Iterator[str]:
    """Of 7, or [1-3,7%2]: tasks that had not started share a line."""
    for part in text.strip("[]").partition("%")[0].split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            yield from map(str, range(int(first), int(last or first) + 1))


def accounting(job: str, index: str) -> str:
    """How a task ended; nothing where nobody says."""
    return accounts(job).get(index, "")
