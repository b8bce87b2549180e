// JSON in: the bodies that the bank understands, and the reason why it does not understand another. Loop thread.
#ifndef SERVER_JSON_JSON_READ_H
#define SERVER_JSON_JSON_READ_H

#include "observability/base/base.h"
#include "server/config/config.h"
#include "workers/transfer/transfer.h"

// Reads the body of POST /transfer: the accounts, the amount, and `settings.strategy` if the body names one. Returns
// 200, or the status of the answer: 400 for a text that is not JSON or cannot be read (a field named twice, deep
// nesting, half of a surrogate pair), 422 for JSON that is not a transfer. Then `problem` says what to change.
MUST_CHECK int json_read_transfer(struct slice body, struct transfer_request *out, struct text *problem);

// Reads the body of POST /admin/settings in the same way. `strategy` in `out` points into `strategy_name`, which the
// caller frees.
MUST_CHECK int json_read_settings(struct slice body, struct settings_change *out, struct text *strategy_name,
                                  struct text *problem);

#endif
