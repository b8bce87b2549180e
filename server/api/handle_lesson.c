// POST /lesson: where two transfers stand after the steps that a person has chosen. Loop thread.
#include "server/api/api.h"
#include "server/api/exchange.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/http/http.h"
#include "server/lesson/lesson.h"

#include <stdlib.h>

struct lesson_job {
    struct job job; // for its owner: the pool does not have it
    struct lesson_question question;
    struct text name;
};

static void respond_position(struct conn *conn, struct slice json) {
    struct text body = {0};
    text_append_slice(&body, json);
    respond_json(conn, &body);
}

static void respond(struct conn *conn, enum lesson_end end, struct slice words) {
    int length = (int)words.length;
    switch (end) {
    case LESSON_ANSWERED: respond_position(conn, words); return;
    case LESSON_IMPOSSIBLE: conn_respond_problem(conn, 409, "%.*s", length, words.data); return;
    case LESSON_DATABASE:
        conn_respond_problem(conn, 503,
                             "The lesson needs a database of its own, which its PostgreSQL does not give it: %.*s",
                             length, words.data);
        return;
    case LESSON_NO_PROGRAM:
        conn_respond_problem(conn, 503, "The lesson cannot be played: %.*s", length, words.data);
        return;
    case LESSON_BUSY:
        conn_respond_problem(conn, 503, "Too many people play the lesson now: try again in a second");
        return;
    case LESSON_STOPPED: conn_respond_problem(conn, 503, "The server is stopping"); return;
    }
    UNREACHABLE("end of a lesson's question");
}

static void answered(struct lesson_question *question, enum lesson_end end, struct slice words) {
    struct lesson_job *lesson = CONTAINER_OF(question, struct lesson_job, question);
    struct conn *conn = conn_of_job(&lesson->job);
    if (conn != NULL) {
        respond(conn, end, words);
    }
    text_free(&lesson->name);
    free(lesson);
}

// The order as the program wants it. False: it is none.
static bool take_order(struct slice order, char out[static 2 * LESSON_STEPS_MAX]) {
    if (order.length == 0) {
        (void)memcpy(out, "-", 2);
        return true;
    }
    bool is_good = order.length < 2 * LESSON_STEPS_MAX && order.length % 2 == 1;
    for (size_t i = 0; i < order.length && is_good; i++) {
        char letter = order.data[i];
        is_good = i % 2 == 1 ? letter == ',' : letter == 'A' || letter == 'B';
    }
    if (is_good) {
        (void)memcpy(out, order.data, order.length);
        out[order.length] = '\0';
    }
    return is_good;
}

// False: the client has its answer.
static bool take_question(struct exchange *exchange, struct lesson_job *lesson) {
    struct text order = {0};
    struct text names = {0};
    struct query query;
    query_parse(&query, exchange->request->query);
    query_take_text(&query, "name", &lesson->name);
    query_take_text(&query, "order", &order);
    bool is_good = parameters_are_usable(exchange, &query);
    if (is_good && !lesson_exists(text_slice(&lesson->name))) {
        lesson_append_names(&names);
        conn_respond_problem(exchange->conn, 422, "Send the name of a lesson, such as ?name=vulnerable; one of %s",
                             text_terminated(&names));
        is_good = false;
    } else if (is_good && !take_order(text_slice(&order), lesson->question.order)) {
        conn_respond_problem(exchange->conn, 422,
                             "\"order\" names the transfer of each step, such as A,B,B,A, with at most %d steps",
                             LESSON_STEPS_MAX);
        is_good = false;
    }
    text_free(&order);
    text_free(&names);
    return is_good;
}

void handle_lesson(struct exchange *exchange) {
    struct lesson_job *lesson = memory_allocate_zeroed(sizeof *lesson);
    if (!take_question(exchange, lesson)) {
        text_free(&lesson->name);
        free(lesson);
        return;
    }
    lesson->question.name = text_terminated(&lesson->name);
    lesson->question.answered = answered;
    exchange_expect(exchange, &lesson->job);
    lesson_ask(exchange->api->lesson, &lesson->question);
}
