// Decodes percent escapes. Any thread.
#include "observability/base/percent.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_decode(struct slice encoded, bool plus_is_space, struct text *out) {
    for (size_t i = 0; i < encoded.length; i++) {
        char c = encoded.data[i];
        if (c == '%') {
            int high = i + 2 < encoded.length ? hex_digit(encoded.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(encoded.data[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text_append(out, &c, 1);
    }
    return true;
}
