// From a pointer to a member to the struct that embeds it: libuv hands back its own handle, a list its own link.
#ifndef OBSERVABILITY_BASE_CONTAINER_OF_H
#define OBSERVABILITY_BASE_CONTAINER_OF_H

#include <stddef.h>

// clang-format off
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
// clang-format on

#endif
