// A page as one file. A browser loads no module from a file that it has opened from disk, so the modules are written
// one behind the other into one script: without their imports, and without the word export. Thus they must not define
// a name twice; and an import, a link and a script stand on one line each.
#include "server/assets/assets.h"

#include <stdlib.h>

enum { MODULES_MAX = 64 };

struct alone {
    struct text *out;
    char nonce[33];                                // the policy allows only what has it
    const struct page_asset *modules[MODULES_MAX]; // written so far
    size_t module_count;
};

static bool take_line(struct slice *rest, struct slice *line) {
    if (rest->length == 0) {
        return false;
    }
    const char *end = memchr(rest->data, '\n', rest->length);
    line->data = rest->data;
    line->length = end == NULL ? rest->length : (size_t)(end - rest->data) + 1;
    rest->data += line->length;
    rest->length -= line->length;
    return true;
}

// The file that the line names behind `mark` and before the next quote.
static const struct page_asset *file_in(struct slice line, const char *mark) {
    const char *found = memmem(line.data, line.length, mark, strlen(mark));
    CHECK(found != NULL);
    struct slice name = {found + strlen(mark), 0};
    while (name.data + name.length < line.data + line.length && name.data[name.length] != '"') {
        name.length++;
    }
    const struct page_asset *file = assets_find(name);
    CHECK(file != NULL); // the page names its own files only
    return file;
}

// Writes a module behind those that it imports.
static void append_module(struct alone *alone, const struct page_asset *module) {
    static const char import[] = "import ";
    static const char export[] = "export ";
    for (size_t i = 0; i < alone->module_count; i++) {
        if (alone->modules[i] == module) {
            return;
        }
    }
    CHECK(alone->module_count < MODULES_MAX);
    alone->modules[alone->module_count++] = module;
    struct slice line;
    for (struct slice rest = module->content; take_line(&rest, &line);) {
        if (slice_starts_with(line, SLICE_LITERAL(import))) {
            append_module(alone, file_in(line, " from \"./"));
        }
    }
    for (struct slice rest = module->content; take_line(&rest, &line);) {
        if (slice_starts_with(line, SLICE_LITERAL(import))) {
            continue;
        }
        size_t skipped = slice_starts_with(line, SLICE_LITERAL(export)) ? strlen(export) : 0;
        text_append(alone->out, line.data + skipped, line.length - skipped);
    }
}

// JSON has "<" only in its strings. Without it no text can end the element.
static void append_json(struct alone *alone, struct slice json) {
    text_append_string(alone->out, "<script type=\"application/json\" id=\"document\">");
    while (json.length > 0) {
        const char *found = memchr(json.data, '<', json.length);
        size_t length = found == NULL ? json.length : (size_t)(found - json.data);
        text_append(alone->out, json.data, length);
        text_append_string(alone->out, found == NULL ? "" : "\\u003c");
        length += found == NULL ? 0 : 1;
        json = (struct slice){json.data + length, json.length - length};
    }
    text_append_string(alone->out, "</script>\n");
}

static void begin_element(struct alone *alone, const char *tag) {
    text_append_format(alone->out, "<%s nonce=\"%s\">\n", tag, alone->nonce);
}

// Writes one line of the page, or the file that it names.
static void append_line(struct alone *alone, struct slice line, struct slice json) {
    static const char style[] = "<link rel=\"stylesheet\" href=\"/page/";
    static const char script[] = "<script src=\"/page/";
    static const char module[] = "<script type=\"module\" src=\"/page/";
    if (slice_starts_with(line, SLICE_LITERAL("<link rel=\"icon\""))) {
        return;
    }
    if (slice_starts_with(line, SLICE_LITERAL(style))) {
        begin_element(alone, "style");
        text_append_slice(alone->out, file_in(line, style)->content);
        text_append_string(alone->out, "</style>\n");
    } else if (slice_starts_with(line, SLICE_LITERAL(script))) {
        begin_element(alone, "script");
        text_append_slice(alone->out, file_in(line, script)->content);
        text_append_string(alone->out, "</script>\n");
    } else if (slice_starts_with(line, SLICE_LITERAL(module))) {
        append_json(alone, json);
        begin_element(alone, "script type=\"module\"");
        append_module(alone, file_in(line, module));
        text_append_string(alone->out, "</script>\n");
    } else {
        text_append_slice(alone->out, line);
        if (slice_starts_with(line, SLICE_LITERAL("<meta charset="))) {
            text_append_format(alone->out,
                               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                               "script-src 'nonce-%s'; style-src 'nonce-%s'; base-uri 'none'; form-action 'none'\">\n",
                               alone->nonce, alone->nonce);
        }
    }
}

void assets_append_alone(const char *name, struct slice json, struct text *out) {
    struct alone alone = {.out = out};
    const struct page_asset *page = assets_find(slice_of(name));
    CHECK(page != NULL);
    for (size_t i = 0; i + 1 < sizeof alone.nonce; i++) {
        alone.nonce[i] = "0123456789abcdef"[arc4random_uniform(16)];
    }
    struct slice line;
    for (struct slice rest = page->content; take_line(&rest, &line);) {
        append_line(&alone, line, json);
    }
}
