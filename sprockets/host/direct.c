#include "sprockets/host/direct-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "gateway/base/error.h"
#include "sprockets/host/call-private.h"
#include "sprockets/host/describe-private.h"

const SprocketDescriptor *hearth_direct_load(const char *path, GError **error)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const SprocketDescriptor *sprocket = object ? dlsym(object, "sprocket_descriptor") : NULL;
    if (!sprocket)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: %s", path,
                    object ? "it exports no sprocket_descriptor: use SPROCKET_EXPORT" : dlerror());
    return sprocket;
}

GBytes *hearth_direct_describe(const SprocketDescriptor *sprocket, GError **error)
{
    HearthRecordWriter writer;
    g_autofree guint8 *buffer = g_malloc(HEARTH_WIRE_DESCRIPTION_MAX);
    hearth_record_begin(&writer, buffer, HEARTH_WIRE_DESCRIPTION_MAX);
    const char *problem = hearth_describe(sprocket, &writer);
    if (problem) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s", problem);
        return NULL;
    }
    gsize size = hearth_record_end(&writer);
    return g_bytes_new_take(g_steal_pointer(&buffer), size);
}

static bool append(HearthCall *call, const void *data, size_t length)
{
    g_byte_array_append(call->emit_data, data, (guint)length);
    return true;
}

/* Leaves in `shared` what a child would have left there. */
static void run(SprocketRun hook, HearthCall *call, guint8 *shared, const HearthJob *job)
{
    HearthShared head = {.state = HEARTH_SHARED_RETURNED};
    size_t size = 0;
    hearth_record_begin(&call->result, shared + HEARTH_SHARED_RESULT, job->limits.result_size);
    call->log = (char *)shared + HEARTH_SHARED_LOG;
    call->log_size = job->limits.log_size;
    call->emit_left = job->limits.emit_size;
    call->emit = append;
    head.status = hearth_call_run(call, hook, &size);
    head.result_size = (guint32)size;
    head.log_size = (guint32)call->log_used;
    if (call->rule)
        g_strlcpy(head.rule, call->rule, sizeof head.rule);
    memcpy(shared, &head, sizeof head);
}

gboolean hearth_direct_call(const SprocketDescriptor *sprocket, const HearthJob *job,
                            HearthAnswer *ret_answer, GError **error)
{
    HearthCall call;
    SprocketRun hook = hearth_call_find_hook(sprocket, job->hook);
    void *input = NULL;
    if (job->input_size > 0)
        input = mmap(NULL, job->input_size, PROT_READ, MAP_PRIVATE, job->fd, 0);
    if (input == MAP_FAILED || !hook)
        return hearth_set_errno(error, input == MAP_FAILED ? errno : EOPNOTSUPP,
                                "cannot run the hook %s", job->hook);
    g_autofree guint8 *shared = g_malloc(HEARTH_SHARED_SIZE);
    g_autoptr(GByteArray) emitted = g_byte_array_new();
    hearth_call_init(&call, input, job->input_size, job->params, job->params_size);
    call.emit_data = emitted;
    run(hook, &call, shared, job);
    if (input)
        munmap(input, job->input_size);
    hearth_answer_copy(ret_answer, shared, job);
    if (emitted->len > 0)
        ret_answer->emitted = g_byte_array_free_to_bytes(g_steal_pointer(&emitted));
    return TRUE;
}
