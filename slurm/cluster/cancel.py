# SPDX-License-Identifier: BSD-3-Clause
"""slurm/cancel: ends a study's jobs."""
from __future__ import annotations

import argparse
from pathlib import Path

from command_line import Parser

from . import queue
from .folder import Folder
from .status import command


def parser() -> argparse.ArgumentParser:
    p = Parser(prog="slurm/cancel", description="Ends all queued and running jobs of a study, and no other's. "
                                "Running runs leave their checkpoints; slurm/submit resumes them. Exit status: 0, or 2 where "
                                "SLURM refuses.")
    p.add_argument("study", type=Path, help="the study's folder")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    folder = Folder(args.study)
    folder.jobs()  # a study it must be
    tasks = [task for task in queue.tasks_named(folder.job_name(), folder.owners()) if task.live]
    ids = list(dict.fromkeys(task.job for task in sorted(tasks, key=lambda t: not t.is_collection)))  # it would start
    if ids:
        queue.ask(["scancel", *ids])
    waiting = sum(task.state in queue.WAITING for task in tasks if not task.is_collection)
    running = sum(task.state not in queue.WAITING for task in tasks if not task.is_collection)
    print(f"{args.study}: {running} running and {waiting} waiting tasks cancelled{', jobs ' + ' '.join(ids) if ids else ''}; "
          f"{command('status', args.study)} says what stays")
    return 0
