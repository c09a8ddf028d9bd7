#include "sprockets/host/answer-private.h"

#include <string.h>
#include <sys/stat.h>

#include "gateway/base/error.h"
#include "sprockets/host/result-private.h"

void hearth_answer_clear(HearthAnswer *answer)
{
    g_clear_pointer(&answer->result, g_free);
    g_clear_pointer(&answer->emitted, g_bytes_unref);
    g_clear_pointer(&answer->log, g_free);
}

void hearth_answer_copy(HearthAnswer *answer, const guint8 *shared, const HearthJob *job)
{
    memcpy(&answer->head, shared, sizeof answer->head);
    answer->head.rule[sizeof answer->head.rule - 1] = '\0';
    answer->head.result_size = MIN(answer->head.result_size, job->limits.result_size);
    answer->head.log_size = MIN(answer->head.log_size, job->limits.log_size);
    answer->result = g_memdup2(shared + HEARTH_SHARED_RESULT, answer->head.result_size);
    if (answer->head.log_size > 0)
        answer->log =
            g_utf8_make_valid((const char *)shared + HEARTH_SHARED_LOG, answer->head.log_size);
}

static gboolean conclude(HearthSprocketReport *report, HearthSprocketOutcome outcome,
                         const char *rule, GError **error, HearthError code, const char *reason)
{
    report->outcome = outcome;
    g_free(report->rule);
    report->rule = g_strdup(rule);
    g_set_error(error, HEARTH_ERROR, code, "%s", reason);
    return FALSE;
}

/* A file that shrinks while it is mapped raises SIGBUS in whoever reads it. */
static gboolean input_shrank(const HearthJob *job)
{
    struct stat now;
    return fstat(job->fd, &now) == 0 && (guint64)now.st_size < job->input_size;
}

static gboolean judge_broken_rule(HearthSprocketReport *report, const char *rule, GError **error)
{
    if (strcmp(rule, "result-value") == 0)
        return conclude(report, HEARTH_SPROCKET_REFUSED, rule, error, HEARTH_ERROR_PROTOCOL,
                        "it put a key or a text that is missing or too long");
    if (strcmp(rule, "emit") == 0)
        return conclude(report, HEARTH_SPROCKET_REFUSED, rule, error, HEARTH_ERROR_LIMIT,
                        "it emitted more bytes than a call may");
    if (strcmp(rule, "result-size") == 0)
        return conclude(report, HEARTH_SPROCKET_REFUSED, rule, error, HEARTH_ERROR_LIMIT,
                        "its result is larger than a result may be");
    return conclude(report, HEARTH_SPROCKET_INVALID, "result-invalid", error, HEARTH_ERROR_PROTOCOL,
                    "it wrote over the head of its result");
}

/* What the engine refuses has the name of a rule and no need of a sentence for each. */
static gboolean judge_refused(HearthSprocketReport *report, const char *rule, GError **error)
{
    if (strcmp(rule, "emit") == 0)
        return judge_broken_rule(report, rule, error);
    return conclude(report, HEARTH_SPROCKET_REFUSED, rule, error, HEARTH_ERROR_PROTOCOL,
                    strcmp(rule, "exit") == 0
                        ? "it ended its process"
                        : "it asked the system for what a sprocket may not have");
}

static gboolean judge_memory(HearthSprocketReport *report, const char *rule, GError **error)
{
    return conclude(report, HEARTH_SPROCKET_OUT_OF_MEMORY, rule, error, HEARTH_ERROR_LIMIT,
                    "it used more memory than a call may");
}

static gboolean judge_fault(const HearthAnswer *answer, const HearthJob *job,
                            HearthSprocketReport *report, const char *rule, GError **error)
{
    if (answer->head.memory_full)
        return judge_memory(report, "memory", error);
    if (strcmp(rule, "SIGBUS") == 0 && input_shrank(job))
        return conclude(report, HEARTH_SPROCKET_NOT_RUN, NULL, error, HEARTH_ERROR_CONFLICT,
                        "the file became shorter while it was read");
    return conclude(report, HEARTH_SPROCKET_FAULTED, rule, error, HEARTH_ERROR_PROTOCOL,
                    "it crashed");
}

static gboolean judge_ended(const HearthAnswer *answer, const HearthJob *job,
                            HearthSprocketReport *report, GError **error)
{
    const char *rule = answer->ended.rule;
    if (strcmp(rule, "cpu-time") == 0)
        return conclude(report, HEARTH_SPROCKET_TIMED_OUT, rule, error, HEARTH_ERROR_TIMED_OUT,
                        "it used more processor time than a call may");
    if (strcmp(rule, "emit") == 0)
        return judge_broken_rule(report, rule, error);
    if (answer->head.memory_full)
        return judge_memory(report, "memory", error);
    if (strcmp(rule, "exit") == 0 || g_str_has_prefix(rule, "system call"))
        return judge_refused(report, rule, error);
    return judge_fault(answer, job, report, rule, error);
}

static gboolean judge_result(const HearthAnswer *answer, const HearthJob *job, guint edge,
                             HearthSprocketReport *report, GVariant **ret_values, GError **error)
{
    const HearthResultContext context = {.emitted = answer->emitted, .edge = edge};
    g_autoptr(GError) reason = NULL;
    g_autoptr(GVariant) decoded =
        hearth_result_decode(answer->result, answer->head.result_size, &reason);
    g_autoptr(GVariant) values =
        decoded ? hearth_result_validate(job->hook, decoded, &context, &reason) : NULL;
    if (!values)
        return conclude(report, HEARTH_SPROCKET_INVALID, "result-invalid", error,
                        HEARTH_ERROR_PROTOCOL, reason->message);
    report->outcome = HEARTH_SPROCKET_RETURNED;
    *ret_values = g_steal_pointer(&values);
    return TRUE;
}

static gboolean judge_returned(const HearthAnswer *answer, const HearthJob *job, guint edge,
                               HearthSprocketReport *report, GVariant **ret_values, GError **error)
{
    if (answer->head.rule[0])
        return judge_broken_rule(report, answer->head.rule, error);
    switch (answer->head.status) {
    case SPROCKET_OK:
        return judge_result(answer, job, edge, report, ret_values, error);
    case SPROCKET_DECLINED:
        return conclude(report, HEARTH_SPROCKET_DECLINED, NULL, error, HEARTH_ERROR_UNSUPPORTED,
                        "it declined the file");
    case SPROCKET_DAMAGED:
        return conclude(report, HEARTH_SPROCKET_DECLINED, NULL, error, HEARTH_ERROR_CORRUPT,
                        "it says that the file is damaged");
    case SPROCKET_FAILED:
        if (answer->head.memory_full)
            return judge_memory(report, "memory", error);
        return conclude(report, HEARTH_SPROCKET_DECLINED, NULL, error, HEARTH_ERROR_UNSUPPORTED,
                        "it could not");
    default:
        return conclude(report, HEARTH_SPROCKET_INVALID, "return-value", error,
                        HEARTH_ERROR_PROTOCOL, "it returned what is no SprocketStatus");
    }
}

/* The outcomes of engine.h other than RETURNED. */
static gboolean judge_engine(const HearthAnswer *answer, const HearthJob *job,
                             HearthSprocketReport *report, GError **error)
{
    const char *rule = answer->ended.rule;
    switch (answer->ended.outcome) {
    case HEARTH_ENGINE_REFUSED:
        return judge_refused(report, rule, error);
    case HEARTH_ENGINE_FAULTED:
        return judge_fault(answer, job, report, rule, error);
    case HEARTH_ENGINE_TIMED_OUT:
        return conclude(report, HEARTH_SPROCKET_TIMED_OUT, rule, error, HEARTH_ERROR_TIMED_OUT,
                        strcmp(rule, "cpu-time") == 0
                            ? "it used more processor time than a call may"
                            : "it took longer than a call may");
    case HEARTH_ENGINE_OUT_OF_MEMORY:
        return judge_memory(report, rule, error);
    case HEARTH_ENGINE_CONFLICT:
        return conclude(report, HEARTH_SPROCKET_CONFLICT, rule, error, HEARTH_ERROR_CONFLICT,
                        "other threads were at work on what it read");
    case HEARTH_ENGINE_ESCAPED:
        return conclude(report, HEARTH_SPROCKET_ESCAPED, rule, error, HEARTH_ERROR_PROTOCOL,
                        strcmp(rule, "stack") == 0 ? "it used more stack than a call may"
                                                   : "it went on where there is no code of a file");
    default:
        return conclude(report, HEARTH_SPROCKET_UNSUPPORTED, rule, error, HEARTH_ERROR_PROTOCOL,
                        "it has an instruction that cannot be rolled back");
    }
}

static void report_engine(const HearthEngineStats *stats, HearthSprocketReport *report)
{
    report->peak_memory = stats->memory;
    report->engine = (HearthSprocketEngineStats){
        .instructions = stats->instructions,
        .stores_stack = stats->stores.stack,
        .stores_thread = stats->stores.thread,
        .stores_checked = stats->stores.checked,
        .stores_foreign = stats->stores.foreign,
        .overlay_pages = stats->overlay_pages,
        .system_calls = stats->system_calls,
        .tries = stats->tries,
        .memory = stats->memory,
    };
}

gboolean hearth_answer_judge(const HearthAnswer *answer, const HearthJob *job, guint edge,
                             HearthSprocketReport *report, GVariant **ret_values, GError **error)
{
    const HearthWireEnded *ended = &answer->ended;
    report->cpu_us = ended->cpu_us;
    report->peak_memory = ended->peak_memory;
    report->again = answer->again;
    report->log = g_strdup(answer->log);
    if (ended->by_engine)
        report_engine(&ended->stats, report);
    if (ended->error != 0) {
        report->outcome = HEARTH_SPROCKET_NOT_RUN;
        return hearth_set_errno(error, ended->error, "cannot set up a process for the call");
    }
    if (ended->kill == HEARTH_WIRE_KILL_CANCEL)
        return conclude(report, HEARTH_SPROCKET_NOT_RUN, NULL, error, HEARTH_ERROR_CANCELLED,
                        "the call was cancelled");
    if (ended->kill == HEARTH_WIRE_KILL_WALL)
        return conclude(report, HEARTH_SPROCKET_TIMED_OUT, "wall-time", error,
                        HEARTH_ERROR_TIMED_OUT, "it took longer than a call may");
    gboolean returned =
        ended->by_engine ? ended->outcome == HEARTH_ENGINE_RETURNED : ended->rule[0] == '\0';
    if (returned)
        return judge_returned(answer, job, edge, report, ret_values, error);
    report->address = answer->head.address;
    report->symbol = ended->symbol[0] ? g_utf8_make_valid(ended->symbol, -1) : NULL;
    return ended->by_engine ? judge_engine(answer, job, report, error)
                            : judge_ended(answer, job, report, error);
}
