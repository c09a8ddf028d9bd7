/* Other threads beside a call: they see nothing of it, lose nothing by it, and it notices what they do. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/sprockets/engine/runner.h"

#define GUESTS "HEARTH_ENGINE_GUESTS"
#define WORDS 256   /* stored to, watched by one thread */
#define COUNTERS 64 /* stored to, counted in by another */
#define CALLS 3000

typedef struct {
    volatile guint64 words[WORDS];
    volatile guint64 counters[COUNTERS];
} Victims;

static const HearthEngineLimits LIMITS = {.cpu_ms = 20000, .wall_ms = 40000};
static void *guest;
static Victims in_data = {.words = {1}};

/* --- Nothing seen, nothing lost ---------------------------------------------------------------- */

typedef struct {
    Victims *victims;
    atomic_bool over;
    guint64 looked, seen; /* by the watcher */
    guint64 counted;      /* by the counter */
} Observers;

static gpointer watch(gpointer data)
{
    Observers *observers = data;
    while (!observers->over) {
        for (guint i = 0; i < WORDS; i++)
            observers->seen += observers->victims->words[i] != i * 11;
        observers->looked++;
    }
    return NULL;
}

/* Plain increments: each word is counted in by this thread alone, so none may be lost. */
static gpointer count(gpointer data)
{
    Observers *observers = data;
    while (!observers->over) {
        for (guint i = 0; i < COUNTERS; i++)
            observers->victims->counters[i]++;
        observers->counted++;
    }
    return NULL;
}

static void call_beside_observers(Victims *victims)
{
    static HearthEngineResult result;
    Observers observers = {.victims = victims};
    RunnerFunction store = runner_find(guest, "store_words");
    for (guint i = 0; i < WORDS; i++)
        victims->words[i] = i * 11;
    memset((void *)victims->counters, 0, sizeof victims->counters);
    GThread *watcher = g_thread_new("watch", watch, &observers);
    GThread *counter = g_thread_new("count", count, &observers);
    guint returned = 0;
    for (guint i = 0; i < CALLS; i++) {
        runner_run(store, (guint64)victims, WORDS + COUNTERS, &LIMITS, NULL, &result);
        /* The counters that the call reads change under it, which it may notice. */
        if (result.outcome != HEARTH_ENGINE_CONFLICT)
            runner_assert_returned("store_words", &result, 0);
        returned += result.outcome == HEARTH_ENGINE_RETURNED;
    }
    observers.over = true;
    g_thread_join(watcher);
    g_thread_join(counter);
    g_test_message("%u of %u calls returned, %lu looks, %lu counts", returned, CALLS,
                   observers.looked, observers.counted);
    g_assert_cmpuint(observers.looked, >, 10);
    g_assert_cmpuint(observers.seen, ==, 0);
    g_assert_cmpuint(observers.counted, >, 10);
    for (guint i = 0; i < COUNTERS; i++)
        g_assert_cmpuint(victims->counters[i], ==, observers.counted);
    for (guint i = 0; i < WORDS; i++)
        g_assert_cmpuint(victims->words[i], ==, i * 11);
}

static void nobody_sees_a_store_to_the_heap_and_no_count_is_lost(void)
{
    g_autofree Victims *victims = g_new0(Victims, 1);
    call_beside_observers(victims);
}

static void nobody_sees_a_store_to_data_and_no_count_is_lost(void)
{
    call_beside_observers(&in_data);
}

typedef struct {
    const char *function;
    guint words; /* it leaves in the area */
    guint64 mark;
    guint64 *foreign;
} Apart;

static gpointer call_apart(gpointer data)
{
    const Apart *apart = data;
    HearthEngineResult *result = g_new(HearthEngineResult, 1);
    RunnerFunction keep = runner_find(guest, apart->function);
    for (guint i = 0; i < CALLS / 3; i++) {
        guint64 mark = apart->mark + i;
        const guint64 *area =
            runner_run(keep, mark, (guint64)apart->foreign, &LIMITS, NULL, result);
        runner_assert_returned(apart->function, result, mark);
        for (guint j = 0; j < apart->words; j++)
            g_assert_cmphex(area[j], ==, mark);
    }
    g_free(result);
    return NULL;
}

static void call_both(const Apart apart[2])
{
    GThread *threads[2];
    for (guint i = 0; i < 2; i++)
        threads[i] = g_thread_new("apart", call_apart, (void *)&apart[i]);
    for (guint i = 0; i < 2; i++)
        g_thread_join(threads[i]);
}

static void calls_of_two_threads_see_nothing_of_each_other(void)
{
    g_autofree guint64 *foreign = g_new0(guint64, 512);
    const Apart apart[2] = {{"keep_apart", 512, 0x1111000000000000, foreign},
                            {"keep_apart", 512, 0x2222000000000000, foreign}};
    call_both(apart);
    for (guint i = 0; i < 512; i++)
        g_assert_cmphex(foreign[i], ==, 0);
}

/* It is made at its first use in a thread, by a lock of the loader's that all calls share. */
static void thread_local_storage_is_no_conflict_between_calls(void)
{
    const Apart apart[2] = {{"keep_thread", 64, 0x1111000000000000, NULL},
                            {"keep_thread", 64, 0x2222000000000000, NULL}};
    call_both(apart);
}

/* --- Locks ------------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    guint told, held;
} Told;

static bool look_at_lock(void *data, const void *bytes, size_t length)
{
    Told *told = data;
    told->told++;
    if (pthread_mutex_trylock(&mutex) == 0)
        pthread_mutex_unlock(&mutex);
    else
        told->held++;
    return true;
}

static void run_locking(const char *function, guint64 third, Told *told, HearthEngineResult *result)
{
    const HearthEngineCall call = {.entry = (guint64)runner_find(guest, function),
                                   .arguments = {(guint64)hearth_engine_area(),
                                                 (guint64)hearth_engine_emit, (guint64)&mutex,
                                                 third},
                                   .limits = &LIMITS,
                                   .emit = look_at_lock,
                                   .emit_data = told};
    hearth_engine_run(&call, result);
}

static void a_lock_that_a_call_takes_is_held_until_its_end(void)
{
    static HearthEngineResult result;
    for (guint i = 0; i < 50; i++) {
        Told told = {0};
        run_locking("lock_and_tell", 0, &told, &result);
        runner_assert_returned("lock_and_tell", &result, 0);
        g_assert_cmpuint(told.told, ==, 1);
        g_assert_cmpuint(told.held, ==, 1);
        g_assert_cmpint(pthread_mutex_trylock(&mutex), ==, 0);
        pthread_mutex_unlock(&mutex);
    }
}

static void a_lock_can_be_taken_many_times(void)
{
    static HearthEngineResult result;
    Told told = {0};
    run_locking("lock_tell_unlock", 500, &told, &result);
    runner_assert_returned("lock_tell_unlock", &result, 0);
    g_assert_cmpuint(told.told, ==, 500);
    g_assert_cmpint(pthread_mutex_trylock(&mutex), ==, 0);
    pthread_mutex_unlock(&mutex);
}

static gpointer hold_for_ever(gpointer data)
{
    atomic_int *state = data;
    pthread_mutex_lock(&mutex);
    *state = 1;
    while (*state != 2)
        g_usleep(1000);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void a_lock_that_is_held_elsewhere_is_a_conflict(void)
{
    static HearthEngineResult result;
    atomic_int state = 0;
    Told told = {0};
    GThread *holder = g_thread_new("hold", hold_for_ever, &state);
    while (state != 1)
        g_usleep(100);
    run_locking("lock_and_tell", 0, &told, &result);
    state = 2;
    g_thread_join(holder);
    runner_tell("lock_and_tell", &result);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_CONFLICT);
    g_assert_cmpuint(told.told, ==, 0);
    g_assert_cmpuint(result.stats.tries, ==, 3);
    run_locking("lock_and_tell", 0, &told, &result);
    runner_assert_returned("lock_and_tell", &result, 0);
}

/* --- What others change meanwhile -------------------------------------------------------------- */

typedef struct {
    volatile guint64 *word;
    guint changes; /* how often it is still to be changed in the middle of a call */
    guint prepared;
} Changing;

static bool change(void *data, const void *bytes, size_t length)
{
    Changing *changing = data;
    if (changing->changes > 0) {
        changing->changes--;
        (*changing->word)++;
    }
    return true;
}

static void prepare(void *data, void *area)
{
    Changing *changing = data;
    changing->prepared++;
}

static void run_changing(Changing *changing, gboolean validates, guint tries,
                         HearthEngineResult *result)
{
    const HearthEngineLimits limits = {.tries = tries};
    const HearthEnginePolicy policy = {.validate_reads = validates};
    const HearthEngineCall call = {.entry = (guint64)runner_find(guest, "read_twice"),
                                   .arguments = {(guint64)hearth_engine_area(),
                                                 (guint64)hearth_engine_emit,
                                                 (guint64)changing->word},
                                   .limits = &limits,
                                   .policy = &policy,
                                   .emit = change,
                                   .emit_data = changing,
                                   .prepare = prepare,
                                   .prepare_data = changing};
    hearth_engine_run(&call, result);
}

static void a_call_whose_reads_were_changed_is_run_again(void)
{
    static HearthEngineResult result;
    g_autofree guint64 *word = g_new0(guint64, 1);
    Changing changing = {.word = word, .changes = 1};
    *word = 100;
    run_changing(&changing, TRUE, 3, &result);
    runner_assert_returned("read_twice", &result, 101);
    g_assert_cmpuint(result.stats.tries, ==, 2);
    g_assert_cmpuint(changing.prepared, ==, 2);
}

static void a_call_whose_reads_always_change_is_a_conflict(void)
{
    static HearthEngineResult result;
    g_autofree guint64 *word = g_new0(guint64, 1);
    for (guint tries = 1; tries <= 4; tries++) {
        Changing changing = {.word = word, .changes = 1000};
        *word = 100;
        run_changing(&changing, TRUE, tries, &result);
        runner_tell("read_twice", &result);
        g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_CONFLICT);
        g_assert_cmpuint(result.stats.tries, ==, tries);
        g_assert_cmpuint(*word, ==, 100 + tries);
    }
}

/* What one call found constant need not be so in the next. */
static void what_was_constant_is_looked_at_anew_in_each_call(void)
{
    static HearthEngineResult result;
    const gsize size = 3 * 4096;
    char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(pages != MAP_FAILED);
    guint64 *word = (guint64 *)(pages + 4096);
    *word = 100;
    g_assert_cmpint(mprotect(pages, size, PROT_READ), ==, 0);
    Changing changing = {.word = word};
    run_changing(&changing, TRUE, 3, &result);
    runner_assert_returned("read_twice", &result, 100);
    g_assert_cmpint(mprotect(pages, size, PROT_READ | PROT_WRITE), ==, 0);
    changing = (Changing){.word = word, .changes = 1};
    run_changing(&changing, TRUE, 3, &result);
    runner_assert_returned("read_twice", &result, 101);
    g_assert_cmpuint(result.stats.tries, ==, 2);
    munmap(pages, size);
}

static void a_call_that_nobody_disturbs_is_run_once(void)
{
    static HearthEngineResult result;
    g_autofree guint64 *word = g_new0(guint64, 1);
    Changing changing = {.word = word};
    *word = 100;
    run_changing(&changing, TRUE, 3, &result);
    runner_assert_returned("read_twice", &result, 100);
    g_assert_cmpuint(result.stats.tries, ==, 1);
}

static void reads_are_not_validated_unasked(void)
{
    static HearthEngineResult result;
    g_autofree guint64 *word = g_new0(guint64, 1);
    Changing changing = {.word = word, .changes = 1};
    *word = 100;
    run_changing(&changing, FALSE, 3, &result);
    runner_assert_returned("read_twice", &result, 0);
    g_assert_cmpuint(result.stats.tries, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!runner_available())
        return 77;
    guest = runner_load(GUESTS, "engine-guest", FALSE);
    g_test_add_func("/engine/oracle/heap", nobody_sees_a_store_to_the_heap_and_no_count_is_lost);
    g_test_add_func("/engine/oracle/data", nobody_sees_a_store_to_data_and_no_count_is_lost);
    g_test_add_func("/engine/oracle/apart", calls_of_two_threads_see_nothing_of_each_other);
    g_test_add_func("/engine/oracle/thread-local",
                    thread_local_storage_is_no_conflict_between_calls);
    g_test_add_func("/engine/oracle/lock/held", a_lock_that_a_call_takes_is_held_until_its_end);
    g_test_add_func("/engine/oracle/lock/many", a_lock_can_be_taken_many_times);
    g_test_add_func("/engine/oracle/lock/conflict", a_lock_that_is_held_elsewhere_is_a_conflict);
    g_test_add_func("/engine/oracle/reads/again", a_call_whose_reads_were_changed_is_run_again);
    g_test_add_func("/engine/oracle/reads/conflict",
                    a_call_whose_reads_always_change_is_a_conflict);
    g_test_add_func("/engine/oracle/reads/constant",
                    what_was_constant_is_looked_at_anew_in_each_call);
    g_test_add_func("/engine/oracle/reads/once", a_call_that_nobody_disturbs_is_run_once);
    g_test_add_func("/engine/oracle/reads/unasked", reads_are_not_validated_unasked);
    return g_test_run();
}
