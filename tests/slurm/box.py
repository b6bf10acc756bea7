# SPDX-License-Identifier: BSD-3-Clause
"""A real SLURM cluster on one machine: its daemons are children of this process and end with it.

    box.py FOLDER [NODES [CPUS]]      starts one, prints what to export, and ends with Ctrl-C

Why the odd lines are there: a port, spool folder and temporary folder for each node, and a host name of its own for each
slurmd, else virtual nodes overwrite each other. `config_overrides` with `task/none` lets nodes be larger than the
machine; real binding to cores needs `task/affinity` and a node that is not. `batch_sched_delay=0,sched_interval=1` takes
a second from every wait. `EnforcePartLimits=ALL` lets `sbatch --test-only` refuse a too long time limit. An array holds
eight tasks (`MaxArraySize`), so that a small study meets the limit.
"""
from __future__ import annotations

import ctypes
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 600  # of every wait: a busy machine is slow
REVOKED_S = 2.5  # a job that starts again sooner after it was requeued is refused its credential, and fails
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel", "sinfo")


def why_not() -> str:
    """Why no cluster can be had here; empty where it can."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)} (apt-get install slurm-wlm munge)"
    return "" if os.getuid() == 0 else "slurmd needs root"


def slurm_version() -> tuple[int, ...]:
    words = subprocess.run(["slurmd", "-V"], capture_output=True, text=True).stdout.split()  # slurm 22.05.8
    return tuple(int(part) for part in words[-1].split(".")[:2] if part.isdecimal()) if words else ()


def why_no_cgroups() -> str:
    """Why jobs cannot be held to memory and cores here; empty where they can."""
    for folder in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpuset", "/sys/fs/cgroup/freezer"):
        probe = Path(folder) / f"quantimed-probe-{os.getpid()}"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            return f"no control group (version 1) can be made in {folder}: {error.strerror}"
    return ""


def remove_group(name: str) -> None:
    """What SLURM leaves of it; the kernel keeps groups that somebody is in."""
    for top in Path("/sys/fs/cgroup").glob(f"*/{name}"):
        for group, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(group)
            except OSError:
                pass


def die_with_parent() -> None:
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_ports(count: int) -> int:
    """The first of so many in a row that nobody listens on."""
    for _ in range(1000):
        first = random.randrange(20000, 32000 - count)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no free ports")


def processes_of(folder: Path) -> dict[int, tuple[str, str]]:
    """By id: command and node of all that jobs run in this folder now. By folder, so that nobody else's are among them."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            node = next(v for v in environment if v.startswith(b"SLURMD_NODENAME=")).decode().partition("=")[2]
            if Path(os.readlink(entry / "cwd")) == folder:
                found[int(entry.name)] = ((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(), node)
        except (OSError, StopIteration):
            continue
    return found


class Box:
    def __init__(self, folder: Path, nodes: int = 4, cpus: int = 2, task_plugin: str = "task/none",
                 node_timeout_s: int = 300, cgroups: bool = False) -> None:
        self.folder, self.nodes, self.cpus = folder.resolve(), nodes, cpus
        self.task_plugin, self.node_timeout_s, self.cgroups = task_plugin, node_timeout_s, cgroups
        if cgroups:  # jobs then have no more memory and no other cores than they were given
            self.task_plugin = "task/affinity,task/cgroup"
        # The control groups of a node are named after it, and another box on this machine has nodes, too.
        self.prefix = f"box{os.getpid()}n" if cgroups else "n"
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.conf = self.folder / "etc" / "slurm.conf"
        own_names = subprocess.run(["unshare", "--uts", "true"], stderr=subprocess.DEVNULL).returncode == 0
        self.renamed = ["unshare", "--uts", "sh", "-c", 'hostname "$1" && exec slurmd -D -N "$1"', "sh"] if own_names else []

    def __enter__(self) -> Box:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "QUANTIMED_SITE"))}
        return clean | {"SLURM_CONF": str(self.conf), "QUANTIMED_REPORT_OPTIONS": "none"}

    def _start(self) -> None:
        for name in ("etc", "state", "log", "spool", "munge", *(f"tmp/{self.prefix}{k}" for k in range(1, self.nodes + 1))):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o755)
        key = self.folder / "etc" / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        munge = self.folder / "munge"
        self._child("munged", ["munged", "--foreground", "--force", f"--socket={munge}/socket", f"--key-file={key}",
                               f"--log-file={munge}/log", f"--pid-file={munge}/pid", f"--seed-file={munge}/seed"])
        self.until(lambda: (munge / "socket").exists(), "munged")
        self.conf.write_text(self._configuration(), encoding="utf-8")
        if self.cgroups:
            (self.folder / "etc" / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\nConstrainCores=yes\n",
                                                             encoding="utf-8")
        elif slurm_version() >= (23, 11):  # its slurmd asks for control groups, and for systemd, unless told not to
            (self.folder / "etc" / "cgroup.conf").write_text("CgroupPlugin=disabled\n", encoding="utf-8")
        self._child("slurmctld", ["slurmctld", "-D"])
        for k in range(1, self.nodes + 1):
            self.start_node(k)
        try:
            self.until(lambda: self._died() or self.run("sinfo", "-h", "-o", "%D %t", check=False).stdout.strip()
                       == f"{self.nodes} idle", "idle nodes")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._last_words()}") from None
        if self._died():
            raise AssertionError(f"a daemon of SLURM ended at its start\n{self._last_words()}")

    def _died(self) -> bool:
        return any(child.poll() is not None for child in self.children.values())

    def _last_words(self) -> str:
        """The last lines of every daemon's log."""
        return "\n".join(f"{log.name}: " + " | ".join(log.read_text(errors="replace").splitlines()[-3:])
                         for log in sorted((self.folder / "log").iterdir()))

    def _configuration(self) -> str:
        here, port = self.folder, free_ports(self.nodes + 1)
        host = socket.gethostname().partition(".")[0]
        return f"""ClusterName=box
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={here}/munge/socket
CredType=cred/munge
StateSaveLocation={here}/state
SlurmdSpoolDir={here}/spool/%n
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/slurmd-%n.pid
SlurmctldLogFile={here}/log/slurmctld.log
SlurmdLogFile={here}/log/slurmd-%n.log
TmpFS={here}/tmp/%n
SlurmdParameters=config_overrides
ProctrackType={'proctrack/cgroup' if self.cgroups else 'proctrack/linuxproc'}
TaskPlugin={self.task_plugin}
SelectType=select/cons_tres
SelectTypeParameters={'CR_Core_Memory' if self.cgroups else 'CR_Core'}
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
ReturnToService=2
SlurmdTimeout={self.node_timeout_s}
KillWait=10
MinJobAge=3600
EnforcePartLimits=ALL
MaxArraySize=9
NodeName={self.prefix}[1-{self.nodes}] NodeAddr=127.0.0.1 Port=[{port + 1}-{port + self.nodes}] CPUs={self.cpus} Boards=1 \
SocketsPerBoard=1 CoresPerSocket={self.cpus} ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=8:00:00 DefaultTime=30 State=UP
"""

    def _child(self, name: str, command: list[str]) -> None:
        log = (self.folder / "log" / f"{name}.out").open("ab")
        with log:
            self.children[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                   env=self.environment, preexec_fn=die_with_parent, start_new_session=True)

    def start_node(self, k: int) -> None:
        name = f"{self.prefix}{k}"
        self._child(name, [*self.renamed, name] if self.renamed else ["slurmd", "-D", "-N", name])

    def kill_node(self, k: int) -> None:
        child = self.children.pop(f"{self.prefix}{k}")
        child.kill()
        child.wait()

    def stop(self) -> None:
        if "slurmctld" in self.children:
            self.run("scancel", "-Q", f"--user={os.getuid()}", check=False)
            self.until(lambda: not self.run("squeue", "-h", check=False).stdout.strip(), "an empty queue", 60, must=False)
        for name in sorted(self.children, key=lambda name: name in ("slurmctld", "munged")):  # these last
            self.children[name].terminate()
        for child in self.children.values():
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()
        if self.cgroups:
            for k in range(1, self.nodes + 1):
                remove_group(f"slurm_{self.prefix}{k}")

    # What tests do with it

    def run(self, *command: object, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=LIMIT_S,
                              env=self.environment | more, cwd=self.folder)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def until(self, there: Callable[[], object], what: str, limit_s: float = LIMIT_S, must: bool = True) -> None:
        end = time.monotonic() + limit_s
        while not there():
            if time.monotonic() > end:
                if must:
                    raise AssertionError(f"waited {limit_s} s for {what}\n{self.queue()}")
                return
            time.sleep(0.1)

    def queue(self) -> str:
        return self.run("squeue", "--array", "--states=all", "-o", "%F_%K %j %T %r %N", check=False).stdout

    def state(self, job: str) -> str:
        """Of a job or a task (JOB_INDEX); what several tasks share is said once."""
        text = self.run("scontrol", "-o", "show", "job", job).stdout
        return " ".join(sorted({word.partition("=")[2] for word in text.split() if word.startswith("JobState=")}))

    def ended(self, job: str) -> bool:
        return not {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED"} & set(self.state(job).split())

    def wait(self, job: str) -> str:
        self.until(lambda: self.ended(job), f"the end of job {job}")
        return self.state(job)

    def release_now(self, job: str) -> None:
        """A requeued job waits two minutes before it may start; this one does not."""
        self.until(lambda: "JobState=PENDING" in self.run("scontrol", "-o", "show", "job", job).stdout, f"requeue of {job}")
        time.sleep(REVOKED_S)
        # Refused while the controller still cleans up.
        self.until(lambda: self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False).returncode == 0
                   and "Reason=BeginTime" not in self.run("scontrol", "-o", "show", "job", job).stdout, f"start of {job}")


if __name__ == "__main__":
    with Box(Path(sys.argv[1]), *map(int, sys.argv[2:4])) as box:
        print(f"export SLURM_CONF={box.conf}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
