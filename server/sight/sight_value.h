// Values of a key as canonical text: text '42', int4 42 and int8 42 are the same key.
#ifndef SERVER_SIGHT_SIGHT_VALUE_H
#define SERVER_SIGHT_SIGHT_VALUE_H

#include "server/sight/sight.h"

// Appends the canonical text of a value to `out`. `type` is the type of the value, `column_type` that of the column it
// is compared with; type 0 is the column's. Returns false if the type has no canonical text here (dates and floats
// depend on settings of the session), or the value is NULL or malformed; `out` is then unchanged.
MUST_CHECK bool sight_value_append(struct text *out, struct sight_value value, uint32_t type, uint32_t column_type);

// The number of rows in the tag of CommandComplete; 0: it has none.
MUST_CHECK uint64_t sight_value_rows(struct slice tag);

#endif
