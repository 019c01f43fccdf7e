// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: do clocks go backwards? */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "probe.h"

struct checker {
	const struct vc_conf	*c;
	const struct vc_clock	*clock;
	vc_fn			fn;
	pthread_t		thread;
	int			nr;
	int64_t			enough;
};

/*
 * The latest time that any thread has read. They take turns, one after the other:
 * what is read later is read on another CPU.
 */
static struct {
	unsigned int	turn;
	int64_t		first, last;
	unsigned long	backward, handovers;
	int64_t		worst;
	bool		unpinned, stop;
} seen;

static int64_t ns_of(vc_fn fn, int clock)
{
	struct vc_ts ts[4] = { 0 };

	fn(clock, ts);
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

static void backward(int64_t by)
{
	seen.backward++;
	if (by > seen.worst)
		seen.worst = by;
}

/* An emulator that runs one CPU at a time goes on to the next one here */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	asm volatile("pause" : : : "memory");
#elif defined(__aarch64__)
	asm volatile("yield" : : : "memory");
#else
	asm volatile("" : : : "memory");
#endif
}

/* Reads of which a coarse clock shows but one time are no test of it */
#define CHECK_STEPS	10
#define TOO_SHORT	"it moved by less than %d times its resolution: too short a time to tell"

static bool check_on(const struct vc_conf *c, unsigned long i, double start,
		     int64_t passed, int64_t enough)
{
	if (!i)
		return true;
	if (vc_expired(c, start))
		return false;
	if (i < c->loops)
		return true;
	/* One that stands still must not be waited for */
	return passed < enough && vc_now() - start < 1 + enough / 1e9;
}

static void *checker(void *arg)
{
	struct checker *k = arg;
	unsigned int turn = k->nr;
	unsigned long i = 0;
	double start = 0;
	bool stop;

	if (vc_pin(k->c, k->nr))
		WRITE_ONCE(seen.unpinned, true);
	do {
		unsigned int spins = 0;
		int64_t now;

		while (__atomic_load_n(&seen.turn, __ATOMIC_ACQUIRE) != turn) {
			relax();
			if (++spins % 1000 == 0)
				sched_yield();
		}
		stop = seen.stop;
		if (!stop) {
			now = ns_of(k->fn, k->clock->id);
			if (!turn)
				seen.first = now;
			else if (now < seen.last)
				backward(seen.last - now);
			seen.handovers += turn && k->c->nr_cpus > 1;
			seen.last = now;
			/* The first one says when all have had enough */
			if (!i++)
				start = vc_now();
			seen.stop = !k->nr && !check_on(k->c, i, start,
							now - seen.first,
							k->enough);
		}
		__atomic_store_n(&seen.turn, turn + 1, __ATOMIC_RELEASE);
		turn += k->c->nr_cpus;
	} while (!stop);
	return NULL;
}

/* From CPU to CPU. 0 or -errno. */
static int check_cpus(const struct vc_conf *c, const struct vc_clock *clock,
		      vc_fn fn, int64_t enough)
{
	struct checker *k = calloc(c->nr_cpus, sizeof(*k));
	int nr, err;

	if (!k)
		return -ENOMEM;
	for (nr = 0; nr < c->nr_cpus; nr++) {
		k[nr].c = c;
		k[nr].clock = clock;
		k[nr].fn = fn;
		k[nr].nr = nr;
		k[nr].enough = enough;
		err = pthread_create(&k[nr].thread, NULL, checker, &k[nr]);
		/* Those that wait for the others end with this process */
		if (err)
			return -err;
	}
	while (nr--)
		pthread_join(k[nr].thread, NULL);
	free(k);
	return 0;
}

static void check_handovers(const struct vc_conf *c,
			    const struct vc_clock *clock, bool cpu_time,
			    int64_t enough)
{
	double val = seen.handovers;
	char name[80];

	snprintf(name, sizeof(name), "check.%s.handovers", clock->name);
	if (cpu_time)
		vc_skip(c, name, "CPU time: not compared from CPU to CPU");
	else if (c->nr_cpus < 2)
		vc_skip(c, name, "one CPU: not compared from CPU to CPU");
	else if (seen.unpinned)
		vc_skip(c, name, "threads can't be bound to CPUs: not compared from CPU to CPU");
	else if (!seen.handovers)
		vc_skip(c, name, "the CPUs never took turns: not compared from CPU to CPU");
	else if (seen.last - seen.first < enough)
		vc_skip(c, name, TOO_SHORT, CHECK_STEPS);
	else
		vc_emit(c, name, "count", false, &val, 1);
}

static int check_clock(const struct vc_conf *c, const struct vc_clock *clock,
		       vc_fn fn)
{
	bool cpu_time = clock->id == 2 || clock->id == 3;
	double val, step = 0, start = vc_now(), zero = 0;
	int64_t begin, last, enough = 0;
	struct vc_ts res = { 0 };
	unsigned long i;
	bool too_short;
	char name[80];
	int err;

	memset(&seen, 0, sizeof(seen));
	if (!vc_sys_getres(clock->id, &res))
		enough = CHECK_STEPS * (res.tv_sec * 1000000000LL + res.tv_nsec);

	/* Between two system calls; and the step from one read to the next */
	begin = ns_of(vc_sys_gettime, clock->id);
	last = begin;
	for (i = 0; check_on(c, i, start, last - begin, enough); i++) {
		int64_t t[5] = { last };
		int k;

		t[1] = ns_of(vc_sys_gettime, clock->id);
		t[2] = ns_of(fn, clock->id);
		t[3] = ns_of(fn, clock->id);
		t[4] = ns_of(vc_sys_gettime, clock->id);
		for (k = 1; k < 5; k++) {
			if (t[k] < t[k - 1])
				backward(t[k - 1] - t[k]);
			else if (t[k] > t[k - 1] &&
				 (!step || t[k] - t[k - 1] < step))
				step = t[k] - t[k - 1];
		}
		zero += t[2] == t[3];
		last = t[4];
	}
	too_short = last - begin < enough;

	if (!cpu_time) {
		err = check_cpus(c, clock, fn, enough);
		if (err)
			return err;
	}
	check_handovers(c, clock, cpu_time, enough);

	if (!vc_sys_getres(clock->id, &res)) {
		val = res.tv_sec * 1e9 + res.tv_nsec;
		snprintf(name, sizeof(name), "check.%s.resolution",
			 clock->name);
		vc_emit(c, name, "ns", true, &val, 1);
	}
	snprintf(name, sizeof(name), "check.%s.step_min", clock->name);
	if (too_short)
		vc_skip(c, name, TOO_SHORT, CHECK_STEPS);
	else
		vc_emit(c, name, "ns", false, &step, 1);
	val = zero * 100 / i;
	snprintf(name, sizeof(name), "check.%s.same_time", clock->name);
	if (!too_short)
		vc_emit(c, name, "percent", false, &val, 1);
	val = seen.backward;
	snprintf(name, sizeof(name), "check.%s.backward", clock->name);
	vc_emit(c, name, "count", true, &val, 1);
	if (!seen.backward)
		return 0;
	fprintf(stderr, "vdso-clock: check: %s went backwards %lu times, by up to %lld ns\n",
		clock->name, seen.backward, (long long)seen.worst);
	return 1;
}

int vc_check(const struct vc_conf *c)
{
	vc_fn fn = vc_vdso_sym(SYM_GETTIME);
	const struct vc_clock *k;
	int ret = 0, rows = 0, err;
	char name[80];
	struct vc_ts ts[4];

	if (!fn) {
		vc_skip(c, "check.vdso", "no vDSO: libc's clock_gettime is checked");
		fn = VC_FN(clock_gettime);
	}
	if (vc_pin(c, 0))
		return -errno;
	for (k = vc_clocks; k->name; k++) {
		if (!vc_wanted(c, k->name))
			continue;
		if (vc_sys_gettime(k->id, ts)) {
			snprintf(name, sizeof(name), "check.%s", k->name);
			vc_skip(c, name, "the kernel refuses it: %s",
				strerror(errno));
			continue;
		}
		err = check_clock(c, k, fn);
		if (err < 0)
			return err;
		ret |= err;
		rows++;
	}
	if (!rows) {
		fprintf(stderr, "vdso-clock: check: no clock of --clock %s to check\n",
			c->clocks);
		return 1;
	}
	return ret;
}
