// Texts for a terminal: any bytes of a file or a database become one line of a known width. Pure; private to
// server/explorer.
#ifndef SERVER_EXPLORER_EXPLORER_WORDS_H
#define SERVER_EXPLORER_EXPLORER_WORDS_H

#include "observability/base/base.h"

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

#endif
