// Reads a page in the form of Hermitage (https://github.com/ept/hermitage, postgres.md): headings, paragraphs, and
// blocks of SQL between lines of three backquotes.
//
// A block behind a paragraph or a heading that begins with "Setup" sets up every case behind it. A block whose comments
// name sessions is a case. Other blocks are examples. The paragraph before the block names the case:
// 'Postgres "read committed" prevents Lost Update (P4):' becomes "Lost Update (P4), read committed".
#include "workers/case/case_hermitage_block.h"

enum {
    NAME_BYTES_MAX = 200,
    CASES_MAX = 1000, // one page has at most so many
};

struct page {
    struct case_reader *reader;
    struct slice rest;
    int line; // the line of the first character of `rest`
    struct text heading;
    struct text paragraph; // the last one, or the one that is being read
    bool is_paragraph_open;
    struct case_blocks setup;
};

static struct slice next_line(struct page *page) {
    const char *end = memchr(page->rest.data, '\n', page->rest.length);
    size_t length = end == NULL ? page->rest.length : (size_t)(end - page->rest.data);
    struct slice line = {page->rest.data, length};
    size_t taken = length + (end != NULL);
    page->rest = (struct slice){page->rest.data + taken, page->rest.length - taken};
    page->line++;
    return line;
}

static struct slice trim(struct slice text) {
    while (text.length > 0 && strchr(" \t\r", text.data[0]) != NULL) {
        text = (struct slice){text.data + 1, text.length - 1};
    }
    while (text.length > 0 && strchr(" \t\r", text.data[text.length - 1]) != NULL) {
        text.length--;
    }
    return text;
}

static bool is_fence(struct slice line) {
    return slice_starts_with(trim(line), SLICE_LITERAL("```"));
}

static bool is_underline(struct slice line) {
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] != line.data[0] || (line.data[i] != '=' && line.data[i] != '-')) {
            return false;
        }
    }
    return line.length > 0;
}

static void take_text(struct page *page, struct slice line) {
    line = trim(line);
    if (line.length == 0) {
        page->is_paragraph_open = false;
    } else if (page->is_paragraph_open && is_underline(line)) {
        text_clear(&page->heading);
        text_append_slice(&page->heading, text_slice(&page->paragraph));
        text_clear(&page->paragraph);
        page->is_paragraph_open = false;
    } else if (line.data[0] == '#') {
        while (line.length > 0 && line.data[0] == '#') {
            line = (struct slice){line.data + 1, line.length - 1};
        }
        text_clear(&page->heading);
        text_append_slice(&page->heading, trim(line));
        text_clear(&page->paragraph);
        page->is_paragraph_open = false;
    } else {
        if (!page->is_paragraph_open) {
            text_clear(&page->paragraph);
        }
        text_append_string(&page->paragraph, page->is_paragraph_open ? " " : "");
        text_append_slice(&page->paragraph, line);
        page->is_paragraph_open = true;
    }
}

// Reads to the closing line. `*is_sql` is false for a block of another language.
static bool read_fenced(struct page *page, struct slice opening, struct hermitage_block *block, bool *is_sql) {
    int opened = page->line - 1;
    struct slice language = trim(opening);
    while (language.length > 0 && language.data[0] == '`') {
        language = (struct slice){language.data + 1, language.length - 1};
    }
    *is_sql = slice_equals_ignoring_case(trim(language), SLICE_LITERAL("sql"));
    *block = (struct hermitage_block){.sql = {page->rest.data, 0}, .line = page->line};
    while (page->rest.length > 0) {
        struct slice line = next_line(page);
        if (is_fence(line)) {
            return true;
        }
        block->sql.length = (size_t)(page->rest.data - block->sql.data);
    }
    return case_complain(page->reader, opened, "the block that begins here has no closing line ```");
}

static bool read_setup(struct page *page, struct hermitage_block block) {
    struct case_memory *memory = page->reader->list->memory;
    struct case_sql_statement statement;
    const char *problem = NULL;
    int line = block.line;
    while (case_next_statement(&block.sql, &line, &statement, &problem)) {
        struct case_block *added = case_append(memory, &page->setup.items, &page->setup.count, sizeof *added);
        *added = (struct case_block){.sql = case_copy(memory, statement.text), .line = statement.line};
    }
    return problem == NULL || case_complain(page->reader, line, "%s does not end in the block of the setup", problem);
}

// --- Names ---

// The part of a paragraph behind "prevents" or "prevent", or all of it, without a final colon.
static struct slice subject_of(struct slice paragraph) {
    static const struct slice verb = SLICE_INITIALIZER(" prevent");
    struct slice text = paragraph;
    const char *found = text.length > 0 ? memmem(text.data, text.length, verb.data, verb.length) : NULL;
    if (found != NULL) {
        const char *after = found + verb.length;
        size_t left = (size_t)(text.data + text.length - after);
        bool has_s = left > 0 && *after == 's';
        text = trim((struct slice){after + has_s, left - has_s});
    }
    if (text.length > 0 && text.data[text.length - 1] == ':') {
        text.length--;
    }
    return text.length > 0 ? text : paragraph;
}

// Shortens at the start of a character.
static struct slice shorten(struct slice text) {
    size_t length = 0;
    while (length < text.length) {
        size_t next = utf8_character_length((struct slice){text.data + length, text.length - length});
        next = next == 0 ? 1 : next;
        if (length + next > NAME_BYTES_MAX) {
            break;
        }
        length += next;
    }
    return (struct slice){text.data, length};
}

static bool is_used(const struct case_list *list, const char *name) {
    for (size_t i = 0; i + 1 < list->count; i++) {
        if (strcmp(list->cases[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// The new case is the last one of the list.
static const char *name_of(struct page *page, const struct sql_case *made) {
    static const char *const levels[CASE_LEVELS] = {"read committed", "repeatable read", "serializable"};
    const struct case_list *list = page->reader->list;
    struct slice title = page->paragraph.length > 0 ? subject_of(text_slice(&page->paragraph))
                                                    : text_slice(&page->heading);
    struct text name = {0};
    text_append_slice(&name, shorten(title));
    if (name.length == 0) {
        text_append_string(&name, case_base_name(list->memory, page->reader->path));
    }
    if (made->has_level) {
        text_append_format(&name, ", %s", levels[made->level]);
    }
    if (is_used(list, text_terminated(&name))) {
        text_append_format(&name, ", line %d", made->line);
    }
    const char *copy = case_copy(list->memory, text_slice(&name));
    text_free(&name);
    return copy;
}

// --- Cases ---

static bool read_case(struct page *page, struct hermitage_block block) {
    struct case_list *list = page->reader->list;
    if (list->count == CASES_MAX) {
        return case_complain(page->reader, block.line, "there are more than %d cases", CASES_MAX);
    }
    struct sql_case *made = case_append(list->memory, &list->cases, &list->count, sizeof *made);
    *made = (struct sql_case){.file = case_copy(list->memory, slice_of(page->reader->path)),
                              .line = block.line,
                              .setup = page->setup,
                              .is_serializable = true};
    if (!hermitage_read_block(page->reader, block, made)) {
        return false;
    }
    made->name = name_of(page, made);
    return true;
}

static bool begins_with_setup(const struct text *text) {
    return slice_starts_with_ignoring_case(text_slice(text), SLICE_LITERAL("setup"));
}

static bool take_block(struct page *page, struct slice opening) {
    struct hermitage_block block;
    bool is_sql;
    if (!read_fenced(page, opening, &block, &is_sql)) {
        return false;
    }
    page->is_paragraph_open = false;
    if (!is_sql) {
        return true;
    }
    if (hermitage_has_sessions(block)) {
        return read_case(page, block);
    }
    bool is_setup = begins_with_setup(page->paragraph.length > 0 ? &page->paragraph : &page->heading);
    return !is_setup || read_setup(page, block);
}

static bool read_page(struct page *page) {
    while (page->rest.length > 0) {
        struct slice line = next_line(page);
        if (!is_fence(line)) {
            take_text(page, line);
        } else if (!take_block(page, line)) {
            return false;
        }
    }
    return page->reader->list->count > 0 ||
           case_complain(page->reader, 0,
                         "there is no case: a block ```sql is expected whose lines end with the name "
                         "of a session, -- T1");
}

bool case_read_hermitage(struct case_reader *reader) {
    struct page page = {.reader = reader, .rest = reader->content, .line = 1};
    bool is_read = read_page(&page);
    text_free(&page.heading);
    text_free(&page.paragraph);
    return is_read;
}
