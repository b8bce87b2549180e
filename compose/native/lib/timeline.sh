# Draws the steps of two transfers in time order, a column each. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

timeline_cell=42 # two of these, the time and the rules between make 97 columns

# The demo resets the transfers table before each pair, so it holds only this pair. If a transfer changed a balance that
# it had not read (a raced transfer), its step has the balance that it found.
timeline_query="
SELECT round(extract(epoch FROM s.at - min(s.at) OVER ()) * 1000, 1),
       s.transfer_id,
       format('\$%s %s -> %s', trim_scale(t.amount), t.from_account, t.to_account),
       s.description || CASE WHEN s.step <> 'deduct' OR NOT t.race_detected THEN ''
                             WHEN m.uncommitted_at_read
                             THEN format(' (it had read \$%s: the other had written \$%s but not committed)',
                                         t.from_balance_before, m.value_written)
                             ELSE format(' (it had read \$%s, but found \$%s)', t.from_balance_before,
                                         s.value + t.amount) END,
       CASE WHEN s.step IN ('deduct', 'credit') AND s.value < 0  THEN 'negative'
            WHEN s.step IN ('read', 'check') AND t.race_detected THEN 'stale'
            WHEN s.step IN ('barrier', 'delay', 'lock') AND s.moment = 'begin' THEN 'waiting'
            ELSE 'plain' END
FROM transfer_steps s JOIN transfers t ON t.id = s.transfer_id
LEFT JOIN missed_writes m ON m.reader = t.id AND m.account = t.from_account
ORDER BY s.at, t.seq, s.position, s.moment"

timeline_draw() {
    local colors=''
    ! terminal_has_color || colors="negative=$terminal_red stale=$terminal_yellow waiting=$terminal_dim"
    cluster_psql -X -q -At -F $'\t' -c "$timeline_query" |
        awk -F '\t' -v width="$timeline_cell" -v colors="$colors" -v plain="$terminal_plain" "$timeline_program"
}

# shellcheck disable=SC2016 # awk's own variables
timeline_program='
function pad(text, size) { return sprintf("%-" size "s", text) }

# Breaks a text at spaces into lines[1], lines[2] and so on, as wide as the cell. Returns their number.
function wrap(text, lines,    words, count, number, line, i) {
    count = split(text, words, " ")
    line = words[1]
    for (i = 2; i <= count; i++) {
        if (length(line) + 1 + length(words[i]) <= width) { line = line " " words[i]; continue }
        lines[++number] = line
        line = "  " words[i]
    }
    lines[++number] = line
    return number
}

function paint(text, kind) { return kind in color ? color[kind] text plain : text }

function rule(    dashes) {
    dashes = sprintf("%" (width + 2) "s", "")
    gsub(/ /, "-", dashes)
    print "  ---------+" dashes "+" substr(dashes, 1, width)
}

# The columns of a row: time, transfer, title of the transfer, description of the step, and its colour.
BEGIN {
    known = split(colors, pairs, " ")
    for (i = 1; i <= known; i++) color[substr(pairs[i], 1, index(pairs[i], "=") - 1)] = substr(pairs[i], index(pairs[i], "=") + 1)
}
{
    if (!($2 in column)) { column[$2] = ++columns; title[columns] = $3 }
    time[NR] = $1; side[NR] = column[$2]; text[NR] = $4; kind[NR] = $5
}
END {
    if (NR == 0) { print "  (nothing was recorded)"; exit }
    print "        ms | " pad("A: " title[1], width) " | B: " title[2]
    rule()
    for (row = 1; row <= NR; row++) {
        count = wrap(text[row], lines)
        for (i = 1; i <= count; i++) {
            shown = i == 1 ? sprintf("%10s", time[row]) : sprintf("%10s", "")
            if (side[row] == 1) print shown " | " paint(pad(lines[i], width), kind[row]) " |"
            else                print shown " | " pad("", width) " | " paint(lines[i], kind[row])
        }
    }
    rule()
}'
