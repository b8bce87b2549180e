// Draws texts in columns side by side. Pure; private to server/explorer.
#ifndef SERVER_EXPLORER_EXPLORER_DRAW_H
#define SERVER_EXPLORER_EXPLORER_DRAW_H

#include "observability/base/base.h"

enum ink { INK_PLAIN, INK_BAD, INK_GOOD, INK_NOTE, INK_DIM, INK_BOLD };

// Appends the escape sequence that begins an ink, or that ends all (INK_PLAIN); nothing without colour.
void ink_append(struct text *out, bool has_color, enum ink ink);

enum {
    DRAW_COLUMNS_MAX = 8,
    DRAW_CELL_MIN = 17, // four cells in 80 columns
    DRAW_LINES_MAX = 8, // a longer cell is cut
};

struct drawing {
    struct text *out;
    size_t columns, cell; // cell: its width
    bool has_color;
};

struct cell_text {
    const char *text; // as words_append() wrote it; NULL: empty
    size_t hang;      // lines behind the first one are indented so much
    size_t indent;    // the first line is indented so much
    enum ink ink;
};

// True if that many columns have room side by side.
MUST_CHECK bool draw_has_room(size_t columns, size_t width);
MUST_CHECK struct drawing draw_begin(struct text *out, size_t columns, size_t width, bool has_color);
void draw_rule(const struct drawing *drawing);
// Draws a row with a cell for each column. A text is broken at spaces into lines.
void draw_row(const struct drawing *drawing, const struct cell_text *cells);
// Appends a text broken at spaces into lines of at most `width` columns; lines behind the first one are indented.
void draw_paragraph(struct text *out, struct slice text, size_t width, size_t hang);

#endif
