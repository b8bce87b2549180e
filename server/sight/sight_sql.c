// A text of SQL with what is known of it, and the cache of these texts.
#include "server/sight/sight_sql.h"

#include <stdlib.h>

enum { CACHE_SLOTS = 1024 };

struct sql_cache {
    struct sql_text *slots[CACHE_SLOTS]; // by hash; a newer text replaces the older one of its slot
    size_t bytes, bytes_max;
};

struct sql_text *sql_text_new(struct slice sql) {
    struct sql_text *text = memory_allocate_zeroed(sizeof *text);
    bool is_cut = sql.length > SQL_LENGTH_MAX;
    sql.length = MIN(sql.length, (size_t)SQL_LENGTH_MAX);
    char *copy = arena_copy(&text->memory, sql);
    text->references = 1;
    text->sql = (struct slice){copy, sql.length};
    text->shown = arena_copy(&text->memory, (struct slice){copy, MIN(sql.length, (size_t)SIGHT_SQL_SHOWN)});
    sql_read_words(text);
    text->is_parsed = !is_cut && sql_read_tree(text);
    text->size = sizeof *text + 4096 + 2 * sql.length + text->count * sizeof *text->statements;
    return text;
}

struct sql_text *sql_text_keep(struct sql_text *text) {
    text->references++;
    return text;
}

void sql_text_release(struct sql_text *text) {
    if (text == NULL) {
        return;
    }
    CHECK(text->references > 0);
    if (--text->references == 0) {
        arena_free(&text->memory);
        free(text);
    }
}

struct sql_cache *sql_cache_new(size_t bytes_max) {
    struct sql_cache *cache = memory_allocate_zeroed(sizeof *cache);
    cache->bytes_max = bytes_max;
    return cache;
}

static void empty_slot(struct sql_cache *cache, struct sql_text **slot) {
    if (*slot != NULL) {
        cache->bytes -= (*slot)->size;
        sql_text_release(*slot);
        *slot = NULL;
    }
}

static void empty_cache(struct sql_cache *cache) {
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        empty_slot(cache, &cache->slots[i]);
    }
}

void sql_cache_free(struct sql_cache *cache) {
    empty_cache(cache);
    free(cache);
}

struct sql_text *sql_cache_get(struct sql_cache *cache, struct slice sql) {
    struct sql_text **slot = &cache->slots[sql_hash(SQL_HASH_START, sql.data, sql.length) % CACHE_SLOTS];
    if (*slot != NULL && slice_equals((*slot)->sql, sql)) {
        return sql_text_keep(*slot);
    }
    struct sql_text *text = sql_text_new(sql);
    empty_slot(cache, slot);
    if (cache->bytes + text->size > cache->bytes_max) {
        empty_cache(cache);
    }
    cache->bytes += text->size;
    *slot = text;
    return sql_text_keep(text);
}

size_t sql_cache_bytes(const struct sql_cache *cache) {
    return cache->bytes;
}
