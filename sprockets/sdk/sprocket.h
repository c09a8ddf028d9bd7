/**
 * sprocket.h: all that the author of a sprocket needs.
 *
 * A sprocket teaches Hearth a file type or a device. It is a shared object that exports one table,
 * written with SPROCKET_EXPORT, of the types it knows and of its hooks: functions that Hearth calls
 * with a read-only file and that answer with a few typed values, or with bytes. Build and try one:
 *
 *     cc -shared -fPIC my.c -o sprocket.so
 *     hearth sprocket run ./sprocket.so metadata picture.mine
 *
 *     #include "sprocket.h"
 *
 *     static int metadata(SprocketCall *call)
 *     {
 *         const SprocketInput *file = sprocket_input(call);
 *         if (file->length < 8 || memcmp(file->data, "MINE", 4) != 0)
 *             return SPROCKET_DECLINED;
 *         sprocket_put_uint(call, "image.width", file->data[4]);
 *         sprocket_put_uint(call, "image.height", file->data[5]);
 *         return SPROCKET_OK;
 *     }
 *
 *     SPROCKET_EXPORT(.id = "org.example.mine", .version = "1.0",
 *                     .types = SPROCKET_TYPES({.media_type = "image/x-mine", .extensions = "mine",
 *                                              .magic = "MINE", .magic_length = 4}),
 *                     .hooks = SPROCKET_HOOKS({"metadata", metadata}));
 *
 * What a hook may do. It may compute, call libraries, and allocate memory, which is reclaimed when it
 * returns. It has one thread. It may not open files, use the network, or start threads or processes,
 * which ends the call; clocks stand still where Hearth can make them (a result is a function of the
 * input and the parameters alone, and is kept). What it prints reaches nobody, or goes to the
 * log of the call. Static variables start anew at each call. Whatever it changes is undone when the
 * call ends.
 *
 * What happens to a call that goes wrong. A crash, a system call that is not allowed, exit(), a
 * passed limit, or a result that does not validate end the call with an error that names the
 * sprocket, the hook and the rule; nothing of its result is used. After three such calls in a row
 * Hearth no longer calls the sprocket until a person enables it again.
 *
 * Limits of a call, unless the owner of the gateway set others: 5 s of processor time, 10 s in all,
 * 256 MiB of memory, the stack included, SPROCKET_RESULT_MAX bytes of result, 16 MiB emitted, 4 KiB of
 * log. `hearth sprocket run --stats` shows how far a call is from them.
 *
 * Needs C11 and libc only. All strings are UTF-8 and end with NUL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this interface. Hearth refuses a sprocket built for another. */
#define SPROCKET_API 1

/** Bytes of a key, its NUL included. */
#define SPROCKET_KEY_MAX 64
/** Bytes of a string value, its NUL included. Validation may allow fewer for a key. */
#define SPROCKET_STRING_MAX 16384
/** Strings in one list. */
#define SPROCKET_STRV_MAX 1024
/** Values in one result. */
#define SPROCKET_VALUES_MAX 256
/** Bytes of one whole result. */
#define SPROCKET_RESULT_MAX 65536

/** What a hook returns. Any other number counts as a fault of the sprocket. */
typedef enum {
    SPROCKET_OK = 0, /* the result is complete */
    SPROCKET_DECLINED =
        1, /* not a file of mine, or nothing of that kind in it; no fault of anyone */
    SPROCKET_DAMAGED = 2, /* a file of mine, but broken: truncated, inconsistent, hostile */
    SPROCKET_FAILED = 3,  /* could not, though the file may be good: out of memory, not supported */
} SprocketStatus;

/** A call in progress. Only the functions below look into it. */
typedef struct SprocketCall SprocketCall;

/** A file that was given to the call. All of it is readable, none of it writable. */
typedef struct {
    const unsigned char *data; /* never NULL; not followed by a NUL */
    size_t length;             /* bytes; may be 0 */
    const char *name;          /* the file's last name, never NULL, perhaps "" */
    const char *media_type;    /* what the host takes it for, as "image/jpeg"; never NULL */
} SprocketInput;

/** What the host does for a call. A sprocket uses the functions below, not this table. */
typedef struct {
    const char *(*param_string)(SprocketCall *call, const char *name);
    bool (*param_uint)(SprocketCall *call, const char *name, uint64_t *ret_value);
    bool (*param_double)(SprocketCall *call, const char *name, double *ret_value);
    bool (*param_bool)(SprocketCall *call, const char *name, bool *ret_value);
    bool (*put_string)(SprocketCall *call, const char *key, const char *value);
    bool (*put_uint)(SprocketCall *call, const char *key, uint64_t value);
    bool (*put_double)(SprocketCall *call, const char *key, double value);
    bool (*put_strv)(SprocketCall *call, const char *key, const char *const *values, size_t count);
    bool (*put_bool)(SprocketCall *call, const char *key, bool value);
    bool (*emit)(SprocketCall *call, const void *data, size_t length);
    void (*log)(SprocketCall *call, const char *text);
} SprocketHostCalls;

struct SprocketCall {
    uint32_t api;
    uint32_t input_count;
    const SprocketInput *inputs;
    const SprocketHostCalls *host;
};

/** A hook's function. Returns a SprocketStatus. */
typedef int (*SprocketRun)(SprocketCall *call);

/** One hook. Names known to this version: "metadata" and "preview". */
typedef struct {
    const char *name;
    SprocketRun run;
} SprocketHook;

/**
 * A type that the sprocket knows. A file is of the type if its bytes at `magic_offset` are `magic`
 * and, among several types that match so, its extension is listed. Without a magic the extension
 * decides alone.
 */
typedef struct {
    const char *media_type; /* "image/jpeg" */
    const char *extensions; /* lower case, separated by spaces: "jpg jpeg"; or NULL */
    const char *magic;      /* or NULL; may hold NUL bytes */
    uint32_t magic_length;  /* at most 64 */
    uint32_t magic_offset;  /* magic_offset + magic_length: at most 4096 */
} SprocketType;

/** The table that a sprocket exports, under the name sprocket_descriptor. */
typedef struct {
    uint32_t api;
    const char *id;      /* reverse-DNS, at most 128 of a-z 0-9 . - _ */
    const char *version; /* at most 32 bytes */
    const char *description;
    const SprocketType *types; /* ends with a row of zeros; at most 64 */
    const SprocketHook *hooks; /* ends with a row of zeros; at most 16 */
} SprocketDescriptor;

#ifdef __cplusplus
#define SPROCKET_PUBLIC extern "C" __attribute__((visibility("default")))
#else
#define SPROCKET_PUBLIC __attribute__((visibility("default")))
#endif

#define SPROCKET_TYPES(...)                                                                        \
    (const SprocketType[])                                                                         \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            .media_type = NULL                                                                     \
        }                                                                                          \
    }
#define SPROCKET_HOOKS(...)                                                                        \
    (const SprocketHook[])                                                                         \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/** Exports the sprocket: once in a shared object, at file scope. See the example above. */
#define SPROCKET_EXPORT(...)                                                                       \
    extern const SprocketDescriptor sprocket_descriptor;                                           \
    SPROCKET_PUBLIC const SprocketDescriptor sprocket_descriptor = {.api = SPROCKET_API,           \
                                                                    __VA_ARGS__}

/** The file of the call. A hook that has several (later: `resolve`) uses sprocket_input_at. */
static inline const SprocketInput *sprocket_input(SprocketCall *call)
{
    return &call->inputs[0];
}

/** The file at `index`, or NULL. */
static inline const SprocketInput *sprocket_input_at(SprocketCall *call, size_t index)
{
    return index < call->input_count ? &call->inputs[index] : NULL;
}

/** The parameter `name`, or `otherwise` if it was not given or is no string. Valid until return. */
static inline const char *sprocket_param_string(SprocketCall *call, const char *name,
                                                const char *otherwise)
{
    const char *value = call->host->param_string(call, name);
    return value ? value : otherwise;
}

/** The parameter `name`, or `otherwise`. `preview` has "edge": the longest side wanted, in pixels.
 */
static inline uint64_t sprocket_param_uint(SprocketCall *call, const char *name, uint64_t otherwise)
{
    uint64_t value;
    return call->host->param_uint(call, name, &value) ? value : otherwise;
}

/** The parameter `name`, or `otherwise`. */
static inline double sprocket_param_double(SprocketCall *call, const char *name, double otherwise)
{
    double value;
    return call->host->param_double(call, name, &value) ? value : otherwise;
}

/** The parameter `name`, or `otherwise`. */
static inline bool sprocket_param_bool(SprocketCall *call, const char *name, bool otherwise)
{
    bool value;
    return call->host->param_bool(call, name, &value) ? value : otherwise;
}

/*
 * Each `put` adds one value to the result and copies what it is given. It returns false, and the
 * whole call will fail by the rule named here, if the result would grow past SPROCKET_RESULT_MAX or
 * SPROCKET_VALUES_MAX ("result-size"), or if a key or string is NULL, empty (a key) or too long
 * ("result-value"). So the return value need not be looked at. That a key is known, used once, of
 * the right type, in range and valid UTF-8 is checked by the host after the call
 * ("result-invalid").
 */

static inline bool sprocket_put_string(SprocketCall *call, const char *key, const char *value)
{
    return call->host->put_string(call, key, value);
}

static inline bool sprocket_put_uint(SprocketCall *call, const char *key, uint64_t value)
{
    return call->host->put_uint(call, key, value);
}

static inline bool sprocket_put_double(SprocketCall *call, const char *key, double value)
{
    return call->host->put_double(call, key, value);
}

/** Adds a list of `count` strings, at most SPROCKET_STRV_MAX. */
static inline bool sprocket_put_strv(SprocketCall *call, const char *key, const char *const *values,
                                     size_t count)
{
    return call->host->put_strv(call, key, values, count);
}

static inline bool sprocket_put_bool(SprocketCall *call, const char *key, bool value)
{
    return call->host->put_bool(call, key, value);
}

/**
 * Appends `length` bytes to what the call gives out: a preview's JPEG, a converted file. False if
 * the limit of the call would be passed, or if the host has no room; the call then fails ("emit").
 */
static inline bool sprocket_emit(SprocketCall *call, const void *data, size_t length)
{
    return call->host->emit(call, data, length);
}

/** Adds a line for the person who debugs the sprocket. What passes the limit is dropped. */
static inline void sprocket_log(SprocketCall *call, const char *text)
{
    call->host->log(call, text);
}
