/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The measuring code of perf bench vdso-clock: a file each benchmark, and below
 * them what they share. Everything here runs in a child of perf or in a helper
 * program: it may take the vDSO away from its process.
 */
#ifndef BENCH_VDSO_CLOCK_PROBE_H
#define BENCH_VDSO_CLOCK_PROBE_H

#include <linux/compiler.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "../vdso-clock.h"

/* 32-bit programs read 64-bit time, as libc does today */
#if __SIZEOF_LONG__ == 4 && defined(__NR_clock_gettime64)
#define NR_GETTIME	__NR_clock_gettime64
#define NR_GETRES	__NR_clock_getres_time64
#define SYM_GETTIME	"clock_gettime64"
struct vc_ts {
	int64_t tv_sec, tv_nsec;
};

#else
#define NR_GETTIME	__NR_clock_gettime
#define NR_GETRES	__NR_clock_getres
#define SYM_GETTIME	"clock_gettime"
struct vc_ts {
	long tv_sec, tv_nsec;
};

#endif

/* report.c */
double *vc_alloc(unsigned long n);
void vc_emit_ticks(const struct vc_conf *c, const char *name, double *val,
		   unsigned long n, double overhead, double per);
double vc_median(const double *val, unsigned long n);

/* time.c */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	uint32_t lo, hi;

	/* Ordered on both sides: neither end may drift over what is timed */
	asm volatile("lfence\n\trdtsc\n\tlfence"
		     : "=a" (lo), "=d" (hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
#elif defined(__aarch64__)
	uint64_t t;

	asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r" (t) : : "memory");
	return t;
#else
	struct vc_ts ts;

	syscall(NR_GETTIME, CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
#endif
}

uint64_t vc_time_nothing(void);

/* clocks.c */

/* How a function of libc or of the vDSO is called, as one type for all */
#define VC_FN(f)	((vc_fn)(void *)(f))

long vc_sys_getres(unsigned long clk, void *ts);
bool vc_same_clock(const char *a, const char *b);
bool vc_wanted(const struct vc_conf *c, const char *name);
long vc_empty_call(unsigned long a __maybe_unused, void *b __maybe_unused);
uint64_t vc_time_calls(vc_fn fn, unsigned long a, void *b,
		       unsigned long n);

/* room.c */

/*
 * A 2 MiB range of address space of our own: one page table page serves it,
 * and a page that stays mapped and present keeps that alive, so that a touch
 * measures the fault and not the allocation of page tables. What isn't used is
 * reserved, or the threads of contend would map there.
 */
#define ROOM_SIZE	(2UL << 20)
#define ROOM_CLOCK	(ROOM_SIZE / 4)	/* where the vvar pages go, if they can move */
#define ROOM_ZERO	(ROOM_SIZE / 2)	/* where the zero page goes */
#define ROOM_FILE	(ROOM_ZERO + ROOM_SIZE / 8)	/* and a file's */

struct room {
	uintptr_t	base, clock;	/* clock: vvar and vDSO */
	size_t		page, size;	/* of vvar and vDSO together */
	size_t		vvar;		/* offset of the time data in it */
	size_t		text;		/* and of the vDSO */
	int		file;		/* a file of one page */
};

#define NO_PAGE		"SIGBUS: nothing behind this page"

struct target {
	char		name[40];
	long		offset;		/* from the time data */
	bool		zero;
	double		*val, *flt, *retry;
};

const struct vc_area *vc_vvar_of(const struct vc_area *area, int n);
uint64_t vc_touch(uintptr_t p);
pid_t vc_raw_fork(void);
long vc_minflt(void);
bool vc_touch_page(uintptr_t page, uint64_t *t, long *flt);
int vc_remap_clock(struct room *r);
int vc_room_init(struct room *r, const char **why);
void vc_page_name(char *to, size_t len, const char *name, int page);
uintptr_t vc_fresh(struct room *r, const struct target *t);

/* mappers.c */

struct mapper {
	const struct vc_conf	*c;
	pthread_t		thread;
	size_t			size;
	int			nr;
	bool			*stop;
	unsigned long		rounds;
};

struct mappers {
	struct mapper		*m;
	unsigned int		nr;
	bool			stop;
};

double vc_mappers_stop(struct mappers *all);
int vc_mappers_start(struct mappers *all, const struct vc_conf *c,
		     size_t size, uint64_t *round);
void vc_random_wait(uint64_t most);

/* exec.c */
pid_t vc_spawn(const char *mode, const char *arg);
int vc_finish(pid_t pid);

#endif
