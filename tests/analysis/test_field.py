# SPDX-License-Identifier: BSD-3-Clause
"""bench/field: a small field is tuned, compared and reported; the page says what the program judged."""
from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from studies import field, field_exact, field_findings, field_messages, field_minimises, field_real_time, field_results, field_settings  # noqa: E402
from studies.processes import Processes, contents  # noqa: E402
from studies.statistics import Estimate, read_estimate  # noqa: E402
from studies.study_file import StudyError  # noqa: E402

BASE = """# Base
algorithms = quantimed-dsgd,dsgd,async-dsgd
dataset = {dataset}
nodes = 4
samples-per-node = 30
partition = by-label
model = logistic
batch = 5
graph = ring
speed = uniform:10,90
link = paper:0.3
max-time = 20
evaluations = 8
trials = 2
alpha-range = 0.05,1
"""
FILES = {"slow-node": "# One is slow.\nspeed = slow-nodes:1,10,50\n", "amb": "# Two.\nalgorithms = quantimed-dsgd,amb\n",
         "deadline": "# Added\nalgorithms = dsgd\ngradient = deadline\n", "quick": "# Small\nevaluations = 9\n",
         "quick-deadline": "# Small\n", "quick-amb": "# Small\n"}


@pytest.fixture
def small(program: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "settings"
    folder.mkdir()
    for name, text in ({"base": BASE.format(dataset=dataset)} | FILES).items():
        (folder / f"{name}.ini").write_text(text)
    for name, value in (("FOLDER", folder), ("QUICK", ("slow-node", "amb")), ("QUICK_SEEDS", "1-2")):
        monkeypatch.setattr(field_settings, name, value)
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    monkeypatch.chdir(tmp_path)
    for cached in (field_settings.merged, field_settings.rows):
        cached.cache_clear()
    return tmp_path


def row_of(page: str, heading: str, name: str) -> list[str]:
    section = page.partition(f"{heading}\n")[2]
    line = next(line for line in section.splitlines() if f"| {name} |" in line)
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_page_says_what_was_judged_and_a_second_run_repeats_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert field.main(["--quick", "--pages", "field"]) == 0
    assert "runs: about" in capsys.readouterr().err  # the cost, before it starts
    runs = small / "runs/field-quick"
    parts = field_settings.parts(field_settings.QUICK, True, runs)
    assert [(p.setting, p.form) for p in parts] == [("slow-node", "field"), ("slow-node", "deadline"), ("amb", "field")]
    assert all(part.done == part.runs for part in parts), "the cost was reckoned from other numbers of runs"
    page = (runs / "field.md").read_text()
    judged = json.loads((runs / "slow-node/field-compare/comparison.json").read_text())["comparisons"][0]
    target = judged["targets"][2]
    assert f"Target: loss {target:g}" in page
    for clock, column in (("wire", 2), ("paper", 5)):
        race = next(r for r in judged["races"] if r["clock"] == clock and r["target"] == target)
        for entry in race["entries"]:
            cells = row_of(page, "## slow-node", entry["name"])
            assert read_estimate(entry["time_s"]).text() in cells[column]
            assert cells[3] == f"{entry['arrived']} of 2" or clock == "paper"
    with_deadline = json.loads((runs / "slow-node/deadline-compare/comparison.json").read_text())["comparisons"][0]
    assert with_deadline["targets"] == judged["targets"]
    for word in ("smoke test", "Every algorithm had the same number of trials", "speed = slow-nodes:1,10,50",
                 "the objective weighted"):
        assert word in page
    assert (runs / "field/profile.png").stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.h5")}
    assert field.main(["--quick", "--pages", "field"]) == 0
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*.h5")} == before
    assert (runs / "field.md").read_text() == page


def test_bad_use_is_one_line_and_status_two(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert field.main(["--quick", "--settings", "moon"]) == 2
    assert "--settings moon: not one of slow-node, amb" in capsys.readouterr().err
    path = small / "settings/slow-node.ini"
    path.write_text(path.read_text() + "nonsense = 1\n")
    assert field.main(["--quick", "--pages", "field"]) == 2
    said = capsys.readouterr().err
    assert "nonsense" in said and len(said.splitlines()) == 1
    (small / "mine.md").write_text("# Mine\n")
    assert field.main(["--quick", "--report-only", "--output", "mine.md"]) == 2
    assert "mine.md" in capsys.readouterr().err


@pytest.mark.parametrize("trials", [1, 2, 4, 12, 24])
def test_every_search_fits_its_reckoning(trials: int) -> None:
    assert field_settings.runs_to_tune(trials) == {1: 6, 2: 9, 4: 13, 12: 23, 24: 43}[trials]


def test_a_miss_speaks_for_the_other_and_two_for_nobody() -> None:
    assert field_results.ratio_of(6, 2) == 3
    assert math.isinf(field_results.ratio_of(math.inf, 2))
    assert field_results.ratio_of(2, math.inf) == field_results.ratio_of(math.inf, math.inf) == 0


def paired(finding: str) -> field_results.Paired:
    return field_results.Paired("base", "dsgd", Estimate(2, 1.5, 3, 10, 0.97), 0.01, finding)


def test_no_sentence_without_a_test_that_carries_it() -> None:
    assert "clearly faster in 1 of 2" in "".join(field_findings.deadlines([paired("faster"), paired("not told apart")]))
    assert "clearly" not in "".join(field_findings.deadlines([paired("not told apart")]))
    assert "is clearly ahead" in "".join(field_findings.beaten([], [paired("not faster")]))
    assert "Nobody" in "".join(field_findings.beaten([], [paired("not faster")]))


def test_settings_differ_from_the_base_in_one_line_and_have_algorithms_of_this_program(program: Path,
                                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    field_settings.merged.cache_clear()
    field_settings.rows.cache_clear()
    base = field_settings.parts(["base"], False, Path("runs"))[0].options
    for part in field_settings.parts(field_settings.SETTINGS, False, Path("runs")):
        assert part.runs > 0  # knows every algorithm
        if part.form == "field" and part.setting not in ("base", *field_settings.AMB):
            others = {"algorithms", "codec", "averaging"} if part.own_algorithms else set()
            assert len({name for name, value in part.options.items() if value != base[name]} - others) == 1, part.setting
            assert part.options.keys() == base.keys()
            assert {name for name in part.options if name not in (*others, "graph")} <= set(base), part.setting
            for name in part.left_out:
                assert field_settings.refusal(part, name).startswith(f"{name} "), "in the program's words"
            assert bool(part.left_out) == part.own_algorithms == (part.setting == "one-peer")


def test_who_is_refused_in_a_setting_has_not_missed_there(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "settings/one-peer.ini").write_text("# Directed.\nalgorithms = dsgd,sgp\ngraph = one-peer-exponential\n")
    monkeypatch.setattr(field_settings, "QUICK", ("slow-node", "one-peer", "amb"))
    monkeypatch.setattr(field_settings, "QUICK_DEADLINE", ())
    assert field.main(["--quick", "--pages", "field"]) == 0
    runs = small / "runs/field-quick"
    page = (runs / "field.md").read_text()
    grid, profile = "# All settings at one look", "# Performance profile"
    for name, cells in (("quantimed-dsgd", [None, "does not run"]), ("sgp", ["–", None]), ("dsgd", [None, None])):
        row = next(line for line in page.partition(grid)[2].splitlines() if f"| {name} |" in line)
        found = [cell.strip("* ") for cell in row.strip("|").split(" | ")][1:]
        for cell, expected in zip(found, cells, strict=True):
            assert cell == expected if expected else cell == "missed" or float(cell) > 0, (name, cell)
    assert [row_of(page, profile, name)[1] for name in ("dsgd", "quantimed-dsgd", "sgp")] == ["2", "1", "1"]
    section = page.partition("## one-peer\n")[2].partition("\n#")[0]
    assert "- quantimed-dsgd needs a symmetric W" in section and "- async-dsgd reads the newest" in section
    assert "| quantimed-dsgd |" not in section and "Only here: sgp." in section
    fields = [field_results.Outcome(part) for part in field_settings.parts(["slow-node", "one-peer"], True, runs)]
    assert field_findings.settings_of("sgp", fields) == "the one in which it is compared" and field_findings.settings_of("dsgd", fields) == "2 settings"
    for one in fields:
        for race in one.json["races"]:
            race["winner"] = one.names()[0]
            for entry in race["entries"]:
                entry["arrived"] = 0
    missed = "".join(field_findings.misses(fields))
    assert "sgp in 1 of the one in which it is compared" in missed and "dsgd in 2" in missed
    wrong = field_settings.Part("one-peer", "field", (small / "settings/base.ini", small / "settings/one-peer.ini"), runs, "1-2")
    with pytest.raises(StudyError, match="which the program does not refuse"):
        field_settings.refusal(wrong, "dsgd-atc")


MINIMISES = """# Two classes
algorithms = dsgd,amb,quantimed-dsgd
codec = exact
dataset = digits
classes = 3,9
partition = by-label
nodes = 4
samples-per-node = 9
model = logistic
l2 = 20
batch = 5
graph = complete
speed = slow-nodes:2,10,50
link = none
alpha = 0.1
max-time = 60
evaluations = 4
optimum = true
"""


def test_the_page_on_what_is_minimised_says_what_the_traces_say(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("minimises", MINIMISES), ("quick-minimises", "# Small\nevaluations = 5\n")):
        (small / f"settings/{name}.ini").write_text(text)
    assert field.main(["--quick", "--pages", "minimises"]) == 0
    folder = small / "runs/field-quick"
    assert not (folder / "field.md").exists(), "only the page that was asked for"
    page = (folder / "field-minimises.md").read_text()
    for name in ("dsgd", "amb", "quantimed-dsgd"):
        cells = row_of(page, "runs that do not count |", name)
        for part, column in (("whole", 2), ("half", 3)):
            gaps = []
            for seed in range(1, 3):
                with h5py.File(folder / f"minimises/{part}/{name}-seed{seed}.h5") as file:
                    gaps.append(float(file["summary"].attrs["final_gap"]))
                    loss = float(file["progress/loss"][-1]) - float(file["summary"].attrs["optimal_loss"])
                    assert gaps[-1] == pytest.approx(loss, rel=1e-12)
            assert cells[column].startswith(f"{sum(gaps) / 2:.2g} ")
        assert cells[6] == "not decided", "two seeds carry nothing"
    assert row_of(page, "runs that do not count |", "dsgd")[5] == "the same"
    (small / "settings/quick-minimises.ini").write_text("speed = slow-nodes:1,10,50\n")
    assert field.main(["--quick", "--pages", "minimises"]) == 2
    assert "a class is with slow nodes and with others" in capsys.readouterr().err
    assert field.main(["--quick", "--pages", "moon"]) == 2


def ends(plain: float, weighted: float, samples: tuple[float, float] = (10, 100)) -> field_minimises.Ends:
    made = field_minimises.Ends(Path("none"), "amb")
    seeds = range(1, 11)
    vars(made).update(plain={s: plain * (1 + s / 1000) for s in seeds}, weighted={s: weighted for s in seeds}, samples=[samples] * 10,
                      paths={s: Path(str(s)) for s in seeds})
    return made


def test_what_is_minimised_is_said_only_where_gap_and_step_agree(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    whole = {"biased": ends(0.1, 0.001), "plain": ends(0.004, 0.1), "unfinished": ends(0.2, 0.1), "alike": ends(0.004, 0.004, (9, 9))}
    half = {"biased": ends(0.098, 0.0005), "plain": ends(0.002, 0.1), "unfinished": ends(0.1, 0.05), "alike": ends(0.002, 0.002, (9, 9))}
    found = field_minimises.findings(whole, half)
    assert found["biased"].startswith("the weighted") and found["plain"].startswith("the plain")
    assert found["alike"].startswith("the plain")
    assert found["unfinished"] == "not decided", "nearer to the weighted one, but its gap still falls"


def test_slow_nodes_of_the_setting_hold_one_class_of_mnist(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(program))
    if isinstance(contents("mnist"), str):
        pytest.skip("MNIST is not here")
    field_minimises.classes_apart(field_settings.options_of(field_minimises.files(False)), tmp_path, Processes())


REAL_TIME = """# Two clocks
nodes = 2
graph = complete
speed = slow-nodes:1,10,5000
link = alpha-beta:100us,125MB
max-time = 0.3
"""


def test_both_clocks_are_told_or_why_one_of_them_is_not(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("real-time", REAL_TIME), ("quick-real-time", "# Small\nalgorithms = quantimed-dsgd,amb\n")):
        (small / f"settings/{name}.ini").write_text(text)
    assert field.main(["--quick", "--pages", "real-time"]) == 0
    folder = small / "runs/field-quick"
    page = (folder / "field-real-time.md").read_text()
    virtual, _, threads = page.partition("## In real time")
    race = next(r for r in field_real_time.judged(folder / "real-time/virtual-compare")["races"] if r["clock"] == "wire")
    made = field_results.Outcome(field_real_time.part_of(folder / "real-time", True, "virtual"))
    for name in ("quantimed-dsgd", "amb"):
        assert row_of(virtual, "runs that do not count |", name)[1] == made.time(name).text()
    assert race["target"] in made.targets and "Deadline 0.001 s for both" in virtual
    assert "| quantimed-dsgd |" in threads or "No finding" in threads, "how busy the machine is decides"
    field_real_time.refused(folder / "real-time").write_text("no core\n")
    assert field.main(["--quick", "--pages", "real-time", "--report-only"]) == 0
    assert "**No finding**: no core." in (folder / "field-real-time.md").read_text()


EXACT = """# Exact methods
algorithms = dsgd,exact-diffusion,lead
codec = lead=qsgd:16
gamma = lead=0.4
dataset = gaussian-linear:3,40
model = least-squares
partition = contiguous
nodes = 12
samples-per-node = 1
l2 = 0
batch = 1
graph = ring
speed = uniform:10,90
link = none
budget = iterations
iterations = 8000
alpha = 0.03
evaluations = 40
optimum = true
"""


def test_exact_methods_are_told_from_one_that_rests_at_its_known_bias(small: Path) -> None:
    for name, text in (("exact", EXACT), ("quick-exact", "# Small\nevaluations = 30\n")):
        (small / f"settings/{name}.ini").write_text(text)
    assert field.main(["--quick", "--pages", "exact"]) == 0
    folder = small / "runs/field-quick"
    page = (folder / "field-exact.md").read_text()
    assert row_of(page, "finding |", "dsgd")[4] == "rests at its known bias"
    for name in ("exact-diffusion", "lead"):
        assert row_of(page, "finding |", name)[4] == "reaches x*"
    assert row_of(page, "finding |", "lead")[1] == "qsgd:16" and row_of(page, "finding |", "dsgd")[1] == "exact"
    assert (folder / "field-exact/distance.png").stat().st_size > 5000
    path = folder / "exact/compare/dsgd-seed1.h5"
    with h5py.File(path) as file:
        distance = float(file["progress/distance_to_optimum"][-1])
        other = float(file["summary"].attrs["optimal_loss"])
    one = field_exact.known(folder / "exact", True)[1]
    assert one.bias == pytest.approx(distance, rel=1e-3)
    with h5py.File(folder / "exact/data-seed1.h5") as file:
        rows, targets = (np.array(file[f"train/{name}"][:12], dtype=float) for name in ("features", "targets"))
    best, _ = field_exact.fixed_point(rows, targets, np.full((12, 12), 1 / 12), 0.1)
    assert np.mean((rows @ best - targets) ** 2) / 2 == pytest.approx(other, rel=1e-10), "the program's f* and ours"


def test_a_fixed_point_is_one_of_the_iteration() -> None:
    random = np.random.default_rng(1)
    rows, targets, weights = random.normal(size=(3, 2)), random.normal(size=3), np.full((3, 3), 1 / 3)
    _, rest = field_exact.fixed_point(rows, targets, weights, 0.1)
    after = weights @ rest - 0.1 * (np.sum(rows * rest, axis=1) - targets)[:, None] * rows
    assert np.allclose(after, rest, atol=1e-12)


def test_a_method_that_stops_short_is_not_said_to_rest_at_a_bias_or_to_reach_anything() -> None:
    for algorithm, end, expected in (("dsgd", 0.1, "rests at its known bias"), ("dsgd", 0.2, "stops short of x*"), ("lead", 0.1, "stops short of x*"),
                                     ("lead", 1e-6, "reaches x*")):
        made = field_exact.Curves(Path("none"), algorithm, {1: field_exact.Optimum(norm=2.0, bias=0.2, limit=1e-5)})
        vars(made).update(paths={1: Path("a-seed1.h5")}, counted={1: Path("a-seed1.h5")}, ends=[end])
        assert field_exact.finding(made) == expected


def test_bytes_of_a_top_k_message_hold_the_indices() -> None:
    random = np.random.default_rng(3)
    for p, share in ((15910, 0.01), (1000, 0.3), (64, 0.5), (37, 0.02), (10, 1)):
        kept = max(1, int(share * p + 0.5))
        bits = field_messages.index_bits(p, kept)
        assert field_messages.vector_bytes(f"top-k:{share}", p) == (32 * kept + bits + 7) // 8
        if bits in (0, p):
            continue
        low = int(math.log2(p / kept))
        for _ in range(20):  # an encoder and a decoder: so many bits are enough, and all are used
            chosen = np.sort(random.choice(p, kept, replace=False))
            lows = "".join(format(i & (1 << low) - 1, f"0{low}b") if low else "" for i in chosen)
            highs = "".join("1" * int(np.sum(chosen >> low == high)) + "0" for high in range(-(-p // (1 << low))))
            assert len(lows) + len(highs) == bits
            read, high = [], 0
            for bit in highs:
                if bit == "1":
                    read.append(high << low | int(lows[low * len(read):low * (len(read) + 1)] or "0", 2))
                high += bit == "0"
            assert read == chosen.tolist()
    assert field_messages.vector_bytes("exact", 100) == 400


MESSAGES = """# Few
algorithms = dsgd,choco-sgd,beer
codec = choco-sgd=top-k:0.05,beer=top-k:0.05
alpha = 0.2
gamma = choco-sgd=0.1,beer=0.05
dataset = {dataset}
partition = by-label
nodes = 6
samples-per-node = 30
model = logistic
batch = 5
graph = ring
speed = uniform:10,90
link = paper:0.3
max-time = 60
evaluations = 4
"""
ONE_PEER = "# Directed\nalgorithms = dsgd,sgp\ncodec = exact\ngamma = auto\ngraph = one-peer-exponential\n"


def test_messages_and_bytes_are_counted_and_held_against_the_format(small: Path, dataset: Path) -> None:
    for name, text in (("messages", MESSAGES.format(dataset=dataset)), ("messages-one-peer", ONE_PEER), ("quick-messages", "# Small\nevaluations = 5\n")):
        (small / f"settings/{name}.ini").write_text(text)
    assert field.main(["--quick", "--pages", "messages"]) == 0
    folder = small / "runs/field-quick"
    page = (folder / "field-messages.md").read_text()
    tables = {part: page.partition(f"## {part}\n")[2].partition("messages an iteration, of a node")[2] for part in ("ring", "one-peer-exponential")}
    with h5py.File(folder / "messages/one-peer/sgp-seed1.h5") as file:
        p = file["model/mean"].shape[0]
    for part, name, messages, size in (("ring", "dsgd", 2, 4 * p), ("ring", "choco-sgd", 2, field_messages.vector_bytes("top-k:0.05", p)),
                                       ("ring", "beer", 2, 2 * field_messages.vector_bytes("top-k:0.05", p)), ("one-peer-exponential", "sgp", 1, 4 * p + 4)):
        cells = row_of(f"\n{tables[part]}", "", name)
        assert cells[2].split()[0] == f"{messages}" and cells[3:7] == [f"{size:,}"] * 3 + ["yes"]
    path = folder / "messages/symmetric/choco-sgd-seed1.h5"
    with h5py.File(path, "r+") as file:
        file["rounds/bytes_sent"][0, 0] += 1
    made = field_messages.Runs(folder / "messages", "symmetric", "choco-sgd", "top-k:0.05")
    assert not made.agrees, "a byte too many in one message of one run"
    with h5py.File(path, "r+") as file:
        file.attrs["verdict"] = "INVALID"
    assert field_messages.Runs(folder / "messages", "symmetric", "choco-sgd", "top-k:0.05").finding.startswith("not decided")


def test_a_run_trains_only_where_loss_and_accuracy_say_so() -> None:
    def made(loss: float, accuracy: float) -> field_messages.Figures:
        return field_messages.Figures((4, loss), (0.1, accuracy), 10, 100, (400, 400), (400, 400), 1, 0.1, 1)

    assert made(1.9, 0.51).trains and not made(2.1, 0.51).trains and not made(1.9, 0.49).trains
    assert not made(math.nan, 0.9).trains
