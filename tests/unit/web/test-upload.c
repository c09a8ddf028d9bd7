#include "gateway/base/io.h"
#include "tests/unit/web/house.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Uploads: whole, in chunks, refused, broken off. */

/* Sends the head and `size` bytes that differ everywhere, in chunks or not; the answer. */
static char *upload(House *house, const char *target, const char *headers, gsize size,
                    gboolean chunked)
{
    g_autoptr(GString) request = g_string_new(NULL);
    g_string_printf(request, "PUT /api/v1/tree/%s HTTP/1.1\r\nHost: localhost\r\n%s", target,
                    headers);
    if (chunked)
        g_string_append(request, "Transfer-Encoding: chunked\r\n\r\n");
    else
        g_string_append_printf(request, "Content-Length: %zu\r\n\r\n", size);
    for (gsize at = 0; at < size;) {
        gsize piece = chunked ? MIN(size - at, 70000) : size;
        if (chunked)
            g_string_append_printf(request, "%zx\r\n", piece);
        for (gsize end = at + piece; at < end; at++)
            g_string_append_c(request, (char)house_byte(at));
        if (chunked)
            g_string_append(request, "\r\n");
    }
    if (chunked)
        g_string_append(request, "0\r\n\r\n");
    return house_talk(house, FALSE, request->str, request->len, NULL);
}

static void expect(const char *answer, const char *status)
{
    g_autofree char *wanted = g_strdup_printf("HTTP/1.1 %s", status);
    if (!g_str_has_prefix(answer, wanted))
        g_error("wanted %s, got: %s", wanted, answer);
}

static void check_bytes(House *house, const char *path, gsize size)
{
    g_autoptr(GBytes) bytes = house_read(house, path);
    gsize got;
    const guint8 *data = g_bytes_get_data(bytes, &got);
    g_assert_cmpuint(got, ==, size);
    for (gsize i = 0; i < size; i++)
        if (data[i] != house_byte(i))
            g_error("byte %zu of %s is wrong", i, path);
}

static void a_file_of_any_size_arrives_whole(void)
{
    static const gsize SIZES[] = {0, 1, 32767, 32768, 100000, 9 * 1024 * 1024 + 1};
    g_autoptr(House) house = house_new();
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            g_autofree char *target = g_strdup_printf("%zu-%d", SIZES[i], chunked);
            g_autofree char *path = g_strconcat("/", target, NULL);
            g_autofree char *answer = upload(house, target, "", SIZES[i], chunked);
            expect(answer, "201");
            check_bytes(house, path, SIZES[i]);
        }
    }
    g_assert_cmpuint(house_spooled(house), ==, 0);
}

static void what_was_answered_is_there_after_a_restart(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *answer = upload(house, "f?mtime_ns=1234567890123456789&mode=600", "", 5000, 0);
    HearthObject object;
    expect(answer, "201");
    house_restart(house);
    check_bytes(house, "/f", 5000);
    g_assert_true(hearth_store_walk(house->store, "/f", &object, NULL));
    g_assert_cmpint(object.mtime_ns, ==, 1234567890123456789);
    g_assert_cmpuint(object.mode, ==, 0600);
}

static void conditions_hold_back_an_upload(void)
{
    g_autoptr(House) house = house_new();
    HearthObject object = house_add(house, "/there", "there");
    char id[HEARTH_CONTENT_ID_TEXT];
    hearth_content_id_to_text(&object.content, id);
    g_autofree char *right = g_strdup_printf("If-Match: \"%s\"\r\n", id);
    g_autofree char *none = upload(house, "there", "If-None-Match: *\r\n", 10, FALSE);
    expect(none, "412");
    g_autofree char *missing = upload(house, "new", "If-Match: *\r\n", 10, FALSE);
    expect(missing, "412");
    g_autofree char *wrong = upload(house, "there", "If-Match: \"wrong\"\r\n", 10, FALSE);
    expect(wrong, "412");
    g_autofree char *fresh = upload(house, "new", "If-None-Match: *\r\n", 10, FALSE);
    expect(fresh, "201");
    g_autofree char *replaced = upload(house, "there", right, 10, FALSE);
    expect(replaced, "200");
    check_bytes(house, "/there", 10);
}

static void a_place_that_cannot_be_is_refused(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/file", "x");
    house_add(house, "/folder/x", "x");
    g_autofree char *no_parent = upload(house, "nowhere/f", "", 10, FALSE);
    expect(no_parent, "404");
    g_autofree char *on_folder = upload(house, "folder", "", 10, FALSE);
    expect(on_folder, "409");
    g_autofree char *under_file = upload(house, "file/f", "", 10, FALSE);
    expect(under_file, "409");
    g_autofree char *root = upload(house, "", "", 10, FALSE);
    expect(root, "409");
    g_autofree char *bad_mode = upload(house, "f?mode=999", "", 10, FALSE);
    expect(bad_mode, "400");
    g_autofree char *bad_time = upload(house, "f?mtime_ns=now", "", 10, FALSE);
    expect(bad_time, "400");
    g_autofree char *parents = upload(house, "made/on/the/way?parents=1", "", 10, FALSE);
    expect(parents, "201");
    g_assert_cmpuint(house_spooled(house), ==, 0);
}

/* A client that asks first is told before it sends, and need not. */
static void who_asks_first_is_told_first(void)
{
    static const char HEAD[] = "PUT /api/v1/tree/nowhere/f HTTP/1.1\r\nHost: localhost\r\n"
                               "Expect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n";
    g_autoptr(House) house = house_new();
    g_autofree char *answer = house_talk(house, FALSE, HEAD, strlen(HEAD), NULL);
    expect(answer, "404");
}

/* More than any disk of ours holds: said at once, from the length alone. */
static void what_cannot_fit_is_refused_before_it_is_sent(void)
{
    static const char HEAD[] = "PUT /api/v1/tree/f HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Length: 900000000000000000\r\n\r\n";
    g_autoptr(House) house = house_new();
    g_autofree char *answer = house_talk(house, FALSE, HEAD, strlen(HEAD), NULL);
    expect(answer, "507");
    g_assert_false(house_has(house, "/f"));
    g_assert_cmpuint(house_spooled(house), ==, 0);
}

/* Takes all room of the house's disk but so many bytes. */
static void fill_disk(House *house, gsize rest)
{
    g_autofree char *path = g_build_filename(house->state, "filler", NULL);
    hearth_autofd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct statvfs room;
    g_assert_cmpint(fstatvfs(fd, &room), ==, 0);
    g_assert_cmpint(posix_fallocate(fd, 0, (off_t)(room.f_bavail * room.f_frsize - rest)), ==, 0);
}

/* Chunks do not say how much will come, so the disk is full in the middle. */
static void a_disk_that_fills_up_keeps_no_half(void)
{
    g_autoptr(House) house = house_new();
    house_stop(house);
    if (mount("none", house->state, "tmpfs", 0, "size=64m") != 0) {
        g_test_skip("may not mount here");
        house_start(house);
        return;
    }
    house_start(house);
    fill_disk(house, 2 * 1024 * 1024);
    g_autofree char *answer = upload(house, "f", "", 4 * 1024 * 1024, TRUE);
    expect(answer, "507");
    g_assert_nonnull(strstr(answer, "\"no-space\""));
    g_assert_false(house_has(house, "/f"));
    g_assert_cmpuint(house_spooled(house), ==, 0);
    g_autofree char *small = upload(house, "f", "", 1000, TRUE);
    expect(small, "201");
    house_stop(house);
    g_assert_cmpint(umount2(house->state, MNT_DETACH), ==, 0);
    house_start(house);
}

static void send_all(int fd, const char *text, gsize size)
{
    g_assert_cmpint(send(fd, text, size, MSG_NOSIGNAL), ==, size);
}

/* Waits until the spool holds that many files. */
static void await_spooled(House *house, guint count)
{
    for (guint i = 0; i < 1000 && house_spooled(house) != count; i++)
        g_usleep(10000);
    g_assert_cmpuint(house_spooled(house), ==, count);
}

static void an_upload_that_breaks_off_leaves_nothing(void)
{
    static const char *const HEADS[] = {"Content-Length: 1000000\r\n\r\n",
                                        "Transfer-Encoding: chunked\r\n\r\n10000\r\n"};
    g_autoptr(House) house = house_new();
    g_autofree char *half = g_strnfill(5000, 'h');
    for (gsize i = 0; i < G_N_ELEMENTS(HEADS); i++) {
        g_autofree char *head =
            g_strdup_printf("PUT /api/v1/tree/half HTTP/1.1\r\nHost: localhost\r\n%s", HEADS[i]);
        int fd = house_connect(house, FALSE);
        send_all(fd, head, strlen(head));
        send_all(fd, half, 5000);
        await_spooled(house, 1);
        close(fd);
        await_spooled(house, 0);
        g_assert_false(house_has(house, "/half"));
    }
}

/* The same when it is the client that shuts its side and waits for what we say. */
static void an_upload_that_ends_early_is_no_upload(void)
{
    static const char REQUEST[] = "PUT /api/v1/tree/half HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 1000\r\n\r\nnot a thousand bytes";
    g_autoptr(House) house = house_new();
    hearth_autofd int fd = house_connect(house, FALSE);
    char answer[1024] = "";
    send_all(fd, REQUEST, strlen(REQUEST));
    shutdown(fd, SHUT_WR);
    recv(fd, answer, sizeof answer - 1, 0);
    g_assert_false(g_str_has_prefix(answer, "HTTP/1.1 2"));
    await_spooled(house, 0);
    g_assert_false(house_has(house, "/half"));
}

static void stopping_in_an_upload_leaves_nothing(void)
{
    static const char REQUEST[] = "PUT /api/v1/tree/half HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 1000000\r\n\r\nhalf";
    g_autoptr(House) house = house_new();
    hearth_autofd int fd = house_connect(house, FALSE);
    send_all(fd, REQUEST, strlen(REQUEST));
    await_spooled(house, 1);
    gint64 begun = g_get_monotonic_time();
    house_restart(house);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 2 * G_TIME_SPAN_SECOND);
    g_assert_cmpuint(house_spooled(house), ==, 0);
    g_assert_false(house_has(house, "/half"));
}

static char *post_files(House *house, const char *body)
{
    g_autofree char *request = g_strdup_printf("POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\n"
                                               "Content-Length: %zu\r\n\r\n%s",
                                               strlen(body), body);
    return house_talk(house, FALSE, request, strlen(request), NULL);
}

static void check_text(House *house, const char *path, const char *text)
{
    g_autoptr(GBytes) bytes = house_read(house, path);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

static void many_files_arrive_in_one_request(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(GString) body = g_string_new(NULL);
    /* More than one group of them. */
    for (guint i = 0; i < 250; i++) {
        g_autofree char *text = g_strdup_printf("text %u", i % 200);
        g_string_append_printf(body, "{\"path\":\"/many/%u\",\"size\":%zu}\n%s", i, strlen(text),
                               text);
    }
    g_autofree char *answer = post_files(house, body->str);
    expect(answer, "200");
    g_assert_nonnull(strstr(answer, "\"files\":250"));
    house_restart(house);
    for (guint i = 0; i < 250; i++) {
        g_autofree char *text = g_strdup_printf("text %u", i % 200);
        g_autofree char *path = g_strdup_printf("/many/%u", i);
        check_text(house, path, text);
    }
    g_assert_cmpuint(house_spooled(house), ==, 0);
}

static void of_many_files_only_the_bad_ones_fail(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/folder/x", "x");
    house_add(house, "/old", "old");
    g_autofree char *answer = post_files(house, "{\"path\":\"/good\",\"size\":2}\n11"
                                                "{\"path\":\"/folder\",\"size\":2}\n22"
                                                "{\"path\":\"/old\",\"size\":2}\n33"
                                                "{\"path\":\"/a/../b\",\"size\":2}\n44"
                                                "{\"path\":\"/empty\",\"size\":0}\n");
    expect(answer, "200");
    g_assert_nonnull(strstr(answer, "\"files\":3"));
    g_assert_nonnull(strstr(answer, "\"path\":\"/folder\""));
    g_assert_nonnull(strstr(answer, "\"path\":\"/a/../b\""));
    check_text(house, "/good", "11");
    check_text(house, "/old", "33");
    check_text(house, "/empty", "");
    g_assert_false(house_has(house, "/b"));
    g_autofree char *cut = post_files(house, "{\"path\":\"/cut\",\"size\":9}\n1");
    expect(cut, "400");
    g_assert_false(house_has(house, "/cut"));
    g_assert_cmpuint(house_spooled(house), ==, 0);
}

static void one_connection_carries_many_requests(void)
{
    g_autoptr(House) house = house_new();
    hearth_autofd int fd = house_connect(house, FALSE);
    for (guint i = 0; i < 20; i++) {
        char answer[4096] = "";
        g_autofree char *request =
            g_strdup_printf("PUT /api/v1/tree/f%u HTTP/1.1\r\nHost: localhost\r\n"
                            "Content-Length: 1\r\n\r\nx",
                            i);
        send_all(fd, request, strlen(request));
        gsize got = 0;
        while (!strstr(answer, "\r\n\r\n") || answer[got - 1] != '}') {
            ssize_t more = recv(fd, answer + got, sizeof answer - 1 - got, 0);
            g_assert_cmpint(more, >, 0);
            got += (gsize)more;
        }
        expect(answer, "201");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/upload/whole", a_file_of_any_size_arrives_whole);
    g_test_add_func("/web/upload/durable", what_was_answered_is_there_after_a_restart);
    g_test_add_func("/web/upload/conditions", conditions_hold_back_an_upload);
    g_test_add_func("/web/upload/places", a_place_that_cannot_be_is_refused);
    g_test_add_func("/web/upload/expect", who_asks_first_is_told_first);
    g_test_add_func("/web/upload/too-much", what_cannot_fit_is_refused_before_it_is_sent);
    g_test_add_func("/web/upload/full-disk", a_disk_that_fills_up_keeps_no_half);
    g_test_add_func("/web/upload/broken-off", an_upload_that_breaks_off_leaves_nothing);
    g_test_add_func("/web/upload/ended-early", an_upload_that_ends_early_is_no_upload);
    g_test_add_func("/web/upload/stop", stopping_in_an_upload_leaves_nothing);
    g_test_add_func("/web/upload/many", many_files_arrive_in_one_request);
    g_test_add_func("/web/upload/many-bad", of_many_files_only_the_bad_ones_fail);
    g_test_add_func("/web/upload/keep-alive", one_connection_carries_many_requests);
    return g_test_run();
}
