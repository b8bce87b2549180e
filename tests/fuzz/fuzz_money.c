// Whatever parses is in range and survives being printed and parsed again.
#include "money.h"

#include <stdint.h>

#define LARGEST INT64_C(999999999999999)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int64_t cents = 0;
    if (money_parse((struct slice){(const char *)data, size}, &cents) != MONEY_PARSED) {
        CHECK(cents == 0);
        return 0;
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
    return 0;
}
