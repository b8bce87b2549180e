// Parses bytes into requests with llhttp, applies our limits, and checks rules of RFC 9112 that llhttp does not check.
// Loop thread.
//
// The parser is strict: it refuses every request that two parsers could read in two ways (request smuggling).
#ifndef SERVER_HTTP_HTTP_PARSER_H
#define SERVER_HTTP_HTTP_PARSER_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>
#include <stddef.h>

struct http_parser; // one for each connection, which owns it

enum http_parse_result {
    HTTP_PARSE_MORE,    // all bytes were used, and the request is not complete
    HTTP_PARSE_REQUEST, // http_parser_request() returns a complete request; bytes may be left
    HTTP_PARSE_ERROR,   // http_parser_error() returns the answer; the connection must be closed after it
};

struct http_parse_error {
    int status;         // 400, 413, 414, 417, 431, 501, 505
    const char *detail; // a constant
};

MUST_CHECK struct http_parser *http_parser_new(void);
void http_parser_free(struct http_parser *parser);

// Parses up to the end of the first request in `data`. `used` becomes the number of bytes that were parsed. The bytes
// are copied where they are needed later.
MUST_CHECK enum http_parse_result http_parser_feed(struct http_parser *parser, const char *data, size_t length,
                                                   size_t *used);

MUST_CHECK const struct http_request *http_parser_request(const struct http_parser *parser);
MUST_CHECK struct http_parse_error http_parser_error(const struct http_parser *parser);

// True if a request has begun and is not complete.
MUST_CHECK bool http_parser_is_inside_request(const struct http_parser *parser);
// True if the head of the request is complete and its body is not.
MUST_CHECK bool http_parser_has_head(const struct http_parser *parser);
// Returns the method of the request that has begun or was refused, or HTTP_METHOD_OTHER if it is not known yet.
MUST_CHECK enum http_method http_parser_method(const struct http_parser *parser);
// True once for each request whose client waits for "100 Continue" before it sends the body.
MUST_CHECK bool http_parser_take_expectation(struct http_parser *parser);

// Drops the request after its answer and prepares for the next one. The slices of the request become invalid.
void http_parser_next(struct http_parser *parser);

#endif
