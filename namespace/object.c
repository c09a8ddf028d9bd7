#include "namespace/object.h"

#include <string.h>

gboolean hearth_content_id_is_none(const HearthContentId *id)
{
    static const HearthContentId NONE;
    return hearth_content_id_equal(id, &NONE);
}

gboolean hearth_content_id_equal(const HearthContentId *a, const HearthContentId *b)
{
    return memcmp(a->bytes, b->bytes, HEARTH_CONTENT_ID_SIZE) == 0;
}

char *hearth_content_id_to_text(const HearthContentId *id, char text[HEARTH_CONTENT_ID_TEXT])
{
    hearth_hex_encode(id->bytes, HEARTH_CONTENT_ID_SIZE, text);
    return text;
}

gboolean hearth_content_id_from_text(const char *text, HearthContentId *ret_id)
{
    HearthContentId id;
    if (strlen(text) != 2 * HEARTH_CONTENT_ID_SIZE ||
        !hearth_hex_decode(text, id.bytes, HEARTH_CONTENT_ID_SIZE))
        return FALSE;
    *ret_id = id;
    return TRUE;
}
