#include "tests/unit/web/house.h"
#include "web/json.h"

#include <string.h>

/* What is asked of the daemon, and what the server answers by itself. */

/* The status and the body, which is (transfer full). */
static guint ask(House *house, const char *method, const char *target, const char *body,
                 char **ret_body)
{
    g_autofree char *request =
        g_strdup_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
                        method, target, strlen(body), body);
    g_autofree char *answer = house_talk(house, FALSE, request, strlen(request), NULL);
    const char *end = strstr(answer, "\r\n\r\n");
    g_assert_nonnull(end);
    *ret_body = g_strdup(end + 4);
    return (guint)g_ascii_strtoull(answer + strlen("HTTP/1.1 "), NULL, 10);
}

static char *expect(House *house, guint status, const char *method, const char *target,
                    const char *body)
{
    char *answer;
    guint got = ask(house, method, target, body, &answer);
    if (got != status)
        g_error("%s %s: wanted %u, got %u: %s", method, target, status, got, answer);
    return answer;
}

static void expect_words(House *house, guint status, const char *method, const char *target,
                         const char *body, const char *words)
{
    g_autofree char *answer = expect(house, status, method, target, body);
    if (!strstr(answer, words))
        g_error("%s %s: wanted %s in: %s", method, target, words, answer);
}

static void status_joins_what_daemon_and_store_know(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/f", "12345");
    g_autofree char *answer = expect(house, 200, "GET", "/api/v1/status", "");
    g_autoptr(GVariant) status = hearth_json_parse(answer, -1, NULL);
    g_autoptr(GVariant) store = g_variant_lookup_value(status, "store", G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) disk = g_variant_lookup_value(status, "disk", G_VARIANT_TYPE_VARDICT);
    gint64 bytes = 0, total = 0;
    g_variant_lookup(store, "bytes", "x", &bytes);
    g_variant_lookup(disk, "total", "x", &total);
    g_assert_cmpint(bytes, ==, 5);
    g_assert_cmpint(total, >, 0);
    g_assert_nonnull(strstr(answer, "\"problems\":[\"the disk is older than the house\"]"));
}

static void devices_are_attached_imported_and_detached(void)
{
    g_autoptr(House) house = house_new();
    expect_words(house, 200, "GET", "/api/v1/devices", "", "{\"devices\":[]}");
    expect_words(house, 201, "POST", "/api/v1/devices", "{\"port_bytes\":\"disk:/caf%E9\"}",
                 "\"port_bytes\":\"disk%3A/caf%E9\"");
    expect_words(house, 400, "POST", "/api/v1/devices", "{\"port\":\"tape:1\"}", "no such port");
    expect_words(house, 400, "POST", "/api/v1/devices", "{}", "port");
    expect_words(house, 200, "GET", "/api/v1/devices/device-0", "", "\"state\":\"ready\"");
    expect_words(house, 404, "GET", "/api/v1/devices/device-1", "", "not-found");
    expect_words(house, 200, "POST", "/api/v1/devices/device-0/import", "{\"dry_run\":true}",
                 "\"source_bytes\":\"/DCIM/caf%E9.jpg\"");
    expect_words(house, 202, "POST", "/api/v1/devices/device-0/import",
                 "{\"paths_bytes\":[\"/DCIM/caf%E9\"]}", "\"id\":\"import-1\"");
    g_autofree char *imported = house_imported(house);
    g_assert_cmpstr(imported, ==, "/DCIM/caf\xe9");
    expect_words(house, 400, "POST", "/api/v1/devices/device-0/import",
                 "{\"paths_bytes\":[\"%0\"]}", "hexadecimal");
    expect_words(house, 404, "POST", "/api/v1/devices/device-9/import", "", "not-found");
    expect_words(house, 204, "DELETE", "/api/v1/devices/device-0", "", "");
    expect_words(house, 404, "DELETE", "/api/v1/devices/device-0", "", "not-found");
}

static void jobs_are_begun_looked_at_and_cancelled(void)
{
    g_autoptr(House) house = house_new();
    expect_words(house, 200, "GET", "/api/v1/jobs", "", "{\"jobs\":[]}");
    expect_words(house, 404, "GET", "/api/v1/jobs/scrub-1", "", "not-found");
    expect_words(house, 202, "POST", "/api/v1/scrub", "", "\"id\":\"scrub-1\"");
    expect_words(house, 202, "POST", "/api/v1/fsck", "", "\"kind\":\"fsck\"");
    expect_words(house, 202, "POST", "/api/v1/gc", "", "\"kind\":\"gc\"");
    expect_words(house, 200, "GET", "/api/v1/jobs/gc-3", "", "\"rate\":1500000");
    expect_words(house, 204, "DELETE", "/api/v1/jobs/gc-3", "", "");
    expect_words(house, 200, "GET", "/api/v1/jobs/gc-3", "", "\"state\":\"cancelled\"");
}

static void finding_says_what_is_wrong_with_a_query(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/red car.txt", "x");
    house_add(house, "/a/blue.txt", "x");
    expect_words(house, 200, "GET", "/api/v1/find?q=name+~+%22red%22", "",
                 "\"path\":\"/a/red car.txt\"");
    expect_words(house, 200, "GET", "/api/v1/find?q=kind+%3D+file&limit=1", "", "\"more\":true");
    expect_words(house, 200, "GET", "/api/v1/find?q=kind+%3D+file", "", "\"more\":false");
    expect_words(house, 400, "GET", "/api/v1/find", "", "q must hold");
    expect_words(house, 400, "GET", "/api/v1/find?q=name+~~", "", "column");
    expect_words(house, 400, "GET", "/api/v1/find?q=x&limit=9999999", "", "limit");
}

static void a_preview_is_named_by_number_and_edge(void)
{
    g_autoptr(House) house = house_new();
    HearthObject object = house_add(house, "/a/f.jpg", "x");
    g_autofree char *target = g_strdup_printf("/api/v1/preview/%" G_GINT64_FORMAT, object.ino);
    g_autofree char *edge = g_strconcat(target, "?edge=512", NULL);
    g_autofree char *huge = g_strconcat(target, "?edge=100000", NULL);
    expect_words(house, 200, "GET", target, "", "edge 256");
    expect_words(house, 200, "GET", edge, "", "edge 512");
    expect_words(house, 400, "GET", huge, "", "edge");
    expect_words(house, 404, "GET", "/api/v1/preview/999999", "", "not-found");
    expect_words(house, 400, "GET", "/api/v1/preview/x", "", "ino");
    expect_words(house, 501, "GET", "/api/v1/preview/1", "", "nothing draws a folder");
}

static void metrics_are_in_the_form_that_is_read(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/f", "12345");
    g_autofree char *text = expect(house, 200, "GET", "/metrics", "");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; **line; line++)
        if (!g_str_has_prefix(*line, "# HELP hearth_") &&
            !g_str_has_prefix(*line, "# TYPE hearth_") &&
            !g_regex_match_simple("^hearth_[a-z_]+ [0-9.e+]+$", *line, 0, 0))
            g_error("no line of metrics: %s", *line);
    g_assert_nonnull(strstr(text, "\nhearth_files 1\n"));
    g_assert_nonnull(strstr(text, "\nhearth_bytes 5\n"));
    g_assert_nonnull(strstr(text, "\nhearth_played 1\n"));
    expect_words(house, 200, "GET", "/healthz", "", "ok");
}

static void a_page_of_the_log_goes_on_where_the_last_one_ended(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/f", "x");
    house_add(house, "/a/g", "x");
    guint64 after = 0;
    for (guint seen = 0; seen < 3;) {
        g_autofree char *target =
            g_strdup_printf("/api/v1/log?limit=1&after=%" G_GUINT64_FORMAT, after);
        g_autofree char *answer = expect(house, 200, "GET", target, "");
        g_autoptr(GVariant) page = hearth_json_parse(answer, -1, NULL);
        gint64 last = 0;
        g_variant_lookup(page, "last", "x", &last);
        g_assert_cmpint(last, >, (gint64)after);
        after = (guint64)last;
        seen++;
    }
    expect_words(house, 200, "GET", "/api/v1/log?tail=1", "", "\"path\":\"/a/g\"");
    expect_words(house, 400, "GET", "/api/v1/log?after=-1", "", "after");
}

static void a_body_that_is_too_long_is_refused(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *body = g_strnfill(1100000, ' ');
    char *answer;
    guint status = ask(house, "POST", "/api/v1/devices", body, &answer);
    g_free(answer);
    g_assert_cmpuint(status, ==, 413);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/api/status", status_joins_what_daemon_and_store_know);
    g_test_add_func("/web/api/devices", devices_are_attached_imported_and_detached);
    g_test_add_func("/web/api/jobs", jobs_are_begun_looked_at_and_cancelled);
    g_test_add_func("/web/api/find", finding_says_what_is_wrong_with_a_query);
    g_test_add_func("/web/api/preview", a_preview_is_named_by_number_and_edge);
    g_test_add_func("/web/api/metrics", metrics_are_in_the_form_that_is_read);
    g_test_add_func("/web/api/log", a_page_of_the_log_goes_on_where_the_last_one_ended);
    g_test_add_func("/web/api/long-body", a_body_that_is_too_long_is_refused);
    return g_test_run();
}
