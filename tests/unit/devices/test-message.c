#include "devices/message.h"
#include "gateway/base/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int ends[2];
    guint8 *buffer;
} Fixture;

static void setup(Fixture *fixture, gconstpointer unused)
{
    g_assert_cmpint(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fixture->ends), ==,
        0);
    fixture->buffer = g_malloc(HEARTH_MESSAGE_MAX);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    close(fixture->ends[0]);
    close(fixture->ends[1]);
    g_free(fixture->buffer);
}

static void send_entry(Fixture *fixture, const HearthDeviceObject *object)
{
    g_autoptr(GError) error = NULL;
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE(HEARTH_MESSAGE_TYPE_ENTRIES));
    hearth_message_add_entry(&builder, object);
    g_assert_true(hearth_message_send(fixture->ends[0], HEARTH_MESSAGE_ENTRIES_ARE, 5,
                                      g_variant_builder_end(&builder), NULL, 0, -1, &error));
    g_assert_no_error(error);
}

static gboolean receive_entry(Fixture *fixture, HearthDeviceObject *ret_object, GError **error)
{
    g_auto(HearthMessage) message = {.fd = -1};
    return hearth_message_receive(fixture->ends[1], fixture->buffer, 0, &message, error) &&
           hearth_message_get_entry(message.body, 0, ret_object, error);
}

static void an_object_survives_the_way(Fixture *fixture, gconstpointer unused)
{
    const HearthDeviceObject sent = {.path = (char *)"/DCIM/\xff\xfe\n IMG.JPG",
                                     .size = G_MAXINT64,
                                     .mtime = -5,
                                     .mtime_is_utc = TRUE,
                                     .media_type = (char *)"image/jpeg",
                                     .storage = (char *)"store_00010001"};
    g_auto(HearthDeviceObject) got = {0};
    g_autoptr(GError) error = NULL;
    send_entry(fixture, &sent);
    g_assert_true(receive_entry(fixture, &got, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(got.path, ==, sent.path);
    g_assert_cmpint(got.size, ==, sent.size);
    g_assert_cmpint(got.mtime, ==, sent.mtime);
    g_assert_true(got.mtime_is_utc);
    g_assert_false(got.is_folder);
    g_assert_cmpstr(got.media_type, ==, sent.media_type);
    g_assert_cmpstr(got.storage, ==, sent.storage);
    g_assert_null(got.refusal);
}

static void a_path_that_leads_elsewhere_is_a_breach(Fixture *fixture, gconstpointer unused)
{
    static const char *const BAD[] = {"/..", "/a/../b", "relative", "/", "//", "/a/", "/./a"};
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_auto(HearthDeviceObject) got = {0};
        g_autoptr(GError) error = NULL;
        send_entry(fixture, &(HearthDeviceObject){.path = (char *)BAD[i], .size = 1});
        g_assert_false(receive_entry(fixture, &got, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
    }
}

static void a_size_below_nothing_is_a_breach(Fixture *fixture, gconstpointer unused)
{
    g_auto(HearthDeviceObject) got = {0};
    g_autoptr(GError) error = NULL;
    send_entry(fixture, &(HearthDeviceObject){.path = (char *)"/a", .size = -2});
    g_assert_false(receive_entry(fixture, &got, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
}

static void attached_bytes_and_a_descriptor_come_along(Fixture *fixture, gconstpointer unused)
{
    g_auto(HearthMessage) message = {.fd = -1};
    g_autoptr(GError) error = NULL;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_assert_true(hearth_message_send(fixture->ends[0], HEARTH_MESSAGE_END, 7,
                                      g_variant_new(HEARTH_MESSAGE_TYPE_END, (guint64)9), "abc", 3,
                                      null, &error));
    close(null);
    g_assert_true(hearth_message_receive(fixture->ends[1], fixture->buffer, 0, &message, &error));
    g_assert_cmpuint(message.serial, ==, 7);
    g_assert_cmpmem(message.attached, message.attached_size, "abc", 3);
    g_assert_cmpint(message.fd, >=, 0);
    g_assert_cmpint(fcntl(message.fd, F_GETFD) & FD_CLOEXEC, !=, 0);
}

/* Each word of a good packet's head, and its length, made wrong. */
static void a_packet_that_is_not_whole_is_refused(Fixture *fixture, gconstpointer unused)
{
    guint32 words[8];
    g_assert_true(hearth_message_send(fixture->ends[0], HEARTH_MESSAGE_DATA, 1,
                                      g_variant_new(HEARTH_MESSAGE_TYPE_DATA, 17u), NULL, 0, -1,
                                      NULL));
    ssize_t size = recv(fixture->ends[1], words, sizeof words, 0);
    g_assert_cmpint(size, ==, 20);
    static const struct {
        guint word;
        guint32 value;
    } WRONG[] = {{0, 0},           {0, HEARTH_MESSAGE_LAST},
                 {0, G_MAXUINT32}, {0, HEARTH_MESSAGE_ERROR},
                 {2, 0},           {2, 3},
                 {2, 5},           {2, G_MAXUINT32},
                 {3, 1},           {3, G_MAXUINT32}};
    for (gsize i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        g_auto(HearthMessage) message = {.fd = -1};
        guint32 changed[8];
        memcpy(changed, words, sizeof words);
        changed[WRONG[i].word] = WRONG[i].value;
        g_assert_false(hearth_message_parse((guint8 *)changed, (gsize)size, &message, NULL));
    }
    for (gsize shorter = 0; shorter < (gsize)size; shorter++) {
        g_auto(HearthMessage) message = {.fd = -1};
        g_assert_false(hearth_message_parse((guint8 *)words, shorter, &message, NULL));
    }
}

static void a_reason_is_made_plain(Fixture *fixture, gconstpointer unused)
{
    g_auto(HearthMessage) message = {.fd = -1};
    g_autoptr(GError) error = NULL;
    HearthDeviceState state;
    guint64 count;
    g_assert_true(hearth_message_send(
        fixture->ends[0], HEARTH_MESSAGE_ERROR, 1,
        g_variant_new(HEARTH_MESSAGE_TYPE_ERROR, 9999u, 9999u, (guint64)3, "a\nb\033[1m"), NULL, 0,
        -1, NULL));
    g_assert_true(hearth_message_receive(fixture->ends[1], fixture->buffer, 0, &message, NULL));
    hearth_message_get_error(&message, &state, &count, &error);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
    g_assert_cmpint(state, ==, HEARTH_DEVICE_FAILED);
    g_assert_cmpuint(count, ==, 3);
    g_assert_null(strpbrk(error->message, "\n\033"));
}

static void the_end_of_the_conversation_is_told_from_silence(Fixture *fixture, gconstpointer unused)
{
    g_auto(HearthMessage) message = {.fd = -1};
    g_autoptr(GError) silence = NULL, end = NULL;
    g_assert_false(
        hearth_message_receive(fixture->ends[1], fixture->buffer, 0, &message, &silence));
    g_assert_error(silence, HEARTH_ERROR, HEARTH_ERROR_BUSY);
    shutdown(fixture->ends[0], SHUT_RDWR);
    g_assert_false(hearth_message_receive(fixture->ends[1], fixture->buffer, 0, &message, &end));
    g_assert_error(end, HEARTH_ERROR, HEARTH_ERROR_GONE);
}

#define ADD(path, func) g_test_add("/devices/message/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("object-survives-the-way", an_object_survives_the_way);
    ADD("path-elsewhere-is-a-breach", a_path_that_leads_elsewhere_is_a_breach);
    ADD("size-below-nothing-is-a-breach", a_size_below_nothing_is_a_breach);
    ADD("attachment-and-descriptor-come-along", attached_bytes_and_a_descriptor_come_along);
    ADD("packet-not-whole-is-refused", a_packet_that_is_not_whole_is_refused);
    ADD("reason-is-made-plain", a_reason_is_made_plain);
    ADD("end-is-told-from-silence", the_end_of_the_conversation_is_told_from_silence);
    return g_test_run();
}
