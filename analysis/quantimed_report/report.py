# SPDX-License-Identifier: BSD-3-Clause
"""The page: everything in one HTML file, and the figures and tables beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import secrets
import shlex
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import jinja2
import numpy as np
from markupsafe import Markup

from . import drawing, figures, spreadsheet, style, tables, words
from .statistics import CLOCKS, curves, on_clock
from .tables import Table, own_time
from quantimed.traces import ReportError, Run, Study
from .answer import Answer, answer, main_clock, winners

HERE = Path(__file__).parent
CURVE_POINTS = 60  # of each run, in the page's own plot
CURVES = ("time", "iteration", "loss", "accuracy", "test_accuracy", "test_loss", "consensus_error", "gradient_norm_squared")
PNG_SIZE = struct.Struct(">II")  # width and height, from byte 16 on

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Drawn:
    name: str
    title: str
    caption: str
    png: str  # base64
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Report:
    """What was written, in brief."""

    page: Path
    sentence: str
    counted: int
    runs: int
    left_out: int  # runs that do not count, and files that are none
    drawn: int
    failed: list[str]  # figures that broke off, and how; none is expected


def build_report(study: Study, output: Path, pdf: bool = True, progress: Progress = lambda text: None,
                 targets: Sequence[float] = (), only: Sequence[str] = ()) -> Report:
    """Writes index.html, figures/, summary.csv, summary.md and runs.csv into `output`. `only`: these figures; all."""
    _require_own(output)
    study = tables.without_copies(study)
    progress("tables")
    found = tables.tables(study, targets)
    answers = [answer(table, 0 if k else len(study.skipped)) for k, table in enumerate(found)]
    try:
        (output / "figures").mkdir(parents=True, exist_ok=True)
        drawn, not_drawn, failed = _figures(chosen_figures(only), study, found, output, pdf, progress)
        _write(output / "summary.csv", spreadsheet.to_csv(spreadsheet.summary_rows(found)))
        _write(output / "runs.csv", spreadsheet.to_csv(spreadsheet.run_rows(found)))
        _write(output / "summary.md", _markdown(found, answers))
        progress("page")
        _write(output / "index.html", _page(study, found, answers, drawn, not_drawn, pdf))
    except OSError as error:
        raise ReportError(f"--output {output}: cannot be written: {error.strerror}; "
                          "give another folder, or free some space") from error
    counted = len(study.counted)
    return Report(output / "index.html", answers[0].sentence, counted, len(study.runs),
                  len(study.runs) - counted + len(study.skipped), len(drawn), failed)


def _require_own(output: Path) -> None:
    """No page or table is written over but an earlier report's."""
    page = output / "index.html"
    if page.is_file() and b"quantimed" in page.read_bytes()[:4096]:
        return
    for name in ("index.html", "summary.csv", "summary.md", "runs.csv"):
        if (output / name).exists():
            raise ReportError(f"--output {output}: holds a {name} that is of no report of ours, and is not replaced; "
                              "give another folder")


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # nobody can plant a link there
    try:
        with half.open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def _markdown(found: Sequence[Table], answers: Sequence[Answer]) -> str:
    parts = []
    for table, said in zip(found, answers):
        reasons = "\n".join(f"- {tables.markdown_text(text)}" for _, text in said.reasons)
        parts.append(f"**{tables.markdown_text(said.sentence)}** {said.trust_text}\n\n{reasons}\n\n{tables.to_markdown(table)}")
    return "\n".join(parts)


# ---- figures -------------------------------------------------------------------------------------------------------
def chosen_figures(names: Sequence[str]) -> list[tuple[str, ModuleType]]:
    known = dict(figures.ALL)
    for name in names:
        if name not in known:
            raise ReportError(f"--only {name}: no such figure; there are {', '.join(known)}")
    return [(name, module) for name, module in figures.ALL if not names or name in names]


def _figures(chosen: Sequence[tuple[str, ModuleType]], study: Study, found: Sequence[Table], output: Path, pdf: bool,
             progress: Progress) -> tuple[list[Drawn], list[dict[str, str]], list[str]]:
    drawn, not_drawn, failed = [], [], []
    kinds = ("png", "pdf") if pdf else ("png",)
    for number, (files, why, broke_off) in enumerate(drawing.drawn([module for _, module in chosen], study, kinds), 1):
        name, module = chosen[number - 1]
        progress(f"figure {number} of {len(chosen)}, {name}")
        if broke_off:
            failed.append(f"{name}: {broke_off}")
        if not files:
            not_drawn.append({"title": module.TITLE, "why": why})
            for kind in ("png", "pdf"):  # of an earlier report
                (output / "figures" / f"{name}.{kind}").unlink(missing_ok=True)
            continue
        for kind, file in zip(kinds, files):
            (output / "figures" / f"{name}.{kind}").write_bytes(file)
        png = files[0]
        width, height = PNG_SIZE.unpack_from(png, 16)
        drawn.append(Drawn(name, module.TITLE, module.CAPTION, base64.b64encode(png).decode(),
                           f"{module.TITLE}. {seen(name, drawn_table(found))}", width, height))
    return drawn, not_drawn, failed


def drawn_table(found: Sequence[Table]) -> Table:
    """The first whose algorithms have one setting each, as the figures do."""
    return next((table for table in found if not table.each_target), found[0])


def seen(name: str, table: Table) -> str:
    """What a figure shows, for those who do not see it: the main setting's figures."""
    rows = [row for row in table.rows if row.counted]
    if not rows:
        return "No run counts."

    def each(text: Callable[[tables.Row], str]) -> str:
        return "; ".join(f"{row.label} {text(row)}" for row in rows)

    said = {
        "curves": "Final training loss: " + each(lambda row: tables.figure(row.estimate("final_loss").median)),
        "phase": "Share of time spent waiting: " + each(lambda row: f"{100 * row.number('wait_share'):.1f} %"),
        "bits": "Bits a coordinate on the wire: " + each(lambda row: f"{row.number('wire_bits'):.3g}"),
    }
    if table.targets:
        clock = main_clock(table)  # as the figures
        by = f", {CLOCKS.get(clock, clock)}"
        said["target"] = (f"Time to loss {tables.figure(table.target)}{by}: "
                          + each(lambda row: tables.seconds(row.entry(table.target, clock).time.median)))
        said["speed"] = (f"Speed-up over {table.judged.baseline or 'the baseline'}{by}: "
                         + each(lambda row: tables.ratio(row.entry(table.target, clock).speed_up.median)))
    fitting = [text for word, text in said.items() if word in name]
    text = fitting[0] if fitting else "Compared: " + ", ".join(row.label for row in rows)
    return f"{text} ({len(table.counted)} runs, {table.label})."


# ---- the page ------------------------------------------------------------------------------------------------------
def _page(study: Study, found: Sequence[Table], answers: Sequence[Answer], drawn: Sequence[Drawn],
          not_drawn: Sequence[dict[str, str]], pdf: bool) -> str:
    environments = _environments([run for table in found for run in table.listed])
    runs = [_run(number, run, table, study.folder, environments) for number, (table, run) in
            enumerate((table, run) for table in found for run in table.listed)]
    counted = sum(not run["why_not"] for run in runs)
    page = {
        "title": study.folder.resolve().name,
        "counts": f"{len(runs)} run{'s' if len(runs) != 1 else ''}, {counted} counted",
        "settings": [_section(table, said) for table, said in zip(found, answers)],
        "figures": drawn, "one_setting": any(table.each_target for table in found), "not_drawn": not_drawn, "has_pdf": pdf,
        "left_out": [{"file": run["file"], "why": run["why_not"]} for run in runs if run["why_not"]]
                    + [{"file": _beside(one.path, study.folder), "why": one.why} for one in study.skipped],
        "filters": _filters(runs), "runs": runs, "environments": environments,
    }
    script = (HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    engine = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return engine.get_template("template.html").render(
        page=page, data=page_data(runs, found), css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script), script_hash=f"sha256-{digest}")


def _section(table: Table, said: Answer) -> dict[str, object]:
    best = set(winners(table, main_clock(table)).values())
    shown = tables.columns(table)
    return {"label": table.label, "detail": _detail(table.runs[0]), "answer": said, "columns": shown,
            "caption": f"{tables.caption(table)}. A run that is not complete and VALID is taken as one that never arrived.",
            "rows": [{"label": row.label, "colour": style.colour(row.algorithm), "best": row.label in best,
                      "cells": [dict(zip(("main", "small"), column.cell(row, table))) for column in shown]}
                     for row in table.rows]}


def _detail(run: Run) -> str:
    # A limit of time ends a run where there is one: in it every algorithm has its own number of iterations.
    end = "iterations" if str(run.config.get("max-time", "none")) == "none" else "max-time"
    model = () if run.engine == "virtual" else ("speed", "link")  # of virtual time the answer says them
    return ", ".join(words.of(name, run.config[name]) for name in ("model", "samples-per-node", "batch", end, "graph", *model)
                     if name in run.config)


def _beside(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _run(number: int, run: Run, table: Table, folder: Path, environments: Sequence[dict[str, object]]) -> dict[str, object]:
    accuracy = tables.last(run.progress["test_accuracy"])
    ini_name = f"{run.name}.ini"
    return {
        "id": number, "run": run, "setting": table, "file": _beside(run.path, folder), "algorithm": run.algorithm,
        "label": _label(run, table), "colour": style.colour(run.algorithm), "dataset": run.dataset,
        "engine": "virtual" if run.engine == "virtual" else "real", "nodes": run.nodes, "seed": run.seed,
        "status": run.status, "verdict": run.verdict, "why_not": run.why_not, "replayed": _replayed(run),
        "time": tables.figure(own_time(table, run), "missed") if run.counts else "—",
        "end": tables.figure(tables.last(run.progress["time"])), "loss": tables.figure(tables.last(run.progress["loss"])),
        "accuracy": f"{100 * accuracy:.1f}" if math.isfinite(accuracy) else "—",
        "ini": run.ini, "created": run.created, "version": run.software_version, "commit": run.commit,
        "command": f"quantimed run --config {shlex.quote(ini_name)} --output {shlex.quote(run.name + '-again.h5')}",
        "environment": 1 + next(k for k, one in enumerate(environments) if one["key"] == _environment(run)),
    }


def _label(run: Run, table: Table) -> str:
    """With the clock that it was made for, where that is not the table's."""
    known = curves(run)
    by = next(iter(known)) if len(known) == 1 and len(table.judged.clocks) > 1 else ""
    return style.label(run.algorithm) + (f", {CLOCKS.get(by, by)}" if by and by != table.judged.main_clock else "")


def _replayed(run: Run) -> str:
    if not run.replay:
        return "not tried" if run.engine != "virtual" else "—"
    return "to the bit" if run.replay == "bit-exact" else run.replay


def _filters(runs: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    def group(name: str, title: str, values: list[str]) -> dict[str, object]:
        return {"name": name, "title": title, "options": values}

    labels = {run["algorithm"]: (style.label(run["algorithm"]), run["colour"]) for run in runs}
    algorithms = [{"value": name, "label": labels[name][0], "colour": labels[name][1]} for name in style.in_order(list(labels))]
    plain = {name: [{"value": str(value), "label": str(value), "colour": ""} for value in sorted({run[name] for run in runs})]
             for name in ("dataset", "seed")}
    return [group("algorithm", "Algorithm", algorithms), group("dataset", "Data set", plain["dataset"]),
            group("seed", "Seed", plain["seed"])]


def page_data(runs: Sequence[dict[str, object]], found: Sequence[Table]) -> dict[str, object]:
    """What page.js reads: a thinned curve for each run."""
    return {"runs": [{**{name: run[name] for name in ("id", "algorithm", "label", "colour", "dataset", "seed", "file")},
                      "counts": not run["why_not"], "setting": next(k for k, t in enumerate(found) if t is run["setting"]),
                      "curve": _curve(run["run"], main_clock(run["setting"]))} for run in runs]}


def _curve(run: Run, clock: str) -> dict[str, list[float | None]]:
    """On the clock that its table's sentence is about; none of a run that was made for another one."""
    drawn = on_clock([run], clock)
    return {name: thinned(drawn[0].progress[name]) if drawn else [] for name in CURVES}


def thinned(values: np.ndarray) -> list[float | None]:
    """Evenly chosen points, first and last among them; None where there is no figure."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), CURVE_POINTS)).astype(int)) if len(values) else []
    return [float(f"{values[k]:.5g}") if math.isfinite(values[k]) else None for k in chosen]


# ---- environments --------------------------------------------------------------------------------------------------
FIRST = ("cpu", "cores", "processing_units", "memory_bytes", "compiler", "flags", "blas", "kernel", "clock_source")
OF_A_MOMENT = ("load", "clock_cost_ns")  # measured again in each run


def _environment(run: Run) -> str:
    facts = {name: value for name, value in run.environment.items() if name not in OF_A_MOMENT}
    return json.dumps([run.commit, run.software_version, facts], sort_keys=True, default=str)


def _environments(runs: Sequence[Run]) -> list[dict[str, object]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_environment(run), []).append(run)
    return [{"key": key, "runs": len(group), "facts": _facts(group)} for key, group in groups.items()]


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    first = runs[0].environment
    names = [name for name in FIRST if name in first] + sorted(set(first) - set(FIRST) - set(OF_A_MOMENT))
    facts = [("commit", runs[0].commit), ("quantimed", runs[0].software_version)]
    facts += [(name.replace("_", " "), str(first[name])) for name in names if str(first[name]) != ""]
    loads = [float(run.environment["load"]) for run in runs if isinstance(run.environment.get("load"), (int, float))]
    return facts + ([("load when a run began", f"{min(loads):.2f}–{max(loads):.2f}")] if loads else [])
