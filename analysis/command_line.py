# SPDX-License-Identifier: BSD-3-Clause
"""How every script here reads its command line: what is wrong is one line with its fix and status 2, as the program's.

Python's argparse prints its usage first, takes an empty value for one, and numbers in any script's digits. Needs the standard
library alone.
"""
from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import NoReturn

BAD_USAGE = 2


class Parser(argparse.ArgumentParser):
    """`name` begins an error's line where the last word of `prog` does not. Options of no type, and of Path, refuse an empty value:
    `type=str` is for those that may have one. Also in groups of options, which share what is registered here."""

    def __init__(self, *given: object, name: str = "", **more: object) -> None:
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.name = name or Path(self.prog).name
        for kind, reader in ((None, some_text), (Path, some_path), (int, whole_number), (float, number)):
            self.register("type", kind, reader)

    def error(self, message: str) -> NoReturn:
        text = re.sub(r"^argument (\S+?)(?:/\S+)?: ", r"\1: ", " ".join(message.split()))
        self.exit(BAD_USAGE, f"{self.name}: {text}; see {self.prog} --help\n")


def some_text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a value, or leave it out")
    return text


def some_path(text: str) -> Path:
    return Path(some_text(text))


def whole_number(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number; give one, as 4")
    return int(text)


def number(text: str) -> float:
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is no number; give one, as 0.5")
    return value
