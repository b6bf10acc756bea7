# SPDX-License-Identifier: BSD-3-Clause
"""What shells offer after a TAB, asked of the shells themselves; and the manual page, as man reads it."""
from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build" / "quantimed"))
CASES = [  # the line, some of what is offered, some of what is not
    ("quantimed ", {"run", "compare", "cite", "completion"}, {"--nodes", "dsgd"}),
    ("quantimed co", {"compare", "completion"}, {"run"}),
    ("quantimed run --al", {"--algorithm", "--alpha"}, {"--algorithms", "--nodes"}),
    ("quantimed compare --al", {"--algorithms", "--alpha"}, {"--algorithm"}),
    ("quantimed run --algorithm ", {"dsgd", "choco-sgd"}, {"all", "run"}),
    ("quantimed run --algorithm q", {"quantimed-dsgd", "q-dsgd", "qg-dsgdm"}, {"dsgd"}),
    ("quantimed run --nodes 4 --engine ", {"virtual", "threads"}, {"dsgd"}),
    ("quantimed run --graph r", {"ring", "random-matching"}, {"torus"}),
    ("quantimed run --config m", {"mine.ini", "more.ini"}, {"other.txt"}),
    ("quantimed verify m", {"mine.ini"}, {"other.txt"}),
    ("quantimed cite le", {"lead"}, {"dsgd"}),
    ("quantimed completion ", {"bash", "zsh", "fish", "man"}, {"run"}),
]


def script(shell: str) -> str:
    return subprocess.run([PROGRAM, "completion", shell], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("mine.ini", "more.ini", "other.txt"):
        (tmp_path / name).touch()
    for shell in ("bash", "zsh", "fish"):
        (tmp_path / f"for.{shell}").write_text(script(shell))
    return tmp_path


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}: its completion is not tried (apt-get install {shell})")


def offered_by_bash(here: Path, line: str) -> set[str]:
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    ask = (f"source ./for.bash; compopt() {{ :; }}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _quantimed; "
           "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-u", "-c", ask], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


def offered_by_fish(here: Path, line: str) -> set[str]:
    done = subprocess.run(["fish", "--no-config", "-c", f"source ./for.fish; complete -C {shlex.quote(line)}"], cwd=here,
                          capture_output=True, text=True, env=os.environ | {"HOME": str(here)})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return {text.split("\t")[0] for text in done.stdout.splitlines()}


# zsh has no way to ask without a terminal: what is offered is written down as compadd gets it.
ZSH = """
autoload -U compinit; compinit -u -D; source ./for.zsh
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits >> offered
  builtin compadd "$@"
}
ask() { zle list-choices; mv offered found; : > offered; zle kill-whole-line }
zle -N ask; bindkey '^I' ask
: > offered
: > ready
"""


def offered_by_zsh(here: Path, lines: list[str]) -> list[set[str]]:
    (here / "set-up.zsh").write_text(ZSH)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(here)
        os.environ.update(TERM="dumb", HOME=str(here))
        os.execvp("zsh", ["zsh", "-f", "-i"])

    def until(file: Path) -> None:
        end = time.monotonic() + 300
        while not file.exists():
            assert time.monotonic() < end, file
            if select.select([terminal], [], [], 0.05)[0]:
                os.read(terminal, 65536)

    try:
        os.write(terminal, b"source ./set-up.zsh\n")
        until(here / "ready")
        answers = []
        for line in lines:
            os.write(terminal, line.encode() + b"\t")
            until(here / "found")
            answers.append(set((here / "found").read_text().split()))
            (here / "found").unlink()
        return answers
    finally:
        os.close(terminal)
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_offers_what_may_stand_there(here: Path, shell: str) -> None:
    needs(shell)
    lines = [line for line, _, _ in CASES]
    if shell == "zsh":
        answers = offered_by_zsh(here, lines)
    else:
        answers = [(offered_by_bash if shell == "bash" else offered_by_fish)(here, line) for line in lines]
    for (line, some, others), found in zip(CASES, answers):
        assert some <= found and not others & found, (line, some - found, others & found)


def test_a_list_is_completed_at_its_end(here: Path) -> None:
    assert offered_by_bash(here, "quantimed compare --algorithms dsgd,le") == {"dsgd,lead"}


def test_the_manual_page_is_sound() -> None:
    needs("man")
    page = script("man")
    done = subprocess.run(["man", "--warnings=all", "-l", "-"], input=page, capture_output=True, text=True,
                          env=os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})
    assert done.returncode == 0 and not done.stderr, done.stderr
    text = re.sub(".\b", "", done.stdout)
    for words in ("QUANTIMED(1)", "quantimed COMMAND [OPTIONS]", "--nodes N", "erdos-renyi:0.4", "EXIT STATUS", "QUANTIMED_DATA"):
        assert words in text, words
    assert "-dataset digits" in text and "0.3*T^(-1/6)" in text
