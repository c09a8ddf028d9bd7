#include "tests/rigs/simulator/responder.h"

#include "tests/rigs/simulator/ptp-codes.h"
#include "tests/rigs/simulator/responder-private.h"

#include <string.h>

/* Handles are counted within this many; with moving handles each session starts elsewhere. */
#define HANDLE_COUNT (1u << 20)
/* Objects by which the handles move from session to session: few, so that they clash. */
#define HANDLE_STEP 7
#define STORAGE_BYTES (64 * G_GUINT64_CONSTANT(1000000000))
/* A picture as small as this serves as its own thumbnail. Bytes. */
#define THUMB_MAX (64 * 1024)
#define SIZE_UNKNOWN 0xffffffff

static const guint16 ptp_operations[] = {
    PTP_OP_GET_DEVICE_INFO,  PTP_OP_OPEN_SESSION,     PTP_OP_CLOSE_SESSION,
    PTP_OP_GET_STORAGE_IDS,  PTP_OP_GET_STORAGE_INFO, PTP_OP_GET_NUM_OBJECTS,
    PTP_OP_GET_OBJECT_INFO,  PTP_OP_GET_OBJECT,       PTP_OP_GET_OBJECT_HANDLES,
    PTP_OP_GET_THUMB,        PTP_OP_DELETE_OBJECT,    PTP_OP_GET_PARTIAL_OBJECT,
    PTP_OP_SEND_OBJECT_INFO, PTP_OP_SEND_OBJECT,
};
static const guint16 mtp_operations[] = {
    PTP_OP_GET_DEVICE_INFO,     PTP_OP_OPEN_SESSION,
    PTP_OP_CLOSE_SESSION,       PTP_OP_GET_STORAGE_IDS,
    PTP_OP_GET_STORAGE_INFO,    PTP_OP_GET_NUM_OBJECTS,
    PTP_OP_GET_OBJECT_INFO,     PTP_OP_GET_OBJECT,
    PTP_OP_GET_OBJECT_HANDLES,  PTP_OP_GET_THUMB,
    PTP_OP_DELETE_OBJECT,       PTP_OP_GET_PARTIAL_OBJECT,
    PTP_OP_SEND_OBJECT_INFO,    PTP_OP_SEND_OBJECT,
    PTP_OP_GET_PROPS_SUPPORTED, PTP_OP_GET_PARTIAL_OBJECT_64,
    PTP_OP_GET_PROP_DESC,       PTP_OP_GET_PROP_VALUE,
    PTP_OP_GET_PROP_LIST,
};
static const guint16 events[] = {PTP_EVENT_OBJECT_ADDED, PTP_EVENT_OBJECT_REMOVED,
                                 PTP_EVENT_STORE_ADDED, PTP_EVENT_STORE_REMOVED};
static const guint16 formats[] = {PTP_FORMAT_UNDEFINED, PTP_FORMAT_FOLDER,    PTP_FORMAT_TEXT,
                                  PTP_FORMAT_WAV,       PTP_FORMAT_MP3,       PTP_FORMAT_AVI,
                                  PTP_FORMAT_MPEG,      PTP_FORMAT_QUICKTIME, PTP_FORMAT_JPEG,
                                  PTP_FORMAT_TIFF};

SimResponder *sim_responder_new(const SimIdentity *identity, SimStore *store, SimFaults *faults)
{
    SimResponder *responder = g_new0(SimResponder, 1);

    responder->identity = *identity;
    responder->identity.model = g_strdup(identity->model);
    responder->identity.serial = g_strdup(identity->serial);
    responder->store = store;
    responder->faults = faults;
    responder->pending = SIM_ROOT;
    return responder;
}

void sim_responder_free(SimResponder *responder)
{
    if (responder == NULL)
        return;
    g_free((char *)responder->identity.model);
    g_free((char *)responder->identity.serial);
    g_free(responder);
}

void sim_responder_reset(SimResponder *responder)
{
    responder->open = FALSE;
    responder->pending = SIM_ROOT;
}

static guint shift(SimResponder *responder)
{
    return responder->identity.moving_handles ? responder->sessions * HANDLE_STEP : 0;
}

guint32 sim_responder_handle_of(SimResponder *responder, guint index)
{
    return index == SIM_ROOT ? 0 : (index + shift(responder)) % HANDLE_COUNT + 1;
}

SimObject *sim_responder_object(SimResponder *responder, guint32 handle)
{
    guint place = (handle - 1 + HANDLE_COUNT - shift(responder) % HANDLE_COUNT) % HANDLE_COUNT;

    if (handle == 0 || handle > HANDLE_COUNT)
        return NULL;
    return sim_store_get(responder->store, place);
}

guint64 sim_responder_announced_size(SimResponder *responder, const SimObject *object)
{
    return object->content == SIM_CONTENT_NONE ? 0 : object->size + responder->faults->size_error;
}

guint16 sim_responder_format(SimResponder *responder, const SimObject *object)
{
    if (object->format == PTP_FORMAT_FOLDER || !responder->faults->undefined)
        return object->format;
    return PTP_FORMAT_UNDEFINED;
}

static guint16 device_info(SimResponder *responder, SimReply *reply)
{
    gboolean mtp = responder->identity.persona == SIM_PERSONA_MTP;
    GByteArray *out = reply->data;

    sim_put_u16(out, 100);                  /* PTP 1.00 */
    sim_put_u32(out, mtp ? 6 : 0xffffffff); /* vendor extension: Microsoft's, none */
    sim_put_u16(out, mtp ? 100 : 0);
    sim_put_utf8(out, mtp ? "microsoft.com: 1.0; android.com: 1.0;" : "");
    sim_put_u16(out, 0); /* functional mode */
    if (mtp)
        sim_put_u16_array(out, mtp_operations, G_N_ELEMENTS(mtp_operations));
    else
        sim_put_u16_array(out, ptp_operations, G_N_ELEMENTS(ptp_operations));
    sim_put_u16_array(out, events, G_N_ELEMENTS(events));
    sim_put_u16_array(out, NULL, 0);    /* device properties */
    sim_put_u16_array(out, formats, 1); /* formats it takes pictures in */
    sim_put_u16_array(out, formats, G_N_ELEMENTS(formats));
    sim_put_utf8(out, "Hearth");
    sim_put_utf8(out, responder->identity.model);
    sim_put_utf8(out, "1.0");
    sim_put_utf8(out, responder->identity.serial);
    return PTP_RC_OK;
}

static guint16 open_session(SimResponder *responder)
{
    if (responder->open)
        return PTP_RC_SESSION_ALREADY_OPEN;
    responder->open = TRUE;
    responder->sessions++;
    return PTP_RC_OK;
}

static guint16 storage_ids(SimResponder *responder, SimReply *reply)
{
    sim_put_u32(reply->data, responder->faults->locked ? 0 : 1);
    if (!responder->faults->locked)
        sim_put_u32(reply->data, SIM_STORAGE_ID);
    return PTP_RC_OK;
}

static guint16 storage_info(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    gboolean mtp = responder->identity.persona == SIM_PERSONA_MTP;

    if (responder->faults->locked)
        return PTP_RC_STORE_NOT_AVAILABLE;
    if (operation->params[0] != SIM_STORAGE_ID)
        return PTP_RC_INVALID_STORAGE_ID;
    sim_put_u16(reply->data, mtp ? 3 : 4); /* fixed, removable RAM */
    sim_put_u16(reply->data, mtp ? 2 : 3); /* hierarchy: generic, DCF */
    sim_put_u16(reply->data, 0);           /* read and write */
    sim_put_u64(reply->data, STORAGE_BYTES);
    sim_put_u64(reply->data, STORAGE_BYTES / 2);
    sim_put_u32(reply->data, 1000);
    sim_put_utf8(reply->data, mtp ? "Internal storage" : "SD");
    sim_put_utf8(reply->data, "HEARTH");
    return PTP_RC_OK;
}

/** Indices of what GetObjectHandles and GetNumObjects ask for; or the code of a refusal. */
static guint16 list_objects(SimResponder *responder, const SimOperation *operation, GArray *found)
{
    guint32 storage = operation->params[0];
    guint32 parent = operation->params[2];
    SimObject *folder;

    if (responder->faults->locked)
        return PTP_RC_STORE_NOT_AVAILABLE;
    if (storage != SIM_STORAGE_ID && storage != 0xffffffff)
        return PTP_RC_INVALID_STORAGE_ID;
    if (parent == 0xffffffff) {
        sim_store_list(responder->store, SIM_ROOT, found);
    } else if (parent == 0) {
        for (guint i = 0; i < sim_store_count(responder->store); i++)
            if (sim_store_get(responder->store, i) != NULL)
                g_array_append_val(found, i);
    } else {
        folder = sim_responder_object(responder, parent);
        if (folder == NULL || folder->format != PTP_FORMAT_FOLDER)
            return PTP_RC_INVALID_PARENT;
        sim_store_list(responder->store, folder->index, found);
    }
    return PTP_RC_OK;
}

static gboolean format_wanted(SimResponder *responder, const SimOperation *operation, guint index)
{
    SimObject *object = sim_store_get(responder->store, index);
    guint32 wanted = operation->params[1];

    return wanted == 0 || wanted == 0xffffffff || wanted == sim_responder_format(responder, object);
}

static guint16 object_handles(SimResponder *responder, const SimOperation *operation,
                              SimReply *reply)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GByteArray) handles = g_byte_array_new();
    guint16 code = list_objects(responder, operation, found);

    for (guint i = 0; code == PTP_RC_OK && i < found->len; i++) {
        guint index = g_array_index(found, guint, i);

        if (format_wanted(responder, operation, index))
            sim_put_u32(handles, sim_responder_handle_of(responder, index));
    }
    sim_put_u32(reply->data, handles->len / sizeof(guint32));
    g_byte_array_append(reply->data, handles->data, handles->len);
    return code;
}

static guint16 object_count(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint));
    guint16 code = list_objects(responder, operation, found);

    reply->params[0] = found->len;
    reply->count = 1;
    return code;
}

static gboolean has_thumb(SimResponder *responder, const SimObject *object)
{
    return object->format == PTP_FORMAT_JPEG && !responder->faults->undefined && object->size > 0 &&
           object->size <= THUMB_MAX;
}

static guint32 size_in_info(SimResponder *responder, const SimObject *object)
{
    guint64 size = sim_responder_announced_size(responder, object);

    if (responder->faults->small_sizes)
        return size;
    return MIN(size, SIZE_UNKNOWN);
}

static void put_object_info(SimResponder *responder, const SimObject *object, GByteArray *out)
{
    g_autofree char *date = sim_object_date(object);
    gboolean thumb = has_thumb(responder, object);

    sim_put_u32(out, SIM_STORAGE_ID);
    sim_put_u16(out, sim_responder_format(responder, object));
    sim_put_u16(out, 0); /* not protected */
    sim_put_u32(out, size_in_info(responder, object));
    sim_put_u16(out, thumb ? PTP_FORMAT_JPEG : 0);
    sim_put_u32(out, thumb ? object->size : 0);
    for (guint i = 0; i < 5; i++)
        sim_put_u32(out, 0); /* width and height of thumbnail and picture, bits: not told */
    sim_put_u32(out, sim_responder_handle_of(responder, object->parent));
    sim_put_u16(out, object->format == PTP_FORMAT_FOLDER ? 1 : 0); /* a generic folder */
    sim_put_u32(out, 0);
    sim_put_u32(out, 0); /* sequence */
    sim_put_text(out, &object->name);
    sim_put_utf8(out, date);
    sim_put_utf8(out, date);
    sim_put_utf8(out, "");
}

static guint16 object_info(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    SimObject *object = sim_responder_object(responder, operation->params[0]);

    if (object == NULL)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    put_object_info(responder, object, reply->data);
    return PTP_RC_OK;
}

/** `most` bytes of the object from `offset` on become the data. */
static guint16 object_bytes(SimResponder *responder, guint32 handle, guint64 offset, guint64 most,
                            SimReply *reply)
{
    SimObject *object = sim_responder_object(responder, handle);

    if (object == NULL || object->format == PTP_FORMAT_FOLDER)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    if (object->broken)
        return PTP_RC_GENERAL_ERROR;
    if (offset > object->size)
        return PTP_RC_INVALID_PARAMETER;
    reply->object = object;
    reply->offset = offset;
    reply->size = MIN(most, object->size - offset);
    return PTP_RC_OK;
}

static guint16 partial_object(SimResponder *responder, const SimOperation *operation,
                              SimReply *reply)
{
    const guint32 *params = operation->params;
    gboolean wide = operation->code == PTP_OP_GET_PARTIAL_OBJECT_64;
    guint64 offset = wide ? params[1] | (guint64)params[2] << 32 : params[1];
    guint16 code = object_bytes(responder, params[0], offset, wide ? params[3] : params[2], reply);

    reply->params[0] = reply->size;
    reply->count = 1;
    return code;
}

static guint16 thumb(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    SimObject *object = sim_responder_object(responder, operation->params[0]);

    if (object == NULL)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    if (!has_thumb(responder, object))
        return PTP_RC_NO_THUMBNAIL;
    return object_bytes(responder, operation->params[0], 0, THUMB_MAX, reply);
}

static guint16 delete_object(SimResponder *responder, const SimOperation *operation)
{
    SimObject *object = sim_responder_object(responder, operation->params[0]);

    if (object == NULL)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    sim_store_remove(responder->store, object);
    return PTP_RC_OK;
}

/* Where the name stands in an ObjectInfo, and the format. Bytes. */
#define INFO_FORMAT_OFFSET 4
#define INFO_NAME_OFFSET 52

static guint16 send_object_info(SimResponder *responder, const SimOperation *operation,
                                GByteArray *data, SimReply *reply)
{
    SimReader reader = sim_reader_over(data->data, data->len);
    SimObject *parent = sim_responder_object(responder, operation->params[1]);
    guint where = parent ? parent->index : SIM_ROOT;
    SimObject *object;
    guint16 format;
    SimText name;

    sim_skip(&reader, INFO_FORMAT_OFFSET);
    format = sim_get_u16(&reader);
    sim_skip(&reader, INFO_NAME_OFFSET - INFO_FORMAT_OFFSET - sizeof format);
    name = sim_get_text(&reader);
    if (reader.failed || name.length == 0) {
        sim_text_clear(&name);
        return PTP_RC_NO_VALID_OBJECT_INFO;
    }
    if (format == PTP_FORMAT_FOLDER)
        object = sim_store_add_folder(responder->store, where, name);
    else
        object = sim_store_add_bytes(responder->store, where, name, "", 0);
    responder->pending = format == PTP_FORMAT_FOLDER ? SIM_ROOT : object->index;
    reply->params[0] = SIM_STORAGE_ID;
    reply->params[1] = parent ? operation->params[1] : 0xffffffff;
    reply->params[2] = sim_responder_handle_of(responder, object->index);
    reply->count = 3;
    return PTP_RC_OK;
}

static guint16 send_object(SimResponder *responder, GByteArray *data)
{
    SimObject *object = sim_store_get(responder->store, responder->pending);

    if (object == NULL)
        return PTP_RC_NO_VALID_OBJECT_INFO;
    responder->pending = SIM_ROOT;
    sim_store_write(responder->store, object, data->data, data->len);
    return PTP_RC_OK;
}

gboolean sim_operation_sends_data(guint16 code)
{
    return code == PTP_OP_SEND_OBJECT_INFO || code == PTP_OP_SEND_OBJECT;
}

static gboolean operation_has_answer_data(guint16 code)
{
    return !sim_operation_sends_data(code) && code != PTP_OP_OPEN_SESSION &&
           code != PTP_OP_CLOSE_SESSION && code != PTP_OP_GET_NUM_OBJECTS &&
           code != PTP_OP_DELETE_OBJECT;
}

/** Operations of the media player persona alone. */
static guint16 dispatch_mtp(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    if (responder->identity.persona != SIM_PERSONA_MTP)
        return PTP_RC_OPERATION_NOT_SUPPORTED;
    switch (operation->code) {
    case PTP_OP_GET_PARTIAL_OBJECT_64:
        return partial_object(responder, operation, reply);
    case PTP_OP_GET_PROPS_SUPPORTED:
        return sim_props_supported(reply);
    case PTP_OP_GET_PROP_DESC:
        return sim_props_describe(operation, reply);
    case PTP_OP_GET_PROP_VALUE:
        return sim_props_value(responder, operation, reply);
    case PTP_OP_GET_PROP_LIST:
        return sim_props_list(responder, operation, reply);
    default:
        return PTP_RC_OPERATION_NOT_SUPPORTED;
    }
}

static guint16 dispatch(SimResponder *responder, const SimOperation *operation, GByteArray *data,
                        SimReply *reply)
{
    switch (operation->code) {
    case PTP_OP_GET_DEVICE_INFO:
        return device_info(responder, reply);
    case PTP_OP_OPEN_SESSION:
        return open_session(responder);
    case PTP_OP_CLOSE_SESSION:
        sim_responder_reset(responder);
        return PTP_RC_OK;
    case PTP_OP_GET_STORAGE_IDS:
        return storage_ids(responder, reply);
    case PTP_OP_GET_STORAGE_INFO:
        return storage_info(responder, operation, reply);
    case PTP_OP_GET_NUM_OBJECTS:
        return object_count(responder, operation, reply);
    case PTP_OP_GET_OBJECT_HANDLES:
        return object_handles(responder, operation, reply);
    case PTP_OP_GET_OBJECT_INFO:
        return object_info(responder, operation, reply);
    case PTP_OP_GET_OBJECT:
        return object_bytes(responder, operation->params[0], 0, G_MAXUINT64, reply);
    case PTP_OP_GET_PARTIAL_OBJECT:
        return partial_object(responder, operation, reply);
    case PTP_OP_GET_THUMB:
        return thumb(responder, operation, reply);
    case PTP_OP_DELETE_OBJECT:
        return delete_object(responder, operation);
    case PTP_OP_SEND_OBJECT_INFO:
        return send_object_info(responder, operation, data, reply);
    case PTP_OP_SEND_OBJECT:
        return send_object(responder, data);
    default:
        return dispatch_mtp(responder, operation, reply);
    }
}

static gboolean needs_session(guint16 code)
{
    return code != PTP_OP_GET_DEVICE_INFO && code != PTP_OP_OPEN_SESSION;
}

/** Turns an honest reply into the one that the faults ask for. */
static void spoil(SimResponder *responder, guint16 operation, SimReply *reply)
{
    const SimFaults *faults = responder->faults;

    if (reply->has_data && faults->shorten == operation)
        reply->size -= MIN(reply->size, faults->shorten_by);
    if (reply->has_data && faults->nonsense == operation)
        reply->noise = ++responder->noise;
}

SimReply *sim_responder_handle(SimResponder *responder, const SimOperation *operation,
                               GByteArray *data)
{
    SimReply *reply = g_new0(SimReply, 1);
    g_autoptr(GByteArray) nothing = g_byte_array_new();

    reply->transaction = operation->transaction;
    reply->data = g_byte_array_new();
    if (responder->faults->refuse == operation->code)
        reply->code = responder->faults->refuse_with;
    else if (!responder->open && needs_session(operation->code))
        reply->code = PTP_RC_SESSION_NOT_OPEN;
    else
        reply->code = dispatch(responder, operation, data ? data : nothing, reply);
    reply->has_data = reply->code == PTP_RC_OK && operation_has_answer_data(operation->code);
    if (reply->has_data && reply->object == NULL)
        reply->size = reply->data->len;
    reply->announced = reply->size;
    spoil(responder, operation->code, reply);
    return reply;
}

void sim_reply_free(SimReply *reply)
{
    if (reply == NULL)
        return;
    g_byte_array_unref(reply->data);
    g_free(reply);
}

gsize sim_reply_read(SimReply *reply, guint64 position, void *buffer, gsize size)
{
    size = MIN(size, reply->size - position);
    if (reply->noise != 0)
        sim_pattern_fill(reply->noise, position, buffer, size);
    else if (reply->object != NULL)
        return sim_object_read(reply->object, reply->offset + position, buffer, size);
    else
        memcpy(buffer, reply->data->data + position, size);
    return size;
}
