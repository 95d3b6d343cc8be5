#!/bin/sh
# Tests diagnose: tells the servers of tests/mutants.txt from the steps that they were made from.
#   mutants.sh          all of them, and then how many were told apart; exit 1 when one was not as the list says
#   mutants.sh NUMBER   the one with this number in the list
list=tests/mutants.txt
build=${BUILD:-build}/mutants

# What diagnose says, a line each: "reaps many: no".
words() {
  ./diagnose "$@" >"$out.said" 2>&1
  if [ $? -eq 3 ]; then echo 'does not listen'; else
    sed '$d' "$out.said" | awk '{ name = substr($0, 1, 20); sub(/ +$/, "", name); split(substr($0, 21), word, " "); print name ": " word[1] }'
  fi
}

# Writes what the list says of entry $1 to files: its title, its command, its expected words and its source.
unpack() {
  awk -v wanted="$1" -v out="$out" '
    function fail(why) { print title ": " why >out ".broken"; exit }
    function trimmed(line) { gsub(/^ +| +$/, "", line); return line }
    function apply(    i, k, at, found) {  # the edit that is collected in minus and plus
      if (!minus_count) return
      for (i = 1; i <= lines; ++i) {
        for (k = 0; k < minus_count && trimmed(source[i + k]) == minus[k]; ++k);
        if (k == minus_count) { ++found; at = i }
      }
      if (found != 1) fail(minus[0] " is there " found + 0 " times")
      for (k = 0; k < minus_count; ++k) source[at + k] = ""
      source[at] = plus
      minus_count = plus_count = 0; plus = ""
    }
    /^= / { ++entry }
    entry != wanted { next }
    /^= / {
      title = substr($0, 3); step = substr($2, 1, 6)
      print title >out ".title"
      print step >out ".step"
      find = "echo " step "_*/*.cpp"
      find | getline file
      while ((getline source[lines + 1] <file) > 0) ++lines
    }
    /^\$ / { print substr($0, 3) >out ".command" }
    /^- / { if (plus_count) apply(); minus[minus_count++] = trimmed(substr($0, 3)) }
    /^\+/ { plus = plus substr($0, 3) "\n"; ++plus_count }
    /^> / && !/^> nothing: / { print substr($0, 3) >out ".expected" }
    END { apply(); for (i = 1; i <= lines; ++i) print source[i] >out ".cpp" }' "$list"
}

# Tests entry $1: prints nothing, or what is wrong.
test_entry() {
  out=$build/$1
  rm -f "$out".*
  : >"$out.expected"
  unpack "$1"
  if [ -f "$out.broken" ]; then cat "$out.broken"; return; fi
  command=$out.server
  if [ -f "$out.command" ]; then command=$(cat "$out.command")
  elif ! ${CXX:-g++} -std=c++20 -O0 -iquote "$(echo "$(cat "$out.step")"_*)" "$out.cpp" -o "$out.server"; then
    echo "$(cat "$out.title"): does not compile"; return
  fi
  eval "words $command" >"$out.words"
  awk 'NR == FNR { expected[$0] = 1; next } !($0 in expected)' "$build/$(cat "$out.step").words" "$out.words" >"$out.found"
  sort -o "$out.expected" "$out.expected"
  sort -o "$out.found" "$out.found"
  cmp -s "$out.expected" "$out.found" || {
    echo "$(cat "$out.title")"
    diff "$out.expected" "$out.found" | sed -n 's/^</  expected: /p; s/^>/  found:    /p'
    sed 's/^/    /' "$out.said"
  }
}

mkdir -p "$build"
if [ $# -eq 1 ]; then test_entry "$1"; exit; fi
for step in $(sed -n 's/^= \(step_.\): .*/\1/p' "$list" | sort -u); do
  (out=$build/$step; words "./$step" >"$build/$step.words") &
done
wait
count=$(grep -c '^= ' "$list")
reports=$(mktemp -d "$build/reports.XXXXXX")
trap 'rm -rf "$reports"' EXIT
seq "$count" | xargs -P 8 -I{} sh -c "sh $0 {} >$reports/{} 2>&1"
(cd "$reports" && cat $(seq "$count"))
awk -v count="$count" -v failed="$(find "$reports" -type f -size +0 | wc -l)" '
  /^> nothing: equal/ { ++equal } /^> nothing: a missing probe/ { ++missing }
  END {
    print count - equal - missing " servers to be told apart, " equal " equal to their step, " missing " without a probe: " \
      count - failed " passed, " failed " failed"
    exit failed > 0
  }' "$list"
