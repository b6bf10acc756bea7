# SPDX-License-Identifier: BSD-3-Clause
"""When which one wins: at most ten sentences, each only where the tests carry it."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .field_results import Outcome, Paired
from .statistics import read_estimate

MOST = 10


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def settings_of(name: str, fields: Sequence[Outcome]) -> str:
    """How many an algorithm is compared in: where the program refuses it, it has not lost."""
    ran = sum(one.runs(name) for one in fields)
    return f"{ran} settings" if ran > 1 and ran == len(fields) else f"the {ran} settings in which it is compared" if ran > 1 else "the one in which it is compared"


def of_settings(count: int, name: str, fields: Sequence[Outcome]) -> str:
    ran = sum(one.runs(name) for one in fields)
    return f"{count} of {settings_of(name, fields)}" if ran > 1 else settings_of(name, fields)


def place(one: Outcome, fields: Sequence[Outcome]) -> str:
    """A setting, and that who wins the base was not there to be beaten."""
    base = next((o.main["winner"] for o in fields if o.part.setting == "base"), None)
    return f"{one.part.setting}, where {base} does not run" if base and base in one.part.left_out else one.part.setting


def winners(fields: Sequence[Outcome]) -> Iterator[str]:
    wins: dict[str, list[Outcome]] = {}
    for one in fields:
        if one.main["winner"]:
            wins.setdefault(one.main["winner"], []).append(one)
    for name, where in sorted(wins.items(), key=lambda pair: -len(pair[1]))[:3]:
        leads = [min((read_estimate(a["ratio"]).median for a in one.main["against"]), default=math.nan) for one in where]
        least = min(leads)
        by = f", and by its median {least:.2f}× as fast as the next or more" if 1 < least < math.inf else ""
        yield f"**{name}** is clearly the fastest in {of_settings(len(where), name, fields)} ({listed([place(o, fields) for o in where])}){by}."


def undecided(fields: Sequence[Outcome]) -> Iterator[str]:
    close = [one for one in fields if not one.main["winner"]]
    texts = []
    for one in close:
        if not one.main["first"]:
            texts.append(f"{one.part.setting} (nobody arrives)")
        else:
            texts.append(f"{one.part.setting} ({listed([one.main['first'], *one.main['close']])})" if one.main["close"]
                         else f"{one.part.setting} (too few runs)")
    if texts:
        yield f"Nobody is clearly the fastest in {len(close)} of {len(fields)} settings: {'; '.join(texts)}."


def factors_that_matter(fields: Sequence[Outcome]) -> Iterator[str]:
    base = next((one for one in fields if one.part.setting == "base"), None)
    if not base or not base.main["winner"]:
        return
    other = [f"{one.part.setting} ({one.main['winner']})" for one in fields
             if one.main["winner"] and one.main["winner"] != base.main["winner"] and one.runs(base.main["winner"])]
    if other:
        yield f"The base's winner, {base.main['winner']}, clearly loses its place with {listed(other)}."


def why(fields: Sequence[Outcome]) -> Iterator[str]:
    """What the winner does differently, counted."""
    one = next((o for o in fields if o.main["winner"] and "dsgd" in o.names() and o.main["winner"] != "dsgd"
                and o.entry("dsgd")["arrived"] * 2 > o.rows["dsgd"]["runs"]), None)
    if not one:
        return
    name = one.main["winner"]
    mine, its = one.median_counts[name], one.median_counts["dsgd"]
    parts = [f"{mine[kind].median / its[kind].median:.3g}× the {word}" for kind, word in
             (("iterations", "iterations"), ("gradients", "gradients"), ("megabits", "bits"))]
    yield f"In {one.part.setting}, {name} takes {parts[0]}, {parts[1]} and {parts[2]} of dsgd to the target (medians)."


def bits(fields: Sequence[Outcome]) -> Iterator[str]:
    turned = []
    for one in fields:
        if {"paper", "wire"} <= set(one.clocks):
            wire, paper = one.main["winner"], one.race("paper", one.target)["winner"]
            if wire and paper and wire != paper:
                turned.append(f"{one.part.setting} ({paper} and not {wire})")
    if turned:
        yield f"By the paper's count of bits another one would clearly win in {len(turned)} of {len(fields)} settings: {'; '.join(turned)}."


def targets(fields: Sequence[Outcome]) -> Iterator[str]:
    turned = []
    for one in fields:
        others = {one.race(one.clock, t)["winner"] for t in one.targets} - {None, one.main["winner"]}
        if one.main["winner"] and others:
            turned.append(f"{one.part.setting} ({listed(sorted(others))})")
    if turned:
        yield f"At another of the five targets somebody else is clearly the fastest in {'; '.join(turned)}."


def misses(fields: Sequence[Outcome]) -> Iterator[str]:
    lost = {name: sum(one.entry(name)["arrived"] == 0 for one in fields if name in one.names())
            for name in dict.fromkeys(n for o in fields for n in o.names())}
    everywhere = {name: all(one.runs(name) for one in fields) for name in lost}
    worst = [f"{name} in {count}{'' if everywhere[name] else f' of {settings_of(name, fields)}'}" for name, count in sorted(lost.items(), key=lambda pair: -pair[1]) if count]
    if worst:
        yield f"Some miss the target in the time that all have: of {len(fields)} settings {listed(worst)}."


def beaten(fields: Sequence[Outcome], firsts: Sequence[Paired]) -> Iterator[str]:
    """Without this the winners' sentence misleads: who is first there may have been the only one with a deadline."""
    told = [p for p in firsts if p.finding == "faster"]
    settings = list(dict.fromkeys(p.setting for p in firsts))
    first = {one.part.setting: one.main["first"] for one in fields}
    if told:
        where = [f"{s} by {listed([f'{p.algorithm} ({p.gain.text(chr(215))})' for p in told if p.setting == s])}"
                 for s in settings if any(p.setting == s for p in told)]
        who = listed(sorted({first[p.setting] for p in told}))
        yield (f"**Given a deadline, too, others are clearly ahead of {who}** (first above) in {len(where)} of the {len(settings)} "
               f"settings where that was tried: {'; '.join(where)}.")
    elif firsts:
        yield f"Nobody who is given a deadline, too, is clearly ahead of who is first, in any of the {len(settings)} settings where that was tried."


def deadlines(paired: Sequence[Paired]) -> Iterator[str]:
    for finding in ("faster", "slower"):
        told = [p for p in paired if p.finding == finding]
        if told:
            where = listed([f"{p.algorithm} in {p.setting} ({p.gain.text('×')})" if p.gain.median > 0 else
                            f"{p.algorithm} in {p.setting} (with it the target is missed)" for p in told[:6]])
            more = f" and {len(told) - 6} more" if len(told) > 6 else ""
            yield f"A deadline makes the algorithm clearly {finding} in {len(told)} of {len(paired)} pairs: {where}{more}."
    if paired and all(p.finding == "not told apart" for p in paired):
        yield f"In none of {len(paired)} pairs a deadline makes a difference that the runs can tell."


def anytime(ambs: Sequence[Outcome]) -> Iterator[str]:
    told = [f"{one.main['winner']} in {one.part.setting} (loss {one.target:g})" for one in ambs if one.main["winner"]]
    close = [one.part.setting for one in ambs if not one.main["winner"]]
    if told:
        yield ("Where slow nodes have labels of their own, the first of amb and quantimed-dsgd to the equally weighted loss is clearly "
               f"{listed(told)}{f'; too close to call in {listed(close)}' if close else ''}.")
    elif close:
        yield f"Between amb and quantimed-dsgd it is too close to call in {listed(close)}."


def sentences(fields: Sequence[Outcome], paired: Sequence[Paired], firsts: Sequence[Paired],
              ambs: Sequence[Outcome]) -> list[str]:
    every = [*winners(fields), *undecided(fields), *beaten(fields, firsts), *deadlines(paired), *bits(fields), *anytime(ambs), *why(fields),
             *factors_that_matter(fields), *targets(fields), *misses(fields)]
    return every[:MOST] or ["The figures carry no sentence: nobody is clearly ahead anywhere."]
