#!/bin/sh
# Prints the table of behaviours (README.md) as measured: what diagnose says of each step.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
letters='a b c d e f g h'
for letter in $letters; do
  [ "$letter" = h ] && set -- ./step_h_wsgi/hello.sh
  ./diagnose --json "./step_$letter" "$@" >"$dir/$letter" &
done
wait
cd "$dir" || exit
awk -F '"' -v letters="$letters" '
  /^  {"name": / {
    if (!($4 in words)) { names[++rows] = $4; what[$4] = $8 }
    words[$4] = words[$4] " " ($12 == "not applicable" ? "–" : $12) " |"
  }
  END {
    columns = split(letters, letter, " ")
    printf "| | behaviour |"
    for (i = 1; i <= columns; ++i) printf " %s |", letter[i]
    printf "\n| --- | --- |"
    for (i = 1; i <= columns; ++i) printf " --- |"
    for (i = 1; i <= rows; ++i) printf "\n| %s | %s |%s", names[i], what[names[i]], words[names[i]]
    print ""
  }' $letters
