# SPDX-License-Identifier: BSD-3-Clause
"""What is read, what counts, and what is skipped and why."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import changing, forge
from quantimed_report.tables import tables
from quantimed.traces import ROUND_ORDER, NEWEST_ORDER, ReportError, Run, Study, load_study, phase_order


@pytest.fixture
def copies(loaded: Study, tmp_path: Path) -> Path:
    """The traces of one seed, one of each algorithm, to be broken."""
    for run in loaded.runs:
        if run.seed == 1 and not run.path.stem.endswith("-wire"):  # an asynchronous run's second clock
            shutil.copy(run.path, tmp_path)
    return tmp_path


def change(path: Path, **root: object) -> None:
    forge(path, path, root=root)


def run_of(study: Study, algorithm: str) -> Run:
    return next(run for run in study.runs if run.algorithm == algorithm)


def why_of(folder: Path, name: str) -> str:
    """Why this file was skipped, or its run does not count; one line."""
    study = load_study(folder)
    skipped = [one.why for one in study.skipped if one.path.name == name]
    why = skipped[0] if skipped else next(run.why_not for run in study.runs if run.path.name == name)
    assert "\n" not in why
    return why


def test_reads_what_the_file_holds(loaded: Study) -> None:
    assert len(loaded.runs) == 15 and not loaded.skipped and len(loaded.counted) == 15
    run = run_of(loaded, "quantimed-dsgd")
    with h5py.File(run.path, locking=False) as file:
        assert run.seed == file["config"].attrs["seed"] and run.nodes == 5
        assert run.dataset.endswith("small.libsvm") and run.engine == "virtual"
        np.testing.assert_array_equal(run.progress["loss"], file["progress/loss"][()])
        np.testing.assert_array_equal(run.rounds("batch"), file["rounds/batch"][()])
        assert run.network["beta"] == file["network"].attrs["beta"]
        assert run.number("final_loss") == file["summary"].attrs["final_loss"]
        assert run.ini.encode() == file["config/ini"][()]
        np.testing.assert_array_equal(run.timeline()["start"], file["timeline/start"][()])
        for name, column in run.classes().items():
            np.testing.assert_array_equal(column, file[f"classes/{name}"][()])
        assert run.classes()["accuracy"].shape == (len(run.progress["loss"]), 3) and run.classes_of() == file["classes"].attrs["set"]
    assert run.has_timeline()
    assert run.kind == "run" and run.repeat == 1
    assert np.isnan(run.number("no such figure"))
    assert all(not isinstance(value, np.generic) for value in run.config.values())


def test_network_is_doubly_stochastic(loaded: Study) -> None:
    edges, weights, own = run_of(loaded, "dsgd").edges()
    sums = own.copy()
    np.add.at(sums, edges[:, 0], weights)
    np.add.at(sums, edges[:, 1], weights)
    np.testing.assert_allclose(sums, 1)


@pytest.mark.parametrize("algorithm", ["quantimed-dsgd", "async-dsgd"])
def test_phases_fill_an_iteration(loaded: Study, algorithm: str) -> None:
    run = run_of(loaded, algorithm)
    start = run.rounds("start_time")
    length = sum(run.rounds(f"{phase}_time") for phase in phase_order(run))
    known = np.isfinite(start[1:])
    np.testing.assert_allclose((start[:-1] + length[:-1])[known], start[1:][known], rtol=1e-5)
    assert set(ROUND_ORDER) == set(NEWEST_ORDER)


def test_kind_and_repeat_follow_from_the_name(machine: Path) -> None:
    found = {run.path.name: (run.kind, run.repeat) for run in load_study(machine).runs}
    assert found["strong-dsgd-n2-repeat2.h5"] == ("strong", 2)
    assert found["measured-dsgd-repeat1.h5"] == ("measured", 1)
    assert found["predicted-dsgd-n4.h5"] == ("predicted", 1)


def test_no_folder_and_no_traces(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such folder"):
        load_study(tmp_path / "missing")
    with pytest.raises(ReportError, match="no traces"):
        load_study(tmp_path)
    (tmp_path / "only.h5").write_text("words")
    with pytest.raises(ReportError, match=r"none of its 1 files .*only.h5: not an HDF5 file"):
        load_study(tmp_path)


def test_files_that_are_no_traces(copies: Path) -> None:
    (copies / "empty.h5").touch()
    (copies / "words.h5").write_text("words\n" * 100)
    (copies / "folder.h5").mkdir()
    (copies / "gone.h5").symlink_to(copies / "nowhere")
    with h5py.File(copies / "other.h5", "w") as file:
        file["table"] = np.arange(3)
    assert why_of(copies, "empty.h5") == "not an HDF5 file"
    assert why_of(copies, "words.h5") == "not an HDF5 file"
    assert why_of(copies, "folder.h5") == "not a plain file"
    assert why_of(copies, "gone.h5") == "not a plain file"
    assert why_of(copies, "other.h5") == "HDF5, but no trace of quantimed"
    assert len(load_study(copies).counted) == 4


def test_another_schema_version(copies: Path) -> None:
    change(copies / "dsgd-seed1.h5", schema_version=1)
    assert why_of(copies, "dsgd-seed1.h5") == "schema version 1; this report reads 2 and 3"


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.97])  # the last per cent may be padding
def test_truncated(copies: Path, share: float) -> None:
    path = copies / "dsgd-seed1.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:int(share * len(whole))])
    assert "damaged or truncated" in why_of(copies, path.name)


def test_one_wrong_bit_is_found(copies: Path) -> None:
    path = copies / "dsgd-seed1.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert why_of(copies, path.name) == "damaged: its checksum does not fit"


GONE = "its seal is gone: changed since it was written"


def test_a_changed_trace_is_listed_and_never_counted(copies: Path) -> None:
    with h5py.File(copies / "dsgd-seed1.h5", "r+") as file:
        file["progress/loss"][3] = -5
        file["config"].attrs["seed"] = "abc"
    with h5py.File(copies / "q-dsgd-seed1.h5", "r+") as file:  # nothing is changed but the times of opening
        file["progress/loss"][3] = file["progress/loss"][3]
    for name in ("dsgd-seed1.h5", "q-dsgd-seed1.h5"):
        assert why_of(copies, name) == GONE
    whole = (copies / "async-dsgd-seed1.h5").read_bytes()
    (copies / "async-dsgd-seed1.h5").write_bytes(whole[:-32])
    assert why_of(copies, "async-dsgd-seed1.h5") == GONE
    assert [run.algorithm for run in load_study(copies).counted] == ["quantimed-dsgd"]
    shutil.move(copies / "dsgd-seed1.h5", copies / "dsgd-seed1.h5.partial")
    assert why_of(copies, "dsgd-seed1.h5.partial") == GONE


@pytest.mark.parametrize(("column", "value", "why"), [
    ("time", np.nan, "the time of /progress is not a number at point 3"),
    ("time", np.inf, "the time of /progress is not a number at point 3"),
    ("time", -1.0, "the time of /progress runs backwards"),
    ("iteration", np.nan, "the iteration of /progress is not a number at point 3"),
    ("loss", -5.0, "the loss of /progress is below 0 at point 3"),
    ("test_loss", -5.0, "the test_loss of /progress is below 0 at point 3")])
def test_curves_that_cannot_be(copies: Path, column: str, value: float, why: str) -> None:
    with changing(copies / "dsgd-seed1.h5") as file:
        file[f"progress/{column}"][3] = value
    assert why_of(copies, "dsgd-seed1.h5") == why
    assert len(load_study(copies).counted) == 3


@pytest.mark.parametrize(("name", "value", "why"), [("seed", "abc", "seed of /config is 'abc', not a whole number"),
                                                    ("seed", 1.5, "seed of /config is 1.5, not a whole number"),
                                                    ("nodes", True, "nodes of /config is True, not a whole number"),
                                                    ("algorithm", 7, "algorithm of /config is 7, not a text"),
                                                    ("engine", 7, "engine of /config is 7, not a text")])
def test_values_of_another_type(copies: Path, name: str, value: object, why: str) -> None:
    forge(copies / "dsgd-seed1.h5", copies / "dsgd-seed1.h5", config={name: value})
    assert why_of(copies, "dsgd-seed1.h5") == why


def test_runs_on_other_contents_are_another_setting(copies: Path) -> None:
    run = run_of(load_study(copies), "dsgd")
    assert len(str(run.data["fingerprint"])) == 32 and run.contents == {"data": str(run.data["fingerprint"])[:8]}
    forge(copies / "dsgd-seed1.h5", copies / "dsgd-seed1.h5", data={"fingerprint": "0" * 32})
    found = tables(load_study(copies))
    assert sorted(len(table.runs) for table in found) == [1, 3]
    assert [table.label for table in found if len(table.runs) == 1][0].endswith(", data 00000000")


def test_generated_data_of_several_seeds_are_one_setting(copies: Path) -> None:
    for number, algorithm in enumerate(("dsgd", "q-dsgd")):
        path = copies / f"{algorithm}-seed1.h5"
        forge(path, path, data={"fingerprint": f"{number}" * 32, "format": "generated"})
    assert sorted(len(table.runs) for table in tables(load_study(copies))) == [2, 2]


def test_a_trace_of_version_0_1_0_does_not_say_what_it_read(copies: Path) -> None:
    with changing(copies / "dsgd-seed1.h5") as file:
        del file["data"]
        file.attrs["software_version"] = "0.1.0"
    study = load_study(copies)
    assert len(study.counted) == 4
    assert "0.1.0 do not say" in run_of(study, "dsgd").contents["data"]
    assert sorted(len(table.runs) for table in tables(study)) == [1, 3]


@pytest.mark.parametrize(("status", "why"), [("running", "unfinished: still running, or killed"),
                                             ("interrupted", "unfinished: stopped by a signal"),
                                             ("diverged", "diverged"),
                                             ("odd", "its status 'odd' is none of")])
def test_status(copies: Path, status: str, why: str) -> None:
    change(copies / "dsgd-seed1.h5", status=status)
    assert why_of(copies, "dsgd-seed1.h5").startswith(why)
    assert len(load_study(copies).counted) == 3


def test_invalid_run_says_why(copies: Path) -> None:
    change(copies / "dsgd-seed1.h5", verdict="INVALID: more nodes than cores")
    assert why_of(copies, "dsgd-seed1.h5") == "INVALID: more nodes than cores"


def test_killed_run(copies: Path) -> None:
    shutil.move(copies / "dsgd-seed1.h5", copies / "dsgd-seed1.h5.partial")
    change(copies / "dsgd-seed1.h5.partial", status="running")
    assert why_of(copies, "dsgd-seed1.h5.partial").startswith("unfinished")
    data = (copies / "dsgd-seed1.h5.partial").read_bytes()
    (copies / "dsgd-seed1.h5.partial").write_bytes(data[:5000])
    assert why_of(copies, "dsgd-seed1.h5.partial").startswith("unfinished")


def test_curve_of_nan_does_not_count(copies: Path) -> None:
    with changing(copies / "dsgd-seed1.h5") as file:
        file["progress/loss"][3] = np.nan
    assert "not finite" in why_of(copies, "dsgd-seed1.h5")


@pytest.mark.parametrize("place", ["progress/loss", "config", "config/ini", "summary", "network"])
def test_something_is_missing(copies: Path, place: str) -> None:
    with changing(copies / "dsgd-seed1.h5") as file:
        del file[place]
    assert why_of(copies, "dsgd-seed1.h5")


def test_columns_that_contradict_each_other(copies: Path) -> None:
    with changing(copies / "dsgd-seed1.h5") as file:
        del file["progress/time"]
        file["progress/time"] = np.arange(3.0)
        del file["rounds/batch"]
        file["rounds/batch"] = np.zeros((2, 99))
    assert "differ in length" in why_of(copies, "dsgd-seed1.h5")
    with changing(copies / "q-dsgd-seed1.h5") as file:
        del file["rounds/batch"]
        file["rounds/batch"] = np.zeros((2, 99))
    broken = run_of(load_study(copies), "q-dsgd")
    with pytest.raises(ReportError, match=r"shape \(2, 99\)"):
        broken.rounds("batch")
    with pytest.raises(ReportError, match="cannot be read"):
        broken.rounds("no such column")


def test_traces_lie_below_too(loaded: Study, tmp_path: Path) -> None:
    for seed, below in ((1, "a"), (2, "a/b")):
        (tmp_path / below).mkdir(parents=True, exist_ok=True)
        shutil.copy(loaded.folder / f"dsgd-seed{seed}.h5", tmp_path / below)
    assert [run.seed for run in load_study(tmp_path).runs] == [2, 1]  # in the order of their paths


def test_the_verdict_of_a_replay_counts_for_its_very_trace_alone(comparison: Path, tmp_path: Path) -> None:
    trace = shutil.copy(next(comparison.glob("*.h5")), tmp_path / "a.h5")
    seal = Path(trace).read_bytes()[-32:].decode().strip()
    said = tmp_path / "a.h5.replay"
    for text, expected in [(f"# quantimed replay\nseal = {seal}\nverdict = bit-exact\n", "bit-exact"),
                           (f"# quantimed replay\nseal = {seal[:-1]}x\nverdict = bit-exact\n", ""),
                           (f"seal = {seal}\nverdict = bit-exact\n", ""), ("", "")]:
        said.write_text(text)
        assert [run.replay for run in load_study(tmp_path).runs] == [expected]


@pytest.mark.parametrize("algorithm", ["d2", "dsgt"])
def test_a_state_that_goes_to_zero_itself_is_no_lost_sum(program: Path, tmp_path: Path, algorithm: str) -> None:
    """Each node's gradient is 0 at the optimum, so what is left of the state is what float32 rounds off."""
    trace = tmp_path / "t.h5"
    subprocess.run([program, "run", "--engine", "virtual", "--threads", "1", "--algorithm", algorithm, "--dataset", "gaussian-linear:12,40",
                    "--model", "least-squares", "--nodes", "4", "--graph", "complete", "--samples-per-node", "1", "--batch", "1", "--l2", "0",
                    "--alpha", "0.02", "--iterations", "6000", "--speed", "constant:50", "--evaluations", "50", "--optimum", "--quiet",
                    "--output", trace], check=True)
    assert subprocess.run([program, "verify", trace], capture_output=True).returncode == 0
