#include "sprockets/host/call-private.h"

#include <string.h>

static HearthCall *ours(SprocketCall *call)
{
    return (HearthCall *)call;
}

static bool find_param(SprocketCall *call, const char *name, HearthRecordType type,
                       HearthRecordValue *ret_value)
{
    const HearthCall *self = ours(call);
    return name && hearth_record_find(self->params, self->params_size, name, type, ret_value);
}

static const char *param_string(SprocketCall *call, const char *name)
{
    HearthRecordValue value;
    return find_param(call, name, HEARTH_RECORD_STRING, &value) ? hearth_record_string(&value)
                                                                : NULL;
}

static bool param_uint(SprocketCall *call, const char *name, uint64_t *ret_value)
{
    HearthRecordValue value;
    if (!find_param(call, name, HEARTH_RECORD_UINT, &value))
        return false;
    *ret_value = hearth_record_uint(&value);
    return true;
}

static bool param_double(SprocketCall *call, const char *name, double *ret_value)
{
    HearthRecordValue value;
    if (!find_param(call, name, HEARTH_RECORD_DOUBLE, &value))
        return false;
    *ret_value = hearth_record_double(&value);
    return true;
}

static bool param_bool(SprocketCall *call, const char *name, bool *ret_value)
{
    HearthRecordValue value;
    if (!find_param(call, name, HEARTH_RECORD_BOOL, &value))
        return false;
    *ret_value = hearth_record_bool(&value);
    return true;
}

static bool put_done(HearthCall *self, bool done)
{
    if (!done && !self->rule)
        self->rule = self->result.problem == HEARTH_RECORD_FULL ? "result-size" : "result-value";
    return done;
}

static bool put_string(SprocketCall *call, const char *key, const char *value)
{
    return put_done(ours(call), hearth_record_put_string(&ours(call)->result, key, value));
}

static bool put_uint(SprocketCall *call, const char *key, uint64_t value)
{
    return put_done(ours(call), hearth_record_put_uint(&ours(call)->result, key, value));
}

static bool put_double(SprocketCall *call, const char *key, double value)
{
    return put_done(ours(call), hearth_record_put_double(&ours(call)->result, key, value));
}

static bool put_strv(SprocketCall *call, const char *key, const char *const *values, size_t count)
{
    return put_done(ours(call), hearth_record_put_strv(&ours(call)->result, key, values, count));
}

static bool put_bool(SprocketCall *call, const char *key, bool value)
{
    return put_done(ours(call), hearth_record_put_bool(&ours(call)->result, key, value));
}

static bool emit(SprocketCall *call, const void *data, size_t length)
{
    HearthCall *self = ours(call);
    if (length == 0)
        return true;
    if (length > self->emit_left || !self->emit || !self->emit(self, data, length)) {
        if (!self->rule)
            self->rule = "emit";
        return false;
    }
    self->emit_left -= length;
    self->emitted += length;
    return true;
}

static void log_line(SprocketCall *call, const char *text)
{
    HearthCall *self = ours(call);
    size_t room = self->log_size - self->log_used;
    size_t length = text && room > 1 ? strnlen(text, room - 1) : 0;
    if (length == 0)
        return;
    memcpy(self->log + self->log_used, text, length);
    self->log[self->log_used + length] = '\n';
    self->log_used += length + 1;
}

static const SprocketHostCalls HOST_CALLS = {
    .param_string = param_string,
    .param_uint = param_uint,
    .param_double = param_double,
    .param_bool = param_bool,
    .put_string = put_string,
    .put_uint = put_uint,
    .put_double = put_double,
    .put_strv = put_strv,
    .put_bool = put_bool,
    .emit = emit,
    .log = log_line,
};

void hearth_call_init(HearthCall *call, const void *input, size_t length, const uint8_t *params,
                      size_t params_size)
{
    memset(call, 0, sizeof *call);
    call->params = params;
    call->params_size = params_size;
    call->call = (SprocketCall){SPROCKET_API, 1, &call->input, &HOST_CALLS};
    const char *name = param_string(&call->call, HEARTH_CALL_PARAM_NAME);
    const char *type = param_string(&call->call, HEARTH_CALL_PARAM_TYPE);
    call->input = (SprocketInput){input ? input : (const void *)"", length, name ? name : "",
                                  type ? type : "application/octet-stream"};
}

int hearth_call_run(HearthCall *call, SprocketRun run, size_t *ret_size)
{
    int status = run(&call->call);
    *ret_size = hearth_record_end(&call->result);
    return status;
}

SprocketRun hearth_call_find_hook(const SprocketDescriptor *sprocket, const char *name)
{
    for (const SprocketHook *hook = sprocket->hooks; hook->name; hook++)
        if (strcmp(hook->name, name) == 0)
            return hook->run;
    return NULL;
}
