#!/bin/sh
# Checks the layout of the code with clang-format, that each file compiles alone, and the code with clang-tidy. Prints what
# they find, and nothing else.
#   lint.sh [FILE…]     only these, as seen from the repository's root
cd "$(dirname "$0")/.." || exit
for tool in clang++ clang-format clang-tidy; do
  command -v $tool >/dev/null || { echo "$tool is missing: install it with \`make deps_dev\`" >&2; exit 1; }
done
mkdir -p build
folder=$(mktemp -d build/lint.XXXXXX) || exit
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
python=${PYTHON:-/usr/bin/python3}
python="$("$python-config" --includes | sed 's/-I/-isystem /g') -DPYTHON_EXECUTABLE=\"$python\""
processors=$(getconf _NPROCESSORS_ONLN)
status=0

if [ $# -gt 0 ]; then
  printf '%s\n' "$@"
else
  find . \( -name build -o -name .git \) -prune -o \( -name '*.cpp' -o -name '*.hpp' \) -print | sed 's|^\./||' | sort
fi >"$folder/all"
xargs clang-format --dry-run --Werror <"$folder/all" || status=1

# The analyzer follows every path through a function, which takes as long as all other checks together. It finds
# something where descriptors, processes and memory are handled by hand, and only in the file that clang-tidy is given. A
# third of the states that it would follow by default find the same faults in a third of the time.
effort='-Xclang -analyzer-config -Xclang max-nodes=75000'
followed='^(step_|client/|tools/proc/|tools/harness/)'
grep '\.cpp$' "$folder/all" | grep -E "$followed" >"$folder/followed"
grep '\.cpp$' "$folder/all" | grep -Ev "$followed" >"$folder/alone"

# Each file includes what it uses, though `make` compiles a folder as one file. So each compiles alone: these here, the
# others where clang-tidy follows them, and where `make` builds programs of one file.
grep -Fvxf "$folder/followed" "$folder/all" | grep -Ev '^(exercises|tests/[a-z]+)/.*\.cpp$' |
  xargs -r -P "$processors" -n 8 clang++ -std=c++20 -iquote . $python -x c++ -fsyntax-only -Wno-pragma-once-outside-header ||
  status=1

# The other checks work mostly on the headers. So a folder that `make` compiles through a file of includes in build/ is
# checked through such a file as well.
for generated in build/*.cpp; do
  unit=$folder/${generated##*/}
  [ $# = 0 ] && [ -e "$generated" ] || continue
  sed -n 's/^#include "\(.*\)"$/\1/p' "$generated" | grep -Fxf "$folder/alone" >"$folder/included" || continue
  sed 's|.*|#include "&"  // NOLINT(bugprone-suspicious-include)|' "$folder/included" >"$unit"
  grep -Fvxf "$folder/included" "$folder/alone" >"$folder/rest"
  mv "$folder/rest" "$folder/alone"
done

# A program of one file is checked together with others like it, each in a namespace of its own.
if [ $# = 0 ]; then
  xargs sed -n 's/^#include [<"].*/&/p' <"$folder/alone" | sort -u >"$folder/programs.cpp"
  while read -r file; do
    echo "namespace file_$((number = ${number:-0} + 1)) {
#include \"$file\"  // NOLINT(bugprone-suspicious-include)
}"
  done <"$folder/alone" >>"$folder/programs.cpp"
  : >"$folder/alone"
fi

{
  sed 's/^/clang-analyzer-* /' "$folder/followed"
  for unit in "$folder"/*.cpp; do [ ! -e "$unit" ] || echo "-clang-analyzer-* $unit"; done
  sed 's/^/-clang-analyzer-* /' "$folder/alone"
} | FLAGS="$python $effort" xargs -P "$processors" -L 1 sh -c '
  clang-tidy --quiet --checks="$1" "$2" -- -std=c++20 -iquote . $FLAGS >"$0/$$" 2>"$0/$$.errors" && exit
  if [ -s "$0/$$" ]; then cat "$0/$$"; else cat "$0/$$.errors"; fi
  exit 1' "$folder" || status=1
exit $status
