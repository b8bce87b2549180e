// Splits a list of key=value pairs and decodes each pair. Any thread.
#include "observability/base/pair_list.h"

#include "observability/base/percent.h"

static bool decode(struct slice encoded, struct text *out) {
    text_clear(out);
    return percent_decode(slice_trim(encoded), false, out) && slice_is_utf8(text_slice(out));
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
