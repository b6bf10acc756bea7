# SPDX-License-Identifier: BSD-3-Clause
"""Options and their values as people say them, with units: link alpha-beta:0.0001,125000000 is "link 0.1 ms, 125 MB/s".

For titles, legends and tables. What a trace's text does not tell apart is said as it stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import PurePath

_DURATIONS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BANDWIDTHS = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s"))


def duration(seconds: float) -> str:
    """0.1 ms. As the program's with_unit (src/timing/link_model.cpp)."""
    for size, unit in _DURATIONS:
        if seconds >= 0.1 * size:
            return f"{seconds / size:.6g} {unit}"
    return f"{seconds:g} s"


def bandwidth(bytes_per_second: float) -> str:
    for size, unit in _BANDWIDTHS:
        if bytes_per_second >= size:
            return f"{bytes_per_second / size:.6g} {unit}"
    return f"{bytes_per_second:g} B/s"


def _percent(share: str) -> str:
    return f"{100 * float(share):g} %"


def _number(text: str) -> str:
    return f"{float(text):g}"


Say = Callable[..., str]  # from the parts of a value, as texts

# By option and kind, of as many numbers as `Say` takes.
_SPEEDS: dict[str, Say] = {
    "uniform": lambda low, high: f"{_number(low)} to {_number(high)} samples/s",
    "constant": lambda v: f"{_number(v)} samples/s",
    "exponential": lambda mean, shift: f"{duration(float(mean))} a sample in the mean, exponential above {duration(float(shift))}",
    "pareto": lambda fastest, shape: f"at most {_number(fastest)} samples/s, Pareto with tail index {_number(shape)}",
    "bimodal": lambda fast, slow, p, keep: f"{_number(fast)} samples/s, or {_number(slow)} with probability {_number(p)} (kept with {_number(keep)})",
    "slow-nodes": lambda count, factor, v: f"{_number(v)} samples/s, {_number(count)} node{'s' * (float(count) != 1)} {_number(factor)} times as slow",
    "none": lambda: "the machine's own",
}
_LINKS: dict[str, Say] = {
    "paper": lambda t: f"{duration(float(t))} for 16 bits a coordinate",
    "alpha-beta": lambda latency, rate: f"{duration(float(latency))}, {bandwidth(float(rate))}",
    "none": lambda: "none",
}
_CODES: dict[str, Say] = {
    "exact": lambda: "exact messages",
    "float16": lambda: "half precision",
    "low-precision": lambda step: f"rounding to a grid of {_number(step)}",
    "rounding": lambda step="1": f"rounding to multiples of {_number(step)}" if float(step) != 1 else "rounding to integers",
    "modulo": lambda step, bits: f"grid of {_number(step)}, modulo {_number(bits)} bits",
    "sparsifier": lambda most: f"sparsifier up to {_number(most)}",
    "qsgd": lambda levels: f"QSGD with {_number(levels)} levels",
    "qsgd-rescaled": lambda levels: f"rescaled QSGD with {_number(levels)} levels",
    "top-k": lambda share: f"the largest {_percent(share)}",
    "random-k": lambda share: f"a random {_percent(share)}",
    "random-k-unbiased": lambda share: f"a random {_percent(share)}, unbiased",
    "sign": lambda block="": f"signs in blocks of {_number(block)}" if block else "signs",
}
_GRAPHS: dict[str, Say] = {
    "k-regular": lambda k: f"{_number(k)}-regular graph",
    "erdos-renyi": lambda p: f"Erdős–Rényi graph, p = {_number(p)}",
    "two-cliques": lambda: "two cliques",
    "one-peer-exponential": lambda: "one-peer exponential graph",
    **{kind: partial(str, f"{kind.replace('-', ' ')} graph") for kind in (
        "ring", "chain", "torus", "hypercube", "complete", "star", "exponential", "directed-exponential")},
    "random-matching": lambda: "random matchings",
}
_WEIGHTS: dict[str, Say] = {
    "laplacian": lambda kappa="": "Laplacian weights" + (f" with κ = {_number(kappa)}" if kappa else ""),
    "metropolis": lambda: "Metropolis weights",
}
_SHARDS: dict[str, Say] = {
    "contiguous": lambda: "shards in file order",
    "iid": lambda: "shuffled shards",
    "by-label": lambda: "shards by label",
    "dirichlet": lambda a: f"Dirichlet shards with {_number(a)}",
}
_MODELS: dict[str, Say] = {
    "least-squares": lambda: "least squares",
    "logistic": lambda: "logistic regression",
    "mlp": lambda *units: f"hidden layer{'s' * (len(units) > 1)} of " + "–".join(map(_number, units)),
}
_DATA: dict[str, Say] = {
    "digits": lambda n: f"digits ({int(n):,} samples)",
    "gaussian-linear": lambda d, n="": f"Gaussian regression ({int(d):,} features{f', {int(n):,} samples' if n else ''})",
    "gaussian-logistic": lambda d, n="": f"Gaussian classes ({int(d):,} features{f', {int(n):,} samples' if n else ''})",
    "sparse-logistic": lambda d, density, n: f"sparse classes ({int(d):,} features, {_percent(density)} not 0, {int(n):,} samples)",
}
_DEADLINES: dict[str, Say] = {
    "auto": lambda b="", q="": (f"deadline that {_percent(q)} of the nodes meet" if q else f"deadline for {_number(b)} samples in the mean" if b
                                else "deadline for the batch in the mean"),
    "none": lambda: "no deadline",
}
_OTHERS: Mapping[str, str] = {  # with a number
    "batch": "batch {}", "iterations": "{} iteration{s}", "samples-per-node": "{} sample{s} a node",
    "horizon": "horizon of {} iteration{s}", "local-steps": "{} local step{s}", "rounds": "{} round{s} of gossip",
}


def _kind(text: str, kinds: Mapping[str, Say]) -> str | None:
    """None: not told apart."""
    kind, _, rest = text.partition(":")
    try:
        return kinds[kind](*(rest.split(",") if rest else ()))
    except (KeyError, TypeError, ValueError):  # of another version of the program
        return None


def _file(text: str) -> str:
    """Of file:PATH or of a path, the name."""
    return PurePath(text.partition(":")[2] if text.startswith(("file:", "directed-file:")) else text).name


def nodes(count: object) -> str:
    return f"{count} node{'s' * (str(count) != '1')}"


def speed(text: str) -> str:
    return _kind(text, _SPEEDS) or (f"recorded in {_file(text)}" if text.startswith("file:") else text)


def link(text: str) -> str:
    return _kind(text, _LINKS) or text


def dataset(text: str) -> str:
    return _kind(text, _DATA) or PurePath(text).name


def graph(text: str) -> str:
    return _kind(text, _GRAPHS) or (f"{'directed ' * text.startswith('directed')}graph of {_file(text)}" if "file:" in text else f"graph {text}")


def weights(text: str) -> str:
    return _kind(text, _WEIGHTS) or f"weights {text}"


def model(text: str) -> str:
    return _kind(text, _MODELS) or text


def _deadline(text: str) -> str:
    if text.startswith("auto:quantile:"):
        return _DEADLINES["auto"]("", text.rpartition(":")[2])
    try:
        return f"deadline {duration(float(text))}"
    except ValueError:
        return _kind(text, _DEADLINES) or f"deadline {text}"


def _fault(text: str) -> str:
    if text == "none":
        return "no fault"
    said = []
    for one in text.split(";"):
        kind, _, rest = one.strip().partition(":")
        node, _, times = rest.partition("@")
        at, _, length = times.partition(",")
        try:
            said.append(f"node {node} " + {"crash": lambda: f"lost at {duration(float(at))}",
                                           "stall": lambda: f"still from {duration(float(at))} for {duration(float(length))}"}[kind]())
        except (KeyError, ValueError):
            return f"fault {text}"
    return ", ".join(said)


def _interference(text: str) -> str:
    try:
        count, share, period = text.split(",")
        return f"{nodes(_number(count))} disturbed for {_percent(share)} of {duration(float(period))}"
    except ValueError:
        return f"interference {text}"


def _max_time(text: str) -> str:
    return "no limit of time" if text == "none" else f"until {_number(text)} s"


_OPTIONS: dict[str, Callable[[str], str]] = {
    "speed": lambda text: f"speed {speed(text)}",
    "link": lambda text: f"link {link(text)}",
    "codec": lambda text: _kind(text, _CODES) or f"code {text}",
    "graph": graph, "mixing": weights, "dataset": dataset, "model": model, "deadline": _deadline, "fault": _fault,
    "interference": _interference, "max-time": _max_time,
    "partition": lambda text: _kind(text, _SHARDS) or f"partition {text}",
    "gradient": lambda text: {"deadline": "gradients until a deadline", "batch": "gradients of a batch"}.get(text, f"gradient {text}"),
    "bits": lambda text: {"wire": "bits on the wire", "paper": "paper's bits"}.get(text, f"bits {text}"),
    "machine": lambda text: "no machine file" if text == "none" else f"machine {PurePath(text).name}",
    "l2": lambda text: f"ℓ2 term {text}", "l2-per": lambda text: f"ℓ2 term per {text}",
    "cpu": lambda text: text, "nodes": nodes,
}


def of(option: str, value: object) -> str:
    """An option and its value."""
    text = str(value)
    if option in _OPTIONS:
        return _OPTIONS[option](text)
    if option in _OTHERS and text.replace(".", "", 1).isdigit():
        return _OTHERS[option].format(text, s="s" * (text != "1"))
    if option in ("alpha", "epsilon"):
        return f"{option} {text.replace('*', ' ')}"
    name = option.replace("-", " ").replace("_", " ")
    if text in ("True", "False"):
        return f"{name}: {'yes' if text == 'True' else 'no'}"
    return f"{name} {text}"


def told_apart(option: str, value: object, others: Iterable[object]) -> str:
    """The same, or as it was written where another value would be the same words."""
    same = {str(other) for other in others if of(option, other) == of(option, value)} - {str(value)}
    return f"{option.replace('_', ' ')} {value}" if same else of(option, value)


def place(dataset_: str, count: object, engine: str) -> str:
    """Where a comparison was made: digits (600 samples), 8 nodes, virtual time."""
    return f"{dataset(dataset_)}, {nodes(count)}, {'virtual' if engine == 'virtual' else 'real'} time"
