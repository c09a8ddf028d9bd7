/*
 * Row 25: opens to write, creates, truncates: EACCES. Changes names and modes: fails, or is
 * REFUSED. The files are as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static uint64_t denied(const char *path, int flags)
{
    errno = 0;
    if (open(path, flags, 0600) != -1)
        return 1;
    return errno == EACCES ? 0 : 2;
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return denied(victim->file, O_WRONLY);
}

uint64_t misbehave_create(uint64_t *area, Victim *victim)
{
    char path[512];
    snprintf(path, sizeof path, "%s/new", victim->folder);
    return denied(path, O_RDONLY | O_CREAT);
}

uint64_t misbehave_truncate(uint64_t *area, Victim *victim)
{
    return denied(victim->file, O_RDONLY | O_TRUNC);
}

uint64_t misbehave_append(uint64_t *area, Victim *victim)
{
    return denied(victim->file, O_WRONLY | O_APPEND);
}

uint64_t misbehave_temporary(uint64_t *area, Victim *victim)
{
    return denied(victim->folder, O_RDWR | O_TMPFILE);
}

uint64_t misbehave_unlink(uint64_t *area, Victim *victim)
{
    return unlink(victim->file) == -1 ? 0 : 1;
}

uint64_t misbehave_rename(uint64_t *area, Victim *victim)
{
    return rename(victim->file, victim->outside) == -1 ? 0 : 1;
}

uint64_t misbehave_chmod(uint64_t *area, Victim *victim)
{
    return chmod(victim->file, 0) == -1 ? 0 : 1;
}

uint64_t misbehave_make(uint64_t *area, Victim *victim)
{
    char path[512];
    snprintf(path, sizeof path, "%s/new", victim->folder);
    return mkdir(path, 0700) == -1 ? 0 : 1;
}

uint64_t misbehave_stream(uint64_t *area, Victim *victim)
{
    return fopen(victim->file, "w") == NULL && errno == EACCES ? 0 : 1;
}
