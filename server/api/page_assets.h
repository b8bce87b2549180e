// The page's files, embedded at build time from server/page/ by embed_page.cmake. Constants; any thread.
#ifndef SERVER_API_PAGE_ASSETS_H
#define SERVER_API_PAGE_ASSETS_H

#include "observability/base/base.h"

#include <stddef.h>

struct page_asset {
    const char *name; // as it is served: flat, "vendor-viewer.js" of vendor/viewer.js
    const char *content_type;
    const char *etag; // with its quotes: a hash of the content
    struct slice content;
};

extern const struct page_asset page_assets[];
extern const size_t page_asset_count;

#endif
