// Acts as a connection does: feeds a piece, takes the request, continues with the rest. Every piece is an allocation of
// its own size, so that a sanitizer sees a parser that reads beyond the piece or keeps a pointer into it.
#include "http_feed.h"

#include "server/http/http_parser.h"

#include <stdlib.h>

static void write_escaped(struct text *out, struct slice bytes) {
    text_append_string(out, "[");
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        if (byte < ' ' || byte > '~' || byte == '\\') {
            text_append_format(out, "\\x%02X", byte);
        } else {
            text_append(out, &bytes.data[i], 1);
        }
    }
    text_append_string(out, "]");
}

static void write_request(struct text *out, const struct http_request *request) {
    static const char *const methods[HTTP_METHOD_COUNT] = {"GET", "HEAD", "POST", "OTHER"};
    static const struct {
        enum http_header header;
        const char *name;
    } shown[] = {
        {HTTP_HEADER_ACCEPT, "accept"},           {HTTP_HEADER_AUTHORIZATION, "authorization"},
        {HTTP_HEADER_CONTENT_TYPE, "type"},       {HTTP_HEADER_CONTENT_ENCODING, "coding"},
        {HTTP_HEADER_IF_NONE_MATCH, "tags"},      {HTTP_HEADER_ORIGIN, "origin"},
        {HTTP_HEADER_TRACEPARENT, "traceparent"}, {HTTP_HEADER_TRACESTATE, "tracestate"},
    };
    CHECK(request->started_ns != 0);
    text_append_format(out, "%s path=", methods[request->method]);
    write_escaped(out, request->path);
    if (request->query.data != NULL) {
        text_append_string(out, " query=");
        write_escaped(out, request->query);
    }
    text_append_format(out, " HTTP/1.%u", request->minor_version);
    if (request->authority.data != NULL) {
        text_append_string(out, request->is_https ? " https host=" : " host=");
        write_escaped(out, request->authority);
    }
    text_append_string(out, request->keep_alive ? " keep" : " close");
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        struct slice value = request->headers[shown[i].header];
        if (value.data != NULL) {
            text_append_format(out, " %s=", shown[i].name);
            write_escaped(out, value);
        }
    }
    if (request->body.length > 0) {
        text_append_string(out, " body=");
        write_escaped(out, request->body);
    }
    text_append_string(out, "\n");
}

// Returns -1 if the whole piece is taken, 0 if the connection ends, else the status of the refusal.
static int feed_piece(struct http_parser *parser, const char *data, size_t length, struct text *out) {
    while (length > 0) {
        size_t used = 0;
        enum http_parse_result result = http_parser_feed(parser, data, length, &used);
        CHECK(used <= length);
        if (result == HTTP_PARSE_ERROR) {
            struct http_parse_error error = http_parser_error(parser);
            CHECK(error.status >= 400 && error.status <= 599 && error.detail[0] != '\0');
            return error.status;
        }
        if (result == HTTP_PARSE_REQUEST) {
            const struct http_request *request = http_parser_request(parser);
            CHECK(!http_parser_is_inside_request(parser));
            write_request(out, request);
            if (!request->keep_alive) {
                return 0;
            }
            http_parser_next(parser);
        } else {
            CHECK(used == length);
        }
        data += used;
        length -= used;
    }
    return -1;
}

int http_feed(struct slice bytes, size_t first, size_t step, struct text *out) {
    struct http_parser *parser = http_parser_new();
    int status = -1;
    size_t start = 0;
    while (status < 0 && start < bytes.length) {
        size_t wanted = start == 0 && first > 0 ? first : step;
        size_t left = bytes.length - start;
        size_t length = wanted == 0 || wanted > left ? left : wanted;
        char *piece = memory_allocate(length);
        memcpy(piece, bytes.data + start, length);
        status = feed_piece(parser, piece, length, out);
        free(piece);
        start += length;
    }
    if (status > 0) {
        text_append_format(out, "%d\n", status);
    } else if (status == 0) {
        text_append_string(out, "closed\n");
    } else {
        text_append_string(out, http_parser_is_inside_request(parser) ? "more\n" : "idle\n");
    }
    http_parser_free(parser);
    return status < 0 ? 0 : status;
}
