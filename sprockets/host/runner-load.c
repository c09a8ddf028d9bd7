#include "sprockets/host/runner-private.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sprockets/host/describe-private.h"

#define PROBE_SECONDS 5 /* a shared object that takes longer to load is refused */

static void set_problem(HearthWireLoaded *answer, const char *problem)
{
    answer->size = 0;
    snprintf(answer->problem, sizeof answer->problem, "%s", problem);
}

/* RTLD_NOW: lazily bound calls would each be bound anew in every child. */
static const SprocketDescriptor *open_object(const char *path, HearthWireLoaded *answer)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        set_problem(answer, dlerror());
        return NULL;
    }
    const SprocketDescriptor *sprocket = dlsym(object, "sprocket_descriptor");
    if (!sprocket)
        set_problem(answer, "it exports no sprocket_descriptor: use SPROCKET_EXPORT");
    return sprocket;
}

static void describe(const SprocketDescriptor *sprocket, HearthWireLoaded *answer)
{
    HearthRecordWriter writer;
    hearth_record_begin(&writer, answer->description, sizeof answer->description);
    const char *problem = hearth_describe(sprocket, &writer);
    answer->size = (uint32_t)hearth_record_end(&writer);
    if (problem)
        set_problem(answer, problem);
}

const SprocketDescriptor *hearth_runner_open(const char *path, HearthWireLoaded *answer)
{
    const SprocketDescriptor *sprocket = open_object(path, answer);
    if (sprocket)
        describe(sprocket, answer);
    return answer->problem[0] ? NULL : sprocket;
}

static _Noreturn void probe_child(const char *path, HearthWireLoaded *answer)
{
    alarm(PROBE_SECONDS);
    hearth_runner_open(path, answer);
    _exit(0);
}

static void probe(const char *path, HearthWireLoaded *answer)
{
    int status = 0;
    set_problem(answer, "it did not finish loading");
    pid_t child = fork();
    if (child == 0) {
        answer->problem[0] = '\0';
        probe_child(path, answer);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        set_problem(answer, "no process could be made to load it in");
    } else if (WIFSIGNALED(status)) {
        set_problem(answer, "loading it failed: ");
        size_t used = strlen(answer->problem);
        snprintf(answer->problem + used, sizeof answer->problem - used, "%s",
                 WTERMSIG(status) == SIGALRM ? "it took too long" : strsignal(WTERMSIG(status)));
    } else if (answer->size == 0 && answer->problem[0] == '\0') {
        set_problem(answer, "it ended the process while it was loaded");
    }
}

void hearth_runner_load(HearthRunnerSlot *slots, const HearthWireLoad *load,
                        HearthWireLoaded *ret_answer)
{
    memset(ret_answer, 0, sizeof *ret_answer);
    ret_answer->op = HEARTH_WIRE_LOADED;
    if (load->slot >= HEARTH_WIRE_SLOTS_MAX || !memchr(load->path, 0, sizeof load->path)) {
        set_problem(ret_answer, "there is no room for it");
        return;
    }
    HearthWireLoaded *seen =
        mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED) {
        set_problem(ret_answer, "out of memory");
        return;
    }
    probe(load->path, seen);
    if (seen->problem[0])
        snprintf(ret_answer->problem, sizeof ret_answer->problem, "%.*s",
                 (int)sizeof seen->problem - 1, seen->problem);
    munmap(seen, sizeof *seen);
    if (ret_answer->problem[0])
        return;
    const SprocketDescriptor *sprocket = hearth_runner_open(load->path, ret_answer);
    if (sprocket)
        slots[load->slot].sprocket = sprocket;
}
