#include "tests/harness/daemon.h"

#include "web/json.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 20
#define POLL_US 20000

struct HearthTestDaemon {
    char *state;
    char *socket;
    char *log;
    GPtrArray *arguments; /* element-type char * */
    char **environment;
    GPid pid;   /* 0: none runs */
    int status; /* of the last that ended */
};

HearthTestDaemon *test_daemon_new(const char *state)
{
    HearthTestDaemon *daemon = g_new0(HearthTestDaemon, 1);
    const char *bin = g_getenv("HEARTH_BIN");
    daemon->state = g_strdup(state);
    daemon->socket = g_build_filename(state, "hearthd.sock", NULL);
    daemon->log = g_strconcat(state, ".log", NULL);
    daemon->arguments = g_ptr_array_new_with_free_func(g_free);
    daemon->environment = g_get_environ();
    g_assert_nonnull(bin);
    if (g_getenv("HEARTH_SOURCE")) {
        g_autofree char *options =
            g_strdup_printf("suppressions=%s/tests/lsan.suppressions:print_suppressions=0",
                            g_getenv("HEARTH_SOURCE"));
        test_daemon_set_variable(daemon, "LSAN_OPTIONS", options);
    }
    g_ptr_array_add(daemon->arguments, g_build_filename(bin, "hearthd", NULL));
    test_daemon_add_argument(daemon, "--foreground");
    test_daemon_add_argument(daemon, "--state");
    test_daemon_add_argument(daemon, state);
    test_daemon_add_argument(daemon, "--listen");
    test_daemon_add_argument(daemon, "127.0.0.1:0");
    return daemon;
}

void test_daemon_free(HearthTestDaemon *daemon)
{
    if (daemon->pid != 0)
        test_daemon_kill(daemon);
    g_unlink(daemon->log);
    g_strfreev(daemon->environment);
    g_ptr_array_unref(daemon->arguments);
    g_free(daemon->state);
    g_free(daemon->socket);
    g_free(daemon->log);
    g_free(daemon);
}

void test_daemon_add_argument(HearthTestDaemon *daemon, const char *argument)
{
    g_ptr_array_add(daemon->arguments, g_strdup(argument));
}

void test_daemon_set_variable(HearthTestDaemon *daemon, const char *name, const char *value)
{
    daemon->environment = value ? g_environ_setenv(daemon->environment, name, value, TRUE)
                                : g_environ_unsetenv(daemon->environment, name);
}

/* --- Life -------------------------------------------------------------------------------------- */

void test_daemon_spawn(HearthTestDaemon *daemon)
{
    g_assert_cmpint(daemon->pid, ==, 0);
    int log = open(daemon->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g_assert_cmpint(log, >=, 0);
    g_autoptr(GPtrArray) arguments = g_ptr_array_copy(daemon->arguments, NULL, NULL);
    g_ptr_array_set_free_func(arguments, NULL);
    g_ptr_array_add(arguments, NULL);
    g_autoptr(GError) error = NULL;
    g_spawn_async_with_fds(NULL, (char **)arguments->pdata, daemon->environment,
                           G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &daemon->pid, -1, log, log,
                           &error);
    g_assert_no_error(error);
    close(log);
}

gboolean test_daemon_runs(HearthTestDaemon *daemon)
{
    if (daemon->pid != 0 && waitpid(daemon->pid, &daemon->status, WNOHANG) == daemon->pid)
        daemon->pid = 0;
    return daemon->pid != 0;
}

gboolean test_daemon_try_start(HearthTestDaemon *daemon)
{
    gint64 until = g_get_monotonic_time() + START_S * G_USEC_PER_SEC;
    test_daemon_spawn(daemon);
    while (test_daemon_runs(daemon)) {
        if (test_daemon_request(daemon, "GET", "/api/v1/status", NULL, NULL) == 200)
            return TRUE;
        g_assert_cmpint(g_get_monotonic_time(), <, until);
        g_usleep(POLL_US);
    }
    return FALSE;
}

void test_daemon_start(HearthTestDaemon *daemon)
{
    if (test_daemon_try_start(daemon))
        return;
    g_autofree char *log = test_daemon_log(daemon);
    g_error("hearthd did not start:\n%s", log);
}

GPid test_daemon_pid(const HearthTestDaemon *daemon)
{
    return daemon->pid;
}

void test_daemon_signal(HearthTestDaemon *daemon, int number)
{
    g_assert_cmpint(daemon->pid, !=, 0);
    kill(daemon->pid, number);
}

int test_daemon_wait(HearthTestDaemon *daemon, guint seconds)
{
    gint64 until = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
    while (test_daemon_runs(daemon)) {
        if (g_get_monotonic_time() > until)
            g_error("hearthd does not end within %u s", seconds);
        g_usleep(POLL_US / 4);
    }
    return daemon->status;
}

void test_daemon_stop(HearthTestDaemon *daemon, guint seconds)
{
    test_daemon_signal(daemon, SIGTERM);
    int status = test_daemon_wait(daemon, seconds);
    if (status != 0) {
        g_autofree char *log = test_daemon_log(daemon);
        g_error("hearthd ended with %d:\n%s", status, log);
    }
}

void test_daemon_kill(HearthTestDaemon *daemon)
{
    if (!test_daemon_runs(daemon))
        return;
    kill(daemon->pid, SIGKILL);
    test_daemon_wait(daemon, START_S);
}

char *test_daemon_log(const HearthTestDaemon *daemon)
{
    char *text = NULL;
    return g_file_get_contents(daemon->log, &text, NULL, NULL) ? text : g_strdup("");
}

/* --- Asking ------------------------------------------------------------------------------------ */

static GString *exchange(HearthTestDaemon *daemon, const char *request)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(daemon->socket);
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
    GString *answer = g_string_new(NULL);
    if (!connection)
        return answer;
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    if (!g_output_stream_write_all(out, request, strlen(request), NULL, NULL, NULL))
        return answer;
    char buffer[4096];
    gssize count;
    while ((count = g_input_stream_read(in, buffer, sizeof buffer, NULL, NULL)) > 0)
        g_string_append_len(answer, buffer, count);
    return answer;
}

/* The body may come in chunks; all of the API's answers are JSON without line breaks in it. */
static GVariant *parse_body(const GString *answer)
{
    const char *body = strstr(answer->str, "\r\n\r\n");
    if (!body)
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean chunked = g_strstr_len(answer->str, body - answer->str, "chunked") != NULL;
    const char *at = body + 4;
    while (chunked && *at) {
        char *line;
        gsize size = g_ascii_strtoull(at, &line, 16);
        line = strstr(line, "\r\n");
        if (size == 0 || !line || strlen(line) < size + 2)
            break;
        g_string_append_len(text, line + 2, (gssize)size);
        at = line + 2 + size + 2;
    }
    if (!chunked)
        g_string_append(text, at);
    return text->len > 0 ? hearth_json_parse(text->str, (gssize)text->len, NULL) : NULL;
}

guint test_daemon_request(HearthTestDaemon *daemon, const char *method, const char *path,
                          const char *body, GVariant **ret_value)
{
    g_autofree char *request = g_strdup_printf(
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json"
        "\r\nContent-Length: %zu\r\n\r\n%s",
        method, path, body ? strlen(body) : 0, body ? body : "");
    GString *answer = exchange(daemon, request);
    guint status = 0;
    if (g_str_has_prefix(answer->str, "HTTP/1.1 "))
        status = (guint)g_ascii_strtoull(answer->str + 9, NULL, 10);
    if (ret_value)
        *ret_value = status ? parse_body(answer) : NULL;
    g_string_free(answer, TRUE);
    return status;
}

GVariant *test_daemon_ask(HearthTestDaemon *daemon, const char *method, const char *path,
                          const char *body)
{
    g_autoptr(GVariant) value = NULL;
    guint status = test_daemon_request(daemon, method, path, body, &value);
    if (status / 100 != 2) {
        g_autofree char *text = value ? hearth_json_print(value) : g_strdup("nothing");
        g_error("%s %s: %u %s", method, path, status, text);
    }
    return g_steal_pointer(&value);
}

char *test_daemon_attach(HearthTestDaemon *daemon, const char *port)
{
    g_autofree char *body = g_strdup_printf("{\"port\":\"%s\"}", port);
    g_autoptr(GVariant) device = test_daemon_ask(daemon, "POST", "/api/v1/devices", body);
    return g_strdup(test_text(device, "id"));
}

static GVariant *jobs_of(HearthTestDaemon *daemon)
{
    g_autoptr(GVariant) answer = NULL;
    if (test_daemon_request(daemon, "GET", "/api/v1/jobs", NULL, &answer) != 200)
        return NULL;
    return g_variant_lookup_value(answer, "jobs", NULL);
}

static GVariant *job_at(GVariant *jobs, gsize i)
{
    g_autoptr(GVariant) job = g_variant_get_child_value(jobs, i);
    return g_variant_is_of_type(job, G_VARIANT_TYPE_VARIANT) ? g_variant_get_variant(job)
                                                             : g_steal_pointer(&job);
}

gboolean test_daemon_settle(HearthTestDaemon *daemon, guint seconds)
{
    gint64 until = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
    while (g_get_monotonic_time() < until && test_daemon_runs(daemon)) {
        g_autoptr(GVariant) jobs = jobs_of(daemon);
        gboolean busy = jobs == NULL;
        for (gsize i = 0; jobs && i < g_variant_n_children(jobs); i++) {
            g_autoptr(GVariant) job = job_at(jobs, i);
            const char *state = test_text(job, "state");
            busy = busy || g_str_equal(state, "running") || g_str_equal(state, "waiting");
        }
        if (!busy)
            return TRUE;
        g_usleep(POLL_US);
    }
    return FALSE;
}

GVariant *test_daemon_job(HearthTestDaemon *daemon, const char *kind)
{
    g_autoptr(GVariant) jobs = jobs_of(daemon);
    for (gsize i = 0; jobs && i < g_variant_n_children(jobs); i++) {
        g_autoptr(GVariant) job = job_at(jobs, i);
        if (g_str_equal(test_text(job, "kind"), kind))
            return g_steal_pointer(&job);
    }
    return NULL;
}

const char *test_text(GVariant *dictionary, const char *key)
{
    const char *text = NULL;
    g_variant_lookup(dictionary, key, "&s", &text);
    if (!text)
        g_error("there is no %s in the answer", key);
    return text;
}

gint64 test_number(GVariant *dictionary, const char *key)
{
    gint64 number = -1;
    g_variant_lookup(dictionary, key, "x", &number);
    return number;
}
