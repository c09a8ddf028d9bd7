#include "devices/message.h"
#include "gateway/base/error.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Writes the examples of fuzz-device-message: one packet of each kind. Run by hand with the folder. */

static int ends[2];
static const char *folder;

static void keep(const char *name, HearthMessageKind kind, GVariant *body, const char *attached)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *bytes = g_malloc(HEARTH_MESSAGE_MAX);
    g_autoptr(GError) error = NULL;
    if (!hearth_message_send(ends[0], kind, 3, body, attached, attached ? strlen(attached) : 0, -1,
                             &error))
        g_error("%s", error->message);
    ssize_t size = recv(ends[1], bytes, HEARTH_MESSAGE_MAX, 0);
    if (size < 0 || !g_file_set_contents(path, bytes, size, &error))
        g_error("cannot write %s", path);
}

static GVariant *entries(void)
{
    GVariantBuilder builder;
    const HearthDeviceObject OBJECTS[] = {
        {.path = (char *)"/DCIM", .size = HEARTH_SIZE_UNKNOWN, .is_folder = TRUE},
        {.path = (char *)"/DCIM/IMG_0001.JPG", .size = 5000000, .mtime = 1700000000},
        {.path = (char *)"/DCIM/\xff\n.JPG", .size = 0, .mtime_is_utc = TRUE},
        {.path = (char *)"/../x", .size = 1, .refusal = (char *)"its name stands for a folder"},
    };
    g_variant_builder_init(&builder, G_VARIANT_TYPE(HEARTH_MESSAGE_TYPE_ENTRIES));
    for (gsize i = 0; i < G_N_ELEMENTS(OBJECTS); i++)
        hearth_message_add_entry(&builder, &OBJECTS[i]);
    return g_variant_builder_end(&builder);
}

int main(int argc, char **argv)
{
    if (argc != 2 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return 2;
    folder = argv[1];
    keep("opened", HEARTH_MESSAGE_OPENED,
         g_variant_new(HEARTH_MESSAGE_TYPE_OPENED, "Canon", "EOS", "1", TRUE), NULL);
    keep("entries", HEARTH_MESSAGE_ENTRIES_ARE, entries(), NULL);
    keep("data", HEARTH_MESSAGE_DATA, g_variant_new(HEARTH_MESSAGE_TYPE_DATA, 4096u), NULL);
    keep("end", HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, (guint64)0), "attached");
    keep("space", HEARTH_MESSAGE_SPACE_IS,
         g_variant_new(HEARTH_MESSAGE_TYPE_SPACE_IS, (guint64)1, (guint64)2), NULL);
    keep("error", HEARTH_MESSAGE_ERROR,
         g_variant_new(HEARTH_MESSAGE_TYPE_ERROR, HEARTH_ERROR_IO, HEARTH_DEVICE_LOCKED, (guint64)7,
                       "no\nline"),
         NULL);
    keep("list", HEARTH_MESSAGE_LIST, NULL, NULL);
    keep("fetch", HEARTH_MESSAGE_FETCH,
         g_variant_new("(@ayxxt)", hearth_message_path("/a/b"), (gint64)1, (gint64)2, (guint64)0),
         NULL);
    return 0;
}
