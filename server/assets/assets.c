// Finds a file of the page by the name under which it is served.
#include "server/assets/assets.h"

const struct page_asset *assets_find(struct slice name) {
    for (size_t i = 0; i < page_asset_count; i++) {
        if (slice_equals(name, slice_of(page_assets[i].name))) {
            return &page_assets[i];
        }
    }
    return NULL;
}
