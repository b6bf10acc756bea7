# SPDX-License-Identifier: BSD-3-Clause
"""Starts quantimed-mpi with each MPI that it was built with, on this machine alone and with more ranks than cores."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = os.environ.get("QUANTIMED_PROGRAM", "")
PROGRAMS = [p for p in os.environ.get("QUANTIMED_MPI_PROGRAMS", "").split(":") if p]
ENVIRONMENT = {
    # Open MPI: as root, in a container, with more ranks than cores, on the loopback alone
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_btl": "self,vader,tcp",
    "OMPI_MCA_btl_tcp_if_include": "lo", "OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_hwloc_base_binding_policy": "none",
    # MPICH over UCX
    "UCX_TLS": "tcp,sm,self", "UCX_NET_DEVICES": "lo", "HYDRA_IFACE": "lo",
}
SMALL = ["--dataset", "digits:600", "--samples-per-node", "40", "--model", "mlp:6", "--evaluations", "5", "--quiet"]
# Every rank makes its own digits. What is not about data, and is not cut, reads these.
DATA = Path(tempfile.gettempdir()) / f"quantimed-mpi-tests-{os.getpid()}.libsvm"
SMALLER = [str(DATA) if word == "digits:600" else word for word in SMALL]


def library_of(program: str) -> str:
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return "mpich" if "libmpich" in libraries else "openmpi"


def launcher_of(program: str) -> str:
    kind = library_of(program)
    return next((found for name in (f"mpirun.{kind}", "mpirun") if (found := shutil.which(name))), "")


def why_not() -> str:
    missing = [p for p in PROGRAMS if not launcher_of(p)]
    return f"{missing[0]} has no mpirun to start it" if missing else ""


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}


def command(program: str, ranks: int, *arguments: str) -> list[str]:
    return [launcher_of(program), "-n", str(ranks), program, *arguments]


def run(program: str, ranks: int, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess:
    return subprocess.run(command(program, ranks, *arguments), capture_output=True, text=True, env=environment(),
                          timeout=timeout)


def own_lines(result) -> list[str]:
    """What the program itself says on standard error: launchers speak, too."""
    return [line for line in result.stderr.splitlines() if line.startswith("quantimed:")]


class Running:
    """A run in the background, and its ranks' processes."""

    def __init__(self, program: str, ranks: int, *arguments: str) -> None:
        self.program, self.ranks = program, ranks
        # A session of its own: Ctrl-C and what is left over are the test's alone.
        self.process = subprocess.Popen(command(program, ranks, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment(), start_new_session=True)

    def ids(self) -> list[int]:
        """In the order of ranks, once all are there."""
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                if not folder.name.isdigit() or os.path.realpath(folder / "exe") != os.path.realpath(self.program):
                    continue
                environ = (folder / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            rank = re.search(r"(?:^|\0)(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)", environ)
            if rank and self.is_ours(int(folder.name)):
                found[int(rank[1])] = int(folder.name)
        return [found[r] for r in sorted(found)]

    def is_ours(self, process: int) -> bool:
        while process > 1:
            if process == self.process.pid:
                return True
            try:
                process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                return False
        return False

    def wait_for(self, path: Path, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not path.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, f"no {path} after {seconds} s"
            time.sleep(0.02)

    def end(self, seconds: float = 60) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def kill_all(self) -> None:
        # A process that was waited for has given its number away.
        for process in [*self.ids(), *([self.process.pid] if self.process.poll() is None else [])]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.communicate()


def all_gone(processes: list[int], seconds: float) -> bool:
    """Ended, or nobody has waited for them yet."""
    def is_running(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    end = time.monotonic() + seconds
    while any(is_running(p) for p in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
