// Merges the attributes of the resource and writes them as JSON. Main thread.
#include "observability/otlp/otlp_resource.h"

#include "observability/base/base.h"

#include <stdlib.h>

#define SERVICE_DEFAULT "bank-api"

struct attribute {
    struct text key;
    struct text value;
};

struct attributes {
    struct attribute *list;
    size_t count;
};

static void set(struct attributes *attributes, struct slice key, struct slice value) {
    size_t at = 0;
    while (at < attributes->count &&
           !slice_equals((struct slice){attributes->list[at].key.data, attributes->list[at].key.length}, key)) {
        at++;
    }
    if (at == attributes->count) {
        attributes->list = memory_resize(attributes->list, (at + 1) * sizeof attributes->list[0]);
        attributes->list[at] = (struct attribute){0};
        text_append_slice(&attributes->list[at].key, key);
        attributes->count++;
    }
    text_clear(&attributes->list[at].value);
    text_append_slice(&attributes->list[at].value, value);
}

static bool set_all(struct attributes *attributes, struct slice list) {
    struct text key = {0};
    struct text value = {0};
    bool good = true;
    while (good && list.length > 0) {
        good = pair_list_take(&list, &key, &value);
        if (good) {
            set(attributes, text_slice(&key), text_slice(&value));
        }
    }
    text_free(&key);
    text_free(&value);
    return good;
}

static void add_attribute(struct json_writer *json, const struct attribute *attribute) {
    json_open_object(json, NULL);
    json_add_slice(json, "key", text_slice(&attribute->key));
    json_open_object(json, "value");
    json_add_slice(json, "stringValue", text_slice(&attribute->value));
    json_close_object(json);
    json_close_object(json);
}

bool otlp_resource_append(struct text *out, const char *service, const char *version, const char *attributes) {
    static const struct slice service_name = SLICE_INITIALIZER("service.name");
    struct attributes merged = {0};
    set(&merged, service_name, SLICE_LITERAL(SERVICE_DEFAULT));
    set(&merged, SLICE_LITERAL("service.version"), slice_of(version));
    const char *replica = replica_name();
    if (replica != NULL) {
        set(&merged, SLICE_LITERAL("service.instance.id"), slice_of(replica));
        set(&merged, SLICE_LITERAL("bank.replica"), slice_of(replica));
    }
    bool good = attributes == NULL || set_all(&merged, slice_of(attributes));
    if (service != NULL) {
        set(&merged, service_name, slice_of(service));
        good = good && slice_is_utf8(slice_of(service));
    }
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_open_array(&json, "attributes");
    for (size_t i = 0; i < merged.count; i++) {
        add_attribute(&json, &merged.list[i]);
        text_free(&merged.list[i].key);
        text_free(&merged.list[i].value);
    }
    json_close_array(&json);
    json_close_object(&json);
    free(merged.list);
    return good;
}
