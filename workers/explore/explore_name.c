// Names the anomaly of an order from its dependency graph (Adya, "Weak Consistency", MIT 1999; Berenson et al., "A
// Critique of ANSI SQL Isolation Levels", SIGMOD 1995). The outcome decides that there is an anomaly; the graph only
// names it. If the graph shows no cycle of two or three sessions, the anomaly has no name.
#include "workers/explore/explore_internal.h"

enum { EDGE_KINDS = 3 };

// Which edges lead from one session to another: by a row, or by the rows that a condition selects.
struct edges {
    bool item[EDGE_KINDS], predicate[EDGE_KINDS];
};

struct naming {
    const struct explorer *explorer;
    const struct sql_case *explored;
    enum case_level level;
    const struct explore_run *run;
    struct edges edges[CASE_SESSIONS_MAX][CASE_SESSIONS_MAX]; // [from][to]
    bool overwrites[CASE_SESSIONS_MAX][CASE_SESSIONS_MAX];    // from read a row that to wrote, and from wrote it later
    bool reads_again[CASE_SESSIONS_MAX][CASE_SESSIONS_MAX];   // from read a row before and after to wrote it
    struct dependencies *dependencies;                        // the edges with their steps and rows, or NULL
};

void explore_append_step(const struct sql_case *explored, const struct explore_step *step, struct text *out) {
    text_append_string(out, explored->sessions[step->session].instructions[step->instruction].name);
    // The COMMIT of an autocommit statement, and the check of what is deferred.
    text_append_string(out, step->is_commit ? "c" : step->is_check ? "d" : "");
}

void explore_append_order(const struct sql_case *explored, const struct explore_run *run, struct text *out) {
    for (size_t i = 0; i < run->step_count; i++) {
        text_append_string(out, i == 0 ? "" : " ");
        explore_append_step(explored, &run->steps[i], out);
    }
}

static const struct footprint *footprint_of(const struct naming *naming, const struct explore_step *step) {
    return &naming->explorer->footprints[step->session][step->instruction];
}

// False: another step of the run stands for what this one has read and written. A COMMIT has read what its check has;
// the check of a lone statement has a part of the statement's footprint.
static bool has_footprint(const struct naming *naming, const struct explore_step *step) {
    const struct cell *cell = naming->explorer->cells[0];
    bool is_explicit = cell->shapes[step->session][step->instruction].commits;
    return !step->is_commit && (step->is_check ? is_explicit : !(is_explicit && cell->has_deferrable));
}

// The place in the run where the transaction of a step commits; step_count: it does not.
static size_t committed_at(const struct naming *naming, size_t at) {
    const struct explore_step *step = &naming->run->steps[at];
    uint16_t began = footprint_of(naming, step)->began;
    const struct case_statement_shape *shapes = naming->explorer->cells[0]->shapes[step->session];
    bool is_lone = footprint_of(naming, step)->is_lone;
    for (size_t i = at; i < naming->run->step_count; i++) {
        const struct explore_step *later = &naming->run->steps[i];
        if (later->session != step->session || later->sqlstate[0] != '\0') {
            continue;
        }
        bool commits_split = later->is_commit && later->instruction == step->instruction;
        bool commits = shapes[later->instruction].ends_transaction && footprint_of(naming, later)->began == began;
        bool is_whole = is_lone && i == at &&
                        (at + 1 == naming->run->step_count || step->is_commit ||
                         !program_splits(naming->explorer, step->session, step->instruction));
        if (commits_split || commits || is_whole) {
            return i;
        }
    }
    return naming->run->step_count;
}

// The place where the statement's snapshot was taken.
static size_t snapshot_at(const struct naming *naming, size_t at) {
    const struct explore_step *step = &naming->run->steps[at];
    int level = levels_of_session(naming->explorer, step->session, naming->level);
    for (size_t i = 0; level != CASE_READ_COMMITTED && i < at; i++) {
        const struct explore_step *earlier = &naming->run->steps[i];
        if (earlier->session == step->session && !earlier->is_commit && footprint_of(naming, earlier)->count > 0 &&
            footprint_of(naming, earlier)->began == footprint_of(naming, step)->began) {
            return i;
        }
    }
    return at;
}

static bool has_read_before(const struct naming *naming, const struct explore_step *step, const struct touch *touch) {
    const struct footprint *own = footprint_of(naming, step);
    for (uint16_t i = own->began; i < step->instruction; i++) {
        const struct footprint *earlier = &naming->explorer->footprints[step->session][i];
        for (size_t j = 0; j < earlier->count && earlier->began == own->began; j++) {
            if (earlier->touches[j].reads && earlier->touches[j].table == touch->table &&
                earlier->touches[j].row == touch->row) {
                return true;
            }
        }
    }
    return false;
}

// A footprint holds the reads of the statements before as well. A read alone that adds none has repeated them.
static bool reads_now(const struct naming *naming, const struct explore_step *step, const struct touch *touch) {
    if (!touch->reads) {
        return false;
    }
    bool adds = false;
    const struct footprint *own = footprint_of(naming, step);
    for (size_t i = 0; i < own->count; i++) {
        adds |= own->touches[i].reads && !has_read_before(naming, step, &own->touches[i]);
    }
    return adds ? !has_read_before(naming, step, touch)
                : naming->explorer->cells[0]->shapes[step->session][step->instruction].is_read_only;
}

static bool is_predicate(const struct touch *one, const struct touch *other) {
    return one->row == ROW_ANY || other->row == ROW_ANY || one->row == ROW_GAP || other->row == ROW_GAP ||
           one->row == ROW_NEW || other->row == ROW_NEW;
}

static bool meet(const struct touch *one, const struct touch *other) {
    return one->table == other->table &&
           (one->row == other->row || one->row == ROW_ANY || other->row == ROW_ANY ||
            (one->row == ROW_GAP && other->indexes) || (other->row == ROW_GAP && one->indexes));
}

// True if the statement changed no row in this run: "UPDATE 0", "INSERT 0 0".
static bool changed_nothing(const struct naming *naming, const struct explore_step *step) {
    const struct explore_session_run *session = &naming->run->sessions[step->session];
    for (size_t i = 0; i < session->count; i++) {
        const char *tag = session->answers[i].tag;
        size_t length = strlen(tag);
        bool has_zero = length > 2 && tag[length - 1] == '0' && tag[length - 2] == ' ';
        if (session->answers[i].instruction == step->instruction && has_zero && strncmp(tag, "SELECT", 6) != 0) {
            return true;
        }
    }
    return false;
}

static bool is_row(uint64_t row) {
    return row != ROW_ANY && row != ROW_GAP && row != ROW_NEW;
}

static void dependencies_add(struct dependencies *dependencies, const struct dependency *added) {
    for (size_t i = 0; i < dependencies->count; i++) {
        const struct dependency *each = &dependencies->items[i];
        if (each->from == added->from && each->to == added->to && each->kind == added->kind &&
            each->table == added->table && each->row == added->row) {
            return; // the first steps are enough
        }
    }
    if ((dependencies->count & (dependencies->count - 1)) == 0) { // the room is a power of two
        size_t room = dependencies->count == 0 ? 1 : dependencies->count * 2;
        dependencies->items = memory_resize(dependencies->items, room * sizeof *dependencies->items);
    }
    dependencies->items[dependencies->count++] = *added;
}

// Adds an edge from the session of one step of the run to that of another.
static void add_edge(struct naming *naming, size_t from_at, size_t to_at, enum explore_dependency kind,
                     const struct touch *mine, const struct touch *other) {
    uint8_t from = naming->run->steps[from_at].session;
    uint8_t to = naming->run->steps[to_at].session;
    bool predicate = is_predicate(mine, other);
    bool *edge = predicate ? naming->edges[from][to].predicate : naming->edges[from][to].item;
    edge[kind] = true;
    if (naming->dependencies != NULL) {
        dependencies_add(naming->dependencies, &(struct dependency){.from = from,
                                                                    .to = to,
                                                                    .kind = kind,
                                                                    .from_step = (uint32_t)from_at,
                                                                    .to_step = (uint32_t)to_at,
                                                                    .table = mine->table,
                                                                    .row = is_row(mine->row) ? mine->row : other->row});
    }
}

// Adds the edges between a step that read or wrote something and another session's step that wrote it.
static void add_edges(struct naming *naming, size_t at, const struct touch *mine, size_t other_at,
                      const struct touch *other) {
    const struct explore_run *run = naming->run;
    uint8_t them = run->steps[other_at].session;
    size_t theirs = committed_at(naming, other_at);
    if (changed_nothing(naming, &run->steps[other_at]) || theirs == run->step_count || !meet(mine, other) ||
        !(other->writes || other->indexes)) {
        return;
    }
    if (run->steps[at].blocked_by >> them & 1) {
        add_edge(naming, other_at, at, EXPLORE_WR, mine, other); // it read the row anew when it went on
    }
    if (reads_now(naming, &run->steps[at], mine)) {
        bool saw = theirs < snapshot_at(naming, at);
        add_edge(naming, saw ? other_at : at, saw ? at : other_at, saw ? EXPLORE_WR : EXPLORE_RW, mine, other);
    }
    size_t own = committed_at(naming, at);
    if ((mine->writes || mine->indexes) && own < run->step_count && mine->row == other->row && own < theirs) {
        add_edge(naming, at, other_at, EXPLORE_WW, mine, other);
    }
}

static bool touches_row(const struct naming *naming, size_t at, const struct touch *row, bool reads) {
    const struct explore_step *step = &naming->run->steps[at];
    const struct footprint *footprint = footprint_of(naming, step);
    for (size_t i = 0; i < footprint->count; i++) {
        const struct touch *each = &footprint->touches[i];
        bool is_row = each->row == row->row || (each->row == ROW_ANY && reads);
        if (each->table == row->table && is_row && (reads ? reads_now(naming, step, each) : each->writes)) {
            return true;
        }
    }
    return false;
}

// A whole table that is read twice is read again only if the statement is the same.
static bool asks_the_same(const struct naming *naming, size_t before, size_t after, const struct touch *row) {
    const struct explore_step *one = &naming->run->steps[before];
    const struct explore_step *other = &naming->run->steps[after];
    const struct footprint *footprint = footprint_of(naming, one);
    for (size_t i = 0; i < footprint->count; i++) {
        if (footprint->touches[i].table == row->table && footprint->touches[i].row == row->row) {
            return true; // the row itself
        }
    }
    const struct case_instruction *instructions = naming->explored->sessions[one->session].instructions;
    return strcmp(instructions[one->instruction].source, instructions[other->instruction].source) == 0;
}

// Looks for one session that reads a row, lets another one write it, and then writes or reads it itself.
static void look_around_write(struct naming *naming, size_t at, const struct touch *written) {
    const struct explore_step *steps = naming->run->steps;
    size_t committed = committed_at(naming, at);
    if (!written->writes || changed_nothing(naming, &steps[at]) || committed == naming->run->step_count) {
        return;
    }
    for (size_t before = 0; before < committed; before++) {
        if (steps[before].session == steps[at].session || !has_footprint(naming, &steps[before]) ||
            !touches_row(naming, before, written, true)) {
            continue;
        }
        for (size_t after = before; after < naming->run->step_count; after++) {
            if (steps[after].session == steps[before].session && has_footprint(naming, &steps[after])) {
                bool *overwrites = &naming->overwrites[steps[before].session][steps[at].session];
                bool *again = &naming->reads_again[steps[before].session][steps[at].session];
                *overwrites |= touches_row(naming, after, written, false) && !changed_nothing(naming, &steps[after]) &&
                               committed_at(naming, after) > committed &&
                               committed_at(naming, after) < naming->run->step_count;
                *again |= after > before && snapshot_at(naming, after) > committed &&
                          touches_row(naming, after, written, true) && asks_the_same(naming, before, after, written);
            }
        }
    }
}

static void draw(struct naming *naming) {
    const struct explore_run *run = naming->run;
    for (size_t i = 0; i < run->step_count; i++) {
        const struct footprint *mine = footprint_of(naming, &run->steps[i]);
        for (size_t m = 0; m < mine->count && has_footprint(naming, &run->steps[i]); m++) {
            look_around_write(naming, i, &mine->touches[m]);
            for (size_t j = 0; j < run->step_count; j++) {
                const struct footprint *other = footprint_of(naming, &run->steps[j]);
                for (size_t o = 0; o < other->count && run->steps[j].session != run->steps[i].session; o++) {
                    if (has_footprint(naming, &run->steps[j])) {
                        add_edges(naming, i, &mine->touches[m], j, &other->touches[o]);
                    }
                }
            }
        }
    }
}

static bool has_edge(const struct edges *edges, enum explore_dependency kind) {
    return edges->item[kind] || edges->predicate[kind];
}

static bool has_any(const struct edges *edges) {
    return has_edge(edges, EXPLORE_RW) || has_edge(edges, EXPLORE_WR) || has_edge(edges, EXPLORE_WW);
}

// The name of a cycle of two sessions; `there` has a read-write edge.
static const char *name_pair(const struct naming *naming, size_t a, size_t b) {
    const struct edges *there = &naming->edges[a][b];
    const struct edges *back = &naming->edges[b][a];
    if (!has_edge(there, EXPLORE_RW) || !has_any(back)) {
        return NULL;
    }
    if (naming->overwrites[a][b]) {
        return "lost update (P4)";
    }
    if (naming->reads_again[a][b]) {
        return "non-repeatable read (P2)";
    }
    if (has_edge(back, EXPLORE_RW)) {
        return there->item[EXPLORE_RW] && back->item[EXPLORE_RW] ? "write skew (A5B, G2-item)" : "write skew (G2)";
    }
    if (has_edge(back, EXPLORE_WR)) {
        return there->item[EXPLORE_RW] ? "read skew (A5A, G-single)" : "phantom (P3, G-single)";
    }
    return there->item[EXPLORE_RW] ? "G-single" : "phantom (P3, G-single)";
}

static const char *name_triple(const struct naming *naming) {
    size_t count = naming->explored->session_count;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < count; b++) {
            for (size_t c = 0; c < count; c++) {
                if (a != b && b != c && a != c && has_edge(&naming->edges[a][b], EXPLORE_RW) &&
                    has_edge(&naming->edges[b][c], EXPLORE_RW) && has_any(&naming->edges[c][a])) {
                    if (naming->dependencies != NULL) {
                        *naming->dependencies = (struct dependencies){
                            .items = naming->dependencies->items,
                            .count = naming->dependencies->count,
                            .cycle = {(uint8_t)a, (uint8_t)b, (uint8_t)c},
                            .cycle_length = 3,
                        };
                    }
                    return "cycle of three sessions (G2)";
                }
            }
        }
    }
    return NULL;
}

// False: the graph is not known.
static bool draw_graph(struct naming *naming) {
    if (!naming->explorer->knows_footprints) {
        return false;
    }
    for (size_t i = 0; i < naming->run->step_count; i++) {
        const struct footprint *footprint = footprint_of(naming, &naming->run->steps[i]);
        if (!footprint->was_measured || footprint->is_unclear ||
            levels_of_session(naming->explorer, naming->run->steps[i].session, naming->level) < 0) {
            return false;
        }
    }
    draw(naming);
    return true;
}

const char *explore_name(const struct explorer *explorer, const struct sql_case *explored, enum case_level level,
                         const struct explore_run *run, struct dependencies *dependencies) {
    struct naming naming = {
        .explorer = explorer, .explored = explored, .level = level, .run = run, .dependencies = dependencies};
    if (!draw_graph(&naming)) {
        return NULL;
    }
    const char *best = NULL;
    for (uint8_t a = 0; a < explored->session_count; a++) {
        for (uint8_t b = 0; b < explored->session_count; b++) {
            const char *name = a == b ? NULL : name_pair(&naming, a, b);
            if (name != NULL && (best == NULL || strncmp(name, "lost", 4) == 0)) {
                best = name;
                if (dependencies != NULL) {
                    dependencies->cycle[0] = a;
                    dependencies->cycle[1] = b;
                    dependencies->cycle_length = 2;
                }
            }
        }
    }
    return best != NULL ? best : name_triple(&naming);
}
