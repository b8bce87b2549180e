// Writes to the log, and to a file.
#include "server/proxy/insight_report.h"

#include "observability/log/log.h"

#include <errno.h>
#include <stdio.h>

void report_append_key(const char *key, struct text *out) {
    for (const char *each = key; *each != '\0'; each++) {
        text_append(out, *each == '\x1f' ? ", " : each, *each == '\x1f' ? 2 : 1);
    }
}

void report_version(const struct sight_row_version *version, const char *table, const char *key,
                    enum sight_version_verdict verdict, void *user_data) {
    static const char *const words[] = {
        "the row was not read before",
        "the version that it had read",
        "a newer version",
        "a newer version than the session had read",
        "unknown which version was read",
        "not shown by the messages",
    };
    (void)user_data;
    struct text row = {0};
    report_append_key(key, &row);
    log_write(LOG_LEVEL_DEBUG, NULL, "Row version: backend %u, transaction %llu, %s of %s (%s), which replaced %u: %s",
              version->backend_pid, (unsigned long long)version->xid, sight_operation_name(version->operation), table,
              text_terminated(&row), version->old_xmin, words[verdict]);
    text_free(&row);
}

void report_unseen(const struct sight_unseen *unseen, void *user_data) {
    (void)user_data;
    log_event(LOG_LEVEL_WARN, "unseen", NULL, "The messages do not show an %s of %s by %s: %s",
              sight_operation_name(unseen->operation), unseen->table,
              unseen->is_other_client ? "a client that does not use the proxy" : "a function, a trigger or a cascade",
              unseen->sql);
}

void report_write(const struct sight *sight, const char *path) {
    struct text out = {0};
    struct json_writer json = {.out = &out};
    sight_findings_json(sight, &json);
    text_append(&out, "\n", 1);
    FILE *file = fopen(path, "we");
    bool is_written = file != NULL && fwrite(out.data, 1, out.length, file) == out.length;
    is_written = file != NULL && fclose(file) == 0 && is_written;
    if (!is_written) {
        log_write(LOG_LEVEL_WARN, NULL, "The findings cannot be written to %s: %s", path, strerror(errno));
    }
    text_free(&out);
}

void report_versions(const struct sight *sight) {
    struct sight_version_counters counters = sight_version_counters(sight);
    log_event(
        LOG_LEVEL_INFO, "exact", NULL,
        "Triggers recorded %llu row writes: %llu replaced the version that was read, %llu a newer one (%llu of "
        "them also proved by the order, %llu only by the order), %llu were not read before, %llu unknown, %llu not "
        "shown by the messages",
        (unsigned long long)counters.rows, (unsigned long long)counters.fresh, (unsigned long long)counters.stale,
        (unsigned long long)counters.order_proved, (unsigned long long)counters.order_refuted,
        (unsigned long long)counters.unread, (unsigned long long)counters.unknown, (unsigned long long)counters.unseen);
}

void report_observed(const struct sight *sight) {
    struct sight_counters counters = sight_counters(sight);
    log_event(LOG_LEVEL_INFO, "observed", NULL,
              "Observed %llu statements (%llu not understood), %llu reads and %llu writes of rows, %zu findings; "
              "%llu dropped",
              (unsigned long long)counters.statements, (unsigned long long)counters.unparsed,
              (unsigned long long)counters.reads, (unsigned long long)counters.writes, sight_finding_count(sight),
              (unsigned long long)counters.dropped);
}
