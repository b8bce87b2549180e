// Splits lists of pairs. Any thread.
#include "observability/base/pair_list.h"

#include "observability/base/percent.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool decode(struct slice encoded, struct text *out) {
    while (encoded.length > 0 && is_blank(encoded.data[0])) {
        encoded = (struct slice){encoded.data + 1, encoded.length - 1};
    }
    while (encoded.length > 0 && is_blank(encoded.data[encoded.length - 1])) {
        encoded.length--;
    }
    text_clear(out);
    return percent_decode(encoded, false, out) && slice_is_utf8(text_slice(out));
}

bool pair_list_take(struct slice *list, struct text *key, struct text *value) {
    const char *comma = memchr(list->data, ',', list->length);
    size_t length = comma == NULL ? list->length : (size_t)(comma - list->data);
    size_t step = comma == NULL ? length : length + 1;
    struct slice pair = {list->data, length};
    *list = (struct slice){list->data + step, list->length - step};
    const char *equals = memchr(pair.data, '=', pair.length);
    if (equals == NULL) {
        return false;
    }
    size_t key_length = (size_t)(equals - pair.data);
    return decode((struct slice){pair.data, key_length}, key) && key->length > 0 &&
           decode((struct slice){equals + 1, pair.length - key_length - 1}, value);
}
