# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import base64
import csv
import hashlib
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ALGORITHMS, SEEDS, forge

from quantimed_report import figures
from quantimed_report.report import Report, build_report, thinned
from quantimed.traces import load_study

SCRIPT = "<script>window.hacked = 1</script>"
HOSTILE = {"config": {"dataset": f"digits{SCRIPT}\"'"}, "ini": f"# run\n</code></pre></script>{SCRIPT}\n",
           "root": {"verdict": f"INVALID: <img src=x onerror=\"window.hacked = 1\">{SCRIPT}", "commit": f"{SCRIPT}"}}


@pytest.fixture(scope="session")
def report(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """With three figures: they take the most time. The page that test_page.py opens has all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "ALL", figures.ALL[:3])
        yield build_report(load_study(comparison), tmp_path_factory.mktemp("report"), pdf=False)


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    return report.page.read_text(encoding="utf-8")


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two figures are enough where figures are not what is tested: they take the most time."""
    monkeypatch.setattr(figures, "ALL", figures.ALL[:2])


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_writes_page_tables_and_figures(report: Report) -> None:
    folder = report.page.parent
    assert report.failed == [] and (report.counted, report.runs) == (15, 15)  # the asynchronous one by both clocks
    assert {path.name for path in folder.iterdir()} == {"index.html", "summary.csv", "summary.md", "runs.csv", "figures"}
    images = sorted(path.name for path in (folder / "figures").iterdir())
    assert report.drawn > 0 and len(images) == report.drawn
    with (folder / "runs.csv").open(newline="") as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == (len(ALGORITHMS) + 1) * len(SEEDS)
    assert {(run["algorithm"], run["clock"]) for run in runs} == {(each, "paper") for each in ALGORITHMS} | {("async-dsgd", "wire")}


def test_page_starts_with_the_answer_and_the_table(report: Report, page: str) -> None:
    head, table, first_figure = page.index("<h1"), page.index('<table class="summary"'), page.index('<h2 id="figures"')
    assert head < table < first_figure
    assert html.escape(report.sentence) in page.replace("&#39;", "'")
    assert "too few to name a winner" in report.sentence  # three seeds


def test_page_needs_no_network(page: str) -> None:
    assert not re.search(r'(src|href)="(https?:|//)', page)
    assert not re.search(r"url\(|@import|<link rel=\"stylesheet", page)


def test_every_figure_is_inside_with_words_for_those_who_do_not_see_it(report: Report, page: str) -> None:
    images = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)"', page)
    assert len(images) == report.drawn and all(len(alt) > 40 for alt in images)


def test_only_the_pages_own_script_may_run(page: str) -> None:
    script = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}" in page or f"script-src 'sha256-{digest}'" in page


class Tags(HTMLParser):
    """Checks that elements close in the order in which they opened."""

    VOID = {"meta", "link", "img", "input", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.targets += [given["href"][1:]] if (given.get("href") or "").startswith("#") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_its_links_lead_somewhere(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == [] and len(tags.ids) == len(set(tags.ids))
    assert set(tags.targets) <= set(tags.ids)


def test_curves_are_thinned_and_complete(page: str) -> None:
    data = data_of(page)
    assert len(data["runs"]) == 15
    drawn = [run for run in data["runs"] if run["curve"]["loss"]]  # on one clock
    assert len(drawn) == 12 and all(2 <= len(run["curve"]["loss"]) <= 60 for run in drawn)
    assert {run["file"] for run in data["runs"] if run not in drawn} == {f"async-dsgd-seed{seed}.h5" for seed in SEEDS}


def test_thinning_keeps_both_ends_and_says_what_is_missing() -> None:
    import numpy as np
    values = thinned(np.append(np.arange(999.0), np.nan))
    assert len(values) == 60 and values[0] == 0 and values[-1] is None
    assert thinned(np.array([])) == []


def test_a_run_repeats_from_the_page(page: str, program: Path, comparison: Path, tmp_path: Path) -> None:
    import h5py
    number = next(run["id"] for run in data_of(page)["runs"] if run["algorithm"] == "quantimed-dsgd" and run["seed"] == 2)
    ini, command = (html.unescape(re.search(f'id="{kind}-{number}">(.*?)</code>', page, re.S)[1]) for kind in ("ini", "command"))
    words = command.split()
    assert words[:3] == ["quantimed", "run", "--config"]
    (tmp_path / words[3]).write_text(ini)
    subprocess.run([program, *words[1:]], cwd=tmp_path, check=True, capture_output=True)
    with h5py.File(comparison / "quantimed-dsgd-seed2.h5") as first, h5py.File(tmp_path / words[5]) as again:
        assert (first["progress/loss"][()] == again["progress/loss"][()]).all()


def test_hostile_text_is_text(study: Path, tmp_path: Path, few_figures: None) -> None:
    forge(study / "dsgd-seed1.h5", study / "evil.h5", **HOSTILE)
    forge(study / "dsgd-seed1.h5", study / "evil2.h5", config={**HOSTILE["config"], "algorithm": f"x{SCRIPT}\"><b>", "seed": 7})
    (study / f"{SCRIPT.replace('/', '_')}.h5").write_bytes(b"nothing")
    built = build_report(load_study(study), tmp_path / "out", pdf=False)
    page = built.page.read_text(encoding="utf-8")
    assert built.failed == []
    assert SCRIPT not in page and "<img src=x" not in page and "<b>" not in page and "&lt;script&gt;window.hacked" in page
    assert page.count("<script") == 2
    assert data_of(page)["runs"]
    assert "<script>" not in (tmp_path / "out" / "summary.md").read_text()


def test_what_is_left_out_is_listed_with_its_reason(study: Path, tmp_path: Path, few_figures: None) -> None:
    forge(study / "dsgd-seed1.h5", study / "old.h5", root={"schema_version": 1})
    forge(study / "dsgd-seed1.h5", study / "invalid.h5", root={"verdict": "INVALID: 6 nodes share 2 cores"}, config={"seed": 8})
    forge(study / "dsgd-seed1.h5", study / "killed.h5.partial", root={"status": "running"}, config={"seed": 9})
    forge(study / "dsgd-seed1.h5", study / "diverged.h5", root={"status": "diverged"}, config={"seed": 10})
    shutil.copy(study / "dsgd-seed2.h5", study / "zcopy.h5")
    (study / "torn.h5").write_bytes((study / "dsgd-seed3.h5").read_bytes()[:900])
    built = build_report(load_study(study), tmp_path / "out", pdf=False)
    page = built.page.read_text(encoding="utf-8")
    part = page[page.index('id="left-out">'):page.index('<h2 id="runs">')]
    for name, why in (("old.h5", "version 1"), ("invalid.h5", "6 nodes share 2 cores"), ("killed.h5.partial", "unfinished"),
                      ("diverged.h5", "diverged"), ("zcopy.h5", "the same run as"), ("torn.h5", "")):
        assert re.search(re.escape(name) + ".*?" + re.escape(why), part, re.S), name
    assert built.counted == 15


def test_settings_have_tables_of_their_own(quantimed: Callable[..., None], study: Path, tmp_path: Path,
                                           few_figures: None) -> None:
    quantimed("compare", "--nodes", "3", "--seeds", "1", "--algorithms", "dsgd,async-dsgd", "--output", str(study / "three"))
    page = build_report(load_study(study), tmp_path / "out", pdf=False).page.read_text(encoding="utf-8")
    assert page.count('<table class="summary"') == 2 and "3 nodes, virtual time" in page


def test_an_earlier_reports_figure_does_not_stay(study: Path, tmp_path: Path, few_figures: None,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.ALL[0][1], "draw", lambda _: "nothing to draw")
    old = tmp_path / "figures" / f"{figures.ALL[0][0]}.png"
    old.parent.mkdir()
    old.write_bytes(b"old")
    built = build_report(load_study(study), tmp_path, pdf=False)
    assert not old.exists() and built.drawn == 1 and "nothing to draw" in built.page.read_text()


def test_one_figure_that_breaks_off_leaves_the_others(study: Path, tmp_path: Path, few_figures: None,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise IndexError("out of range")

    monkeypatch.setattr(figures.ALL[0][1], "draw", broken)
    built = build_report(load_study(study), tmp_path, pdf=False)
    assert len(built.failed) == 1 and built.drawn == 1 and "drawing it failed" in built.page.read_text()
