# SPDX-License-Identifier: BSD-3-Clause
"""Options that mean nothing to an algorithm: all follow from its row in `quantimed info --algorithms --json`."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def idle(known: Mapping[str, Mapping[str, Any]], name: str, key: str, ends: list[str]) -> str:
    """Why an option means nothing to an algorithm, and who has it; nothing where it does mean something. `ends`: what --gradient is
    in its runs, which gives a deadline to algorithms that have none by definition."""

    def has(row: Mapping[str, Any]) -> bool:
        if key in parameters:
            return any(parameter["name"] == key for parameter in row["parameters"])
        if uses:  # as deadline-slack and uses_deadline
            return bool(row[uses]) or uses == "uses_deadline" and row["name"] == name and any(is_until_deadline(end, name) for end in ends)
        if key == "sync":
            return bool(row["delivery"] == "round")
        return row.get(key, "") is not None  # as codec, which is null where nothing is quantized

    parameters = {parameter["name"] for row in known.values() for parameter in row["parameters"]}
    uses = next((f"uses_{word}" for word in key.split("-") if f"uses_{word}" in known[name]), "")
    if has(known[name]):
        return ""
    return f"{name} has no {key}; leave it out, or put it into the section of an algorithm that has it: " + ", ".join(
        other for other, row in known.items() if has(row))


def is_until_deadline(gradient: str, name: str) -> bool:
    """--gradient of one algorithm: for all, or NAME=KIND,NAME=KIND."""
    return any(entry in ("deadline", f"{name}=deadline") for entry in (part.strip() for part in gradient.split(",")))


def names_in(value: str, known: Mapping[str, object]) -> list[str]:
    """The algorithms that NAME=VALUE,NAME@LOSS=VALUE is for; none where it is for all."""
    return [name for entry in value.split(",") if "=" in entry and (name := entry.partition("=")[0].partition("@")[0].strip()) in known]
