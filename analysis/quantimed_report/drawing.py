# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a report, several at a time: a process for each core, forked, so that all have the study at hand."""
from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import NamedTuple

from . import style
from quantimed.traces import ReportError, Study

MOST_PROCESSES = 8  # there are two or three figures for each


class Drawing(NamedTuple):
    files: list[bytes]  # one of each kind; none where it was not drawn
    why: str            # it was not
    broke_off: str      # by what, where that is a fault


def draw(module: ModuleType, study: Study, kinds: Sequence[str]) -> Drawing:
    try:
        figure = module.draw(study)
        if isinstance(figure, str):
            return Drawing([], figure, "")
        files = style.saved(figure, *kinds)
        style.close(figure)
        return Drawing(files, "", "")
    except ReportError as error:
        return Drawing([], str(error), "")
    except Exception as error:  # one figure that breaks off must not take the others with it
        fault = f"{type(error).__name__}: {error}"
        return Drawing([], f"drawing it failed: {fault}", fault)


_task: tuple[Sequence[ModuleType], Study, Sequence[str]]  # set before processes are forked: nothing of it is sent


def _draw(number: int) -> Drawing:
    modules, study, kinds = _task
    return draw(modules[number], study, kinds)


def _leave_signals_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def drawn(modules: Sequence[ModuleType], study: Study, kinds: Sequence[str]) -> Iterator[Drawing]:
    """In the order of the modules."""
    global _task
    processes = min(len(os.sched_getaffinity(0)), len(modules), MOST_PROCESSES)
    if processes < 2:
        for module in modules:
            yield draw(module, study, kinds)
        return
    _task = (modules, study, kinds)
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _leave_signals_to_the_parent)
    try:
        yield from pool.map(_draw, range(len(modules)))
    except BrokenProcessPool:
        raise ReportError("a process that drew figures was killed (by a limit on memory?); "
                          "taskset -c 0 in front of the command draws them one after another") from None
    except OSError as error:
        raise ReportError(f"processes that draw figures: {error.strerror}; "
                          "taskset -c 0 in front of the command needs none") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
