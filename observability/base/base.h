// The base that every file of the program may use: checks, clocks, text, JSON, random bits.
#ifndef OBSERVABILITY_BASE_BASE_H
#define OBSERVABILITY_BASE_BASE_H

#include "observability/base/arena.h"
#include "observability/base/check.h"
#include "observability/base/clock.h"
#include "observability/base/container_of.h"
#include "observability/base/json_writer.h"
#include "observability/base/pair_list.h"
#include "observability/base/percent.h"
#include "observability/base/random.h"
#include "observability/base/replica_name.h"
#include "observability/base/text.h"

#include <sys/param.h> // MIN and MAX

#endif
