// What server.c and shutdown.c share, and nobody else includes.
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "server/http/http_limits.h"
#include "server/server.h"

enum stop_stage {
    STOP_NOT,      // serving
    STOP_GRACE,    // not accepting; idle connections are read a moment longer
    STOP_DRAINING, // idle connections are closed; the rest may finish
    STOP_FORCED,   // the time is over: jobs were given up on
    STOP_CLOSING,  // every connection and job is gone: the last handles close
};

struct server {
    uv_loop_t *loop;
    struct bank_api *api;
    uv_tcp_t listener;
    uv_timer_t sweep;
    uv_timer_t stop_timer;
    uv_signal_t signals[2];
    struct conn *connections; // a doubly linked list
    unsigned connection_count;
    unsigned connection_limit;
    enum stop_stage stage;
    int64_t realtime_offset_ms; // from loop time to time since 1970
    struct text write_buffer;
    char read_buffer[HTTP_READ_BUFFER];
};

#endif
