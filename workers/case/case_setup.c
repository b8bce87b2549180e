// Reads the SQL of --setup, which runs before the own setup of a case of any kind.
#include "workers/case/case_sql.h"

bool case_add_setup(const char *path, struct case_list *list, struct text *problem) {
    struct case_reader reader = {.path = path, .list = list, .problem = problem};
    struct sql_case made = {.file = case_copy(list->memory, slice_of(path))};
    struct text content = {0};
    bool good = case_load(&reader, &content) && case_read_setup(&reader, &made);
    text_free(&content);
    for (size_t i = 0; i < list->count && good; i++) {
        struct case_blocks *own = &list->cases[i].setup;
        struct case_blocks both = {0};
        for (size_t j = 0; j < made.setup.count + own->count; j++) {
            struct case_block *block = case_append(list->memory, &both.items, &both.count, sizeof *block);
            *block = j < made.setup.count ? made.setup.items[j] : own->items[j - made.setup.count];
        }
        *own = both;
    }
    return good;
}
