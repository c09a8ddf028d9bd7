#include "gateway/command/call.h"
#include "gateway/command/commands.h"

#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
    static const HearthCommand *const TABLES[] = {
        HEARTH_COMMANDS_STATUS, HEARTH_COMMANDS_DEVICE,
        HEARTH_COMMANDS_TREE,   HEARTH_COMMANDS_TRANSFER,
        HEARTH_COMMANDS_FIND,   HEARTH_COMMANDS_HISTORY,
        HEARTH_COMMANDS_LOG,    HEARTH_COMMANDS_SPROCKET,
        HEARTH_COMMANDS_JOB,    NULL,
    };
    setlocale(LC_ALL, "");
    /* A reader that has had enough (head) ends us quietly; sockets must not. */
    signal(SIGPIPE, SIG_DFL);
    return hearth_call_main(TABLES, argc, argv);
}
