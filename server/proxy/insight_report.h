// The words of insight.c about row versions and about the whole run, in the log and in a file.
#ifndef SERVER_PROXY_INSIGHT_REPORT_H
#define SERVER_PROXY_INSIGHT_REPORT_H

#include "server/sight/sight.h"

// Appends a canonical key as the log shows it: "7, alice".
void report_append_key(const char *key, struct text *out);
// See on_version and on_unseen of struct sight_options.
void report_version(const struct sight_row_version *version, const char *table, const char *key,
                    enum sight_version_verdict verdict, void *user_data);
void report_unseen(const struct sight_unseen *unseen, void *user_data);
// The sums of a run.
void report_versions(const struct sight *sight);
void report_observed(const struct sight *sight);
// Writes all findings as JSON.
void report_write(const struct sight *sight, const char *path);

#endif
