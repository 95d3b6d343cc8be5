# Prints one hint of an exercise's page: the one after the `shown` that were shown already.
/^<details>/ { is_hint = 1; ++count; gsub(/<[^>]*>/, "") }
/^<\/details>/ { is_hint = 0 }
is_hint { hints[count] = hints[count] $0 "\n" }
END {
    number = shown % count + 1
    printf "hint %d of %d: %s", number, count, hints[number]
    if (number == count) print "That was the last one: the next time it begins again."
}
