/*
 * A disk that can be full and that forgets at a power cut what wasn't synced: loaded into a process before the C
 * library (LD_PRELOAD), for files below SKYDECK_DISK_UNDER.
 *
 * While a file `full` is in the folder SKYDECK_DISK, nothing may grow: ENOSPC, as on a full file system, where what is
 * overwritten in place still succeeds. Into `journal.PID` in that folder goes, before each write, what was there
 * before it, and after each successful sync a mark: what follows a file's last mark is what a power cut may take.
 *
 * A record: kind, length of the write, length of the old bytes (32 bit each, and 32 bit of nothing), then sequence
 * number, inode, time of birth in ns, offset, old size (64 bit each), then the old bytes. Kinds: 1 a write,
 * 2 a sync (its sequence number: all writes up to it are on disk), 3 a change of
 * length to `offset`; what it cut off is noted before it, as a write.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
    uint32_t kind, length, old_length, nothing;
    uint64_t sequence, inode, born, offset, old_size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t sequence;
static int journal = -1;
static pid_t journal_of;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static ssize_t plain_write(int fd, const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = next("write");
    return real(fd, bytes, length);
}

static ssize_t plain_pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = next("pwrite64");
    return real(fd, bytes, length, offset);
}

/* Whether `fd` is a file of this disk; which, and how large. */
static int is_ours(int fd, struct statx *about) {
    const char *under = getenv("SKYDECK_DISK_UNDER");
    char link[64], path[PATH_MAX];
    if (!under || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, about) || !S_ISREG(about->stx_mode))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return !strncmp(path, under, strlen(under));
}

static int is_full(void) {
    const char *folder = getenv("SKYDECK_DISK");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/full", folder ? folder : "/nonexistent");
    return access(path, F_OK) == 0;
}

static void note(struct record record, int fd) {
    static char old[1 << 20];
    int error = errno;
    pthread_mutex_lock(&lock);
    if (journal < 0 || journal_of != getpid()) {
        char path[PATH_MAX];
        const char *folder = getenv("SKYDECK_DISK");
        snprintf(path, sizeof path, "%s/journal.%d", folder ? folder : "/nonexistent", getpid());
        journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        journal_of = getpid();
    }
    /* A sync brings the number it began with. */
    if (record.kind != 2) record.sequence = ++sequence;
    /* More than the buffer holds at once is in several records, the last part first: it is undone last. */
    uint64_t from = record.offset, left = record.old_length, end = from + record.length;
    do {
        size_t part = left > sizeof old ? sizeof old : left;
        left -= part;
        if (record.kind == 1) {
            record.offset = from + left;
            record.length = end - record.offset;
            end = record.offset;
        }
        record.old_length = part ? pread(fd, old, part, from + left) : 0;
        struct iovec pieces[2] = {{&record, sizeof record}, {old, record.old_length}};
        static ssize_t (*real)(int, const struct iovec *, int);
        if (!real) real = next("writev");
        if (real(journal, pieces, 2) < 0) abort();
    } while (left);
    pthread_mutex_unlock(&lock);
    errno = error;
}

/* Notes a write of `length` bytes at `offset` (-1: where the file stands). 0 where it may go on. */
static int before_write(int fd, size_t length, off_t offset) {
    struct statx about;
    if (!length || !is_ours(fd, &about)) return 0;
    if (offset < 0) offset = fcntl(fd, F_GETFL) & O_APPEND ? (off_t)about.stx_size : lseek(fd, 0, SEEK_CUR);
    uint64_t end = (uint64_t)offset + length;
    if (end > about.stx_size && is_full()) {
        errno = ENOSPC;
        return -1;
    }
    uint64_t old_end = end < about.stx_size ? end : about.stx_size;
    struct record record = {.kind = 1, .length = length, .inode = about.stx_ino, .offset = offset,
                            .born = about.stx_btime.tv_sec * 1000000000ull + about.stx_btime.tv_nsec,
                            .old_size = about.stx_size,
                            .old_length = old_end > (uint64_t)offset ? old_end - offset : 0};
    note(record, fd);
    return 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return before_write(fd, length, -1) ? -1 : plain_write(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    return before_write(fd, length, offset) ? -1 : plain_pwrite(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = next("writev");
    size_t length = 0;
    for (int i = 0; i < count; i++) length += pieces[i].iov_len;
    return before_write(fd, length, -1) ? -1 : real(fd, pieces, count);
}

int ftruncate64(int fd, off_t length) {
    static int (*real)(int, off_t);
    if (!real) real = next("ftruncate64");
    struct statx about;
    if (is_ours(fd, &about)) {
        if ((uint64_t)length > about.stx_size && is_full()) {
            errno = ENOSPC;
            return -1;
        }
        struct record record = {.kind = 1, .inode = about.stx_ino, .offset = length, .old_size = about.stx_size,
                                .born = about.stx_btime.tv_sec * 1000000000ull + about.stx_btime.tv_nsec};
        if ((uint64_t)length < about.stx_size) {
            record.length = record.old_length = about.stx_size - length;
            note(record, fd);
        }
        record.kind = 3;
        record.length = record.old_length = 0;
        note(record, fd);
    }
    return real(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, const char *name) {
    int (*real)(int) = next(name);
    struct statx about;
    pthread_mutex_lock(&lock);
    uint64_t begun = sequence;
    pthread_mutex_unlock(&lock);
    int outcome = real(fd);
    if (!outcome && is_ours(fd, &about)) {
        struct record record = {.kind = 2, .sequence = begun, .inode = about.stx_ino,
                                .born = about.stx_btime.tv_sec * 1000000000ull + about.stx_btime.tv_nsec};
        note(record, fd);
    }
    return outcome;
}

int fsync(int fd) { return synced(fd, "fsync"); }

int fdatasync(int fd) { return synced(fd, "fdatasync"); }
