// A body is either understood or refused with a reason; an understood body can be written and read again.
#include "server/http/problem.h"
#include "server/json/json_read.h"
#include "workers/money/money.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_problem(int status, struct text *problem) {
    CHECK(status == 200 || status == 400 || status == 422);
    CHECK((status == 200) == (problem->length == 0));
    if (status != 200) { // a problem may quote a name of the body; the answer must be UTF-8
        struct text answer = {0};
        struct http_response response = problem_response(&answer, status, text_slice(problem), NULL);
        CHECK(slice_is_utf8(response.body));
        text_free(&answer);
    }
    text_clear(problem);
}

static void check_transfer(const struct transfer_request *request) {
    struct slice from = slice_of(request->from_account);
    struct slice to = slice_of(request->to_account);
    CHECK(request->amount > 0 && request->amount <= TRANSFER_AMOUNT_MAX_CENTS);
    CHECK(from.length > 0 && slice_is_utf8(from) && to.length > 0 && slice_is_utf8(to) && !slice_equals(from, to));
    struct text body = {0};
    struct text problem = {0};
    struct transfer_request again = {0};
    struct json_writer json = {.out = &body};
    json_open_object(&json, NULL);
    json_add_money(&json, "amount", request->amount);
    json_add_slice(&json, "to_account", to);
    json_add_slice(&json, "from_account", from);
    json_close_object(&json);
    CHECK(json_read_transfer((struct slice){body.data, body.length}, &again, &problem) == 200);
    CHECK(again.amount == request->amount);
    CHECK(slice_equals(slice_of(again.from_account), from) && slice_equals(slice_of(again.to_account), to));
    text_free(&problem);
    text_free(&body);
}

static void check_settings(const struct settings_change *change) {
    struct settings settings;
    struct text problem = {0};
    settings_defaults(&settings);
    bool applied = settings_apply(&settings, change, TRANSFER_SLOTS(WORKER_THREADS_MAX), &problem);
    CHECK(applied == (problem.length == 0));
    CHECK(settings.barrier_count >= BARRIER_COUNT_MIN && settings.delay_ms <= DELAY_MS_MAX);
    text_free(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice body = {(const char *)data, size};
    struct text problem = {0};
    struct transfer_request request = {0};
    int status = json_read_transfer(body, &request, &problem);
    check_problem(status, &problem);
    if (status == 200) {
        check_transfer(&request);
    }
    struct text strategy = {0};
    struct settings_change change = {0};
    status = json_read_settings(body, &change, &strategy, &problem);
    check_problem(status, &problem);
    if (status == 200) {
        check_settings(&change);
    }
    text_free(&strategy);
    text_free(&problem);
    return 0;
}
