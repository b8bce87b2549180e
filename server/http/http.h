// HTTP/1.1 on the loop thread: connections, requests and responses. Nothing in this folder knows the bank.
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include "server/http/authority.h"
#include "server/http/conn.h"
#include "server/http/content_type.h"
#include "server/http/guard.h"
#include "server/http/http_limits.h"
#include "server/http/http_request.h"
#include "server/http/http_response.h"
#include "server/http/listen_socket.h"
#include "server/http/problem.h"
#include "server/http/query.h"

#endif
