// SPDX-License-Identifier: GPL-2.0
/*
 * The measuring code of perf bench vdso-clock. Everything here runs in a child
 * of perf or in a helper program: it may take the vDSO away from its process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "vdso-clock.h"

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

static double *vc_alloc(unsigned long n)
{
	double *p = calloc(n ? n : 1, sizeof(*p));

	if (!p) {
		fprintf(stderr, "vdso-clock: no memory for %lu samples: use a smaller --loops\n",
			n);
		exit(1);
	}
	return p;
}

/* ---- reports ---- */

void vc_emit(const struct vc_conf *c, const char *name, const char *unit,
	     bool exact, const double *val, unsigned long n)
{
	unsigned long i;

	fprintf(c->out, "m %s %s %d lower %lu\n", name, unit, exact, n);
	for (i = 0; i < n; i++)
		fprintf(c->out, "%.12g\n", val[i]);
}

void vc_skip(const struct vc_conf *c, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(c->out, "s %s ", name);
	vfprintf(c->out, fmt, ap);
	fputc('\n', c->out);
	va_end(ap);
}

void vc_say(const struct vc_conf *c, char kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(c->out, "%c ", kind);
	vfprintf(c->out, fmt, ap);
	fputc('\n', c->out);
	va_end(ap);
}

/* Ticks become units, less what the timing itself costs */
static void emit_ticks(const struct vc_conf *c, const char *name, double *val,
		       unsigned long n, double overhead, double per)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		val[i] = (val[i] - overhead) * c->scale / per;
	vc_emit(c, name, c->unit, c->exact, val, n);
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *val, unsigned long n)
{
	double *copy = vc_alloc(n), m;

	memcpy(copy, val, n * sizeof(*val));
	qsort(copy, n, sizeof(*copy), cmp_double);
	m = n ? copy[(n - 1) / 2] : 0;
	free(copy);
	return m;
}

/* ---- time ---- */

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
#else
	unsigned int x = 3;

	while (rounds--)
		asm volatile("" : "+r" (x));
#endif
	return ticks() - t;
}

#if defined(__x86_64__) || defined(__i386__)
static noinline uint64_t nop_work(unsigned int rounds)
{
	uint64_t t = ticks();

	/* 8 instructions a round as well, but as cheap as can be */
	asm volatile("1:\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\t"
		     "decl %0\n\tjnz 1b" : "+r" (rounds) : : "cc");
	return ticks() - t;
}
#endif

/*
 * Under QEMU's -icount shift=0 the TSC moves by one for each instruction. No
 * CPU runs six chained multiplications and six NOPs in exactly the same time
 * and one tick for each instruction at that.
 */
bool vc_ticks_are_instructions(void)
{
#if defined(__x86_64__) || defined(__i386__)
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

/* ---- gettime ---- */

const struct vc_clock vc_clocks[] = {
	{ "REALTIME",		0 },
	{ "MONOTONIC",		1 },
	{ "PROCESS_CPUTIME_ID",	2 },
	{ "THREAD_CPUTIME_ID",	3 },
	{ "MONOTONIC_RAW",	4 },
	{ "REALTIME_COARSE",	5 },
	{ "MONOTONIC_COARSE",	6 },
	{ "BOOTTIME",		7 },
	{ "REALTIME_ALARM",	8 },
	{ "BOOTTIME_ALARM",	9 },
	{ "TAI",		11 },
	{ "AUX0",		16 },
	{ "AUX1",		17 },
	{ "AUX2",		18 },
	{ "AUX3",		19 },
	{ "AUX4",		20 },
	{ "AUX5",		21 },
	{ "AUX6",		22 },
	{ "AUX7",		23 },
	{ NULL,			0 }
};

static long buf[16];

/* Not in every libc */
#pragma weak getcpu

long vc_sys_gettime(unsigned long clk, void *ts)
{
	return syscall(NR_GETTIME, clk, ts);
}

static long sys_getres(unsigned long clk, void *ts)
{
	return syscall(NR_GETRES, clk, ts);
}

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

/* How a function of libc or of the vDSO is called, as one type for all */
#define AS_FN(f)	((vc_fn)(void *)(f))

static const struct vc_call {
	const char	*name;	/* NULL: one row for each clock */
	const char	*sym;
	void		*libc;
	vc_fn		sys;
	unsigned long	a;
	void		*b;
} calls[] = {
	{ NULL, SYM_GETTIME, clock_gettime, vc_sys_gettime, 0, buf },
	{ "clock_getres", "clock_getres", clock_getres, sys_getres, 1, buf },
	{ "gettimeofday", "gettimeofday", gettimeofday, sys_gettimeofday,
	  (unsigned long)buf, NULL },
	{ "time", "time", time, sys_time, 0, NULL },
	{ "getcpu", "getcpu", getcpu, sys_getcpu,
	  (unsigned long)buf, buf + 1 },
};

static bool same_clock(const char *a, const char *b)
{
	if (!strncasecmp(b, "CLOCK_", 6) && strncasecmp(a, "clock_", 6))
		b += 6;
	return !strcasecmp(a, b);
}

const struct vc_clock *vc_find_clock(const char *name)
{
	const struct vc_clock *k;

	for (k = vc_clocks; k->name; k++)
		if (same_clock(k->name, name))
			return k;
	return NULL;
}

bool vc_known(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].name && same_clock(calls[i].name, name))
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

static bool wanted(const struct vc_conf *c, const char *name)
{
	char *list, *tok, *save;
	bool yes = false;

	if (!c->clocks)
		return true;
	list = strdup(c->clocks);
	for (tok = strtok_r(list, ",", &save); tok && !yes;
	     tok = strtok_r(NULL, ",", &save))
		yes = same_clock(name, tok);
	free(list);
	return yes;
}

#ifdef VC_STATIC
/* No dlopen() in a static program */
vc_fn vc_vdso_sym(const char *name __maybe_unused)
{
	return NULL;
}
#else
vc_fn vc_vdso_sym(const char *name)
{
	static const char * const soname[] = {
		"linux-vdso.so.1", "linux-gate.so.1", "linux-vdso64.so.1",
		"linux-vdso32.so.1"
	};
	static const char * const prefix[] = { "__vdso_", "__kernel_" };
	void *vdso = NULL, *sym = NULL;
	char full[64];
	unsigned int i;

	if (!getauxval(AT_SYSINFO_EHDR))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(soname) && !vdso; i++)
		vdso = dlopen(soname[i], RTLD_LAZY | RTLD_NOLOAD);
	if (!vdso)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(prefix) && !sym; i++) {
		snprintf(full, sizeof(full), "%s%s", prefix[i], name);
		sym = dlsym(vdso, full);
	}
	return AS_FN(sym);
}
#endif

/* What a call costs before it does anything */
static noinline long empty_call(unsigned long a __maybe_unused, void *b __maybe_unused)
{
	asm volatile("");
	return 0;
}

static noinline long tsc_call(unsigned long a __maybe_unused, void *b __maybe_unused)
{
	return ticks();
}

static noinline uint64_t time_calls(vc_fn fn, unsigned long a, void *b,
				    unsigned long n)
{
	uint64_t t = ticks();

	do {
		fn(a, b);
	} while (--n);
	return ticks() - t;
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
			t = time_calls(path[p].fn, a, b, c->batch);
			if (i >= c->warmup)
				path[p].val[i - c->warmup] = t;
		}
		if (i >= c->warmup)
			n++;
	}
	overhead = median(path[0].val, n);
	for (p = 1; p < nr; p++) {
		snprintf(name, sizeof(name), "gettime.%s.%s", row,
			 path[p].name);
		if (path[p].fn)
			emit_ticks(c, name, path[p].val, n, overhead, c->batch);
	}
	/* Kept from the last row only: one figure for the report */
	if (!strcmp(row, "tsc"))
		emit_ticks(c, "overhead.call", path[0].val, n, 0, c->batch);
	for (p = 0; p < nr; p++)
		free(path[p].val);
}

static void gettime_call(const struct vc_conf *c, const char *row,
			 const struct vc_call *call, unsigned long a)
{
	struct path path[] = {
		{ "empty",	empty_call,		NULL },
		{ "vdso",	vc_vdso_sym(call->sym),	NULL },
		{ "libc",	AS_FN(call->libc),	NULL },
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
		{ "empty",	empty_call,	NULL },
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
			if (!wanted(c, call->name))
				continue;
			gettime_call(c, call->name, call, call->a);
			rows++;
			continue;
		}
		for (k = vc_clocks; k->name; k++) {
			if (!wanted(c, k->name))
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
		t = time_calls(fn, CLOCK_MONOTONIC, buf, 20);
		if (t < vdso)
			vdso = t;
		t = time_calls(vc_sys_gettime, CLOCK_MONOTONIC, buf, 20);
		if (t < sys)
			sys = t;
	}
	return fn ? (double)vdso / sys : 0;
}

/* ---- areas ---- */

/* The [vvar*] and [vdso] lines of maps, in address order */
int vc_find_areas(struct vc_area *area, int max)
{
	static char maps[1 << 16];
	size_t len = 0;
	ssize_t got;
	char *line, *save;
	int n = 0, fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((got = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0)
		len += got;
	close(fd);
	maps[len] = 0;
	for (line = strtok_r(maps, "\n", &save); line && n < max;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, '[');
		unsigned long from, to;

		if (!name || (strncmp(name, "[vvar", 5) &&
			      strcmp(name, "[vdso]")))
			continue;
		if (sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		area[n].start = from;
		area[n].end = to;
		snprintf(area[n].name, sizeof(area[n].name), "%s", name);
		n++;
	}
	return n;
}

/* Which of them has the time data: device registers may lie in front of it */
static const struct vc_area *vvar_of(const struct vc_area *area, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (!strncmp(area[i].name, "[vvar]", 6))
			return &area[i];
	}
	return area;
}

static sigjmp_buf bus_jmp;

static void on_bus(int sig)
{
	siglongjmp(bus_jmp, sig);
}

static noinline uint64_t touch(uintptr_t p)
{
	uint64_t t = ticks();

	READ_ONCE(*(const char *)p);
	return ticks() - t;
}

/* 32-bit libc enters the kernel through the vDSO, which would touch it */
static long raw_syscall(long nr, long a, void *b)
{
#ifdef __i386__
	long ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (nr), "b" (a), "c" (b)
		     : "memory");
	return ret;
#else
	return syscall(nr, a, b);
#endif
}

static pid_t raw_fork(void)
{
#ifdef __i386__
	return raw_syscall(__NR_fork, 0, NULL);
#else
	return fork();
#endif
}

static long minflt(void)
{
	struct rusage ru;

	raw_syscall(__NR_getrusage, RUSAGE_THREAD, &ru);
	return ru.ru_minflt;
}

/* Is there anything to read? Touches the page: ticks and faults that it took. */
static bool touch_page(uintptr_t page, uint64_t *t, long *flt)
{
	struct sigaction sa = { .sa_handler = on_bus }, old, old_segv;
	bool ok = false;

	sigaction(SIGBUS, &sa, &old);
	sigaction(SIGSEGV, &sa, &old_segv);
	if (!sigsetjmp(bus_jmp, 1)) {
		long before = minflt();

		*t = touch(page);
		*flt = minflt() - before;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return ok;
}

/*
 * A 2 MiB range of address space of our own: one page table page serves it,
 * and a page that stays mapped and present keeps that alive, so that a touch
 * measures the fault and not the allocation of page tables. What isn't used is
 * reserved, or the threads of contend would map there.
 */
#define ROOM_SIZE	(2UL << 20)
#define ROOM_CLOCK	(ROOM_SIZE / 4)	/* where the vvar pages go */
#define ROOM_ZERO	(ROOM_SIZE / 2)	/* where the zero page goes */
#define ROOM_FILE	(ROOM_ZERO + ROOM_SIZE / 8)	/* and a file's */

struct room {
	uintptr_t	base;
	size_t		page, size;	/* of vvar and vDSO together */
	size_t		vvar;		/* offset of the time data in it */
	size_t		text;		/* and of the vDSO */
	int		file;		/* a file of one page */
};

static int map_anon(uintptr_t at, size_t size, int prot)
{
	void *p = mmap((void *)at, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		       -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH_MAP_VDSO	0x2003	/* ARCH_MAP_VDSO_64 */

static long map_vdso(uintptr_t at)
{
	return syscall(__NR_arch_prctl, ARCH_MAP_VDSO, at);
}
#else
static long map_vdso(uintptr_t at __maybe_unused)
{
	errno = EOPNOTSUPP;
	return -1;
}
#endif

/* A fresh vvar and vDSO, no page of them present */
static int remap_clock(struct room *r)
{
	uintptr_t at = r->base + ROOM_CLOCK;

	munmap((void *)at, r->size);
	if (map_vdso(at) <= 0)
		return -errno;
	/* arch_prctl takes the address as a hint */
	if (msync((void *)at, r->size, MS_ASYNC))
		return -EEXIST;
	return 0;
}

static int remap_zero(struct room *r)
{
	return map_anon(r->base + ROOM_ZERO, r->page, PROT_READ);
}

/* From here on libc must not read the clock: its vDSO goes away */
static int room_init(struct room *r, const char **why)
{
	struct vc_area area[8];
	int i, err, n = vc_find_areas(area, ARRAY_SIZE(area));
	void *p;

	*why = "the mappings of this process";
	if (n < 0)
		return n;
	if (n < 2)
		return -ENOENT;
	r->page = sysconf(_SC_PAGESIZE);
	r->size = area[n - 1].end - area[0].start;
	r->vvar = vvar_of(area, n)->start - area[0].start;
	r->text = area[n - 1].start - area[0].start;

	*why = "address space";
	p = mmap(NULL, 2 * ROOM_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->base = ((uintptr_t)p + ROOM_SIZE - 1) & ~(ROOM_SIZE - 1);
	err = map_anon(r->base, r->page, PROT_READ | PROT_WRITE);
	if (err)
		return err;
	WRITE_ONCE(*(char *)r->base, 1);

	*why = "arch_prctl(ARCH_MAP_VDSO_64)";
	for (i = 0; i < n; i++)
		munmap((void *)area[i].start, area[i].end - area[i].start);
	return remap_clock(r);
}

/* ---- fault ---- */

#define MAX_TARGETS	64
#define NO_PAGE		"SIGBUS: nothing behind this page"

struct target {
	char		name[40];
	long		offset;		/* from the time data */
	bool		zero;
	double		*val, *flt, *retry;
};

static void page_name(char *to, size_t len, const char *name, int page)
{
	if (page)
		snprintf(to, len, "%s.page%d", name, page);
	else
		snprintf(to, len, "%s", name);
}

static void add_target(struct target *t, int *n, const char *name, int page,
		       long offset)
{
	if (*n == MAX_TARGETS)
		return;
	page_name(t[*n].name, sizeof(t->name), name, page);
	t[*n].offset = offset;
	t[*n].zero = !strcmp(name, "zero");
	(*n)++;
}

/* A fresh mapping, and the address in it; 0 if it can't be had */
static uintptr_t fresh(struct room *r, const struct target *t)
{
	if (t->zero)
		return remap_zero(r) ? 0 : r->base + ROOM_ZERO;
	return remap_clock(r) ? 0 : r->base + ROOM_CLOCK + r->vvar + t->offset;
}

static long vmstat_retry(int fd)
{
	static char text[1 << 15];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	char *p;

	if (got <= 0)
		return -1;
	text[got] = 0;
	p = strstr(text, "\nvma_lock_retry ");
	return p ? atol(p + sizeof("\nvma_lock_retry ") - 1) : -1;
}

/* How often each first touch had to start again under mmap_lock */
static void fault_retries(const struct vc_conf *c, struct room *r,
			  struct target *t, int nr)
{
	int i, k, n = c->loops < 32 ? c->loops : 32;
	int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	char name[80];
	double *val;

	if (fd < 0 || vmstat_retry(fd) < 0) {
		vc_skip(c, "fault.vvar.vma_lock_retry",
			"no vma_lock_retry in /proc/vmstat (CONFIG_PER_VMA_LOCK_STATS)");
		if (fd >= 0)
			close(fd);
		return;
	}
	val = vc_alloc(n);
	for (k = 0; k < nr; k++) {
		for (i = 0; i < n; i++) {
			uintptr_t p = fresh(r, &t[k]);
			long before = vmstat_retry(fd);

			if (p)
				touch(p);
			val[i] = vmstat_retry(fd) - before;
		}
		snprintf(name, sizeof(name), "fault.%.39s.vma_lock_retry",
			 t[k].name);
		vc_emit(c, name, "count", true, val, n);
	}
	free(val);
	close(fd);
}

/* Faults that it takes until every page of a range is there */
static void fault_all(const struct vc_conf *c, struct room *r,
		      const char *name, struct target *t, int nr,
		      const char *kind)
{
	double flt = 0;
	int k, len = strlen(kind);

	if (remap_clock(r))
		return;
	for (k = 0; k < nr; k++) {
		long before = minflt();

		if (strncmp(t[k].name, kind, len))
			continue;
		touch(r->base + ROOM_CLOCK + r->vvar + t[k].offset);
		flt += minflt() - before;
	}
	vc_emit(c, name, "faults", true, &flt, 1);
}

static noinline uint64_t time_getppid(void)
{
	uint64_t t = ticks();

	syscall(__NR_getppid);
	return ticks() - t;
}

static noinline uint64_t time_nothing(void)
{
	uint64_t t = ticks();

	return ticks() - t;
}

int vc_fault(const struct vc_conf *c)
{
	struct target t[MAX_TARGETS] = { 0 };
	double *warm, *pid, *none, start, overhead, nothing;
	unsigned long i, n = 0;
	struct room r = { 0 };
	const char *why;
	int k, nr = 0, err;
	char name[80];
	uint64_t took;
	size_t off;
	long flt;

	if (vc_pin(c, 0))
		return -errno;
	err = room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "fault: %s: %s%s", why, strerror(-err),
		       err == -EINVAL ? " (no CONFIG_CHECKPOINT_RESTORE?)" : "");
		return VC_EXIT_FALLBACK;
	}
	for (off = 0; off < r.size; off += r.page) {
		bool text = off >= r.text, hpet = off < r.vvar;
		int page = (off - (text ? r.text : hpet ? 0 : r.vvar)) / r.page;

		if (touch_page(r.base + ROOM_CLOCK + off, &took, &flt)) {
			add_target(t, &nr, text ? "text" : hpet ? "hpet" : "vvar",
				   page, off - r.vvar);
			continue;
		}
		snprintf(name, sizeof(name), "fault.vvar.page%d", page);
		vc_skip(c, name, NO_PAGE);
	}
	add_target(t, &nr, "zero", 0, 0);
	for (k = 0; k < nr; k++) {
		t[k].val = vc_alloc(c->loops);
		t[k].flt = vc_alloc(c->loops);
	}
	warm = vc_alloc(c->loops);
	pid = vc_alloc(c->loops);
	none = vc_alloc(c->loops);

	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;

		if (s > 0 && vc_expired(c, start))
			break;
		for (k = 0; k < nr; k++) {
			uintptr_t p = fresh(&r, &t[k]);
			long before = minflt();
			double val;

			if (!p)
				return -errno;
			val = touch(p);
			if (s < 0)
				continue;
			t[k].flt[s] = minflt() - before;
			t[k].val[s] = val;
		}
		if (s < 0) {
			time_getppid();
			time_nothing();
			continue;
		}
		warm[s] = touch(r.base);
		pid[s] = time_getppid();
		none[s] = time_nothing();
		n++;
	}

	overhead = median(warm, n);
	nothing = median(none, n);
	for (k = 0; k < nr; k++) {
		snprintf(name, sizeof(name), "fault.%.39s", t[k].name);
		emit_ticks(c, name, t[k].val, n, overhead, 1);
		snprintf(name, sizeof(name), "fault.%.39s.faults", t[k].name);
		vc_emit(c, name, "faults", true, t[k].flt, n);
	}
	fault_all(c, &r, "fault.vvar.all.faults", t, nr, "vvar");
	fault_all(c, &r, "fault.text.all.faults", t, nr, "text");
	emit_ticks(c, "fault.getppid", pid, n, nothing, 1);
	emit_ticks(c, "overhead.touch", warm, n, 0, 1);
	emit_ticks(c, "overhead.timer", none, n, 0, 1);
	fault_retries(c, &r, t, nr);
	return 0;
}

/* ---- contend ---- */

struct mapper {
	const struct vc_conf	*c;
	pthread_t		thread;
	size_t			size;
	int			nr;
	bool			*stop;
	unsigned long		rounds;
};

/* Holds mmap_lock for writing and reading as often as one thread can */
static void *mapper(void *arg)
{
	struct mapper *m = arg;

	vc_pin(m->c, m->nr);
	while (!READ_ONCE(*m->stop)) {
		void *p = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			       -1, 0);

		if (p != MAP_FAILED)
			munmap(p, m->size);
		WRITE_ONCE(m->rounds, m->rounds + 1);
	}
	return NULL;
}

struct mappers {
	struct mapper		*m;
	unsigned int		nr;
	bool			stop;
};

/* Ends them; how many rounds they have done */
static double mappers_stop(struct mappers *all)
{
	double rounds = 0;

	WRITE_ONCE(all->stop, true);
	while (all->nr--) {
		pthread_join(all->m[all->nr].thread, NULL);
		rounds += all->m[all->nr].rounds;
	}
	free(all->m);
	return rounds;
}

/* 0 or -errno, to be stopped in either case. @round: what one round takes */
static int mappers_start(struct mappers *all, const struct vc_conf *c,
			 size_t size, uint64_t *round)
{
	unsigned long from;
	double start;
	uint64_t t;
	int err;

	all->nr = 0;
	all->stop = false;
	all->m = calloc(c->threads, sizeof(*all->m));
	if (!all->m)
		return -ENOMEM;
	while (all->nr < c->threads) {
		struct mapper *m = &all->m[all->nr];

		m->c = c;
		m->size = size;
		m->nr = all->nr + 1;
		m->stop = &all->stop;
		err = pthread_create(&m->thread, NULL, mapper, m);
		if (err)
			return -err;
		all->nr++;
	}
	start = vc_now();
	t = ticks();
	from = READ_ONCE(all->m[0].rounds);
	while (READ_ONCE(all->m[0].rounds) < from + 20 && vc_now() - start < 10)
		;
	*round = (ticks() - t) / 20;
	return 0;
}

/* Up to so many ticks: xorshift, the same waits in each run */
static void random_wait(uint64_t most)
{
	static uint64_t x = 88172645463325252ULL;
	uint64_t start = ticks(), wait;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	wait = x % (most + 1);
	while (ticks() - start < wait)
		;
}

/*
 * Mapping a fresh page has just waited for mmap_lock, so the other threads are
 * still waking up when it returns. A random wait of up to one of their rounds
 * makes the touch meet them at any point of their work. Meanwhile they have
 * flushed this CPU's TLB many times, which costs an emulated CPU more than the
 * fault itself, so a fault that isn't timed comes first: that of a file page,
 * which needs no mmap_lock and warms what all faults share. Not an anonymous
 * one: it would warm the yardstick's own code, too, and not vvar's.
 */
static int contend_touch(struct room *r, const struct target *target,
			 uint64_t round, uint64_t *t)
{
	uintptr_t file = r->base + ROOM_FILE, p;

	if (mmap((void *)file, r->page, PROT_READ, MAP_SHARED | MAP_FIXED,
		 r->file, 0) == MAP_FAILED)
		return errno;
	p = fresh(r, target);
	if (!p)
		return errno;
	random_wait(round);
	touch(file);
	*t = touch(p);
	return 0;
}

static int contend_size(const struct vc_conf *c, struct room *r,
			const char *label, size_t size)
{
	static const struct target clock = { .name = "vvar" };
	static const struct target zero = { .name = "zero", .zero = true };
	double *val[2], start, overhead, *warm, rounds;
	struct mappers mappers;
	unsigned long i, n = 0;
	uint64_t round;
	char name[80];
	int err;

	val[0] = vc_alloc(c->loops);
	val[1] = vc_alloc(c->loops);
	warm = vc_alloc(c->loops);
	err = -mappers_start(&mappers, c, size, &round);
	start = vc_now();
	for (i = 0; !err && i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;
		uint64_t t[3];

		if (s > 0 && vc_expired(c, start))
			break;
		/* The yardstick takes turns with what is measured */
		err = contend_touch(r, &clock, round, &t[0]);
		if (!err)
			err = contend_touch(r, &zero, round, &t[1]);
		t[2] = touch(r->base);
		if (err || s < 0)
			continue;
		val[0][s] = t[0];
		val[1][s] = t[1];
		warm[s] = t[2];
		n++;
	}
	rounds = mappers_stop(&mappers);
	if (!err) {
		overhead = median(warm, n);
		snprintf(name, sizeof(name), "contend.%s.vvar", label);
		emit_ticks(c, name, val[0], n, overhead, 1);
		snprintf(name, sizeof(name), "contend.%s.zero", label);
		emit_ticks(c, name, val[1], n, overhead, 1);
		snprintf(name, sizeof(name), "contend.%s.rounds", label);
		vc_emit(c, name, "count", false, &rounds, 1);
		snprintf(name, sizeof(name), "overhead.contend.%s", label);
		emit_ticks(c, name, warm, n, 0, 1);
	}
	free(val[0]);
	free(val[1]);
	free(warm);
	return -err;
}

int vc_contend(const struct vc_conf *c)
{
	static const struct {
		const char	*label;
		size_t		size;
	} sizes[] = {
		{ "64K", 64UL << 10 },
		{ "2M", 2UL << 20 },
	};
	struct room r = { 0 };
	unsigned int i;
	const char *why;
	int err;

	if (vc_pin(c, 0))
		return -errno;
	err = room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "contend: %s: %s", why, strerror(-err));
		return VC_EXIT_FALLBACK;
	}
	r.file = memfd_create("vdso-clock", MFD_CLOEXEC);
	if (r.file < 0 || pwrite(r.file, "x", 1, 0) != 1 ||
	    ftruncate(r.file, r.page))
		return -errno;
	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = contend_size(c, &r, sizes[i].label, sizes[i].size);
	return err;
}

/* ---- first ---- */

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
		err = remap_clock(r);
		if (err)
			break;
		random_wait(round);
		time_first(fn, &val[0][s], &val[1][s]);
		none[s] = time_nothing();
		n = s + 1;
	}
	if (!err && n < c->loops)
		vc_say(c, 'w', "first: %lu samples of %lu in %g s (-t)", n,
		       c->loops, c->seconds);
	if (!err) {
		overhead = median(none, n);
		emit_ticks(c, "first.timestamp", val[0], n, overhead, 1);
		emit_ticks(c, "first.second_call", val[1], n, overhead, 1);
		emit_ticks(c, "overhead.first", none, n, 0, 1);
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
	err = room_init(&r, &why);
	if (err) {
		vc_say(c, 'w', "first: %s: %s", why, strerror(-err));
		kill(pressure->pid, SIGKILL);
		return VC_EXIT_FALLBACK;
	}
	/* The same function where the fresh vDSO is */
	fn = AS_FN((uintptr_t)fn - area[n - 1].start + r.base + ROOM_CLOCK +
		   r.text);
	err = mappers_start(&mappers, c, FIRST_MAPPING, &round);
	if (!err) {
		real_time(c);
		err = first_samples(c, &r, fn, round);
	}
	mappers_stop(&mappers);
	pressure_stop(c, pressure);
	return err;
}

/* ---- exec (in the static helper, whose address space is small) ---- */

static pid_t spawn(const char *mode, const char *arg)
{
	const char *argv[] = { "vdso-clock", mode, arg, NULL };
	pid_t pid = vfork();

	if (!pid) {
		execve("/proc/self/exe", (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

static int finish(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* One first touch of each kind in a process that has just been exec'ed */
struct cold {
	uint64_t	vvar, text, zero, warm;
	/* -1: the mapping has no such page, or nothing behind it (-2) */
	long		vvar_flt, text_flt, zero_flt;
};

/* @arg: "fd,page" */
int vc_child_fault(const char *arg)
{
	struct cold *cold = mmap(NULL, sizeof(*cold), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t page = sysconf(_SC_PAGESIZE);
	struct vc_area area[8];
	int n = vc_find_areas(area, ARRAY_SIZE(area)), fd, nr;
	uintptr_t vvar, text;
	long before;
	pid_t pid;
	void *p;

	if (cold == MAP_FAILED || n < 2 || !arg ||
	    sscanf(arg, "%d,%d", &fd, &nr) != 2)
		return 1;
	vvar = vvar_of(area, n)->start + nr * page;
	text = area[n - 1].start + nr * page;
	/* The start of the program has read the vDSO: page tables are there */
	cold->warm = touch(area[n - 1].start);
	cold->vvar_flt = -1;
	if (vvar < area[n - 1].start &&
	    !touch_page(vvar, &cold->vvar, &cold->vvar_flt))
		cold->vvar_flt = -2;
	cold->warm = touch(area[n - 1].start);

	/* Fork copies the page tables of vvar, but not of the vDSO's text */
	cold->text_flt = -1;
	if (text < area[n - 1].end) {
		pid = raw_fork();
		if (!pid) {
			cold->text = touch((uintptr_t)cold);
			before = minflt();
			cold->text = touch(text);
			cold->text_flt = minflt() - before;
			_exit(0);
		}
		if (finish(pid))
			return 1;
	}

	/* Two pages, one present: the other one's page table is there */
	p = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	touch((uintptr_t)p + page);
	before = minflt();
	cold->zero = touch((uintptr_t)p);
	cold->zero_flt = minflt() - before;
	return write(fd, cold, sizeof(*cold)) != sizeof(*cold);
}

static void emit_cold(const struct vc_conf *c, const char *what, int page,
		      double *val, double *flt, unsigned long n,
		      double overhead)
{
	char name[40], faults[48];

	if (flt[0] == -1)
		return;
	page_name(name, sizeof(name), what, page);
	if (flt[0] < 0) {
		vc_skip(c, name, NO_PAGE);
		return;
	}
	emit_ticks(c, name, val, n, overhead, 1);
	snprintf(faults, sizeof(faults), "%s.faults", name);
	vc_emit(c, faults, "faults", true, flt, n);
}

int vc_fault_exec(const struct vc_conf *c)
{
	double *val[7], overhead = 0;
	struct cold cold = { 0 };
	int k, page, fd[2];
	char arg[32];

	if (vc_pin(c, 0) || pipe(fd))
		return -errno;
	for (k = 0; k < 7; k++)
		val[k] = vc_alloc(c->loops);
	for (page = 0; !page || cold.vvar_flt != -1 || cold.text_flt != -1;
	     page++) {
		double start = vc_now();
		unsigned long i, n = 0;

		snprintf(arg, sizeof(arg), "%d,%d", fd[1], page);
		for (i = 0; i < c->warmup + c->loops; i++) {
			long s = (long)i - (long)c->warmup;

			if (s > 0 && vc_expired(c, start))
				break;
			if (finish(spawn("child-fault", arg)) ||
			    read(fd[0], &cold, sizeof(cold)) != sizeof(cold))
				return -ECHILD;
			/* Nothing to measure: it is enough to know that */
			if (cold.vvar_flt < 0 && cold.text_flt < 0)
				s = 0;
			if (s < 0)
				continue;
			val[0][s] = cold.vvar;
			val[1][s] = cold.text;
			val[2][s] = cold.zero;
			val[3][s] = cold.warm;
			val[4][s] = cold.vvar_flt;
			val[5][s] = cold.text_flt;
			val[6][s] = cold.zero_flt;
			n = s + 1;
			if (cold.vvar_flt < 0 && cold.text_flt < 0)
				break;
		}
		if (!page)
			overhead = median(val[3], n);
		emit_cold(c, "fault.vvar", page, val[0], val[4], n, overhead);
		emit_cold(c, "fault.text", page, val[1], val[5], n, overhead);
		if (page)
			continue;
		emit_cold(c, "fault.zero", 0, val[2], val[6], n, overhead);
		emit_ticks(c, "overhead.touch", val[3], n, 0, 1);
	}
	for (k = 0; k < 7; k++)
		free(val[k]);
	return 0;
}

/* The page tables of a child that has stopped itself, in KiB; it goes on */
static double page_tables(pid_t pid)
{
	char path[64], line[128];
	unsigned long kb = 0;
	int status;
	FILE *f;

	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid ||
	    !WIFSTOPPED(status))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPTE: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	kill(pid, SIGCONT);
	return finish(pid) ? -1 : (double)kb;
}

static pid_t fork_stop(void)
{
	pid_t pid = fork();

	if (!pid) {
		raise(SIGSTOP);
		_exit(0);
	}
	return pid;
}

#define NR_PAGE_TABLES	10

static int vc_page_tables(const struct vc_conf *c)
{
	static const char * const name[] = {
		"exec.page_tables.fork", "exec.page_tables.static",
		"exec.page_tables.static_noclock",
	};
	double val[3][NR_PAGE_TABLES];
	int i, k;

	/*
	 * vfork() lets this process go on at the exec, so it can wait for the
	 * child to stop
	 */
	for (i = 0; i < NR_PAGE_TABLES; i++) {
		val[0][i] = page_tables(fork_stop());
		val[1][i] = page_tables(spawn("child-clock", "stop"));
		val[2][i] = page_tables(spawn("child-nothing", "stop"));
		for (k = 0; k < 3; k++)
			if (val[k][i] <= 0)
				return -ECHILD;
	}
	for (k = 0; k < 3; k++)
		vc_emit(c, name[k], "KiB", true, val[k], NR_PAGE_TABLES);
	return 0;
}

/* What a program knows of its first timestamp */
struct stamp {
	uint64_t	before, after;
	long		flt;
};

int vc_child_stamp(const char *arg)
{
	int fd = arg ? atoi(arg) : -1;
	struct stamp stamp;
	struct timespec ts;

	stamp.before = ticks();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	stamp.after = ticks();
	stamp.flt = minflt();
	return write(fd, &stamp, sizeof(stamp)) != sizeof(stamp);
}

/* @start: the same of just before the exec: vfork() shares the memory */
static pid_t spawn_stamp(const char *arg, struct stamp *start)
{
	const char *argv[] = { "vdso-clock", "child-stamp", arg, NULL };
	pid_t pid = vfork();

	if (!pid) {
		start->flt = minflt();
		start->after = ticks();
		execve("/proc/self/exe", (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

static int vc_first_timestamp(const struct vc_conf *c)
{
	double *val[3] = {
		vc_alloc(c->loops), vc_alloc(c->loops), vc_alloc(c->loops)
	};
	double start = vc_now();
	struct stamp from, stamp;
	unsigned long i, n = 0;
	char arg[16];
	int k, fd[2];

	if (pipe(fd))
		return -errno;
	snprintf(arg, sizeof(arg), "%d", fd[1]);
	for (i = 0; i < c->warmup + c->loops; i++) {
		if (n && vc_expired(c, start))
			break;
		if (finish(spawn_stamp(arg, &from)) ||
		    read(fd[0], &stamp, sizeof(stamp)) != sizeof(stamp))
			return -ECHILD;
		if (i < c->warmup)
			continue;
		val[0][n] = stamp.after - from.after;
		val[1][n] = stamp.after - stamp.before;
		val[2][n++] = stamp.flt - from.flt;
	}
	emit_ticks(c, "exec.first_timestamp", val[0], n, 0, 1);
	emit_ticks(c, "exec.first_call", val[1], n, 0, 1);
	vc_emit(c, "exec.first_timestamp.faults", "faults", true, val[2], n);
	for (k = 0; k < 3; k++)
		free(val[k]);
	return 0;
}

static pid_t spawn_program(const char *path, int out)
{
	const char *argv[] = { path, NULL };
	pid_t pid = vfork();

	if (!pid) {
		if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO)
			execve(path, (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

static int vc_fork_dynamic(const struct vc_conf *c)
{
	const char name[] = "exec.vfork_exec_exit_dynamic";
	double *val = vc_alloc(c->loops), start = vc_now();
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unsigned long i, n = 0;
	struct rusage ru;

	if (null < 0)
		return -errno;
	for (i = 0; i < c->warmup + c->loops; i++) {
		uint64_t t;
		pid_t pid;

		if (i && vc_expired(c, start))
			break;
		t = ticks();
		pid = spawn_program(c->program, null);
		if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
			return -errno;
		t = ticks() - t;
		if (status)
			return -ECHILD;
		/*
		 * Under -icount the TSC goes on where all wait for the disk, so
		 * that is no count. Exiting is one wait.
		 */
		if (i >= c->warmup && !(c->exact && ru.ru_nvcsw > 1))
			val[n++] = t;
	}
	if (n)
		emit_ticks(c, name, val, n, 0, 1);
	else
		vc_skip(c, name, "%s waits for its files, and waits are no instructions: run all in a tmpfs",
			c->program);
	free(val);
	close(null);
	return 0;
}

int vc_fork(const struct vc_conf *c)
{
	static const char * const name[] = {
		"exec.fork_exit", "exec.vfork_exec_exit",
		"exec.vfork_exec_exit_noclock",
	};
	double *val[3] = {
		vc_alloc(c->loops), vc_alloc(c->loops), vc_alloc(c->loops)
	};
	double start = vc_now();
	unsigned long i, n = 0;
	int k;

	if (vc_pin(c, 0))
		return -errno;
	for (i = 0; i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;
		uint64_t t[4];
		pid_t pid;

		if (s > 0 && vc_expired(c, start))
			break;
		t[0] = ticks();
		pid = fork();
		if (!pid)
			_exit(0);
		if (finish(pid))
			return -ECHILD;
		t[1] = ticks();
		if (finish(spawn("child-clock", NULL)))
			return -ECHILD;
		t[2] = ticks();
		if (finish(spawn("child-nothing", NULL)))
			return -ECHILD;
		t[3] = ticks();
		if (s < 0)
			continue;
		for (k = 0; k < 3; k++)
			val[k][s] = t[k + 1] - t[k];
		n++;
	}
	for (k = 0; k < 3; k++) {
		emit_ticks(c, name[k], val[k], n, 0, 1);
		free(val[k]);
	}
	return vc_page_tables(c) ?: vc_first_timestamp(c) ?: vc_fork_dynamic(c);
}

/* ---- scale ---- */

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
	vc_fn fn = AS_FN(clock_gettime);
	struct vc_ts ts[4];
	double start;
	unsigned long i;

	vc_pin(c, r->nr);
	pthread_barrier_wait(r->barrier);
	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		double empty = time_calls(empty_call, 1, ts, c->batch);
		double val = time_calls(fn, 1, ts, c->batch);

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
		overhead = median(r[i].empty, r[i].n);
		for (k = 0; k < r[i].n; k++, n++) {
			all[n] = r[i].val[k] - overhead;
			none[n] = r[i].empty[k];
		}
		free(r[i].val);
		free(r[i].empty);
	}
	snprintf(name, sizeof(name), "scale.hot.%d", nr);
	emit_ticks(c, name, all, n, 0, c->batch);
	snprintf(name, sizeof(name), "overhead.scale.hot.%d", nr);
	emit_ticks(c, name, none, n, 0, c->batch);
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

	if (vc_pin(c, me) || room_init(&r, &why))
		return VC_EXIT_FALLBACK;
	start = vc_now();
	for (i = 0; i < c->warmup + c->loops; i++) {
		if (!me && i > c->warmup && vc_expired(c, start))
			shared->stop = 1;
		for (k = 0; k < 2; k++) {
			uintptr_t p = fresh(&r, &kind[k]);

			if (!p || !meet(shared, round++, nr))
				return 1;
			t = touch(p);
			if (i >= c->warmup)
				val[k * c->loops + i - c->warmup] = t;
		}
		t = touch(r.base);
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
			double overhead = k < 2 ? median(warm, shared->n) : 0;

			for (s = 0; s < shared->n; s++)
				all[n++] = val[s] - overhead;
		}
		snprintf(name, sizeof(name), "%sscale.cold.%d%s",
			 k < 2 ? "" : "overhead.", nr, kind[k]);
		emit_ticks(c, name, all, n, 0, 1);
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

/* ---- pages ---- */

/* The line of a file that holds the range addr is in: "from-to rest" */
static bool range_line(const char *file, uint64_t addr, char *rest, size_t len)
{
	FILE *f = fopen(file, "r");
	char line[256];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "0x");
		unsigned long long from, to;
		int used = 0;

		if (!p || sscanf(p, "%llx-%llx%n", &from, &to, &used) != 2 ||
		    addr < from || addr >= to)
			continue;
		p[used + strcspn(p + used, "\n")] = 0;
		snprintf(rest, len, "%s", p + used);
		found = true;
	}
	fclose(f);
	return found;
}

static const char *cache_type(uintptr_t page, uint64_t pfn)
{
	/* By PAT, PCD and PWT, as Linux programs the PAT register */
	static const char * const type[] = {
		"WB", "WC", "UC-", "UC", "WB", "WP", "UC-", "WT"
	};
	static char text[256];
	char *p;

	if (range_line("/sys/kernel/debug/page_tables/current_user", page,
		       text, sizeof(text)) ||
	    range_line("/sys/kernel/debug/page_tables/current_kernel", page,
		       text, sizeof(text)))
		return type[!!strstr(text, "PAT") << 2 |
			    !!strstr(text, "PCD") << 1 | !!strstr(text, "PWT")];
	if (pfn && range_line("/sys/kernel/debug/x86/pat_memtype_list",
			      pfn * sysconf(_SC_PAGESIZE), text, sizeof(text))) {
		p = strrchr(text, ' ');
		return p ? p + 1 : text;
	}
	return "?";
}

static uint64_t frame_of(uintptr_t page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  page / sysconf(_SC_PAGESIZE) * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* pagemap says nothing about vvar: a page is present if it takes no fault */
static bool faults(uintptr_t page)
{
	long before = minflt();

	touch(page);
	return minflt() > before;
}

static void page_latency(const struct vc_conf *c, const char *area, int len,
			 int nr, uintptr_t page)
{
	double *val = vc_alloc(c->loops), *none = vc_alloc(c->loops);
	double start = vc_now();
	unsigned long k, n = 0;
	char name[80];

	for (k = 0; k < c->warmup; k++)
		touch(page);
	while (n < c->loops && !(n && vc_expired(c, start))) {
		none[n] = time_nothing();
		val[n++] = touch(page);
	}
	snprintf(name, sizeof(name), "pages.%.*s.%d.read", len, area, nr);
	emit_ticks(c, name, val, n, median(none, n), 1);
	snprintf(name, sizeof(name), "overhead.pages.%.*s.%d", len, area, nr);
	emit_ticks(c, name, none, n, 0, 1);
	free(val);
	free(none);
}

static void one_page(const struct vc_conf *c, const struct vc_area *area,
		     uintptr_t page, bool *some_type)
{
	int nr = (page - area->start) / sysconf(_SC_PAGESIZE);
	int len = strcspn(area->name + 1, "]");
	const char *type = "-";
	char frame[32] = "-";
	uint64_t pfn, t;
	long flt;
	bool is;

	if (!touch_page(page, &t, &flt)) {
		vc_say(c, 'r', "%-14s %4d %-8s %-8s %-5s %s", area->name, nr,
		       "no", "SIGBUS", type, frame);
		return;
	}
	is = !faults(page);
	if (is) {
		pfn = frame_of(page);
		type = cache_type(page, pfn);
		*some_type |= *type != '?';
		if (pfn)
			snprintf(frame, sizeof(frame), "0x%llx",
				 (unsigned long long)pfn);
	}
	vc_say(c, 'r', "%-14s %4d %-8s %-8s %-5s %s", area->name, nr,
	       flt ? "no" : "yes", "yes", type, frame);
	if (!c->emulated)
		page_latency(c, area->name + 1, len, nr, page);
}

int vc_pages(const struct vc_conf *c)
{
	struct vc_area area[8];
	int i, n = vc_find_areas(area, ARRAY_SIZE(area));
	bool some_type = false;
	uintptr_t page;
	uint64_t t;
	long flt;

	if (n <= 0)
		return n ? n : -ENOENT;
	if (vc_pin(c, 0))
		return -errno;
	/* Whatever the counting itself must fault in */
	touch_page((uintptr_t)area, &t, &flt);
	vc_say(c, 'r', "%-14s %4s %-8s %-8s %-5s %s", "area", "page",
	       "present", "readable", "cache", "frame");
	for (i = 0; i < n; i++)
		for (page = area[i].start; page < area[i].end;
		     page += sysconf(_SC_PAGESIZE))
			one_page(c, &area[i], page, &some_type);
	if (c->emulated)
		vc_skip(c, "pages.read",
			"an emulated CPU ignores cache types: a read's latency says nothing");
	if (!some_type)
		vc_skip(c, "pages.cache",
			"cache types are in /sys/kernel/debug/page_tables (CONFIG_PTDUMP_DEBUGFS, root)");
	return 0;
}

/* ---- check ---- */

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
	if (!sys_getres(clock->id, &res))
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

	if (!sys_getres(clock->id, &res)) {
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
		fn = AS_FN(clock_gettime);
	}
	if (vc_pin(c, 0))
		return -errno;
	for (k = vc_clocks; k->name; k++) {
		if (!wanted(c, k->name))
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
