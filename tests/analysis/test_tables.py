from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from conftest import a_run

from quantimed_report import tables
from quantimed_report.spreadsheet import summary_rows, to_csv
from quantimed_report.tables import without_copies
from quantimed_report.traces import Run, Study
from quantimed_report.verdict import verdict


def study_of(*runs: Run) -> Study:
    return Study(Path("study"), list(runs), [])


def race(factors: list[float], fast: str = "async-dsgd") -> list[Run]:
    """Runs of two algorithms, DSGD `factors` times as slow as the other, a seed a factor."""
    return [run for seed, factor in enumerate(factors, 1)
            for run in (a_run("dsgd", seed, [2, 1.5, 1], [0, 10 * factor, 20 * factor]),
                        a_run(fast, seed, [2, 1.5, 1], [0, 10, 20]))]


def row(found: tables.Table, algorithm: str) -> tables.Row:
    return next(one for one in found.rows if one.algorithm == algorithm)


def test_times_and_speed_ups_are_paired_by_seed() -> None:
    [found] = tables.tables(study_of(*race([2, 3, 4])))
    assert found.target == 1
    fast = row(found, "async-dsgd")
    assert (fast.time.median, fast.speed_up.median, fast.pairs, fast.reached) == (20, 3, 3, 3)
    assert row(found, "dsgd").time == tables.Spread(60, 40, 80)


@pytest.mark.parametrize("changes", [{"verdict": "INVALID: 6 nodes share 2 cores"}, {"status": "diverged"},
                                     {"status": "running"}, {"status": "interrupted"}])
def test_what_does_not_count_is_never_averaged_in(changes: dict[str, str]) -> None:
    bad = a_run("async-dsgd", 9, [2, 0.001], [0, 0.001], **changes)
    [found] = tables.tables(study_of(*race([2, 2, 2]), a_run("dsgd", 9), bad))
    fast = row(found, "async-dsgd")
    assert (fast.time.low, fast.final_loss.low, len(fast.counted), len(fast.runs)) == (20, 1, 3, 4)
    assert "3 of 4" in str(tables.to_markdown(found))
    assert verdict(found).trust == "care"


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


def test_given_target() -> None:
    [found] = tables.tables(tables.with_target(study_of(*race([2, 2, 2])), 1.5))
    assert found.target == 1.5 and row(found, "async-dsgd").time.median == 10
    [found] = tables.tables(tables.with_target(study_of(*race([2, 2, 2])), 0.5))
    assert row(found, "dsgd").time.median == math.inf and row(found, "dsgd").reached == 0
    assert "missed" in tables.to_markdown(found)
    assert verdict(found).sentence == "No algorithm reached loss 0.5 in more than half of its runs."


def test_verdict_of_a_clear_race() -> None:
    [found] = tables.tables(study_of(*race([2, 3, 3, 3, 4])))
    said = verdict(found)
    assert said.sentence == ("async DSGD was the fastest to loss 1: 3.00 times as fast as the next, DSGD "
                             "(95 % interval 2.00–4.00 over 5 paired runs).").replace("async DSGD", found.by_time()[0].label)
    assert any("not tuned" in text for good, text in said.reasons if not good)


def test_verdict_of_a_race_too_close_to_call() -> None:
    [found] = tables.tables(study_of(*race([0.8, 0.9, 1.1, 1.2, 1.3])))
    said = verdict(found)
    assert "too close to call" in said.sentence and said.trust == "care"


def test_verdict_with_too_few_pairs_gives_no_interval() -> None:
    [found] = tables.tables(study_of(*race([2])))
    assert "1 paired run, too few for an interval" in verdict(found).sentence


def test_verdict_without_a_run_that_counts() -> None:
    [found] = tables.tables(study_of(a_run(verdict="INVALID: why"), a_run(seed=2, status="diverged")))
    said = verdict(found)
    assert said.sentence == "No verdict: none of the 2 runs counts." and said.trust == "no"
    assert "1 INVALID, 1 diverged" in said.reasons[0][1]


def test_verdict_says_that_files_could_not_be_used() -> None:
    [found] = tables.tables(study_of(*race([2, 2, 2])))
    assert "2 files of the study could not be used" in verdict(found, 2).reasons[0][1]


def test_verdict_where_the_others_miss() -> None:
    runs = [a_run("dsgd", seed, [2, 1.9]) for seed in (1, 2, 3)] + [a_run("q-dsgd", seed, [2, 1]) for seed in (1, 2, 3)]
    [found] = tables.tables(tables.with_target(study_of(*runs), 1.5))
    said = verdict(found)
    assert said.sentence == "Q-DSGD was the fastest to loss 1.5: no other reached it in more than half of its runs."
    assert any("Missed the target: DSGD 3 of 3" in text for _, text in said.reasons)


def test_verdict_warns_when_another_ends_lower() -> None:
    runs = race([2, 2, 2, 2, 2]) + [a_run("q-dsgd", seed, [2, 1.5, 0.5], [0, 90, 99]) for seed in range(1, 6)]
    [found] = tables.tables(study_of(*runs))
    assert any("Q-DSGD ended at a lower loss, 0.5 against 1" in text for _, text in verdict(found).reasons)


def test_csv_comes_back_and_no_spreadsheet_carries_it_out() -> None:
    found = tables.tables(study_of(a_run(config={"dataset": '=cmd|"x"'}), a_run("q-dsgd", config={"dataset": '=cmd|"x"'})))
    rows = list(csv.DictReader(io.StringIO(to_csv(summary_rows(found)))))
    assert [one["algorithm"] for one in rows] == ["dsgd", "q-dsgd"]
    assert rows[0]["dataset"] == "'=cmd|\"x\"" and rows[0]["time_to_target_s_median"] == "1.0"
    assert rows[0]["test_accuracy_median"] == ""


def test_markdown_has_no_markup_of_a_trace() -> None:
    text = tables.markdown_text("a|b\n<script>[x](y)`")
    assert "<" not in text and "\n" not in text and "\\|" in text and "\\[" in text
