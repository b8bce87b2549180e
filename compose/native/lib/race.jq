# Draws a race as text, in the words of the page (server/page/words.js) and of psql (sql/views.sql). The input is an
# array of answers of GET /races/{transfer_id}: one, or more whose transfers are drawn together.
#
# $width is the number of columns of the terminal, $color an object with the escape sequences of "negative", "stale",
# "waiting" and "plain", or {}.

# Names of accounts can hold any character. A control character could change the terminal.
def printable: gsub("[\\x00-\\x1f\\x7f-\\x9f]"; "?");

def decimals($places):
    pow(10; $places) as $unit
    | (fabs * $unit | round) as $whole
    | (if . < 0 and $whole > 0 then "-" else "" end) + ($whole / $unit | floor | tostring) + "."
      + ($whole % $unit | tostring | ("0" * ($places - length) // "") + .);

# The sign stands before the currency.
def money: if . < 0 then "-$" + (-. | decimals(2)) else "$" + decimals(2) end;

def milliseconds: . / 1000 | if . >= 10 then "\(round) ms" else decimals(1) + " ms" end;

def in_words: if length < 2 then join("") else (.[:-1] | join(", ")) + " and " + .[-1] end;

def repeated($count): . as $text | [range($count) | $text] | join("");

def padded($size): . as $text | $text + (" " | repeated($size - ($text | length)));

def right($size): . as $text | (" " | repeated($size - ($text | length))) + $text;

# --- The words of a step ---

def held: if .blocked_by == [] then "" else " (held by \(.blocked_by | in_words))" end;

def waited: if .blocked_by == [] then "" else ", after waiting \(.took_us | milliseconds) for \(.blocked_by | in_words)" end;

# Why an attempt was lost: its SQLSTATE in words.
def loss: {changed: "the row had changed", "40001": "serialization failure", "40P01": "deadlock"}[.] // .;

def reads: if .account then ", reads \(.account): \(.value | money)" else "" end;

# A commit ends before its answer arrives, so the time until the answer is an upper bound.
def committed:
    if (.committed_at_us // 0) > .at_us then ", committed within \(.committed_at_us - .at_us | milliseconds)" else "" end;

def stale_words($lane):
    if (.is_stale_write | not) or $lane.value_read == null then ""
    elif $lane.anomaly == "lost_update" then
        " (computed from the \($lane.value_read | money) it had read: another write is lost)"
    else " (it had read \($lane.value_read | money), but found \(.value + $lane.amount | money))" end;

def writes($lane; $does):
    "\($does) \($lane.amount | money): \(.account) is \(.value | money)" + stale_words($lane) + waited + committed;

# The text at the beginning of a wait; null where a step has none.
def beginning($lane):
    {
        barrier: "waits at the barrier",
        delay: "sleeps \(.took_us | milliseconds) (debug delay)",
        lock: "asks for the row locks of \($lane.from) and \($lane.to)",
        mutex: "asks for the mutex in this process",
        hold: "keeps \($lane.from) locked until \(.parties) more wait for it",
        batch: "waits for its batch",
        replay: "waits for the standby"
    }[.step];

def end_of($lane):
    if .step == "read" then
        "reads \(.account)\(if .outcome == "standby" then " at the standby" else "" end): \(.value | money)" + waited
    elif .step == "replay" then "finds the standby up to date after \(.took_us | milliseconds)"
    elif .step == "lock" then "has the locks after \(.took_us | milliseconds)" + held + reads
    elif .step == "mutex" then "has the mutex after \(.took_us | milliseconds)" + held
    elif .step == "batch" then "is in a batch of \(.parties) after \(.took_us | milliseconds)" + reads
    elif .step == "retry" then "lost against another transfer (\(.outcome | loss)), tries again"
    elif .step == "hold" then "lets go of the row: \(.outcome)"
    elif .step == "barrier" then "leaves the barrier: \(.outcome)"
    elif .step == "check" then
        "checks \(.value | money) >= \($lane.amount | money): "
        + if .value >= $lane.amount then "enough" else "not enough, refused" end
    elif .step == "deduct" then writes($lane; "deducts")
    elif .step == "credit" then writes($lane; "adds")
    # A record is written just before its COMMIT, so at this time nothing of the transaction is committed yet.
    elif .step == "commit" then
        if $lane.status != "success" then "ends: refused"
        elif .outcome != "recorded" then "commits"
        else "done: each statement has committed on its own" end
    else null end;

def kind($lane):
    if (.step == "deduct" or .step == "credit")
       and (.value < 0 or (.is_stale_write and $lane.anomaly == "lost_update")) then "negative"
    elif (.step == "read" or .step == "check" or .step == "lock") and $lane.race_detected then "stale"
    else "plain" end;

# The moments of a step: a wait has two.
def moments($lane):
    (beginning($lane) // empty | {text: ., kind: "waiting"}) + {us: (.at_us - .took_us)},
    (if .step == "delay" then empty else end_of($lane) // empty end | {text: .}) + {us: .at_us, kind: kind($lane)};

# --- The lanes ---

# Microseconds since 1970, of "2026-01-31T12:34:56.789012Z".
def microseconds: (.[:19] + "Z" | fromdateiso8601) * 1000000 + (.[20:26] | tonumber? // 0);

# The time at which the transfer was admitted, if its first step began at least 2 ms later; the page has the same limit.
def queued_since:
    (.timestamp | microseconds) as $admitted
    | if .steps != [] and .steps[0].at_us - .steps[0].took_us - $admitted >= 2000 then $admitted else null end;

# The write that followed a stale read: the one that overwrote another write, or the last deduct. Its place, or null.
def stale_write:
    if .race_detected | not then null
    else [.steps | to_entries[]] as $steps
        | ([$steps[] | select(.value.step == "deduct" and .value.outcome == "overwrote")] | last)
          // ([$steps[] | select(.value.outcome == "overwrote")] | last)
          // ([$steps[] | select(.value.step == "deduct")] | last)
    end;

def lane($letters):
    . as $transfer
    | stale_write as $stale
    | {
        id, seq: (.seq // 0), status, amount, anomaly, race_detected, strategy, replica, letter: $letters[.id],
        from: (.from_account | printable), to: (.to_account | printable),
        value_read: (if $stale.value.step == "credit" then .to_balance_before else .from_balance_before end),
        queued_us: queued_since,
        steps: [.steps | to_entries[] | .key as $place | .value | . + {
            account: (if .account then .account | printable else null end),
            is_stale_write: ($stale != null and $stale.key == $place),
            blocked_by: [
                .step as $step | .at_us as $at | $transfer.blocked_by[]?
                | select(.step == $step and (.to_us - $at | fabs) <= 1000)
                | $letters[.transfer_id] // empty
            ]
        }]
    };

# An array of answers, as one picture.
def model:
    (map(.race) | max_by(.transfer_count)) as $race
    | ([.[].missed_writes[]] | unique) as $missed
    | (reduce .[].transfers[] as $each ([]; if any(.[]; .id == $each.id) then . else . + [$each] end)) as $all
    | ($all | sort_by(.to_account) | .[:12]) as $drawn # the letters are those of the page
    | (reduce range($drawn | length) as $place ({}; . + {($drawn[$place].id): ([65 + $place] | implode)})) as $letters
    | {
        race: $race,
        undrawn: ([$race.transfer_count, ($all | length)] | max - ($drawn | length)),
        lanes: [$drawn[] | lane($letters)],
        missed: [$missed[] | select($letters[.reader] and $letters[.writer])
                 | .reader = $letters[.reader] | .writer = $letters[.writer] | .account |= printable]
    }
    | .rows = ([.lanes | to_entries | sort_by(.value.seq)[] | .key as $place | .value as $lane
                | (($lane.queued_us // empty | {us: ., text: "waits in the queue", kind: "waiting"}),
                   ($lane.steps[] | moments($lane)))
                | .place = $place | .letter = $lane.letter] | sort_by(.us))
    | .start_us = ([.lanes[] | .queued_us, (.steps[0] | select(.) | .at_us - .took_us) | select(.)] | min);

# --- The layout ---

# Breaks a text at spaces into lines of at most $size characters. All but the first are indented. A word that is longer
# than a line, such as the name of an account, is cut. A number stays beside its unit.
def wrapped($size):
    [gsub("(?<number>[0-9]) ms"; "\(.number)\u00a0ms") | splits(" +") | if length <= $size - 2 then . else range(0; length; $size - 2) as $at | .[$at:$at + $size - 2] end]
    | reduce .[1:][] as $word ([.[0]];
        if (.[-1] | length) + 1 + ($word | length) <= $size then .[-1] += " " + $word else . + ["  " + $word] end)
    | map(gsub("\u00a0"; " "));

def painted($kind): if $kind != "plain" and $color[$kind] then $color[$kind] + . + $color.plain else . end;

def title: "\(.letter): \(.amount | money | rtrimstr(".00")) \(.from) -> \(.to)" + (if .replica then ", replica \(.replica)" else "" end);

def time_of($start): (.us - $start) / 1000 | decimals(1);

# A column for each transfer.
def in_columns($cell):
    (.lanes | length) as $count
    | ("  ---------" + ("+" + ("-" | repeated($cell + 2)) | repeated($count - 1)) + "+" + ("-" | repeated($cell + 1))) as $rule
    | .start_us as $start
    | [.lanes[] | title | wrapped($cell)] as $titles
    | (range($titles | map(length) | max) as $line
       | (if $line == 0 then "        ms" else " " * 10 end) + ([$titles[] | " | " + (.[$line] // "" | padded($cell))] | join(""))),
      $rule,
      (.rows[] | . as $row | .text | wrapped($cell) | to_entries[]
       | (if .key == 0 then $row | time_of($start) else "" end | right(10))
         + (" | " + (" " | repeated($cell)) | repeated($row.place))
         + " | " + (.value | padded($cell) | painted($row.kind))
         + ((" |" + (" " | repeated($cell + 1))) | repeated($count - 1 - $row.place))),
      $rule;

# A terminal that is too narrow for that: one column, and the letters of the transfers at its left.
def in_one_column:
    (.lanes | length) as $count
    | ($width - 16 - $count) as $cell
    | ("  ---------+-" + ("-" | repeated($count)) + "-+" + ("-" | repeated($cell + 1))) as $rule
    | .start_us as $start
    | (.lanes[] | title | wrapped($width - 4)[] | "  " + .),
      $rule,
      (.rows[] | . as $row | .text | wrapped($cell) | to_entries[]
       | (if .key == 0 then $row | time_of($start) else "" end | right(10))
         + " | " + (" " | repeated($row.place)) + (if .key == 0 then $row.letter else " " end)
         + (" " | repeated($count - 1 - $row.place)) + " | " + (.value | painted($row.kind))),
      $rule;

# Whether the deduct has overwritten another write; the same is recorded of a credit.
def overwrites($lane): .outcome == "overwrote" or ($lane.anomaly == "lost_update" and all($lane.steps[]; .outcome != "overwrote"));

# The balance of the contested account before the first write, and after each one. A lost update does not know what it
# found.
def row_of_account:
    .race.account as $account
    | ([.lanes | sort_by(.seq)[] | . as $lane | .steps[]
        | select((.step == "deduct" or .step == "credit") and .account == ($account | printable))
        | {us: .at_us, value, found: (if .step == "deduct" and (overwrites($lane) | not) then .value + $lane.amount else null end)}]
       | sort_by(.us)) as $writes
    | if $writes == [] then empty
      else "\($account | printable) in the database: "
           + ([$writes[0].found // empty, $writes[].value] | map(money) | join(" -> ")) end;

def missed_sentence($start):
    def at: (. - $start) / 1000 | decimals(1) + " ms";
    if .not_replayed
    then "\(.writer) wrote \(.value_written | money) at \(.written_at_us | at). \(.reader) read \(.value_read | money) at "
         + "\(.read_at_us | at) at the standby, which had not replayed that write."
    elif .uncommitted_at_read
    then "\(.writer) had written \(.value_written | money) at \(.written_at_us | at) but not committed it when \(.reader) read "
         + "\(.value_read | money) at \(.read_at_us | at): \(.reader) could not see it."
    else "\(.reader) read \(.value_read | money) at \(.read_at_us | at). It never saw that \(.writer) wrote "
         + "\(.value_written | money) at \(.written_at_us | at)." end;

def drawn:
    (.lanes | length) as $count
    | if .rows == [] then "  (no step was recorded)"
      else
        .start_us as $start
        | ([42, ($width - 10 - 3 * $count) / $count | floor] | min) as $cell
        | (if $count > 1 and $cell >= 30 then in_columns($cell) else in_one_column end),
          (if .undrawn > 0 then "  (and \(.undrawn) more transfers)" else empty end),
          (row_of_account | wrapped($width - 2)[] | "  " + .),
          (.missed[] | missed_sentence($start) | wrapped($width - 2)[] | "  " + . | painted("stale"))
      end
    | sub(" +$"; "");

# --- A race with its heading, and a list of races ---

def verdict_words:
    {double_spend: "double spend", lost_update: "lost update", stale_read: "stale read", clean: "clean"}[.] // .;

def clock: .[11:23];

# How the race ended, in the words of the page.
def summary:
    .race as $race
    | [if $race.succeeded == 0 then empty
       elif $race.succeeded == $race.transfer_count then (if $race.succeeded == 2 then "both succeeded" else "all succeeded" end)
       else "\($race.succeeded) succeeded" end,
       if $race.refused > 0 then "\($race.refused) refused" else empty end] | join(", ")
    | . + (if . == "" or $race.lowest_balance == null then "" else "; " end)
    + (if $race.lowest_balance == null then "" else "\($race.account | printable) \(if $race.succeeded > 0 then "went down to" else "stayed at" end) \($race.lowest_balance | money)" end)
    | (.[:1] | ascii_upcase) + .[1:] + ".";

def headed:
    ("Race \(.race.id) at \(.race.at | clock) UTC, \(.race.strategies | in_words): \(.race.verdict | verdict_words)"
     | wrapped($width)[] | painted("head")),
    "",
    drawn,
    "",
    (summary | wrapped($width)[]);

def list_of_races:
    def row($id; $at; $account; $strategies; $verdict; $lowest):
        ($width >= 80) as $is_wide
        | (if $is_wide then $width - 46 else $width - 36 end) as $room
        | ($id | padded(8)) + "  " + (if $is_wide then ($at | padded(8)) + "  " else "" end) + ($verdict | padded(12)) + "  " + ($lowest | right(10)) + "  "
          + ($account + ", " + $strategies | if length > $room then .[:$room - 3] + "..." else . end);
    (row("race"; "UTC"; "account"; "strategy"; "verdict"; "lowest") | painted("head")),
    (.races[] | row(.id; .at[11:19]; .account | printable; .strategies | join("+"); .verdict | verdict_words;
                    if .lowest_balance == null then "" else .lowest_balance | money end)
     | if test("  double spend  |  lost update  ") then painted("negative") else . end);

# --- The live view: the input is the answers of GET /accounts and GET /races ---

def count_of($number; $one): "\($number) \($one)" + if $number == 1 then "" else "s" end;

def totals_of:
    "Since the database was made: \(count_of(.transfers; "transfer")), \(.raced_transfers) raced, "
    + "\(count_of(.double_spends; "double spend")), \(count_of(.lost_updates; "lost update"))"
    + if .money_drift == 0 then "." elif .money_drift > 0 then ", \(.money_drift | money) created."
      else ", \(-.money_drift | money) lost." end;

# At most $rows - 1 lines, the last with the keys. The accounts have at most a third of them.
def watched($rows; $url; $settings; $keys):
    .[0].accounts as $accounts | .[1] as $races
    | ([$rows / 3 | floor, 3] | max) as $most
    | ([$accounts[].id | printable | length] | max // 0 | [., $width - 16] | min) as $name
    | [("Race Conditions Lab  " + $url | .[:$width] | painted("head")),
       ($settings | wrapped($width)[]),
       "",
       ($accounts[:$most][] | (.id | printable | .[:$name] | padded($name)) + "  " + (.balance | money | right(14))
        | painted(if test("-\\$") then "negative" else "plain" end)),
       (if ($accounts | length) > $most then "(and \(($accounts | length) - $most) more accounts)" else empty end),
       ""] as $top
    | ["", ($races.totals | totals_of | wrapped($width)[]), ($keys | select(. != ""))] as $bottom
    | ([$rows - ($top | length) - ($bottom | length) - 1, 2] | max) as $room
    | ([if $races.races == [] then "No transfers have raced yet." else $races | list_of_races end] | .[:$room]) as $list
    | ($top + $list + $bottom)[];

