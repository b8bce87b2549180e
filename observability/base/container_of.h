// CONTAINER_OF() turns a pointer to a member into a pointer to the struct around it. We need it because libuv passes
// its own handle to a callback, and a list its own link. Any thread.
#ifndef OBSERVABILITY_BASE_CONTAINER_OF_H
#define OBSERVABILITY_BASE_CONTAINER_OF_H

#include <stddef.h>

// clang-format off
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
// clang-format on

#endif
