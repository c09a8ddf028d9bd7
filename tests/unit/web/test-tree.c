#include "gateway/base/error.h"
#include "tests/unit/web/house.h"
#include "web/json.h"
#include "web/uri.h"

#include <stdio.h>
#include <string.h>

/* Reading and changing the tree over the socket. */

typedef struct {
    guint status;
    char *head; /* with the status line */
    char *body;
    gsize size;
} Answer;

static void answer_clear(Answer *answer)
{
    g_free(answer->head);
    g_free(answer->body);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

/* `headers` are whole lines; `body` may be NULL. */
static Answer ask(House *house, const char *method, const char *target, const char *headers,
                  const char *body)
{
    Answer answer = {0};
    g_autofree char *length =
        body ? g_strdup_printf("Content-Length: %zu\r\n", strlen(body)) : g_strdup("");
    g_autofree char *request =
        g_strdup_printf("%s /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s", method, target,
                        headers, length, body ? body : "");
    gsize size;
    g_autofree char *raw = house_talk(house, FALSE, request, strlen(request), &size);
    const char *end = strstr(raw, "\r\n\r\n");
    g_assert_nonnull(end);
    answer.status = (guint)g_ascii_strtoull(raw + strlen("HTTP/1.1 "), NULL, 10);
    answer.head = g_strndup(raw, (gsize)(end + 2 - raw));
    answer.size = size - (gsize)(end + 4 - raw);
    answer.body = g_malloc0(answer.size + 1);
    memcpy(answer.body, end + 4, answer.size);
    return answer;
}

static void expect(House *house, guint status, const char *method, const char *target,
                   const char *headers, const char *body)
{
    g_auto(Answer) answer = ask(house, method, target, headers, body);
    if (answer.status != status)
        g_error("%s %s: wanted %u, got %u: %s", method, target, status, answer.status, answer.body);
}

static char *header(const Answer *answer, const char *name)
{
    g_autofree char *start = g_strdup_printf("\r\n%s: ", name);
    const char *at = strcasestr(answer->head, start);
    if (!at)
        return NULL;
    at += strlen(start);
    return g_strndup(at, strcspn(at, "\r"));
}

static GVariant *parse(const Answer *answer)
{
    g_autoptr(GError) error = NULL;
    GVariant *value = hearth_json_parse(answer->body, (gssize)answer->size, &error);
    g_assert_no_error(error);
    return value;
}

/* --- Reading ----------------------------------------------------------------------------------- */

static void a_file_comes_with_what_identifies_it(void)
{
    g_autoptr(House) house = house_new();
    HearthObject object = house_add(house, "/a/hello.txt", "hello");
    char id[HEARTH_CONTENT_ID_TEXT];
    g_auto(Answer) answer = ask(house, "GET", "tree/a/hello.txt", "", NULL);
    g_assert_cmpuint(answer.status, ==, 200);
    g_assert_cmpstr(answer.body, ==, "hello");
    g_autofree char *etag = header(&answer, "ETag");
    g_autofree char *wanted =
        g_strdup_printf("\"%s\"", hearth_content_id_to_text(&object.content, id));
    g_assert_cmpstr(etag, ==, wanted);
    g_autofree char *modified = header(&answer, "Last-Modified");
    g_assert_cmpstr(modified, ==, "Tue, 14 Nov 2023 22:13:20 GMT");
    g_autofree char *policy = header(&answer, "Content-Security-Policy");
    g_assert_nonnull(strstr(policy, "sandbox"));
    g_autofree char *type = header(&answer, "Content-Type");
    g_assert_cmpstr(type, ==, "application/octet-stream");
}

static void head_tells_the_size_and_sends_nothing(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/hello", "hello");
    g_auto(Answer) answer = ask(house, "HEAD", "tree/hello", "", NULL);
    g_autofree char *length = header(&answer, "Content-Length");
    g_assert_cmpuint(answer.status, ==, 200);
    g_assert_cmpstr(length, ==, "5");
    g_assert_cmpuint(answer.size, ==, 0);
}

static void what_is_known_is_not_sent_again(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/hello", "hello");
    g_auto(Answer) first = ask(house, "GET", "tree/hello", "", NULL);
    g_autofree char *etag = header(&first, "ETag");
    g_autofree char *one = g_strdup_printf("If-None-Match: %s\r\n", etag);
    g_autofree char *many = g_strdup_printf("If-None-Match: \"x\", %s\r\n", etag);
    expect(house, 304, "GET", "tree/hello", one, NULL);
    expect(house, 304, "GET", "tree/hello", many, NULL);
    expect(house, 304, "GET", "tree/hello", "If-None-Match: *\r\n", NULL);
    expect(house, 200, "GET", "tree/hello", "If-None-Match: \"other\"\r\n", NULL);
    g_autofree char *range = g_strdup_printf("Range: bytes=1-2\r\nIf-Range: %s\r\n", etag);
    expect(house, 206, "GET", "tree/hello", range, NULL);
    expect(house, 200, "GET", "tree/hello", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n", NULL);
}

static void check_range(House *house, const char *range, gsize start, gsize length, gsize size)
{
    g_autofree char *line = g_strdup_printf("Range: bytes=%s\r\n", range);
    g_auto(Answer) answer = ask(house, "GET", "tree/big", line, NULL);
    g_autofree char *extent = header(&answer, "Content-Range");
    g_autofree char *wanted = g_strdup_printf("bytes %zu-%zu/%zu", start, start + length - 1, size);
    g_assert_cmpuint(answer.status, ==, 206);
    g_assert_cmpstr(extent, ==, wanted);
    g_assert_cmpuint(answer.size, ==, length);
    for (gsize i = 0; i < length; i++)
        if ((guint8)answer.body[i] != house_byte(start + i))
            g_error("byte %zu of %s is wrong", i, range);
}

/* Large enough for several blocks, and for the answer that is checked as it goes. */
static void every_range_holds_the_bytes_it_names(void)
{
    const gsize size = 12 * 1024 * 1024 + 345;
    g_autoptr(House) house = house_new();
    house_add_bytes(house, "/big", size);
    check_range(house, "0-0", 0, 1, size);
    check_range(house, "1048570-1048590", 1048570, 21, size);
    check_range(house, "-17", size - 17, 17, size);
    check_range(house, "12582912-", 12582912, 345, size);
    check_range(house, "5-9437184", 5, 9437180, size);
    check_range(house, "0-", 0, size, size);
    g_auto(Answer) whole = ask(house, "GET", "tree/big", "", NULL);
    g_assert_cmpuint(whole.size, ==, size);
    for (gsize i = 0; i < size; i++)
        if ((guint8)whole.body[i] != house_byte(i))
            g_error("byte %zu is wrong", i);
    g_auto(Answer) beyond = ask(house, "GET", "tree/big", "Range: bytes=99999999-\r\n", NULL);
    g_autofree char *extent = header(&beyond, "Content-Range");
    g_assert_cmpuint(beyond.status, ==, 416);
    g_assert_cmpstr(extent, ==, "bytes */12583257");
}

static void damage(House *house, const HearthObject *object, goffset at)
{
    char id[HEARTH_CONTENT_ID_TEXT];
    hearth_content_id_to_text(&object->content, id);
    g_autofree char *folder = g_strndup(id, 2);
    g_autofree char *path = g_build_filename(house->state, "content", folder, id + 2, NULL);
    FILE *file = fopen(path, "r+b");
    if (!file)
        g_error("no content at %s", path);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static void a_damaged_byte_never_leaves(void)
{
    const gsize size = 10 * 1024 * 1024;
    g_autoptr(House) house = house_new();
    HearthObject small = house_add(house, "/small", "these bytes will change");
    HearthObject big = house_add_bytes(house, "/big", size);
    /* The server warns of it, as it should. */
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
    damage(house, &small, 3);
    damage(house, &big, (goffset)size - 1);
    g_auto(Answer) refused = ask(house, "GET", "tree/small", "", NULL);
    g_assert_cmpuint(refused.status, ==, 500);
    g_assert_nonnull(strstr(refused.body, "\"corrupt\""));
    /* The long one begins, and breaks off before the block that is bad. */
    g_auto(Answer) broken = ask(house, "GET", "tree/big", "", NULL);
    g_assert_cmpuint(broken.status, ==, 200);
    g_assert_cmpuint(broken.size, <, size);
    expect(house, 206, "GET", "tree/big", "Range: bytes=0-9\r\n", NULL);
}

/* --- Folders ----------------------------------------------------------------------------------- */

static void a_folder_is_listed_page_by_page(void)
{
    g_autoptr(House) house = house_new();
    for (guint i = 0; i < 25; i++) {
        g_autofree char *path = g_strdup_printf("/many/%02u name.txt", i);
        house_add(house, path, "x");
    }
    g_autofree char *target = g_strdup("tree/many?limit=10");
    guint seen = 0, pages = 0;
    while (target) {
        g_auto(Answer) answer = ask(house, "GET", target, "", NULL);
        g_assert_cmpuint(answer.status, ==, 200);
        g_autoptr(GVariant) page = parse(&answer);
        g_autoptr(GVariant) entries = g_variant_lookup_value(page, "entries", NULL);
        const char *next = NULL;
        seen += (guint)g_variant_n_children(entries);
        pages++;
        g_variant_lookup(page, "next", "&s", &next);
        g_free(target);
        target = next ? g_strdup_printf("tree/many?limit=10&after=%s", next) : NULL;
    }
    g_assert_cmpuint(seen, ==, 25);
    g_assert_cmpuint(pages, ==, 3);
}

static const char *const ODD_NAMES[] = {
    "caf\xe9.jpg",
    "\xff\xfe",
    "a b+c&d=e?f#g%h",
    "quote\"back\\slash",
    "line\nbreak\ttab",
    "\x1b[31mred",
    "...",
    "-rf",
    "\xc0\xaf",
    "e\xcc\x81 is \xc3\xa9",
    "*",
    "%2e%2e",
};

/* As put, list, read, move and remove see them. */
static void a_name_of_any_bytes_goes_in_and_comes_out(void)
{
    g_autoptr(House) house = house_new();
    expect(house, 201, "POST", "tree/odd", "", "{\"action\":\"mkdir\"}");
    for (gsize i = 0; i < G_N_ELEMENTS(ODD_NAMES); i++) {
        g_autofree char *encoded = hearth_uri_encode(ODD_NAMES[i]);
        g_autofree char *target = g_strconcat("tree/odd/", encoded, NULL);
        g_autofree char *path = g_strconcat("/odd/", ODD_NAMES[i], NULL);
        expect(house, 201, "PUT", target, "", ODD_NAMES[i]);
        g_assert_true(house_has(house, path));
        g_auto(Answer) answer = ask(house, "GET", target, "", NULL);
        g_assert_cmpstr(answer.body, ==, ODD_NAMES[i]);
    }
    g_auto(Answer) answer = ask(house, "GET", "tree/odd", "", NULL);
    g_autoptr(GVariant) page = parse(&answer);
    g_autoptr(GVariant) entries = g_variant_lookup_value(page, "entries", NULL);
    g_assert_cmpuint(g_variant_n_children(entries), ==, G_N_ELEMENTS(ODD_NAMES));
    for (gsize i = 0; i < g_variant_n_children(entries); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(entries, i);
        g_autoptr(GVariant) entry = g_variant_get_variant(boxed);
        g_autofree char *name = hearth_json_lookup_bytes(entry, "name");
        const char *href;
        g_assert_true(g_variant_lookup(entry, "href", "&s", &href));
        /* What the listing calls it is what the address takes. */
        g_auto(Answer) bytes = ask(house, "GET", href + strlen("/api/v1/"), "", NULL);
        g_assert_cmpstr(bytes.body, ==, name);
        expect(house, 204, "DELETE", href + strlen("/api/v1/"), "", NULL);
    }
}

static void a_name_is_at_most_255_bytes(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autofree char *fits = g_strconcat("tree/", longest, NULL);
    g_autofree char *too_long = g_strconcat("tree/", longest, "n", NULL);
    expect(house, 201, "PUT", fits, "", "x");
    expect(house, 400, "PUT", too_long, "", "x");
}

/* --- Changing ---------------------------------------------------------------------------------- */

static void folders_are_made_moved_and_removed(void)
{
    g_autoptr(House) house = house_new();
    expect(house, 404, "POST", "tree/a/b", "", "{\"action\":\"mkdir\"}");
    expect(house, 201, "POST", "tree/a/b", "", "{\"action\":\"mkdir\",\"parents\":true}");
    expect(house, 409, "POST", "tree/a", "", "{\"action\":\"mkdir\"}");
    expect(house, 400, "POST", "tree/", "", "{\"action\":\"mkdir\"}");
    expect(house, 400, "POST", "tree/a", "", "{\"action\":\"dance\"}");
    expect(house, 201, "PUT", "tree/a/b/f", "", "f");
    expect(house, 409, "DELETE", "tree/a", "", NULL);
    expect(house, 409, "POST", "tree/a", "", "{\"action\":\"move\",\"to\":\"/a/b/c\"}");
    expect(house, 200, "POST", "tree/a/b", "", "{\"action\":\"move\",\"to\":\"/c\"}");
    expect(house, 400, "POST", "tree/c", "", "{\"action\":\"move\",\"to\":\"d\"}");
    g_assert_true(house_has(house, "/c/f"));
    expect(house, 204, "DELETE", "tree/c?recursive=1", "", NULL);
    g_assert_false(house_has(house, "/c"));
    expect(house, 404, "DELETE", "tree/c", "", NULL);
    expect(house, 400, "DELETE", "tree/", "", NULL);
}

static void moving_onto_a_file_asks_first(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a", "a");
    house_add(house, "/b", "b");
    expect(house, 409, "POST", "tree/a", "", "{\"action\":\"move\",\"to\":\"/b\"}");
    expect(house, 200, "POST", "tree/a", "",
           "{\"action\":\"move\",\"to\":\"/b\",\"replace\":true}");
    g_autoptr(GBytes) bytes = house_read(house, "/b");
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "a", 1);
}

static void a_link_keeps_its_target(void)
{
    g_autoptr(House) house = house_new();
    expect(house, 201, "POST", "tree/l", "",
           "{\"action\":\"symlink\",\"target_bytes\":\"..%2Fcaf%E9\"}");
    g_auto(Answer) answer = ask(house, "GET", "tree/l?stat=1", "", NULL);
    g_autoptr(GVariant) entry = parse(&answer);
    g_autofree char *target = hearth_json_lookup_bytes(entry, "target");
    g_assert_cmpstr(target, ==, "../caf\xe9");
    expect(house, 501, "GET", "tree/l", "", NULL);
}

static void old_versions_can_be_read_and_brought_back(void)
{
    g_autoptr(House) house = house_new();
    expect(house, 201, "PUT", "tree/f", "", "one");
    expect(house, 200, "PUT", "tree/f", "", "two");
    g_auto(Answer) history = ask(house, "GET", "tree/f?history=1", "", NULL);
    g_autoptr(GVariant) value = parse(&history);
    g_autoptr(GVariant) versions = g_variant_lookup_value(value, "versions", NULL);
    g_assert_cmpuint(g_variant_n_children(versions), ==, 2);
    g_auto(Answer) old = ask(house, "GET", "tree/f?version=1", "", NULL);
    g_assert_cmpstr(old.body, ==, "one");
    expect(house, 404, "GET", "tree/f?version=9", "", NULL);
    expect(house, 400, "GET", "tree/f?version=x", "", NULL);
    expect(house, 200, "POST", "tree/f", "", "{\"action\":\"restore\",\"version\":1}");
    expect(house, 400, "POST", "tree/f", "", "{\"action\":\"restore\",\"version\":0}");
    g_auto(Answer) now = ask(house, "GET", "tree/f", "", NULL);
    g_assert_cmpstr(now.body, ==, "one");
}

static void the_trash_gives_back_and_forgets(void)
{
    g_autoptr(House) house = house_new();
    HearthObject object = house_add(house, "/a/f", "f");
    g_autofree char *restore = g_strdup_printf("trash/%" G_GINT64_FORMAT "/restore", object.ino);
    expect(house, 204, "DELETE", "tree/a/f", "", NULL);
    g_auto(Answer) list = ask(house, "GET", "trash", "", NULL);
    g_assert_nonnull(strstr(list.body, "\"path\":\"/a/f\""));
    expect(house, 200, "POST", restore, "", "");
    g_assert_true(house_has(house, "/a/f"));
    expect(house, 404, "POST", "trash/99999/restore", "", "");
    expect(house, 400, "POST", "trash/x/restore", "", "");
    expect(house, 204, "DELETE", "tree/a/f", "", NULL);
    g_auto(Answer) young = ask(house, "DELETE", "trash?older_than=3600", "", NULL);
    g_assert_cmpstr(young.body, ==, "{\"forgotten\":0}");
    g_auto(Answer) emptied = ask(house, "DELETE", "trash", "", NULL);
    g_assert_cmpstr(emptied.body, ==, "{\"forgotten\":1}");
    g_auto(Answer) after = ask(house, "GET", "trash", "", NULL);
    g_assert_cmpstr(after.body, ==, "{\"trash\":[]}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/tree/file", a_file_comes_with_what_identifies_it);
    g_test_add_func("/web/tree/head", head_tells_the_size_and_sends_nothing);
    g_test_add_func("/web/tree/conditional", what_is_known_is_not_sent_again);
    g_test_add_func("/web/tree/ranges", every_range_holds_the_bytes_it_names);
    g_test_add_func("/web/tree/damage", a_damaged_byte_never_leaves);
    g_test_add_func("/web/tree/pages", a_folder_is_listed_page_by_page);
    g_test_add_func("/web/tree/odd-names", a_name_of_any_bytes_goes_in_and_comes_out);
    g_test_add_func("/web/tree/long-names", a_name_is_at_most_255_bytes);
    g_test_add_func("/web/tree/folders", folders_are_made_moved_and_removed);
    g_test_add_func("/web/tree/replace", moving_onto_a_file_asks_first);
    g_test_add_func("/web/tree/links", a_link_keeps_its_target);
    g_test_add_func("/web/tree/versions", old_versions_can_be_read_and_brought_back);
    g_test_add_func("/web/tree/trash", the_trash_gives_back_and_forgets);
    return g_test_run();
}
