// The messages of SCRAM that name its variants. SCRAM-SHA-256-PLUS binds the password to the certificate of the TLS
// connection, so it fails where there are two TLS connections, or one. Pure functions.
// https://www.postgresql.org/docs/current/sasl-authentication.html
#ifndef SERVER_PROXY_SASL_H
#define SERVER_PROXY_SASL_H

#include "observability/base/base.h"

#include <stdbool.h>

// Removes SCRAM-SHA-256-PLUS from an AuthenticationSASL message, which begins with its header. Returns how many bytes
// it is shorter now; 0: it does not name it, or it names nothing else.
MUST_CHECK size_t sasl_remove_binding(char *message, size_t length);
// True if this body of a SASLInitialResponse chooses SCRAM-SHA-256-PLUS.
MUST_CHECK bool sasl_chooses_binding(struct slice body);

#endif
