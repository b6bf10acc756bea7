# SPDX-License-Identifier: BSD-3-Clause
"""What is drawn is what the traces hold; every axis says what it is, in which unit; who has nothing to say says so."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import matplotlib
import numpy as np
import pytest
from conftest import a_run, changing, forge
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from quantimed_report import figures, style, tables
from quantimed_report.figures import (accuracy, batch, bits, common, consensus, curves_iterations, curves_time, distance, gradient_norm, network,
                                      overshoot, phases, phases_nodes, predicted, profile, rates, scaling, speed_ups,
                                      staleness, time_to_targets, timeline)
from quantimed_report.perfetto import write_perfetto
from quantimed_report.statistics import Judged, judge_runs, median, on_clock, shared_clocks, slope
from quantimed.traces import ROUND_ORDER, Run, Study, load_study, phase_order

DIVERGED, INVALID = {"status": "diverged"}, {"verdict": "INVALID: crowded"}
COUNTS_ITSELF = ("iterations of a node", "node", "cores",  # axes whose name is their unit, or that have none
                 "training loss", "target: training loss", "consensus error", "squared gradient norm", "distance to x*", "final loss − best known",
                 "mean of ‖∇f(x̄)‖²")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def everything(loaded: Study, horizons: Study, machine: Path, optimal: Study) -> dict[str, Study]:
    """For each figure a study that has what it shows."""
    special = {"scaling": load_study(machine), "predicted": load_study(machine), "rates": horizons, "distance": optimal}
    return {name: special.get(name, loaded) for name, _ in figures.ALL}


def drawn(module: object, study: Study) -> Figure:
    figure = module.draw(study)
    assert isinstance(figure, Figure), figure
    return figure


def line_of(ax: Axes, algorithm: str) -> Line2D:
    return next(line for line in ax.get_lines() if line.get_label() == style.label(algorithm))


def runs_of(study: Study, algorithm: str) -> list[Run]:
    return [run for run in on_clock(study.counted, shared_clocks(study.counted)[0]) if run.algorithm == algorithm]


def judged(study: Study) -> Judged:
    return judge_runs(on_clock(study.counted, shared_clocks(study.counted)[0]), lambda run: run.algorithm)


# --- all of them

def assert_axes_have_labels_with_units(figure: Figure, name: str) -> None:
    for ax in figure.axes:
        if not ax.axison:
            continue
        names = {tick.get_text() for tick in ax.get_yticklabels()}
        shared = ax.get_shared_x_axes().get_siblings(ax)  # the lowest of them has the label
        assert any(labelled(other.get_xlabel()) for other in shared), (name, ax.get_xlabel())
        assert labelled(ax.get_ylabel()) or any(style.label(known) in names for known in ("dsgd", "quantimed-dsgd"))


def labelled(text: str) -> bool:
    return text in COUNTS_ITSELF or re.search(r"\(.+\)$", text) is not None


@pytest.mark.parametrize("name", [name for name, _ in figures.ALL])
def test_fits_a_column_says_its_units_and_saves(everything: dict[str, Study], name: str) -> None:
    module = dict(figures.ALL)[name]
    assert module.TITLE and module.CAPTION.endswith(".")
    figure = drawn(module, everything[name])
    assert_axes_have_labels_with_units(figure, name)
    assert figure.get_size_inches()[0] == style.width()
    png, pdf = style.saved(figure, "png", "pdf")
    assert png.startswith(b"\x89PNG") and len(png) < 500_000
    assert pdf.startswith(b"%PDF")
    assert_nothing_sticks_out(figure)


def test_a_figure_is_laid_out_once_for_all_its_files_and_again_when_it_was_changed(loaded: Study, tmp_path: Path,
                                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    figure = drawn(curves_time, loaded)
    engine = figure.get_layout_engine()
    execute, times = engine.execute, []
    monkeypatch.setattr(engine, "execute", lambda which: times.append(1) or execute(which))
    style.saved(figure, "png", "pdf")
    assert len(times) == 1 and figure.get_layout_engine() is engine
    figure.axes[0].set_ylabel("two\nlines (s)")
    before = figure.axes[0].get_position().x0
    style.save_pdf(figure, tmp_path / "changed.pdf")
    assert len(times) == 2 and figure.axes[0].get_position().x0 > before


def test_the_same_study_gives_the_same_picture(loaded: Study) -> None:
    assert style.png_bytes(drawn(speed_ups, loaded)) == style.png_bytes(drawn(speed_ups, loaded))


def assert_nothing_sticks_out(figure: Figure) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    renderer = figure.canvas.get_renderer()
    texts = [text for ax in figure.axes if ax.axison for text in (ax.xaxis.label, ax.yaxis.label, ax._left_title)]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    for text in texts:
        box = text.get_window_extent(renderer)
        assert -1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 and box.y1 <= height + 1, text.get_text()


@pytest.mark.parametrize("name", [name for name, _ in figures.ALL])
def test_a_study_without_runs_that_count_says_so(everything: dict[str, Study], name: str, tmp_path: Path) -> None:
    runs = everything[name].runs[:3]
    for number, run in enumerate(runs):
        where = tmp_path / str(number)
        where.mkdir()
        forge(run.path, where / run.path.name, root=DIVERGED if number else INVALID)
    said = dict(figures.ALL)[name].draw(load_study(tmp_path))
    assert isinstance(said, str) and said and "\n" not in said


@pytest.mark.parametrize("module", [speed_ups, profile, overshoot, staleness, bits, scaling, predicted, rates, network,
                                    timeline, distance])
def test_a_study_without_the_matter_says_so(alone: Study, module: object) -> None:
    assert isinstance(module.draw(alone), str)


@pytest.mark.parametrize("name", [name for name, _ in figures.ALL])
def test_one_run_alone_is_drawn_or_refused(alone: Study, name: str) -> None:
    result = dict(figures.ALL)[name].draw(alone)
    if isinstance(result, Figure):
        style.png_bytes(result)


def test_runs_that_do_not_count_are_not_drawn(loaded: Study, tmp_path: Path) -> None:
    for run in loaded.runs:
        shutil.copy(run.path, tmp_path)
    before = line_of(drawn(curves_iterations, load_study(tmp_path)).axes[0], "dsgd").get_ydata()
    forge(tmp_path / "dsgd-seed2.h5", tmp_path / "dsgd-seed2.h5", root=INVALID)
    forge(tmp_path / "dsgd-seed3.h5", tmp_path / "dsgd-seed3.h5", root=DIVERGED)
    after = line_of(drawn(curves_iterations, load_study(tmp_path)).axes[0], "dsgd").get_ydata()
    np.testing.assert_array_equal(after, runs_of(loaded, "dsgd")[0].progress["loss"])
    assert not np.array_equal(before, after)


def test_a_run_that_does_not_count_takes_no_seed_from_the_others(loaded: Study, tmp_path: Path) -> None:
    for run in loaded.runs:
        shutil.copy(run.path, tmp_path)
    [whole] = common.settings(load_study(tmp_path))
    target = whole.judged.main_target
    before = {name: entry.times for name, entry in whole.judged.race(target).entries.items()}
    forge(tmp_path / "dsgd-seed2.h5", tmp_path / "dsgd-seed2.h5", root=INVALID)
    [setting] = common.settings(load_study(tmp_path))
    after = {name: entry.times for name, entry in setting.judged.race(setting.judged.targets[0]).entries.items()}
    assert {name: len(times) for name, times in after.items()} == {name: len(times) for name, times in before.items()}
    assert np.isinf(after["dsgd"]).sum() == 1 and len(setting.of("dsgd")) == len(whole.of("dsgd")) - 1
    # As the table has it.
    [table] = tables.tables(load_study(tmp_path), [target])
    [row] = [row for row in table.rows if row.algorithm == "dsgd"]
    assert row.entry(target).times.count(np.inf) == 1


def test_an_algorithm_has_one_colour(loaded: Study) -> None:
    for module in (curves_time, curves_iterations, bits, profile, batch):
        for algorithm in ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"):
            assert line_of(drawn(module, loaded).axes[0], algorithm).get_color() == style.colour(algorithm)
    assert style.colour("new-one") == style.colour("new-one") and style.label("new-one") == "new-one"
    assert len({style.colour(name) for name in ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd")}) == 4
    assert not {style.colour(name) for name in ("quantimed-dsgd", "dsgd")} & set(style.PHASE_COLOURS.values())


def test_settings_are_told_apart(loaded: Study, horizons: Study) -> None:
    name, found = f"{Path(horizons.runs[0].dataset).name}, 5 nodes, virtual time, ", common.settings(horizons)
    assert {setting.name for setting in found} == {f"{name}{horizon} iterations" for horizon in ("10", "20", "40")}
    assert found[0].title(80).endswith("; 3\u00a0seeds")
    assert max(map(len, found[0].title(20).split("\n"))) <= 20
    assert len(common.settings(horizons, leave_out=("iterations",))) == 1
    assert len(common.settings(loaded)) == 1


def test_runs_with_other_tuning_are_no_repetitions() -> None:
    slow, fast, other = (a_run("dsgd", config={"alpha": "0.1"}), a_run("dsgd", config={"alpha": "0.2"}), a_run("q-dsgd"))
    found = common.settings(Study(Path(), [slow, fast, other], []))
    assert {setting.name for setting in found} == {f"digits, 4 nodes, virtual time, alpha {alpha}" for alpha in ("0.1", "0.2")}
    assert all(setting.algorithms == ["dsgd", "q-dsgd"] and len(setting.runs) == 2 for setting in found)
    together = common.settings(Study(Path(), [slow, other], []))
    assert [len(setting.runs) for setting in together] == [2], "each algorithm may have its own tuning"


# --- each of them

def test_figures_are_on_one_clock(loaded: Study) -> None:
    """An asynchronous algorithm was run once for each clock: what was run for the other one is not drawn with it."""
    setting, = common.settings(loaded)
    assert setting.clock == "wire" and setting.clock_label == "virtual time, bits on the wire"
    assert {(run.algorithm, run.seed) for run in setting.runs} == {(a, s) for a in setting.algorithms for s in (1, 2, 3)}
    assert len(setting.runs) == 12
    by_path = {run.path: run for run in loaded.runs}
    for run in setting.runs:
        read = by_path[run.path]
        assert read.config["bits"] == ("wire" if run.algorithm == "async-dsgd" else "paper")
        np.testing.assert_array_equal(run.progress["time"], read.progress["time_wire_bits"])
    assert setting.judged.clocks == ["wire"]


def test_curves(loaded: Study) -> None:
    ax = drawn(curves_iterations, loaded).axes[0]
    runs = runs_of(loaded, "dsgd")
    line = line_of(ax, "dsgd")
    np.testing.assert_array_equal(line.get_xdata(), runs[0].progress["iteration"])
    np.testing.assert_allclose(line.get_ydata(), np.median([run.progress["loss"] for run in runs], axis=0))
    band = next(one for one in ax.collections if np.allclose(one.get_facecolor()[0][:3], rgb(style.colour("dsgd"))))
    lowest = np.min([run.progress["loss"] for run in runs], axis=0)
    edges = band.get_paths()[0].vertices
    for x, y in zip(runs[0].progress["iteration"], lowest):
        assert np.any(np.all(np.isclose(edges, (x, y)), axis=1)), "the band's lower edge is the lowest of three seeds"


def test_curves_over_time_are_drawn_by_both_counts_of_bits(loaded: Study) -> None:
    first, second = drawn(curves_time, loaded).axes
    assert "bits on the wire" in first.get_xlabel() and "paper's bits" in second.get_xlabel()
    for axes, clock in (first, "wire"), (second, "paper"):
        runs = [run for run in on_clock(loaded.counted, clock) if run.algorithm == "async-dsgd"]
        x, _ = line_of(axes, "async-dsgd").get_data()
        assert x[-1] == pytest.approx(min(run.progress["time"][-1] for run in runs))


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5))


def test_curves_over_time_meet_on_one_grid(loaded: Study) -> None:
    line = line_of(drawn(curves_time, loaded).axes[0], "async-dsgd")
    runs = runs_of(loaded, "async-dsgd")
    x, y = line.get_data()
    assert x[-1] == pytest.approx(min(run.progress["time"][-1] for run in runs))
    at = len(x) // 2
    values = [np.interp(x[at], run.progress["time"], run.progress["loss"]) for run in runs]
    assert y[at] == pytest.approx(np.median(values))


def test_accuracy(loaded: Study) -> None:
    over_time, over_iterations = drawn(accuracy, loaded).axes
    runs = runs_of(loaded, "dsgd")
    line = line_of(over_iterations, "dsgd")
    column = next(name for name in ("test_accuracy", "accuracy") if np.isfinite(runs[0].progress[name]).all())
    np.testing.assert_allclose(line.get_ydata(), np.median([run.progress[column] for run in runs], axis=0))
    assert column.replace("_", " ") in over_time.get_ylabel()


def test_time_to_targets_shows_misses(loaded: Study) -> None:
    ax = drawn(time_to_targets, loaded).axes[0]
    found = judged(loaded)
    targets = found.targets
    missed_words = {text.get_text() for text in ax.texts}
    missed = 0
    for algorithm in ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"):
        times = [found.race(target).entries[algorithm].times for target in targets]
        expected = np.array([median(row) for row in times])
        seen = np.where(np.isfinite(expected), expected, np.nan)
        np.testing.assert_allclose(line_of(ax, algorithm).get_ydata(), seen)
        for row in times:
            missed += np.isinf(row).any()
            # A cross without a number: all.
            assert not np.isinf(row).any() or np.isinf(row).all() or f"{np.isinf(row).sum()}/{len(row)}" in missed_words
        crosses = sum(line.get_marker() == "x" and line.get_color() == line_of(ax, algorithm).get_color() for line in ax.get_lines())
        assert crosses == sum(bool(np.isinf(row).any()) for row in times)
    assert missed > 0, "the data has no miss to show"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [f"{target:.3g}" for target in targets]


def test_speed_ups(loaded: Study) -> None:
    ax = drawn(speed_ups, loaded).axes[0]
    found = judged(loaded)
    mine, theirs = (found.race(found.main_target).entries[name] for name in ("quantimed-dsgd", "dsgd"))
    expected = np.array(theirs.times) / np.array(mine.times)
    mark = line_of(ax, "quantimed-dsgd")
    assert mark.get_xdata()[0] == pytest.approx(median(expected))
    assert any(np.array_equal(line.get_xdata(), expected) for line in ax.get_lines())
    interval = mine.speed_up
    bars = [one.get_segments()[0][:, 0].tolist() for one in ax.collections if isinstance(one, LineCollection)]
    assert [interval.low, interval.high] in bars


def test_speed_ups_say_who_missed(loaded: Study, tmp_path: Path) -> None:
    target = judged(loaded).targets[-1]
    for run in loaded.runs:
        forge(run.path, tmp_path / run.path.name)
        with changing(tmp_path / run.path.name) as file:
            file["config"].attrs["target-loss"] = f"{target:g}"
    words = " ".join(text.get_text() for text in drawn(speed_ups, load_study(tmp_path)).axes[0].texts)
    assert "missed the target in" in words or "alone reached it in" in words or "both missed in" in words


@pytest.mark.parametrize("ours_last, words", [(1.0, "alone reached it in 6 of 6"), (4.5, "both missed in 6 of 6")])
def test_speed_ups_without_a_ratio_say_so_in_place_of_an_axis(ours_last: float, words: str) -> None:
    config = {"target-loss": "2"}
    runs = [a_run(algorithm, seed, [9, 8, 7, 6, last, last], config=config) for seed in range(1, 7)
            for algorithm, last in (("quantimed-dsgd", ours_last), ("dsgd", 4.5))]
    ax = drawn(speed_ups, Study(Path("study"), runs, [])).axes[0]
    assert [text.get_text() for text in ax.texts] == [words]
    assert list(ax.get_xticks()) == [] and ax.get_xlabel().endswith("no ratio, both arrived in no pair")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [style.label("quantimed-dsgd")]


def test_profile(loaded: Study) -> None:
    times = profile.problems(loaded)
    assert {len(row) for row in times.values()} == {3 * 5}
    ax = drawn(profile, loaded).axes[0]
    best = np.min(list(times.values()), axis=0)
    for algorithm, row in times.items():
        x, y = line_of(ax, algorithm).get_data()
        solved = np.isfinite(row)
        assert y[-1] == pytest.approx(100 * solved.mean())
        within_two = np.mean(np.array(row)[solved] <= 2 * best[solved] * (1 + 1e-12)) * solved.mean()
        assert y[np.searchsorted(x, 2, side="right") - 1] == pytest.approx(100 * within_two)


def bars_of(ax: Axes) -> list[float]:
    return [patch.get_width() for patch in ax.patches]


def test_phases(loaded: Study) -> None:
    ax = drawn(phases, loaded).axes[0]
    runs = runs_of(loaded, "quantimed-dsgd")
    expected = [np.mean([run.rounds(f"{phase}_time") for run in runs]) for phase in ROUND_ORDER]
    factor = {"s": 1, "ms": 1e3, "µs": 1e6}[re.search(r"\((.+)\)", ax.get_xlabel())[1]]
    np.testing.assert_allclose(bars_of(ax)[:7], factor * np.array(expected), rtol=1e-5)


def test_phases_by_node(loaded: Study) -> None:
    figure = drawn(phases_nodes, loaded)
    run = runs_of(loaded, "quantimed-dsgd")[0]
    order = phase_order(run)
    heights = np.array([patch.get_height() for patch in figure.axes[0].patches]).reshape(7, run.nodes)
    factor = {"s": 1, "ms": 1e3, "µs": 1e6}[re.search(r"\((.+)\)", figure.axes[0].get_ylabel())[1]]
    expected = factor * run.rounds("compute_time").mean(axis=0)
    np.testing.assert_allclose(heights[order.index("compute")], expected, rtol=1e-5)
    assert len(phases_nodes.shown_nodes(1000)) == 100 and phases_nodes.shown_nodes(1000)[-1] == 999


@pytest.mark.parametrize(("module", "column", "panel"), [(batch, "batch", 0), (staleness, "staleness", 0)])
@pytest.mark.parametrize("algorithm", ["quantimed-dsgd", "async-dsgd"])
def test_distributions(loaded: Study, module: object, column: str, panel: int, algorithm: str) -> None:
    x, y = line_of(drawn(module, loaded).axes[panel], algorithm).get_data()
    values = np.concatenate([run.rounds(column).ravel() for run in runs_of(loaded, algorithm)])
    values = values[np.isfinite(values)]
    assert x[0] == values.min() and x[-1] == values.max()
    assert x[100] == pytest.approx(np.quantile(values, 0.5, method="inverted_cdf")) and y[100] == 50


def test_pooled_values_are_thinned_evenly(loaded: Study) -> None:
    runs = runs_of(loaded, "dsgd")
    assert common.pooled(runs, "batch").size == sum(run.rounds("batch").size for run in runs)
    assert len(runs) <= common.pooled(runs, "batch", most=30).size <= 30


def test_overshoot(loaded: Study) -> None:
    ax = drawn(overshoot, loaded).axes[0]
    values = np.concatenate([run.rounds("overshoot").ravel() for run in runs_of(loaded, "quantimed-dsgd")])
    factor = {"s": 1, "ms": 1e3, "µs": 1e6}[re.search(r"\((.+)\)", ax.get_xlabel())[1]]
    x, _ = line_of(ax, "quantimed-dsgd").get_data()
    assert x[-1] == pytest.approx(factor * values.max()) and x[0] == pytest.approx(factor * values.min())
    assert any(text.get_text().startswith(f"after it: {100 * np.mean(values > 0):.3g} %") for text in ax.texts)


@pytest.mark.parametrize("algorithm", ["quantimed-dsgd", "async-dsgd"])
def test_bits_end_at_the_total(loaded: Study, algorithm: str) -> None:
    runs = runs_of(loaded, algorithm)
    for run in runs:
        sent = bits.bits_sent(run)
        assert np.all(np.diff(sent) >= 0)
        assert sent[-1] == pytest.approx(8 * run.number("total_bytes"), rel=1e-6)
    x, y = line_of(drawn(bits, loaded).axes[0], algorithm).get_data()
    assert x[-1] == pytest.approx(min(bits.bits_sent(run)[-1] for run in runs) / 1e6)


@pytest.mark.parametrize("graph", ["one-peer-exponential", "random-matching", "directed-exponential"])
def test_a_schedule_is_drawn_with_the_bits_that_were_sent(quantimed, tmp_path: Path, graph: str) -> None:
    quantimed("compare", "--algorithms", "dsgd-atc,sgp", "--seeds", "1-2", "--graph", graph, "--timeline",
              "--output", str(tmp_path / "study"))
    loaded = load_study(tmp_path / "study")
    assert len(loaded.counted) == 4
    for run in loaded.counted:
        assert run.network["schedule"] == graph
        assert bits.bits_sent(run)[-1] == pytest.approx(8 * run.number("total_bytes"), rel=1e-6)
    assert "its mean" in network.draw(loaded).axes[0].get_title(loc="left")
    write_perfetto(loaded.counted[0], tmp_path / "timeline.json")


def test_scaling(machine: Path) -> None:
    study = load_study(machine)
    rate = {(run.nodes, run.repeat): run.number("total_samples") / run.number("end_time_s")
            for run in study.runs if run.kind == "strong"}
    expected = [rate[2, repeat] / rate[1, repeat] for repeat in (1, 2)]
    speed, efficiency = drawn(scaling, study).axes
    curve = next(line for line in speed.get_lines() if line.get_color() == style.colour("dsgd"))
    np.testing.assert_array_equal(curve.get_xdata(), [1, 2])
    np.testing.assert_allclose(curve.get_ydata(), [1, median(expected)])
    ideal = next(line for line in speed.get_lines() if line.get_label() == "ideal")
    np.testing.assert_array_equal(ideal.get_ydata(), [1, 2])
    curve = next(line for line in efficiency.get_lines() if line.get_color() == style.colour("dsgd"))
    np.testing.assert_allclose(curve.get_ydata(), [100, 50 * median(expected)])


def test_scaling_pairs_only_runs_that_count(machine: Path, tmp_path: Path) -> None:
    for path in machine.glob("strong-*"):
        invalid = path.name == "strong-dsgd-n1-repeat1.h5"
        forge(path, tmp_path / path.name, root=INVALID if invalid else {})
    points = scaling.points(load_study(tmp_path).runs, "dsgd")
    assert [(point.cores, point.speed_ups.size) for point in points] == [(1, 1), (2, 1)]
    forge(machine / "strong-dsgd-n1-repeat2.h5", tmp_path / "strong-dsgd-n1-repeat2.h5", root=DIVERGED)
    assert isinstance(scaling.draw(load_study(tmp_path)), str)


def test_predicted(machine: Path) -> None:
    study = load_study(machine)
    found = predicted.predictions(study, machine)["dsgd"]
    assert found[0].name == "predicted-dsgd-n2" and [run.name for run in found[1]] == [
        "measured-dsgd-repeat1", "measured-dsgd-repeat2"]
    ax = drawn(predicted, study).axes[0]
    factor = {"s": 1, "ms": 1e3, "µs": 1e6}[re.search(r"\((.+)\)", ax.get_xlabel())[1]]
    expected = [found[0].rounds(f"{phase}_time").mean() for phase in ROUND_ORDER]
    expected += [np.mean([run.rounds(f"{phase}_time") for run in found[1]]) for phase in ROUND_ORDER]
    np.testing.assert_allclose(bars_of(ax), factor * np.array(expected), rtol=1e-5)


def test_rates(horizons: Study) -> None:
    setting = common.settings(horizons, leave_out=("iterations",))[0]
    rate = rates.rates(setting)["dsgd"]
    assert rate.horizons.tolist() == [10, 20, 40] and [each.size for each in rate.values] == [3, 3, 3]
    ax = drawn(rates, horizons).axes[0]
    words = next(line.get_label() for line in ax.get_lines() if line.get_label().startswith(style.label("dsgd") + ":"))
    assert f"slope {slope(rate.horizons, rate.medians):.2f}" in words and "[" in words
    promise = next(line for line in ax.get_lines() if line.get_label().startswith("promised"))
    assert slope(promise.get_xdata(), promise.get_ydata()) == pytest.approx(-1 / 3)


def test_a_known_rate_is_found() -> None:
    horizons = np.array([10, 100, 1000])
    rate = rates.Rate(horizons, [T**-0.5 * np.array([0.9, 1.0, 1.1]) for T in horizons], True)
    low, high = rates.slope_interval(rate)
    assert slope(horizons, rate.medians) == pytest.approx(-0.5) and low <= -0.5 <= high


def test_network(loaded: Study) -> None:
    graph, spectrum = drawn(network, loaded).axes
    run = loaded.counted[0]
    matrix = network.mixing_matrix(run)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    points = next(line for line in spectrum.get_lines() if len(line.get_xdata()) == run.nodes)
    np.testing.assert_allclose(np.sort(points.get_ydata()), np.linalg.eigvalsh(matrix))
    assert f"{run.network['beta']:.4g}" in spectrum.get_title(loc="left")
    edges = next(one for one in graph.collections if isinstance(one, LineCollection))
    assert len(edges.get_segments()) == len(run.edges()[0])


def test_timeline(loaded: Study) -> None:
    above, below = drawn(timeline, loaded).axes
    assert above.get_title(loc="left").startswith("deadline") and below.get_title(loc="left").startswith("asynchronous")
    deadline, newest = timeline.chosen_runs(loaded)
    assert (deadline.algorithm, newest.algorithm, deadline.seed) == ("quantimed-dsgd", "async-dsgd", newest.seed)
    numbers = {text.get_text() for text in above.texts}
    assert {f"{size:.0f}" for size in deadline.rounds("batch")[:4].ravel()} <= numbers
    blocks = [block for block in timeline.blocks(deadline, 1e9, deadline.nodes) if block.phase == "compute"]
    assert len(blocks) == deadline.rounds("batch").size
    assert {round(block.length, 6) for block in blocks} == {round(float(deadline.rounds("deadline")[0, 0]), 6)}
    for block in blocks[:20]:
        assert block.batch == deadline.rounds("batch")[block.iteration, block.node]


def test_timeline_agrees_with_the_recorded_events(loaded: Study) -> None:
    """--timeline keeps what the blocks are worked out from."""
    run = timeline.chosen_runs(loaded)[1]
    events = run.timeline()
    recorded = {(int(node), int(k)): start for node, k, phase, start in
                zip(events["node"], events["iteration"], events["phase"], events["start"]) if phase == 0}
    for block in timeline.blocks(run, 1e9, run.nodes):
        if block.phase == "compute":
            assert recorded[block.node, block.iteration] == pytest.approx(block.start, abs=1e-9)


# --- for papers

@pytest.fixture
def plain() -> Iterator[None]:
    yield
    style.wear(style.Look())


def test_width_font_and_titles_are_those_asked_for(loaded: Study, plain: None) -> None:
    style.wear(style.Look(width=6.5, font="serif", titles=False))
    figure = drawn(curves_time, loaded)
    assert figure.get_size_inches()[0] == 6.5
    assert figure.axes[0].xaxis.label.get_fontfamily() == ["serif"]
    assert [ax.get_title(loc=place) for ax in figure.axes for place in ("left", "center", "right")] == [""] * 3 * len(figure.axes)
    style.wear(style.Look())
    assert drawn(curves_time, loaded).axes[0].get_title(loc="left")


def test_a_style_file_wins_over_the_reports_own_settings(loaded: Study, tmp_path: Path, plain: None) -> None:
    file = tmp_path / "paper.mplstyle"
    file.write_text("figure.figsize: 5, 2\nlines.linewidth: 3.25\nbackend: TkAgg\n")
    style.wear(style.Look(file=file))
    figure = drawn(curves_time, loaded)
    assert figure.get_size_inches()[0] == 5
    assert {line.get_linewidth() for line in figure.axes[0].get_lines()} == {3.25}
    assert matplotlib.get_backend().lower() == "agg"


def test_the_users_own_matplotlibrc_changes_nothing(loaded: Study) -> None:
    before = style.png_bytes(drawn(curves_time, loaded))
    with matplotlib.rc_context({"text.color": "red", "axes.labelsize": 30, "axes.facecolor": "yellow", "lines.marker": "o",
                                "text.usetex": False, "savefig.bbox": "tight", "image.cmap": "hot", "axes.formatter.use_locale": True}):
        assert style.png_bytes(drawn(curves_time, loaded)) == before


@pytest.mark.parametrize("look, says", [
    (dict(font="No Such Font"), "--font No Such Font: not installed"),
    (dict(file=Path("nowhere.mplstyle")), "--style nowhere.mplstyle"),
])
def test_a_look_that_cannot_be_had_is_refused(look: dict[str, object], says: str, plain: None) -> None:
    with pytest.raises(style.StyleError, match=says):
        style.wear(style.Look(**look))


def test_a_style_file_with_nonsense_is_refused(tmp_path: Path, plain: None) -> None:
    (tmp_path / "x.mplstyle").write_text("lines.linewidth: thick\n")
    with pytest.raises(style.StyleError, match="x.mplstyle"):
        style.wear(style.Look(file=tmp_path / "x.mplstyle"))


def test_consensus_and_gradient_are_the_recorded_ones(loaded: Study) -> None:
    for module, column in ((consensus, "consensus_error"), (gradient_norm, "gradient_norm_squared")):
        figure = drawn(module, loaded)
        over_iterations = figure.axes[1]
        runs = [run for run in loaded.counted if run.algorithm == "dsgd"]
        line = next(one for one in over_iterations.get_lines() if one.get_label() == style.label("dsgd"))
        expected = np.median([np.interp(line.get_xdata(), run.progress["iteration"], run.progress[column]) for run in runs], axis=0)
        assert np.allclose(line.get_ydata(), expected)


def test_the_distance_to_the_optimum_is_the_recorded_one_of_runs_that_have_it(optimal: Study, loaded: Study) -> None:
    both = Study(optimal.folder, [*optimal.runs, *loaded.runs], [])
    figure = drawn(distance, both)
    assert len(figure.axes) == 2, "the other study has none, and is no panel"
    line = line_of(figure.axes[1], "exact-diffusion")
    runs = [run for run in optimal.counted if run.algorithm == "exact-diffusion"]
    expected = np.median([np.interp(line.get_xdata(), run.progress["iteration"], run.progress["distance_to_optimum"]) for run in runs], axis=0)
    assert np.allclose(line.get_ydata(), expected)
    assert figure.axes[1].get_yscale() == "log"
    dsgd = line_of(figure.axes[1], "dsgd").get_ydata()
    assert line.get_ydata()[-1] < 1e-2 * dsgd[-1], "an exact method, and one that its step biases"
