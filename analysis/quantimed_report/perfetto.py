# SPDX-License-Identifier: BSD-3-Clause
"""A run as Chrome trace events, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

A track a node, its phases as slices, and messages as arrows from where they were published to where they were mixed.
Format: "Trace Event Format", Google, sections on duration, metadata and flow events; times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .style import label
from quantimed.traces import ReportError, Run, phase_order

MOST_EVENTS = 200_000
Event = dict[str, object]


@dataclass(frozen=True)
class _Clock:
    """When each phase of each iteration began and ended."""

    order: tuple[str, ...]
    bounds: np.ndarray  # ns, [iterations, n, phases + 1]; slices that follow each other share a bound
    known: np.ndarray  # [iterations, n]
    batch: np.ndarray  # samples, [iterations, n]
    age: np.ndarray  # s, mean over neighbours, [iterations, n]

    def start(self, phase: str) -> np.ndarray:
        return self.bounds[:, :, self.order.index(phase)]


def timeline(run: Run, seconds: float = float("inf")) -> tuple[list[Event], Event]:
    """Events in the order of time, and what of the run they are: the first `seconds` of its clock, or so much of it as
    MOST_EVENTS hold."""
    edges, _, _ = run.edges()
    neighbours = [[] for _ in range(run.nodes)]
    # Of a schedule the trace has all pairs that are ever linked, and not who sends to whom: no arrows.
    for i, j in [] if run.network.get("schedule") else edges.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    clock = _read_clock(run)
    shown = _shown(clock, np.array([len(each) for each in neighbours]), seconds)
    events = [*_names(run), *_slices(clock, shown), *_arrows(run, clock, shown, neighbours)]
    # Of events at the same time tracks are named first and slices come before the arrows that they hold.
    events.sort(key=lambda event: (event.get("ts", -1.0), "MXsf".index(str(event["ph"]))))
    return events, _about(run, clock, shown)


def write_perfetto(run: Run, path: Path, seconds: float = float("inf")) -> None:
    """timeline() as a file; it says what part it holds."""
    events, about = timeline(run, seconds)
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}
    try:
        Path(path).write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from error


def _read_clock(run: Run) -> _Clock:
    order, start = phase_order(run), run.rounds("start_time")
    lengths = np.stack([run.rounds(f"{phase}_time").astype(float) for phase in order], axis=2)
    at = np.concatenate([start[:, :, None], start[:, :, None] + np.cumsum(lengths, axis=2)], axis=2)
    known = np.isfinite(at).all(axis=2)
    # Lengths are kept in single precision: their sum may pass the next start by a hair.
    following = np.concatenate([start[1:], np.full((1, run.nodes), np.nan)])[:, :, None]
    at = np.where(np.isfinite(following), np.minimum(at, following), at)
    bounds = np.maximum.accumulate(np.where(known[:, :, None], np.rint(1e9 * at), 0), axis=2).astype(np.int64)
    return _Clock(order, bounds, known, run.rounds("batch"), run.rounds("message_age"))


def _shown(clock: _Clock, degrees: np.ndarray, seconds: float) -> np.ndarray:
    """The iterations that are written, [iterations, n]: by their start, as many as there is room for."""
    start = np.where(clock.known, clock.bounds[:, :, 0], np.iinfo(np.int64).max)
    cost = np.where(clock.known, len(clock.order) + 2 * degrees[None, :], 0)
    by_time = np.argsort(start, axis=None, kind="stable")
    fits = np.cumsum(cost.ravel()[by_time]) <= MOST_EVENTS - 2 * len(degrees) - 1
    shown = np.zeros(start.size, dtype=bool)
    shown[by_time[fits]] = True
    return shown.reshape(start.shape) & clock.known & (start < min(seconds, 9e9) * 1e9)


def _names(run: Run) -> Iterator[Event]:
    title = f"{label(run.algorithm)}, {run.dataset}, seed {run.seed} ({run.engine})"
    yield {"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": {"name": title}}
    for node in range(run.nodes):
        yield {"ph": "M", "name": "thread_name", "pid": 0, "tid": node, "args": {"name": f"node {node}"}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": 0, "tid": node, "args": {"sort_index": node}}


def _slices(clock: _Clock, shown: np.ndarray) -> Iterator[Event]:
    for k, i in np.argwhere(shown).tolist():
        bounds = clock.bounds[k, i].tolist()
        given = {"iteration": k, "batch": float(clock.batch[k, i])}
        for phase, begin, end in zip(clock.order, bounds, bounds[1:]):
            if end > begin:
                yield {"ph": "X", "name": phase, "cat": "phase", "pid": 0, "tid": i, "ts": begin / 1e3,
                       "dur": (end - begin) / 1e3, "args": given}


def _arrows(run: Run, clock: _Clock, shown: np.ndarray, neighbours: list[list[int]]) -> Iterator[Event]:
    """An arrow leaves a publication's start, which is inside a slice, and arrives where the mix begins."""
    published, mixed = clock.start("publish"), clock.start("mix")
    number = 0
    for k, i in np.argwhere(shown).tolist():
        if run.is_pairwise:
            messages = []  # the trace does not keep who averaged with whom
        elif run.is_newest:
            messages = _newest(clock, k, i, neighbours[i])
        else:
            messages = [(j, k) for j in neighbours[i]]
        for j, sent in messages:
            if shown[sent, j] and published[sent, j] <= mixed[k, i]:
                number += 1
                common = {"name": "message", "cat": "message", "id": number, "pid": 0}
                yield {**common, "ph": "s", "tid": j, "ts": published[sent, j].item() / 1e3, "args": {"iteration": sent}}
                yield {**common, "ph": "f", "bp": "e", "tid": i, "ts": mixed[k, i].item() / 1e3}


def _newest(clock: _Clock, k: int, i: int, neighbours: list[int]) -> list[tuple[int, int]]:
    """(neighbour, its iteration) of the messages mixed; a model from before a node's first iteration has none.

    The trace keeps their mean age, not each one's. With links as slow as each other the messages are the newest of
    those that are older than the link's delay: the youngest gives way to the one before until the mean age is met.
    """
    now, asked = clock.start("mix")[k, i], 1e9 * float(clock.age[k, i])
    published = {j: clock.start("publish")[clock.known[:, j], j] for j in neighbours}
    sent = {j: int(np.searchsorted(published[j], now, side="right")) - 1 for j in neighbours}

    def age(j: int) -> float:
        return float(now - (published[j][sent[j]] if sent[j] >= 0 else clock.bounds[0, j, 0]))

    while np.isfinite(asked) and neighbours:
        young = min((j for j in neighbours if sent[j] >= 0), key=age, default=None)
        if young is None or np.mean([age(j) for j in neighbours]) >= asked * (1 - 1e-3) - 1e3:
            break
        sent[young] -= 1
    return [(j, sent[j]) for j in neighbours if sent[j] >= 0]


def _about(run: Run, clock: _Clock, shown: np.ndarray) -> Event:
    written, total = int(shown.sum()), int(clock.known.sum())
    end = float(clock.bounds[shown][:, -1].max()) / 1e9 if written else 0.0
    whole = float(run.progress["time"][-1]) if len(run.progress["time"]) else end
    part = f"the first {end:.6g} s of {whole:.6g} s: {written} of {total} iterations"
    text = "the whole run" if written == total else part
    about: Event = {"run": run.name, "shown": text, "algorithm": run.algorithm, "engine": run.engine,
                    "dataset": run.dataset, "seed": run.seed, "status": run.status, "verdict": run.verdict}
    if run.is_pairwise:
        about["messages"] = "averages of two have no arrows: the trace does not keep who the partner was"
    elif run.is_newest:
        about["messages"] = "the trace keeps their mean age; with links of unlike delays the arrows are approximate"
    return about
