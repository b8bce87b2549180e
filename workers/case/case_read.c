// Reads the file of a case, checks that it is a text, and gives it to the reader of its kind.
#include "workers/case/case_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct kind {
    const char *suffix;
    bool (*read)(struct case_reader *reader);
} kinds[] = {
    {".sql", case_read_sql},      {".spec", case_read_spec},
    {".md", case_read_hermitage}, {".markdown", case_read_hermitage},
    {".json", case_read_log},     {".csv", case_read_log},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct kind *kind_of(const char *path) {
    for (size_t i = 0; i < KINDS; i++) {
        if (slice_ends_with(slice_of(path), slice_of(kinds[i].suffix))) {
            return &kinds[i];
        }
    }
    return NULL;
}

static bool read_all(struct case_reader *reader, int file, struct text *content) {
    ssize_t got;
    do {
        text_reserve(content, 64 * 1024);
        got = read(file, content->data + content->length, content->capacity - content->length);
        content->length += got > 0 ? (size_t)got : 0;
    } while ((got > 0 || (got < 0 && errno == EINTR)) && content->length <= CASE_FILE_BYTES_MAX);
    if (got < 0) {
        return case_complain(reader, 0, "cannot be read: %s", strerror(errno));
    }
    if (content->length > CASE_FILE_BYTES_MAX) {
        return case_complain(reader, 0, "is larger than %d MiB: a case is the setup and a few short sessions",
                             CASE_FILE_BYTES_MAX / 1024 / 1024);
    }
    return true;
}

// A FIFO or a terminal would block, a directory has no text.
static bool load(struct case_reader *reader, struct text *content) {
    int file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        return case_complain(reader, 0, "cannot be opened: %s", strerror(errno));
    }
    struct stat status;
    bool loaded = false;
    if (fstat(file, &status) != 0) {
        loaded = case_complain(reader, 0, "cannot be read: %s", strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        loaded = case_complain(reader, 0, "is a directory: give the files in it");
    } else if (!S_ISREG(status.st_mode)) {
        loaded = case_complain(reader, 0, "is not a regular file");
    } else {
        loaded = read_all(reader, file, content);
    }
    close(file);
    return loaded;
}

static int line_of(struct slice content, size_t at) {
    int line = 1;
    for (size_t i = 0; i < at; i++) {
        line += content.data[i] == '\n';
    }
    return line;
}

static bool is_text(struct case_reader *reader) {
    struct slice content = reader->content;
    if (content.data == NULL || content.length == 0) {
        return case_complain(reader, 0, "is empty");
    }
    const char *nul = memchr(content.data, '\0', content.length);
    if (nul != NULL) {
        return case_complain(reader, line_of(content, (size_t)(nul - content.data)),
                             "there is a NUL byte: the file is not a text");
    }
    size_t length;
    for (size_t i = 0; i < content.length; i += length) {
        length = utf8_character_length((struct slice){content.data + i, content.length - i});
        if (length == 0) {
            return case_complain(reader, line_of(content, i), "the byte 0x%02X is not UTF-8: convert the file to UTF-8",
                                 (unsigned char)content.data[i]);
        }
    }
    return true;
}

// An editor may have put a byte order mark before the text.
static void skip_byte_order_mark(struct slice *content) {
    if (slice_starts_with(*content, SLICE_LITERAL("\xEF\xBB\xBF"))) {
        *content = (struct slice){content->data + 3, content->length - 3};
    }
}

static bool take_content(struct case_reader *reader, struct slice content) {
    reader->content = content;
    skip_byte_order_mark(&reader->content);
    return is_text(reader);
}

bool case_load(struct case_reader *reader, struct text *content) {
    return load(reader, content) && take_content(reader, text_slice(content));
}

static bool find_kind(struct case_reader *reader, const struct kind **kind) {
    *kind = kind_of(reader->path);
    if (*kind == NULL && slice_ends_with(slice_of(reader->path), SLICE_LITERAL(".pgbench"))) {
        return case_complain(reader, 0, "is the script of one session: give it with --session");
    }
    return *kind != NULL || case_complain(reader, 0,
                                          "has no suffix that says its kind: .sql, .spec, .md, .json or .csv is "
                                          "expected");
}

bool case_read(const char *path, struct case_list *list, struct text *problem) {
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.path = path, .list = list, .problem = problem};
    const struct kind *kind = NULL;
    struct text content = {0};
    bool is_read = find_kind(&reader, &kind) && case_load(&reader, &content) && kind->read(&reader);
    text_free(&content);
    return is_read;
}

bool case_read_text(const char *path, struct slice content, struct case_list *list, struct text *problem) {
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.path = path, .list = list, .problem = problem};
    const struct kind *kind = NULL;
    return find_kind(&reader, &kind) && take_content(&reader, content) && kind->read(&reader);
}

void case_list_free(struct case_list *list) {
    case_memory_free(list->memory);
    *list = (struct case_list){0};
}
