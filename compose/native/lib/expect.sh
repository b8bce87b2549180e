# Compares an output with an expectation. Sourced by lab.
#
# An expectation is a file of lines. Each line must be somewhere in the output; the order does not matter. In a line
# `...` stands for any text and `<a|b>` for one of the two. White space and line ends are ignored, because jq spreads an
# object over many lines. The .0 of a number is ignored, because jq before 1.7 drops it.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# expect_missing EXPECTATION OUTPUT: prints the lines of the expectation that are not in the output.
expect_missing() {
    local line pattern shown
    shown=$(expect_flatten <"$2")
    while IFS= read -r line; do
        [[ -n $line ]] || continue
        pattern=$(expect_flatten <<<"$line" | expect_to_regex)
        [[ $shown =~ $pattern ]] || printf '%s\n' "$line"
    done <"$1"
}

# Removes colours, the .0 of numbers, and white space.
expect_flatten() { sed -E $'s/\e\\[[0-9;]*m//g; s/([0-9])\\.0([^0-9.]|$)/\\1\\2/g' | tr -d '[:space:]\0'; }

# Every character stands for itself, except in `...` and `<a|b>`.
expect_to_regex() { sed -E 's/[][\\.^$*+?(){}|]/\\&/g; s/\\\.\\\.\\\./.*/g; s/</(/g; s/>/)/g; s/\\\|/|/g'; }
