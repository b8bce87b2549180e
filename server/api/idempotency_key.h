// The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). Loop thread.
#ifndef SERVER_API_IDEMPOTENCY_KEY_H
#define SERVER_API_IDEMPOTENCY_KEY_H

#include "observability/base/base.h"

// Reads the value of the header: a string in quotes as the draft requires (RFC 8941), or the bare key that many clients
// send. Both are the same key. `out` is then a copy that the caller frees. False: the answer is a 400 with `problem`.
MUST_CHECK bool idempotency_key_read(struct slice value, char **out, struct text *problem);

#endif
