#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a program says of its own build: a small one, built in a repository of its own that changes under it.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset CXXFLAGS LDFLAGS CMAKE_GENERATOR
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
here() { git -C "$folder/tree" -c user.name=tests -c user.email=tests@localhost "$@"; }
quiet() { "$@" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }; }
build() { quiet cmake --build "$folder/build"; }
configure() { quiet cmake -S "$folder/tree" -B "$folder/build" "$@"; }
says() { "$folder/build/small" | sed -n "$1p"; }  # 1 version, 2 commit, 3 compiler, 4 flags, 5 instructions, 6 sanitizers
# The step alone, which is all of a build that asks for the commit.
commit() {
  quiet cmake -Dsource="$folder/tree" -Dbinary="$folder/build" -Dversion=1.2.3 -P "$folder/tree/cmake/build_info.cmake"
  sed -n 's/.*kCommit = "\(.*\)";/\1/p' "$folder/build/generated/build_info.cpp"
}
holds() {  # what, value, wanted
  if [ "$2" != "$3" ]; then echo "$1: '$2' instead of '$3'"; exit 1; fi
  echo "$1: $2"
}

mkdir -p "$folder/tree/src/base"
cp -r "$top/cmake" "$folder/tree"
cp "$top/tests/build_info/CMakeLists.txt" "$folder/tree"
cp "$top/tests/build_info/main.cpp" "$folder/tree/src"
cp "$top/src/base/build_info.hpp" "$folder/tree/src/base"

git init -q "$folder"
configure
build
holds "a tarball, unpacked inside somebody's repository" "$(says 2)" unknown
rm -r "$folder/.git"

here init -q
here add -A
here commit -q -m one
one=$(here describe --always --abbrev=12)
build
holds "the commit is that of the build, not of the configuration" "$(says 2)" "$one"
holds "version" "$(says 1)" 1.2.3
holds "compiler" "$(says 3 | sed -E 's/^(GNU|Clang) [0-9]+\..*/known/')" known
holds "instructions/sanitizers without flags" "$(says 5)/$(says 6)" portable/
made=$(stat -c %y "$folder/build/small")
build
holds "an unchanged tree is not linked again" "$(stat -c %y "$folder/build/small")" "$made"

echo words > "$folder/tree/README"
holds "a page is no source" "$(commit)" "$one"
touch "$folder/tree/src/new.cpp"
holds "a new source" "$(commit)" "$one-dirty"
rm "$folder/tree/src/new.cpp"
holds "without it" "$(commit)" "$one"
echo '// changed' >> "$folder/tree/src/main.cpp"
holds "a changed source" "$(commit)" "$one-dirty"
here commit -q -a -m two
here tag v9
two=$(here rev-parse --short=12 HEAD)
holds "the next commit, tagged" "$(commit)" "$two"
holds "the caller's own repository" "$(GIT_DIR=$folder/none GIT_WORK_TREE=$folder/none commit)" "$two"
if [ "$(id -u)" = 0 ] && chown -R 12345 "$folder/tree"; then
  holds "somebody else's repository" "$(commit)" "$two"
  chown -R 0 "$folder/tree"
else
  echo "somebody else's repository: SKIPPED, only root can make one"
fi

# Flags: all that the compiler got and that can change a number.
configure -DCMAKE_BUILD_TYPE=Release -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_CXX_FLAGS="-march=native -fsanitize=undefined -Wall -DNAME='\"a b\"'"
build
holds "the built program says so, too" "$(says 2)" "$two"
for flag in -O3 -DNDEBUG -march=native -fsanitize=undefined '-DNAME="a b"' -flto; do
  case " $(says 4) " in *" $flag "* | *" $flag="*) ;; *) echo "no $flag in: $(says 4)"; exit 1 ;; esac
done
case $(says 4) in *-Wall* | *"$folder"*) echo "neither warnings nor paths: $(says 4)"; exit 1 ;; esac
holds "instructions/sanitizers" "$(says 5)/$(says 6)" native/undefined
