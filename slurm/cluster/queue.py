"""What SLURM says: submits jobs, and reads the queue. Everything goes by job name, so that a job whose id was never
written down, since the submission was killed, is found too."""
from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass

from studies.study_file import StudyError

# Not over; SLURM may start such a task, or start it again.
LIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
        "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT")
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
ATTEMPTS, PAUSE_S = 5, 2.0  # a busy controller answers again a little later
PING_S = 5.0
# A job that waits for these waits for ever.
NEVER = ("DependencyNeverSatisfied", "JobHeldUser", "JobHeldAdmin", "BadConstraints", "PartitionNodeLimit", "PartitionTimeLimit",
         "InvalidAccount", "InvalidQOS")
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
    def never(self) -> bool:
        return self.state in WAITING and self.reason in NEVER

    @property
    def is_collection(self) -> bool:
        return self.name.endswith(".collect")

    def text(self) -> str:
        return f"job {self.job}" + (f"_{self.index}" if self.index.isdecimal() else "")


def ask(command: list[str], attempts: int = ATTEMPTS) -> str:
    """The command's output. Refusals are StudyErrors; a controller that does not answer is asked again."""
    for attempt in range(attempts):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except FileNotFoundError:
            raise StudyError(f"{command[0]}: not found; submit from a node of a SLURM cluster, or run bench/study here") from None
        except subprocess.TimeoutExpired:
            raise StudyError(f"{command[0]}: no answer for two minutes; is the controller up (scontrol ping)?") from None
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
        return "there is no SLURM here (no scontrol)"
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


def tasks_named(prefix: str) -> list[Task]:
    """All that SLURM still knows of this user's jobs whose names begin so, ended ones included."""
    text = ask(["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}",
                "--format=%F|%K|%T|%r|%N|%j"])
    tasks = [Task(*(part.strip() for part in line.split("|", 5))) for line in text.splitlines() if line.count("|") >= 5]
    return [task for task in tasks if task.name.startswith(prefix)]


def most_tasks() -> int:
    """Of one array; SLURM's own default where it cannot be asked."""
    if why_silent():
        return 1000
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask(["scontrol", "show", "config"]), re.MULTILINE)
    return int(match[1]) - 1 if match else 1000


def accounting(job: str, index: str) -> str:
    """How SLURM's accounting says that it ended; nothing where there is no accounting."""
    try:
        text = ask(["sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={job}_{index}"], attempts=1)
    except StudyError:
        return ""
    return text.strip().splitlines()[-1].lower() if text.strip() else ""
