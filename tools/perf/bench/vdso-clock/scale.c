// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: more and more threads and processes */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

struct reader {
	const struct vc_conf	*c;
	pthread_t		thread;
	pthread_barrier_t	*barrier;
	int			nr;
	double			*val, *empty;
	unsigned long		n;
};

static void *reader(void *arg)
{
	struct reader *r = arg;
	const struct vc_conf *c = r->c;
	vc_fn fn = VC_FN(clock_gettime);
	struct vc_ts ts[4];
	double start;
	unsigned long i;

	vc_pin(c, r->nr);
	pthread_barrier_wait(r->barrier);
	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		double empty = vc_time_calls(vc_empty_call, 1, ts, c->batch);
		double val = vc_time_calls(fn, 1, ts, c->batch);

		if (i < c->warmup)
			continue;
		if (i > c->warmup && vc_expired(c, start))
			break;
		r->empty[r->n] = empty;
		r->val[r->n++] = val;
	}
	return NULL;
}

static int scale_hot(const struct vc_conf *c, int nr)
{
	struct reader *r = calloc(nr, sizeof(*r));
	pthread_barrier_t barrier;
	double *all = vc_alloc(nr * c->loops), *none = vc_alloc(nr * c->loops);
	unsigned long n = 0;
	char name[80];
	int i, err = 0;

	if (!r || pthread_barrier_init(&barrier, NULL, nr))
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r[i].c = c;
		r[i].nr = i;
		r[i].barrier = &barrier;
		r[i].val = vc_alloc(c->loops);
		r[i].empty = vc_alloc(c->loops);
		err = pthread_create(&r[i].thread, NULL, reader, &r[i]);
		/* Those that wait at the barrier end with this process */
		if (err)
			return -err;
	}
	for (i = 0; i < nr; i++) {
		double overhead;
		unsigned long k;

		pthread_join(r[i].thread, NULL);
		overhead = vc_median(r[i].empty, r[i].n);
		for (k = 0; k < r[i].n; k++, n++) {
			all[n] = r[i].val[k] - overhead;
			none[n] = r[i].empty[k];
		}
		free(r[i].val);
		free(r[i].empty);
	}
	snprintf(name, sizeof(name), "scale.hot.%d", nr);
	vc_emit_ticks(c, name, all, n, 0, c->batch);
	snprintf(name, sizeof(name), "overhead.scale.hot.%d", nr);
	vc_emit_ticks(c, name, none, n, 0, c->batch);
	free(all);
	free(none);
	free(r);
	return 0;
}

/* What the processes of scale_cold() share */
struct cold_room {
	unsigned long	arrived, n;
	int		stop, failed;
	double		val[];		/* [process][vvar, zero, warm][sample] */
};

/* Everybody goes on when everybody is here. False: somebody failed. */
static bool meet(struct cold_room *shared, unsigned long round, int nr)
{
	unsigned int spins = 0;

	__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->arrived, __ATOMIC_SEQ_CST) <
	       (round + 1) * nr) {
		if (__atomic_load_n(&shared->failed, __ATOMIC_RELAXED))
			return false;
		if (++spins % 1000 == 0)
			sched_yield();
	}
	return true;
}

static int cold_process(const struct vc_conf *c, struct cold_room *shared,
			int me, int nr)
{
	static const struct target kind[2] = {
		{ .name = "vvar" }, { .name = "zero", .zero = true },
	};
	double *val = shared->val + 3 * me * c->loops, start, t;
	unsigned long i, round = 0;
	struct room r = { 0 };
	const char *why;
	int k;

	if (vc_pin(c, me) || vc_room_init(&r, &why))
		return VC_EXIT_FALLBACK;
	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		if (!me && i > c->warmup && vc_expired(c, start))
			shared->stop = 1;
		for (k = 0; k < 2; k++) {
			uintptr_t p = vc_fresh(&r, &kind[k]);

			if (!p || !meet(shared, round++, nr))
				return 1;
			t = vc_touch(p);
			if (i >= c->warmup)
				val[k * c->loops + i - c->warmup] = t;
		}
		t = vc_touch(r.base);
		if (i >= c->warmup)
			val[2 * c->loops + i - c->warmup] = t;
		if (!meet(shared, round++, nr))
			return 1;
		if (shared->stop)
			break;
	}
	if (!me)
		shared->n = i < c->warmup ? 0 : i - c->warmup;
	return 0;
}

static int scale_cold(const struct vc_conf *c, int nr)
{
	static const char * const kind[] = { ".vvar", ".zero", "" };
	size_t size = sizeof(struct cold_room) + 3 * nr * c->loops *
		      sizeof(double);
	struct cold_room *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double *all;
	int i, k, status, err = 0;
	char name[80];

	if (shared == MAP_FAILED)
		return -errno;
	for (i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(cold_process(c, shared, i, nr));
		if (pid < 0)
			err = errno == EAGAIN ? -EAGAIN : -ENOMEM;
	}
	if (err)
		__atomic_store_n(&shared->failed, 1, __ATOMIC_RELAXED);
	while (wait(&status) > 0) {
		if (status && !err)
			err = WIFEXITED(status) ? WEXITSTATUS(status) :
			      WTERMSIG(status) == SIGSYS ?
			      VC_EXIT_FALLBACK : 1;
		if (err)
			__atomic_store_n(&shared->failed, 1, __ATOMIC_RELAXED);
	}
	if (err)
		return err;
	all = vc_alloc(nr * c->loops);
	for (k = 0; k < 3; k++) {
		unsigned long n = 0, s;

		for (i = 0; i < nr; i++) {
			double *val = shared->val + (3 * i + k) * c->loops;
			double *warm = shared->val + (3 * i + 2) * c->loops;
			double overhead = k < 2 ? vc_median(warm, shared->n) : 0;

			for (s = 0; s < shared->n; s++)
				all[n++] = val[s] - overhead;
		}
		snprintf(name, sizeof(name), "%sscale.cold.%d%s",
			 k < 2 ? "" : "overhead.", nr, kind[k]);
		vc_emit_ticks(c, name, all, n, 0, 1);
	}
	free(all);
	munmap(shared, size);
	return 0;
}

/* 1, 2, 4... threads and the most that were asked for */
int vc_scale(const struct vc_conf *c)
{
	int nr, max = c->threads, err;

	for (nr = 1; nr <= max; nr = nr < max && nr * 2 > max ? max : nr * 2) {
		err = scale_hot(c, nr);
		if (err)
			return err;
	}
	for (nr = 1; nr <= max; nr = nr < max && nr * 2 > max ? max : nr * 2) {
		err = scale_cold(c, nr);
		if (err == VC_EXIT_FALLBACK) {
			vc_skip(c, "scale.cold", "can't map a fresh vvar here");
			break;
		}
		if (err)
			return err < 0 ? err : -ECHILD;
	}
	return 0;
}
