#!/bin/sh
# Checks the layout of the code with clang-format, and the code with clang-tidy. Prints what they find, and nothing else.
#   lint.sh [FILE…]     only these, as seen from the repository's root
#
# Most of clang-tidy's work is on the headers. So what `make` compiles a folder at a time, through a generated file of
# includes in build/, is checked a folder at a time too; any other file is checked by itself.
cd "$(dirname "$0")/.." || exit
for tool in clang-format clang-tidy; do
  command -v $tool >/dev/null || { echo "$tool is missing: install it with \`make deps_dev\`" >&2; exit 1; }
done
mkdir -p build
folder=$(mktemp -d build/lint.XXXXXX) || exit
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
status=0

if [ $# -gt 0 ]; then
  printf '%s\n' "$@"
else
  find . \( -name build -o -name .git \) -prune -o \( -name '*.cpp' -o -name '*.hpp' \) -print | sed 's|^\./||' | sort
fi >"$folder/all"
xargs clang-format --dry-run --Werror <"$folder/all" || status=1

# A list for each unit of what it includes: that of a generated file, or a source that is in none.
grep '\.cpp$' "$folder/all" >"$folder/left"
for generated in build/*.cpp; do
  unit=$folder/${generated##*/}
  [ $# = 0 ] && [ -e "$generated" ] || continue
  sed -n 's/^#include "\(.*\)"$/\1/p' "$generated" | grep -Fxf "$folder/left" >"$unit.list" || continue
  sed 's|.*|#include "&"  // NOLINT(bugprone-suspicious-include)|' "$unit.list" >"$unit"
  grep -Fvxf "$unit.list" "$folder/left" >"$folder/rest"
  mv "$folder/rest" "$folder/left"
done

# The analyzer follows every path through a function, which takes as long as all other checks together. It finds
# something where descriptors, processes and memory are handled by hand.
analyzed='^(step_|client/|tools/proc/|tools/harness/)'
units() {
  for list in "$folder"/*.list; do
    [ ! -e "$list" ] || if grep -Eqv "$analyzed" "$list"; then echo "- ${list%.list}"; else echo "+ ${list%.list}"; fi
  done
  grep -E "$analyzed" "$folder/left" | sed 's/^/+ /'
  grep -Ev "$analyzed" "$folder/left" | sed 's/^/- /'
}
units | sort | xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 sh -c '
  checks="clang-analyzer-*"
  [ "$1" = + ] || checks="-$checks"
  clang-tidy --quiet --checks="$checks" "$2" -- -std=c++20 -iquote . >"$0/$$" 2>"$0/$$.errors" && exit
  if [ -s "$0/$$" ]; then cat "$0/$$"; else cat "$0/$$.errors"; fi
  exit 1' "$folder" || status=1
exit $status
