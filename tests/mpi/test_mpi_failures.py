# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of a rank: all others end, and what was written last resumes."""
from __future__ import annotations

import os
import random
import signal
import time

import fleet
import h5py
import pytest


def fewest_iterations(partial) -> int:
    try:
        with h5py.File(partial) as trace:
            return int(trace["replay/iterations"][()].min())
    except FileNotFoundError:  # the run has ended
        return 0


def killed(program, algorithm: str, which: int, output) -> tuple[int, str] | None:
    """How mpirun ended, and its words. None: the run was stopped by somebody else's signal, or diverged, before."""
    partial = output.with_name(output.name + ".partial")
    started = fleet.Running(program, 3, "run", *fleet.SMALL, "--algorithm", algorithm, "--graph", "ring", "--nodes", "6",
                            "--iterations", "1000000", "--engine", "mpi", "--oversubscribe", "--output", str(output))
    try:
        started.wait_for(partial)
        # Of nodes elsewhere the first .partial may know nothing yet.
        while not output.exists() and started.process.poll() is None and fewest_iterations(partial) < 5:
            time.sleep(0.2)
        time.sleep(random.random())
        ranks = started.ids()
        if output.exists() or started.process.poll() is not None:
            status, out, err = started.end(120)
            assert status in (75, 3), f"ended with status {status}\n{out}{err}"
            print(f"ended with status {status} before a rank was killed\n{out}{err}")
            return None
        assert len(ranks) == 3
        os.kill(ranks[which], signal.SIGKILL)
        # Within 10 s on cores of their own, which `tests/soak/ranks` measures; a test does not depend on speed.
        assert fleet.all_gone(ranks, 120), "a rank was still there after two minutes"
        status, _, err = started.end(120)
        return status, err
    finally:
        started.kill_all()


# Rank 0, which writes, and one other; `tests/soak/ranks` kills any of them at random moments.
@pytest.mark.parametrize(("algorithm", "which"), [("dsgd", 0), ("dsgd", 1), ("async-dsgd", 0), ("async-dsgd", 2)])
@pytest.mark.parametrize("program", fleet.PROGRAMS, ids=fleet.library_of)
def test_a_rank_that_is_killed_ends_all_others(tmp_path, program, algorithm, which):
    for attempt in range(3):
        output, partial = tmp_path / f"t{attempt}.h5", tmp_path / f"t{attempt}.h5.partial"
        if (ended := killed(program, algorithm, which, output)) is not None:
            break
    assert ended is not None, "stopped three times by somebody else"
    status, err = ended
    assert status != 0
    assert sum(line.startswith("quantimed:") for line in err.splitlines()) <= 1, err
    with h5py.File(partial) as trace:
        assert trace.attrs["status"] == "running"
    # It goes on from its log, which is replayed first, and is stopped again once it has written.
    before = partial.stat().st_mtime_ns
    resumed = fleet.Running(program, 2, "run", "--resume", str(output), "--quiet")
    try:
        end = time.monotonic() + 240
        while partial.stat().st_mtime_ns == before:
            assert resumed.process.poll() is None, resumed.process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(resumed.ids()[0], signal.SIGTERM)
        status, out, err = resumed.end(240)
    finally:
        resumed.kill_all()
    assert output.exists(), f"status {status}\n{out}{err}"
    with h5py.File(output) as trace:
        assert trace["summary"].attrs["resumptions"] >= 1, err
