// Reads the permutations of a .spec.
//
// A step may be named before the permutation uses it as a condition's step, or after. So a permutation is read in two
// passes: the first pass collects the steps and the names in the conditions, the second one finds those steps.
#include "workers/case/case_spec_orders.h"

#include <stdlib.h>

enum {
    PLACES_MAX = 1000 * 1000, // bounds the memory that the permutations of a file can ask for
    NOTICES_MAX = 1000 * 1000,
};

struct named_condition {
    struct slice name;
    int line;
    size_t step; // the index of the step, in its order, that has the condition
    unsigned notices;
};

struct permutation {
    struct spec_scanner *scanner;
    struct spec_steps *steps;
    struct case_order *order;
    struct named_condition *conditions;
    size_t condition_count;
};

static int compare_names(struct slice a, struct slice b) {
    size_t shorter = MIN(a.length, b.length);
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_steps(const void *a, const void *b) {
    return compare_names(((const struct spec_step *)a)->name, ((const struct spec_step *)b)->name);
}

bool spec_collect_steps(struct case_reader *reader, const struct sql_case *made, struct spec_steps *steps) {
    for (size_t i = 0; i < made->session_count; i++) {
        const struct case_session *session = &made->sessions[i];
        for (size_t k = 0; k < session->count; k++) {
            struct spec_step *step = case_append(reader->list->memory, &steps->items, &steps->count, sizeof *step);
            *step = (struct spec_step){.name = slice_of(session->instructions[k].name),
                                       .session = i,
                                       .instruction = k,
                                       .line = session->instructions[k].line};
        }
    }
    qsort(steps->items, steps->count, sizeof *steps->items, compare_steps);
    for (size_t i = 1; i < steps->count; i++) {
        const struct spec_step *a = &steps->items[i - 1];
        const struct spec_step *b = &steps->items[i];
        if (slice_equals(a->name, b->name)) {
            return case_complain(reader, MAX(a->line, b->line),
                                 "duplicate step name: \"%.*s\" is the name of a step in line %d already",
                                 (int)MIN(a->name.length, 60), a->name.data, MIN(a->line, b->line));
        }
    }
    return true;
}

static struct spec_step *find_step(struct spec_steps *steps, struct slice name) {
    struct spec_step key = {.name = name};
    return bsearch(&key, steps->items, steps->count, sizeof key, compare_steps);
}

// "STEP notices NUMBER": isolationtester's README wants a positive number.
static bool read_notices(struct spec_scanner *scanner, unsigned *notices) {
    struct slice digits = scanner->text;
    unsigned number = 0;
    for (size_t i = 0; scanner->token == SPEC_NUMBER && i < digits.length && number <= NOTICES_MAX; i++) {
        number = number * 10 + (unsigned)(digits.data[i] - '0');
    }
    if (number < 1 || number > NOTICES_MAX) {
        return spec_complain_expected(scanner, "the number of notices, from 1 to 1000000");
    }
    *notices = number;
    return spec_advance(scanner);
}

// Counts a step or a condition of a permutation.
static bool count_place(struct permutation *permutation) {
    struct spec_scanner *scanner = permutation->scanner;
    return ++permutation->steps->places <= PLACES_MAX ||
           case_complain(scanner->reader, scanner->line,
                         "the permutations have more than %d steps and conditions in all", PLACES_MAX);
}

static bool read_condition(struct permutation *permutation) {
    struct spec_scanner *scanner = permutation->scanner;
    struct case_order *order = permutation->order;
    if (!count_place(permutation)) {
        return false;
    }
    if (spec_is_symbol(scanner, '*')) {
        order->steps[order->count - 1].reports_wait_at_once = true;
        return spec_advance(scanner);
    }
    struct named_condition *condition = case_append(scanner->reader->list->memory, &permutation->conditions,
                                                    &permutation->condition_count, sizeof *condition);
    condition->line = scanner->line;
    condition->step = order->count - 1;
    if (!spec_take(scanner, SPEC_NAME, "* or the name of a step in the parentheses", &condition->name)) {
        return false;
    }
    if (scanner->token != SPEC_NOTICES) {
        return true;
    }
    return spec_advance(scanner) && read_notices(scanner, &condition->notices);
}

// The scanner stands at the parenthesis.
static bool read_conditions(struct permutation *permutation) {
    struct spec_scanner *scanner = permutation->scanner;
    do {
        if (!spec_advance(scanner) || !read_condition(permutation)) {
            return false;
        }
    } while (spec_is_symbol(scanner, ','));
    return spec_is_symbol(scanner, ')') ? spec_advance(scanner)
                                        : spec_complain_expected(scanner, "\",\" or \")\" behind a condition");
}

static bool read_step(struct permutation *permutation, size_t number) {
    struct spec_scanner *scanner = permutation->scanner;
    struct case_order *order = permutation->order;
    struct slice name = scanner->text;
    struct spec_step *step = find_step(permutation->steps, name);
    if (step == NULL) {
        return case_complain(scanner->reader, scanner->line,
                             "undefined step \"%.*s\" specified in permutation: no session has a step of this name",
                             (int)MIN(name.length, 60), name.data);
    }
    if (!count_place(permutation)) {
        return false;
    }
    step->last_order = number;
    struct case_order_step *added = case_append(scanner->reader->list->memory, &order->steps, &order->count,
                                                sizeof *added);
    *added = (struct case_order_step){.session = step->session, .instruction = step->instruction};
    return spec_advance(scanner) && (!spec_is_symbol(scanner, '(') || read_conditions(permutation));
}

// Puts a condition with its step. The step must be used by the same permutation, and by another session.
static bool link_condition(struct permutation *permutation, const struct named_condition *named, size_t number) {
    struct case_reader *reader = permutation->scanner->reader;
    struct case_order_step *waits = &permutation->order->steps[named->step];
    const struct spec_step *step = find_step(permutation->steps, named->name);
    if (step == NULL || step->last_order != number) {
        return case_complain(reader, named->line,
                             "undefined blocking step \"%.*s\": a condition names a step of the same permutation",
                             (int)MIN(named->name.length, 60), named->name.data);
    }
    if (step->session == waits->session) {
        return case_complain(reader, named->line,
                             "a permutation step cannot block on its own session: \"%.*s\" belongs to the same "
                             "session as the step that it delays",
                             (int)MIN(named->name.length, 60), named->name.data);
    }
    struct case_condition *condition = case_append(reader->list->memory, &waits->conditions, &waits->condition_count,
                                                   sizeof *condition);
    *condition =
        (struct case_condition){.session = step->session, .instruction = step->instruction, .notices = named->notices};
    return true;
}

bool spec_read_permutation(struct spec_scanner *scanner, struct spec_steps *steps, struct sql_case *made) {
    struct permutation permutation = {.scanner = scanner, .steps = steps};
    permutation.order = case_append(scanner->reader->list->memory, &made->orders, &made->order_count,
                                    sizeof *permutation.order);
    *permutation.order = (struct case_order){.line = scanner->line};
    if (!spec_advance(scanner)) {
        return false;
    }
    if (scanner->token != SPEC_NAME) {
        return spec_complain_expected(scanner, "the name of a step behind \"permutation\"");
    }
    while (scanner->token == SPEC_NAME) {
        if (!read_step(&permutation, made->order_count)) {
            return false;
        }
    }
    for (size_t i = 0; i < permutation.condition_count; i++) {
        if (!link_condition(&permutation, &permutation.conditions[i], made->order_count)) {
            return false;
        }
    }
    return true;
}
