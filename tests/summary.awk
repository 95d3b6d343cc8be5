# Reads the logs of all tests, one in each, which end with its exit status: shows those that failed, and closes with the
# sum.
{ text[FILENAME] = text[FILENAME] $0 "\n" }
/^exit status/ { status[FILENAME] = $3 }
END {
    for (i = 1; i < ARGC; i++) {
        if (status[ARGV[i]] == "0") passed++
        else printf "---- test %s\n%s", ARGV[i], text[ARGV[i]]
    }
    printf "%d passed, %d failed\n", passed, ARGC - 1 - passed
    exit passed < ARGC - 1
}
