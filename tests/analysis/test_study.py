# SPDX-License-Identifier: BSD-3-Clause
"""bench/study and bench/paper: files, grids, resuming, and claims on traces whose truth is known."""
from __future__ import annotations

import bz2
import csv
import dataclasses
import gzip
import lzma
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from studies import claims, effects, fairness, paper, quantizers, runner, statistics, study_file, traces, tuning  # noqa: E402
from studies import job as job_module  # noqa: E402
from studies.ledger import Ledger, explain  # noqa: E402
from studies.study_file import Run, Study, StudyError, read_study, require_quick  # noqa: E402

PROGRAM = Path(os.environ.get("QUANTIMED_PROGRAM") or ROOT / "build" / "quantimed")
needs_program = pytest.mark.skipif(not PROGRAM.is_file(), reason=f"no program at {PROGRAM}: set QUANTIMED_PROGRAM")
# Three classes in three features: the program makes its digits at every start, for a quarter of a second.
DATA = Path(tempfile.gettempdir()) / f"quantimed-study-tests-{os.getpid()}.libsvm"
SMALL = (f"dataset = {DATA}\nnodes = 4\ngraph = complete\nsamples-per-node = 20\nmodel = mlp:4\niterations = 6\n"
         "evaluations = 2\nbatch = 5\n")


@pytest.fixture(scope="module", autouse=True)
def data() -> Iterator[None]:
    DATA.write_text("".join(f"{k % 3} 1:{k % 7} 2:{k % 5} 3:{k % 3 + k % 11 / 20}\n" for k in range(300)), encoding="utf-8")
    yield
    DATA.unlink()


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def study_command(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"QUANTIMED_PROGRAM": str(PROGRAM)}
    return subprocess.run([sys.executable, str(ROOT / "bench" / "study"), *map(str, arguments)], text=True,
                          capture_output=True, env=environment, timeout=3000, **more)


# Files

def test_a_grid_is_every_combination_and_an_algorithms_own_option_wins(tmp_path: Path) -> None:
    file = write(tmp_path / "s.ini", "algorithms = dsgd, async-dsgd\nseeds = 1-2,5\nl2 = 0 # none\n[grid]\n"
                 "batch = 20 | 50\nlink = paper:0 | paper:3\n[algorithm async-dsgd]\nbatch = 30\nalpha = 0.1*T^(-1/6)\n")
    runs = read_study(file).runs()
    dsgd = [r for r in runs if r.algorithm == "dsgd" and r.seed == 1]
    assert [r.setting for r in dsgd] == [{"batch": b, "link": f"paper:{c}"} for b in ("20", "50") for c in (0, 3)]
    # One batch, so the grid's two are not two runs.
    own = [r for r in runs if r.algorithm == "async-dsgd"]
    assert [r.seed for r in own] == [1, 1, 2, 2, 5, 5]
    assert all(r.options["batch"] == "30" and r.options["alpha"] == "0.1*T^(-1/6)" and r.options["l2"] == "0" for r in own)


def test_a_byte_order_mark_is_read_over_and_another_encoding_named(tmp_path: Path) -> None:
    text = "algorithms = dsgd\r\nseeds = 1\r\nbatch = 3\r\n"
    file = tmp_path / "s.ini"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (run,) = read_study(file).runs()
    assert run.options["batch"] == "3"
    latin = (text + "# Zürich\r\n").encode("latin-1")
    for wrong, why in ((text.encode("utf-16"), "UTF-16; save it as UTF-8: iconv -f UTF-16 -t"),
                       (text.encode("utf-16-le"), "iconv -f UTF-16LE -t"), (text.encode("utf-16-be"), "iconv -f UTF-16BE -t"),
                       (text.encode() + b"\0", "line 4 has a zero byte"), (latin, "line 4 has the byte 0xFC, which is not UTF-8 text"),
                       (latin, "if it is Latin-1, save it as UTF-8: iconv -f LATIN1 -t UTF-8 FILE"),
                       (gzip.compress(text.encode()), "compressed (gzip); unpack it first: gunzip -c FILE"),
                       (lzma.compress(text.encode()), "compressed (xz)"), (bz2.compress(text.encode()), "compressed (bzip2)")):
        file.write_bytes(wrong)
        with pytest.raises(StudyError) as error:
            read_study(file)
        assert why in str(error.value) and ("UTF-16" in str(error.value)) == ("UTF-16" in why)


def test_settings_change_together_and_the_quick_form_wins(tmp_path: Path) -> None:
    file = write(tmp_path / "s.ini", "algorithms = dsgd\nseeds = 1\n[setting a]\nnodes = 10\nsamples-per-node = 7\n"
                 "[setting b]\nnodes = 20\n[grid]\nbatch = 1 | 2\n[quick]\nsettings = a\n[quick grid]\nbatch = 3\n")
    assert len(read_study(file).runs()) == 4
    (only,) = read_study(file, quick=True).runs()
    assert only.setting == {"setting": "a", "batch": "3"}
    assert (only.options["nodes"], only.options["samples-per-node"]) == ("10", "7")


def test_an_included_file_comes_first_and_is_found_beside_its_includer(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "base.ini", "batch = 1\nl2 = 0\nseeds = 4\n")
    write(tmp_path / "parts" / "more.ini", "include = base.ini\nl2 = 2\n")  # set again, and that is no mistake
    file = write(tmp_path / "s.ini", "include = parts/more.ini\nalgorithms = dsgd\nbatch = 9\n")
    (run,) = read_study(file).runs()
    assert (run.seed, run.options) == (4, {"batch": "9", "l2": "2"})


@pytest.mark.parametrize("text, names", [
    ("include = s.ini\n", "includes itself"),
    ("include = gone.ini\n", "gone.ini"),
    ("[gird]\nbatch = 1\n", "[gird]"),
    ("batch\n", "s.ini:1"),
    ("batch = 1 | 2\n", "[grid]"),
    ("seed = 3\n", "seed"),
    ("seeds = 3-1\n", "3-1"),
    ("seeds = x\n", "x"),
    ("algorithms = sgd\n", "sgd"),
    ("[algorithm sgd]\nbatch = 1\n", "sgd"),
    ("settings = a\n", "[setting a]"),
    ("[grid]\nseeds = 1\n", "seeds"),
    ("batch = 1\nl2 = 0\nbatch = 1\n", "s.ini:3: batch: is set twice in this file, in lines 1 and 3; keep one"),
    ("seeds = 1\n\nseeds = 2\n", "s.ini:3: seeds: is set twice in this file, in lines 1 and 3; keep one"),
    ("[grid]\nbatch = 1\n[quick]\nbatch = 2\n[ grid ]\nbatch = 3\n", "s.ini:6: batch: is set twice in this file, in lines 2 and 6"),
])
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(StudyError) as error:
        read_study(write(tmp_path / "s.ini", text)).runs()
    assert names in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text, says", [
    *((f"targets = {text}\n", "targets: ") for text in ("nan", "2, inf", "-1", "0", "low", "2,,1", ",", "2, 2.0", "1e999")),
    *((f"seeds = {text}\n", "seeds: ") for text in ("1, 1, 2", "1-3,2", "1.5", "-1", "1,,2", ",", "1,01", "one", "nan")),
    ("seeds = 1-3,2\n", "seeds: 2 is there twice, in 1-3 and in 2; give it once"),
    ("targets = 2, 2.0\n", "targets: 2.0 is there twice; give it once"),
    ("algorithms = ,\n", "algorithms: has nothing at its start"),
    ("algorithms = dsgd,,q-dsgd\n", "algorithms: has nothing after dsgd; give a value, or take the ',' out"),
    ("algorithms = dsgd, dsgd\n", "algorithms: dsgd is there twice"),
    ("settings = a, a\n[setting a]\nl2 = 0\n", "settings: a is there twice"),
    ("settings = ,\n[setting a]\nl2 = 0\n", "settings: has nothing"),
    ("[grid]\nl2 = |\n", ":2: [grid] l2 = |: has nothing at its start"),
    ("[grid]\nl2 = 0 | 0\n", ":2: [grid] l2 = 0 | 0: 0 is there twice"),
    ("algorithms = dsgd\n[algorithm dsgd]\nalpha = 1 || 2\n", ":3: [algorithm dsgd] alpha = 1 || 2: has nothing after 1"),
    ("[quick]\nseeds = 1,1\n", "seeds: 1 is there twice"),
])
def test_a_list_has_something_and_nothing_twice(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StudyError) as error:
        read_study(write(tmp_path / "s.ini", text))
    assert str(error.value).startswith(str(tmp_path / "s.ini")) and says in str(error.value) and "\n" not in str(error.value)


def rows() -> dict[str, dict[str, Any]]:
    return study_file.known_algorithms()


@needs_program
def test_an_option_that_an_algorithm_has_not_is_refused_in_its_section(tmp_path: Path) -> None:
    """For every algorithm and option of the program's table, and for those that it computes by."""
    parameters = {parameter["name"] for row in rows().values() for parameter in row["parameters"]}
    has = {key: [name for name, row in rows().items() if any(p["name"] == key for p in row["parameters"])] for key in parameters}
    has |= {key: [name for name, row in rows().items() if row["uses_epsilon"]] for key in ("epsilon", "allow-large-epsilon")}
    has |= {key: [name for name, row in rows().items() if row["uses_deadline"]] for key in ("deadline", "deadline-adapt", "deadline-slack")}
    has |= {"codec": [name for name, row in rows().items() if row["quantizes"]], "alpha": list(rows()), "batch": list(rows()),
            "sync": [name for name, row in rows().items() if row["delivery"] == "round"]}
    assert len(parameters) > 5 and all(has.values())
    for key, having in has.items():
        for name in rows():
            file = write(tmp_path / "s.ini", f"algorithms = {name}\n[algorithm {name}]\n{key} = 1\n")
            if name in having:
                assert read_study(file).runs()
                continue
            with pytest.raises(StudyError) as error:
                read_study(file)
            start = f"{file}:3: [algorithm {name}] {key} = 1: {name} has no {key}; leave it out, or put it into the section of an algorithm"
            assert str(error.value).startswith(start) and str(error.value).endswith(": " + ", ".join(having))


@needs_program
@pytest.mark.parametrize("text, says", [
    ("gradient = deadline\nalgorithms = dsgd\n[algorithm dsgd]\ndeadline = 1\n", ""),
    ("gradient = dsgd=deadline,q-dsgd=batch\nalgorithms = dsgd\n[algorithm dsgd]\ndeadline = 1\n", ""),
    ("algorithms = dsgd\n[algorithm dsgd]\ngradient = batch | deadline\ndeadline = 1\n", ""),
    ("gradient = q-dsgd=deadline\nalgorithms = dsgd\n[algorithm dsgd]\ndeadline = 1\n", "dsgd has no deadline"),
    ("algorithms = dsgd\n[algorithm dsgd]\nalpha = dsgd=0.1,q-dsgd=0.2 | dsgd@2=0.1\n", ""),
    ("algorithms = dsgd\n[algorithm dsgd]\nalpha = 0.1 | q-dsgd=0.2\n", ":3: [algorithm dsgd] alpha = q-dsgd=0.2: is of q-dsgd, and the section "
     "of dsgd; leave the name out, or move it to [algorithm q-dsgd]"),
    ("algorithms = dsgd\n[algorithm q-dsgd]\nalpha = 1\n", ":2: [algorithm q-dsgd]: the study does not run q-dsgd; take the section out, or put "
     "q-dsgd into algorithms = dsgd"),
    ("[algorithm choco-sgd]\ngamma = 1\n", ":1: [algorithm choco-sgd]: the study does not run choco-sgd"),
    ("algorithms = dsgd\n[quick algorithm q-dsgd]\nalpha = 1\n", ":2: [quick algorithm q-dsgd]: the study does not run q-dsgd"),
    ("algorithms = dsgd, q-dsgd\n[quick]\nalgorithms = dsgd\n[algorithm q-dsgd]\nalpha = 1\n", ""),
    ("algorithms = dsgd\n[quick]\nalgorithms = q-dsgd\n[algorithm q-dsgd]\nalpha = 1\n", ""),
    ("algorithms = dsgd, q-dsgd\n[quick]\nalgorithms = dsgd\n[quick algorithm q-dsgd]\nalpha = 1\n", ":4: [quick algorithm q-dsgd]: the study does not"),
    ("algorithms = dsgd\n[quick algorithm dsgd]\ngamma = 1\n", ":3: [algorithm dsgd] gamma = 1: dsgd has no gamma"),
    ("include = part.ini\nalgorithms = dsgd\n", ""),
    ("include = part.ini\nalgorithms = dsgd\n[algorithm q-dsgd]\nalpha = 1\n", ":3: [algorithm q-dsgd]: the study does not run q-dsgd"),
    ("include = bad.ini\nalgorithms = dsgd\n", "bad.ini:2: [algorithm q-dsgd] gamma = 1: q-dsgd has no gamma"),
])
@pytest.mark.parametrize("quick", [False, True])
def test_a_section_is_of_an_algorithm_that_runs_and_is_its_own(tmp_path: Path, text: str, says: str, quick: bool) -> None:
    write(tmp_path / "part.ini", "[algorithm q-dsgd]\nepsilon = 1\n")
    write(tmp_path / "bad.ini", "[algorithm q-dsgd]\ngamma = 1\n")
    file = write(tmp_path / "s.ini", text)
    if not says:
        assert read_study(file, quick).runs()
        return
    with pytest.raises(StudyError) as error:
        read_study(file, quick)
    assert says in str(error.value) and str(error.value).startswith(str(tmp_path)) and "\n" not in str(error.value)


def test_a_study_without_a_quick_form_says_so(tmp_path: Path) -> None:
    without, with_it = write(tmp_path / "a.ini", "batch = 1\n"), write(tmp_path / "b.ini", "batch = 1\n[quick]\nbatch = 2\n")
    with pytest.raises(StudyError, match="--quick: .*a.ini has no .quick."):
        require_quick([read_study(without, quick=True)])
    require_quick([read_study(with_it, quick=True)])


def test_what_never_ends_is_no_study() -> None:
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(StudyError, match="is a device"):
            read_study(Path(device))


def test_a_cycle_by_way_of_another_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.ini", "include = b.ini\n")
    write(tmp_path / "b.ini", "include = a.ini\n")
    with pytest.raises(StudyError, match="includes itself, by way of a.ini, b.ini"):
        read_study(tmp_path / "a.ini")


FAIR = ("algorithms = dsgd, q-dsgd\nbatch = 50\nl2-per = dataset\niterations = 1000000\nmax-time = 9\nseeds = {seeds}\n"
        "[algorithm dsgd]\nalpha = {alpha}\n[algorithm q-dsgd]\nalpha = {alpha}\nhorizon = 5\n")


@pytest.mark.parametrize("study, tuning, names", [
    ("", "", ""),
    ("[algorithm dsgd]\nbatch = 30\n", "", "batch: dsgd has 30, q-dsgd has 50"),
    ("[algorithm q-dsgd]\nl2-per = batch\n", "", "l2-per"),
    ("[algorithm q-dsgd]\nmax-time = 10\n", "", "max-time"),
    ("[algorithm q-dsgd]\nsamples-per-node = 5\n", "", "samples-per-node: dsgd has none, q-dsgd has 5"),
    ("[grid]\niterations = 300\n", "[grid]\niterations = 300\n", "iterations end it"),
    ("", "[algorithm dsgd]\nalpha = 1 | 2\n", "dsgd has 2 trials, q-dsgd has 3 trials"),
    ("", "[algorithm dsgd]\nbatch = 30\n", "tuning.ini: batch"),
    ("", "[grid]\nbatch = 20\n", "batch: study.ini has 50, tuning.ini has 20"),
    ("[grid]\nlink = paper:3\n", "", "link: study.ini has paper:3, tuning.ini has none"),
    ("algorithms = dsgd, async-dsgd\n", "", "async-dsgd: never tuned"),
    ("seeds = 3-4\n", "", "seeds: 3"),
    ("[algorithm dsgd]\nalpha = 77\n", "", "dsgd: its steps are none of the trials"),
    ("[algorithm dsgd]\nalpha = 1 | 2\n", "", "dsgd: 2 settings of its steps"),
    ("[algorithm dsgd]\nalpha = 2\n", "", "dsgd: alpha = 2 is the largest that was tried"),
    ("[algorithm q-dsgd]\nalpha = 0.5\n", "", "q-dsgd: alpha = 0.5 is the least that was tried"),
    ("[algorithm dsgd]\nalpha = 0.5*T^(-1/6)\n", "[algorithm dsgd]\nalpha = 0.5*T^(-1/6) | T^(-1/6) | 2*T^(-1/6)\n", "alpha = 0.5 is"),
    ("[algorithm dsgd]\nalpha = T^(-1/6)\n", "[algorithm dsgd]\nalpha = 0.5*T^(-1/6) | T^(-1/6) | 2*T^(-1/6)\n", ""),
    ("[algorithm dsgd]\nalpha = 4*T^(-1/6)\n", "[algorithm dsgd]\nalpha = 4*T^(-1/6) | 2*T^(-1/6) | 1*T^(-1/6)\n", "alpha = 4 is"),
    ("", "[algorithm dsgd]\nalpha = 1 | 1.0 | 1e0\n", "dsgd has 1 trials, q-dsgd has 3 trials"),
    ("[algorithm q-dsgd]\nepsilon = 0.5\n", "[algorithm q-dsgd]\nepsilon = 0.5\n", "q-dsgd: epsilon = 0.5 is the only one that was tried"),
    ("[algorithm q-dsgd]\nepsilon = 0.9\n", "[algorithm q-dsgd]\nepsilon = 0.5 | 0.9\n[algorithm dsgd]\nalpha = 0.5 | 0.7 | 1 | 1.4 | 2 | 3\n",
     "q-dsgd: epsilon = 0.9 is the largest"),
    ("[algorithm q-dsgd]\nepsilon = 1\n", "[algorithm q-dsgd]\nepsilon = 0.5 | 1\n[algorithm dsgd]\nalpha = 0.5 | 0.7 | 1 | 1.4 | 2 | 3\n", ""),
    ("[grid]\nallow-large-epsilon = true\n", "[grid]\nallow-large-epsilon = true\n", "an epsilon above 1 is no averaging"),
    ("[algorithm q-dsgd]\nbits = paper\n[algorithm dsgd]\nbits = wire\n", "", "bits: dsgd has wire, q-dsgd has paper"),
])
def test_a_study_of_tuned_steps_is_fair_or_refused(tmp_path: Path, study: str, tuning: str, names: str) -> None:
    write(tmp_path / "fair.ini", FAIR.format(seeds="1-2", alpha="1"))
    write(tmp_path / "trials.ini", FAIR.format(seeds="3", alpha="0.5 | 1 | 2"))
    write(tmp_path / "tuning.ini", "include = trials.ini\n" + tuning)
    file = write(tmp_path / "study.ini", "include = fair.ini\ntuned-by = tuning.ini\n" + study)
    if not names:
        assert len(read_study(file).runs()) == 4
        return
    with pytest.raises(StudyError) as error:
        read_study(file)
    assert names in str(error.value) and str(error.value).startswith(f"{file}: tuned-by = tuning.ini: ")


def test_the_papers_tuned_studies_are_under_that_rule() -> None:
    tuned = [name for name in paper.STUDIES if name.endswith("-tuned")]
    assert tuned and {study for study, steps in claims.TABLE_OF_STEPS.items() if steps == "tuned"} == set(tuned)
    for name in tuned:
        assert read_study(paper.EXPERIMENTS / f"{name}.ini").text("tuned-by") == name.replace("tuned", "tune") + ".ini"


@needs_program
@pytest.mark.parametrize("quick", [False, True])
def test_the_program_understands_every_experiment(tmp_path: Path, quick: bool) -> None:
    absent: dict[str, str] = {}
    for name in paper.STUDIES:
        study = read_study(paper.EXPERIMENTS / f"{name}.ini", quick)
        if study.sections[""].pop("machine", None):  # measured when the paper is run
            del study.sections[""]["speed"]
        seen: dict[str, Run] = {}
        for run in study.runs([1]):
            seen.setdefault(run.algorithm, run)
        assert study.text("figure"), name
        try:
            assert runner.plan([(study, list(seen.values()))], tmp_path, PROGRAM)[name]
        except StudyError as error:
            if "not found in" not in str(error):
                raise
            absent[name] = str(error)
    if absent:
        pytest.skip(f"NOT UNDERSTOOD FOR LACK OF DATA: {', '.join(absent)}: {absent.popitem()[1]}")


# Running

@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small") / "small.ini", SMALL + "seeds = 1-2\n[algorithm dsgd]\nbatch = 4\n")


@pytest.fixture(scope="module")
def finished(small: Path) -> Path:
    folder = small.parent / "alone"
    done = study_command(small, "--output", folder, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    return folder


def arrays(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, np.asarray(item[()]).tobytes())
                        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" else None)
    return found


@needs_program
def test_runs_beside_each_other_give_the_bits_of_runs_alone(small: Path, finished: Path) -> None:
    folder = small.parent / "together"
    assert study_command(small, "--output", folder, "--jobs", 8).returncode == 0
    names = sorted(p.name for p in finished.glob("*.h5"))
    assert len(names) == 8 and names == sorted(p.name for p in folder.glob("*.h5"))
    for name in names:
        alone, together = arrays(finished / name), arrays(folder / name)
        assert "progress/loss" in alone and "model/mean" in alone
        assert alone == together


@needs_program
def test_only_what_is_missing_damaged_or_another_run_is_run_again(small: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    missing, damaged, cut, wrong, kept, *_ = sorted(folder.glob("*.h5"))
    whole = {path: arrays(path) for path in (missing, damaged, cut, wrong)}
    missing.rename(f"{missing}.partial")
    image = bytearray(damaged.read_bytes())
    image[len(image) // 2] ^= 1
    damaged.write_bytes(image)
    cut.write_bytes(cut.read_bytes()[:1000])
    shutil.copy(kept, wrong)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    done = study_command(small, "--output", folder)
    assert done.returncode == 0 and "4 runs" in done.stdout and "4 kept" in done.stdout
    assert {path for path, then in times.items() if path.stat().st_mtime_ns != then} == {damaged, cut, wrong}
    assert {path: arrays(path) for path in whole} == whole
    assert "8 kept" in study_command(small, "--output", folder).stdout


@needs_program
def test_a_signal_ends_the_children_and_keeps_what_is_done_and_what_is_half_done(tmp_path: Path) -> None:
    # Many, so that some are left when the first is done.
    file = write(tmp_path / "s.ini", SMALL.replace("iterations = 6", "iterations = 100000") +
                 "algorithms = dsgd\nseeds = 1-12\n")
    folder = tmp_path / "out"
    child = subprocess.Popen([sys.executable, str(ROOT / "bench" / "study"), str(file), "--output", str(folder), "--jobs",
                              "2"], env=os.environ | {"QUANTIMED_PROGRAM": str(PROGRAM)}, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob("*.h5")) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, message = child.communicate(timeout=600)
    jobs = runner.read_plan(folder / "s.study.json")
    kept = sum(runner.is_done(job) for job in jobs)
    assert child.returncode == 75 and f"{kept} runs are kept" in message
    assert 0 < kept < 12 and not list(folder.glob("*.ini"))
    listed = study_command(file, "--output", folder, "--list").stdout
    assert listed.count("done ") == kept and listed.count("to do ") == 12 - kept


@needs_program
def test_a_run_that_was_stopped_is_resumed_and_gives_the_same_bits(tmp_path: Path) -> None:
    file = write(tmp_path / "s.ini", SMALL.replace("iterations = 6", "iterations = 300000") + "algorithms = dsgd\nseeds = 1\n")
    (job,) = runner.plan([(s := read_study(file), s.runs())], tmp_path / "out", PROGRAM)["s"]
    (tmp_path / "out").mkdir()
    child = runner.start(job, PROGRAM)
    while child.poll() is None and not Path(f"{job.path}.lock").exists():  # from then on it knows what a signal means
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=600)
    assert child.returncode == 75 and runner.look(job).state == job_module.RESUME
    whole = tmp_path / "whole.h5"
    assert study_command(file, "--output", tmp_path / "out").returncode == 0
    subprocess.run([PROGRAM, "run", "--config", write(tmp_path / "r.ini", job.ini), "--output", whole, "--quiet"], check=True)
    with h5py.File(job.path) as file:
        assert file["summary"].attrs["resumptions"] == 1
    assert arrays(job.path) == arrays(whole)


def retold(path: Path, **changes: str) -> None:
    """The same trace with other words of its own, sealed again."""
    image = path.read_bytes()[:-32]
    path.write_bytes(image)
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            if name == "fingerprint":
                file.require_group("data").attrs[name] = value
            else:
                file.attrs[name] = value
    image = path.read_bytes()
    path.write_bytes(image + b"quantimed-trace-crc32:%08x\n\n" % zlib.crc32(image))


@needs_program
def test_traces_of_other_options_another_program_or_other_data_are_never_taken_for_those_asked_for(small: Path, finished: Path,
                                                                                                  tmp_path: Path) -> None:
    folder = tmp_path / "f"
    shutil.copytree(finished, folder)
    jobs = runner.read_plan(folder / "small.study.json")
    assert all(runner.is_done(job) for job in jobs)
    release, job = runner.release_of(PROGRAM), jobs[0]
    assert job.release == release
    # Each alone makes it another run's trace, and the reason is said.
    retold(job.path, software_version="0.0.9")
    assert "was made by quantimed 0.0.9" in runner.look(job).why
    retold(job.path, software_version=release.version, commit="abcdef")
    assert "(abcdef), and this is" in runner.look(job).why
    retold(job.path, commit=release.commit)
    assert runner.is_done(job)
    assert "is of other data" in runner.look(dataclasses.replace(job, data="1234")).why
    other = dataclasses.replace(job, ini=job.ini.replace("iterations = 6", "iterations = 60"))
    assert "is of a run with iterations = 6, and 60 is asked for" in runner.look(other).why
    # They have other names, so both stay, and a folder that holds older runs says so.
    more = write(tmp_path / "small.ini", small.read_text().replace("iterations = 6", "iterations = 7"))
    done = study_command(more, "--output", folder)
    assert done.returncode == 0 and "8 runs" in done.stdout and "0 kept" in done.stdout
    assert "8 traces of other options: kept, and not part of this study as it is now" in done.stderr
    assert len(list(folder.glob("*.h5"))) == 16


@needs_program
def test_the_traces_of_another_commit_count_where_it_is_said(small: Path, finished: Path, tmp_path: Path) -> None:
    def plan_of(**options: bool) -> list[runner.Job]:
        return runner.plan([(s := read_study(small), s.runs())], folder, PROGRAM, **options)["small"]
    folder = tmp_path / "f"
    shutil.copytree(finished, folder)
    for job in plan_of():  # as another build of the same version would have named them
        retold(job.path, commit="abcdef")
        job.path.rename(folder / job.path.name.replace(job.path.stem[-12:], "0" * 12))
    assert not any(runner.is_done(job) for job in plan_of())
    assert all(runner.is_done(job) for job in plan_of(any_commit=True))
    done = study_command(small, "--output", folder, "--any-commit")
    assert done.returncode == 0 and "0 runs" in done.stdout and "8 kept" in done.stdout and not done.stderr
    done = study_command(small, "--output", folder)
    assert "8 runs" in done.stdout and "8 traces made by quantimed" in done.stderr and "(abcdef)" in done.stderr


@needs_program
@pytest.mark.parametrize("arguments, names", [
    (["gone.ini"], "gone.ini"), (["{small}", "--seeds", "0-x"], "--seeds"), (["{small}", "--only", "batch=77"], "batch=77"),
    (["{small}", "--only", "batch"], "NAME=VALUE"), (["{small}", "--seeds", "1,1"], "--seeds: 1 is there twice"),
    (["{small}", "--only", "batch=4", "--only", "batch=5"], "--only batch=5: no run has two values of batch; batch=4 is asked for, too"),
    ([], "FILE"), (["{small}", "--nonsense"], "--nonsense"), (["{small}", "--jobs", "many"], "--jobs: 'many' is no whole number"), ([""], "is empty"),
    (["{small}", "--output", ""], "--output: is empty"), (["{small}", "--jobs", "0"], "--jobs"),
    (["{small}", "--output", "/proc/no"], "/proc/no"), (["{bad}"], "bacth"), (["{nodata}"], "no-such-data")])
def test_bad_input_is_one_line_and_status_2(small: Path, tmp_path: Path, arguments: list[str], names: str) -> None:
    bad = write(tmp_path / "bad.ini", SMALL + "bacth = 3\n")
    nodata = write(tmp_path / "nodata.ini", SMALL.replace(str(DATA), "./no-such-data"))
    done = study_command(*(a.format(small=small, bad=bad, nodata=nodata) for a in arguments), cwd=tmp_path)
    assert done.returncode == 2 and names in done.stderr and done.stderr.count("\n") == 1


@needs_program
def test_in_a_file_the_number_of_runs_is_told_at_once_and_a_line_now_and_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [runner.Job(Run("s", "dsgd", seed, {}, {}), tmp_path / f"{seed}.h5", "nodes = 2\niterations = 9\n") for seed in (1, 2)]
    meter = runner.Meter(jobs, 2, True)
    assert capsys.readouterr().err == "2 runs, 2 at a time; time unknown yet\n"
    meter.show(jobs)
    assert capsys.readouterr().err == ""  # what ends soon
    meter.start -= 40
    meter.shown -= 40
    meter.done(jobs[0])
    for _ in range(2):
        meter.show(jobs[1:])
    told = capsys.readouterr().err
    assert told.startswith("1 of 2 runs, 4") and " s left: s dsgd" in told and told.count("\n") == 1, told
    meter.end()
    runner.Meter(jobs, 2, False)  # --quiet
    runner.Meter([], 2, True)  # everything is there
    assert capsys.readouterr().err == ""


def test_only_and_seeds_choose(small: Path, tmp_path: Path) -> None:
    done = study_command(small, "--output", tmp_path, "--list", "--only", "algorithm=dsgd", "--only", "batch=4", "--seeds", 9)
    assert done.stdout.count("\n") == 1 and "dsgd seed=9" in done.stdout


@needs_program
def test_one_run_has_the_clocks_of_both_ways_to_charge(tmp_path: Path) -> None:
    file = write(tmp_path / "s.ini", SMALL + "seeds = 1\nalgorithms = quantimed-dsgd, dsgd, q-dsgd\n[grid]\n"
                 "bits = paper | wire\n")
    assert study_command(file, "--output", tmp_path).returncode == 0
    jobs = runner.plan([(s := read_study(file), s.runs())], tmp_path, PROGRAM)["s"]
    for paper_job, wire_job in zip(jobs[::2], jobs[1::2]):
        run = traces.read_trace(wire_job.path)
        assert traces.read_trace(paper_job.path).time_s[-1] < run.time_s[-1]
        np.testing.assert_array_equal(traces.charged_time(paper_job.path, "wire"), run.time_s)
        np.testing.assert_array_equal(traces.charged_time(wire_job.path, "paper"), traces.read_trace(paper_job.path).time_s)
        # A trace without the second clock, as 0.1.0 wrote it, is charged anew from what it sent.
        with h5py.File(paper_job.path, "a") as file:
            del file["progress/time_wire_bits"], file["progress/time_paper_bits"]
        traces.read_trace.cache_clear()
        np.testing.assert_allclose(traces.charged_time(paper_job.path, "wire"), run.time_s, rtol=1e-6)


# Numbers

def curve(times: list[float], losses: list[float]) -> traces.Curve:
    return traces.Curve(np.array(times), np.array(losses), ())


@needs_program
def test_medians_keep_misses_and_intervals_are_the_programs() -> None:
    few = statistics.estimate([1.0, 2.0, float("inf")])
    assert (few.median, few.low, few.high, few.coverage) == (2, 1, float("inf"), 0) and few.text("×") == "2× [1×–missed]" and few.text("×", infinite="∞") == "2× [1×–∞]"
    assert statistics.estimate([1.0, 2, 3, 4]).median == 2.5
    many = statistics.estimate(range(1, 11))
    assert (many.low, many.high, many.coverage) == (2, 9, 1 - 22 / 1024)
    assert statistics.estimate([3.0, 3.0, 3.0]).text("×") == "3×"
    assert statistics.spread_text(3) == "[a–b] is the range of 3 seeds"
    assert statistics.spread_text(10) == "[a–b] holds the true median with 97.9 % (10 seeds)"


def test_ratios_are_paired_and_nothing_speaks_for_who_never_arrived() -> None:
    assert statistics.ratios({1: 4, 2: 9, 3: 1}, {2: 3, 1: 2, 7: 1}) == {1: 2, 2: 3}
    assert statistics.ratios({1: float("inf")}, {1: 2}) == {1: float("inf")}
    assert statistics.ratios({1: float("inf"), 2: 3}, {1: float("inf"), 2: float("inf")}) == {1: 0, 2: 0}


@needs_program
def test_comparisons_of_a_claim_are_corrected_together() -> None:
    good, weak = [2, 2.1, 1.9, 2, 2.2, 2], [1.2, 1.01, 1.3, 1.02, 1.1, 1.25]
    alone = statistics.compare({"weak": weak})["weak"]
    together = statistics.compare({"weak": weak, **{str(k): [1.0 + 0.1 * ((j + k) % 3 - 1) for j in range(6)] for k in range(9)}})
    assert alone.is_clear and not together["weak"].is_clear and together["weak"].p == pytest.approx(10 * alone.p)
    assert statistics.compare({"good": good})["good"].is_clear and not statistics.compare({"good": good}, over=2)["good"].is_clear


def test_what_nobody_arrived_at_is_no_comparison() -> None:
    weak, nobody = [1.2, 1.01, 1.3, 1.02, 1.1, 1.25], [math.nan] * 6
    alone = statistics.compare({"weak": weak})["weak"]
    beside = statistics.compare({"weak": weak, **{str(k): nobody for k in range(9)}})
    assert beside["weak"] == alone and alone.is_clear
    assert all(beside[str(k)].p == 1 and not beside[str(k)].is_clear and beside[str(k)].ratio.median == 0 for k in range(9))
    # Where ours alone missed the target, it was a comparison, and lost.
    lost = statistics.compare({"weak": weak, **{str(k): [0] * 6 for k in range(9)}})
    assert lost["weak"].p == pytest.approx(10 * alone.p) and not lost["weak"].is_clear
    # As a claim asks: of ties nothing is known, and one arrival of ours is a comparison.
    keys = [("mnist", "tuned", "wire", float(k), "dsgd") for k in range(4)]
    tie = claims.Paired({seed: 0.0 for seed in range(6)}, 6)
    once = claims.Paired({seed: math.inf if seed == 0 else 0.0 for seed in range(6)}, 5)
    found = claims.compared({keys[0]: claims.Paired(dict(enumerate(weak)), 0), keys[1]: tie, keys[2]: tie, keys[3]: once})
    assert found[keys[0]].p == pytest.approx(2 * alone.p)


def test_targets_of_a_study_are_losses(tmp_path: Path) -> None:
    assert read_study(write(tmp_path / "s.ini", "targets = 2.2, 2.0,1.9\n")).targets() == [2.2, 2.0, 1.9]
    assert read_study(write(tmp_path / "s.ini", "seeds = 1\n")).targets() == []
    with pytest.raises(StudyError, match="targets: 'low'"):
        read_study(write(tmp_path / "s.ini", "targets = 2, low\n")).targets()


@pytest.mark.parametrize("codec", ["low-precision:1e-2", "rounding", "rounding:0.5", "qsgd:16", "qsgd:1024"])
def test_a_quantizers_variance_is_under_its_bound_and_not_zero(codec: str) -> None:
    found = quantizers.variance(codec, np.random.default_rng(3).normal(0, 1, 5000))
    assert found and 0 < found.measured <= found.bound


def test_the_sparsifiers_variance_is_the_exact_one() -> None:
    x = np.random.default_rng(3).uniform(-1, 1, 5000)
    found = quantizers.variance("sparsifier:2", x, draws=50)
    assert found and found.measured == pytest.approx(float(np.sum(np.abs(x) * (2 - np.abs(x)))), rel=0.01)
    assert quantizers.variance("sparsifier:0.5", x) is None  # M below the largest |x|: not the quantizer of the theory


# Claims, on traces made up so that the answer is known

def made_up(folder: Path, study: str, algorithm: str, seed: int, seconds: float, setting: dict[str, str] | None = None,
            bits: str = "paper", last: float = 1.0, status: str = "complete") -> runner.Job:
    """Falls from 5 to `last`, in a straight line that ends after `seconds`; 8 wire bits a coordinate."""
    setting = setting or {}
    path = folder / f"{study}-{algorithm}-{seed}-{bits}-{'-'.join(setting.values())}.h5"
    rounds, p = 4, 10
    with h5py.File(path, "w") as file:
        file.attrs.update(status=status, verdict="VALID", commit="abc")
        file["config/ini"] = (f"algorithm = {algorithm}\nbits = {bits}\nlink = paper:1\nsync = barrier\nl2-per = batch\n"
                              f"iterations = {rounds}\n")
        summary = file.create_group("summary")
        summary.attrs.update(final_loss=last, compute_share=0.5, mix_share=0.1, encode_share=0.0, exchange_share=0.3,
                             wait_share=0.1)
        file["progress/iteration"] = np.arange(rounds + 1.0)
        file["progress/time"] = np.linspace(0, seconds, rounds + 1)
        file["progress/loss"] = np.linspace(5, last, rounds + 1)
        file["rounds/compute_time"] = np.full((rounds, 2), seconds / rounds - 0.25)
        file["rounds/wait_time"] = np.zeros((rounds, 2))
        file["rounds/bytes_sent"] = np.full((rounds, 2), float(p))  # 8 bits a coordinate: 0.5 s a round
        file["model/mean"] = np.zeros(p, np.float32)
    return runner.Job(Run(study, algorithm, seed, setting | {"bits": bits}, {}), path, "")


TARGETS = [2.0, 1.5]


def four_studies(folder: Path, ours_s: float, others_s: float, seeds: int = 6) -> traces.Results:
    jobs: dict[str, list[runner.Job]] = {}
    for name, published, tuned in claims.DATA_SETS:
        for study in (published, tuned):
            for seed in range(1, seeds + 1):
                jobs.setdefault(study, []).append(made_up(folder, study, claims.OURS, seed, ours_s + seed))
                for baseline in ("dsgd", "q-dsgd", "async-dsgd"):
                    for bits in ("paper", "wire") if baseline == "async-dsgd" else ("paper",):
                        jobs[study].append(made_up(folder, study, baseline, seed, others_s + seed, None, bits))
    return traces.Results(jobs, {study: TARGETS for study in jobs})


@needs_program
@pytest.mark.parametrize("ours_s, others_s, fast, ahead", [
    (100, 400, claims.HOLDS, claims.HOLDS), (100, 200, claims.PART, claims.HOLDS), (200, 100, claims.FAILS, claims.FAILS)])
def test_conclusions_follow_from_the_times(tmp_path: Path, ours_s: float, others_s: float, fast: str, ahead: str) -> None:
    results, ledger = four_studies(tmp_path, ours_s, others_s), Ledger()
    first = claims.speed_up(results, ledger)
    assert first.finding == fast and "largest of 72 comparisons" in first.found
    row = next(r for r in first.rows if r[:3] == ["MNIST", "published", "2"])
    # Three quarters of the way, where the loss is 2; the wire costs a second more.
    assert row[3].startswith(f"{0.75 * (ours_s + 3.5):.3g} s [{0.75 * (ours_s + 1):.3g} s–{0.75 * (ours_s + 6):.3g} s] [S")
    assert f"/ {0.75 * (ours_s + 4.5):.3g} s [" in row[3]
    assert row[-1] == (claims.OURS if ours_s < others_s else row[-1])
    second = claims.ahead_of_all(results, ledger, "x", claims.DATA_SETS[2])
    assert second.finding == ahead
    assert ("to loss 2 yes, 1.5 yes" if ours_s < others_s else "to loss 2 no, 1.5 no") in second.found
    assert claims.sensitivity(results, ledger).finding == (claims.HOLDS if ours_s < others_s else claims.FAILS)


def race_of(folder: Path, ours: tuple[float, float], theirs: tuple[float, float], targets: list[float]) -> claims.Race:
    """Seconds and last loss of each; six seeds."""
    jobs = [made_up(folder, "mnist", name, seed, seconds + seed, last=last) for seed in range(1, 7)
            for name, (seconds, last) in ((claims.OURS, ours), ("dsgd", theirs))]
    found = claims.race(traces.Results({"mnist": jobs}, {"mnist": targets}), "mnist")
    assert found
    return found


def decided(found: claims.Race) -> claims.Claim:
    claim = claims.Claim("x", "", "", [])
    family = claims.comparisons("MNIST", "tuned", found)
    claims.decide(claim, family, claims.compared(family), claims.largest(family, claims.compared(family)), claims.FAILS)
    return claim


@needs_program
def test_a_bound_refutes_nothing(tmp_path: Path) -> None:
    """Five points, and a target before the third: the ratio is the least that it can be."""
    found = race_of(tmp_path, (120, 1), (200, 1), [3.5])
    paired = found.paired("dsgd", 3.5, "paper")
    assert paired.is_bound and all(0 < ratio < 1 for ratio in paired.values.values()) and paired.text().startswith("≥ 0.8")
    said = decided(found)
    assert said.finding == claims.OPEN and said.found.endswith("not shown, and neither is the contrary")
    (tmp_path / "other").mkdir()
    assert decided(race_of(tmp_path / "other", (200, 1), (100, 1), [1.5])).finding == claims.FAILS  # a ratio that is resolved


@needs_program
def test_two_misses_are_no_defeat_and_no_victory(tmp_path: Path) -> None:
    found = race_of(tmp_path, (100, 3), (200, 3), [1.5])
    assert found.paired("dsgd", 1.5, "paper").text() == "both missed"
    assert all(cell.startswith("both missed [S") for cell in claims.race_row(found, 1.5, Ledger())[1].split(" / "))
    said = decided(found)
    assert said.finding == claims.OPEN and said.found.startswith("both missed in 2") and "largest" not in said.found
    family = claims.comparisons("MNIST", "tuned", found)
    assert "least:" not in claims.least(family, claims.compared(family))


@needs_program
@pytest.mark.parametrize("ours, theirs, words, finding", [((100, 1), (100, 3), "only ours arrived", claims.OPEN),
                                                          ((100, 3), (100, 1), "only theirs arrived", claims.FAILS)])
def test_who_alone_arrived_is_said(tmp_path: Path, ours: tuple[float, float], theirs: tuple[float, float], words: str, finding: str) -> None:
    found = race_of(tmp_path, ours, theirs, [1.5])
    assert found.paired("dsgd", 1.5, "paper").text() == words
    said = decided(found)
    assert said.finding == finding and ("dsgd missed in 2" in said.found) == (words == "only ours arrived")


def test_figures_are_written_out() -> None:
    def text(x: float, unit: str) -> str:
        return statistics.Estimate(x, x, x, 1).text(unit)

    assert [text(x, " s") for x in (1090, 999.7, 999, 0.0123, float("inf"))] == ["1,090 s", "1,000 s", "999 s", "0.0123 s", "missed"]


@needs_program
def test_too_few_seeds_decide_nothing(tmp_path: Path) -> None:
    found = claims.speed_up(four_studies(tmp_path, 100, 400, seeds=3), Ledger())
    assert found.finding == claims.OPEN and "3 seeds are too few to decide" in found.found


@needs_program
def test_a_diverged_run_never_arrives_and_moves_no_target(tmp_path: Path) -> None:
    jobs = [made_up(tmp_path, "mnist", claims.OURS, seed, 100) for seed in range(1, 7)]
    jobs += [made_up(tmp_path, "mnist", "dsgd", seed, 200, last=1.0 if seed > 1 else 2.25,
                     status="complete" if seed > 1 else "diverged") for seed in range(1, 7)]
    found = claims.race(traces.Results({"mnist": jobs}), "mnist")
    assert found and found.targets == [3.0, 2.0, 1.4, 1.2, 1.04]  # shares of the fall from 5 to 1
    assert found.times("dsgd", 2.0, "paper") == {1: float("inf"), **{seed: 150 for seed in range(2, 7)}}
    assert found.speed_ups("dsgd", 2.0, "paper")[1] == float("inf")


def test_wire_bits_cost_what_was_sent(tmp_path: Path) -> None:
    job = made_up(tmp_path, "mnist", "dsgd", 1, 100)
    assert traces.charged_time(job.path, "wire")[-1] == pytest.approx(100 - 4 * 0.25 + 4 * 0.5)
    with pytest.raises(StudyError, match="bits = wire"):
        traces.charged_time(made_up(tmp_path, "mnist", "async-dsgd", 1, 100).path, "wire")


def test_a_horizon_curve_has_a_step_at_each_horizons_end(tmp_path: Path) -> None:
    """No run was between two ends, so none is said to have arrived there."""
    jobs = [made_up(tmp_path, "mnist", claims.OURS, 1, s, {"iterations": str(s)}, last=loss) for s, loss in ((300, 1), (100, 3))]
    found = traces.Results({"mnist": jobs}).curves("mnist", claims.OURS, "paper")[1]
    assert list(found.time_s) == [0, 25, 50, 75, 100, 300, 300, 300] and list(found.loss[-4:]) == [3, 3, 1, 1]
    if PROGRAM.is_file():
        judged = statistics.judge({claims.OURS: {1: {"paper": found}}}, [3.5, 2.0])
        assert judged.times[claims.OURS, 3.5, "paper"].time == {1: 75}
        assert judged.times[claims.OURS, 2.0, "paper"].time == {1: 300}


def test_a_horizon_that_diverged_has_no_point(tmp_path: Path) -> None:
    jobs = [made_up(tmp_path, "mnist", claims.OURS, 1, s, {"iterations": str(s)}, last=loss, status=status)
            for s, loss, status in ((100, 3, "complete"), (200, 0.5, "diverged"), (300, 1, "complete"))]
    found = traces.Results({"mnist": jobs}).curves("mnist", claims.OURS, "paper")[1]
    assert found.counts and 200 not in found.time_s and found.loss.min() == 1
    worst = traces.Results({"mnist": jobs[1:2]}).curves("mnist", claims.OURS, "paper")[1]
    assert not worst.counts


def test_claims_whose_studies_were_not_run_are_not_judged() -> None:
    assert {c.finding for c in claims.all_claims(traces.Results({}), Ledger())} == {claims.UNKNOWN}
    assert effects.all_tables(traces.Results({}), Ledger()) == []


@needs_program
def test_averaging_is_judged_by_its_share_of_the_gradients_time(tmp_path: Path) -> None:
    jobs = {name: [made_up(tmp_path, name, "dsgd", seed, 1) for seed in (1, 2, 3)] for name in ("mnist", "averaging-real")}
    found = claims.averaging(traces.Results(jobs), Ledger())
    assert found.finding == claims.FAILS and [row[-1].split(" [")[0] for row in found.rows] == ["20 %", "20 %"]


@needs_program
def test_every_number_leads_to_its_files(tmp_path: Path) -> None:
    ledger = Ledger()
    file = made_up(tmp_path, "mnist", "dsgd", 1, 100).path
    text, _ = ledger.median({1: 2.0, 2: 3.0, 3: 4.0}, "time over time", [file, tmp_path / "gone.h5"], "×")
    assert text == "3× [2×–4×] [S1]"
    ledger.write(tmp_path / "sources.json")
    said = explain(tmp_path / "sources.json", "S1")
    assert "time over time" in said and "seed 2: 3" in said and str(file) in said and "gone.h5   (not here now" in said
    with pytest.raises(StudyError, match="S1 to S1"):
        explain(tmp_path / "sources.json", "S7")


@needs_program
def test_a_bad_option_of_paper_is_one_line_and_status_2(tmp_path: Path) -> None:
    for arguments in (["--studies", "nothing"], ["--trace", "S1"], ["--jobs", "0"], ["--seeds", "x"]):
        done = subprocess.run([sys.executable, str(ROOT / "bench" / "paper"), *arguments], cwd=tmp_path, text=True,
                              capture_output=True, env=os.environ | {"QUANTIMED_PROGRAM": str(PROGRAM)}, timeout=600)
        assert done.returncode == 2 and done.stderr.startswith("paper: ") and done.stderr.count("\n") == 1, arguments


@needs_program
def test_the_papers_page_is_made_and_says_where_its_numbers_are_from(tmp_path: Path) -> None:
    """bench/paper of its smallest study, on MNIST."""
    if subprocess.run([PROGRAM, "info", "--contents", "--dataset", "mnist"], capture_output=True).returncode:
        pytest.skip("MNIST is not here: no page of the paper's claims is made")
    page = tmp_path / "paper.md"

    def paper_(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(ROOT / "bench" / "paper"), "--quick", "--runs", str(tmp_path / "runs"), "--output", str(page),
                               *arguments], text=True, capture_output=True, env=os.environ | {"QUANTIMED_PROGRAM": str(PROGRAM)}, timeout=600)

    done = paper_("--studies", "modulo", "--seeds", "1", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text()
    assert "| claim | finding | why |" in text and "[S1]" in text and "never" not in text
    told = paper_("--trace", "S1")
    assert told.returncode == 0 and ".h5" in told.stdout, told.stdout + told.stderr


# Which trial of a tuning wins

def a_trial(folder: Path, study: str, algorithm: str, steps: tuple[str, str], seed: int, losses: list[float]) -> runner.Job:
    job = made_up(folder, study, algorithm, seed, 1, dict(zip(("alpha", "epsilon"), steps)))
    with h5py.File(job.path, "r+") as file:
        for name, values in (("iteration", np.arange(len(losses))), ("time", 10.0 * np.arange(len(losses))), ("loss", losses)):
            del file[f"progress/{name}"]
            file[f"progress/{name}"] = np.array(values, dtype=float)
    options = {name: step for name, step in zip(("alpha", "epsilon"), steps) if step} | {"evaluations": "2"}
    return runner.Job(Run(study, algorithm, seed, options, options), job.path, "")


SLOW, SOON, WORSE = ([10, 9, 9, 9, 6, 4, 1, 1, 1], [10, 9, 9, 5, 3, 1.5, 1.1, 1.1, 1.1], [10, 9, 7, 5, 3, 3, 3, 3, 3])


def a_tuning(folder: Path) -> traces.Results:
    """Of q-dsgd, 2 and 0.3 ends the lowest, 1 and 0.6 is there the soonest, and 1 and 0.3, of the same alpha, ends high."""
    trials = {("q-dsgd", "2", "0.3"): SLOW, ("q-dsgd", "1", "0.6"): SOON, ("q-dsgd", "1", "0.3"): WORSE,
              ("dsgd", "1", ""): WORSE, ("dsgd", "2", ""): [10, 9.9, 9.8]}
    jobs: dict[str, list[runner.Job]] = {}
    for (algorithm, *steps), losses in trials.items():
        for seed in (101, 102, 103):
            pair = (steps[0], steps[1])
            jobs.setdefault("mnist-tune", []).append(a_trial(folder, "mnist-tune", algorithm, pair, seed, [losses[0], 8, losses[-1]]))
            if losses in (SLOW, SOON, WORSE) and steps != ["1", "0.3"]:
                jobs.setdefault("mnist-tune-finals", []).append(a_trial(folder, "mnist-tune-finals", algorithm, pair, seed, losses))
    return traces.Results(jobs)


@needs_program
def test_the_soonest_of_those_that_miss_the_fewest_wins(tmp_path: Path) -> None:
    results = a_tuning(tmp_path)
    assert tuning.targets_of(results, "mnist-tune") == [5.5, 3.25, 1.9, 1.45, 1.09]
    trials = {trial.text: trial for trial in tuning.trials_of(results, "mnist-tune")["q-dsgd"]}
    assert {text: (trial.loss, trial.missed) for text, trial in trials.items()} == {
        "2, 0.3": (1, 0), "1, 0.6": (1.1, 1), "1, 0.3": (3, 3)}
    # The best misses none, the others are no match for it, however soon they are.
    study = Study(tmp_path / "mnist-tune.ini", {"": {"finals": "30"}})
    alone = traces.Results({"mnist-tune": results.jobs["mnist-tune"]})
    finals, runs = tuning.finals_of(study, alone)
    assert finals.name == "mnist-tune-finals" and {run.options["evaluations"] for run in runs} == {"30"}
    assert {(run.algorithm, *fairness.steps_of(run)) for run in runs} == {("q-dsgd", "2", "0.3"), ("dsgd", "1", "")} and len(runs) == 6
    ranked = tuning.ranking(results, "mnist-tune")
    assert [final.trial.text for final in ranked["q-dsgd"]] == ["2, 0.3", "1, 0.6"] and ranked["q-dsgd"][0].missed == 0
    assert ranked["q-dsgd"][1].missed == 1 and ranked["q-dsgd"][1].log_time < ranked["q-dsgd"][0].log_time
    assert tuning.plateau(ranked["q-dsgd"]) == "2 alone"
    assert [effects.time_text(final, 0, 5).partition(" s")[2] for final in ranked["q-dsgd"]] == ["", ", 1 missed"]
    assert effects.time_text(ranked["q-dsgd"][1], 0, 1) == "final loss 1.1"


@needs_program
def test_a_study_chooses_the_steps_that_tune_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the traces of one search, by both."""
    folder = tmp_path / "tune"
    done = subprocess.run([PROGRAM, "tune", "--algorithms", "dsgd,q-dsgd,quantimed-dsgd", "--dataset", "digits:300", "--model", "mlp:10", "--nodes", "4",
                           "--graph", "ring", "--samples-per-node", "50", "--batch", "10", "--iterations", "40", "--trials", "8",
                           "--seeds", "101-103", "--evaluations", "15", "--output", str(folder), "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((folder / "trials.csv").open(newline="")))
    rows = [row for row in rows if row["pass"] != "published"]
    jobs: dict[str, list[runner.Job]] = {}
    for row in rows:
        steps = {name: row[name] for name in ("alpha", "epsilon") if name == "alpha" or row["algorithm"] != "dsgd"}
        job = runner.Job(Run("t", row["algorithm"], int(row["seed"]), steps, steps), folder / row["trace"], "")
        jobs.setdefault("t", []).append(job)
        if row["pass"] == "grid" and row["seed"] == "101":
            jobs.setdefault("t-first", []).append(job)
        same = [one for one in rows if all(one[name] == row[name] for name in ("algorithm", "alpha", "epsilon"))]
        if len(same) == 3:  # all seeds: who led after the first
            jobs.setdefault("t-finals", []).append(job)
    results = traces.Results(jobs)
    targets = [float(name.removeprefix("time_to_").removesuffix("_s")) for name in rows[0] if name.startswith("time_to_")]
    # `tune` states its targets after the first of its passes, a study after its only one.
    assert tuning.targets_of(results, "t-first") == targets and len(targets) == 5
    monkeypatch.setattr(tuning, "targets_of", lambda *_: targets)
    ranked = tuning.ranking(results, "t")
    said = dict(line.split(" = ", 1) for line in (folder / "tuned.ini").read_text().splitlines() if " = " in line and line[0] != "#")
    for algorithm in ("dsgd", "q-dsgd", "quantimed-dsgd"):
        assert len(ranked[algorithm]) > 1, "nothing to choose from"
        for option, step in zip(("alpha", "epsilon"), ranked[algorithm][0].trial.steps):
            chosen = dict(one.split("=") for one in said[option].split(",") if "@" not in one)
            assert algorithm not in chosen and not step or float(chosen[algorithm]) == float(step), (algorithm, option, said[option])


@needs_program
def test_a_time_before_the_third_point_is_that_of_the_point_after_it(tmp_path: Path) -> None:
    jobs = tuple(a_trial(tmp_path, "mnist-tune", "dsgd", ("1", ""), seed, [10, 4, 4, 4, 2, 1, 1]) for seed in (101, 102, 103))
    final = tuning.scored(tuning.Trial("dsgd", ("1", ""), jobs, 1, 1), list(jobs), [7, 3, 0.5])
    assert final.missed == 1 and final.time_s == pytest.approx(math.sqrt(10 * 35))  # 7 is met at 5 s of a straight line


@needs_program
def test_the_table_of_the_tuning_has_every_searched_step(tmp_path: Path) -> None:
    results = a_tuning(tmp_path)
    for algorithm, steps in (("q-dsgd", ("2", "0.3")), ("dsgd", ("2", ""))):
        results.jobs.setdefault("mnist-tuned", []).append(a_trial(tmp_path, "mnist-tuned", algorithm, steps, 1, SLOW))
    table = effects.tuning(results, Ledger())
    assert "stays the published one" not in table.text and "final losses" in table.text
    ours, other = table.rows
    assert ours[3].startswith("**2, 0.3: 1**; 1, 0.6: 1.1; 1, 0.3: 3 [S") and ours[4].startswith("0 missed: **2, 0.3: ")
    assert ours[5] == "2 alone" and ours[6].startswith("the winner")
    assert other[6].startswith("NOT the winner: 2")


def test_steps_that_are_not_the_best_trial_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "study.ini", "algorithms = dsgd, q-dsgd\n[algorithm dsgd]\nalpha = 1\n[algorithm q-dsgd]\nalpha = 2\nepsilon = 0.3\n")
    study = read_study(file)
    best = {"dsgd": ("1.0", ""), "q-dsgd": ("2", "0.3")}
    assert fairness.worse_than_best(study, "t.ini", best) == ""
    assert fairness.worse_than_best(study, "t.ini", best | {"q-dsgd": ("2", "0.6")}) == (
        "q-dsgd: alpha = 2 and epsilon = 0.3 is judged, and the best trial of t.ini has alpha = 2 and epsilon = 0.6; take that one")
    assert "no trial of t.ini counts" in fairness.worse_than_best(study, "t.ini", {"dsgd": ("1", "")})


@needs_program
def test_a_page_of_steps_that_are_not_the_best_is_not_written(tmp_path: Path) -> None:
    results = a_tuning(tmp_path)
    write(tmp_path / "mnist-tune.ini", "seeds = 101-103\n")
    file = write(tmp_path / "mnist-tuned.ini", "algorithms = dsgd\n[algorithm dsgd]\nalpha = 2\n")
    study = read_study(file)
    study.sections[""]["tuned-by"] = "mnist-tune.ini"
    assert "--studies a,b --output x.md`: 0 runs" in paper.facts({}, runner.Outcome(), False, "a,b", Path("x.md"))
    with pytest.raises(StudyError, match="dsgd: alpha = 2 is judged, and the best trial of mnist-tune.ini has alpha = 1"):
        paper.check_steps([study], results)
    paper.check_steps([study], traces.Results({}))  # without the trials there is nothing to ask


@pytest.mark.parametrize("finals", ["2", "x", "30.5"])
def test_too_few_points_for_the_finals_are_refused(tmp_path: Path, finals: str) -> None:
    with pytest.raises(StudyError, match=r"study.ini:1: finals = .*3 or more"):
        read_study(write(tmp_path / "study.ini", f"finals = {finals}\n"))


def test_the_page_of_tuned_steps_has_those_of_the_experiments() -> None:
    page = (ROOT / "results" / "paper-tuned.md").read_text(encoding="utf-8")
    assert "NOT the winner" not in page
    for name in ("mnist", "cifar10", "imagenet", "four-layers"):
        judged = {run.algorithm: ", ".join(filter(None, fairness.steps_of(run))) for run in read_study(paper.EXPERIMENTS / f"{name}-tuned.ini").runs([1])}
        for algorithm, steps in judged.items():
            [row] = [line for line in page.splitlines() if line.startswith(f"| {name} |") and f"| {algorithm} |" in line]
            assert f"**{steps}: " in row and "| the winner" in row, (name, algorithm)


@needs_program
def test_runs_that_differ_in_their_seed_alone_are_resolved_alike(tmp_path: Path) -> None:
    study = read_study(write(tmp_path / "study.ini", "algorithms = dsgd, quantimed-dsgd\nseeds = 1-3\ndataset = digits:60\nnodes = 2\n"
                             "graph = complete\nsamples-per-node = 20\niterations = 5\n"))
    jobs = runner.plan([(study, study.runs())], tmp_path, PROGRAM)[study.name]
    assert [job.run.seed for job in jobs] == [1, 1, 2, 2, 3, 3] and len({job.path for job in jobs}) == 6
    for job in jobs:
        options = [f"--{name}={value}" for name, value in job.run.options.items()]
        ini = runner.resolved(PROGRAM, ["--engine=virtual", "--threads=1", f"--algorithm={job.run.algorithm}", f"--seed={job.run.seed}", *options])
        assert job.ini == ini and job.data == runner.data_of(PROGRAM, ini)
