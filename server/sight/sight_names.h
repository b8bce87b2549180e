// The prepared statements and portals of a session. Each is counted: a pending message keeps it after Close.
#ifndef SERVER_SIGHT_SIGHT_NAMES_H
#define SERVER_SIGHT_SIGHT_NAMES_H

#include "server/sight/sight_internal.h"

struct description *description_new(const struct sight_field *fields, size_t count);
void description_release(struct description *description); // NULL is allowed
MUST_CHECK struct description *description_keep(struct description *description);

void names_parse(struct sight_session *session, struct slice name, struct slice sql, const uint32_t *types,
                 size_t type_count);
void names_bind(struct sight_session *session, struct slice portal, struct slice name, const struct sight_value *values,
                size_t value_count, const int16_t *formats, size_t format_count);
MUST_CHECK struct prepared *names_prepared(const struct sight_session *session, struct slice name);
MUST_CHECK struct portal *names_portal(const struct sight_session *session, struct slice name);
void names_close(struct sight_session *session, char kind, struct slice name);
void names_close_all(struct sight_session *session); // DEALLOCATE ALL, DISCARD ALL
void names_set_types(struct prepared *prepared, const uint32_t *types, size_t count);

MUST_CHECK struct prepared *prepared_keep(struct prepared *prepared);
void prepared_release(struct sight_session *session, struct prepared *prepared); // NULL is allowed
MUST_CHECK struct portal *portal_keep(struct portal *portal);
void portal_release(struct sight_session *session, struct portal *portal); // NULL is allowed

#endif
