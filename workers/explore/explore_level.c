// The isolation levels that the statements of a case name, such as BEGIN ISOLATION LEVEL SERIALIZABLE.
#include "workers/explore/explore_internal.h"

enum { SEVERAL_LEVELS = -1, DEFAULT_LEVEL = -2 };

// The levels of one session.
struct found {
    size_t transactions, named;
    int level; // -1: none so far
    bool is_unclear, has_several;
};

static void add(struct found *found, const char *sql) {
    struct case_statement_shape shape = case_shape_of(sql);
    struct text kept = {0};
    enum case_level level = CASE_READ_COMMITTED;
    enum case_named_level named = case_take_level(sql, &level, &kept);
    text_free(&kept);
    found->transactions += shape.begins_transaction;
    found->is_unclear |= named == CASE_OTHER_LEVEL;
    if (named == CASE_ONE_LEVEL) {
        found->has_several |= found->level >= 0 && found->level != (int)level;
        found->level = (int)level;
        found->named++;
    }
}

bool levels_find(struct explorer *explorer, const struct sql_case *explored) {
    bool good = true;
    for (size_t i = 0; i < explored->session_count; i++) {
        const struct case_session *session = &explored->sessions[i];
        struct found found = {.level = -1};
        for (size_t j = 0; j < session->setup.count; j++) {
            add(&found, session->setup.items[j].sql);
        }
        for (size_t j = 0; j < session->count; j++) {
            if (session->instructions[j].operation == CASE_STATEMENT) {
                add(&found, session->instructions[j].source);
            }
        }
        good &= !found.is_unclear;
        bool is_one = !found.has_several && (found.named == 0 || found.named == found.transactions);
        explorer->named_level[i] = !is_one ? SEVERAL_LEVELS : found.named == 0 ? DEFAULT_LEVEL : found.level;
    }
    return good;
}

void levels_append_without(const char *sql, struct text *out) {
    enum case_level level;
    enum case_named_level named = case_take_level(sql, &level, out);
    CHECK(named != CASE_OTHER_LEVEL); // levels_find() has refused it
}

int levels_of_session(const struct explorer *explorer, uint8_t session, enum case_level level) {
    bool has_own = explorer->mixes_levels && explorer->named_level[session] != DEFAULT_LEVEL;
    return has_own ? explorer->named_level[session] : (int)level;
}
