// Parses a request target and the Host header. Loop thread.
#include "server/http/http_target.h"

#include <string.h>

// Parses "http://host/path?query", the form that a client sends to a proxy. Its authority replaces the Host header (RFC
// 9112 section 3.2.2). `target` becomes the part behind the authority. Returns NULL, or an error text.
static const char *read_absolute(struct http_request *request, struct slice *target) {
    static const struct slice http = SLICE_INITIALIZER("http://");
    static const struct slice https = SLICE_INITIALIZER("https://");
    request->is_https = slice_starts_with_ignoring_case(*target, https);
    if (!request->is_https && !slice_starts_with_ignoring_case(*target, http)) {
        return "The request target must begin with \"/\" or with http://";
    }
    size_t start = request->is_https ? https.length : http.length;
    size_t end = start;
    while (end < target->length && target->data[end] != '/' && target->data[end] != '?') {
        end++;
    }
    request->authority = (struct slice){target->data + start, end - start};
    if (!authority_parse(request->authority, &request->server) || request->server.host.length == 0) {
        return "The authority in the request target must be a host, or host:port, without a user name";
    }
    *target = (struct slice){target->data + end, target->length - end};
    return NULL;
}

const char *http_target_read(struct http_request *request, struct slice target, bool is_options) {
    request->authority = request->headers[HTTP_HEADER_HOST];
    if (!authority_parse(request->authority, &request->server)) {
        return "The Host header must be a host, or host:port: no path, no user name, and IPv6 in brackets";
    }
    if (memchr(target.data, '#', target.length) != NULL) {
        return "The request target has a \"#\": leave the fragment out, or write %23 for the character";
    }
    bool is_asterisk = slice_equals(target, SLICE_LITERAL("*"));
    if (is_asterisk && !is_options) {
        return "The request target \"*\" is for OPTIONS only";
    }
    if (!is_asterisk && target.data[0] != '/') {
        const char *problem = read_absolute(request, &target);
        if (problem != NULL) {
            return problem;
        }
    } else if (request->authority.data != NULL && request->server.host.length == 0) {
        return "The Host header names no host: send the name that this server is reached by";
    }
    const char *mark = memchr(target.data, '?', target.length);
    size_t path_length = mark == NULL ? target.length : (size_t)(mark - target.data);
    request->path = path_length == 0 ? SLICE_LITERAL("/") : (struct slice){target.data, path_length};
    request->query = mark == NULL ? (struct slice){NULL, 0} : (struct slice){mark + 1, target.length - path_length - 1};
    return NULL;
}
