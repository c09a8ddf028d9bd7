#include "sprockets/host/rolled-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Who has less than this share of the limit left when a hook fails or crashes is out of memory. */
#define MEMORY_SHARE 8

/*
 * The area, of which only the pages are committed that are touched, from the first on: so the head, what the
 * engine's callee needs and short parameters share the first page, and the log comes after the result.
 */
typedef struct {
    HearthShared shared;
    SprocketRun run;
    HearthCall call;
    _Alignas(16) uint8_t params[]; /* where they fit */
} Frame;

#define FRAME_PARAMS_MAX (HEARTH_SHARED_RESULT - sizeof(Frame))

_Static_assert(sizeof(Frame) + 1024 < HEARTH_SHARED_RESULT,
               "short parameters share the first page");
_Static_assert(HEARTH_SHARED_SIZE + HEARTH_WIRE_PARAMS_MAX <= HEARTH_ENGINE_AREA_SIZE,
               "everything has room in the area");

#define COMPILERS_DATA 64 /* bytes at most that any object has */

HearthEngineInstance *hearth_rolled_data(const SprocketDescriptor *sprocket)
{
    HearthEngineInstance *instance = hearth_engine_instance_new(sprocket);
    if (instance && hearth_engine_instance_size(instance) > COMPILERS_DATA)
        return instance;
    hearth_engine_instance_free(instance);
    return NULL;
}

/* --- Run by the engine ------------------------------------------------------------------------- */

static bool emit(HearthCall *call, const void *data, size_t length)
{
    return hearth_engine_emit(data, length);
}

/* Leaves in the area what a child leaves in the shared memory. */
static uint64_t enter(Frame *frame)
{
    HearthShared *shared = &frame->shared;
    size_t size = 0;
    shared->status = hearth_call_run(&frame->call, frame->run, &size);
    shared->result_size = (uint32_t)size;
    shared->log_size = (uint32_t)frame->call.log_used;
    shared->emitted = frame->call.emitted;
    if (frame->call.rule)
        strncpy(shared->rule, frame->call.rule, sizeof shared->rule - 1);
    shared->state = HEARTH_SHARED_RETURNED;
    return 0;
}

void hearth_rolled_translate(SprocketRun run, size_t most)
{
    hearth_engine_warm((uintptr_t)enter, most);
    hearth_engine_warm((uintptr_t)run, most);
}

/* --- Around it --------------------------------------------------------------------------------- */

/* Before every try. The last one may have left anything in the area. */
static void prepare(void *data, void *area)
{
    const HearthRolledCall *given = data;
    Frame *frame = area;
    char *base = area;
    uint8_t *params = given->params_size <= FRAME_PARAMS_MAX ? frame->params
                                                             : (uint8_t *)base + HEARTH_SHARED_SIZE;
    if (given->params_size > 0)
        memcpy(params, given->params, given->params_size);
    hearth_call_init(&frame->call, given->input, given->input_size, params, given->params_size);
    hearth_record_begin(&frame->call.result, (uint8_t *)base + HEARTH_SHARED_RESULT,
                        given->result_size);
    frame->call.log = base + HEARTH_SHARED_LOG;
    frame->call.log_size = given->limits.log_size;
    frame->call.emit = emit;
    frame->call.emit_left = given->limits.emit_size;
    frame->run = given->run;
    frame->shared = (HearthShared){.state = HEARTH_SHARED_RUNNING, .system_call = -1};
    given->restart(given->data);
}

/* What was printed follows what was logged, as far as there is room. */
static void add_printed(char *base, const HearthRolledCall *call, const HearthEngineResult *result)
{
    HearthShared *shared = (HearthShared *)base;
    uint32_t used = shared->log_size, room;
    if (result->log_size == 0 || used > call->limits.log_size)
        return;
    room = call->limits.log_size - used;
    room = result->log_size < room ? result->log_size : room;
    memcpy(base + HEARTH_SHARED_LOG + used, result->log, room);
    shared->log_size = used + room;
}

static void finish(char *base, const HearthRolledCall *call, const HearthEngineResult *result)
{
    HearthShared *shared = (HearthShared *)base;
    bool returned = result->outcome == HEARTH_ENGINE_RETURNED;
    if (!returned) {
        /* What it logged until then is worth having; its length is what it claims. */
        const Frame *frame = (const Frame *)base;
        size_t used = frame->call.log_used;
        *shared = (HearthShared){.state = HEARTH_SHARED_FAULTED, .system_call = -1};
        shared->log_size = used < call->limits.log_size ? (uint32_t)used : call->limits.log_size;
    }
    shared->address = result->pc;
    /* Nothing else tells a failed malloc from a wild pointer, or from a file that is not supported. */
    shared->memory_full =
        (!returned || shared->status != SPROCKET_OK) &&
        result->stats.memory >= call->limits.memory - call->limits.memory / MEMORY_SHARE;
    add_printed(base, call, result);
}

/* "translated photo.so:metadata+0x0" */
static void tell(void *data, const HearthEngineEvent *event)
{
    const HearthRolledCall *call = data;
    char pc[128], address[128], line[512];
    hearth_engine_symbol(event->pc, pc, sizeof pc);
    hearth_engine_symbol(event->address, address, sizeof address);
    switch (event->kind) {
    case HEARTH_ENGINE_TRANSLATED:
        snprintf(line, sizeof line, "translated 0x%" PRIx64 " %s", event->pc, pc);
        break;
    case HEARTH_ENGINE_REDIRECTED:
        snprintf(line, sizeof line, "redirected 0x%" PRIx64 " %s by %s", event->address, address,
                 pc);
        break;
    case HEARTH_ENGINE_SYSTEM_CALL:
        snprintf(line, sizeof line, "system call %s = %" PRId64 " in %s", event->name, event->value,
                 pc);
        break;
    case HEARTH_ENGINE_LOCKED:
        snprintf(line, sizeof line, "locked 0x%" PRIx64 " %s", event->address, address);
        break;
    case HEARTH_ENGINE_AGAIN:
        snprintf(line, sizeof line, "in conflict: try %" PRId64, event->value + 1);
        break;
    }
    call->trace(line, call->trace_data);
}

const uint8_t *hearth_rolled_call(const HearthRolledCall *call, HearthWireEnded *ret_ended)
{
    HearthEngineResult result;
    void *area = hearth_engine_area();
    if (!area)
        return NULL;
    const HearthEngineCall run = {
        .entry = (uintptr_t)enter,
        .arguments = {(uintptr_t)area},
        .limits = &call->limits,
        .instance = call->instance,
        .emit = call->emit,
        .emit_data = call->data,
        .prepare = prepare,
        .prepare_data = (void *)call,
        .trace = call->trace ? tell : NULL,
        .trace_data = (void *)call,
    };
    if (call->trace)
        hearth_engine_flush();
    hearth_engine_run(&run, &result);
    finish(area, call, &result);
    *ret_ended = (HearthWireEnded){
        .op = HEARTH_WIRE_ENDED,
        .by_engine = 1,
        .outcome = result.outcome,
        .peak_memory = result.stats.memory,
        .stats = result.stats,
    };
    if (result.outcome != HEARTH_ENGINE_RETURNED) {
        snprintf(ret_ended->rule, sizeof ret_ended->rule, "%s", result.rule);
        snprintf(ret_ended->symbol, sizeof ret_ended->symbol, "%s", result.symbol);
    }
    return area;
}
