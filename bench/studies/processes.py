# SPDX-License-Identifier: BSD-3-Clause
"""The program's processes that a study script starts, where it puts what it made, and how it ends: what field.py, choco.py and lenet.py share."""
from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from own_output import may_be_written

from .runner import BAD_INPUT, DIVERGED, INTERRUPTED, INVALID, MACHINE, find_program
from .study_file import StudyError


class Stopped(Exception):
    pass


class Refused(StudyError):
    """What was asked for, or this machine, does not allow it: status 2 or 4."""


class Processes:
    """Those under way; a signal ends them in order, so that each keeps what it has done."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[str]] = set()
        self.lock = threading.RLock()  # a signal may come while it is held
        self.stopped = False

    def call(self, what: str, arguments: Sequence[object]) -> float:
        """Returns the processor time that it took, s: that of a quiet core, however busy the machine is."""
        with tempfile.TemporaryFile("w+") as said:
            with self.lock:
                if self.stopped:
                    raise Stopped
                # Its own session: Ctrl-C reaches this process alone.
                child = subprocess.Popen([find_program(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=said,
                                         text=True, start_new_session=True)
                self.running.add(child)
            _, status, used = os.wait4(child.pid, 0)
            with self.lock:
                child.returncode = os.waitstatus_to_exitcode(status)
                self.running.discard(child)
            if child.returncode == INTERRUPTED or self.stopped:
                raise Stopped
            if child.returncode not in (0, DIVERGED, INVALID):  # runs that diverged, or that are all INVALID, are part of the answer
                said.seek(0)
                lines = said.read().strip().splitlines() or [f"exit status {child.returncode}"]
                line = lines[-1].removeprefix("quantimed: ").replace("or replace it with --overwrite", "or remove that one")
                raise (Refused if child.returncode in (BAD_INPUT, MACHINE) else StudyError)(f"{what}: {line}")
        return used.ru_utime + used.ru_stime

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for child in self.running:
                child.send_signal(signal.SIGINT)


def contents(dataset: str) -> dict[str, str] | str:
    """What `quantimed info --contents` says, or its refusal."""
    done = subprocess.run([find_program(), "info", "--contents", "--dataset", dataset], capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"info: exit status {done.returncode}"])[0].removeprefix("quantimed: ")
    return {name: value for name, _, value in (line.partition(" = ") for line in done.stdout.splitlines())}


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def places(name: str, args: argparse.Namespace, title: str) -> tuple[Path, Path]:
    """The folder of the traces, and the page, which begins with `title`: --runs and --output, or results/NAME.md; --jobs is checked, too."""
    if args.jobs < 1:
        raise StudyError(f"--jobs {args.jobs}: give 1 or more")
    folder: Path = args.runs or Path(f"runs/{name}-quick" if args.quick else f"runs/{name}")
    output: Path = args.output or (folder / f"{name}.md" if args.quick else Path(f"results/{name}.md"))
    if output.suffix != ".md":
        raise StudyError(f"--output {output}: give a name that ends in .md")
    if not may_be_written(output, title):
        raise StudyError(f"--output {output}: is not a page that bench/{name}/run wrote, and is not replaced; name another file")
    return folder, output


def ending_well(name: str, work: Callable[[Processes], int]) -> int:
    """The exit status of a script that starts processes: a signal stops them, and what goes wrong is one line."""
    processes = Processes()
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {s: signal.signal(s, lambda number, frame: processes.stop()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        return work(processes)
    except Stopped:
        print(f"{name}: stopped; what is done is kept, and the same command continues", file=sys.stderr)
        return INTERRUPTED
    except StudyError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"{name}: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
