// Answers a request for a file of the page. Loop thread.
#include "server/assets/assets.h"

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

void assets_respond(struct conn *conn, const struct http_request *request, struct slice name) {
    const struct page_asset *asset = assets_find(name);
    if (asset == NULL) {
        conn_respond_problem(conn, 404, "The page has no file \"%.*s\"", (int)name.length, name.data);
        return;
    }
    bool is_gzip = asset->gzip.length > 0 && accepts_gzip(request);
    const char *etag = is_gzip ? asset->gzip_etag : asset->etag;
    bool known = client_has(etag, request->headers[HTTP_HEADER_IF_NONE_MATCH]);
    (void)conn_respond(conn, &(struct http_response){
                                 .status = known ? 304 : 200,
                                 .content_type = asset->content_type,
                                 .body = is_gzip ? asset->gzip : asset->content,
                                 .page_etag = etag,
                                 .is_gzip = is_gzip && !known,
                             });
}
