# Prints one hint of an exercise's page: the one after the `shown` that were shown already.

# A text with each link as its text and, in parentheses, its path from the repository's root.
function without_links(line,  link, parts, path) {
    while (match(line, /\[[^]]*\]\([^)]*\)/)) {
        link = substr(line, RSTART + 1, RLENGTH - 2)
        split(link, parts, /\]\(/)
        path = parts[2]
        if (!sub(/^\.\.\/\.\.\//, "", path)) sub(/^\.\.\//, "exercises/", path)
        line = substr(line, 1, RSTART - 1) parts[1] (path == parts[1] ? "" : " (" path ")") substr(line, RSTART + RLENGTH)
    }
    return line
}

/^<details>/ { is_hint = 1; ++count; gsub(/<[^>]*>/, "") }
/^<\/details>/ { is_hint = 0 }
is_hint { hints[count] = hints[count] $0 "\n" }
END {
    number = shown % count + 1
    printf "hint %d of %d: %s", number, count, without_links(hints[number])
    if (number == count) print "That was the last one: the next time it begins again."
}
