#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# tests/lint.sh clocks|format|shell|cppcheck|lengths|licence: one look at all sources; licence-write puts in the missing lines. Exit status 77 where the tool is missing, or is
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

most_lines_file=350
most_lines_function=60
# What is longer, of the C++ below a folder: its lines, the limit, its name.
too_long() {
  find "$1" -name '*.[ch]pp' -exec wc -l {} + | awk -v most=$most_lines_file '
    $2 != "total" && $1 > most { printf "%d lines, at most %d: %s\n", $1, most, $2 }'
  find "$1" -name '*.[ch]pp' | sort | "$tool" -L - -f - --languages=C++ --kinds-C++=f --fields=+neKSs --excmd=number |
    awk -F '\t' -v most=$most_lines_function '
      {
        first = last = 0
        for (k = 4; k <= NF; ++k) {
          if ($k ~ /^line:/) first = substr($k, 6)
          if ($k ~ /^end:/) last = substr($k, 5)
        }
        if (last - first + 1 > most) printf "%d lines, at most %d: %s in %s:%d\n", last - first + 1, most, $1, $2, first
      }'
}

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
  lengths)  # a file that is read at one sitting, a function that is seen at a glance
    tool=$(first_of 'Universal Ctags' ctags-universal ctags) || exit
    found=$(too_long src)
    if [ -n "$found" ]; then printf 'Divide it where its meaning does:\n%s\n' "$found"; exit 1; fi
    # … and that it would have been found: a function a line too long in a file a line too long.
    folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT || exit
    awk -v file=$most_lines_file -v function_=$most_lines_function 'BEGIN {
      print "namespace a {\nint long_one(int x) {"
      for (k = 2; k < function_; ++k) print "  x += 1;"
      print "  return x;\n}\n}"
      for (k = function_ + 4; k <= file + 1; ++k) print "//"
    }' > "$folder/long.cpp"
    expected="$((most_lines_file + 1)) lines, at most $most_lines_file: $folder/long.cpp
$((most_lines_function + 1)) lines, at most $most_lines_function: long_one in $folder/long.cpp:2"
    found=$(too_long "$folder")
    if [ "$found" != "$expected" ]; then printf 'Looked for\n%s\nand found\n%s\n' "$expected" "$found"; exit 1; fi ;;
  cppcheck)
    tool=$(first_of 'Cppcheck 2.10' cppcheck) || exit
    look() {
      "$tool" --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr --quiet \
        --suppressions-list=.cppcheck --error-exitcode=1 -j "$(nproc)" -I src "$@"
    }
    # Three macros change headers that nearly all include, and would have every file looked at four times: the files that
    # ask for them are looked at with and without, and those beside them; the others without. Other macros are tried everywhere.
    macros='QUANTIMED_DISPATCH QUANTIMED_DOUBLE QUANTIMED_WITHOUT_GUARDS'
    elsewhere=$(grep -rlE "^# *(if|elif).*($(echo "$macros" | tr ' ' '|'))" src | grep -vE '^src/(base|blas)/')
    if [ -n "$elsewhere" ]; then printf 'Look at these with and without the macros of base and blas, too:\n%s\n' "$elsewhere"; exit 1; fi
    # shellcheck disable=SC2046,SC2086  # several words
    look $(printf -- '-U%s ' $macros) src && look src/base src/blas ;;
  *)
    echo "usage: tests/lint.sh clocks|format|shell|cppcheck|lengths|licence|licence-write" >&2
    exit 2 ;;
esac
