# SPDX-License-Identifier: BSD-3-Clause
"""`pip install ./analysis`, as somebody without the repository has it: `import quantimed`, the report, studies."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build" / "quantimed")).resolve()
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUANTIMED"))} | {"OPENBLAS_NUM_THREADS": "1"}


def run(*words: object, **more: str) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd="/", env=CLEAN | more)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "s"
    run(PROGRAM, "compare", "--dataset", "digits:600", "--nodes", 4, "--graph", "ring", "--model", "mlp:4", "--samples-per-node", 30,
        "--iterations", 12, "--batch", 10, "--algorithms", "dsgd,quantimed-dsgd", "--seeds", "1-2", "--output", folder, "--quiet")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the package in it, and the distribution's packages beside it. Nothing comes from a network."""
    for module, package in (("setuptools", "setuptools"), ("wheel", "wheel"), ("ensurepip", "venv")):
        if subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode:
            pytest.skip(f"{sys.executable} has no {module} (apt-get install python3-{package}): nothing is installed")
    here = tmp_path_factory.mktemp("venv")
    for name in ("analysis", "bench"):  # it is built in its own folder, which stays as it is
        shutil.copytree(ROOT / name, here / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "venv", "--system-site-packages", here / "v")
    run(here / "v/bin/pip", "install", "--no-index", "--no-build-isolation", "--no-deps", "--quiet", here / "source/analysis")
    shutil.rmtree(here / "source")
    return here / "v"


def test_the_package_has_the_programs_version() -> None:
    version = re.search(r"^project\(quantimed VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert version and f'\nversion = "{version[1]}"\n' in (ROOT / "analysis/pyproject.toml").read_text()


def test_an_installed_report_and_study_need_no_repository(environment: Path, study: Path, tmp_path: Path) -> None:
    said = run(environment / "bin/quantimed-report", study, "--output", tmp_path / "r", "--no-pdf", "--only", "curves-time",
               QUANTIMED_PROGRAM=str(PROGRAM))
    assert "4 runs counted" in said and (tmp_path / "r/index.html").is_file()
    file = tmp_path / "small.ini"
    file.write_text("dataset = digits\nnodes = 4\ngraph = ring\niterations = 5\nseeds = 1\nalgorithms = dsgd\n")
    said = run(environment / "bin/quantimed-study", file, "--output", tmp_path / "s", PATH=f"{PROGRAM.parent}:{os.environ['PATH']}")
    assert "1 runs in" in said and len(list((tmp_path / "s").glob("*.h5"))) == 1


FRAMES = """
import json, sys, quantimed as q
study = q.read(sys.argv[1])
runs, curves, network = q.runs(study), q.curves(study), q.network(study)
first = q.by_name(study, sys.argv[2])
rounds, edges, classes = q.rounds(first), q.edges(first), q.classes(first)
print(json.dumps({
    "where": q.__file__, "files": list(runs.file), "why_not": list(runs.why_not), "loss": list(runs.final_loss), "bytes": list(runs.bytes_sent),
    "points": curves[curves.file == first.path.name].loss.tolist(), "times": curves[curves.file == first.path.name].time_s.tolist(),
    "batch": rounds.pivot(index="iteration", columns="node", values="batch").values.tolist(), "rounds": len(rounds),
    "gap": list(network.spectral_gap), "graph": list(network.graph),
    "weights": [(int(e.from_node), int(e.to_node), e.weight) for e in edges.itertuples()],
    "classes": classes.pivot(index="iteration", columns="label", values="accuracy").values.tolist(), "labels": classes.label[:10].tolist(),
    "samples": classes.samples[:10].tolist(), "set": sorted(set(classes.set)), "class_times": classes.time_s[::10].tolist(),
    "chosen": list(q.rounds(first, ["wait_time"]).columns),
    "units": [frame.attrs["units"] for frame in (runs, curves, rounds, network, edges)],
    "mean": runs.groupby("algorithm").final_loss.mean().to_dict()}))
"""


def test_data_frames_hold_what_the_traces_hold_with_units(environment: Path, study: Path) -> None:
    pytest.importorskip("pandas", reason="no pandas: data frames are not tried (apt-get install python3-pandas)")
    paths = sorted(study.glob("*.h5"))
    found = json.loads(run(environment / "bin/python", "-c", FRAMES, study, paths[0].stem))
    assert str(environment) in found["where"]
    assert found["files"] == [path.name for path in paths] and found["why_not"] == [""] * 4
    with h5py.File(paths[0]) as file:
        assert found["points"] == file["progress/loss"][:].tolist() and found["times"] == file["progress/time"][:].tolist()
        batch = file["rounds/batch"][:]
        assert found["rounds"] == batch.size and np.array_equal(np.array(found["batch"]), batch)
        assert found["loss"][0] == file["summary"].attrs["final_loss"] and found["bytes"][0] == file["summary"].attrs["total_bytes"]
        assert found["gap"][0] == file["network"].attrs["spectral_gap"] and found["graph"] == ["ring"] * 4
        w = np.zeros((4, 4))
        for i, j, weight in found["weights"]:
            w[i, j] = w[j, i] = weight
        assert np.allclose(w.sum(axis=0), 1, atol=1e-6)
        assert found["classes"] == file["classes/accuracy"][:].tolist() and found["set"] == [file["classes"].attrs["set"]] == ["test"]
        assert found["labels"] == list(range(10)) and found["samples"] == file["classes/samples"][:].tolist()
        assert found["class_times"] == file["progress/time"][:].tolist()
        for frame, group, its in ((1, "progress", {"time": "time_s"}), (2, "rounds", {})):
            for name, column in file[group].items():
                shown = its.get(name, f"{name}_s" if name.startswith("time_") else name)
                assert found["units"][frame][shown] == column.attrs["unit"], name
    assert found["units"][0]["end_time_s"] == "s" and found["units"][0]["bytes_sent"] == "bytes"
    assert found["chosen"][-1] == "wait_time" and "batch" not in found["chosen"]
    assert set(found["mean"]) == {"dsgd", "quantimed-dsgd"}


def test_without_pandas_it_says_what_is_missing(environment: Path, study: Path) -> None:
    ask = "import sys; sys.modules['pandas'] = None; import quantimed\ntry: quantimed.runs(sys.argv[1])\nexcept quantimed.ReportError as e: print(e)"
    assert "python3-pandas" in run(environment / "bin/python", "-c", ask, study)
    assert run(environment / "bin/python", "-c", "import quantimed, sys; print(len(quantimed.read(sys.argv[1]).runs))", study) == "4\n"


def test_the_example_notebook_runs(environment: Path, study: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="no pandas: the notebook is not run (apt-get install python3-pandas)")
    notebook = json.loads((ROOT / "analysis/example.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5 and all(not cell.get("outputs") for cell in notebook["cells"])  # kept without what it once printed
    (tmp_path / "cells.py").write_text("\n".join(cells) + "\nprint(len(axes.lines), len(rounds), sorted(counted.algorithm.unique()))\n")
    said = run(environment / "bin/python", tmp_path / "cells.py", QUANTIMED_STUDY=str(study), MPLBACKEND="Agg")
    with h5py.File(sorted(study.glob("*.h5"))[0]) as file:
        rounds = np.count_nonzero(~np.isnan(file["rounds/batch"][:]))
    assert said.splitlines()[-1] == f"4 {rounds} ['dsgd', 'quantimed-dsgd']" and "'end_time_s': 's'" in said
