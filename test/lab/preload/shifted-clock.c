/*
 * Preloaded into every program of a lab's host (/etc/ld.so.preload): shifts the time of day by what
 * /run/lab/clock says (nanoseconds, a 64-bit integer), at once and in programs that already run.
 * Clocks that only count on are left alone, as by a jump of a real machine's clock.
 *
 * libfaketime cannot do that here: that it leaves the monotonic clock alone, and how long it keeps
 * an old offset, it reads from the environment only, and nodes are started with an environment that
 * has nothing of the kind.
 *
 * Not shifted: times of files, deadlines in the kernel that are set in times of day, programs that
 * are linked statically.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND_NS = 1000000000;
static volatile const int64_t *shift_ns;

__attribute__((constructor)) static void map_clock(void) {
  int fd = open("/run/lab/clock", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) shift_ns = page;
  close(fd);
}

static int is_time_of_day(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
         clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (shift_ns == NULL || !is_time_of_day(clock)) return 0;
  int64_t nanoseconds = now->tv_nsec + *shift_ns % SECOND_NS;
  now->tv_sec += *shift_ns / SECOND_NS;
  if (nanoseconds < 0) nanoseconds += SECOND_NS, now->tv_sec -= 1;
  if (nanoseconds >= SECOND_NS) nanoseconds -= SECOND_NS, now->tv_sec += 1;
  now->tv_nsec = nanoseconds;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec precise;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return (time_t)-1;
  if (result != NULL) *result = precise.tv_sec;
  return precise.tv_sec;
}
