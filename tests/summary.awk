# Reads the logs of all suites: shows those that did not pass, and closes with the sum. A suite that has failed without
# saying which test it was, since it crashed or was killed or had no test, counts as one failure. What a suite has
# left out is told as well.
{ text[FILENAME] = text[FILENAME] $0 "\n" }
/^\[doctest\] test cases:/ { run[FILENAME] = $4; passed += $6; failed += $9; bad[FILENAME] = $9 }
/^left out: / { left_out = left_out $0 "\n" }
/^exit status/ { status[FILENAME] = $3 }
END {
    for (i = 1; i < ARGC; i++) {
        log_file = ARGV[i]
        well = status[log_file] == "0" && run[log_file] > 0 && bad[log_file] == 0
        if (!well && bad[log_file] == 0) failed++
        if (!well) printf "---- %s\n%s", log_file, text[log_file]
    }
    printf "%s", left_out
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
}
