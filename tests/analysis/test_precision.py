# SPDX-License-Identifier: BSD-3-Clause
"""--precision double: what it reaches, that its runs have the same bits however they are made, and who carries what out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

Call = Callable[..., "subprocess.CompletedProcess[str]"]
KEPT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
NODES, FEATURES = 6, 3


@pytest.fixture(scope="session")
def double(program: Path) -> Path:
    path = program.parent / "quantimed-double"
    assert path.is_file(), f"no {path}: build it (make all)"
    return path


@pytest.fixture
def call(program: Path, double: Path, tmp_path: Path) -> Call:
    def run(*words: object, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=1000, cwd=tmp_path, env=KEPT)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def quadratics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample a node, so that every gradient is the whole one; numbers that text, float32 and float64 hold alike."""
    random = np.random.default_rng(7)
    a, y = random.integers(-64, 65, (NODES, FEATURES)) / 64, random.integers(-64, 65, NODES) / 64
    path = tmp_path_factory.mktemp("data") / "quadratics.libsvm"
    path.write_text("".join(f"{target} " + " ".join(f"{k + 1}:{v}" for k, v in enumerate(row)) + "\n"
                            for target, row in zip(y, a)))
    return path


def minimum(path: Path) -> np.ndarray:
    rows = [line.split() for line in path.read_text().splitlines()]
    a = np.array([[float(word.split(":")[1]) for word in row[1:]] for row in rows])
    return np.linalg.lstsq(a, np.array([float(row[0]) for row in rows]), rcond=None)[0]


def squared_distance(trace: Path, optimum: np.ndarray) -> float:
    """(1/n) sum_i |x_i - x*|^2 at the end."""
    with h5py.File(trace) as file:
        return float(np.sum((file["model/mean"][()].astype(float) - optimum) ** 2) + file["progress/consensus_error"][-1])


def bits(trace: Path) -> list[bytes]:
    with h5py.File(trace) as file:
        return [file[name][()].tobytes() for name in ("progress/iteration", "progress/loss", "progress/consensus_error",
                                                      "model/mean")]


@pytest.mark.parametrize("algorithm", ["d2", "dsgt"])
def test_double_comes_nearer_to_the_optimum_than_single_can(call: Call, quadratics: Path, tmp_path: Path, algorithm: str) -> None:
    reached = {}
    for precision in ("single", "double"):
        call("run", "--dataset", quadratics, "--target", "regression", "--model", "least-squares", "--l2", "0", "--nodes", NODES,
             "--samples-per-node", "1", "--batch", "1", "--graph", "complete", "--algorithm", algorithm, "--alpha", "0.2",
             "--iterations", "6000", "--evaluations", "1", "--precision", precision, "--output", f"{precision}.h5", "--quiet")
        reached[precision] = squared_distance(tmp_path / f"{precision}.h5", minimum(quadratics))
    assert reached["double"] < 1e-24
    assert reached["single"] > 1e-18


SMALL = ("--dataset", "digits:600", "--nodes", "2", "--graph", "complete", "--samples-per-node", "40", "--batch", "8", "--model",
         "mlp:10", "--iterations", "20", "--evaluations", "4", "--precision", "double", "--quiet")


@pytest.mark.parametrize(("algorithm", "code"), [("dsgd", "exact"), ("d2", "exact"), ("choco-sgd", "top-k:0.2"), ("lead", "low-precision:1e-3"),
                                                 ("q-dsgd", "float16"), ("deepsqueeze", "sign:64"), ("beer", "random-k:0.5"),
                                                 ("choco-sgd", "qsgd-rescaled:8"), ("moniqua", "modulo:1e-3,10"), ("sgp", "exact")])
def test_both_engines_and_any_number_of_workers_have_the_same_bits(call: Call, tmp_path: Path, algorithm: str, code: str) -> None:
    words = (*SMALL, "--algorithm", algorithm, "--codec", code)
    call("run", *words, "--threads", "1", "--output", "one.h5")
    call("run", *words, "--threads", "2", "--output", "two.h5")
    call("run", *words, "--engine", "threads", "--oversubscribe", "--output", "real.h5")
    assert bits(tmp_path / "one.h5") == bits(tmp_path / "two.h5") == bits(tmp_path / "real.h5")
    call("replay", "real.h5")  # by the program of the trace
    with h5py.File(tmp_path / "real.h5") as file:
        assert file["config"].attrs["precision"] == "double" and file["model/mean"].dtype == np.float64
        exact = code == "exact"
        values, vectors = file["model/mean"].size, file["rounds/bytes_sent"][0, 0] / (file["model/mean"].size * 8)
        assert values > 0 and (vectors >= 1) == exact  # 64 bits a coordinate of exact messages; codes are as short as ever


def test_codes_send_as_many_bits_as_in_single_precision(call: Call, tmp_path: Path) -> None:
    for code in ("top-k:0.2", "sign", "random-k:0.5"):
        sent = {}
        for precision in ("single", "double"):
            words = [word if word != "double" else precision for word in SMALL]
            call("run", *words, "--algorithm", "deepsqueeze", "--codec", code, "--output", f"{precision}.h5", "--overwrite")
            with h5py.File(tmp_path / f"{precision}.h5") as file:
                sent[precision] = file["rounds/bytes_sent"][()].tolist()
        assert sent["single"] == sent["double"], code


def test_a_stopped_run_goes_on_to_the_same_bits_by_the_program_of_its_trace(program: Path, double: Path, call: Call,
                                                                            tmp_path: Path) -> None:
    words = ("--dataset", "digits:600", "--nodes", "4", "--graph", "ring", "--samples-per-node", "40", "--batch", "8", "--iterations",
             "1000", "--evaluations", "6", "--algorithm", "choco-sgd", "--codec", "top-k:0.1", "--precision", "double", "--quiet")
    call("run", *words, "--output", "whole.h5")
    stopped = subprocess.Popen([program, "run", *words, "--output", "stopped.h5"], cwd=tmp_path, env=KEPT)
    for _ in range(1000):  # until it says by its lock that it runs
        if any(tmp_path.glob("*stopped.h5*")):
            break
        time.sleep(0.01)
    time.sleep(0.1)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(100) == 75
    call("run", "--resume", "stopped.h5", "--quiet")  # quantimed, not quantimed-double
    assert bits(tmp_path / "whole.h5") == bits(tmp_path / "stopped.h5")
    call("verify", "stopped.h5")  # each program reads the traces of both
    subprocess.run([double, "verify", "stopped.h5"], cwd=tmp_path, env=KEPT, check=True, capture_output=True)


def test_precisions_are_kept_apart(program: Path, double: Path, call: Call, tmp_path: Path) -> None:
    single = [word if word != "double" else "single" for word in SMALL]
    call("run", *single, "--algorithm", "dsgd", "--output", "a.h5")
    assert "--overwrite" in call("run", *SMALL, "--algorithm", "dsgd", "--output", "a.h5", status=2).stderr
    done = subprocess.run([double, "run", *single, "--algorithm", "dsgd", "--output", "b.h5"], cwd=tmp_path, env=KEPT)
    assert done.returncode == 0  # goes back to quantimed
    assert bits(tmp_path / "a.h5") == bits(tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["model/mean"].dtype == np.float32
    call("compare", *single, "--algorithms", "dsgd,d2", "--seeds", "1", "--output", "study")
    assert "precision" in call("compare", *SMALL, "--algorithms", "dsgd,d2", "--seeds", "1", "--output", "study", status=2).stderr


def test_without_its_sibling_it_says_so_before_any_work(program: Path, call: Call, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(program, alone / "quantimed")
    def refusal(*words: str) -> str:
        done = subprocess.run([alone / "quantimed", "run", *words], cwd=alone, capture_output=True, text=True, env=KEPT)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
        return done.stderr

    said = refusal(*SMALL, "--algorithm", "dsgd", "--output", "a.h5")
    assert "--precision double" in said and "quantimed-double" in said and "make all" in said
    assert sorted(path.name for path in alone.iterdir()) == ["quantimed"]
    call("run", *SMALL, "--algorithm", "dsgd", "--output", alone / "a.h5")
    assert "--resume" in refusal("--resume", "a.h5")
    shutil.copy(program, alone / "quantimed-double")  # the right name alone does not compute in double precision
    assert "whatever its name" in refusal(*SMALL, "--algorithm", "dsgd", "--output", "b.h5")
