// Reads statements from the tree of PostgreSQL's grammar, which libpg_query writes as JSON. Its JSON is used and not
// its protobuf: jansson is there, and it was three times as fast. https://github.com/pganalyze/libpg_query
// sql_read_tree() > read_statement() > one function for each kind of statement.
#include "server/sight/sight_sql.h"

#ifdef SIGHT_HAS_GRAMMAR

#include <jansson.h>
#include <pg_query.h>
#include <stdlib.h>

enum { LIST_MAX = 256, CONDITIONS_MAX = 32 }; // more columns, tables and conditions of a statement are left out

struct reader {
    struct sql_text *text;
    struct sql_statement *out;
    bool has_other_tables; // FROM of an UPDATE, USING of a DELETE, a join: a bare column may be of another table
};

static const json_t *get(const json_t *object, const char *name) {
    return json_object_get(object, name);
}

static const char *string_in(const json_t *object, const char *name) {
    const char *value = json_string_value(get(object, name));
    return value != NULL ? value : "";
}

static bool is_string_in(const json_t *object, const char *name, const char *expected) {
    return strcmp(string_in(object, name), expected) == 0;
}

// {"String":{"sval":"x"}}; before version 15 "str".
static const char *name_of(const json_t *node) {
    const json_t *string = get(node, "String");
    const char *name = json_string_value(get(string, "sval"));
    return name != NULL ? name : json_string_value(get(string, "str"));
}

static const char *last_name(const json_t *names) {
    return name_of(json_array_get(names, json_array_size(names) - 1));
}

static const char *copy(struct reader *reader, const char *name) {
    return arena_copy(&reader->text->memory, slice_of(name));
}

static bool is_one_of(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

// --- Constants ---

static uint32_t type_of_cast(const json_t *type) {
    static const struct {
        const char *name;
        uint32_t type;
    } types[] = {{"bool", 16},      {"int8", 20},     {"int2", 21},      {"int4", 23},  {"text", 25},
                 {"varchar", 1043}, {"bpchar", 1042}, {"numeric", 1700}, {"uuid", 2950}};
    const char *name = last_name(get(type, "names"));
    bool is_array = json_array_size(get(type, "arrayBounds")) > 0;
    bool is_narrowed = json_array_size(get(type, "typmods")) > 0; // varchar(3) cuts the value
    for (size_t i = 0; name != NULL && !is_array && !is_narrowed && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(name, types[i].name) == 0) {
            return types[i].type;
        }
    }
    return 0;
}

static void read_integer(struct reader *reader, const json_t *constant, struct sql_constant *out) {
    const json_t *value = get(get(constant, "ival"), "ival");
    // Version 15 leaves out zero and negative numbers alike, so the text has to say which it is.
    size_t place = (size_t)json_integer_value(get(constant, "location"));
    if (value != NULL || (place < reader->text->sql.length && reader->text->sql.data[place] == '0')) {
        struct text digits = {0};
        text_append_signed(&digits, json_integer_value(value));
        out->text = arena_copy(&reader->text->memory, text_slice(&digits));
        out->type = 23;
        text_free(&digits);
    }
}

static void read_literal(struct reader *reader, const json_t *constant, struct sql_constant *out) {
    if (get(constant, "ival") != NULL) {
        read_integer(reader, constant, out);
    } else if (get(constant, "fval") != NULL) {
        *out = (struct sql_constant){copy(reader, string_in(get(constant, "fval"), "fval")), 0, 1700};
    } else if (get(constant, "boolval") != NULL) {
        bool value = json_is_true(get(get(constant, "boolval"), "boolval"));
        *out = (struct sql_constant){value ? "t" : "f", 0, 16};
    } else if (get(constant, "sval") != NULL) {
        const char *value = string_in(get(constant, "sval"), "sval");
        // With standard_conforming_strings off the server reads a backslash as an escape.
        *out = strchr(value, '\\') != NULL ? (struct sql_constant){0}
                                           : (struct sql_constant){copy(reader, value), 0, 705};
    }
}

static struct sql_constant read_constant(struct reader *reader, const json_t *node) {
    struct sql_constant out = {0};
    const json_t *cast = get(node, "TypeCast");
    if (cast != NULL) {
        uint32_t type = type_of_cast(get(cast, "typeName"));
        const json_t *inner = get(cast, "arg");
        if (type != 0 && get(inner, "TypeCast") == NULL) {
            out = read_constant(reader, inner);
            out.type = out.text != NULL || out.parameter != 0 ? type : 0;
        }
        return out;
    }
    const json_t *parameter = get(node, "ParamRef");
    if (parameter != NULL) {
        out.parameter = (unsigned)json_integer_value(get(parameter, "number"));
    } else if (get(node, "A_Const") != NULL) {
        read_literal(reader, get(node, "A_Const"), &out);
    }
    return out;
}

// --- Columns ---

// The name of a column of the statement's table, or NULL.
static const char *own_column(const struct reader *reader, const json_t *node) {
    const json_t *fields = get(get(node, "ColumnRef"), "fields");
    size_t count = json_array_size(fields);
    const char *name = count > 0 ? last_name(fields) : NULL;
    if (name == NULL || reader->out->table == NULL) {
        return NULL;
    }
    if (count == 1) {
        return reader->has_other_tables ? NULL : name;
    }
    const char *qualifier = name_of(json_array_get(fields, count - 2));
    const char *own = reader->out->alias != NULL ? reader->out->alias : reader->out->table;
    return qualifier != NULL && strcmp(qualifier, own) == 0 ? name : NULL;
}

typedef void visit_fn(struct reader *reader, const json_t *node, void *data);

// Calls `visit` for each object of a tree. A subquery has an older snapshot than the row that a lock has waited for, so
// its columns are no guard: `into_subqueries` false leaves it out.
static void walk(struct reader *reader, const json_t *node, bool into_subqueries, visit_fn *visit, void *data) {
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++) {
            walk(reader, json_array_get(node, i), into_subqueries, visit, data);
        }
    } else if (json_is_object(node)) {
        visit(reader, node, data);
        void *at = json_object_iter((json_t *)(uintptr_t)node);
        for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)node, at)) {
            if (into_subqueries || strcmp(json_object_iter_key(at), "SubLink") != 0) {
                walk(reader, json_object_iter_value(at), into_subqueries, visit, data);
            }
        }
    }
}

struct condition_list {
    struct sql_condition *items;
    size_t count;
};

static void add_condition(struct condition_list *list, struct sql_condition condition) {
    if (list->count < CONDITIONS_MAX) {
        list->items[list->count++] = condition;
    }
}

static void visit_guard(struct reader *reader, const json_t *node, void *data) {
    const char *column = own_column(reader, node);
    if (column != NULL) {
        add_condition(data, (struct sql_condition){.column = copy(reader, column)});
    }
}

// --- WHERE ---

static bool read_values(struct reader *reader, const json_t *right, struct sql_condition *out) {
    const json_t *items = get(get(right, "List"), "items");
    size_t count = items != NULL ? MIN(json_array_size(items), (size_t)LIST_MAX) : 1;
    struct sql_constant *values = arena_allocate(&reader->text->memory, MAX(count, (size_t)1) * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = read_constant(reader, items != NULL ? json_array_get(items, i) : right);
        if (values[i].text == NULL && values[i].parameter == 0) {
            return false;
        }
    }
    out->values = values;
    out->count = count;
    return count > 0 && (items == NULL || count == json_array_size(items));
}

static bool read_equality(struct reader *reader, const json_t *term, struct condition_list *list) {
    const json_t *expression = get(term, "A_Expr");
    bool is_in = is_string_in(expression, "kind", "AEXPR_IN");
    const char *operator= last_name(get(expression, "name"));
    if ((!is_in && !is_string_in(expression, "kind", "AEXPR_OP")) || operator== NULL || strcmp(operator, "=") != 0) {
        return false;
    }
    const json_t *left = get(expression, "lexpr");
    const json_t *right = get(expression, "rexpr");
    if (!is_in && get(left, "ColumnRef") == NULL) {
        const json_t *swapped = left;
        left = right;
        right = swapped;
    }
    const char *column = own_column(reader, left);
    struct sql_condition condition = {.is_equality = true};
    if (column == NULL || !read_values(reader, right, &condition)) {
        return false;
    }
    condition.column = copy(reader, column);
    add_condition(list, condition);
    return true;
}

static void read_term(struct reader *reader, const json_t *term, struct condition_list *list) {
    const json_t *both = get(term, "BoolExpr");
    if (both != NULL && is_string_in(both, "boolop", "AND_EXPR")) {
        const json_t *terms = get(both, "args");
        for (size_t i = 0; i < json_array_size(terms); i++) {
            read_term(reader, json_array_get(terms, i), list);
        }
    } else if (!read_equality(reader, term, list)) {
        reader->out->where_is_plain = false;
        walk(reader, term, false, visit_guard, list);
    }
}

static void read_where(struct reader *reader, const json_t *where) {
    struct condition_list list = {0};
    list.items = arena_allocate(&reader->text->memory, (where == NULL ? 1 : CONDITIONS_MAX) * sizeof *list.items);
    reader->out->where_is_plain = !reader->has_other_tables;
    if (where != NULL) {
        read_term(reader, where, &list);
    }
    reader->out->conditions = list.items;
    reader->out->condition_count = list.count;
}

// --- Statements ---

static void read_relation(struct reader *reader, const json_t *relation) {
    const char *schema = json_string_value(get(relation, "schemaname"));
    const char *name = json_string_value(get(relation, "relname"));
    const char *alias = json_string_value(get(get(relation, "alias"), "aliasname"));
    reader->out->schema = schema != NULL ? copy(reader, schema) : NULL;
    reader->out->table = name != NULL ? copy(reader, name) : NULL;
    reader->out->alias = alias != NULL ? copy(reader, alias) : NULL;
}

static void visit_relative(struct reader *reader, const json_t *node, void *data) {
    bool *is_relative = data;
    *is_relative |= own_column(reader, node) != NULL;
}

static void read_assignments(struct reader *reader, const json_t *targets) {
    size_t count = MIN(json_array_size(targets), (size_t)LIST_MAX);
    struct sql_assignment *list = arena_allocate(&reader->text->memory, MAX(count, (size_t)1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const json_t *target = get(json_array_get(targets, i), "ResTarget");
        list[i].column = copy(reader, string_in(target, "name"));
        list[i].value = read_constant(reader, get(target, "val"));
        walk(reader, get(target, "val"), false, visit_relative, &list[i].is_relative);
    }
    reader->out->assignments = list;
    reader->out->assignment_count = count;
}

static void read_update(struct reader *reader, const json_t *update) {
    read_relation(reader, get(update, "relation"));
    reader->has_other_tables = json_array_size(get(update, "fromClause")) > 0;
    reader->out->is_joined = reader->has_other_tables;
    reader->out->verb = SIGHT_UPDATE;
    read_where(reader, get(update, "whereClause"));
    read_assignments(reader, get(update, "targetList"));
}

static void read_delete(struct reader *reader, const json_t *delete) {
    read_relation(reader, get(delete, "relation"));
    reader->has_other_tables = json_array_size(get(delete, "usingClause")) > 0;
    reader->out->is_joined = reader->has_other_tables;
    reader->out->verb = SIGHT_DELETE;
    read_where(reader, get(delete, "whereClause"));
}

// The columns and values of one inserted row. Several rows, or those of a SELECT, are left unknown.
static void read_insert(struct reader *reader, const json_t *insert) {
    read_relation(reader, get(insert, "relation"));
    reader->out->verb = SIGHT_INSERT;
    reader->out->is_upsert = is_string_in(get(insert, "onConflictClause"), "action", "ONCONFLICT_UPDATE");
    const json_t *columns = get(insert, "cols");
    const json_t *rows = get(get(get(insert, "selectStmt"), "SelectStmt"), "valuesLists");
    const json_t *values = get(get(json_array_get(rows, 0), "List"), "items");
    size_t count = json_array_size(columns);
    if (json_array_size(rows) != 1 || json_array_size(values) != count || count > LIST_MAX) {
        return;
    }
    struct sql_assignment *list = arena_allocate(&reader->text->memory, MAX(count, (size_t)1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i].column = copy(reader, string_in(get(json_array_get(columns, i), "ResTarget"), "name"));
        list[i].value = read_constant(reader, json_array_get(values, i));
    }
    reader->out->assignments = list;
    reader->out->assignment_count = count;
}

struct tables {
    const char *names[LIST_MAX];
    size_t count;
};

static void visit_select(struct reader *reader, const json_t *node, void *data) {
    static const char *const aggregates[] = {"count",    "sum",   "min",       "max",      "avg",       "bool_or",
                                             "bool_and", "every", "array_agg", "json_agg", "jsonb_agg", "string_agg"};
    struct tables *tables = data;
    const json_t *relation = get(node, "RangeVar");
    const json_t *call = get(node, "FuncCall");
    const char *function = call != NULL ? last_name(get(call, "funcname")) : NULL;
    reader->out->is_check |= is_string_in(get(node, "SubLink"), "subLinkType", "EXISTS_SUBLINK") ||
                             is_one_of(function, aggregates, sizeof aggregates / sizeof aggregates[0]);
    reader->out->takes_other_lock |= function != NULL && strstr(function, "advisory") != NULL &&
                                     strstr(function, "lock") != NULL;
    reader->out->locks |= get(node, "LockingClause") != NULL;
    if (relation != NULL && tables->count < LIST_MAX) {
        struct text name = {0};
        const char *schema = string_in(relation, "schemaname");
        text_append_string(&name, schema);
        text_append_string(&name, schema[0] != '\0' ? "." : "");
        text_append_string(&name, string_in(relation, "relname"));
        tables->names[tables->count++] = arena_copy(&reader->text->memory, text_slice(&name));
        text_free(&name);
    }
}

static void read_select(struct reader *reader, const json_t *select) {
    struct tables tables = {.count = 0};
    const json_t *from = get(select, "fromClause");
    const json_t *only = json_array_size(from) == 1 ? get(json_array_get(from, 0), "RangeVar") : NULL;
    reader->out->verb = SIGHT_SELECT;
    reader->out->schema = reader->out->table = reader->out->alias = NULL;
    if (only != NULL && get(select, "withClause") == NULL) { // the name may be that of a WITH query
        read_relation(reader, only);
    }
    walk(reader, select, true, visit_select, &tables);
    read_where(reader, get(select, "whereClause"));
    bool is_cut = get(select, "limitOffset") != NULL || get(select, "havingClause") != NULL ||
                  get(select, "withClause") != NULL || only == NULL;
    reader->out->where_is_plain &= !is_cut;
    const char **names = arena_allocate(&reader->text->memory, (tables.count + 1) * sizeof *names);
    memcpy(names, tables.names, tables.count * sizeof *names);
    reader->out->tables = names;
    reader->out->table_count = tables.count;
}

static void read_statement(struct reader *reader, const json_t *statement) {
    struct sql_statement *out = reader->out;
    const json_t *cursor = get(statement, "DeclareCursorStmt");
    const json_t *copied = get(statement, "CopyStmt");
    const json_t *truncate = get(statement, "TruncateStmt");
    statement = cursor != NULL ? get(cursor, "query") : statement;
    if (get(statement, "SelectStmt") != NULL) {
        read_select(reader, get(statement, "SelectStmt"));
    } else if (get(statement, "UpdateStmt") != NULL) {
        read_update(reader, get(statement, "UpdateStmt"));
    } else if (get(statement, "DeleteStmt") != NULL) {
        read_delete(reader, get(statement, "DeleteStmt"));
    } else if (get(statement, "InsertStmt") != NULL) {
        read_insert(reader, get(statement, "InsertStmt"));
    } else if (copied != NULL) {
        read_relation(reader, get(copied, "relation"));
        out->verb = json_is_true(get(copied, "is_from")) ? SIGHT_INSERT : SIGHT_SELECT;
    } else if (truncate != NULL) {
        read_relation(reader, get(json_array_get(get(truncate, "relations"), 0), "RangeVar"));
        out->verb = SIGHT_DELETE;
    }
    out->is_precise = true;
}

bool sql_read_tree(struct sql_text *text) {
    if (text->count == 0 || memchr(text->sql.data, '\0', text->sql.length) != NULL) {
        return false;
    }
    PgQueryParseResult result = pg_query_parse(text->sql.data);
    json_t *root = result.error == NULL ? json_loads(result.parse_tree, 0, NULL) : NULL;
    const json_t *statements = get(root, "stmts");
    bool is_parsed = json_array_size(statements) == text->count; // both readers saw the same statements
    for (size_t i = 0; is_parsed && i < text->count; i++) {
        struct reader reader = {.text = text, .out = &text->statements[i]};
        read_statement(&reader, get(json_array_get(statements, i), "stmt"));
    }
    json_decref(root);
    pg_query_free_parse_result(result);
    return is_parsed;
}

bool sight_has_grammar(void) {
    return true;
}

#else

bool sql_read_tree(struct sql_text *text) {
    (void)text;
    return false;
}

bool sight_has_grammar(void) {
    return false;
}

#endif
