// Writes a bound parameter as an SQL literal. Pure.
#ifndef SERVER_PROXY_PROVE_LITERAL_H
#define SERVER_PROXY_PROVE_LITERAL_H

#include "server/sight/sight.h"

// `type`: its oid; 0: unknown. False: the value is in a binary form that is not read here, and nothing is appended.
MUST_CHECK bool literal_append(struct text *out, struct sight_value value, uint32_t type);
// Appends the SQL with a literal in the place of each $N. There may be fewer types than values. 0: good; else the
// number of the parameter that cannot be written.
MUST_CHECK size_t literal_append_sql(struct text *out, struct slice sql, const struct sight_value *values, size_t count,
                                     const uint32_t *types, size_t type_count);

#endif
