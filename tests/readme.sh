#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every test that tests/README.md names exists: Suite.Name[/parameter] in C++, test_name in Python.
set -u
here=$(cd "$(dirname "$0")" && pwd)
missing=0
tests=$(grep -rhE --include='*_test.cpp' --include='*.py' '^(TEST(_F|_P)?\(|def test_)' "$here" |
  sed -E 's/^def (\w+).*/\1/; s/^TEST(_F|_P)?\((\w+), (\w+)\).*/\2.\3/' | sort -u)
parameters=$(grep -rhoE --include='*_test.cpp' '\{"[^"]+",' "$here" | tr -d '{",' | sort -u)
# The backquotes are Markdown's.
# shellcheck disable=SC2016
named=$(grep '^|' "$here/README.md" | grep -o '`[A-Za-z0-9_]*[._][A-Za-z0-9_./]*`' | tr -d '`' | grep -E '^([A-Z][A-Za-z0-9]*\.[A-Z]|test_)' | sort -u)
[ -n "$named" ] || { echo "no test is named"; exit 1; }
# none WHAT NAMES THERE: the names that are not there.
none() {
  lost=$(printf '%s\n' "$2" | grep -vxF -e "$3" | sed "s/^/no $1 /")
  if [ -n "$lost" ]; then printf '%s\n' "$lost"; missing=1; fi
}
none test "$(printf '%s\n' "$named" | sed 's,/.*,,')" "$tests"
none parameter "$(printf '%s\n' "$named" | sed -n 's,.*/,,p')" "$parameters"
# What to cite is what CMake builds.
version=$(sed -nE 's/^project\(quantimed VERSION ([0-9.]+).*/\1/p' "$here/../CMakeLists.txt")
grep -qx "version: $version" "$here/../CITATION.cff" || { echo "CITATION.cff is not of version $version"; missing=1; }
exit "$missing"
