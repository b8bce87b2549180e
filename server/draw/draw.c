// Draws on a canvas of a width: see draw.h.
#include "server/draw/draw.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    MARGIN = 2, // columns before the first cell
    GAP = 3,    // " | "
    WIDTH_USUAL = 80,
    WIDTH_MIN = 40,
    WIDTH_MAX = 200,
};

void ink_append(struct text *out, bool has_color, enum ink ink) {
    static const char *const codes[] = {
        [INK_PLAIN] = "\033[0m", [INK_BAD] = "\033[31m", [INK_GOOD] = "\033[32m",
        [INK_NOTE] = "\033[33m", [INK_DIM] = "\033[2m",  [INK_BOLD] = "\033[1m",
    };
    if (has_color) {
        text_append_string(out, codes[ink]);
    }
}

static size_t cell_width(size_t columns, size_t width) {
    size_t gaps = MARGIN + (columns - 1) * GAP;
    return width > gaps ? (width - gaps) / columns : 0;
}

bool draw_has_room(size_t columns, size_t width) {
    return columns <= DRAW_COLUMNS_MAX && cell_width(columns, width) >= DRAW_CELL_MIN;
}

struct drawing draw_begin(struct text *out, size_t columns, size_t width, bool has_color) {
    return (struct drawing){
        .out = out,
        .columns = columns,
        .cell = MAX(cell_width(columns, width), (size_t)DRAW_CELL_MIN),
        .has_color = has_color,
    };
}

static void append_spaces(struct text *out, size_t count) {
    text_append_format(out, "%*s", (int)count, "");
}

void draw_rule(const struct drawing *drawing) {
    append_spaces(drawing->out, MARGIN);
    for (size_t column = 0; column < drawing->columns; column++) {
        size_t dashes = drawing->cell + (column == 0 ? 1 : 2) - (column + 1 == drawing->columns ? 1 : 0);
        text_append_string(drawing->out, column == 0 ? "" : "+");
        for (size_t i = 0; i < dashes; i++) {
            text_append(drawing->out, "-", 1);
        }
    }
    text_append(drawing->out, "\n", 1);
}

// Takes the next line of at most `width` columns off the text: up to a space, or else as much as fits.
static struct slice take_line(struct slice *text, size_t width) {
    size_t fits = words_fit(*text, width);
    if (fits == 0) {
        fits = MIN(text->length, (size_t)1); // no character fits; the text must end nevertheless
    }
    if (fits < text->length && text->data[fits] != ' ') {
        size_t space = fits;
        while (space > 0 && text->data[space - 1] != ' ') {
            space--;
        }
        fits = space > 0 && words_width((struct slice){text->data, space}) * 3 > width ? space : fits;
    }
    struct slice line = {text->data, fits};
    *text = (struct slice){text->data + fits, text->length - fits};
    while (text->length > 0 && text->data[0] == ' ') {
        *text = (struct slice){text->data + 1, text->length - 1};
    }
    while (line.length > 0 && line.data[line.length - 1] == ' ') {
        line.length--;
    }
    return line;
}

struct cell_state {
    struct slice rest;
    size_t line;
};

// Draws a line of a cell and pads it unless it is the last cell.
static void draw_cell(const struct drawing *drawing, const struct cell_text *cell, struct cell_state *state,
                      bool is_last) {
    struct text shown = {0};
    if (state->rest.length > 0) {
        size_t indent = MIN(state->line == 0 ? cell->indent : cell->hang, drawing->cell / 2);
        append_spaces(&shown, indent);
        if (state->line + 1 == DRAW_LINES_MAX) {
            text_append_slice(&shown, state->rest);
            words_cut(&shown, 0, drawing->cell);
            state->rest.length = 0;
        } else {
            text_append_slice(&shown, take_line(&state->rest, drawing->cell - indent));
        }
        state->line++;
    }
    bool has_ink = shown.length > 0 && cell->ink != INK_PLAIN;
    ink_append(drawing->out, drawing->has_color && has_ink, cell->ink);
    text_append_slice(drawing->out, text_slice(&shown));
    ink_append(drawing->out, drawing->has_color && has_ink, INK_PLAIN);
    if (!is_last) {
        append_spaces(drawing->out, drawing->cell - MIN(drawing->cell, words_width(text_slice(&shown))));
    }
    text_free(&shown);
}

static void trim_line(struct text *out) {
    while (out->length > 0 && out->data[out->length - 1] == ' ') {
        out->length--;
    }
}

void draw_row(const struct drawing *drawing, const struct cell_text *cells) {
    struct cell_state states[DRAW_COLUMNS_MAX] = {0};
    bool has_more = true;
    for (size_t i = 0; i < drawing->columns; i++) {
        states[i].rest = slice_of(cells[i].text == NULL ? "" : cells[i].text);
    }
    while (has_more) {
        has_more = false;
        append_spaces(drawing->out, MARGIN);
        for (size_t i = 0; i < drawing->columns; i++) {
            text_append_string(drawing->out, i == 0 ? "" : " | ");
            draw_cell(drawing, &cells[i], &states[i], i + 1 == drawing->columns);
            has_more |= states[i].rest.length > 0;
        }
        trim_line(drawing->out);
        text_append(drawing->out, "\n", 1);
    }
}

void draw_paragraph(struct text *out, struct slice text, size_t width, size_t hang) {
    for (size_t line = 0; line == 0 || text.length > 0; line++) {
        size_t indent = line == 0 ? 0 : hang;
        append_spaces(out, indent);
        text_append_slice(out, take_line(&text, MAX(width, indent + DRAW_CELL_MIN) - indent));
        text_append(out, "\n", 1);
    }
}

struct canvas draw_canvas(void) {
    const char *columns = getenv("COLUMNS");
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct winsize size = {0};
    long width = columns == NULL ? 0 : strtol(columns, NULL, 10);
    if (width <= 0 && is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    }
    width = width <= 0 ? WIDTH_USUAL : MAX(MIN(width, (long)WIDTH_MAX), (long)WIDTH_MIN);
    return (struct canvas){
        .width = (size_t)width,
        .has_color = is_terminal && (no_color == NULL || no_color[0] == '\0') && terminal != NULL &&
                     strcmp(terminal, "dumb") != 0,
    };
}
