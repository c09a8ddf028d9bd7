#include "gateway/base/error.h"
#include "gateway/job.h"
#include "tests/harness/files.h"

#define WAIT_US (10 * G_USEC_PER_SEC)

typedef struct {
    char *folder;
    HearthWebEvents *events;
    HearthJobs *jobs;
    gint runs;
    gint gate; /* jobs of the kind "gate" go on when it is 1, fail when it is 2 */
} Fixture;

static gboolean run(HearthJob *job, GCancellable *cancellable, gpointer data, GError **error)
{
    Fixture *f = data;
    g_atomic_int_inc(&f->runs);
    while (g_atomic_int_get(&f->gate) == 0) {
        if (g_cancellable_is_cancelled(cancellable)) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "stopped");
            return FALSE;
        }
        g_usleep(1000);
    }
    if (g_atomic_int_get(&f->gate) == 1)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO, "the lid is off");
    return FALSE;
}

static void open_jobs(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    f->jobs = hearth_jobs_new(f->folder, f->events, run, f, &error);
    g_assert_no_error(error);
}

static void close_jobs(Fixture *f)
{
    g_assert_true(hearth_jobs_stop(f->jobs, 5000));
    g_clear_pointer(&f->jobs, hearth_jobs_free);
}

static void set_up(Fixture *f, gconstpointer data)
{
    f->folder = g_dir_make_tmp("hearth-jobs-XXXXXX", NULL);
    f->events = hearth_web_events_new();
    open_jobs(f);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    close_jobs(f);
    hearth_web_events_free(f->events);
    files_remove_tree(f->folder);
    g_free(f->folder);
}

static HearthJob *start(Fixture *f, const char *kind, const char *device, const char *const *paths)
{
    HearthJobSpec spec = {.kind = kind, .device = device, .port = "disk:/a b\n", .paths = paths};
    g_autoptr(GError) error = NULL;
    HearthJob *job = hearth_jobs_start(f->jobs, &spec, &error);
    g_assert_no_error(error);
    return job;
}

static void wait_for(HearthJob *job, HearthJobState state)
{
    gint64 until = g_get_monotonic_time() + WAIT_US;
    while (hearth_job_state(job) != state) {
        g_assert_cmpint(g_get_monotonic_time(), <, until);
        g_usleep(1000);
    }
}

static gboolean is_written(Fixture *f, HearthJob *job)
{
    g_autofree char *path = g_build_filename(f->folder, hearth_job_id(job), NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void a_job_runs_and_is_forgotten_when_it_is_done(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "scrub", NULL, NULL);
    wait_for(job, HEARTH_JOB_RUNNING);
    g_assert_true(is_written(f, job));
    g_atomic_int_set(&f->gate, 1);
    wait_for(job, HEARTH_JOB_DONE);
    while (is_written(f, job))
        g_usleep(1000);
}

static void a_failure_is_told_in_its_words(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "scrub", NULL, NULL);
    g_atomic_int_set(&f->gate, 2);
    wait_for(job, HEARTH_JOB_FAILED);
    g_autoptr(GVariant) told = g_variant_ref_sink(hearth_job_to_variant(job));
    const char *text = NULL;
    g_variant_lookup(told, "error", "&s", &text);
    g_assert_cmpstr(text, ==, "the lid is off");
}

static void a_device_has_one_job_at_a_time(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/a", NULL};
    g_autoptr(HearthJob) first = start(f, "import", "cam", NULL);
    g_autoptr(HearthJob) same = start(f, "import", "cam", NULL);
    g_autoptr(HearthJob) other = start(f, "import", "phone", NULL);
    g_assert_true(first == same);
    g_assert_true(first != other);
    HearthJobSpec part = {.kind = "import", .device = "cam", .paths = paths};
    g_autoptr(GError) error = NULL;
    g_assert_null(hearth_jobs_start(f->jobs, &part, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY);
    g_atomic_int_set(&f->gate, 1);
    wait_for(first, HEARTH_JOB_DONE);
    g_autoptr(HearthJob) next = start(f, "import", "cam", NULL);
    g_assert_true(next != first);
}

static void a_cancelled_job_is_not_taken_up_again(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "import", "cam", NULL);
    wait_for(job, HEARTH_JOB_RUNNING);
    g_assert_true(hearth_jobs_cancel(f->jobs, hearth_job_id(job), NULL));
    wait_for(job, HEARTH_JOB_CANCELLED);
    close_jobs(f);
    open_jobs(f);
    g_autoptr(GPtrArray) left = hearth_jobs_list(f->jobs);
    g_assert_cmpuint(left->len, ==, 0);
}

static gboolean take_up(HearthJob *job, gpointer data)
{
    g_ptr_array_add(data, hearth_job_ref(job));
    return TRUE;
}

static gboolean leave(HearthJob *job, gpointer data)
{
    return FALSE;
}

static void an_unfinished_job_goes_on_in_the_next_run(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/a;b", "/\xff\n", NULL};
    g_autoptr(HearthJob) job = start(f, "import", "cam", paths);
    g_autofree char *id = g_strdup(hearth_job_id(job));
    wait_for(job, HEARTH_JOB_RUNNING);
    close_jobs(f);
    g_assert_cmpint(hearth_job_state(job), ==, HEARTH_JOB_WAITING);
    open_jobs(f);

    g_autoptr(GPtrArray) taken = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_job_unref);
    hearth_jobs_resume(f->jobs, take_up, taken);
    g_assert_cmpuint(taken->len, ==, 1);
    HearthJob *again = g_ptr_array_index(taken, 0);
    g_assert_cmpstr(hearth_job_id(again), ==, id);
    g_assert_cmpstr(hearth_job_device(again), ==, "cam");
    g_assert_cmpstr(hearth_job_port(again), ==, "disk:/a b\n");
    g_assert_cmpstr(hearth_job_paths(again)[0], ==, "/a;b");
    g_assert_cmpstr(hearth_job_paths(again)[1], ==, "/\xff\n");
    g_assert_null(hearth_job_paths(again)[2]);
    g_atomic_int_set(&f->gate, 1);
    wait_for(again, HEARTH_JOB_DONE);

    /* And its number is not given twice. */
    g_autoptr(HearthJob) next = start(f, "scrub", NULL, NULL);
    g_assert_cmpstr(hearth_job_id(next), !=, id);
}

static void a_job_waits_for_its_device_and_wakes_with_it(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "import", "cam", NULL);
    wait_for(job, HEARTH_JOB_RUNNING);
    close_jobs(f);
    open_jobs(f);
    hearth_jobs_resume(f->jobs, leave, NULL);
    g_autoptr(HearthJob) waiting = hearth_jobs_of_device(f->jobs, "cam");
    g_assert_cmpint(hearth_job_state(waiting), ==, HEARTH_JOB_WAITING);
    g_assert_false(hearth_jobs_wake(f->jobs, "phone"));
    g_atomic_int_set(&f->gate, 1);
    g_assert_true(hearth_jobs_wake(f->jobs, "cam"));
    wait_for(waiting, HEARTH_JOB_DONE);
}

static void a_damaged_file_of_a_job_is_dropped(Fixture *f, gconstpointer data)
{
    close_jobs(f);
    files_write(f->folder, "7", 1, "no job at all");
    files_write(f->folder, "8", 1, "[job]\nkind=import\ndevice=cam\nport=zz\npaths=0;ff;\n");
    g_test_expect_message("hearthd", G_LOG_LEVEL_WARNING, "*7 cannot be read*");
    g_log_set_handler("hearthd", G_LOG_LEVEL_WARNING, g_log_default_handler, NULL);
    open_jobs(f);
    g_test_assert_expected_messages();
    g_autoptr(GPtrArray) left = hearth_jobs_list(f->jobs);
    g_assert_cmpuint(left->len, ==, 1);
    g_assert_null(hearth_job_port(g_ptr_array_index(left, 0)));
    g_autoptr(HearthJob) next = start(f, "scrub", NULL, NULL);
    g_assert_cmpstr(hearth_job_id(next), ==, "9");
}

static void notes_are_bounded_and_counts_are_not(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "import", "cam", NULL);
    wait_for(job, HEARTH_JOB_RUNNING);
    for (guint i = 0; i < 5000; i++)
        hearth_job_count(job, HEARTH_JOB_SKIPPED, "/\xff", "no picture");
    g_autoptr(GVariant) told = g_variant_ref_sink(hearth_job_to_variant(job));
    g_autoptr(GVariant) notes = g_variant_lookup_value(told, "notes", NULL);
    guint64 skipped = 0;
    g_variant_lookup(told, "skipped", "t", &skipped);
    g_assert_cmpuint(skipped, ==, 5000);
    g_assert_cmpuint(g_variant_n_children(notes), ==, 200);
}

static void the_rate_says_how_long_it_will_take(Fixture *f, gconstpointer data)
{
    g_autoptr(HearthJob) job = start(f, "import", "cam", NULL);
    wait_for(job, HEARTH_JOB_RUNNING);
    hearth_job_set_total(job, 100, 1000000);
    for (guint i = 0; i < 8; i++) {
        hearth_job_add_bytes(job, 10000);
        g_usleep(100000);
    }
    g_autoptr(GVariant) told = g_variant_ref_sink(hearth_job_to_variant(job));
    double rate = 0, remaining = 0;
    g_variant_lookup(told, "rate", "d", &rate);
    g_variant_lookup(told, "remaining_s", "d", &remaining);
    /* 100,000 a second, on a machine that may be busy. */
    g_assert_cmpfloat(rate, >, 5000);
    g_assert_cmpfloat(rate, <, 400000);
    g_assert_cmpfloat_with_epsilon(remaining, 920000 / rate, 1);
}

#define ADD(name, func) g_test_add("/gateway/jobs/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
    ADD("a job runs and is forgotten when it is done", a_job_runs_and_is_forgotten_when_it_is_done);
    ADD("a failure is told in its words", a_failure_is_told_in_its_words);
    ADD("a device has one job at a time", a_device_has_one_job_at_a_time);
    ADD("a cancelled job is not taken up again", a_cancelled_job_is_not_taken_up_again);
    ADD("an unfinished job goes on in the next run", an_unfinished_job_goes_on_in_the_next_run);
    ADD("a job waits for its device and wakes with it",
        a_job_waits_for_its_device_and_wakes_with_it);
    ADD("a damaged file of a job is dropped", a_damaged_file_of_a_job_is_dropped);
    ADD("notes are bounded and counts are not", notes_are_bounded_and_counts_are_not);
    ADD("the rate says how long it will take", the_rate_says_how_long_it_will_take);
    return g_test_run();
}
