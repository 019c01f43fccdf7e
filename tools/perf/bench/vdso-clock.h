/* SPDX-License-Identifier: GPL-2.0 */
/*
 * perf bench vdso-clock: what the front end (vdso-clock.c), the measuring code
 * and the helper programs (vdso-clock/) share.
 *
 * The measuring code links with libc only, so that the same source also builds as a
 * 32-bit and as a static program.
 */
#ifndef BENCH_VDSO_CLOCK_H
#define BENCH_VDSO_CLOCK_H

#include <linux/compiler.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define VC_MAX_LOOPS	10000000UL

/* Exit status of a measuring child that parted from its task */
#define VC_EXIT_FALLBACK	75

struct vc_conf {
	unsigned long	loops;		/* samples of each measurement */
	unsigned long	warmup;		/* samples thrown away first */
	unsigned long	batch;		/* calls in one sample of gettime */
	double		seconds;	/* stop a measurement then; 0: never */
	unsigned int	threads;
	const int	*cpus;
	int		nr_cpus;
	const char	*clocks;	/* comma list, NULL for all */
	const char	*program;	/* a dynamic one */
	const char	*unit;
	double		scale;		/* one tick in units */
	bool		exact;		/* a tick is an instruction */
	bool		emulated;
	FILE		*out;
};

/*
 * Children and helpers report in lines:
 *	m NAME UNIT EXACT(0|1) BETTER N, then N lines with one number each
 *	s NAME REASON		a measurement that can't be had here
 *	w TEXT			a warning
 *	r TEXT			a line for the reader, default format only
 */
void vc_emit(const struct vc_conf *c, const char *name, const char *unit,
	     bool exact, const double *val, unsigned long n);
__printf(3, 4)
void vc_skip(const struct vc_conf *c, const char *name, const char *fmt, ...);
__printf(3, 4)
void vc_say(const struct vc_conf *c, char kind, const char *fmt, ...);

typedef long (*vc_fn)(unsigned long a, void *b);

struct vc_clock {
	const char	*name;
	int		id;
};

extern const struct vc_clock vc_clocks[];
const struct vc_clock *vc_find_clock(const char *name);
bool vc_known(const char *name);
void vc_list_known(FILE *f);
vc_fn vc_vdso_sym(const char *name);
long vc_sys_gettime(unsigned long clk, void *ts);

struct vc_area {
	uintptr_t	start, end;
	char		name[32];
};

int vc_find_areas(struct vc_area *area, int max);

uint64_t vc_ticks(void);
const char *vc_tick_source(void);
double vc_now(void);
bool vc_expired(const struct vc_conf *c, double start);
bool vc_ticks_are_instructions(void);
double vc_ns_per_tick(void);
double vc_vdso_share(void);
uint64_t vc_work(unsigned int rounds);
int vc_pin(const struct vc_conf *c, int n);

/* The helper programs, empty where they could not be built */
extern const char vc_helper_static[], vc_helper_static_end[];
extern const char vc_helper_32[], vc_helper_32_end[];

int vc_gettime(const struct vc_conf *c);
int vc_fault(const struct vc_conf *c);
int vc_fault_exec(const struct vc_conf *c);
int vc_child_fault(const char *arg);
int vc_child_stamp(const char *arg);
int vc_contend(const struct vc_conf *c);
int vc_first(const struct vc_conf *c);
int vc_fork(const struct vc_conf *c);
int vc_scale(const struct vc_conf *c);
int vc_pages(const struct vc_conf *c);
int vc_check(const struct vc_conf *c);

#endif
