// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: ticks and seconds, CPUs */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

uint64_t vc_ticks(void)
{
	return ticks();
}

const char *vc_tick_source(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return "tsc";
#elif defined(__aarch64__)
	return "cntvct";
#else
	return "clock_gettime system call";
#endif
}

/* Seconds, by system call: the vDSO may be gone */
double vc_now(void)
{
	struct vc_ts ts = { 0 };

	syscall(NR_GETTIME, CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Dependent work that no CPU can shorten, and nothing else */
noinline uint64_t vc_work(unsigned int rounds)
{
	uint64_t t = ticks();
#if defined(__x86_64__) || defined(__i386__)
	unsigned int x = 3;

	/* 8 instructions a round */
	asm volatile("1:\n\t"
		     "imull %1, %1\n\timull %1, %1\n\timull %1, %1\n\t"
		     "imull %1, %1\n\timull %1, %1\n\timull %1, %1\n\t"
		     "decl %0\n\tjnz 1b"
		     : "+r" (rounds), "+r" (x) : : "cc");
#elif defined(__aarch64__)
	unsigned int x = 3;

	/* 8 instructions a round */
	asm volatile("1:\n\t"
		     "mul %w1, %w1, %w1\n\tmul %w1, %w1, %w1\n\t"
		     "mul %w1, %w1, %w1\n\tmul %w1, %w1, %w1\n\t"
		     "mul %w1, %w1, %w1\n\tmul %w1, %w1, %w1\n\t"
		     "subs %w0, %w0, #1\n\tb.ne 1b"
		     : "+r" (rounds), "+r" (x) : : "cc");
#else
	unsigned int x = 3;

	while (rounds--)
		asm volatile("" : "+r" (x));
#endif
	return ticks() - t;
}

#if defined(__x86_64__) || defined(__i386__)
#define NEXT_ROUND	"decl %0\n\tjnz 1b"
#elif defined(__aarch64__)
#define NEXT_ROUND	"subs %w0, %w0, #1\n\tb.ne 1b"
#endif

#ifdef NEXT_ROUND
static noinline uint64_t nop_work(unsigned int rounds)
{
	uint64_t t = ticks();

	/* 8 instructions a round as well, but as cheap as can be */
	asm volatile("1:\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\t"
		     NEXT_ROUND : "+r" (rounds) : : "cc");
	return ticks() - t;
}
#endif

/*
 * Under QEMU's -icount shift=0 the TSC moves by one for each instruction, and so does
 * an arm64 counter of 1 GHz (-cpu max,cntfrq=1000000000). No CPU runs six chained
 * multiplications and six NOPs in exactly the same time and one tick for each
 * instruction at that.
 */
bool vc_ticks_are_instructions(void)
{
#ifdef NEXT_ROUND
	int try, good = 0;

	for (try = 0; try < 8; try++) {
		uint64_t a = vc_work(1000) - vc_work(500);
		uint64_t b = nop_work(1000) - nop_work(500);

		/* A timer interrupt may hit one of them */
		if (a == 4000 && b == 4000)
			good++;
	}
	return good >= 4;
#else
	return false;
#endif
}

/* The time, and the ticks of then: of a few tries the least disturbed */
static double now_and_ticks(uint64_t *at)
{
	uint64_t best = UINT64_MAX, before, took;
	double now, ret = 0;
	int i;

	for (i = 0; i < 10; i++) {
		before = ticks();
		now = vc_now();
		took = ticks() - before;
		if (took < best) {
			best = took;
			*at = before + took / 2;
			ret = now;
		}
	}
	return ret;
}

double vc_ns_per_tick(void)
{
	uint64_t t0 = 0, t1 = 0;
	double s0, s1;

	s0 = now_and_ticks(&t0);
	do {
		s1 = now_and_ticks(&t1);
	} while (s1 - s0 < 0.05);
	return t1 > t0 ? (s1 - s0) * 1e9 / (t1 - t0) : 1;
}

int vc_pin(const struct vc_conf *c, int n)
{
	cpu_set_t set;

	if (!c->nr_cpus)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(c->cpus[n % c->nr_cpus], &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

bool vc_expired(const struct vc_conf *c, double start)
{
	return c->seconds > 0 && vc_now() - start > c->seconds;
}

noinline uint64_t vc_time_nothing(void)
{
	uint64_t t = ticks();

	return ticks() - t;
}
