# SPDX-License-Identifier: BSD-3-Clause
"""Settings are said in words with units, the same by the program and by the report, and never as options are written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from quantimed.traces import Study, load_study
from quantimed_report import figures, tables, words
from quantimed_report.figures import common

LINK, SPEED = "3 s for 16 bits a coordinate", "10 to 90 samples/s"
OPTION_TEXT = re.compile(r"\b[a-z][a-z-]*:[0-9.]|samples-per-node|l2-per|max-time|False|True")


@pytest.mark.parametrize("speed, link, said", [
    ("uniform:10,90", "paper:3", (SPEED, LINK)),
    ("constant:50", "alpha-beta:0.0001,125000000", ("50 samples/s", "0.1 ms, 125 MB/s")),
    ("exponential:0.02,0.01", "alpha-beta:0,1e9", ("20 ms a sample in the mean, exponential above 10 ms", "0 s, 1 GB/s")),
    ("pareto:90,2.5", "alpha-beta:2e-6,500", ("at most 90 samples/s, Pareto with tail index 2.5", "2 µs, 500 B/s")),
    ("bimodal:90,10,0.1,0.9", "paper:0.05", ("90 samples/s, or 10 with probability 0.1 (kept with 0.9)", "50 ms for 16 bits a coordinate")),
    ("slow-nodes:1,4,50", "none", ("50 samples/s, 1 node 4 times as slow", "none")),
    ("slow-nodes:2,4,50", "none", ("50 samples/s, 2 nodes 4 times as slow", "none")),
    ("file:speeds.txt", "none", ("recorded in speeds.txt", "none")),
])
def test_program_and_report_say_the_same(program: Path, tmp_path: Path, speed: str, link: str, said: tuple[str, str]) -> None:
    (tmp_path / "speeds.txt").write_text("20 30 40 50\n" * 8)
    done = subprocess.run([program, "compare", "--dataset", "digits:100", "--nodes", "4", "--graph", "ring", "--batch", "5", "--seeds", "1",
                           "--algorithms", "dsgd", "--iterations", "3", "--speed", speed, "--link", link, "--output", "c", "--quiet"],
                          cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert f"speed {said[0]}, link {said[1]}, bits on the wire" in done.stdout.splitlines()[0]
    assert (words.speed(speed), words.link(link)) == said
    assert (words.of("speed", speed), words.of("link", link)) == (f"speed {said[0]}", f"link {said[1]}")


@pytest.mark.parametrize("option, value, said", [
    ("deadline", "0.3", "deadline 0.3 s"), ("deadline", "auto:30", "deadline for 30 samples in the mean"),
    ("deadline", "auto:quantile:0.9", "deadline that 90 % of the nodes meet"), ("codec", "qsgd:16", "QSGD with 16 levels"),
    ("codec", "top-k:0.01", "the largest 1 %"), ("codec", "sign", "signs"), ("codec", "sign:64", "signs in blocks of 64"),
    ("codec", "low-precision:1e-3", "rounding to a grid of 0.001"), ("codec", "rounding", "rounding to integers"),
    ("graph", "erdos-renyi:0.4", "Erdős–Rényi graph, p = 0.4"), ("graph", "file:/tmp/mine.txt", "graph of mine.txt"),
    ("partition", "dirichlet:0.1", "Dirichlet shards with 0.1"), ("model", "mlp:30,20,25", "hidden layers of 30–20–25"),
    ("model", "gn-lenet", "gn-lenet"), ("dataset", "digits:1200", "digits (1,200 samples)"), ("dataset", "/data/mine.libsvm", "mine.libsvm"),
    ("fault", "crash:3@0.5;stall:1@2,0.1", "node 3 lost at 0.5 s, node 1 still from 2 s for 0.1 s"), ("fault", "none", "no fault"),
    ("max-time", "198", "until 198 s"), ("normalise", "True", "normalise: yes"), ("alpha", "0.3*T^(-1/6)", "alpha 0.3 T^(-1/6)"),
    # Of other versions of the program: as they stand.
    ("link", "wormhole:1,2", "link wormhole:1,2"), ("speed", "uniform:10", "speed uniform:10"), ("codec", "top-k:much", "code top-k:much"),
    ("deadline", "auto:soon", "deadline auto:soon"), ("fault", "crash:3", "fault crash:3"), ("weather", "wet", "weather wet"),
])
def test_options_are_said_in_words(option: str, value: str, said: str) -> None:
    assert words.of(option, value) == said


@pytest.fixture(scope="module")
def everyone(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Every algorithm that there is, on a chain, where all can run."""
    folder = tmp_path_factory.mktemp("everyone")
    quantimed("compare", "--algorithms", "all", "--graph", "chain", "--nodes", "4", "--dataset", "digits:200", "--model", "mlp:5",
              "--samples-per-node", "20", "--batch", "5", "--iterations", "6", "--seeds", "1", "--output", str(folder))
    return load_study(folder)


def test_what_a_row_of_the_table_says_splits_no_comparison(everyone: Study) -> None:
    compared = [table for table in tables.tables(everyone) if not table.each_target]
    assert len(compared) == 1 and len(compared[0].rows) > 30
    setting, = common.settings(everyone)
    assert len(setting.algorithms) == len(compared[0].rows)


def texts(figure: Figure) -> list[str]:
    every = [text for ax in figure.axes for text in (ax.get_title(loc="left"), ax.get_title(), ax.get_xlabel(), ax.get_ylabel())]
    every += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [text for text in every if text]


def test_no_figure_and_no_table_shows_options_as_they_are_written(quantimed: Callable[..., None], tmp_path: Path) -> None:
    for number, (speed, link) in enumerate((("uniform:10,90", "alpha-beta:0.0001,125000000"), ("exponential:0.02,0.01", "paper:3"))):
        quantimed("compare", "--dataset", "digits:200", "--model", "mlp:5", "--samples-per-node", "20", "--iterations", "12", "--seeds", "1-2",
                  "--speed", speed, "--link", link, "--codec", f"qsgd:{4 * number + 4}", "--output", str(tmp_path / str(number)))
    study = load_study(tmp_path)
    labels = [table.label for table in tables.tables(study)] + [row.label for table in tables.tables(study) for row in table.rows]
    assert any("link 0.1 ms, 125 MB/s" in label for label in labels), labels
    for name, module in figures.ALL:
        figure = module.draw(study)
        if isinstance(figure, Figure):
            found = texts(figure)
            assert found and not [text for text in found if OPTION_TEXT.search(text)], (name, found)
    plt.close("all")
    assert not [label for label in labels if OPTION_TEXT.search(label)], labels


@pytest.mark.parametrize(("option", "first", "second"), [
    ("dataset", "/a/train.h5", "/b/train.h5"), ("speed", "file:/a/s.txt", "file:/b/s.txt"), ("graph", "file:g.txt", "directed-file:g.txt"),
    ("link", "alpha-beta:0.0001,125000000", "alpha-beta:0.0001,125000001"), ("codec", "low-precision:0.1", "low-precision:0.10000001")])
def test_values_that_differ_never_read_alike(option: str, first: str, second: str) -> None:
    both = {first, second}
    assert words.told_apart(option, first, both) != words.told_apart(option, second, both)
    assert words.told_apart(option, first, {first}) == words.of(option, first)
    keys = [{"dataset": "digits", "nodes": "4", "engine": "virtual", "kind": "run"} | {option: value} for value in (first, second)]
    assert len(set(tables._labels(keys))) == 2 and len(set(common._names(keys))) == 2
