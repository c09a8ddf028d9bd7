#include "tests/rigs/simulator/control.h"

#include "gateway/base/error.h"
#include "tests/rigs/simulator/listener.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

struct SimControl {
    char *path;
    GPtrArray *devices; /* element-type SimDevice, (unowned) */
    SimListener *listener;
};

static gboolean carry_out(SimControl *control, const char *line, GError **error)
{
    guint64 number = 0;
    char *rest = (char *)line;

    if (line[0] == '@') {
        number = g_ascii_strtoull(line + 1, &rest, 10);
        rest += strspn(rest, " ");
    }
    if (number >= control->devices->len) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no device %u", (guint)number);
        return FALSE;
    }
    return sim_device_command(control->devices->pdata[number], rest, error);
}

static void serve(GSocketConnection *connection, gpointer user_data)
{
    SimControl *control = user_data;
    g_autoptr(GDataInputStream) in =
        g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));

    for (;;) {
        g_autofree char *line = g_data_input_stream_read_line(in, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;

        if (line == NULL)
            return;
        if (carry_out(control, line, &error))
            g_output_stream_printf(out, NULL, NULL, NULL, "ok\n");
        else
            g_output_stream_printf(out, NULL, NULL, NULL, "error: %s\n", error->message);
    }
}

SimControl *sim_control_new(const char *path, GPtrArray *devices, GError **error)
{
    g_autoptr(SimControl) control = g_new0(SimControl, 1);
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);

    control->path = g_strdup(path);
    control->devices = devices;
    control->listener = sim_listener_new(address, serve, control, error);
    if (control->listener == NULL)
        return NULL;
    return g_steal_pointer(&control);
}

void sim_control_free(SimControl *control)
{
    if (control == NULL)
        return;
    sim_listener_free(control->listener);
    g_unlink(control->path);
    g_free(control->path);
    g_free(control);
}

gboolean sim_control_tell(const char *path, const char *line, GError **error)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, error);
    g_autoptr(GDataInputStream) in = NULL;
    g_autofree char *answer = NULL;

    if (connection == NULL)
        return FALSE;
    if (!g_output_stream_printf(g_io_stream_get_output_stream(G_IO_STREAM(connection)), NULL, NULL,
                                error, "%s\n", line))
        return FALSE;
    in = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    answer = g_data_input_stream_read_line(in, NULL, NULL, error);
    if (answer != NULL && strcmp(answer, "ok") == 0)
        return TRUE;
    if (error != NULL && *error == NULL)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_FAILED, "%s: %s", line,
                    answer ? answer : "no answer");
    return FALSE;
}
