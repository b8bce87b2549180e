// Reads Content-Type, Content-Encoding, Accept and Accept-Encoding, only as far as the handlers need it. Loop thread.
#include "server/http/content_type.h"

// Removes the part before the next `separator` from `rest`, and returns it trimmed. Separators between quotes are
// skipped.
static struct slice next_part(struct slice *rest, char separator) {
    bool quoted = false;
    size_t end = 0;
    while (end < rest->length && (quoted || rest->data[end] != separator)) {
        if (rest->data[end] == '"') {
            quoted = !quoted;
        } else if (quoted && rest->data[end] == '\\') {
            end++;
        }
        end++;
    }
    end = MIN(end, rest->length);
    struct slice part = {rest->data, end};
    size_t taken = end < rest->length ? end + 1 : end;
    *rest = (struct slice){rest->data + taken, rest->length - taken};
    return slice_trim(part);
}

bool content_type_is_json(const struct http_request *request) {
    struct slice type = request->headers[HTTP_HEADER_CONTENT_TYPE];
    return type.data != NULL && slice_equals_ignoring_case(next_part(&type, ';'), SLICE_LITERAL("application/json"));
}

bool content_is_plain(const struct http_request *request) {
    struct slice codings = request->headers[HTTP_HEADER_CONTENT_ENCODING];
    while (codings.length > 0) {
        struct slice coding = next_part(&codings, ',');
        if (coding.length > 0 && !slice_equals_ignoring_case(coding, SLICE_LITERAL("identity"))) {
            return false;
        }
    }
    return true;
}

#define WEIGHT_FULL 1000

// Reads a weight such as "0", "0.25" or "1.000" in thousandths (RFC 9110 section 12.4.2). Any other text is read as 0.
static int weight_of(struct slice text) {
    if (text.length == 0 || text.length > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.length > 1 && text.data[1] != '.')) {
        return 0;
    }
    int weight = (text.data[0] - '0') * WEIGHT_FULL;
    int unit = WEIGHT_FULL / 10;
    for (size_t i = 2; i < text.length; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        weight += (text.data[i] - '0') * unit;
    }
    return weight <= WEIGHT_FULL ? weight : 0;
}

// A format in which the server can answer GET /metrics.
struct offer {
    struct slice type;
    struct slice family; // the media range that includes the type, such as text/*
    struct slice version;
};

// Returns how precisely a media range matches the offer: 0, not at all; 1, as */*; 2, by its family; 3, by its type;
// 4, by its type and version.
static int closeness_of(struct slice range, const struct offer *offer, int *weight) {
    struct slice type = next_part(&range, ';');
    int closeness = slice_equals_ignoring_case(type, offer->type)     ? 3
                    : slice_equals_ignoring_case(type, offer->family) ? 2
                    : slice_equals(type, SLICE_LITERAL("*/*"))        ? 1
                                                                      : 0;
    *weight = WEIGHT_FULL;
    while (range.length > 0) {
        struct slice value = next_part(&range, ';');
        struct slice name = next_part(&value, '=');
        if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"') {
            value = (struct slice){value.data + 1, value.length - 2};
        }
        if (slice_equals_ignoring_case(name, SLICE_LITERAL("q"))) {
            *weight = weight_of(value);
        } else if (closeness == 3 && slice_equals_ignoring_case(name, SLICE_LITERAL("version"))) {
            closeness = slice_equals(value, offer->version) ? 4 : 0;
        }
    }
    return closeness;
}

// Returns the weight of the most precise range that matches the offer, or 0 if no range matches.
static int accepted_weight(struct slice accept, const struct offer *offer, int *closeness) {
    int best = 0;
    *closeness = 0;
    while (accept.length > 0) {
        int weight;
        int close = closeness_of(next_part(&accept, ','), offer, &weight);
        if (close > *closeness || (close > 0 && close == *closeness && weight > best)) {
            *closeness = close;
            best = weight;
        }
    }
    return best;
}

bool accepts_openmetrics(const struct http_request *request) {
    static const struct offer openmetrics = {SLICE_INITIALIZER("application/openmetrics-text"),
                                             SLICE_INITIALIZER("application/*"), SLICE_INITIALIZER("1.0.0")};
    static const struct offer text = {SLICE_INITIALIZER("text/plain"), SLICE_INITIALIZER("text/*"),
                                      SLICE_INITIALIZER("0.0.4")};
    struct slice accept = request->headers[HTTP_HEADER_ACCEPT];
    int how;
    int wanted_text = accepted_weight(accept, &text, &how);
    int wanted = accepted_weight(accept, &openmetrics, &how);
    return wanted > wanted_text || (wanted > 0 && wanted == wanted_text && how >= 3);
}

// The weight of an element such as "gzip;q=0.5".
static int weight_of_parameters(struct slice parameters) {
    int weight = WEIGHT_FULL;
    while (parameters.length > 0) {
        struct slice value = next_part(&parameters, ';');
        if (slice_equals_ignoring_case(next_part(&value, '='), SLICE_LITERAL("q"))) {
            weight = weight_of(slice_trim(value));
        }
    }
    return weight;
}

bool accepts_gzip(const struct http_request *request) {
    struct slice accept = request->headers[HTTP_HEADER_ACCEPT_ENCODING];
    int any = 0;
    while (accept.length > 0) {
        struct slice element = next_part(&accept, ',');
        struct slice coding = next_part(&element, ';');
        if (slice_equals_ignoring_case(coding, SLICE_LITERAL("gzip"))) {
            return weight_of_parameters(element) > 0;
        }
        if (slice_equals(coding, SLICE_LITERAL("*"))) {
            any = weight_of_parameters(element);
        }
    }
    return any > 0;
}
