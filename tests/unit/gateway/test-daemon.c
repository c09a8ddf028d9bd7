#include "sprockets/host/host.h"
#include "tests/harness/daemon.h"
#include "tests/harness/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *top, *state, *card, *port;
    HearthTestDaemon *daemon;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->top = g_dir_make_tmp("hearth-daemon-XXXXXX", NULL);
    f->state = g_build_filename(f->top, "state", NULL);
    f->card = g_build_filename(f->top, "card", NULL);
    f->port = g_strconcat("volume:", f->card, NULL);
    g_mkdir(f->card, 0755);
    f->daemon = test_daemon_new(f->state);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_daemon_free(f->daemon);
    files_remove_tree(f->top);
    g_free(f->top);
    g_free(f->state);
    g_free(f->card);
    g_free(f->port);
}

static void check_log(Fixture *f, const char *part)
{
    g_autofree char *log = test_daemon_log(f->daemon);
    if (!strstr(log, part))
        g_error("\"%s\" is not in the log:\n%s", part, log);
}

static guint mode_of(Fixture *f, const char *name)
{
    g_autofree char *path = g_build_filename(f->state, name, NULL);
    struct stat info;
    g_assert_cmpint(stat(path, &info), ==, 0);
    return info.st_mode & 0777;
}

static void an_attached_card_is_imported_and_a_stop_is_clean(Fixture *f, gconstpointer data)
{
    files_make_card(f->card, 10, 4000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_true(test_daemon_settle(f->daemon, 30));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpstr(test_text(job, "device"), ==, id);
    g_assert_cmpint(test_number(job, "imported"), ==, 10);
    g_assert_cmpuint(mode_of(f, "hearthd.sock"), ==, 0660);
    g_assert_cmpuint(mode_of(f, "keys"), ==, 0700);
    test_daemon_stop(f->daemon, 2);
}

static void a_second_daemon_on_one_state_is_refused(Fixture *f, gconstpointer data)
{
    test_daemon_start(f->daemon);
    g_autoptr(HearthTestDaemon) second = test_daemon_new(f->state);
    test_daemon_spawn(second);
    int status = test_daemon_wait(second, 10);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    check_log(f, "another hearthd is at work here");
    g_assert_cmpuint(test_daemon_request(f->daemon, "GET", "/api/v1/status", NULL, NULL), ==, 200);
}

/* What systemd would hear until the daemon said `wanted`. */
static void wait_for_notice(int fd, const char *wanted)
{
    char notice[256] = "";
    while (!strstr(notice, wanted)) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        g_assert_cmpint(poll(&readable, 1, 10000), ==, 1);
        ssize_t size = recv(fd, notice, sizeof notice - 1, 0);
        g_assert_cmpint(size, >, 0);
        notice[size] = '\0';
    }
}

static void systemd_hears_when_it_is_ready_and_when_it_stops(Fixture *f, gconstpointer data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *path = g_build_filename(f->top, "notify", NULL);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    test_daemon_set_variable(f->daemon, "NOTIFY_SOCKET", path);
    test_daemon_set_variable(f->daemon, "WATCHDOG_USEC", "400000");
    test_daemon_spawn(f->daemon);
    wait_for_notice(fd, "READY=1");
    wait_for_notice(fd, "WATCHDOG=1");
    test_daemon_signal(f->daemon, SIGHUP);
    wait_for_notice(fd, "RELOADING=1");
    wait_for_notice(fd, "READY=1");
    test_daemon_signal(f->daemon, SIGTERM);
    wait_for_notice(fd, "STOPPING=1");
    g_assert_cmpint(test_daemon_wait(f->daemon, 10), ==, 0);
    close(fd);
}

/* A card too large to be through before the stop. */
static void a_stop_in_the_middle_is_quick_and_the_job_goes_on(Fixture *f, gconstpointer data)
{
    files_make_card(f->card, 1500, 30000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    for (guint i = 0; i < 200; i++) {
        g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
        if (test_number(job, "imported") > 0)
            break;
        g_usleep(10000);
    }
    gint64 before = g_get_monotonic_time();
    test_daemon_stop(f->daemon, 10);
    g_assert_cmpint(g_get_monotonic_time() - before, <, 2 * G_USEC_PER_SEC);

    test_daemon_start(f->daemon);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_nonnull(job);
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpint(test_number(job, "imported") + test_number(job, "known"), ==, 1500);
    g_assert_cmpint(test_number(job, "known"), >, 0);
}

static void write_config(Fixture *f, const char *text)
{
    files_write(f->top, "hearth.conf", 1, text);
}

static void use_config(Fixture *f)
{
    g_autofree char *path = g_build_filename(f->top, "hearth.conf", NULL);
    test_daemon_add_argument(f->daemon, "--config");
    test_daemon_add_argument(f->daemon, path);
}

static void check_name(Fixture *f, const char *name)
{
    for (guint i = 0; i < 200; i++) {
        g_autoptr(GVariant) status = test_daemon_ask(f->daemon, "GET", "/api/v1/status", NULL);
        if (g_str_equal(test_text(status, "name"), name))
            return;
        g_usleep(10000);
    }
    g_error("the gateway is not called %s", name);
}

static void hup_reads_the_configuration_again_and_a_bad_one_is_refused(Fixture *f,
                                                                       gconstpointer data)
{
    write_config(f, "[gateway]\nname=one\n");
    use_config(f);
    test_daemon_start(f->daemon);
    check_name(f, "one");
    write_config(f, "[gateway]\nname=two\n");
    test_daemon_signal(f->daemon, SIGHUP);
    check_name(f, "two");
    write_config(f, "[gateway]\nname=three\nnmae=x\n");
    test_daemon_signal(f->daemon, SIGHUP);
    for (guint i = 0; i < 200; i++) {
        g_autofree char *log = test_daemon_log(f->daemon);
        if (strstr(log, "hearth.conf:3: unknown key nmae"))
            break;
        g_usleep(10000);
    }
    check_log(f, "hearth.conf:3: unknown key nmae");
    check_name(f, "two");
}

static gboolean photos_are_trusted(Fixture *f, const char *trust)
{
    g_autoptr(GVariant) answer = test_daemon_ask(f->daemon, "GET", "/api/v1/sprockets", NULL);
    g_autofree char *text = g_variant_print(answer, FALSE);
    g_autofree char *wanted = g_strdup_printf("'trust': <'%s'>", trust);
    g_assert_nonnull(strstr(text, "home.hearth.photo"));
    return strstr(text, wanted) != NULL;
}

static void sprockets_are_trusted_as_the_file_says(Fixture *f, gconstpointer data)
{
    gboolean engine = hearth_sprocket_mode_available(HEARTH_SPROCKET_MODE_ROLLBACK, NULL);
    write_config(f, "[sprocket home.hearth.photo]\ntrust=process\n");
    use_config(f);
    test_daemon_start(f->daemon);
    g_assert_true(photos_are_trusted(f, engine ? "process" : "fork"));
    /* Longer than before: the file is written over, not anew. */
    write_config(f, "[gateway]\nname=two\n[sprocket home.hearth.photo]\ntrust=inside\n");
    test_daemon_signal(f->daemon, SIGHUP);
    for (guint i = 0; i < 200 && !photos_are_trusted(f, engine ? "inside" : "fork"); i++)
        g_usleep(10000);
    g_assert_true(photos_are_trusted(f, engine ? "inside" : "fork"));
}

static void translations_of_sprockets_outlive_the_daemon(Fixture *f, gconstpointer data)
{
    if (!hearth_sprocket_mode_available(HEARTH_SPROCKET_MODE_ROLLBACK, NULL)) {
        g_test_message("there are none without the engine");
        return;
    }
    g_autoptr(HearthTestDaemon) first = test_daemon_new(f->state);
    g_autofree char *path = g_build_filename(f->state, "sprockets", "translations", NULL);
    g_autofree char *kept = NULL, *again = NULL;
    gsize size, size_again;
    files_make_card(f->card, 2, 4000);
    test_daemon_start(first);
    g_autofree char *id = test_daemon_attach(first, f->port);
    g_assert_true(test_daemon_settle(first, 20));
    test_daemon_stop(first, 5);
    g_assert_true(g_file_get_contents(path, &kept, &size, NULL));
    g_assert_cmpuint(size, >, 0);
    test_daemon_start(f->daemon);
    test_daemon_stop(f->daemon, 5);
    g_assert_true(g_file_get_contents(path, &again, &size_again, NULL));
    g_assert_cmpuint(size_again, >=, size / 2);
}

static void a_bad_configuration_keeps_it_from_starting(Fixture *f, gconstpointer data)
{
    write_config(f, "[gateway]\ncopies=many\n");
    use_config(f);
    g_assert_false(test_daemon_try_start(f->daemon));
    check_log(f, "hearth.conf:2: key copies");
}

static void a_device_that_is_off_waits_for_a_person(Fixture *f, gconstpointer data)
{
    files_make_card(f->card, 2, 100);
    g_autoptr(HearthTestDaemon) first = test_daemon_new(f->state);
    test_daemon_start(first);
    g_autofree char *id = test_daemon_attach(first, f->port);
    g_assert_true(test_daemon_settle(first, 20));
    test_daemon_stop(first, 5);

    g_autofree char *text = g_strdup_printf("[device %s]\nimport=off\n", id);
    g_autofree char *path = g_strdup_printf("/api/v1/devices/%s/import", id);
    write_config(f, text);
    use_config(f);
    test_daemon_start(f->daemon);
    g_autofree char *again = test_daemon_attach(f->daemon, f->port);
    g_assert_null(test_daemon_job(f->daemon, "import"));
    g_autoptr(GVariant) job = test_daemon_ask(f->daemon, "POST", path, "{}");
    g_assert_true(test_daemon_settle(f->daemon, 20));
    g_autoptr(GVariant) ended = test_daemon_job(f->daemon, "import");
    g_assert_cmpint(test_number(ended, "known"), ==, 2);
}

static void a_detached_device_is_gone(Fixture *f, gconstpointer data)
{
    files_make_card(f->card, 1, 100);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_autofree char *path = g_strdup_printf("/api/v1/devices/%s", id);
    g_assert_true(test_daemon_settle(f->daemon, 20));
    g_autoptr(GVariant) gone = test_daemon_ask(f->daemon, "DELETE", path, NULL);
    g_assert_cmpuint(test_daemon_request(f->daemon, "DELETE", path, NULL, NULL), ==, 404);
}

/* The page in the middle of the database, all wrong. */
static void damage_database(Fixture *f)
{
    g_autofree char *path = g_build_filename(f->state, "metadata.db", NULL);
    g_autofree char *noise = g_strnfill(4096, '\xa5');
    struct stat info;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(fstat(fd, &info), ==, 0);
    for (off_t at = 4096; at < info.st_size; at += 4096)
        g_assert_cmpint(pwrite(fd, noise, 4096, at), ==, 4096);
    close(fd);
}

static void a_damaged_database_is_named_not_used(Fixture *f, gconstpointer data)
{
    files_make_card(f->card, 5, 1000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_true(test_daemon_settle(f->daemon, 20));
    test_daemon_stop(f->daemon, 5);
    damage_database(f);
    g_assert_false(test_daemon_try_start(f->daemon));
    check_log(f, "metadata.db");
}

static void a_folder_in_place_of_the_state_is_an_error(Fixture *f, gconstpointer data)
{
    files_write(f->top, "state", 1, "no folder");
    g_assert_false(test_daemon_try_start(f->daemon));
    check_log(f, "error: cannot make the folder");
}

static int run_words(const char *word, char **ret_out)
{
    g_autofree char *program = g_build_filename(g_getenv("HEARTH_BIN"), "hearthd", NULL);
    const char *argv[] = {program, word, NULL};
    int status = 0;
    g_autofree char *errors = NULL;
    g_autoptr(GError) error = NULL;
    g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, ret_out, &errors, &status, &error);
    g_assert_no_error(error);
    return WEXITSTATUS(status);
}

static void words_that_make_no_sense_end_with_two(Fixture *f, gconstpointer data)
{
    g_autofree char *version = NULL, *help = NULL, *dump = NULL, *none = NULL;
    g_assert_cmpint(run_words("--version", &version), ==, 0);
    g_assert_true(g_str_has_prefix(version, "hearthd "));
    g_assert_cmpint(run_words("--help", &help), ==, 0);
    g_assert_nonnull(strstr(help, "--listen"));
    g_assert_cmpint(run_words("--dump-config", &dump), ==, 0);
    g_assert_nonnull(strstr(dump, "trash-days=30"));
    g_assert_cmpint(run_words("--frobnicate", &none), ==, 2);
}

#define ADD(name, func) g_test_add("/gateway/daemon/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("an attached card is imported and a stop is clean",
        an_attached_card_is_imported_and_a_stop_is_clean);
    ADD("a second daemon on one state is refused", a_second_daemon_on_one_state_is_refused);
    ADD("systemd hears when it is ready and when it stops",
        systemd_hears_when_it_is_ready_and_when_it_stops);
    ADD("a stop in the middle is quick and the job goes on",
        a_stop_in_the_middle_is_quick_and_the_job_goes_on);
    ADD("HUP reads the configuration again and a bad one is refused",
        hup_reads_the_configuration_again_and_a_bad_one_is_refused);
    ADD("sprockets are trusted as the file says", sprockets_are_trusted_as_the_file_says);
    ADD("translations of sprockets outlive the daemon",
        translations_of_sprockets_outlive_the_daemon);
    ADD("a bad configuration keeps it from starting", a_bad_configuration_keeps_it_from_starting);
    ADD("a device that is off waits for a person", a_device_that_is_off_waits_for_a_person);
    ADD("a detached device is gone", a_detached_device_is_gone);
    ADD("a damaged database is named, not used", a_damaged_database_is_named_not_used);
    ADD("a folder in place of the state is an error", a_folder_in_place_of_the_state_is_an_error);
    ADD("words that make no sense end with two", words_that_make_no_sense_end_with_two);
    return g_test_run();
}
