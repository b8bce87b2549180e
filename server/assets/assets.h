// The files of server/page, which the build embeds (embed_page.cmake). Constants; any thread.
#ifndef SERVER_ASSETS_ASSETS_H
#define SERVER_ASSETS_ASSETS_H

#include "observability/base/base.h"
#include "server/http/http.h"

#include <stddef.h>

struct page_asset {
    const char *name; // as it is served: flat, "vendor-viewer.js" of vendor/viewer.js
    const char *content_type;
    const char *etag; // with its quotes: a hash of the content
    struct slice content;
    const char *gzip_etag;
    struct slice gzip; // the content compressed; empty: that is not smaller
};

extern const struct page_asset page_assets[];
extern const size_t page_asset_count;

MUST_CHECK const struct page_asset *assets_find(struct slice name); // NULL: there is none
// Answers the request with the file, compressed if the client accepts that; 304 if it has it; 404 if there is none.
void assets_respond(struct conn *conn, const struct http_request *request, struct slice name);

// Appends a page, such as "explore.html", as one file that needs no server: its scripts and styles are in it, and
// `json` is the text of an element script with the id "document". Its policy allows only its own scripts and styles.
void assets_append_alone(const char *name, struct slice json, struct text *out);

#endif
