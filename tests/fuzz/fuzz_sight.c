// Any messages in any order leave sight in order: nothing is read beyond a body, the findings are JSON, and the memory
// of a session is returned. The first byte chooses between one SQL text and messages of two sessions; a message is a
// byte for its direction and session, its type, the length of its body in a byte, and its body.
#include "server/sight/sight_sql.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_sql(struct slice sql) {
    struct sql_text *text = sql_text_new(sql);
    CHECK(text->count <= SQL_STATEMENTS_MAX && strlen(text->label) < sizeof text->label);
    for (size_t i = 0; i < text->count; i++) {
        const struct sql_statement *statement = &text->statements[i];
        CHECK(sight_verb_name(statement->verb) != NULL);
        for (size_t k = 0; k < statement->condition_count; k++) {
            CHECK(statement->conditions[k].column != NULL);
            CHECK(!statement->conditions[k].is_equality || statement->conditions[k].count > 0);
        }
        for (size_t k = 0; k < statement->assignment_count; k++) {
            CHECK(statement->assignments[k].column != NULL);
        }
    }
    sql_text_release(text);
}

static void on_finding(const struct sight_finding *finding, void *user_data) {
    struct text out = {0};
    struct json_writer json = {.out = &out};
    (void)user_data;
    sight_finding_json(finding, &json, NULL);
    CHECK(slice_is_utf8(text_slice(&out)));
    text_free(&out);
}

static void pass_messages(struct slice rest) {
    static const struct sight_column columns[] = {
        {1, "id", 25, true}, {2, "balance", 1700, false}, {3, "version", 23, false}};
    struct sight_options options = {.on_finding = on_finding, .memory_max = 100000, .session_memory_max = 50000};
    struct sight *sight = sight_new(&options);
    sight_add_table(sight, "bank", 1000, "public", "accounts", columns, 3);
    struct sight_session *sessions[] = {sight_session_open(sight, "bank", 1), sight_session_open(sight, "bank", 2)};
    struct sight_intent intent;
    while (rest.length >= 3) {
        unsigned char where = (unsigned char)rest.data[0];
        size_t length = MIN((size_t)(unsigned char)rest.data[2], rest.length - 3);
        struct slice body = {malloc(length), length}; // separate memory, so that a read beyond it is seen
        CHECK(body.data != NULL || length == 0);
        memcpy((char *)(uintptr_t)body.data, rest.data + 3, length);
        if ((where & 1) != 0) {
            sight_server_message(sessions[where >> 1 & 1], rest.data[1], body, where);
        } else {
            sight_client_message(sessions[where >> 1 & 1], rest.data[1], body, where);
        }
        sight_ask_execute(sessions[0], SLICE_LITERAL(""), &intent);
        free((char *)(uintptr_t)body.data);
        rest = (struct slice){rest.data + 3 + length, rest.length - 3 - length};
    }
    sight_session_close(sessions[0]);
    sight_session_close(sessions[1]);
    sight_free(sight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct slice rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'm') {
        pass_messages(rest);
    } else {
        read_sql(rest);
    }
    return 0;
}
