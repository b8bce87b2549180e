// GET /, /docs, /explore, /openapi.json and /page/{name}: the files of server/page/, from the program itself. Loop
// thread.
#include "observability/base/base.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/assets/assets.h"
#include "server/http/http.h"

// Whether the client's copy is this one: If-None-Match is "*" or a list, and a tag in it may be marked as weak.
static bool client_has(const char *etag, struct slice none_match) {
    if (slice_equals(none_match, SLICE_LITERAL("*"))) {
        return true;
    }
    struct slice tag = slice_of(etag);
    for (size_t i = 0; i + tag.length <= none_match.length; i++) {
        if (slice_equals((struct slice){none_match.data + i, tag.length}, tag)) {
            return true; // the quotes are part of the tag, so it is no part of a longer one
        }
    }
    return false;
}

static void respond_asset(struct exchange *exchange, struct slice name) {
    const struct page_asset *asset = assets_find(name);
    if (asset == NULL) {
        conn_respond_problem(exchange->conn, 404, "The page has no file \"%.*s\"", (int)name.length, name.data);
        return;
    }
    bool is_gzip = asset->gzip.length > 0 && accepts_gzip(exchange->request);
    const char *etag = is_gzip ? asset->gzip_etag : asset->etag;
    bool known = client_has(etag, exchange->request->headers[HTTP_HEADER_IF_NONE_MATCH]);
    conn_respond(exchange->conn, &(struct http_response){
                                     .status = known ? 304 : 200,
                                     .content_type = asset->content_type,
                                     .body = is_gzip ? asset->gzip : asset->content,
                                     .page_etag = etag,
                                     .is_gzip = is_gzip && !known,
                                 });
}

// The page reads its own query (the link to a race), so none is refused here.
void handle_page(struct exchange *exchange) {
    static const struct {
        const char *path, *name;
    } pages[] = {{"/", "index.html"},
                 {"/docs", "docs.html"},
                 {"/explore", "explore.html"},
                 {"/play", "play.html"},
                 {"/openapi.json", "openapi.json"}};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (slice_equals(exchange->request->path, slice_of(pages[i].path))) {
            respond_asset(exchange, slice_of(pages[i].name));
            return;
        }
    }
    CHECK(false); // the routes name no other path
}

void handle_page_file(struct exchange *exchange) {
    struct text name = {0};
    if (parameters_take_path(exchange, "name", &name)) {
        respond_asset(exchange, text_slice(&name));
    }
    text_free(&name);
}
