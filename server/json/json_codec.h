// JSON in: the bodies the bank understands, and what is wrong with the others. JSON out: its answers.
// Loop thread. Reading is jansson's; writing is ours, because money must not pass through floating point.
#ifndef SERVER_JSON_JSON_CODEC_H
#define SERVER_JSON_JSON_CODEC_H

#include "observability/base/base.h"
#include "server/config/config.h"
#include "workers/bank/bank.h"
#include "workers/transfer/transfer.h"

// The body of POST /transfer into accounts and amount. 200, or the status to answer: 400 for what is no JSON or
// cannot be read (a name twice, deep nesting, half of a surrogate pair), 422 for what is no transfer; then `problem`
// says what to change. `settings.strategy` of `out` is set if the body names one.
MUST_CHECK int json_read_transfer(struct slice body, struct transfer_request *out, struct text *problem);

// The body of POST /admin/settings, likewise. `strategy` in `out` points into `strategy_name`, which the caller frees.
MUST_CHECK int json_read_settings(struct slice body, struct settings_change *out, struct text *strategy_name,
                                  struct text *problem);

void json_write_account(struct text *out, const struct account *account);
void json_write_accounts(struct text *out, const struct account_list *accounts); // [...]
void json_write_record(struct text *out, const struct transfer_record *record);
void json_write_settings(struct text *out, const struct settings *settings);
void json_write_strategy(struct text *out, const struct strategy *strategy, bool selected);
void json_write_audit(struct text *out, const struct audit *audit);

#endif
