// SPDX-License-Identifier: GPL-2.0
/*
 * perf bench vdso-clock: the first timestamp, as a real-time thread sees it while
 * others work on mmap_lock and take memory.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

/* What the process that keeps memory short shares with the one that measures */
struct pressure {
	pid_t		pid;
	unsigned long	held, chunks;	/* in chunks: most at once, and ever */
	int		full;		/* has had all that it goes for */
	int		stop;		/* at once, not after a last chunk */
};

#define CHUNK		(4UL << 20)

static unsigned long mem_available(void)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb << 10;
}

/*
 * Takes what is available but for a sixteenth and 32 MiB, gives a quarter of it back,
 * takes it again: the page allocator is always near its watermarks, and pages
 * come and go. If that is one too many, this is the process to be killed.
 */
static void press(const struct vc_conf *c, struct pressure *p)
{
	unsigned long spare = mem_available() / 16 + (32UL << 20);
	unsigned long nr = 0, max = mem_available() / CHUNK, i;
	void **chunk = calloc(max + 1, sizeof(*chunk));
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || write(fd, "1000", 4) != 4 || !chunk)
		_exit(1);
	close(fd);
	if (c->nr_cpus > 1)
		vc_pin(c, c->nr_cpus - 1);
	/* Enough to make pages come and go, and hardly in the mappers' way */
	errno = 0;
	if (nice(19) == -1 && errno)
		_exit(1);
	while (!READ_ONCE(p->stop)) {
		if (nr == max || mem_available() < spare + CHUNK) {
			WRITE_ONCE(p->full, 1);
			for (i = nr / 4 + 1; nr && i; i--)
				munmap(chunk[--nr], CHUNK);
			/* All of it is somebody else's by now */
			if (!nr)
				usleep(1000);
			continue;
		}
		chunk[nr] = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				 -1, 0);
		if (chunk[nr] == MAP_FAILED) {
			max = nr;
			continue;
		}
		nr++;
		WRITE_ONCE(p->chunks, p->chunks + 1);
		if (nr > p->held)
			WRITE_ONCE(p->held, nr);
	}
	_exit(0);
}

static struct pressure *pressure_start(const struct vc_conf *c)
{
	struct pressure *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start = vc_now();
	pid_t pid;

	if (p == MAP_FAILED)
		return NULL;
	/* Not into p at once: the child has that, too */
	pid = fork();
	if (!pid)
		press(c, p);
	if (pid < 0)
		return NULL;
	p->pid = pid;
	/* On a machine with much memory, what it has by then must do */
	while (!READ_ONCE(p->full) && vc_now() - start < 15)
		usleep(10000);
	if (!p->full)
		vc_say(c, 'w', "first: memory is not under pressure yet after 15 s: %lu MiB taken",
		       p->held * (CHUNK >> 20));
	p->chunks = 0;
	return p;
}

static void pressure_stop(const struct vc_conf *c, struct pressure *p)
{
	double held = p->held * (CHUNK >> 20);
	double churned = p->chunks * (CHUNK >> 20);
	int status = 0;

	WRITE_ONCE(p->stop, 1);
	if (waitpid(p->pid, &status, 0) != p->pid || status)
		vc_say(c, 'w', "first: the process that keeps memory short died (status %#x): part of the samples are without",
		       status);
	vc_emit(c, "first.pressure.held", "MiB", false, &held, 1);
	vc_emit(c, "first.pressure.taken", "MiB", false, &churned, 1);
}

/* As who reads the clock in real time would: no other thread comes between */
static void real_time(const struct vc_conf *c)
{
	struct sched_param sp = { .sched_priority = 1 };

	/* Or the others would never run, and nothing be contended */
	if (c->nr_cpus < 2)
		vc_say(c, 'w', "first: one CPU only: all processes take turns on it, and the worst case is theirs");
	else if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &sp))
		vc_say(c, 'w', "first: no SCHED_FIFO (%s): the worst case may be another process's turn",
		       strerror(errno));
}

static noinline void time_first(vc_fn fn, double *first, double *second)
{
	struct vc_ts ts[4];
	uint64_t t[3];

	t[0] = ticks();
	fn(CLOCK_MONOTONIC, ts);
	t[1] = ticks();
	fn(CLOCK_MONOTONIC, ts);
	t[2] = ticks();
	*first = t[1] - t[0];
	*second = t[2] - t[1];
}

/* mmap_lock is worked on as contend does, in rounds that leave time for 20,000 */
#define FIRST_MAPPING	(512UL << 10)

static int first_samples(const struct vc_conf *c, struct room *r, vc_fn fn,
			 uint64_t round)
{
	double *val[2] = { vc_alloc(c->loops), vc_alloc(c->loops) };
	double *none = vc_alloc(c->loops), start = vc_now(), overhead;
	unsigned long i, n = 0;
	int err = 0;

	for (i = 0; i < c->warmup + c->loops; i++) {
		unsigned long s = i < c->warmup ? 0 : i - c->warmup;

		if (s && vc_expired(c, start))
			break;
		err = vc_remap_clock(r);
		if (err)
			break;
		vc_random_wait(round);
		time_first(fn, &val[0][s], &val[1][s]);
		none[s] = vc_time_nothing();
		n = s + 1;
	}
	if (!err && n < c->loops)
		vc_say(c, 'w', "first: %lu samples of %lu in %g s (-t)", n,
		       c->loops, c->seconds);
	if (!err) {
		overhead = vc_median(none, n);
		vc_emit_ticks(c, "first.timestamp", val[0], n, overhead, 1);
		vc_emit_ticks(c, "first.second_call", val[1], n, overhead, 1);
		vc_emit_ticks(c, "overhead.first", none, n, 0, 1);
	}
	free(val[0]);
	free(val[1]);
	free(none);
	return err;
}

int vc_first(const struct vc_conf *c)
{
	struct vc_area area[8];
	int err, n = vc_find_areas(area, ARRAY_SIZE(area));
	vc_fn fn = vc_vdso_sym(SYM_GETTIME);
	struct pressure *pressure;
	struct mappers mappers;
	struct room r = { 0 };
	const char *why;
	uint64_t round;

	if (n < 2 || !fn) {
		vc_say(c, 'w', "first: no %s in this process's vDSO",
		       SYM_GETTIME);
		return VC_EXIT_FALLBACK;
	}
	if (vc_pin(c, 0))
		return -errno;
	/* What warming up touches stays; all of perf would be too much */
	if (mlockall(MCL_CURRENT | MCL_ONFAULT))
		vc_say(c, 'w', "first: mlockall: %s: reclaim may take perf's own pages",
		       strerror(errno));
	pressure = pressure_start(c);
	if (!pressure)
		return -errno;
	err = vc_room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "first: %s: %s", why, strerror(-err));
		kill(pressure->pid, SIGKILL);
		return VC_EXIT_FALLBACK;
	}
	/* The same function where the fresh vDSO is */
	fn = VC_FN((uintptr_t)fn - area[n - 1].start + r.clock +
		   r.text);
	err = vc_mappers_start(&mappers, c, FIRST_MAPPING, &round);
	if (!err) {
		real_time(c);
		err = first_samples(c, &r, fn, round);
	}
	vc_mappers_stop(&mappers);
	pressure_stop(c, pressure);
	return err;
}
