# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import a_run

from quantimed_report import tables
from quantimed_report.figures import common
from quantimed_report.figures.common import TUNING
from quantimed_report.spreadsheet import run_rows, summary_rows, to_csv
from quantimed_report.tables import without_copies
from quantimed.traces import Run, Study, load_study
from quantimed_report.answer import answer


def study_of(*runs: Run) -> Study:
    return Study(Path("study"), list(runs), [])


def race(factors: list[float], fast: str = "async-dsgd", **changes: object) -> list[Run]:
    """Runs of two algorithms, DSGD `factors` times as slow as the other, a seed a factor; from 9 to 1 in 8 steps."""
    losses = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    return [run for seed, factor in enumerate(factors, 1)
            for run in (a_run("dsgd", seed, losses, [10 * factor * k for k in range(9)], **changes),
                        a_run(fast, seed, losses, [10 * k for k in range(9)], **changes))]


def row(found: tables.Table, algorithm: str) -> tables.Row:
    return next(one for one in found.rows if one.algorithm == algorithm)


def test_every_parameter_of_an_algorithm_is_tuning_and_no_setting_of_its_own(program: Path) -> None:
    said = json.loads(subprocess.run([program, "info", "--algorithms", "--json"], capture_output=True, text=True, check=True).stdout)
    parameters = {parameter["name"] for row in said["algorithms"] for parameter in row["parameters"]}
    assert "gamma" in parameters and not parameters - set(TUNING)


def test_times_and_speed_ups_are_paired_by_seed() -> None:
    [found] = tables.tables(study_of(*race([2, 3, 4])), [3])
    fast = row(found, "async-dsgd").entry(3)
    assert (fast.time.median, fast.speed_up.median, fast.speed_up.count, fast.arrived) == (60, 3, 3, 3)
    slow = row(found, "dsgd").entry(3).time
    assert (slow.median, slow.low, slow.high, slow.kind) == (180, 120, 240, "range")


def test_joules_to_a_target_are_told_where_every_run_has_them() -> None:
    runs = race([2, 2])
    for run in runs:
        run.progress["energy_j"] = 3 * run.progress["time"]
    [found] = tables.tables(study_of(*runs), [3])
    slow = row(found, "dsgd")
    assert slow.entry(3).energy.median == 360
    assert "360 J of whole packages" in tables.columns(found)[0].cell(slow, found)[1]
    assert next(line for line in summary_rows([found]) if line["algorithm"] == "dsgd")["energy_to_target_j"] == 360
    del runs[0].progress["energy_j"]
    [found] = tables.tables(study_of(*runs), [3])
    assert math.isnan(row(found, "dsgd").entry(3).energy.median)
    assert " J" not in tables.columns(found)[0].cell(row(found, "dsgd"), found)[1]


@pytest.mark.parametrize("changes", [{"verdict": "INVALID: 6 nodes share 2 cores"}, {"status": "diverged"},
                                     {"status": "running"}, {"status": "interrupted"}])
def test_what_does_not_count_is_never_averaged_in(changes: dict[str, str]) -> None:
    bad = a_run("async-dsgd", 9, [9, 0.003, 0.002, 0.001], [0, 0.001, 0.002, 0.003], **changes)
    [found] = tables.tables(study_of(*race([2, 2, 2, 2]), a_run("dsgd", 9, [9, 8, 7]), bad), [3])
    fast = row(found, "async-dsgd")
    assert (fast.entry(3).time.low, fast.entry(3).time.high, fast.estimate("final_loss").low) == (60, math.inf, 1)
    assert (len(fast.counted), len(fast.runs), sum(fast.lost().values())) == (4, 5, 1)
    assert "4 of 5" in str(tables.to_markdown(found))
    assert answer(found).trust == "care"


def test_settings_are_never_mixed() -> None:
    runs = [a_run(seed=seed, config=config) for seed in (1, 2)
            for config in ({"dataset": "mnist"}, {"dataset": "digits"}, {"nodes": 8}, {"engine": "threads"}, {"model": "mlp:9"})]
    found = tables.tables(study_of(*runs))
    assert len(found) == 5 and all(len(table.runs) == 2 for table in found)
    assert len({table.label for table in found}) == 5


def test_step_sizes_of_one_algorithm_are_rows_of_their_own() -> None:
    runs = [a_run(seed=seed, config={"alpha": alpha}) for seed in (1, 2) for alpha in ("0.1", "0.4")]
    [found] = tables.tables(study_of(*runs))
    assert [one.label for one in found.rows] == ["DSGD (alpha 0.1)", "DSGD (alpha 0.4)"]
    assert found.baseline is None


def test_a_copy_is_no_second_run() -> None:
    copied = a_run(path=Path("copy.h5"))
    study = without_copies(study_of(a_run(), copied, a_run(seed=2)))
    assert len(study.runs) == 2 and "the same run as dsgd-seed1.h5" in study.skipped[0].why


def test_given_targets() -> None:
    [found] = tables.tables(study_of(*race([2, 2, 2])), [5, 3])
    assert found.targets == [5, 3] and row(found, "async-dsgd").entry(5).time.median == 40
    [found] = tables.tables(study_of(*race([2, 2, 2])), [0.5])
    assert row(found, "dsgd").entry(0.5).time.median == math.inf and row(found, "dsgd").entry(0.5).arrived == 0
    assert "missed" in tables.to_markdown(found)
    assert answer(found).sentence.startswith("Nobody arrived in more than half of the runs to loss 0.5.")


def test_the_targets_that_the_runs_were_given_are_taken() -> None:
    [found] = tables.tables(study_of(*race([2, 2], config={"target-loss": "5,3.5"})))
    assert found.targets == [5, 3.5] and found.judged.answer["targets_given"]
    [found] = tables.tables(study_of(*race([2, 2], config={"target-loss": "none"})))
    assert len(found.targets) == 5 and not found.judged.answer["targets_given"]


def test_the_horizon_and_the_clock_do_not_split_a_comparison() -> None:
    """At equal time each algorithm has its own number of iterations."""
    runs = race([2, 2])
    for run in runs:
        run.config["iterations"], run.config["max-time"] = (300, "470") if run.algorithm == "dsgd" else (155, "none")
    assert len(tables.tables(study_of(*runs))) == 1
    # Several horizons of one algorithm are no repetitions of each other; who has one meets each of them.
    more = race([3, 3])
    for run in more:
        run.config["iterations"] = 600
        run.config["max-time"] = "470"
    found = tables.tables(study_of(*runs, *[run for run in more if run.algorithm == "dsgd"]))
    assert sorted(table.label for table in found) == [f"digits, 4 nodes, virtual time, {t} iterations" for t in (300, 600)]
    assert all({one.algorithm for one in table.rows} == {"dsgd", "async-dsgd"} for table in found)


def test_a_comparison_at_equal_time_is_one_table_that_says_what_compare_said(quantimed: Callable[..., None], tmp_path: Path) -> None:
    """The asynchronous runs are made once for each clock, and with steps that depend on T each has a horizon of its own."""
    quantimed("compare", "--budget", "time", "--seeds", "1-5", "--alpha", "0.3*T^(-1/6)", "--epsilon", "0.5", "--output", str(tmp_path))
    study = without_copies(load_study(tmp_path))
    assert len({str(run.config["horizon"]) for run in study.runs if run.algorithm == "async-dsgd"}) == 2
    [found] = tables.tables(study)
    [setting] = common.settings(study)
    [said] = json.loads((tmp_path / "comparison.json").read_text())["comparisons"]
    assert found.targets == pytest.approx(said["targets"])
    for one in said["headlines"]:
        assert found.judged.headline(one["clock"]) == in_words_of(found, one["text"])
    assert setting.judged.targets == pytest.approx(said["targets"])


def in_words_of(found: tables.Table, text: str) -> str:
    """The program's headline with the page's names of algorithms."""
    for one in found.rows:
        text = re.sub(rf"(?<![\w-]){re.escape(one.algorithm)}(?![\w-])", one.label, text)
    return text


def test_runs_of_different_clocks_are_no_comparison() -> None:
    runs = [run for run in race([2, 2], config={"bits": "paper"}) if run.algorithm == "dsgd"]
    runs += [run for run in race([2, 2], config={"bits": "wire"}) if run.algorithm != "dsgd"]
    assert sorted(table.label[-5:] for table in tables.tables(study_of(*runs))) == ["paper", " wire"] or \
        len(tables.tables(study_of(*runs))) == 2


def test_answer_of_a_clear_race() -> None:
    [found] = tables.tables(study_of(*race([2, 3, 3, 3, 4])), [3])
    said = answer(found)
    assert said.sentence == "Fastest to loss 3: asynchronous DSGD, 3.00× [2.00–4.00] as fast as the next, DSGD.".replace(
        "asynchronous DSGD", row(found, "async-dsgd").label)
    assert any("not tuned" in text for good, text in said.reasons if not good)


def test_answer_of_a_race_too_close_to_call() -> None:
    [found] = tables.tables(study_of(*race([0.8, 0.9, 1.1, 1.2, 1.3])), [3])
    said = answer(found)
    assert said.sentence.startswith("Too close to call") and said.trust == "care"


def test_answer_with_too_few_pairs_names_nobody() -> None:
    [found] = tables.tables(study_of(*race([2])), [3])
    assert answer(found).sentence.startswith("Ahead to loss 3")
    assert "1 pair of runs: too few to name a winner" in answer(found).sentence


def test_answer_without_a_run_that_counts() -> None:
    [found] = tables.tables(study_of(a_run(verdict="INVALID: why"), a_run(seed=2, status="diverged")))
    said = answer(found)
    assert said.sentence == "No result: none of the 2 runs counts." and said.trust == "no"
    assert "1 INVALID, 1 diverged" in said.reasons[0][1]


def test_answer_says_that_files_could_not_be_used() -> None:
    [found] = tables.tables(study_of(*race([2, 2, 2])))
    assert "2 files of the study could not be used" in answer(found, 2).reasons[0][1]


def test_answer_where_the_others_miss() -> None:
    runs = [run for run in race([2, 2.1, 2.2, 2, 2])]
    short = [a_run("dsgd", run.seed, run.progress["loss"][:5], run.progress["time"][:5]) if run.algorithm == "dsgd" else run
             for run in runs]
    [found] = tables.tables(study_of(*short), [3])
    said = answer(found)
    assert said.sentence == f"Fastest to loss 3: {row(found, 'async-dsgd').label}; DSGD did not arrive."
    assert any("Missed: loss 3 by all runs of DSGD." in text for _, text in said.reasons)


def crossing(seeds: int = 6) -> list[Run]:
    """Async falls fast and stays at 3, DSGD falls slowly and goes on to 1."""
    fast, slow = [9, 8, 7, 6, 5, 4, 3.5, 3.2, 3.1, 3, 3, 3, 3], [9, 8.5, 8, 7, 6, 5.5, 5, 4.5, 4, 3, 2, 1.5, 1]
    return [a_run(name, seed, losses, [(10 + seed / 10) * k for k in range(13)])
            for seed in range(1, seeds + 1) for name, losses in (("async-dsgd", fast), ("dsgd", slow))]


def test_answer_says_where_curves_cross_and_warns_to_both_sides() -> None:
    [found] = tables.tables(study_of(*crossing()), [4.5, 2])
    quick = row(found, "async-dsgd").label
    said = answer(found)
    assert f"Fastest to loss 4.5: {quick}" in said.sentence and "fastest at 2: DSGD" in said.sentence
    assert (False, "Who is the fastest depends on the target: the curves cross.") in said.reasons
    # Who asks for one target alone is told of the others: below …
    [low] = tables.tables(study_of(*crossing()), [4.5])
    assert any(text.startswith("At other targets another is the fastest: DSGD at loss") for _, text in answer(low).reasons)
    # … and above.
    [high] = tables.tables(study_of(*crossing()), [2])
    assert any(text.startswith(f"At other targets another is the fastest: {quick} at loss") for _, text in answer(high).reasons)


def test_steps_tuned_with_equal_budgets_speak_for_a_comparison() -> None:
    runs = race([2, 3, 3, 3, 4])
    assert any(not good and "do not say" in text for good, text in answer(tables.tables(study_of(
        *race([2, 3, 3, 3, 4], config={"alpha": "0.7"})))[0]).reasons)
    for run in runs:
        run.config["tuned_by"] = "equal budgets: 24 trials of each algorithm, seeds 101-103"
    [found] = tables.tables(study_of(*runs))
    assert (True, "Step sizes: tuned with equal budgets: 24 trials of each algorithm, seeds 101-103.") in answer(found).reasons
    for word in ("none", "other options than these: batch (5)", "a certificate that was changed, or is none"):
        for run in runs:
            run.config["tuned_by"] = word
        [found] = tables.tables(study_of(*runs))
        assert not any("equal budgets" in text for _, text in answer(found).reasons), word
    runs[0].config["tuned_by"] = "12 trials, seeds 101-103, 0123abcd"
    [found] = tables.tables(study_of(*runs))
    assert any(not good and "not tuned with one budget: 12 trials" in text for good, text in answer(found).reasons)


def test_csv_comes_back_and_no_spreadsheet_carries_it_out() -> None:
    found = tables.tables(study_of(a_run(config={"dataset": '=cmd|"x"'}), a_run("q-dsgd", config={"dataset": '=cmd|"x"'})))
    rows = list(csv.DictReader(io.StringIO(to_csv(summary_rows(found)))))
    assert list(dict.fromkeys(one["algorithm"] for one in rows)) == ["dsgd", "q-dsgd"]
    assert rows[0]["dataset"] == "'=cmd|\"x\"" and rows[0]["target_loss"] == "1.5"
    assert rows[0]["test_accuracy_median"] == ""


def test_markdown_has_no_markup_of_a_trace() -> None:
    text = tables.markdown_text("a|b\n<script>[x](y)`")
    assert "<" not in text and "\n" not in text and "\\|" in text and "\\[" in text


CERTIFICATE = "trials=24; seeds=101-103; alpha=dsgd=0.2,dsgd@5=0.4,async-dsgd=0.3; epsilon=; check=0"


def tuned(algorithm: str, alpha: object, slow: float, certificate: str = CERTIFICATE, seeds: range = range(1, 7), codec: str = "exact",
          **changes: object) -> list[Run]:
    losses = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    config = {"alpha": alpha, "epsilon": "1", "tuned-by": certificate, "target-loss": "5,3", "codec": codec}
    return [a_run(algorithm, seed, losses, [slow * seed * k for k in range(9)], config=config, **changes) for seed in seeds]


def test_steps_that_are_best_for_a_target_race_to_it_alone() -> None:
    study = study_of(*tuned("dsgd", 0.2, 8), *tuned("dsgd", "4e-1", 6), *tuned("async-dsgd", "0.3", 7))
    one, each = tables.tables(study)
    assert each.each_target and each.targets == one.targets == [5, 3]
    assert [r.label for r in each.rows] == [r.label for r in one.rows] == ["DSGD", "async DSGD"]
    assert [row(each, "dsgd").entry(target).time.median for target in (5, 3)] == [6 * 3.5 * 4, 8 * 3.5 * 6]
    assert row(one, "dsgd").entry(5).time.median == 8 * 3.5 * 4
    assert [race.winner for race in each.races()] == ["DSGD", "async DSGD"]
    assert row(each, "async-dsgd").entry(5).speed_up.median == pytest.approx(6 / 7)
    assert "alpha 4e-1" in tables.to_markdown(each) and "alpha" not in tables.to_markdown(one)
    assert {run.config["alpha"] for run in each.listed} == {"4e-1"}  # each run is in one list
    lines = [line for line in summary_rows([each]) if line["algorithm"] == "dsgd"]
    assert [line["alpha"] for line in lines] == ["4e-1", "0.2"] and {line["runs"] for line in lines} == {6}
    assert {str(line["time_to_target_s"]) for line in run_rows([each])} == {"nan"}  # to loss 3, which their steps are not for


def test_without_runs_for_one_target_there_is_one_table() -> None:
    [found] = tables.tables(study_of(*tuned("dsgd", "0.2", 8), *tuned("async-dsgd", "0.3", 7)))
    assert not found.each_target


def written(found: list[tables.Table]) -> str:
    """All that a report makes of tables."""
    return "".join([*map(tables.to_markdown, found), to_csv(summary_rows(found)), to_csv(run_rows(found)),
                    *(answer(table).sentence for table in found)])


@pytest.mark.parametrize("changes", [{}, {"verdict": "INVALID: late"}, {"status": "interrupted"}])
def test_a_target_may_lack_runs(changes: dict[str, str]) -> None:
    found = tables.tables(study_of(*tuned("dsgd", "0.4", 6, **changes), *tuned("async-dsgd", "0.3", 7, **changes)))
    assert "DSGD" in written(found)  # without DSGD's steps for loss 3
    found = tables.tables(study_of(*tuned("dsgd", "0.4", 6, seeds=range(1, 2), **changes), *tuned("dsgd", "0.2", 6, seeds=range(2, 3))))
    assert "DSGD" in written(found)  # without a pair


def test_rows_are_apart_where_more_than_the_steps_differs() -> None:
    study = study_of(*tuned("dsgd", "0.2", 8), *tuned("dsgd", "0.4", 6), *tuned("dsgd", "0.4", 60, codec="qsgd:4"),
                     *tuned("dsgd", "0.2", 60, codec="qsgd:4"), *tuned("async-dsgd", "0.3", 7))
    _, each = tables.tables(study)
    assert [r.label for r in each.rows] == ["DSGD (exact messages)", "DSGD (QSGD with 4 levels)", "async DSGD"]
    assert [r.entry(5).time.median for r in each.rows] == [6 * 3.5 * 4, 60 * 3.5 * 4, 7 * 3.5 * 4]


def test_steps_of_two_searches_are_not_mixed() -> None:
    other = CERTIFICATE.replace("dsgd@5=0.4", "dsgd@5=0.5")
    found = tables.tables(study_of(*tuned("dsgd", "0.2", 8), *tuned("dsgd", "0.4", 6), *tuned("dsgd", "0.5", 6, other)))
    assert not any(table.each_target for table in found)


def test_steps_of_no_search_take_part_at_every_target() -> None:
    one, each = tables.tables(study_of(*tuned("dsgd", "0.2", 8), *tuned("dsgd", "0.4", 6), *tuned("q-dsgd", "0.1", 2, "")))
    assert [race.winner for race in each.races()] == [race.winner for race in one.races()] == ["Q-DSGD", "Q-DSGD"]
    assert any(not good and "not tuned with one budget" in text or "do not say" in text for good, text in answer(each).reasons)


def test_other_targets_than_those_tuned_for_have_one_table() -> None:
    study = study_of(*tuned("dsgd", "0.2", 8), *tuned("dsgd", "0.4", 6), *tuned("async-dsgd", "0.3", 7))
    [found] = tables.tables(study, [5, 4])
    assert found.targets == [5, 4] and not found.each_target and len(found.listed) == len(study.runs)
    assert "DSGD" in written([found])
    assert [table.targets for table in tables.tables(study, [5])] == [[5], [5]]


def test_repeats_of_two_folders_have_their_own_times() -> None:
    again = [replace(run, path=Path("again") / run.path) for run in tuned("dsgd", "0.4", 12)]
    _, each = tables.tables(study_of(*tuned("dsgd", "0.2", 8), *tuned("dsgd", "0.4", 6), *again, *tuned("async-dsgd", "0.3", 7),
                                     *(replace(run, path=Path("more") / run.path) for run in tuned("async-dsgd", "0.3", 7))), [5])
    times = {run.path: each.judged.time_of(run, 5) for run in each.runs}
    assert [times[run.path] for run in again] == [12 * seed * 4 for seed in range(1, 7)]
