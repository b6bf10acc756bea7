# SPDX-License-Identifier: BSD-3-Clause
"""A run as an OTF2 archive, which Vampir, Scalasca's tools and `otf2-print` read.

A location a node, its phases as regions, and messages as sends at their publication and receptions where they were mixed.
The same events as Perfetto's (perfetto.py), so the same part of the run. Format: "Open Trace Format 2", VI-HPS, Score-P 8;
written by its own library (Debian's python3-otf2). Times in nanoseconds of the run's clock.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .perfetto import Event, timeline
from .style import label
from quantimed.traces import ReportError, Run, phase_order

try:
    import _otf2
    import otf2
    from otf2.enums import GroupType, Paradigm
except ModuleNotFoundError:  # told where it is asked for
    otf2 = None

OWN = {"traces.otf2", "traces.def", "traces"}  # what an archive consists of; viewers open the first
NS_PER_US = 1e3


def require_writable(folder: Path) -> None:
    """A folder that is not there yet, is empty, or is an archive."""
    if otf2 is None:
        raise ReportError(f"--otf2 {folder}: needs Python's otf2; on Debian: apt-get install python3-otf2")
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and {one.name for one in folder.iterdir()} <= OWN)):
        raise ReportError(f"--otf2 {folder}: is not a folder that holds an archive of this report's alone, and is not replaced; "
                          "name another folder")


def write_otf2(run: Run, folder: Path, seconds: float = float("inf")) -> None:
    """Replaces what require_writable() lets it."""
    require_writable(folder)
    events, about = timeline(run, seconds)
    try:
        folder.parent.resolve(strict=True)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise ReportError(f"--otf2 {folder}: cannot be written: {error.strerror}") from error
    with _silent_library():
        failure = _failure_of_writing(folder, run, events, about)
        gc.collect()  # a writer that has failed fails once more where it is deleted
    if failure:
        shutil.rmtree(folder, ignore_errors=True)  # nobody takes a part for the whole
        raise ReportError(f"--otf2 {folder}: cannot be written: {failure}; is there room on the disk?")


@contextmanager
def _silent_library() -> Iterator[None]:
    """It tells of an error in lines of its own, and again where what has failed is taken apart."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _failure_of_writing(folder: Path, run: Run, events: list[Event], about: Event) -> str:
    try:
        with otf2.writer.open(str(folder), timer_resolution=10**9) as archive:
            _write(archive, run, events, about)
    except (otf2.error.Error, _otf2.Error) as error:
        return str(error)
    return ""


def _write(archive: otf2.writer.Writer, run: Run, events: list[Event], about: Event) -> None:
    make = archive.definitions
    root = make.system_tree_node(f"{label(run.algorithm)}, {run.dataset}, seed {run.seed} ({run.engine})", class_name="run")
    for name, value in about.items():
        make.system_tree_node_property(root, name, value=str(value))
    nodes = [make.location(f"node {i}", group=make.location_group(f"node {i}", system_tree_parent=root)) for i in range(run.nodes)]
    everyone = make.group("nodes", group_type=GroupType.COMM_LOCATIONS, paradigm=Paradigm.MPI, members=nodes)
    graph = make.comm("graph", make.group("graph", group_type=GroupType.COMM_GROUP, paradigm=Paradigm.MPI, members=everyone.members))
    phases = {name: make.region(name, paradigm=Paradigm.USER) for name in phase_order(run)}
    iteration, batch = make.attribute("iteration", type=otf2.Type.INT64), make.attribute("batch", description="samples", type=otf2.Type.DOUBLE)
    writers = [archive.event_writer_from_location(node) for node in nodes]
    sent_bytes = run.rounds("bytes_sent")
    receivers = {event["id"]: event["tid"] for event in events if event["ph"] == "f"}
    senders = {event["id"]: event for event in events if event["ph"] == "s"}

    def length(message: int) -> int:
        start = senders[message]
        return int(sent_bytes[start["args"]["iteration"], start["tid"]])

    for time, _, event in sorted(_moments(events), key=lambda moment: moment[:2]):
        writer = writers[event["tid"]]
        if event["ph"] == "s":
            writer.mpi_send(time, receivers[event["id"]], graph, 0, length(event["id"]))
        elif event["ph"] == "f":
            writer.mpi_recv(time, senders[event["id"]]["tid"], graph, 0, length(event["id"]))
        elif "leaves" in event:
            writer.leave(time, phases[event["name"]])
        else:
            writer.enter(time, phases[event["name"]], attributes={iteration: event["args"]["iteration"], batch: event["args"]["batch"]})


def _moments(events: list[Event]) -> list[tuple[int, int, Event]]:
    """(ns, place among those of one moment, event): a phase ends before the next begins, and messages lie within."""
    found = []
    for event in events:
        if event["ph"] == "M":
            continue
        at = round(event["ts"] * NS_PER_US)
        if event["ph"] == "X":
            found += [(at, 1, event), (at + round(event["dur"] * NS_PER_US), 0, {**event, "leaves": True})]
        else:
            found.append((at, 2, event))
    return found
