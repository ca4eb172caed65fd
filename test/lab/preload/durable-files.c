/*
 * Preloaded into every program of a lab's host (/etc/ld.so.preload): notes what a file held when it
 * was last synced, outside the host's disk, for `power-cut.py` to put it back. The file systems of
 * a lab are in memory and know of no such thing as a sync.
 *
 * A note is /run/lab/durable/INODE: a line `LENGTH COPIED`, then the content if it was copied. It
 * is the length alone for files that are opened for appending and for those beyond 1 MiB.
 *
 * Not noted: msync, sync_file_range (which promises nothing), sync and syncfs, O_SYNC and O_DSYNC,
 * programs that are linked statically, files that the host has from the machine and only changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define FOLDER "/run/lab/durable"
/* Born on the host's disk: tells its inodes from those of the machine and of /tmp. */
#define REFERENCE "/.lab-disk"

static const off_t COPY_LIMIT = 1 << 20;

struct note {
  char temporary[96];
  char final[64];
};

static int is_on_disk(const struct stat *file) {
  struct stat reference;
  if (!S_ISREG(file->st_mode) || stat(REFERENCE, &reference) != 0) return 0;
  return file->st_dev == reference.st_dev;
}

/* Through /proc, as the descriptor itself may be for writing alone. */
static int open_for_reading(int fd) {
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static int copy(int from, int to, off_t length) {
  char buffer[65536];
  off_t at = 0;
  while (at < length) {
    size_t wanted = length - at < (off_t)sizeof buffer ? (size_t)(length - at) : sizeof buffer;
    ssize_t got = pread(from, buffer, wanted, at);
    if (got <= 0 || write(to, buffer, (size_t)got) != got) return -1;
    at += got;
  }
  return 0;
}

/* What counts is what was there before the sync began. Answers whether there is a note. */
static int prepare(int fd, struct note *note) {
  struct stat file;
  if (fstat(fd, &file) != 0 || !is_on_disk(&file)) return 0;
  snprintf(note->final, sizeof note->final, FOLDER "/%llu", (unsigned long long)file.st_ino);
  snprintf(note->temporary, sizeof note->temporary, FOLDER "/.%llu.%ld",
           (unsigned long long)file.st_ino, (long)syscall(SYS_gettid));
  int appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
  int source = appends || file.st_size > COPY_LIMIT ? -1 : open_for_reading(fd);
  int out = open(note->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int good = out >= 0 && dprintf(out, "%lld %d\n", (long long)file.st_size, source >= 0) > 0;
  if (good && source >= 0) good = copy(source, out, file.st_size) == 0;
  if (source >= 0) close(source);
  if (out >= 0) close(out);
  /* A sync without its note would make a test accuse the program: better no program at all. */
  if (!good) abort();
  return 1;
}

static int synced(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int before = errno;
  struct note note;
  int has_note = prepare(fd, &note);
  errno = before;
  int result = real(fd);
  int after = errno;
  if (has_note && result == 0 && rename(note.temporary, note.final) != 0) abort();
  if (has_note && result != 0) unlink(note.temporary);
  errno = after;
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }

int fdatasync(int fd) { return synced("fdatasync", fd); }
