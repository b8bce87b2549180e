// Every amount that parses is in range, and parsing its printed text gives the same amount.
#include "workers/money/money.h"

#include <stdint.h>

#define LARGEST INT64_C(999999999999999)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parsed(struct slice input) {
    int64_t cents = 0;
    if (money_parse(input, &cents) != MONEY_PARSED) {
        CHECK(cents == 0);
        return;
    }
    CHECK(cents >= -LARGEST && cents <= LARGEST);
    char printed[MONEY_TEXT_LENGTH];
    struct text json = {0};
    int64_t again = -1;
    money_format(cents, printed);
    CHECK(money_parse(slice_of(printed), &again) == MONEY_PARSED && again == cents);
    money_append_json(&json, cents);
    CHECK(money_parse((struct slice){json.data, json.length}, &again) == MONEY_PARSED && again == cents);
    text_free(&json);
}

// A valid sum is a JSON number that keeps its value and stays as it is when it is written again.
static void check_sum(struct slice input) {
    if (!money_sum_is_valid(input)) {
        return;
    }
    struct text json = {0};
    struct text again = {0};
    money_sum_append_json(&json, input);
    struct slice written = {json.data, json.length};
    CHECK(money_sum_is_valid(written));
    money_sum_append_json(&again, written);
    CHECK(slice_equals((struct slice){again.data, again.length}, written));
    int64_t cents = 0;
    int64_t of_json = 0;
    CHECK(money_parse(input, &cents) == money_parse(written, &of_json) && cents == of_json);
    text_free(&json);
    text_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice input = {(const char *)data, size};
    check_parsed(input);
    check_sum(input);
    return 0;
}
