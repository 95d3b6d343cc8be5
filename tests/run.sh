#!/bin/sh
# Runs each test of a doctest program in a process of its own, 16 at a time, since tests wait more than they work. Shows
# what those that failed have printed, what could not be tried on this system, and closes with the sum.
#   run.sh PROGRAM
program=$1
logs=$(mktemp -d "$BUILD/logs.XXXXXX")
trap 'rm -rf "$logs"' EXIT
count=$("$program" --count --no-version | awk '/test cases/ { print $NF }')
[ -n "$count" ] || exit 1  # it has said why
export program logs count
seq "$count" | xargs -P 16 -I{} sh -c '
    "$program" --first={} --last={} --no-version >"$logs/{}" 2>&1
    echo "exit status $?" >>"$logs/{}"'
awk '
    { text[FILENAME] = text[FILENAME] $0 "\n" }
    /^exit status/ { status[FILENAME] = $3 }
    /not tried: / { sub(/.*not tried: /, "not tried: "); print }
    END {
        for (i = 1; i < ARGC; i++) {
            if (status[ARGV[i]] == "0") passed++
            else printf "---- test %s\n%s", ARGV[i], text[ARGV[i]]
        }
        count = ENVIRON["count"]
        printf "%d passed, %d failed\n", passed, count - passed  # one that did not run has failed
        exit passed < count
    }' "$logs"/*
