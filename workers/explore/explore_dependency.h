// The dependency graph of an order: explore_name.c finds the anomaly's name in it, and explore_graph.c draws it for the
// reader. Private to workers/explore.
#ifndef WORKERS_EXPLORE_EXPLORE_DEPENDENCY_H
#define WORKERS_EXPLORE_EXPLORE_DEPENDENCY_H

#include "workers/explore/explore.h"

struct explorer;

// An edge of the graph, by the numbers of the sessions, steps and rows.
struct dependency {
    uint8_t from, to;
    enum explore_dependency kind;
    uint32_t from_step, to_step;
    unsigned table;
    uint64_t row;
};

struct dependencies {
    struct dependency *items; // freed with free()
    size_t count;
    uint8_t cycle[EXPLORE_CYCLE_MAX]; // the sessions of the cycle that gave the name
    size_t cycle_length;
};

// The name of the anomaly of an order, or NULL. A constant text. The edges are added to `dependencies`, which may be
// NULL.
MUST_CHECK const char *explore_name(const struct explorer *explorer, const struct sql_case *explored,
                                    enum case_level level, const struct explore_run *run,
                                    struct dependencies *dependencies);

// Gives an anomalous outcome its graph, in the memory of its run. Runs the loop to ask for the names of the rows.
void explore_draw_graph(struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                        struct explore_outcome *outcome);

#endif
