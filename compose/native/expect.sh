# Whether an output shows what it must. Sourced by lab.
#
# An expectation is a file of lines, each to be found somewhere in the output, in whatever order. In a line
# `...` stands for anything and `<a|b>` for either. White space does not count, line ends neither: one line
# stands for an object that jq spreads over many. Nor does the .0 of a number count, which jq before 1.7 drops.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# expect_missing EXPECTATION OUTPUT: prints the lines of the one that the other does not show.
expect_missing() {
    local line pattern shown
    shown=$(expect_flatten <"$2")
    while IFS= read -r line; do
        [[ -n $line ]] || continue
        pattern=$(expect_flatten <<<"$line" | expect_to_regex)
        [[ $shown =~ $pattern ]] || printf '%s\n' "$line"
    done <"$1"
}

# Without colours, the .0 of numbers, and white space.
expect_flatten() { sed -E $'s/\e\\[[0-9;]*m//g; s/([0-9])\\.0([^0-9.]|$)/\\1\\2/g' | tr -d '[:space:]\0'; }

# Whatever means something in a regular expression is taken for itself, but for the two things above.
expect_to_regex() { sed -E 's/[][\\.^$*+?(){}|]/\\&/g; s/\\\.\\\.\\\./.*/g; s/</(/g; s/>/)/g; s/\\\|/|/g'; }
