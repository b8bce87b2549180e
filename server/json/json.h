// JSON in: the bodies that the bank understands. JSON out: its answers and events.
#ifndef SERVER_JSON_JSON_H
#define SERVER_JSON_JSON_H

#include "server/json/json_codec.h"
#include "server/json/json_events.h"
#include "server/json/json_races.h"

#endif
