# SPDX-License-Identifier: BSD-3-Clause
"""The structure that Perfetto reads, and that arrows tell what the trace recorded."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from quantimed_report import perfetto
from quantimed.traces import ReportError, Run, Study, load_study, phase_order

ALGORITHMS = ("quantimed-dsgd", "async-dsgd")


def run_of(study: Study, algorithm: str) -> Run:
    return next(run for run in study.runs if run.algorithm == algorithm)


def written(run: Run, folder: Path, **options: float) -> dict:
    perfetto.write_perfetto(run, folder / "events.json", **options)
    return json.loads((folder / "events.json").read_text())


def check_structure(document: dict, run: Run) -> None:
    events = document["traceEvents"]
    assert {event["ph"] for event in events} <= {"M", "X", "s", "f"}
    times = [event["ts"] for event in events if event["ph"] != "M"]
    assert times == sorted(times) and min(times, default=0) >= 0
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert names == {node: f"node {node}" for node in range(run.nodes)}
    end = defaultdict(float)
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0 and event["name"] in phase_order(run)
            assert event["ts"] >= end[event["tid"]] - 1e-3  # µs; slices of a node do not overlap
            end[event["tid"]] = event["ts"] + event["dur"]
            assert event["args"]["batch"] >= 0 and event["args"]["iteration"] >= 0
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == sum(event["ph"] == "s" for event in events) == sum(event["ph"] == "f" for event in events)
    edges = {tuple(sorted(edge)) for edge in run.edges()[0].tolist()}
    for number, start in starts.items():
        assert start["ts"] <= ends[number]["ts"]
        assert tuple(sorted((start["tid"], ends[number]["tid"]))) in edges


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_structure_in_virtual_time(loaded: Study, tmp_path: Path, algorithm: str) -> None:
    run = run_of(loaded, algorithm)
    document = written(run, tmp_path)
    check_structure(document, run)
    assert document["otherData"]["shown"] == "the whole run"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_structure_in_real_time(quantimed: Callable[..., None], tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "real.h5"
    quantimed("run", "--engine", "threads", "--algorithm", algorithm, "--nodes", "2", "--graph", "complete",
              "--oversubscribe", "--output", str(path))
    run = load_study(tmp_path).runs[0]
    document = written(run, tmp_path)
    check_structure(document, run)
    assert {"compute", "mix"} <= {event["name"] for event in document["traceEvents"]}


def test_slices_are_the_phases_of_the_trace(loaded: Study, tmp_path: Path) -> None:
    run = run_of(loaded, "quantimed-dsgd")
    events = written(run, tmp_path)["traceEvents"]
    found = [event for event in events if event["ph"] == "X" and event["name"] == "compute"]
    at = np.array([[event["args"]["iteration"], event["tid"]] for event in found]).T
    expected = 1e6 * run.rounds("compute_time")[tuple(at)]
    np.testing.assert_allclose([event["dur"] for event in found], expected, rtol=1e-4)
    np.testing.assert_array_equal([event["args"]["batch"] for event in found], run.rounds("batch")[tuple(at)])
    assert len(found) == run.rounds("batch").size


def test_every_message_of_a_round_has_an_arrow(loaded: Study, tmp_path: Path) -> None:
    run = run_of(loaded, "dsgd")
    arrows = [event for event in written(run, tmp_path)["traceEvents"] if event["ph"] == "s"]
    assert len(arrows) == 2 * len(run.edges()[0]) * run.rounds("batch").shape[0]


def test_asynchronous_arrows_have_the_staleness_that_was_recorded(loaded: Study) -> None:
    run = run_of(loaded, "async-dsgd")
    clock, neighbours = perfetto._read_clock(run), defaultdict(list)
    for i, j in run.edges()[0].tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    recorded, checked = run.rounds("staleness"), 0
    for k, i in np.argwhere(clock.known).tolist():
        messages = perfetto._newest(clock, k, i, neighbours[i])
        if len(messages) == len(neighbours[i]):  # none from before a first iteration
            # The model published at the end of iteration k is what iteration k + 1 starts from.
            assert np.mean([k - (sent + 1) for _, sent in messages]) == pytest.approx(recorded[k, i], abs=1e-4)
            checked += 1
    assert checked > 0.8 * clock.known.sum()


def test_only_the_first_seconds(loaded: Study, tmp_path: Path) -> None:
    run = run_of(loaded, "quantimed-dsgd")
    start = run.rounds("start_time")
    half = float(np.median(start))
    document = written(run, tmp_path, seconds=half)
    check_structure(document, run)
    iterations = {(event["args"]["iteration"], event["tid"]) for event in document["traceEvents"] if event["ph"] == "X"}
    assert len(iterations) == int((start < half).sum())
    assert document["otherData"]["shown"].startswith("the first ")


def test_no_more_events_than_a_browser_takes(loaded: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perfetto, "MOST_EVENTS", 500)
    run = run_of(loaded, "async-dsgd")
    document = written(run, tmp_path)
    check_structure(document, run)
    assert 250 < len(document["traceEvents"]) <= 500
    assert " of " in document["otherData"]["shown"]


def test_a_place_that_cannot_be_written(loaded: Study, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        perfetto.write_perfetto(loaded.runs[0], tmp_path / "missing" / "events.json")
