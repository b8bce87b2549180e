// Texts for a terminal: columns side by side, and any bytes of a file or a database as one line of a known width. Pure.
#ifndef SERVER_DRAW_DRAW_H
#define SERVER_DRAW_DRAW_H

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

struct canvas {
    size_t width; // columns of the terminal
    bool has_color;
};

// The standard output's. COLUMNS gives another width; NO_COLOR has no colour.
MUST_CHECK struct canvas draw_canvas(void);
// True if that many columns have room side by side.
MUST_CHECK bool draw_has_room(size_t columns, size_t width);
MUST_CHECK struct drawing draw_begin(struct text *out, size_t columns, size_t width, bool has_color);
void draw_rule(const struct drawing *drawing);
// Draws a row with a cell for each column. A text is broken at spaces into lines.
void draw_row(const struct drawing *drawing, const struct cell_text *cells);
// Appends a text broken at spaces into lines of at most `width` columns; lines behind the first one are indented.
void draw_paragraph(struct text *out, struct slice text, size_t width, size_t hang);

// --- Words ---

// Appends a value. Control characters, marks that change the direction of writing, and bytes that are no UTF-8 are
// escaped (\n, \x1b, \u202e), so a value can neither move the cursor nor begin a line.
void words_append(struct text *out, struct slice value);
// Appends SQL as one line: comments are left out, and white space is one space outside of quotes.
void words_append_sql(struct text *out, struct slice sql);
// Number of columns of a text that the functions above wrote. A wide character of East Asia has two.
MUST_CHECK size_t words_width(struct slice text);
// Number of bytes at the start of the text that have at most `width` columns.
MUST_CHECK size_t words_fit(struct slice text, size_t width);
// Shortens a text behind its first `from` bytes to `width` columns; then it ends in "...".
void words_cut(struct text *text, size_t from, size_t width);
// Appends one word of a shell's command line, quoted where it must be.
void words_append_shell(struct text *out, const char *word);
// Appends text for XML 1.0, which has no control characters but tab and the ends of lines, not even escaped ones.
void words_append_xml(struct text *out, struct slice value);

// --- A test report in JUnit's XML ---

// Appends an attribute to an element that is not closed.
void junit_append_attribute(struct text *out, const char *name, struct slice value);
// Closes the start tag of a testcase, and appends its only child ("failure" or "error") and its end tag.
void junit_append_child(struct text *out, const char *element, struct slice message, struct slice body);

#endif
