#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# tests/lint.sh clocks|format|shell|cppcheck|licence: one look at all sources; licence-write puts in the missing lines. Exit status 77 where the tool is missing, or is
# of another version than Debian 12's: what another finds is news, but no fault of who only wants to test the program.
set -u
cd "$(dirname "$0")/.." || exit 1

# first_of VERSION TOOL...: the first that is installed and of this version, or an end that says so.
first_of() {
  version=$1; shift
  for tool; do
    case $("$tool" --version 2> /dev/null) in *"$version"*) echo "$tool"; return ;; esac
  done
  echo "SKIPPED: '$tool' with '$version' in its version is not installed; NOTHING WAS LOOKED AT" >&2
  exit 77
}
sources() { find src tests bench -name '*.[ch]pp' -print0; }

licence='SPDX-License-Identifier: BSD-3-Clause'
# Every file of code, behind the line that it must have among its first three. One process for all files.
code() {
  find . \( -name .git -o -name build -o -name 'build-*' -o -name runs -o -name __pycache__ -o -name corpus \) -prune \
      -o -type f -size +0 -print | sort | LC_ALL=C awk -v licence="$licence" '
    {
      file = $0; line = ""; first = ""
      if (file ~ /\.(cpp|hpp|c|js|[ch]pp\.in)$/) line = "// " licence
      else if (file ~ /\.(css|pml)$/) line = "/* " licence " */"
      else if (file ~ /\.(py|sh|cmake|cmake\.in|pc\.in|sbatch|eb|toml)$|\/(CMakeLists\.txt|Makefile)$/) line = "# " licence
      else {
        if ((getline first < file) > 0 && first ~ /^#!/) line = "# " licence
        close(file)
      }
      if (line == "") next
      has = 0
      for (k = 0; k < 3 && (getline text < file) > 0; ++k) if (text == line) has = 1
      close(file)
      print has "\t" line "\t" file
    }'
}
unlicensed() { code | sed -n 's/^0\t//p'; }

case ${1:-} in
  licence)
    found=$(unlicensed)
    if [ -n "$found" ]; then printf 'No line %s; tests/lint.sh licence-write puts it in:\n%s\n' "'$licence'" "$found"; exit 1; fi
    code | grep -q 'src/main.cpp' ;;
  licence-write)  # below the line that says who runs it
    unlicensed | while IFS='	' read -r line file; do
      if [ "$(head -c 2 "$file")" = '#!' ]; then sed -i "1a $line" "$file"; else sed -i "1i $line" "$file"; fi
    done ;;
  clocks)  # the wall clock may step, so it gives a trace's date and nothing else
    found=$(grep -rnE 'system_clock|high_resolution_clock|gettimeofday|CLOCK_REALTIME|[^_a-z]time\((nullptr|NULL|0|&)' src | grep -v '\.created = ')
    if [ -n "$found" ]; then printf 'Read the steady clock instead:\n%s\n' "$found"; exit 1; fi
    grep -rq 'steady_clock' src ;;
  format)
    tool=$(first_of 'version 14.' clang-format-14 clang-format) || exit
    sources | xargs -0 "$tool" --dry-run -Werror ;;
  shell)  # -x, -P: what a script sources is read with it
    tool=$(first_of 'version: 0.9.' shellcheck) || exit
    grep -rlIE '^#!.*[/ ](ba|da)?sh' --exclude-dir=build --exclude-dir=.git --exclude-dir=runs . |
      xargs "$tool" -x -P . ;;
  cppcheck)
    tool=$(first_of 'Cppcheck 2.10' cppcheck) || exit
    "$tool" --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr --quiet \
      --suppressions-list=.cppcheck --error-exitcode=1 -j "$(nproc)" -I src src ;;
  *)
    echo "usage: tests/lint.sh clocks|format|shell|cppcheck|licence|licence-write" >&2
    exit 2 ;;
esac
