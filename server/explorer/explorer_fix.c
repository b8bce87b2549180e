// --fix: which of the changes that can be placed mechanically ends what was found, and what it costs.
#include "server/explorer/explorer_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void append_line(const char *change, const struct exploration *found, struct text *out) {
    bool is_bad = found->anomalous + found->broken + found->new_errors > 0;
    text_append_format(out, "  %-38s %-16s ", change, found_level_name(found));
    if (is_bad) {
        uint64_t worst = MAX(MAX(found->anomalous, found->broken), found->new_errors);
        text_append_format(out, "still wrong in %" PRIu64 " of %" PRIu64 " orders\n", worst, found->orders);
    } else if (!found->is_complete) {
        text_append_format(out, "not known: %s\n", found->incomplete_because);
    } else {
        text_append_format(out, "ends it; of %" PRIu64 " orders %" PRIu64 " wait, %" PRIu64 " abort%s\n", found->orders,
                           found->blocked, found->aborted, found->aborted > 0 ? ": retry them" : "");
    }
}

static void try_variant(struct explorer *explorer, struct case_list *list, const struct sql_case *from,
                        enum case_variant variant, const char *change, struct text *out) {
    struct sql_case changed;
    if (!case_make_variant(list, from, variant, &changed)) {
        return;
    }
    bool as_written = from->names_levels; // the file's own BEGIN names the level
    for (int level = 0; level < (as_written ? 1 : CASE_LEVELS); level++) {
        struct exploration found;
        struct text problem = {0};
        if (explore(explorer, &changed, (enum case_level)level, as_written, &found, &problem)) {
            append_line(change, &found, out);
        } else {
            text_append_format(out, "  %-38s cannot be placed: %s\n", change, text_terminated(&problem));
            level = CASE_LEVELS;
        }
        exploration_free(&found);
        text_free(&problem);
    }
    explorer_forget_case(explorer); // the changed case is on this stack
}

void fix_report(struct explorer *explorer, struct case_list *list, const struct sql_case *explored,
                const struct exploration *found, size_t count, struct text *out) {
    bool is_bad = false;
    for (size_t i = 0; i < count; i++) {
        is_bad |= found[i].anomalous + found[i].broken + found[i].new_errors > 0;
    }
    if (!is_bad) {
        return;
    }
    text_append_string(out, "\n  Which fix ends it?\n");
    for (size_t i = 0; i < count; i++) {
        append_line("as it is", &found[i], out);
    }
    try_variant(explorer, list, explored, CASE_IN_TRANSACTION, "BEGIN ... COMMIT", out);
    try_variant(explorer, list, explored, CASE_LOCKS_READS, "BEGIN, SELECT ... FOR UPDATE, COMMIT", out);
    text_append_string(
        out, "  A guard in the WHERE of the UPDATE, a unique key or a lock of the parent row are not tried: they need\n"
             "  a person. docs/catalogue shows each of them.\n");
}
