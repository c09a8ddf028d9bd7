#include "devices/message.h"
#include "devices/shadow-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A shadow before a process that fails on purpose: this program itself, started with --worker. It
 * speaks message.h and has one object of FILE_SIZE bytes and two small ones; the fault says where
 * it goes wrong. A file counts its starts, so that a fault can end after some.
 */

#define FILE_SIZE (3 * 1024 * 1024 + 7) /* bytes */
#define FAULT_AT (1024 * 1024 + 4096)   /* bytes of it before the fault */
#define SMALL_SIZE 100
#define IDLE_MS 400 /* deadline of the tests; the shadow's own is half a minute */

typedef enum {
    FAULT_NONE,
    FAULT_DIE_IN_OPEN,
    FAULT_HANG_IN_OPEN,
    FAULT_BUSY,
    FAULT_LOCKED,
    FAULT_DIE_IN_LIST,
    FAULT_HANG_IN_LIST,
    FAULT_WORK_IN_LIST,
    FAULT_DIE_IN_FETCH,
    FAULT_HANG_IN_FETCH,
    FAULT_IO_IN_FETCH,
    FAULT_SHORT_FETCH,
    FAULT_LONG_FETCH,
    FAULT_GARBAGE,
    FAULT_WRONG_SERIAL,
    FAULT_REQUEST_AS_ANSWER,
    FAULT_BAD_PATH,
    FAULT_MORE_COUNTED_THAN_SENT,
    FAULT_DESCRIPTOR,
    FAULT_NOT_FOUND,
} Fault;

/* ---- the process ---- */

typedef struct {
    Fault fault; /* FAULT_NONE once it has happened often enough */
    int pipe;
    guint32 serial;
} Worker;

static guint8 pattern_at(gsize i)
{
    return (guint8)(i * 131 + i / 1021);
}

static void say(Worker *worker, HearthMessageKind kind, GVariant *body, const void *attached,
                gsize size)
{
    if (!hearth_message_send(STDIN_FILENO, kind, worker->serial, body, attached, size, -1, NULL))
        _exit(1);
}

static void say_error(Worker *worker, HearthError code, HearthDeviceState state, guint64 piped)
{
    say(worker, HEARTH_MESSAGE_ERROR,
        g_variant_new(HEARTH_MESSAGE_TYPE_ERROR, code, state, piped, "made up"), NULL, 0);
}

static void hang(void)
{
    for (;;)
        pause();
}

/* Silent for longer than the deadline, but not idle. */
static void work(void)
{
    gint64 until = g_get_monotonic_time() + 3 * IDLE_MS * 1000;
    while (g_get_monotonic_time() < until)
        continue;
}

static void serve_open(Worker *worker, HearthMessage *request)
{
    worker->pipe = hearth_steal_fd(&request->fd);
    switch (worker->fault) {
    case FAULT_DIE_IN_OPEN:
        abort();
    case FAULT_HANG_IN_OPEN:
        hang();
        break;
    case FAULT_BUSY:
        say_error(worker, HEARTH_ERROR_BUSY, HEARTH_DEVICE_BUSY, 0);
        _exit(0);
    case FAULT_LOCKED:
        say_error(worker, HEARTH_ERROR_BUSY, HEARTH_DEVICE_LOCKED, 0);
        _exit(0);
    default:
        say(worker, HEARTH_MESSAGE_OPENED,
            g_variant_new(HEARTH_MESSAGE_TYPE_OPENED, "Acme", "Faulty\033[2J", "1", TRUE), NULL, 0);
    }
}

static void say_object(Worker *worker, const char *path, gint64 size)
{
    GVariantBuilder entries;
    HearthDeviceObject object = {.path = (char *)path, .size = size, .mtime = 1000};
    g_variant_builder_init(&entries, G_VARIANT_TYPE(HEARTH_MESSAGE_TYPE_ENTRIES));
    hearth_message_add_entry(&entries, &object);
    say(worker, HEARTH_MESSAGE_ENTRIES_ARE, g_variant_builder_end(&entries), NULL, 0);
}

static void serve_list(Worker *worker)
{
    say_object(worker, "/BIG.MOV", FILE_SIZE);
    say_object(worker, "/SMALL1.JPG", SMALL_SIZE);
    if (worker->fault == FAULT_DIE_IN_LIST)
        abort();
    if (worker->fault == FAULT_HANG_IN_LIST)
        hang();
    if (worker->fault == FAULT_WORK_IN_LIST)
        work();
    if (worker->fault == FAULT_BAD_PATH)
        say_object(worker, "/../../etc/passwd", 1);
    if (worker->fault == FAULT_GARBAGE && write(STDIN_FILENO, "garbage garbage!", 16) != 16)
        _exit(1);
    say_object(worker, "/SMALL2.JPG", SMALL_SIZE);
    say(worker, HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, (guint64)0), NULL, 0);
}

static void pipe_pattern(Worker *worker, gsize from, gsize size)
{
    g_autofree guint8 *data = g_malloc(size);
    for (gsize i = 0; i < size; i++)
        data[i] = pattern_at(from + i);
    say(worker, HEARTH_MESSAGE_DATA, g_variant_new(HEARTH_MESSAGE_TYPE_DATA, (guint32)size), NULL,
        0);
    if (!hearth_write_all(worker->pipe, data, size, "pipe", NULL))
        _exit(1);
}

static void fail_fetch(Worker *worker, guint64 piped)
{
    switch (worker->fault) {
    case FAULT_DIE_IN_FETCH:
        abort();
    case FAULT_HANG_IN_FETCH:
        hang();
        break;
    case FAULT_IO_IN_FETCH:
        say_error(worker, HEARTH_ERROR_IO, HEARTH_DEVICE_ATTACHED, piped);
        break;
    case FAULT_GARBAGE:
        if (write(STDIN_FILENO, "\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377",
                  16) != 16)
            _exit(1);
        hang();
        break;
    case FAULT_WRONG_SERIAL:
        worker->serial += 7;
        say(worker, HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, piped), NULL, 0);
        break;
    case FAULT_REQUEST_AS_ANSWER:
        say(worker, HEARTH_MESSAGE_CLOSE, NULL, NULL, 0);
        break;
    case FAULT_MORE_COUNTED_THAN_SENT:
        say(worker, HEARTH_MESSAGE_DATA, g_variant_new(HEARTH_MESSAGE_TYPE_DATA, (guint32)500),
            NULL, 0);
        piped += 500;
        break;
    case FAULT_DESCRIPTOR:
        hearth_message_send(STDIN_FILENO, HEARTH_MESSAGE_END, worker->serial,
                            g_variant_new(HEARTH_MESSAGE_TYPE_END, piped), NULL, 0, STDIN_FILENO,
                            NULL);
        break;
    default:
        break;
    }
    if (worker->fault != FAULT_IO_IN_FETCH && worker->fault != FAULT_WRONG_SERIAL)
        say(worker, HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, piped), NULL, 0);
}

static void serve_fetch(Worker *worker, const HearthMessage *request)
{
    g_autoptr(GVariant) path = NULL;
    gint64 size, mtime;
    guint64 at;
    g_variant_get(request->body, "(@ayxxt)", &path, &size, &mtime, &at);
    if (size == SMALL_SIZE) {
        guint8 data[SMALL_SIZE];
        for (gsize i = 0; i < SMALL_SIZE; i++)
            data[i] = pattern_at(i);
        say(worker, HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, (guint64)0),
            data + at, SMALL_SIZE - at);
        return;
    }
    if (worker->fault == FAULT_NOT_FOUND) {
        say_error(worker, HEARTH_ERROR_NOT_FOUND, HEARTH_DEVICE_ATTACHED, 0);
        return;
    }
    gsize end = worker->fault == FAULT_LONG_FETCH ? FILE_SIZE + 1000
                : worker->fault == FAULT_NONE     ? FILE_SIZE
                                                  : FAULT_AT;
    guint64 piped = 0;
    while (at < end) {
        gsize piece = MIN(end - at, (gsize)300000);
        pipe_pattern(worker, at, piece);
        at += piece;
        piped += piece;
    }
    fail_fetch(worker, piped);
}

static gboolean serve(Worker *worker, HearthMessage *request)
{
    worker->serial = request->serial;
    switch (request->kind) {
    case HEARTH_MESSAGE_OPEN:
        serve_open(worker, request);
        return TRUE;
    case HEARTH_MESSAGE_LIST:
        serve_list(worker);
        return TRUE;
    case HEARTH_MESSAGE_FETCH:
        serve_fetch(worker, request);
        return TRUE;
    case HEARTH_MESSAGE_CANCEL:
        return TRUE;
    default:
        return FALSE;
    }
}

/* --worker FAULT TIMES COUNTER */
static int worker_main(char **arguments)
{
    guint8 *buffer = g_malloc(HEARTH_MESSAGE_MAX);
    gsize started = 0;
    g_autofree char *starts = NULL;
    hearth_autofd int counter = open(arguments[2], O_WRONLY | O_APPEND | O_CREAT, 0600);
    signal(SIGPIPE, SIG_IGN);
    if (write(counter, "x", 1) != 1 || !g_file_get_contents(arguments[2], &starts, &started, NULL))
        return 1;
    gboolean faulty = started <= (gsize)atoi(arguments[1]);
    Worker worker = {faulty ? (Fault)atoi(arguments[0]) : FAULT_NONE, -1, 0};
    HearthMessage request;
    while (hearth_message_receive(STDIN_FILENO, buffer, 0, &request, NULL)) {
        if (!serve(&worker, &request))
            break;
        hearth_message_clear(&request);
    }
    _exit(0);
}

/* ---- the tests ---- */

typedef struct {
    char *folder, *counter;
    HearthDevice *device;
    HearthShadow *shadow;
    GPtrArray *objects; /* of HearthDeviceObject* */
    GString *states;    /* words of the states the shadow went through */
    GByteArray *bytes;
    pid_t victim; /* to be killed at the next bytes, or 0 */
    GCancellable *cancellable;
} Fixture;

static void setup(Fixture *fixture, gconstpointer unused)
{
    fixture->folder = g_dir_make_tmp("hearth-faults-XXXXXX", NULL);
    fixture->counter = g_build_filename(fixture->folder, "starts", NULL);
    fixture->device = hearth_device_from_port("ptpip:127.0.0.1", NULL);
    fixture->objects = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_device_object_free);
    fixture->states = g_string_new(NULL);
    fixture->bytes = g_byte_array_new();
    fixture->cancellable = g_cancellable_new();
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    hearth_shadow_unref(fixture->shadow);
    hearth_device_free(fixture->device);
    g_ptr_array_unref(fixture->objects);
    g_string_free(fixture->states, TRUE);
    g_byte_array_unref(fixture->bytes);
    g_object_unref(fixture->cancellable);
    g_unlink(fixture->counter);
    g_rmdir(fixture->folder);
    g_free(fixture->counter);
    g_free(fixture->folder);
}

static void note_state(const HearthDevice *device, gpointer user_data)
{
    /* The thread that unplugs tells of it too. */
    static GMutex lock;
    g_mutex_lock(&lock);
    g_string_append_printf(user_data, "%s ", hearth_device_state_word(device->state));
    g_mutex_unlock(&lock);
}

/* A shadow whose process has `fault` at its first `times` starts. */
static void start(Fixture *fixture, Fault fault, int times)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *number = g_strdup_printf("%d", fault);
    g_autofree char *count = g_strdup_printf("%d", times);
    const char *const arguments[] = {"--worker", number, count, fixture->counter, NULL};
    HearthShadowOptions options;
    hearth_shadow_options_init(&options);
    options.worker = self;
    options.arguments = arguments;
    options.open_timeout_ms = options.idle_timeout_ms = IDLE_MS;
    options.retry_first_ms = 10;
    options.retry_last_ms = 50;
    options.state_changed = note_state;
    options.user_data = fixture->states;
    fixture->shadow = hearth_shadow_new(fixture->device, &options);
}

static gsize count_starts(const Fixture *fixture)
{
    g_autofree char *text = NULL;
    gsize size = 0;
    g_file_get_contents(fixture->counter, &text, &size, NULL);
    return size;
}

static gboolean collect(const HearthDeviceObject *object, gpointer user_data)
{
    g_ptr_array_add(user_data, hearth_device_object_copy(object));
    return TRUE;
}

static gboolean append(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    g_byte_array_append(user_data, data, (guint)size);
    return TRUE;
}

static gboolean fetch(Fixture *fixture, const char *path, gint64 size, GError **error)
{
    HearthDeviceObject object = {.path = (char *)path, .size = size, .mtime = 1000};
    g_byte_array_set_size(fixture->bytes, 0);
    return hearth_shadow_fetch(fixture->shadow, &object, 0, append, fixture->bytes,
                               fixture->cancellable, error);
}

static void assert_pattern(const Fixture *fixture, gsize size)
{
    g_assert_cmpuint(fixture->bytes->len, ==, size);
    for (gsize i = 0; i < size; i++)
        if (fixture->bytes->data[i] != pattern_at(i))
            g_error("byte %zu differs", i);
}

static void assert_others_can_be_fetched(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(fetch(fixture, "/SMALL1.JPG", SMALL_SIZE, &error));
    g_assert_no_error(error);
    assert_pattern(fixture, SMALL_SIZE);
}

/* One failure is hidden: the bytes come whole, each once. */
static void assert_survived(Fixture *fixture, Fault fault)
{
    g_autoptr(GError) error = NULL;
    start(fixture, fault, 1);
    g_assert_true(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_no_error(error);
    assert_pattern(fixture, FILE_SIZE);
    g_assert_cmpuint(count_starts(fixture), ==, 2);
}

/* Three failures are an error that names device, object and cause, and the rest goes on. */
static void assert_given_up(Fixture *fixture, Fault fault, HearthError code, const char *cause)
{
    g_autoptr(GError) error = NULL;
    start(fixture, fault, 100);
    g_assert_false(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_error(error, HEARTH_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, "BIG.MOV"));
    g_assert_nonnull(strstr(error->message, "Acme"));
    g_assert_nonnull(strstr(error->message, cause));
    g_assert_null(strchr(error->message, '\033'));
    /* The first attempt made progress, so three more without any came after it. */
    g_assert_cmpuint(count_starts(fixture), <=, 4);
    assert_others_can_be_fetched(fixture);
}

static void a_death_in_a_fetch_is_hidden(Fixture *fixture, gconstpointer unused)
{
    assert_survived(fixture, FAULT_DIE_IN_FETCH);
}

static void a_hang_in_a_fetch_is_hidden(Fixture *fixture, gconstpointer unused)
{
    assert_survived(fixture, FAULT_HANG_IN_FETCH);
}

static void an_input_error_is_tried_again(Fixture *fixture, gconstpointer unused)
{
    assert_survived(fixture, FAULT_IO_IN_FETCH);
}

static void an_early_end_is_tried_again(Fixture *fixture, gconstpointer unused)
{
    assert_survived(fixture, FAULT_SHORT_FETCH);
}

static void nonsense_is_survived(Fixture *fixture, gconstpointer fault)
{
    assert_survived(fixture, (Fault)GPOINTER_TO_INT(fault));
}

static void deaths_without_end_end_the_fetch(Fixture *fixture, gconstpointer unused)
{
    assert_given_up(fixture, FAULT_DIE_IN_FETCH, HEARTH_ERROR_GONE, "died of signal");
}

static void hangs_without_end_end_the_fetch(Fixture *fixture, gconstpointer unused)
{
    assert_given_up(fixture, FAULT_HANG_IN_FETCH, HEARTH_ERROR_TIMED_OUT, "does not answer");
}

static void input_errors_without_end_end_the_fetch(Fixture *fixture, gconstpointer unused)
{
    assert_given_up(fixture, FAULT_IO_IN_FETCH, HEARTH_ERROR_IO, "made up");
}

static void nonsense_without_end_ends_the_fetch(Fixture *fixture, gconstpointer fault)
{
    assert_given_up(fixture, (Fault)GPOINTER_TO_INT(fault), HEARTH_ERROR_PROTOCOL, "");
}

static void an_object_that_stays_short_is_corrupt(Fixture *fixture, gconstpointer unused)
{
    assert_given_up(fixture, FAULT_SHORT_FETCH, HEARTH_ERROR_CORRUPT, "bytes");
}

static void no_byte_past_the_size_is_given(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    start(fixture, FAULT_LONG_FETCH, 100);
    g_assert_false(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    g_assert_cmpuint(fixture->bytes->len, <=, FILE_SIZE);
    assert_others_can_be_fetched(fixture);
}

static void what_the_device_says_of_an_object_is_not_asked_twice(Fixture *fixture,
                                                                 gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    start(fixture, FAULT_NOT_FOUND, 100);
    g_assert_false(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
    g_assert_cmpuint(count_starts(fixture), ==, 1);
}

static void assert_listed_once_each(Fixture *fixture, Fault fault)
{
    g_autoptr(GError) error = NULL;
    start(fixture, fault, 1);
    g_assert_true(hearth_shadow_list(fixture->shadow, collect, fixture->objects, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->objects->len, ==, 3);
    for (guint i = 0; i < 3; i++)
        for (guint j = 0; j < i; j++)
            g_assert_cmpstr(((HearthDeviceObject *)fixture->objects->pdata[i])->path, !=,
                            ((HearthDeviceObject *)fixture->objects->pdata[j])->path);
}

static void a_list_after_a_fault_has_each_object_once(Fixture *fixture, gconstpointer fault)
{
    assert_listed_once_each(fixture, (Fault)GPOINTER_TO_INT(fault));
}

static void a_process_that_works_is_left_to_it(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    start(fixture, FAULT_WORK_IN_LIST, 100);
    g_assert_true(hearth_shadow_list(fixture->shadow, collect, fixture->objects, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->objects->len, ==, 3);
    g_assert_cmpuint(count_starts(fixture), ==, 1);
}

static void a_list_never_leads_out_of_the_device(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    start(fixture, FAULT_BAD_PATH, 100);
    g_assert_false(hearth_shadow_list(fixture->shadow, collect, fixture->objects, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
    for (guint i = 0; i < fixture->objects->len; i++)
        g_assert_null(strstr(((HearthDeviceObject *)fixture->objects->pdata[i])->path, ".."));
}

static void a_device_that_cannot_be_opened_fails(Fixture *fixture, gconstpointer fault)
{
    g_autoptr(GError) error = NULL;
    start(fixture, (Fault)GPOINTER_TO_INT(fault), 100);
    g_assert_false(hearth_shadow_open(fixture->shadow, NULL, &error));
    g_assert_nonnull(error);
    g_assert_cmpuint(count_starts(fixture), ==, 3);
    g_autoptr(HearthDevice) device = hearth_shadow_dup_device(fixture->shadow);
    g_assert_cmpint(device->state, ==, HEARTH_DEVICE_FAILED);
    g_assert_nonnull(device->message);
}

static void a_busy_device_is_waited_for(Fixture *fixture, gconstpointer fault)
{
    g_autoptr(GError) error = NULL;
    start(fixture, (Fault)GPOINTER_TO_INT(fault), 5);
    g_assert_true(hearth_shadow_open(fixture->shadow, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count_starts(fixture), ==, 6);
    g_assert_cmpstr(fixture->states->str, ==,
                    GPOINTER_TO_INT(fault) == FAULT_BUSY ? "busy ready " : "locked ready ");
}

static gpointer cancel_later(gpointer data)
{
    g_usleep(150000);
    g_cancellable_cancel(data);
    return NULL;
}

static gpointer unplug_later(gpointer data)
{
    g_usleep(150000);
    hearth_shadow_unplug(data);
    return NULL;
}

/* In the middle of whatever the fault makes it wait for; deadlines are far away. */
static void a_cancelled_call_returns_at_once(Fixture *fixture, gconstpointer fault)
{
    g_autoptr(GError) error = NULL;
    start(fixture, (Fault)GPOINTER_TO_INT(fault), 100000);
    GThread *thread = g_thread_new("cancel", cancel_later, fixture->cancellable);
    gint64 began = g_get_monotonic_time();
    g_assert_false(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_cmpint(g_get_monotonic_time() - began, <, 1150000);
    g_thread_join(thread);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED);
    g_cancellable_reset(fixture->cancellable);
}

static void an_unplugged_device_ends_the_call(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    start(fixture, FAULT_HANG_IN_FETCH, 100);
    GThread *thread = g_thread_new("unplug", unplug_later, fixture->shadow);
    gint64 began = g_get_monotonic_time();
    g_assert_false(fetch(fixture, "/BIG.MOV", FILE_SIZE, &error));
    g_assert_cmpint(g_get_monotonic_time() - began, <, 1150000);
    g_thread_join(thread);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE);
}

static gboolean kill_once(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    Fixture *fixture = user_data;
    if (fixture->victim)
        kill(fixture->victim, SIGKILL);
    fixture->victim = 0;
    return append(data, size, fixture->bytes, error);
}

static void a_killed_process_is_replaced(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    HearthDeviceObject object = {.path = (char *)"/BIG.MOV", .size = FILE_SIZE, .mtime = 1000};
    start(fixture, FAULT_NONE, 0);
    g_assert_true(hearth_shadow_open(fixture->shadow, NULL, &error));
    fixture->victim = hearth_shadow_worker_pid(fixture->shadow);
    g_assert_true(
        hearth_shadow_fetch(fixture->shadow, &object, 0, kill_once, fixture, NULL, &error));
    g_assert_no_error(error);
    assert_pattern(fixture, FILE_SIZE);
    g_assert_cmpuint(count_starts(fixture), ==, 2);
}

static gboolean refuse_bytes(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE, "the spool is full");
    return FALSE;
}

static void an_error_of_the_receiver_is_its_own(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    HearthDeviceObject object = {.path = (char *)"/BIG.MOV", .size = FILE_SIZE, .mtime = 1000};
    start(fixture, FAULT_NONE, 0);
    g_assert_false(
        hearth_shadow_fetch(fixture->shadow, &object, 0, refuse_bytes, NULL, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
    g_assert_cmpstr(error->message, ==, "the spool is full");
    assert_others_can_be_fetched(fixture);
}

#define ADD(path, func, data)                                                                      \
    g_test_add("/devices/shadow-faults/" path, Fixture, GINT_TO_POINTER(data), setup, func,        \
               teardown)

static void add_nonsense(void)
{
    ADD("garbage-is-survived", nonsense_is_survived, FAULT_GARBAGE);
    ADD("wrong-serial-is-survived", nonsense_is_survived, FAULT_WRONG_SERIAL);
    ADD("request-as-answer-is-survived", nonsense_is_survived, FAULT_REQUEST_AS_ANSWER);
    ADD("wrong-count-is-survived", nonsense_is_survived, FAULT_MORE_COUNTED_THAN_SENT);
    ADD("descriptor-is-survived", nonsense_is_survived, FAULT_DESCRIPTOR);
    ADD("garbage-without-end", nonsense_without_end_ends_the_fetch, FAULT_GARBAGE);
    ADD("wrong-count-without-end", nonsense_without_end_ends_the_fetch,
        FAULT_MORE_COUNTED_THAN_SENT);
    ADD("list-never-leads-out", a_list_never_leads_out_of_the_device, 0);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--worker") == 0)
        return worker_main(argv + 2);
    g_test_init(&argc, &argv, NULL);
    ADD("death-in-fetch-is-hidden", a_death_in_a_fetch_is_hidden, 0);
    ADD("hang-in-fetch-is-hidden", a_hang_in_a_fetch_is_hidden, 0);
    ADD("input-error-is-tried-again", an_input_error_is_tried_again, 0);
    ADD("early-end-is-tried-again", an_early_end_is_tried_again, 0);
    add_nonsense();
    ADD("deaths-without-end", deaths_without_end_end_the_fetch, 0);
    ADD("hangs-without-end", hangs_without_end_end_the_fetch, 0);
    ADD("input-errors-without-end", input_errors_without_end_end_the_fetch, 0);
    ADD("short-object-is-corrupt", an_object_that_stays_short_is_corrupt, 0);
    ADD("no-byte-past-the-size", no_byte_past_the_size_is_given, 0);
    ADD("answer-about-object-is-final", what_the_device_says_of_an_object_is_not_asked_twice, 0);
    ADD("list-after-death", a_list_after_a_fault_has_each_object_once, FAULT_DIE_IN_LIST);
    ADD("list-after-hang", a_list_after_a_fault_has_each_object_once, FAULT_HANG_IN_LIST);
    ADD("list-after-garbage", a_list_after_a_fault_has_each_object_once, FAULT_GARBAGE);
    ADD("working-process-is-left-to-it", a_process_that_works_is_left_to_it, 0);
    ADD("open-that-dies-fails", a_device_that_cannot_be_opened_fails, FAULT_DIE_IN_OPEN);
    ADD("open-that-hangs-fails", a_device_that_cannot_be_opened_fails, FAULT_HANG_IN_OPEN);
    ADD("busy-is-waited-for", a_busy_device_is_waited_for, FAULT_BUSY);
    ADD("locked-is-waited-for", a_busy_device_is_waited_for, FAULT_LOCKED);
    ADD("cancel-in-hang", a_cancelled_call_returns_at_once, FAULT_HANG_IN_FETCH);
    ADD("cancel-in-open", a_cancelled_call_returns_at_once, FAULT_HANG_IN_OPEN);
    ADD("cancel-while-busy", a_cancelled_call_returns_at_once, FAULT_BUSY);
    ADD("unplug-ends-the-call", an_unplugged_device_ends_the_call, 0);
    ADD("killed-process-is-replaced", a_killed_process_is_replaced, 0);
    ADD("error-of-the-receiver-is-its-own", an_error_of_the_receiver_is_its_own, 0);
    return g_test_run();
}
