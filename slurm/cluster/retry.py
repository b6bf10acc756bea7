# SPDX-License-Identifier: BSD-3-Clause
"""--retries: the collection job submits runs that failed once more, with more memory where they were short of it, and not
on nodes where no run began."""
from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from studies.runner import only_user_of, write_whole
from studies.study_file import StudyError

from . import queue
from .estimate import Estimate, deal, from_earlier, mib_of, seconds_of_limit, tasks_for
from .folder import Folder, stem
from .nodes import Finding, look_at_nodes
from .site import Site
from .standing import FAILED, INTERRUPTED, Standing

GROWTH = 2  # of the memory, at each attempt


def to_try_again(found: list[Standing], state: dict[str, Any], nodes: Finding) -> list[Standing]:
    """None where the submission did not ask for it, has used up its attempts, or nothing failed that may not fail again."""
    if state.get("attempt", 0) >= state.get("retries", 0):
        return []
    return [s for s in found if s.state in (FAILED, INTERRUPTED) and (s.again or stem(s.job) in nodes.runs_on_bad())]


def attempt_text(folder: Folder, found: list[Standing]) -> str:
    """What the collection will do about the runs that have failed so far."""
    try:
        submission = folder.submissions()[-1]
        state = json.loads((submission / "submission.json").read_text(encoding="utf-8"))
    except (IndexError, OSError, ValueError):
        return ""
    chosen = to_try_again(found, state, look_at_nodes(folder, submission))
    if not chosen:
        return ""
    return f"{len(chosen)} runs are submitted again when all tasks have ended: retry {state['attempt'] + 1} of {state['retries']}"


def try_again(folder: Folder, submission: Path, found: list[Standing], program: Path) -> None:
    from .submit import Submission, send  # which imports this module, by way of status
    state = json.loads((folder.path / submission / "submission.json").read_text(encoding="utf-8"))
    nodes = look_at_nodes(folder, folder.path / submission)
    chosen = to_try_again(found, state, nodes)
    if not chosen:
        return
    site = Site(dict(state["values"]), state["setup"])
    short = any(s.memory for s in chosen)
    if short:
        site.values["mem"] = more_memory(folder, submission, site)
    if bad := nodes.bad():
        site.values["exclude"] = ",".join([*filter(None, [site.get("exclude")]), *bad])
    jobs = [s.job for s in chosen]
    with only_user_of(folder.path):
        number = int(folder.submissions()[-1].name) + 1
        one = Submission(folder, number, [jobs], site, state["real_time"], state["retries"], state["attempt"] + 1)
        estimate = Estimate()
        from_earlier(folder.path, estimate)
        at_a_time = max(1, min(one.at_a_time(), len(jobs)))
        count = tasks_for(jobs, estimate, at_a_time, seconds_of_limit(site.get("time")), queue.most_tasks())
        one = replace(one, packs=deal(jobs, count, estimate))
        one.write(program)
        lines = send(one, [t for t in queue.tasks_named(folder.job_name(), folder.owners()) if not t.is_collection])
        write_whole(folder.path / one.path / "jobs.txt", "".join(line + "\n" for line in lines))
    how = (f" with --mem {site.get('mem')}" if short else "") + (f" without {', '.join(bad)}" if bad else "")
    print(f"retry {state['attempt'] + 1} of {state['retries']}: {len(jobs)} runs again{how}: {'; '.join(lines)}")


def more_memory(folder: Folder, submission: Path, site: Site) -> str:
    had = mib_of(site.get("mem"))
    if math.isnan(had):  # what SLURM gave
        events = [e for file in (folder.path / submission).glob("task-*.tsv")
                  for e in folder.task_history(int(submission.name), file.stem.removeprefix("task-"))]
        had = max((mib_of(e.memory_mib) for e in events if not math.isnan(mib_of(e.memory_mib))), default=math.nan)
    if math.isnan(had):
        raise StudyError("--retries: runs were short of memory, and neither --mem nor SLURM says how much they had; submit with --mem")
    return f"{math.ceil(GROWTH * had)}M"
