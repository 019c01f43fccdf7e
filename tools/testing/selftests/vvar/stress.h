/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the stress test share: stress.c has the table of jobs. */
#ifndef VVAR_STRESS_H
#define VVAR_STRESS_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define PMD_BYTES		(2UL << 20)
#define CLOCKSOURCE		"/sys/devices/system/clocksource/clocksource0/"
#define REPLACE			"/sys/kernel/debug/vvar/replace"
#define MIN_FREE		"/proc/sys/vm/min_free_kbytes"
/* The last word of what is replaced there is 0 or this */
#define VVAR_LIVE		0x4556494cUL
#define PAGE_CACHE_BYTES	(8UL << 20)
/* A time namespace's offset: far from what else the clock could show */
#define OFFSET			1000000

enum {
	C_READ,
	C_TOUCH,
	C_TOUCH_TIME,
	C_KTOUCH,
	C_LIVE,
	C_VMREADV,
	C_FAULT,
	C_FORK,
	C_EXEC,
	C_TIMENS,
	C_CLONE3,
	C_SETNS,
	C_NSEXEC,
	C_MAP64,
	C_MAP32,
	C_MAPX32,
	C_MREMAP,
	C_MREMAP_PT,
	C_PARTIAL,
	C_WRITABLE,
	C_MPROTECT,
	C_PKEY,
	C_PKEY_DENIED,
	C_MLOCKALL,
	C_MADVISE,
	C_COLLAPSE,
	C_DONTNEED,
	C_DOOR,
	C_PRESSURE,
	C_HOTPLUG,
	C_CLOCKSOURCE,
	C_REPLACE,
	C_PTRACE,
	C_PROC_MEM,
	C_PROC_MAPS,
	C_CORE,
	C_FREEZE,
	C_KILL,
	NR_COUNTS
};

/* Shared by all processes */
struct shared {
	unsigned long count[NR_COUNTS];
	unsigned long wrong;		/* what must not happen */
	int stop;
	unsigned int turn;		/* of a race's rarer steps */
	struct {
		char name[32];
		unsigned long count;
	} clocksource[8];
	char skip[NR_COUNTS][80];	/* why it can't happen here */
};

extern struct shared *sh;

/*
 * The VMAs of vvar and vDSO, one behind the other; offsets from the first.
 * base changes when they move.
 */
struct vdso {
	unsigned long base;
	unsigned int nr;
	size_t start[4], end[4];	/* the last is the text */
	size_t text, len, gettime;
	size_t time;			/* where [vvar] and the time data begin */
	unsigned int nr_touch;		/* vvar pages that give no SIGBUS */
	size_t touch[16];		/* the time data first */
	size_t replaced;		/* the one with VVAR_LIVE, or 0 */
};

extern struct vdso vd;

extern long page;
/* What CLOCK_MONOTONIC shows in this process's time namespace, at least */
extern time_t clock_floor;
/* volatile: a signal handler reads it */
extern __thread sigjmp_buf * volatile recover;
extern unsigned long seed;
/* ptrace() and /proc/PID/mem read it: stock's answer is EIO */
extern bool peekable;
extern char min_free[24];	/* as it was */

#define add(nr, n)	__atomic_fetch_add(&sh->count[nr], n, __ATOMIC_RELAXED)
#define count(what, n)	add(C_##what, n)
#define counted(what)	add(C_##what, 1)
#define stopping()	__atomic_load_n(&sh->stop, __ATOMIC_RELAXED)
#define vd_base()	__atomic_load_n(&vd.base, __ATOMIC_ACQUIRE)
#define set_base(addr)	__atomic_store_n(&vd.base, addr, __ATOMIC_RELEASE)

/* No stdio: threads and signal handlers use it, and a fork copies no buffer */
#define wrong(fmt, ...) do {						\
	char msg_[256];							\
	int len_ = snprintf(msg_, sizeof(msg_), "# wrong: " fmt "\n",	\
			    ##__VA_ARGS__);				\
	if (__atomic_fetch_add(&sh->wrong, 1, __ATOMIC_RELAXED) < 20 &&	\
	    write(1, msg_, len_) != len_)				\
		_exit(1);						\
} while (0)

#define skip(what, fmt, ...)						\
	snprintf(sh->skip[C_##what], sizeof(sh->skip[0]), fmt, ##__VA_ARGS__)

/* stress_util.c */
unsigned int rnd(unsigned int below);
void rnd_start(unsigned long salt);
void sleep_ms(unsigned int ms);
void now(clockid_t clock, struct timespec *ts);
void catch_signals(void);
bool before(const struct timespec *a, const struct timespec *b);
void read_clock(unsigned long base);
void touch(unsigned long addr);
void touch_page(unsigned long base);
long faults(void);
void touch_all(unsigned long base);
bool touch_kernel(unsigned long base);
void vm_readv(pid_t pid, unsigned long base);
void find_vdso(void);
void find_touchable(void);
bool reap(pid_t pid, const char *what);
pid_t vfork_exec(void);
int exec_check(const char *floor_arg, const char *seed_arg);
void own_pipe(void);
void read_file(const char *path, char *text, size_t size);

/* stress_read.c */
void job_read(void);
void job_touch(void);

/* stress_race.c */
void job_race(void);

/* stress_fork.c */
void job_fork(void);

/* stress_timens.c */
void job_timens(void);

/* stress_memory.c */
unsigned long meminfo_kb(const char *what);
unsigned long vmstat(const char *name);
void job_pressure(void);

/* stress_machine.c */
void job_hotplug(void);
void job_suspend(void);
void job_clocksource(void);
void job_replace(void);

/* stress_watch.c */
int open_proc(pid_t pid, const char *name, int flags);
void job_watch(void);
void job_core(void);

/* stress_leaks.c */
struct resources {
	unsigned long page_tables, files, memtypes, stolen_anon, stolen_file,
		      huge, collapsed;
	unsigned int nr_caches;
	struct cache {
		char name[32];
		unsigned long objects, per_slab;
	} cache[512];
};

unsigned int splats(int fd);
void resources(struct resources *r);
unsigned int leaking_caches(const struct resources *then,
			    const struct resources *after);

#endif /* VVAR_STRESS_H */
