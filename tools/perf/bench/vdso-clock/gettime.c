// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: every clock, warm */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

static long buf[16];

/* Not in every libc */
#pragma weak getcpu

/* Not every architecture has the old ones */
#ifdef __NR_gettimeofday
static long sys_gettimeofday(unsigned long tv, void *tz)
{
	return syscall(__NR_gettimeofday, tv, tz);
}
#else
#define sys_gettimeofday NULL
#endif

#ifdef __NR_time
static long sys_time(unsigned long t, void *unused __maybe_unused)
{
	return syscall(__NR_time, t);
}
#else
#define sys_time NULL
#endif

static long sys_getcpu(unsigned long cpu, void *node)
{
	return syscall(__NR_getcpu, cpu, node, NULL);
}

static const struct vc_call {
	const char	*name;	/* NULL: one row for each clock */
	const char	*sym;
	void		*libc;
	vc_fn		sys;
	unsigned long	a;
	void		*b;
} calls[] = {
	{ NULL, SYM_GETTIME, clock_gettime, vc_sys_gettime, 0, buf },
	{ "clock_getres", "clock_getres", clock_getres, vc_sys_getres, 1, buf },
	{ "gettimeofday", "gettimeofday", gettimeofday, sys_gettimeofday,
	  (unsigned long)buf, NULL },
	{ "time", "time", time, sys_time, 0, NULL },
	{ "getcpu", "getcpu", getcpu, sys_getcpu,
	  (unsigned long)buf, buf + 1 },
};

bool vc_known(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].name && vc_same_clock(calls[i].name, name))
			return true;
	return vc_find_clock(name);
}

void vc_list_known(FILE *f)
{
	const struct vc_clock *k;
	unsigned int i;

	for (k = vc_clocks; k->name; k++)
		fprintf(f, "%s%s", k == vc_clocks ? "" : " ", k->name);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].name)
			fprintf(f, " %s", calls[i].name);
	fputc('\n', f);
}

static noinline long tsc_call(unsigned long a __maybe_unused, void *b __maybe_unused)
{
	return ticks();
}

struct path {
	const char	*name;
	vc_fn		fn;
	double		*val;
};

/*
 * Some paths take a few instructions more in one part of each second than in
 * the other (nanoseconds that carry into seconds). Where every instruction
 * counts, samples come from all over a second: sleeping is free under -icount.
 */
static void spread(const struct vc_conf *c, unsigned long i)
{
	static const struct timespec eighth = { .tv_nsec = 125000000 };

	if (c->exact && i % (c->loops / 8 + 1) == 0)
		nanosleep(&eighth, NULL);
}

/*
 * All paths of one row in turns, so that what else the machine does meets all
 * of them alike; the empty call among them.
 */
static void gettime_row(const struct vc_conf *c, const char *row,
			struct path *path, int nr, unsigned long a, void *b)
{
	double start = vc_now(), overhead;
	unsigned long i, n = 0;
	char name[80];
	int p;

	for (p = 0; p < nr; p++)
		path[p].val = vc_alloc(c->loops);
	for (i = 0; i < c->warmup + c->loops; i++) {
		if (i > c->warmup && vc_expired(c, start))
			break;
		spread(c, i);
		for (p = 0; p < nr; p++) {
			double t;

			if (!path[p].fn)
				continue;
			t = vc_time_calls(path[p].fn, a, b, c->batch);
			if (i >= c->warmup)
				path[p].val[i - c->warmup] = t;
		}
		if (i >= c->warmup)
			n++;
	}
	overhead = vc_median(path[0].val, n);
	for (p = 1; p < nr; p++) {
		snprintf(name, sizeof(name), "gettime.%s.%s", row,
			 path[p].name);
		if (path[p].fn)
			vc_emit_ticks(c, name, path[p].val, n, overhead, c->batch);
	}
	/* Kept from the last row only: one figure for the report */
	if (!strcmp(row, "tsc"))
		vc_emit_ticks(c, "overhead.call", path[0].val, n, 0, c->batch);
	for (p = 0; p < nr; p++)
		free(path[p].val);
}

static void gettime_call(const struct vc_conf *c, const char *row,
			 const struct vc_call *call, unsigned long a)
{
	struct path path[] = {
		{ "empty",	vc_empty_call,		NULL },
		{ "vdso",	vc_vdso_sym(call->sym),	NULL },
		{ "libc",	VC_FN(call->libc),	NULL },
		{ "syscall",	call->sys,		NULL },
	};
	char name[80];

	if (!path[1].fn) {
		snprintf(name, sizeof(name), "gettime.%s.vdso", row);
		vc_skip(c, name, getauxval(AT_SYSINFO_EHDR) ?
			"the vDSO has no %s" : "no vDSO to look for %s in",
			call->sym);
	}
	if (!path[3].fn) {
		snprintf(name, sizeof(name), "gettime.%s.syscall", row);
		vc_skip(c, name, "no such system call here");
	}
	gettime_row(c, row, path, ARRAY_SIZE(path), a, call->b);
}

int vc_gettime(const struct vc_conf *c)
{
	struct path tsc[] = {
		{ "empty",	vc_empty_call,	NULL },
		{ "ordered",	tsc_call,	NULL },
	};
	const struct vc_clock *k;
	unsigned int i, rows = 0;
	char name[80];

	if (vc_pin(c, 0))
		return -errno;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct vc_call *call = &calls[i];

		if (call->name) {
			if (!vc_wanted(c, call->name))
				continue;
			gettime_call(c, call->name, call, call->a);
			rows++;
			continue;
		}
		for (k = vc_clocks; k->name; k++) {
			if (!vc_wanted(c, k->name))
				continue;
			if (!call->sys(k->id, buf)) {
				gettime_call(c, k->name, call, k->id);
				rows++;
				continue;
			}
			snprintf(name, sizeof(name), "gettime.%s", k->name);
			vc_skip(c, name, "the kernel refuses it: %s",
				strerror(errno));
		}
	}
	if (!rows) {
		fprintf(stderr, "vdso-clock: this kernel has none of --clock %s\n",
			c->clocks);
		return 1;
	}
	gettime_row(c, "tsc", tsc, ARRAY_SIZE(tsc), 0, NULL);
	return 0;
}

/* What MONOTONIC takes through the vDSO, by what it takes by system call. 0: no vDSO */
double vc_vdso_share(void)
{
	vc_fn fn = vc_vdso_sym(SYM_GETTIME);
	uint64_t vdso = UINT64_MAX, sys = UINT64_MAX, t;
	int i;

	for (i = 0; fn && i < 50; i++) {
		t = vc_time_calls(fn, CLOCK_MONOTONIC, buf, 20);
		if (t < vdso)
			vdso = t;
		t = vc_time_calls(vc_sys_gettime, CLOCK_MONOTONIC, buf, 20);
		if (t < sys)
			sys = t;
	}
	return fn ? (double)vdso / sys : 0;
}
