// Reads rules, and finds the statements that they match.
#include "server/proxy/rules.h"

#include <ctype.h>
#include <stdlib.h>

const char rules_help[] =
    "A rule is: WHEN VERB TABLE [nth N] [if-read] ACTION\n"
    "  WHEN    before: the statement is held; after: the next statement of its session is held\n"
    "  VERB    select, insert, update, delete, merge, truncate, copy, begin, commit, rollback, or write (any of\n"
    "          insert, update, delete, merge, truncate)\n"
    "  TABLE   a name without its schema, or * for any; begin, commit and rollback have *\n"
    "  nth N   only the Nth match in a session\n"
    "  if-read only if the session has read the row before, or the table if the row is unknown\n"
    "  ACTION  barrier N: until N sessions are held; with if-read, only sessions of which one has read the row\n"
    "          that another is about to write; gate: until SIGUSR1; delay MS: for that time\n"
    "Example: --rule 'before update accounts barrier 2'\n";

#define BIT(verb) (1U << (verb))
#define WRITES (BIT(VERB_INSERT) | BIT(VERB_UPDATE) | BIT(VERB_DELETE) | BIT(VERB_MERGE) | BIT(VERB_TRUNCATE))

static struct slice next_word(struct slice *words) {
    while (words->length > 0 && isspace((unsigned char)words->data[0])) {
        *words = (struct slice){words->data + 1, words->length - 1};
    }
    struct slice word = {words->data, 0};
    while (word.length < words->length && !isspace((unsigned char)words->data[word.length])) {
        word.length++;
    }
    *words = (struct slice){words->data + word.length, words->length - word.length};
    return word;
}

static bool is(struct slice word, const char *keyword) {
    return slice_equals_ignoring_case(word, slice_of(keyword));
}

static bool copy(struct slice word, char *out, size_t size) {
    if (word.length == 0 || word.length >= size) {
        return false;
    }
    memcpy(out, word.data, word.length);
    out[word.length] = '\0';
    return true;
}

static bool read_number(struct slice word, unsigned least, unsigned most, unsigned *out) {
    char digits[12];
    if (!copy(word, digits, sizeof digits) || strspn(digits, "0123456789") != word.length) {
        return false;
    }
    unsigned long number = strtoul(digits, NULL, 10);
    *out = (unsigned)number;
    return number >= least && number <= most;
}

static bool read_verb(struct slice word, struct rule *out) {
    for (enum statement_verb verb = VERB_SELECT; verb <= VERB_ROLLBACK; verb++) {
        out->verbs |= is(word, statement_verb_name(verb)) ? BIT(verb) : 0;
    }
    out->verbs |= is(word, "write") ? WRITES : 0;
    return out->verbs != 0 && copy(word, out->verb_words, sizeof out->verb_words);
}

static bool read_action(struct slice name, struct slice *words, struct rule *out) {
    if (is(name, "gate")) {
        out->action = RULE_GATE;
        return true;
    }
    bool is_barrier = is(name, "barrier");
    out->action = is_barrier ? RULE_BARRIER : RULE_DELAY;
    struct slice number = next_word(words);
    return is_barrier ? read_number(number, 2, RULE_WAITERS_MAX, &out->waiters)
                      : is(name, "delay") && read_number(number, 1, RULE_DELAY_MS_MAX, &out->delay_ms);
}

// Returns what is wrong, or NULL.
static const char *read_rule(struct slice words, struct rule *out) {
    struct slice when = next_word(&words);
    if (!is(when, "before") && !is(when, "after")) {
        return "begin with before or after";
    }
    out->when = is(when, "after") ? RULE_AFTER : RULE_BEFORE;
    if (!read_verb(next_word(&words), out)) {
        return "the second word must be a verb, such as update or write";
    }
    struct slice table = next_word(&words);
    if (!is(table, "*") && !copy(table, out->table, sizeof out->table)) {
        return "name a table behind the verb, or *";
    }
    struct slice word = next_word(&words);
    if (is(word, "nth")) {
        if (!read_number(next_word(&words), 1, UINT16_MAX, &out->nth)) {
            return "nth wants a number";
        }
        word = next_word(&words);
    }
    if (is(word, "if-read")) {
        out->needs_read = true;
        word = next_word(&words);
    }
    if (!read_action(word, &words, out)) {
        return "end with barrier N (2 or more), gate, or delay MILLISECONDS";
    }
    return next_word(&words).length == 0 ? NULL : "there are words behind the action";
}

bool rule_read(const char *words, struct rule *out, struct text *problem) {
    *out = (struct rule){0};
    const char *wrong = read_rule(slice_of(words), out);
    if (wrong != NULL) {
        text_append_format(problem, "rule '%s': %s", words, wrong);
    }
    return wrong == NULL;
}

struct rule rule_of_force(unsigned waiters) {
    return (struct rule){.when = RULE_BEFORE,
                         .verbs = WRITES,
                         .verb_words = "write",
                         .needs_read = true,
                         .action = RULE_BARRIER,
                         .waiters = waiters};
}

const struct statement_action *rule_match(const struct rule *rule, const struct sql_statement *statement,
                                          const struct dialogue *dialogue, uint64_t now_ns) {
    for (unsigned i = 0; i < statement->count; i++) {
        const struct statement_action *action = &statement->actions[i];
        if ((rule->verbs & BIT(action->verb)) != 0 &&
            (rule->table[0] == '\0' || strcmp(rule->table, action->table) == 0) &&
            (!rule->needs_read || dialogue == NULL || dialogue_has_read(dialogue, action->table, now_ns))) {
            return action;
        }
    }
    return NULL;
}

void rule_append_words(const struct rule *rule, struct text *out) {
    text_append_format(out, "%s %s %s", rule->when == RULE_AFTER ? "after" : "before", rule->verb_words,
                       rule->table[0] == '\0' ? "*" : rule->table);
    if (rule->nth > 0) {
        text_append_format(out, " nth %u", rule->nth);
    }
    text_append_string(out, rule->needs_read ? " if-read" : "");
    switch (rule->action) {
    case RULE_BARRIER: text_append_format(out, " barrier %u", rule->waiters); return;
    case RULE_GATE: text_append_string(out, " gate"); return;
    case RULE_DELAY: text_append_format(out, " delay %u", rule->delay_ms); return;
    }
}

void rule_describe(const struct rule *rule, const char *table, struct text *out) {
    text_append_format(out, "%s %s%s%s", rule->when == RULE_AFTER ? "after" : "before", rule->verb_words,
                       table[0] == '\0' ? "" : " ", table);
}
