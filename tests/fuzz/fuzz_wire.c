// The messages of a stream are the same for every way to cut its bytes, and so is what a session remembers of them. The
// packets before the protocol proper are read without harm.
#include "server/proxy/dialogue.h"
#include "server/proxy/sasl.h"
#include "server/proxy/startup.h"
#include "server/proxy/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A session without statements, as both directions see it: the messages, and the statements that the client runs.
struct seen {
    struct wire wire;
    struct dialogue dialogue;
    struct text words;
};

static void append_statement(struct text *words, const struct sql_statement *statement) {
    CHECK(statement->count <= STATEMENT_ACTIONS_MAX);
    for (unsigned i = 0; i < statement->count; i++) {
        const struct statement_action *action = &statement->actions[i];
        CHECK(strlen(action->table) < STATEMENT_TABLE_MAX);
        text_append_format(words, " %s %s;", statement_verb_name(action->verb), action->table);
    }
}

static void take(struct seen *seen, const struct wire_message *message) {
    struct sql_statement statement = {0};
    text_append_format(&seen->words, "%d", message->type);
    if (dialogue_client(&seen->dialogue, message, &statement)) {
        append_statement(&seen->words, &statement);
        dialogue_forwarded(&seen->dialogue, &statement, 1);
    }
    if (strchr("QPBCEKZ", message->type) != NULL && message->type != '\0') {
        CHECK(message->is_whole); // the inputs are smaller than what is kept
        text_append_slice(&seen->words, message->body);
    }
    text_append_format(&seen->words, " %d %d\n", dialogue_server(&seen->dialogue, message),
                       dialogue_is_busy(&seen->dialogue));
}

// Reads the stream in chunks of `step` bytes; 0: in one.
static void read_stream(struct slice bytes, size_t step, struct text *words) {
    struct seen seen = {.wire = {.wanted = "QPBCEKZ"}};
    dialogue_init(&seen.dialogue, true);
    for (size_t at = 0; at < bytes.length;) {
        struct slice chunk = {bytes.data + at, step == 0 ? bytes.length : MIN(step, bytes.length - at)};
        size_t offset = 0;
        while (offset < chunk.length) {
            struct wire_message message;
            size_t before = offset;
            if (wire_next(&seen.wire, chunk, &offset, &message)) {
                CHECK(message.begin == before && message.end == offset && offset <= chunk.length && offset > before);
                take(&seen, &message);
            } else {
                CHECK(offset == chunk.length);
            }
        }
        at += chunk.length;
    }
    text_append_format(&seen.words, "%d", wire_is_between(&seen.wire));
    *words = seen.words;
    wire_free(&seen.wire);
    dialogue_free(&seen.dialogue);
}

// The offer of passwords without its binding is a message again, and there is nothing more to remove.
static void check_binding(struct slice bytes) {
    struct text copy = {0};
    text_append_slice(&copy, bytes);
    size_t removed = sasl_remove_binding(copy.data, copy.length);
    CHECK(removed < bytes.length || removed == 0);
    CHECK(removed == 0 || sasl_remove_binding(copy.data, copy.length - removed) == 0);
    CHECK(removed > 0 || bytes.length == 0 || memcmp(copy.data, bytes.data, bytes.length) == 0);
    text_free(&copy);
    bool chooses = sasl_chooses_binding(bytes);
    CHECK(!chooses || bytes.length > strlen("SCRAM-SHA-256-PLUS"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = {(const char *)data, size};
    struct text whole = {0};
    read_stream(bytes, 0, &whole);
    size_t steps[] = {1, 2, 7, size > 0 ? data[size - 1] + (size_t)1 : 1};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct text cut = {0};
        read_stream(bytes, steps[i], &cut);
        CHECK(slice_equals(text_slice(&whole), text_slice(&cut)));
        text_free(&cut);
    }
    text_free(&whole);
    struct startup startup;
    enum startup_kind kind = startup_read(bytes, &startup);
    CHECK(startup.length <= size && (kind != STARTUP_MESSAGE || startup.length >= 8));
    struct slice state = wire_error_field(bytes, 'C');
    CHECK(state.length <= size);
    check_binding(bytes);
    return 0;
}
