// From bytes to requests: llhttp, our limits, and what RFC 9112 asks beyond a grammar. Loop thread.
//
// Strict on purpose: every shape that two parsers could read differently (request smuggling) is refused.
#ifndef SERVER_HTTP_HTTP_PARSER_H
#define SERVER_HTTP_HTTP_PARSER_H

#include "observability/base/base.h"
#include "server/http/http_request.h"

#include <stdbool.h>
#include <stddef.h>

struct http_parser; // one a connection

enum http_parse_result {
    HTTP_PARSE_MORE,    // all bytes are taken, and the request is not complete
    HTTP_PARSE_REQUEST, // http_parser_request() is complete; bytes may be left
    HTTP_PARSE_ERROR,   // http_parser_error() says what to answer; then the connection must be closed
};

struct http_parse_error {
    int status;         // 400, 413, 414, 417, 431, 501, 505
    const char *detail; // lives for ever
};

MUST_CHECK struct http_parser *http_parser_new(void);
void http_parser_free(struct http_parser *parser);

// Parses up to the end of the first request in `data`. `used` tells how many bytes were taken.
MUST_CHECK enum http_parse_result http_parser_feed(struct http_parser *parser, const char *data, size_t length,
                                                   size_t *used);

MUST_CHECK const struct http_request *http_parser_request(const struct http_parser *parser);
MUST_CHECK struct http_parse_error http_parser_error(const struct http_parser *parser);

// A request has begun and is not complete.
MUST_CHECK bool http_parser_is_inside_request(const struct http_parser *parser);
// The head of the request is complete, its body is not.
MUST_CHECK bool http_parser_has_head(const struct http_parser *parser);
// The method of the request that has begun, or was refused; HTTP_METHOD_OTHER while it is not known.
MUST_CHECK enum http_method http_parser_method(const struct http_parser *parser);
// True once for a request whose client waits for "100 Continue" before it sends the body.
MUST_CHECK bool http_parser_take_expectation(struct http_parser *parser);

// The request was answered: forgets it, gives its memory back, and is ready for the next.
void http_parser_next(struct http_parser *parser);

#endif
