#!/bin/sh
# Every test that tests/README.md names exists: Suite.Name[/parameter] in C++, test_name in Python.
set -u
here=$(cd "$(dirname "$0")" && pwd)
missing=0
# The backquotes are Markdown's.
# shellcheck disable=SC2016
named=$(grep '^|' "$here/README.md" | grep -o '`[A-Za-z0-9_]*[._][A-Za-z0-9_./]*`' | tr -d '`' | grep -E '^([A-Z][A-Za-z0-9]*\.[A-Z]|test_)' | sort -u)
[ -n "$named" ] || { echo "no test is named"; exit 1; }
for name in $named; do
  case $name in
    test_*)
      grep -rq --include='*.py' "^def $name(" "$here" || { echo "no test $name"; missing=1; } ;;
    *)
      base=${name%%/*}
      grep -rqE --include='*_test.cpp' "^TEST(_F|_P)?\(${base%%.*}, ${base#*.}\)" "$here" || { echo "no test $base"; missing=1; }
      if [ "$base" != "$name" ]; then
        grep -rq --include='*_test.cpp' "{\"${name#*/}\"," "$here" || { echo "no parameter $name"; missing=1; }
      fi ;;
  esac
done
# What to cite is what CMake builds.
version=$(sed -nE 's/^project\(quantimed VERSION ([0-9.]+).*/\1/p' "$here/../CMakeLists.txt")
grep -qx "version: $version" "$here/../CITATION.cff" || { echo "CITATION.cff is not of version $version"; missing=1; }
exit "$missing"
