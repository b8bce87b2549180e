// Warnings about the database for the log, and the problem that db_problem() reports. Any thread.
#include "observability/base/base.h"
#include "observability/log/log.h"
#include "workers/database/database_internal.h"

#include <inttypes.h>
#include <string.h>

#define PAUSE_NS (30 * NANOSECONDS_PER_SECOND)

// FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/.
static uint64_t hash_of(const char *words) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *words != '\0'; words++) {
        hash = (hash ^ (unsigned char)*words) * UINT64_C(1099511628211);
    }
    return hash;
}

// The last COMPLAINTS_MAX warnings are kept, because several may alternate, and each is new only once.
static bool is_new(struct db_complaints *complaints, uint64_t hash) {
    for (unsigned i = 0; i < complaints->count && i < COMPLAINTS_MAX; i++) {
        if (complaints->said[i] == hash) {
            return false;
        }
    }
    complaints->said[complaints->count++ % COMPLAINTS_MAX] = hash;
    return true;
}

static bool is_due(struct db_complaints *complaints, const char *words) {
    uint64_t now = clock_monotonic_ns();
    complaints->attempts++;
    if (!is_new(complaints, hash_of(words)) && now < complaints->next_ns) {
        return false;
    }
    complaints->next_ns = now + PAUSE_NS;
    return true;
}

void db_complain(struct db *db, const char *words) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    bool due = is_due(&db->complaints, words);
    uint64_t attempts = db->complaints.attempts;
    if (due) {
        db->complaints.attempts = 0;
    }
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
    if (due && attempts > 1) {
        log_event(LOG_LEVEL_WARN, "database_unreachable", NULL, "%s (%" PRIu64 " attempts since the last such line)",
                  words, attempts);
    } else if (due) {
        log_event(LOG_LEVEL_WARN, "database_unreachable", NULL, "%s", words);
    }
}

void db_forget_complaints(struct db *db) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    db->complaints = (struct db_complaints){0};
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

void db_set_problem(struct db *db, const char *words) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    text_clear(&db->problem);
    text_append_string(&db->problem, words);
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

// The texts of this folder name the variables of the primary, longest first.
static const char *const names_of_primary[] = {"DATABASE_URL (or PGHOST and PGPORT)", "DATABASE_URL or a PG* variable",
                                               "DATABASE_URL or the PG* variables", "DATABASE_URL"};

static size_t length_of_name(const char *words) {
    for (size_t i = 0; i < sizeof names_of_primary / sizeof names_of_primary[0]; i++) {
        size_t length = strlen(names_of_primary[i]);
        if (strncmp(words, names_of_primary[i], length) == 0) {
            return length;
        }
    }
    return 0;
}

void db_append_standby_words(struct text *out, const char *words) {
    if (strstr(words, "BANK_API_STANDBY_URL") != NULL) {
        text_append_string(out, words);
        return;
    }
    while (*words != '\0') {
        size_t length = length_of_name(words);
        text_append_string(out, length > 0 ? "BANK_API_STANDBY_URL" : "");
        text_append(out, words, length > 0 ? 0 : 1);
        words += length > 0 ? length : 1;
    }
}

static void append_problem(struct db *db, struct text *out) {
    CHECK(pthread_mutex_lock(&db->mutex) == 0);
    const struct text *problem = db->problem.length > 0 ? &db->problem : &db->schema_problem;
    text_append(out, problem->data, problem->length);
    CHECK(pthread_mutex_unlock(&db->mutex) == 0);
}

void db_problem(struct db *db, struct text *out) {
    append_problem(db, out);
    if (out->length == 0 && db->standby != NULL) {
        struct text problem = {0};
        append_problem(db->standby, &problem);
        db_append_standby_words(out, text_terminated(&problem));
        text_free(&problem);
    }
}
