#!/bin/sh
# Repeats the suite, and diagnose on every step, with a busy loop on each core, and counts what failed.
#   soak.sh [ROUNDS]   without a number: until it is interrupted
rounds=${1:-0}
logs=$(mktemp -d)
load=''
for core in $(seq "$(getconf _NPROCESSORS_ONLN)"); do
  sh -c 'while :; do :; done' &
  load="$load $!"
done
round=0
failures=0
finish() {
  kill $load
  echo "$failures failures in $round rounds"
  rm -rf "$logs"
  exit $((failures > 0))
}
trap finish INT TERM

while [ "$rounds" -eq 0 ] || [ "$round" -lt "$rounds" ]; do
  rm -f "$logs"/*
  waited=''
  make --silent test >"$logs/the suite" 2>&1 & waited="$waited $!"
  for letter in a b c d e f g h; do
    if [ "$letter" = h ]; then set -- ./step_h_wsgi/hello.sh; else set --; fi
    ./diagnose --expect "$letter" "./step_$letter" "$@" >"$logs/diagnose step_$letter" 2>&1 & waited="$waited $!"
  done
  names='the suite'
  for letter in a b c d e f g h; do names="$names:diagnose step_$letter"; done
  round=$((round + 1))
  for pid in $waited; do
    name=${names%%:*}
    names=${names#*:}
    wait "$pid" && continue
    failures=$((failures + 1))
    echo "round $round: $name"
    cat "$logs/$name"
  done
  echo "round $round: $failures failures so far"
done
finish
