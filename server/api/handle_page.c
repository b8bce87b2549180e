// GET /, /docs, /explore, /openapi.json and /page/{name}: the files of server/page/, from the program itself. Loop
// thread.
#include "observability/base/base.h"
#include "server/api/parameters.h"
#include "server/api/routes.h"
#include "server/assets/assets.h"
#include "server/http/http.h"

// The page reads its own query (the link to a race), so none is refused here.
void handle_page(struct exchange *exchange) {
    static const struct {
        const char *path, *name;
    } pages[] = {{"/", "index.html"},
                 {"/docs", "docs.html"},
                 {"/explore", "explore.html"},
                 {"/play", "play.html"},
                 {"/openapi.json", "openapi.json"}};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (slice_equals(exchange->request->path, slice_of(pages[i].path))) {
            assets_respond(exchange->conn, exchange->request, slice_of(pages[i].name));
            return;
        }
    }
    CHECK(false); // the routes name no other path
}

void handle_page_file(struct exchange *exchange) {
    struct text name = {0};
    if (parameters_take_path(exchange, "name", &name)) {
        assets_respond(exchange->conn, exchange->request, text_slice(&name));
    }
    text_free(&name);
}
