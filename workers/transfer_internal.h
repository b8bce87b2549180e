// What transfer.c and transfer_steps.c share, and nobody else includes.
#ifndef WORKERS_TRANSFER_INTERNAL_H
#define WORKERS_TRANSFER_INTERNAL_H

#include "log.h"
#include "transfer.h"

// A log line about this transfer.
#define transfer_log(transfer, level, ...)                                                                             \
    log_write((level),                                                                                                 \
              &(struct log_context){.transfer_id = (transfer)->request->id, .trace = &(transfer)->request->trace},     \
              __VA_ARGS__)

#endif
