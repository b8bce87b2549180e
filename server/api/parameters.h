// A handler's way to read its query and answer what cannot be used. Loop thread.
#ifndef SERVER_API_PARAMETERS_H
#define SERVER_API_PARAMETERS_H

#include "observability/base/base.h"
#include "server/api/exchange.h"
#include "server/http/http.h"

#include <stdbool.h>

// Ends the reading of a query. False: it could not be used, and the client has been told why (422).
MUST_CHECK bool parameters_are_usable(struct exchange *exchange, struct query *query);

// For a route that takes none.
MUST_CHECK bool parameters_are_absent(struct exchange *exchange);

#endif
