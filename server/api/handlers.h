// The handlers, one a route of router.c's table. Each is called once a request, on the loop thread.
#ifndef SERVER_API_HANDLERS_H
#define SERVER_API_HANDLERS_H

#include "server/api/exchange.h"

void handle_health(struct exchange *exchange);
void handle_accounts(struct exchange *exchange);
void handle_account(struct exchange *exchange);
void handle_transfer(struct exchange *exchange);
void handle_transactions(struct exchange *exchange);
void handle_reset(struct exchange *exchange);
void handle_metrics(struct exchange *exchange);
void handle_settings(struct exchange *exchange);
void handle_settings_change(struct exchange *exchange);
void handle_delay_change(struct exchange *exchange);
void handle_barrier_change(struct exchange *exchange);
void handle_transactions_change(struct exchange *exchange);
void handle_strategy_change(struct exchange *exchange);
void handle_strategies(struct exchange *exchange);
void handle_audit(struct exchange *exchange);
void handle_races(struct exchange *exchange);
void handle_race(struct exchange *exchange);
void handle_events(struct exchange *exchange);
void handle_page(struct exchange *exchange);
void handle_docs(struct exchange *exchange);
void handle_openapi(struct exchange *exchange);
void handle_page_file(struct exchange *exchange);

#endif
