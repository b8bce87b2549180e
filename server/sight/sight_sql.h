// The meaning of a statement: its verb, its table, the keys and guards of its WHERE, what it sets, its lock clause.
// sight_words.c reads verb, table and transaction control from the words; sight_tree.c adds the rest from the tree of
// PostgreSQL's grammar where the build has it.
#ifndef SERVER_SIGHT_SIGHT_SQL_H
#define SERVER_SIGHT_SIGHT_SQL_H

#include "server/sight/sight.h"

enum sql_control {
    SQL_NO_CONTROL,
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,      // `table` is its name
    SQL_ROLLBACK_TO,    // a savepoint; `table` is its name
    SQL_RESET,          // RESET ALL: a pool gives the session to another request
    SQL_DISCARD,        // DISCARD ALL: the same, and prepared statements are gone
    SQL_SET_ISOLATION,  // for this transaction
    SQL_SET_DEFAULT,    // isolation of the transactions to come
    SQL_DEALLOCATE,     // `table` is the name of the prepared statement; NULL: all
    SQL_TEMPORARY_NAME, // CREATE TEMP TABLE: a name may now mean another table
};

enum sql_isolation { SQL_ISOLATION_UNSAID, SQL_READ_COMMITTED, SQL_REPEATABLE_READ };

// A constant or a parameter. Neither: the value is computed.
struct sql_constant {
    const char *text;   // NULL: no literal
    unsigned parameter; // $1 is 1; 0: none
    uint32_t type;      // from the literal or a cast; 0: as the column
};

struct sql_condition {
    const char *column;
    bool is_equality;                  // column = constant, or column IN (constants)
    const struct sql_constant *values; // one, or those of IN
    size_t count;
};

struct sql_assignment {
    const char *column;
    bool is_relative; // computed from the row's own columns
    struct sql_constant value;
};

struct sql_statement {
    enum sight_verb verb;
    enum sql_control control;
    enum sql_isolation isolation;
    const char *schema, *table, *alias; // the target, or the only table of a FROM; NULL: none or several
    const char *cursor;                 // the name in DECLARE or FETCH, else NULL
    const char *const *tables;          // for a SELECT, every table named, with its schema if written
    size_t table_count;
    const struct sql_condition *conditions; // the terms of WHERE that AND connects
    size_t condition_count;
    const struct sql_assignment *assignments; // SET, or the columns and values of a single inserted row
    size_t assignment_count;
    bool is_precise;       // from the tree
    bool where_is_plain;   // equalities with constants only
    bool is_joined;        // an UPDATE with FROM or a DELETE with USING
    bool locks;            // FOR UPDATE, FOR SHARE and their kin
    bool is_check;         // an aggregate or EXISTS over the table
    bool is_upsert;        // ON CONFLICT DO UPDATE, MERGE
    bool takes_other_lock; // LOCK TABLE, an advisory lock
    uint64_t fingerprint;  // a hash of the words, without comments and constants
};

struct sql_text {
    size_t references;
    struct arena memory;
    size_t size; // bytes of memory, about
    struct slice sql;
    const char *shown;                // the beginning of it, for findings
    char label[72];                   // the id of the unit of work in a comment, or ""
    struct sql_statement *statements; // several in a simple query
    size_t count;
    bool is_parsed; // by the grammar
};

enum { SQL_STATEMENTS_MAX = 64, SQL_LENGTH_MAX = 65536 };

// The caller owns one reference. A text that is longer than SQL_LENGTH_MAX is cut.
MUST_CHECK struct sql_text *sql_text_new(struct slice sql);
MUST_CHECK struct sql_text *sql_text_keep(struct sql_text *text); // one more reference
void sql_text_release(struct sql_text *text);                     // NULL is allowed

// The two readers. Each fills `text->statements`.
void sql_read_words(struct sql_text *text);
MUST_CHECK bool sql_read_tree(struct sql_text *text); // false: the grammar does not know it

// Texts that were seen lately.
struct sql_cache;
MUST_CHECK struct sql_cache *sql_cache_new(size_t bytes_max);
void sql_cache_free(struct sql_cache *cache);
MUST_CHECK struct sql_text *sql_cache_get(struct sql_cache *cache, struct slice sql); // with a reference of its own
MUST_CHECK size_t sql_cache_bytes(const struct sql_cache *cache);

// FNV-1a.
#define SQL_HASH_START UINT64_C(14695981039346656037)
static inline uint64_t sql_hash(uint64_t hash, const char *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

#endif
