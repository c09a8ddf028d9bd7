#include "gateway/base/error.h"
#include "tests/rigs/simulator/control.h"
#include "tests/rigs/simulator/ptpip-wire.h"
#include "tests/rigs/simulator/usb-wire.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "Usage: umockdev-wrapper simulator [OPTION...] DEVICE... -- COMMAND...\n"
    "       simulator --ptpip HOST [OPTION...] DEVICE [-- COMMAND...]\n"
    "       simulator --tell SOCKET COMMAND...\n"
    "\n"
    "Simulates cameras and players, runs COMMAND, which sees them on USB (or at HOST over PTP/IP;\n"
    "-: an own address of the loopback network, printed), and exits with COMMAND's status.\n"
    "\n"
    "DEVICE is FOLDER PERSONA [DEVICE-OPTION...]; FOLDER is what it holds (- for nothing), "
    "PERSONA\n"
    "ptp (a camera), mtp (a phone) or player (an MTP player of no USB class).\n"
    "  --set COMMAND         a command of the control language, carried out before it is plugged\n"
    "  --moving-handles      handles name other objects in the next session\n"
    "  --unplugged           starts without it\n"
    "  --serial TEXT, --model TEXT\n"
    "OPTION: --control SOCKET  where commands are taken (default: a private path; COMMAND finds "
    "it\n"
    "                          in HEARTH_SIMULATOR)\n"
    "The control language is described in tests/rigs/README.md.\n";

typedef struct {
    const char *folder;
    SimIdentity identity;
    GPtrArray *commands; /* element-type utf8, (unowned) */
    gboolean unplugged;
} DeviceArgs;

typedef struct {
    GArray *devices; /* element-type DeviceArgs */
    const char *control;
    const char *ptpip; /* (nullable): USB; "-": any address */
    char **command;
} Args;

static gboolean usage_error(const char *text, const char *what)
{
    fprintf(stderr, "simulator: %s: %s\n\n%s", text, what, usage);
    return FALSE;
}

static gboolean parse_persona(SimIdentity *identity, const char *word)
{
    if (strcmp(word, "ptp") == 0)
        identity->persona = SIM_PERSONA_PTP;
    else if (strcmp(word, "mtp") == 0 || strcmp(word, "player") == 0)
        identity->persona = SIM_PERSONA_MTP;
    else
        return usage_error("no such persona", word);
    identity->vendor_class = strcmp(word, "player") == 0;
    return TRUE;
}

/** One option of the last device; how many words it took, 0: none of its options. */
static int parse_device_option(DeviceArgs *device, char **words)
{
    if (strcmp(words[0], "--moving-handles") == 0)
        return device->identity.moving_handles = TRUE;
    if (strcmp(words[0], "--unplugged") == 0)
        return device->unplugged = TRUE;
    if (words[1] == NULL)
        return 0;
    if (strcmp(words[0], "--set") == 0)
        g_ptr_array_add(device->commands, words[1]);
    else if (strcmp(words[0], "--serial") == 0)
        device->identity.serial = words[1];
    else if (strcmp(words[0], "--model") == 0)
        device->identity.model = words[1];
    else
        return 0;
    return 2;
}

static gboolean add_device(Args *args, const char *folder, const char *persona)
{
    DeviceArgs device = {.folder = strcmp(folder, "-") == 0 ? NULL : folder};

    device.identity.model = "Simulated";
    device.identity.serial = g_strdup_printf("SIM%03u", args->devices->len + 1);
    device.commands = g_ptr_array_new();
    g_array_append_val(args->devices, device);
    return parse_persona(&g_array_index(args->devices, DeviceArgs, args->devices->len - 1).identity,
                         persona);
}

static gboolean parse(Args *args, char **words)
{
    while (*words != NULL && strcmp(*words, "--") != 0) {
        guint count = args->devices->len;
        DeviceArgs *last = count ? &g_array_index(args->devices, DeviceArgs, count - 1) : NULL;
        int taken = last ? parse_device_option(last, words) : 0;

        if (taken == 0 && words[1] == NULL)
            return usage_error("incomplete", words[0]);
        if (taken == 0) {
            taken = 2;
            if (strcmp(words[0], "--control") == 0)
                args->control = words[1];
            else if (strcmp(words[0], "--ptpip") == 0)
                args->ptpip = words[1];
            else if (g_str_has_prefix(words[0], "--"))
                return usage_error("no such option", words[0]);
            else if (!add_device(args, words[0], words[1]))
                return FALSE;
        }
        words += taken;
    }
    args->command = *words ? words + 1 : NULL;
    return TRUE;
}

static GPtrArray *make_devices(Args *args, GError **error)
{
    g_autoptr(GPtrArray) devices = g_ptr_array_new_with_free_func((GDestroyNotify)sim_device_free);

    for (guint i = 0; i < args->devices->len; i++) {
        DeviceArgs *device = &g_array_index(args->devices, DeviceArgs, i);

        g_ptr_array_add(devices, sim_device_new(&device->identity, device->folder));
        for (guint j = 0; j < device->commands->len; j++)
            if (!sim_device_command(devices->pdata[i], device->commands->pdata[j], error))
                return NULL;
    }
    return g_steal_pointer(&devices);
}

static gboolean plug_devices(Args *args, GPtrArray *devices, GError **error)
{
    for (guint i = 0; i < devices->len; i++)
        if (!g_array_index(args->devices, DeviceArgs, i).unplugged &&
            !sim_device_plug(devices->pdata[i], error))
            return FALSE;
    return TRUE;
}

static int run_command(char **command)
{
    g_autoptr(GError) error = NULL;
    int status = 0;

    if (command == NULL || command[0] == NULL) {
        pause();
        return 0;
    }
    if (!g_spawn_sync(NULL, command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL,
                      NULL, NULL, NULL, &status, &error)) {
        fprintf(stderr, "simulator: %s\n", error->message);
        return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(Args *args, const char *folder)
{
    g_autofree char *own = g_build_filename(folder, "control", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) devices = make_devices(args, &error);
    g_autoptr(SimUsbBus) bus = NULL;
    g_autoptr(SimPtpip) server = NULL;
    g_autoptr(SimControl) control = NULL;
    const char *path = args->control ? args->control : own;

    if (devices != NULL && args->ptpip == NULL) {
        bus = sim_usb_bus_new();
        for (guint i = 0; i < devices->len; i++)
            sim_usb_bus_attach(bus, devices->pdata[i]);
    } else if (devices != NULL) {
        server =
            sim_ptpip_new(devices->pdata[0], strcmp(args->ptpip, "-") ? args->ptpip : NULL, &error);
    }
    if (error == NULL && plug_devices(args, devices, &error))
        control = sim_control_new(path, devices, &error);
    if (error != NULL) {
        fprintf(stderr, "simulator: %s\n", error->message);
        return 1;
    }
    if (server != NULL) {
        printf("%s\n", sim_ptpip_host(server));
        fflush(stdout);
        g_setenv("HEARTH_SIMULATOR_HOST", sim_ptpip_host(server), TRUE);
    }
    g_setenv("HEARTH_SIMULATOR", path, TRUE);
    return run_command(args->command);
}

static int tell(char **words)
{
    g_autofree char *line = words[0] ? g_strjoinv(" ", words + 1) : NULL;
    g_autoptr(GError) error = NULL;

    if (line == NULL || line[0] == '\0') {
        fputs(usage, stderr);
        return 2;
    }
    if (sim_control_tell(words[0], line, &error))
        return 0;
    fprintf(stderr, "simulator: %s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    Args args = {.devices = g_array_new(FALSE, TRUE, sizeof(DeviceArgs))};
    g_autofree char *folder = NULL;
    int status;

    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "--tell") == 0)
        return tell(argv + 2);
    if (!parse(&args, argv + 1))
        return 2;
    if (args.devices->len == 0 || (args.ptpip != NULL && args.devices->len != 1))
        return !usage_error("devices", "at least one; exactly one with --ptpip") * 2;
    folder = g_dir_make_tmp("hearth-simulator-XXXXXX", NULL);
    status = run(&args, folder);
    g_rmdir(folder);
    return status;
}
