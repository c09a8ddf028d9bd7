/*
 * hearth-sprocket: loads sprockets and forks a confined child for each call (wire-private.h). With
 * --resident it is another program: runner-resident.c.
 *
 * One thread and one poll loop. It does nothing that can block but load a sprocket, and touches no
 * byte of a file or of a result: what it does with children is fork, time, kill and reap them.
 */
#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 2     /* to hand over a call: the waiting child may have died */
#define FIXED_FDS 2 /* in the poll set: control, signals */

typedef struct {
    int socket; /* -1: the lane is free */
    int shared;
    pid_t child;         /* 0: idle */
    int64_t deadline_ms; /* of the child, monotonic */
    HearthWireKill kill;
    bool closing; /* the host has gone from the lane */
} Lane;

/* A child that waits for its job. */
typedef struct {
    pid_t pid; /* 0: there is none */
    int socket;
    HearthRunnerLimits limits; /* it is under */
} Spare;

typedef struct {
    HearthRunnerSlot slots[HEARTH_WIRE_SLOTS_MAX];
    Lane lanes[HEARTH_WIRE_LANES_MAX];
    Spare spare;
    pid_t self;
    int signals;
    uint64_t memory; /* bytes of address space */
} Server;

/* Large enough for every message of the host; static, as the server has one thread. */
static union {
    HearthWireWord word;
    HearthWireLoad load;
    HearthWireCall call;
    char bytes[sizeof(HearthWireCall) + HEARTH_WIRE_PARAMS_MAX];
} message;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

ssize_t hearth_runner_receive(int socket, void *packet, size_t most, int fds[2])
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec where = {packet, most};
    struct msghdr header = {.msg_iov = &where,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    fds[0] = fds[1] = -1;
    ssize_t size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    struct cmsghdr *part = size > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (part && part->cmsg_type == SCM_RIGHTS) {
        size_t bytes = part->cmsg_len - CMSG_LEN(0);
        memcpy(fds, CMSG_DATA(part), bytes <= 2 * sizeof(int) ? bytes : 2 * sizeof(int));
    }
    return size;
}

static ssize_t receive(int socket, int fds[2])
{
    return hearth_runner_receive(socket, &message, sizeof message, fds);
}

static void close_both(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void measure_memory(Server *server)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu", &pages) == 1)
        server->memory = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (file)
        fclose(file);
}

/* It will be reaped as a child of no lane. */
static void drop_spare(Server *server)
{
    if (server->spare.pid == 0)
        return;
    kill(server->spare.pid, SIGKILL);
    close(server->spare.socket);
    server->spare.pid = 0;
}

/* The spare under these limits, made if there is none. False with errno. */
static bool ensure_spare(Server *server, const HearthRunnerLimits *limits)
{
    int ends[2];
    Spare *spare = &server->spare;
    if (spare->pid != 0 && spare->limits.cpu_ms == limits->cpu_ms &&
        spare->limits.emit_size == limits->emit_size)
        return true;
    drop_spare(server);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        hearth_runner_child(ends[1], server->self, limits);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *spare = (Spare){pid, ends[0], *limits};
    return true;
}

static void take_load(Server *server)
{
    static HearthWireLoaded answer;
    drop_spare(server); /* it does not have the new one */
    hearth_runner_load(server->slots, &message.load, &answer);
    measure_memory(server);
    if (send(HEARTH_WIRE_CONTROL_FD, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
        exit(0);
}

static void take_lane(Server *server, int fds[2])
{
    for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++) {
        if (server->lanes[i].socket < 0 && fds[1] >= 0) {
            server->lanes[i] = (Lane){.socket = fds[0], .shared = fds[1]};
            return;
        }
    }
    close_both(fds); /* the host sees the lane end */
}

/* The host is gone or speaks nonsense: nothing is left to serve. */
static void on_control(Server *server)
{
    int fds[2];
    ssize_t size = receive(HEARTH_WIRE_CONTROL_FD, fds);
    if (size == (ssize_t)sizeof(HearthWireLoad) && message.word.op == HEARTH_WIRE_LOAD) {
        take_load(server);
    } else if (size == (ssize_t)sizeof(HearthWireWord) && message.word.op == HEARTH_WIRE_LANE) {
        take_lane(server, fds);
        return;
    } else if (!(size < 0 && errno == EINTR)) {
        exit(size == 0 ? 0 : 1);
    }
    close_both(fds);
}

static void send_ended(Lane *lane, HearthWireEnded *ended)
{
    ended->op = HEARTH_WIRE_ENDED;
    if (send(lane->socket, ended, sizeof *ended, MSG_NOSIGNAL) < 0)
        lane->closing = true;
}

bool hearth_runner_call_is_sound(const HearthWireCall *call, ssize_t size)
{
    return size >= (ssize_t)sizeof *call && call->op == HEARTH_WIRE_CALL &&
           call->params_size == (size_t)size - sizeof *call && call->slot < HEARTH_WIRE_SLOTS_MAX &&
           call->result_size <= SPROCKET_RESULT_MAX && call->log_size <= HEARTH_WIRE_LOG_MAX &&
           memchr(call->hook, 0, sizeof call->hook);
}

static bool find_hook(const Server *server, ssize_t size, SprocketRun *ret_run)
{
    const HearthWireCall *call = &message.call;
    if (!hearth_runner_call_is_sound(call, size))
        return false;
    const SprocketDescriptor *sprocket = server->slots[call->slot].sprocket;
    *ret_run = NULL;
    for (const SprocketHook *hook = sprocket ? sprocket->hooks : NULL; hook && hook->name; hook++)
        if (strcmp(hook->name, call->hook) == 0)
            *ret_run = hook->run;
    return *ret_run != NULL;
}

static bool send_job(int socket, SprocketRun run, int shared, const int fds[2])
{
    const int all[3] = {shared, fds[0], fds[1]};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof all)];
    } control = {.bytes = {0}};
    HearthRunnerJob job = {run, message.call};
    struct iovec parts[] = {{&job, sizeof job},
                            {message.bytes + sizeof message.call, message.call.params_size}};
    struct msghdr header = {.msg_iov = parts,
                            .msg_iovlen = 2,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof all);
    memcpy(CMSG_DATA(&control.head), all, sizeof all);
    return sendmsg(socket, &header, MSG_NOSIGNAL) >= 0;
}

/*
 * The memory limit is on the address space: what the server has, plus the input, plus the limit. That
 * holds under AddressSanitizer too, whose terabytes of shadow are part of what the server has.
 */
static bool limit_memory(const Server *server, pid_t child)
{
    rlim_t space =
        server->memory + message.call.input_size + message.call.memory + HEARTH_RUNNER_SLACK;
    const struct rlimit bounds = {space, space};
    return prlimit(child, RLIMIT_AS, &bounds, NULL) == 0;
}

/* Hands the call to the spare, which the lane then owns. */
static bool hand_over(Server *server, Lane *lane, SprocketRun run, const int fds[2])
{
    const HearthRunnerLimits limits = {message.call.cpu_ms, message.call.emit_size};
    if (!ensure_spare(server, &limits))
        return false;
    if (!limit_memory(server, server->spare.pid) ||
        !send_job(server->spare.socket, run, lane->shared, fds)) {
        int failure = errno;
        drop_spare(server);
        errno = failure;
        return false;
    }
    lane->child = server->spare.pid;
    close(server->spare.socket);
    server->spare.pid = 0;
    /* The next one gets ready while this one works; failing that, when it is needed. */
    ensure_spare(server, &limits);
    return true;
}

static void start_child(Server *server, Lane *lane, SprocketRun run, const int fds[2])
{
    lane->kill = HEARTH_WIRE_KILL_NONE;
    lane->deadline_ms = now_ms() + message.call.wall_ms;
    for (int i = 0; i < TRIES; i++)
        if (hand_over(server, lane, run, fds))
            return;
    HearthWireEnded ended = {.error = errno};
    send_ended(lane, &ended);
}

static void kill_child(Lane *lane, HearthWireKill reason)
{
    if (lane->child > 0 && lane->kill == HEARTH_WIRE_KILL_NONE) {
        lane->kill = reason;
        kill(lane->child, SIGKILL);
    }
}

static void on_lane(Server *server, Lane *lane)
{
    int fds[2];
    SprocketRun run;
    ssize_t size = receive(lane->socket, fds);
    if (size < 0 && errno == EINTR)
        return;
    bool cancel = size == (ssize_t)sizeof(HearthWireWord) && message.word.op == HEARTH_WIRE_CANCEL;
    if (cancel) {
        kill_child(lane, HEARTH_WIRE_KILL_CANCEL);
    } else if (size > 0 && lane->child == 0 && fds[1] >= 0 && find_hook(server, size, &run)) {
        start_child(server, lane, run, fds);
    } else {
        lane->closing = true;
        kill_child(lane, HEARTH_WIRE_KILL_CANCEL);
    }
    close_both(fds);
}

static void end_call(Lane *lane, int wait_status, const struct rusage *usage)
{
    HearthWireEnded ended = {
        .wait_status = wait_status,
        .kill = lane->kill,
        .cpu_us = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec),
        .peak_memory = (uint64_t)usage->ru_maxrss * 1024,
    };
    lane->child = 0;
    hearth_runner_explain(lane->shared, &ended);
    send_ended(lane, &ended);
}

static void reap(Server *server)
{
    struct signalfd_siginfo drained;
    struct rusage usage;
    int wait_status;
    pid_t child;
    if (read(server->signals, &drained, sizeof drained) < 0 && errno != EAGAIN)
        exit(1);
    while ((child = wait4(-1, &wait_status, WNOHANG, &usage)) > 0) {
        if (child == server->spare.pid) {
            close(server->spare.socket);
            server->spare.pid = 0;
        }
        for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++)
            if (server->lanes[i].socket >= 0 && server->lanes[i].child == child)
                end_call(&server->lanes[i], wait_status, &usage);
    }
}

static void close_finished_lanes(Server *server)
{
    for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++) {
        Lane *lane = &server->lanes[i];
        if (lane->socket >= 0 && lane->closing && lane->child == 0) {
            close(lane->socket);
            close(lane->shared);
            lane->socket = -1;
        }
    }
}

/* Kills what is past its time; milliseconds until the next deadline, -1: none. */
static int check_deadlines(Server *server)
{
    int64_t now = now_ms(), nearest = INT64_MAX;
    for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++) {
        Lane *lane = &server->lanes[i];
        if (lane->socket < 0 || lane->child == 0 || lane->kill != HEARTH_WIRE_KILL_NONE)
            continue;
        if (lane->deadline_ms <= now)
            kill_child(lane, HEARTH_WIRE_KILL_WALL);
        else if (lane->deadline_ms < nearest)
            nearest = lane->deadline_ms;
    }
    if (nearest == INT64_MAX)
        return -1;
    return nearest - now > 60000 ? 60000 : (int)(nearest - now);
}

static void serve(Server *server)
{
    struct pollfd set[FIXED_FDS + HEARTH_WIRE_LANES_MAX];
    Lane *owners[FIXED_FDS + HEARTH_WIRE_LANES_MAX];
    for (;;) {
        nfds_t count = FIXED_FDS;
        set[0] = (struct pollfd){.fd = HEARTH_WIRE_CONTROL_FD, .events = POLLIN};
        set[1] = (struct pollfd){.fd = server->signals, .events = POLLIN};
        for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++) {
            if (server->lanes[i].socket < 0 || server->lanes[i].closing)
                continue;
            owners[count] = &server->lanes[i];
            set[count++] = (struct pollfd){.fd = server->lanes[i].socket, .events = POLLIN};
        }
        if (poll(set, count, check_deadlines(server)) < 0 && errno != EINTR)
            exit(1);
        if (set[1].revents)
            reap(server);
        for (nfds_t i = FIXED_FDS; i < count; i++)
            if (set[i].revents)
                on_lane(server, owners[i]);
        if (set[0].revents)
            on_control(server);
        close_finished_lanes(server);
    }
}

/* What sprockets inherit must not tell one machine or moment from another. */
static bool settle(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return false;
    if (null > HEARTH_WIRE_CONTROL_FD)
        close(null);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C at a terminal is for the host, which then ends us */
    return clearenv() == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool settle_server(Server *server)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &child, NULL) < 0)
        return false;
    server->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    server->self = getpid();
    for (size_t i = 0; i < HEARTH_WIRE_LANES_MAX; i++)
        server->lanes[i].socket = -1;
    return server->signals >= 0;
}

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

/* In a child, reports cannot start a symbolizer and a failed allocation is the sprocket's affair.
 */
const char *__asan_default_options(void)
{
    return "symbolize=0:allocator_may_return_null=1:detect_leaks=0:handle_segv=0:handle_sigbus=0:"
           "handle_abort=0:handle_sigill=0:handle_sigfpe=0";
}
#endif

int main(int argc, char **argv)
{
    static Server server;
    struct stat control;
    if (fstat(HEARTH_WIRE_CONTROL_FD, &control) < 0 || !S_ISSOCK(control.st_mode)) {
        fprintf(stderr, "hearth-sprocket is started by hearthd and by hearth, not by hand.\n");
        return 2;
    }
    if (!settle())
        return 1;
    if (argc == 2 && strcmp(argv[1], "--resident") == 0)
        return hearth_resident_main();
    if (!settle_server(&server) || !hearth_runner_filter_build())
        return 1;
    measure_memory(&server);
    serve(&server);
}
