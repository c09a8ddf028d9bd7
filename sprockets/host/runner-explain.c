#include "sprockets/host/runner-private.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The server has the same libraries at the same addresses, and may use the dynamic linker: a child
 * that crashed may not. */
static void name_address(uint64_t address, char *text, size_t size)
{
    Dl_info info;
    if (address == 0 || !dladdr((void *)(uintptr_t)address, &info) || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *object = slash ? slash + 1 : info.dli_fname;
    if (info.dli_sname)
        snprintf(text, size, "%s:%s+0x%lx", object, info.dli_sname,
                 (unsigned long)(address - (uintptr_t)info.dli_saddr));
    else
        snprintf(text, size, "%s+0x%lx", object,
                 (unsigned long)(address - (uintptr_t)info.dli_fbase));
}

static void name_signal(int number, const HearthShared *shared, char *text, size_t size)
{
    const char *name = sigabbrev_np(number);
    if (number == SIGPROF || number == SIGXCPU) {
        snprintf(text, size, "cpu-time");
    } else if (number == SIGXFSZ) {
        snprintf(text, size, "emit");
    } else if (number == SIGSYS && shared->system_call >= 0) {
        char call[64];
        hearth_runner_call_name(shared->system_call, call, sizeof call);
        snprintf(text, size, "system call %s", call);
    } else if (name) {
        snprintf(text, size, "SIG%s", name);
    } else {
        snprintf(text, size, "signal %d", number);
    }
}

void hearth_runner_explain(int shared_fd, HearthWireEnded *ended)
{
    HearthShared shared = {0};
    if (pread(shared_fd, &shared, sizeof shared, 0) != (ssize_t)sizeof shared)
        return;
    if (WIFSIGNALED(ended->wait_status)) {
        shared.system_call = -1;
        name_signal(WTERMSIG(ended->wait_status), &shared, ended->rule, sizeof ended->rule);
    } else if (shared.state == HEARTH_SHARED_FAULTED) {
        name_signal(shared.signal, &shared, ended->rule, sizeof ended->rule);
        name_address(shared.address, ended->symbol, sizeof ended->symbol);
    } else if (shared.state == HEARTH_SHARED_SETUP) {
        ended->error = shared.status;
    } else if (shared.state != HEARTH_SHARED_RETURNED) {
        snprintf(ended->rule, sizeof ended->rule, "exit");
    }
}
