#include "tests/rigs/simulator/ptp-codes.h"
#include "tests/rigs/simulator/responder-private.h"

#include <string.h>

/* MTP's object properties: what a media player tells of a file beyond PTP's ObjectInfo. */

static const struct {
    guint16 code;
    guint16 type;
} properties[] = {
    {MTP_PROP_STORAGE_ID, PTP_TYPE_UINT32},     {MTP_PROP_FORMAT, PTP_TYPE_UINT16},
    {MTP_PROP_PROTECTION, PTP_TYPE_UINT16},     {MTP_PROP_SIZE, PTP_TYPE_UINT64},
    {MTP_PROP_FILE_NAME, PTP_TYPE_STRING},      {MTP_PROP_DATE_MODIFIED, PTP_TYPE_STRING},
    {MTP_PROP_PARENT, PTP_TYPE_UINT32},         {MTP_PROP_NAME, PTP_TYPE_STRING},
    {MTP_PROP_PERSISTENT_ID, PTP_TYPE_UINT128},
};

static guint16 type_of(guint32 code)
{
    for (gsize i = 0; i < G_N_ELEMENTS(properties); i++)
        if (properties[i].code == code)
            return properties[i].type;
    return 0;
}

static void put_date(GByteArray *out, const SimObject *object)
{
    g_autofree char *date = sim_object_date(object);

    sim_put_utf8(out, date);
}

static void put_value(SimResponder *responder, const SimObject *object, guint16 code,
                      GByteArray *out)
{
    switch (code) {
    case MTP_PROP_STORAGE_ID:
        sim_put_u32(out, SIM_STORAGE_ID);
        break;
    case MTP_PROP_FORMAT:
        sim_put_u16(out, sim_responder_format(responder, object));
        break;
    case MTP_PROP_PROTECTION:
        sim_put_u16(out, 0);
        break;
    case MTP_PROP_SIZE:
        sim_put_u64(out, sim_responder_announced_size(responder, object));
        break;
    case MTP_PROP_DATE_MODIFIED:
        put_date(out, object);
        break;
    case MTP_PROP_PARENT:
        sim_put_u32(out, sim_responder_handle_of(responder, object->parent));
        break;
    case MTP_PROP_PERSISTENT_ID:
        sim_put_u64(out, object->index + 1);
        sim_put_u64(out, 0);
        break;
    default:
        sim_put_text(out, &object->name);
    }
}

static void put_default(guint16 type, GByteArray *out)
{
    static const guint8 zeros[16];
    gsize size = type == PTP_TYPE_STRING    ? 1
                 : type == PTP_TYPE_UINT16  ? 2
                 : type == PTP_TYPE_UINT32  ? 4
                 : type == PTP_TYPE_UINT128 ? 16
                                            : 8;

    g_byte_array_append(out, zeros, size);
}

guint16 sim_props_supported(SimReply *reply)
{
    sim_put_u32(reply->data, G_N_ELEMENTS(properties));
    for (gsize i = 0; i < G_N_ELEMENTS(properties); i++)
        sim_put_u16(reply->data, properties[i].code);
    return PTP_RC_OK;
}

guint16 sim_props_describe(const SimOperation *operation, SimReply *reply)
{
    guint16 type = type_of(operation->params[0]);

    if (type == 0)
        return PTP_RC_INVALID_PROP_CODE;
    sim_put_u16(reply->data, operation->params[0]);
    sim_put_u16(reply->data, type);
    sim_put_u8(reply->data, 0); /* read-only */
    put_default(type, reply->data);
    sim_put_u32(reply->data, 0); /* group */
    sim_put_u8(reply->data, 0);  /* no form */
    return PTP_RC_OK;
}

guint16 sim_props_value(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    SimObject *object = sim_responder_object(responder, operation->params[0]);

    if (object == NULL)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    if (type_of(operation->params[1]) == 0)
        return PTP_RC_INVALID_PROP_CODE;
    put_value(responder, object, operation->params[1], reply->data);
    return PTP_RC_OK;
}

/** Appends object's properties (all, or one) as list elements; how many. */
static guint put_elements(SimResponder *responder, const SimObject *object, guint32 wanted,
                          GByteArray *out)
{
    guint count = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(properties); i++) {
        if (wanted != 0xffffffff && wanted != properties[i].code)
            continue;
        sim_put_u32(out, sim_responder_handle_of(responder, object->index));
        sim_put_u16(out, properties[i].code);
        sim_put_u16(out, properties[i].type);
        put_value(responder, object, properties[i].code, out);
        count++;
    }
    return count;
}

guint16 sim_props_list(SimResponder *responder, const SimOperation *operation, SimReply *reply)
{
    SimObject *object = sim_responder_object(responder, operation->params[0]);
    guint32 wanted = operation->params[2] ? operation->params[2] : 0xffffffff;
    guint32 count;

    if (object == NULL)
        return PTP_RC_INVALID_OBJECT_HANDLE;
    sim_put_u32(reply->data, 0);
    count = GUINT32_TO_LE(put_elements(responder, object, wanted, reply->data));
    memcpy(reply->data->data, &count, sizeof count);
    return PTP_RC_OK;
}
