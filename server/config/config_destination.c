// Reads the variables that say whether traces are exported, and to which collector. Main thread, before the loop runs.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
#include "server/config/config.h"
#include "server/config/config_variable.h"

#include <unistd.h>

#define TIMEOUT_DEFAULT_MS 10000
#define TIMEOUT_MAX_MS 600000

// Returns `traces`, the name of the variable for traces, if it is set; otherwise `every`, the variable for all signals.
static const char *either(const char *traces, const char *every) {
    return variable(traces) != NULL ? traces : every;
}

// The error text does not repeat the value, because it may contain a password or a token.
static bool refuse_secret(struct text *problem, const char *name, const char *allowed) {
    text_append_format(problem, "%s cannot be used: it must be %s", name, allowed);
    return false;
}

static bool read_endpoint(struct otlp_destination *destination, struct text *problem) {
    static const char traces[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    static const char allowed[] = "an address such as http://localhost:4318 or https://collector.example/otlp, with a "
                                  "host, and without a user, a query or a blank";
    const char *name = either(traces, "OTEL_EXPORTER_OTLP_ENDPOINT");
    destination->endpoint = variable(name);
    destination->endpoint_is_whole = name == traces;
    if (destination->endpoint == NULL || otlp_endpoint_is_usable(destination->endpoint)) {
        return true;
    }
    return strpbrk(destination->endpoint, "@?") != NULL
               ? refuse_secret(problem, name, allowed)
               : variable_refuse(problem, name, destination->endpoint, allowed);
}

static bool read_headers(struct otlp_destination *destination, struct text *problem) {
    const char *name = either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    destination->headers = variable(name);
    return destination->headers == NULL || otlp_headers_are_usable(destination->headers) ||
           refuse_secret(problem, name,
                         "name=value,name=value with percent-encoded values, and without the headers that the exporter "
                         "sets itself (Content-Type, Content-Encoding, User-Agent and those of framing)");
}

static bool read_file(const char *name, const char **out, struct text *problem) {
    *out = variable(name);
    return *out == NULL || access(*out, R_OK) == 0 ||
           variable_refuse(problem, name, *out, "a PEM file that this program can read");
}

static bool read_files(struct otlp_destination *destination, struct text *problem) {
    const char *client_certificate = either("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
                                            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
    const char *client_key = either("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY");
    if (!read_file(either("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
                   &destination->certificate, problem) ||
        !read_file(client_certificate, &destination->client_certificate, problem) ||
        !read_file(client_key, &destination->client_key, problem)) {
        return false;
    }
    if (destination->client_certificate != NULL && destination->client_key == NULL) {
        return variable_refuse(problem, client_certificate, destination->client_certificate,
                               "set together with OTEL_EXPORTER_OTLP_CLIENT_KEY");
    }
    if (destination->client_key != NULL && destination->client_certificate == NULL) {
        return variable_refuse(problem, client_key, destination->client_key,
                               "set together with OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
    }
    return true;
}

static bool read_protocol(struct otlp_destination *destination, struct text *problem) {
    static const char *const protocols[] = {"http/json", NULL};
    static const char *const compressions[] = {"gzip", "none", NULL};
    int protocol;
    int compression = 0;
    bool good = variable_choice(either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"), protocols,
                                &protocol, "http/json, the only protocol of this exporter", problem) &&
                variable_choice(either("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"),
                                compressions, &compression, "gzip or none", problem);
    destination->gzip = compression == 0;
    return good;
}

// Sets `wanted` to false if the environment switches the export off.
static bool read_wanted(bool *wanted, bool has_endpoint, struct text *problem) {
    static const char name[] = "OTEL_TRACES_EXPORTER";
    static const char *const booleans[] = {"false", "true", NULL};
    static const char *const exporters[] = {"otlp", "none", NULL};
    int disabled = 0;
    int exporter = 0;
    if (!variable_choice("OTEL_SDK_DISABLED", booleans, &disabled, "true or false", problem) ||
        !variable_choice(name, exporters, &exporter, "otlp or none", problem)) {
        return false;
    }
    *wanted = disabled == 0 && exporter == 0;
    if (*wanted && variable(name) != NULL && !has_endpoint) {
        return variable_refuse(problem, name, variable(name), "none, unless OTEL_EXPORTER_OTLP_ENDPOINT is set too");
    }
    return true;
}

bool config_read_destination(struct otlp_destination *destination, struct text *problem) {
    bool wanted;
    *destination = (struct otlp_destination){.timeout_ms = TIMEOUT_DEFAULT_MS, .gzip = true};
    if (!read_endpoint(destination, problem) || !read_wanted(&wanted, destination->endpoint != NULL, problem)) {
        return false;
    }
    if (!wanted || destination->endpoint == NULL) { // nothing is exported, so the other variables are not read
        destination->endpoint = NULL;
        return true;
    }
    return read_headers(destination, problem) && read_files(destination, problem) &&
           read_protocol(destination, problem) &&
           variable_number(either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"), 1, TIMEOUT_MAX_MS,
                           &destination->timeout_ms, problem);
}
