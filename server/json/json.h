// JSON in: the bodies that the bank understands. JSON out: the parts that several answers and events have in common.
#ifndef SERVER_JSON_JSON_H
#define SERVER_JSON_JSON_H

#include "server/json/json_events.h"
#include "server/json/json_read.h"
#include "server/json/json_write.h"

#endif
