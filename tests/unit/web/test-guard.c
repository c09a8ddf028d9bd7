#include "gateway/base/error.h"
#include "tests/unit/web/house.h"

#include <glib/gstdio.h>

#include <string.h>

/* Raw requests, and what each must be answered. */

typedef struct {
    const char *why;
    const char *request; /* a "\x01" in it stands for a NUL; %PORT% for the port */
    guint status;        /* 0: the connection just ends */
    const char *also;    /* in the answer; nullable */
} RawCase;

#define HOST "Host: localhost\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define LOCAL "Host: localhost:%PORT%\r\n"

static const RawCase ON_SOCKET[] = {
    {"a plain request", GET("/api/v1/status"), 200, "\"name\":\"played\""},
    {"the page at the root", GET("/"), 200, "Hearth"},
    {"no such address", GET("/api/v1/nothing"), 404, "application/problem+json"},
    {"no such version of the interface", GET("/api/v2/status"), 404, NULL},
    {"a method that is not served", "PATCH /api/v1/status HTTP/1.1\r\n" HOST "\r\n", 405,
     "Allow: GET, HEAD"},
    {"no Host", "GET /api/v1/status HTTP/1.1\r\n\r\n", 400, NULL},
    {"no Host in 1.0", "GET /api/v1/status HTTP/1.0\r\n\r\n", 400, NULL},
    {"two Hosts", "GET /api/v1/status HTTP/1.1\r\n" HOST HOST "\r\n", 400, "exactly one Host"},
    {"two lengths that differ",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
     NULL},
    {"two lengths that agree",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400,
     NULL},
    {"length and chunks",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST
     "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, NULL},
    {"chunks in other words",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     501, NULL},
    {"chunks twice",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     501, NULL},
    {"a space before the colon", "GET /api/v1/status HTTP/1.1\r\nHost : localhost\r\n\r\n", 400,
     NULL},
    {"a control character in a value",
     "GET /api/v1/status HTTP/1.1\r\n" HOST "X-A: a\x02"
     "b\r\n\r\n",
     400, "control character"},
    {"a control character in the address", "GET /api/v1/\x7f HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"up and out", GET("/api/v1/tree/../../etc/passwd"), 400, NULL},
    {"up and out, encoded", GET("/api/v1/tree/%2e%2e/%2e%2e/etc"), 400, NULL},
    {"a slash inside a name", GET("/api/v1/tree/a%2fb"), 400, NULL},
    {"a NUL inside a name", GET("/api/v1/tree/a%00b"), 400, "NUL"},
    {"half an escape", GET("/api/v1/tree/a%4"), 400, NULL},
    {"an empty name", GET("/api/v1/tree//a"), 400, NULL},
    {"overlong dots are a name", GET("/api/v1/tree/%c0%ae%c0%ae"), 404, NULL},
    {"a backslash is a name", GET("/api/v1/tree/..%5c..%5c"), 404, NULL},
    {"a number that is none", GET("/api/v1/tree/?limit=many"), 400, "limit must be"},
    {"a body that is no JSON",
     "POST /api/v1/devices HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n{a}", 400, NULL},
    {"a body that is no object",
     "POST /api/v1/devices HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n[]", 400, NULL},
    {"what the daemon does not offer",
     "POST /api/v1/devices/device-0/export HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 501,
     "no exports"},
    {"a part of a file",
     "PUT /api/v1/tree/a HTTP/1.1\r\n" HOST
     "Content-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\na",
     400, NULL},
};

static const RawCase ON_LOOPBACK[] = {
    {"our name and port", "GET /api/v1/status HTTP/1.1\r\n" LOCAL "\r\n", 200, "nosniff"},
    {"our name alone", GET("/api/v1/status"), 200, NULL},
    {"our address", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%PORT%\r\n\r\n", 200, "ok"},
    {"our other address", "GET /healthz HTTP/1.1\r\nHost: [::1]:%PORT%\r\n\r\n", 200, NULL},
    {"HEAD", "HEAD /api/v1/status HTTP/1.1\r\n" LOCAL "\r\n", 200, NULL},
    {"another port", "GET /healthz HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 421, NULL},
    {"another name", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, NULL},
    {"another name that begins like ours",
     "GET /healthz HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421, NULL},
    {"a name rebound to us with our port",
     "GET /healthz HTTP/1.1\r\nHost: evil.example:%PORT%\r\n\r\n", 421, NULL},
    {"a page of ours", "GET /healthz HTTP/1.1\r\n" LOCAL "Origin: http://localhost:%PORT%\r\n\r\n",
     200, NULL},
    {"a page of another site",
     "GET /healthz HTTP/1.1\r\n" LOCAL "Origin: http://evil.example\r\n\r\n", 403, NULL},
    {"a page of another port",
     "GET /healthz HTTP/1.1\r\n" LOCAL "Origin: http://localhost:1\r\n\r\n", 403, NULL},
    {"no origin to speak of", "GET /healthz HTTP/1.1\r\n" LOCAL "Origin: null\r\n\r\n", 403, NULL},
    {"cross-site", "GET /healthz HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\n\r\n", 403,
     NULL},
    {"typed by a person", "GET /healthz HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: none\r\n\r\n", 200,
     NULL},
    {"PUT", "PUT /api/v1/tree/new HTTP/1.1\r\n" LOCAL "Content-Length: 1\r\n\r\na", 403,
     "read only"},
    {"DELETE", "DELETE /api/v1/tree/kept HTTP/1.1\r\n" LOCAL "\r\n", 403, "read only"},
    {"POST",
     "POST /api/v1/tree/new HTTP/1.1\r\n" LOCAL "Content-Length: 18\r\n\r\n"
     "{\"action\":\"mkdir\"}",
     403, "read only"},
    {"POST of a job", "POST /api/v1/gc HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n", 403, NULL},
    {"a method of one's own", "BREW / HTTP/1.1\r\n" LOCAL "\r\n", 403, NULL},
};

static void check_row(House *house, gboolean tcp, const RawCase *row)
{
    g_autofree char *port = g_strdup_printf("%u", house->port);
    g_autoptr(GString) request = g_string_new(row->request);
    g_string_replace(request, "%PORT%", port, 0);
    g_autofree char *answer = house_talk(house, tcp, request->str, request->len, NULL);
    g_autofree char *wanted = g_strdup_printf("HTTP/1.1 %u ", row->status);
    g_test_message("%s: %.40s", row->why, answer);
    if (!g_str_has_prefix(answer, wanted))
        g_error("%s: wanted %s, got: %s", row->why, wanted, answer);
    if (row->also && !strstr(answer, row->also))
        g_error("%s: wanted %s in: %s", row->why, row->also, answer);
}

static void each_request_over_the_socket_is_answered_as_it_should(void)
{
    g_autoptr(House) house = house_new();
    for (gsize i = 0; i < G_N_ELEMENTS(ON_SOCKET); i++)
        check_row(house, FALSE, &ON_SOCKET[i]);
    g_assert_false(house_has(house, "/a"));
}

static void loopback_reads_and_nothing_else(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/kept", "kept");
    for (gsize i = 0; i < G_N_ELEMENTS(ON_LOOPBACK); i++)
        check_row(house, TRUE, &ON_LOOPBACK[i]);
    g_assert_true(house_has(house, "/kept"));
    g_assert_false(house_has(house, "/new"));
    g_assert_cmpuint(house_jobs(house), ==, 0);
}

static void headers_without_end_are_refused(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(GString) request = g_string_new("GET / HTTP/1.1\r\n" HOST "X-A: ");
    for (guint i = 0; i < 200000; i++)
        g_string_append_c(request, 'a');
    g_string_append(request, "\r\n\r\n");
    g_autofree char *answer = house_talk(house, FALSE, request->str, request->len, NULL);
    g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 431 "));
    g_autofree char *after =
        house_talk(house, FALSE, GET("/healthz"), strlen(GET("/healthz")), NULL);
    g_assert_true(g_str_has_prefix(after, "HTTP/1.1 200 "));
}

static void a_nul_in_a_request_passes_no_check(void)
{
    static const char REQUEST[] = "GET /healthz HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n";
    static const char TARGET[] = "GET /api/v1/tree/\0x HTTP/1.1\r\n" HOST "\r\n";
    g_autoptr(House) house = house_new();
    g_autofree char *host = house_talk(house, TRUE, REQUEST, sizeof REQUEST - 1, NULL);
    g_autofree char *target = house_talk(house, FALSE, TARGET, sizeof TARGET - 1, NULL);
    /* The library ends a value at a NUL: what is left must stand on its own. */
    g_assert_true(*host == '\0' || g_str_has_prefix(host, "HTTP/1.1 200") ||
                  g_str_has_prefix(host, "HTTP/1.1 4"));
    g_assert_false(g_str_has_prefix(target, "HTTP/1.1 5"));
}

static void the_socket_is_for_owner_and_group(void)
{
    g_autoptr(House) house = house_new();
    GStatBuf status;
    g_assert_cmpint(g_stat(house->socket_path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0660);
}

static void a_wider_address_is_refused(void)
{
    static const char *const ADDRESSES[] = {"0.0.0.0:0",   "192.168.1.2:80", "[::]:0", "127.0.0.1",
                                            "127.0.0.1:x", "example.org:80", ""};
    g_autoptr(House) house = house_new();
    for (gsize i = 0; i < G_N_ELEMENTS(ADDRESSES); i++) {
        g_autoptr(GError) error = NULL;
        HearthWebOptions options = {
            .store = house->store, .events = house->events, .listen = ADDRESSES[i]};
        g_autoptr(HearthWebEvents) events = hearth_web_events_new();
        options.events = events;
        g_assert_null(hearth_web_server_start(&options, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

static void an_address_that_is_taken_is_named(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *listen = g_strdup_printf("127.0.0.1:%u", house->port);
    HearthWebOptions options = {.store = house->store, .events = events, .listen = listen};
    g_assert_null(hearth_web_server_start(&options, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, listen));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/guard/socket", each_request_over_the_socket_is_answered_as_it_should);
    g_test_add_func("/web/guard/loopback", loopback_reads_and_nothing_else);
    g_test_add_func("/web/guard/long-headers", headers_without_end_are_refused);
    g_test_add_func("/web/guard/nul", a_nul_in_a_request_passes_no_check);
    g_test_add_func("/web/guard/mode", the_socket_is_for_owner_and_group);
    g_test_add_func("/web/guard/loopback-only", a_wider_address_is_refused);
    g_test_add_func("/web/guard/taken", an_address_that_is_taken_is_named);
    return g_test_run();
}
