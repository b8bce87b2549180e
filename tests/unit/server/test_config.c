// config: the accepted values of the environment, and the one error line for a refused value.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/config/config.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/strategy.h"

#include <stdlib.h>

static const char *const variables[] = {"DATABASE_URL",
                                        "BANK_API_HOST",
                                        "BANK_API_PORT",
                                        "BANK_API_ALLOWED_HOSTS",
                                        "BANK_API_PUBLIC_ORIGINS",
                                        "ADMIN_TOKEN",
                                        "WORKER_THREADS",
                                        "TRANSFER_QUEUE_LIMIT",
                                        "SHUTDOWN_TIMEOUT_MS",
                                        "LOG_LEVEL",
                                        "LOG_FORMAT",
                                        "DEBUG_DELAY_ENABLED",
                                        "DEBUG_DELAY_MS",
                                        "BARRIER_ENABLED",
                                        "BARRIER_COUNT",
                                        "BARRIER_TIMEOUT_MS",
                                        "USE_TRANSACTIONS",
                                        "OTEL_BSP_MAX_QUEUE_SIZE",
                                        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"};

static int clear_environment(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        assert_int_equal(unsetenv(variables[i]), 0);
    }
    return 0;
}

static struct config read_config(void) {
    struct config config;
    struct text problem = {0};
    if (!config_read(&config, &problem)) {
        fail_msg("%s", text_terminated(&problem));
    }
    assert_int_equal(problem.length, 0);
    return config;
}

static void set(const char *name, const char *value) {
    assert_int_equal(setenv(name, value, 1), 0);
}

static void assert_defaults(const struct config *config) {
    assert_null(config->database_url);
    assert_string_equal(config->host, "127.0.0.1");
    assert_int_equal(config->port, 8000);
    assert_int_equal(config->worker_threads, 32);
    assert_int_equal(config->transfer_queue_limit, 1024);
    assert_int_equal(config->shutdown_timeout_ms, 10000);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_int_equal(config->log_format, LOG_FORMAT_TEXT);
    assert_string_equal(config->guard.bind_host, "127.0.0.1");
    assert_null(config->guard.allowed_hosts);
    assert_null(config->guard.public_origins);
    assert_null(config->guard.admin_token);
    assert_false(config->settings.delay_enabled);
    assert_int_equal(config->settings.delay_ms, 100);
    assert_false(config->settings.barrier_enabled);
    assert_int_equal(config->settings.barrier_count, 2);
    assert_int_equal(config->settings.barrier_timeout_ms, 30000);
    assert_ptr_equal(config->settings.strategy, &strategy_vulnerable);
}

static void test_defaults(void **state) {
    (void)state;
    struct config config = read_config();
    assert_defaults(&config);
}

// A compose file that passes on an unset variable sets it to an empty text.
static void test_empty_is_unset(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        set(variables[i], "");
    }
    struct config config = read_config();
    assert_defaults(&config);
}

static void test_everything_set(void **state) {
    (void)state;
    set("DATABASE_URL", "postgresql://bank@localhost:5433/bank");
    set("BANK_API_HOST", "0.0.0.0");
    set("BANK_API_PORT", "65535");
    set("BANK_API_ALLOWED_HOSTS", "bank.example");
    set("BANK_API_PUBLIC_ORIGINS", "https://bank.example, http://[::1]:8080");
    set("ADMIN_TOKEN", "secret");
    set("WORKER_THREADS", "512");
    set("TRANSFER_QUEUE_LIMIT", "1");
    set("SHUTDOWN_TIMEOUT_MS", "100");
    set("LOG_LEVEL", "WARN");
    set("LOG_FORMAT", "Json");
    set("DEBUG_DELAY_ENABLED", "yes");
    set("DEBUG_DELAY_MS", "60000");
    set("BARRIER_ENABLED", "on");
    set("BARRIER_COUNT", "448");
    set("BARRIER_TIMEOUT_MS", "1");
    set("USE_TRANSACTIONS", "1");
    struct config config = read_config();
    assert_string_equal(config.database_url, "postgresql://bank@localhost:5433/bank");
    assert_string_equal(config.guard.bind_host, "0.0.0.0");
    assert_int_equal(config.port, 65535);
    assert_string_equal(config.guard.allowed_hosts, "bank.example");
    assert_string_equal(config.guard.admin_token, "secret");
    assert_int_equal(config.worker_threads, 512);
    assert_int_equal(config.transfer_queue_limit, 1);
    assert_int_equal(config.shutdown_timeout_ms, 100);
    assert_int_equal(config.log_level, LOG_LEVEL_WARN);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    assert_true(config.settings.delay_enabled);
    assert_int_equal(config.settings.delay_ms, 60000);
    assert_true(config.settings.barrier_enabled);
    assert_int_equal(config.settings.barrier_count, 448);
    assert_int_equal(config.settings.barrier_timeout_ms, 1);
    assert_ptr_equal(config.settings.strategy, &strategy_for_update);
}

// The line names the variable, its value, and the allowed values.
static void test_unusable_values(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *allowed;
    } cases[] = {
        {"BANK_API_PORT", "65536", "a whole number from 0 to 65535"},
        {"BANK_API_ALLOWED_HOSTS", "http://bank.example",
         "names separated by commas, without http:// and without a port"},
        {"BANK_API_ALLOWED_HOSTS", "bank.example, other:8000",
         "names separated by commas, without http:// and without a port"},
        {"BANK_API_ALLOWED_HOSTS", "[::1]:8000", "names separated by commas, without http:// and without a port"},
        {"BANK_API_PUBLIC_ORIGINS", "bank.example",
         "origins such as https://bank.example or http://bank.example:8080, separated by commas, without a path or a "
         "slash behind"},
        {"BANK_API_PUBLIC_ORIGINS", "https://bank.example/",
         "origins such as https://bank.example or http://bank.example:8080, separated by commas, without a path or a "
         "slash behind"},
        {"BANK_API_PORT", "-1", "a whole number from 0 to 65535"},
        {"BANK_API_PORT", "http", "a whole number from 0 to 65535"},
        {"BANK_API_PORT", "8000 ", "a whole number from 0 to 65535"},
        {"WORKER_THREADS", "3", "a whole number from 4 to 512"},
        {"WORKER_THREADS", "513", "a whole number from 4 to 512"},
        {"WORKER_THREADS", "99999999999999999999", "a whole number from 4 to 512"},
        {"TRANSFER_QUEUE_LIMIT", "0", "a whole number from 1 to 100000"},
        {"SHUTDOWN_TIMEOUT_MS", "99", "a whole number from 100 to 600000"},
        {"LOG_LEVEL", "verbose", "debug, info, warn or error"},
        {"LOG_FORMAT", "xml", "text or json"},
        {"DEBUG_DELAY_ENABLED", "maybe", "true or false (or 1, 0, on, off, yes, no)"},
        {"DEBUG_DELAY_MS", "60001", "a whole number from 0 to 60000"},
        {"DEBUG_DELAY_MS", "1.5", "a whole number from 0 to 60000"},
        {"BARRIER_ENABLED", "2", "true or false (or 1, 0, on, off, yes, no)"},
        {"BARRIER_COUNT", "1", "a whole number from 2 to 28"},
        {"BARRIER_COUNT", "29", "a whole number from 2 to 28"},
        {"BARRIER_TIMEOUT_MS", "0", "a whole number from 1 to 600000"},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "a whole number from 1 to 2048, which is OTEL_BSP_MAX_QUEUE_SIZE"},
        {"USE_TRANSACTIONS", "tru", "true or false (or 1, 0, on, off, yes, no)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)clear_environment(NULL);
        set(cases[i].name, cases[i].value);
        struct config config;
        struct text problem = {0};
        struct text expected = {0};
        text_append_format(&expected, "%s=\"%s\" cannot be used: it must be %s", cases[i].name, cases[i].value,
                           cases[i].allowed);
        assert_false(config_read(&config, &problem));
        assert_string_equal(text_terminated(&problem), text_terminated(&expected));
        text_free(&expected);
        text_free(&problem);
    }
}

// The barrier's largest count follows the pool that is configured beside it.
static void test_barrier_count_follows_the_pool(void **state) {
    (void)state;
    static const struct {
        const char *threads, *fits, *fits_not;
    } cases[] = {{"4", "3", "4"}, {"8", "7", "8"}, {"16", "14", "15"}, {"32", "28", "29"}, {"512", "448", "449"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set("WORKER_THREADS", cases[i].threads);
        set("BARRIER_COUNT", cases[i].fits);
        (void)read_config();
        set("BARRIER_COUNT", cases[i].fits_not);
        struct config config;
        struct text problem = {0};
        assert_false(config_read(&config, &problem));
        text_free(&problem);
    }
}

// A batch is taken from the queue, so its default is limited by a smaller queue.
static void test_the_batch_follows_the_queue(void **state) {
    (void)state;
    struct config config = read_config();
    assert_int_equal(config.tracing.queue_limit, 2048);
    assert_int_equal(config.tracing.batch_limit, 512);
    set("OTEL_BSP_MAX_QUEUE_SIZE", "4");
    config = read_config();
    assert_int_equal(config.tracing.batch_limit, 4);
    set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3");
    config = read_config();
    assert_int_equal(config.tracing.batch_limit, 3);
    set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5");
    struct text problem = {0};
    assert_false(config_read(&config, &problem));
    text_free(&problem);
}

static void test_database_url_is_not_repeated(void **state) {
    (void)state;
    static const char *const urls[] = {"hunter2", "postgresql://bank:hunter2%zz@localhost/bank",
                                       "postgresql://bank:hunter2@[::1/bank",
                                       "host=localhost password=hunter2 nonsense", "host=localhost nonsense=hunter2"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        set("DATABASE_URL", urls[i]);
        struct config config;
        struct text problem = {0};
        assert_false(config_read(&config, &problem));
        assert_non_null(strstr(text_terminated(&problem), "DATABASE_URL cannot be used"));
        assert_null(strstr(text_terminated(&problem), "hunter2"));
        assert_null(strchr(text_terminated(&problem), '\n'));
        text_free(&problem);
    }
}

static void test_help_names_every_variable(void **state) {
    (void)state;
    struct text help = {0};
    config_describe(&help);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        assert_non_null(strstr(text_terminated(&help), variables[i]));
    }
    text_free(&help);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, clear_environment),
        cmocka_unit_test_setup(test_empty_is_unset, clear_environment),
        cmocka_unit_test_setup(test_everything_set, clear_environment),
        cmocka_unit_test_setup(test_unusable_values, clear_environment),
        cmocka_unit_test_setup(test_barrier_count_follows_the_pool, clear_environment),
        cmocka_unit_test_setup(test_the_batch_follows_the_queue, clear_environment),
        cmocka_unit_test_setup(test_database_url_is_not_repeated, clear_environment),
        cmocka_unit_test_setup(test_help_names_every_variable, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
