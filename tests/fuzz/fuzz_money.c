// Every amount that parses is in range, and parsing its printed text gives the same amount.
#include "workers/money/money.h"

#include <stdint.h>

#define LARGEST INT64_C(999999999999999)
#define LARGEST_SUM INT64_C(4611686018427387903)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum money_parse_result parser(struct slice decimal, int64_t *cents);

static void check_parser(parser *parse, struct slice input, int64_t largest) {
    int64_t cents = 0;
    if (parse(input, &cents) != MONEY_PARSED) {
        CHECK(cents == 0);
        return;
    }
    CHECK(cents >= -largest && cents <= largest);
    char printed[MONEY_TEXT_LENGTH];
    struct text json = {0};
    int64_t again = -1;
    money_format(cents, printed);
    CHECK(parse(slice_of(printed), &again) == MONEY_PARSED && again == cents);
    money_append_json(&json, cents);
    CHECK(parse((struct slice){json.data, json.length}, &again) == MONEY_PARSED && again == cents);
    text_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice input = {(const char *)data, size};
    check_parser(money_parse, input, LARGEST);
    check_parser(money_parse_sum, input, LARGEST_SUM);
    return 0;
}
