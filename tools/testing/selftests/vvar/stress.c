// SPDX-License-Identifier: GPL-2.0
/*
 * Touch vvar and the vDSO, from user and kernel mode, while everything that
 * can take their pages away does so: fork, exec, time namespaces, munmap and
 * ARCH_MAP_VDSO_*, mremap, mprotect, protection keys, memory pressure, CPU
 * hotplug, clocksource switches, slot replaces, ptrace, core dumps, SIGKILL.
 *
 * Each reader checks what it reads: the vDSO's time lies between two system
 * calls' and belongs to the reader's own time namespace; a page that its slot no
 * longer shows has a word in it that says so. At the end each kind of event is a
 * test, which fails if it has never happened.
 *
 * Takes CPUs off line and switches clocksources: meant for a guest.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"
#include "number.h"

#ifndef ARCH_MAP_VDSO_X32
#define ARCH_MAP_VDSO_X32	0x2001
#define ARCH_MAP_VDSO_32	0x2002
#define ARCH_MAP_VDSO_64	0x2003
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME		0x80
#endif

#define PMD_BYTES		(2UL << 20)
#define CLOCKSOURCE		"/sys/devices/system/clocksource/clocksource0/"
#define REPLACE			"/sys/kernel/debug/vvar/replace"
#define MIN_FREE		"/proc/sys/vm/min_free_kbytes"
/* The slot that is replaced there; the last word of what it shows is 0 or this */
#define REPLACED_SLOT		2
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

static const char * const count_text[] = {
	[C_READ] = "vDSO reads between two system calls",
	[C_TOUCH] = "first touches from user mode",
	[C_TOUCH_TIME] = "first touches of the time data",
	[C_KTOUCH] = "first touches from kernel mode (write from vvar)",
	[C_LIVE] = "reads of a page that is about to be replaced",
	[C_VMREADV] = "process_vm_readv of vvar and vDSO",
	[C_FAULT] = "accesses that lost against an unmapping",
	[C_FORK] = "forks",
	[C_EXEC] = "vfork and exec",
	[C_TIMENS] = "children in a new time namespace",
	[C_CLONE3] = "clone3(CLONE_NEWTIME)",
	[C_SETNS] = "setns to another time namespace",
	[C_NSEXEC] = "vfork and exec into a time namespace",
	[C_MAP64] = "munmap and ARCH_MAP_VDSO_64",
	[C_MAP32] = "munmap and ARCH_MAP_VDSO_32",
	[C_MAPX32] = "munmap and ARCH_MAP_VDSO_X32",
	[C_MREMAP] = "mremap",
	[C_MREMAP_PT] = "mremap that can move the page table",
	[C_PARTIAL] = "partial munmap, mprotect, mremap (refused)",
	[C_WRITABLE] = "mprotect to writable (refused)",
	[C_MPROTECT] = "mprotect to PROT_NONE and back",
	[C_PKEY] = "pkey_mprotect",
	[C_PKEY_DENIED] = "reads denied by a protection key",
	[C_MLOCKALL] = "mlockall",
	[C_MADVISE] = "madvise of vvar and vDSO",
	[C_COLLAPSE] = "MADV_COLLAPSE next door",
	[C_DONTNEED] = "MADV_DONTNEED of a whole page table next door",
	[C_DOOR] = "munmap next door in vvar's page table",
	[C_PRESSURE] = "rounds of memory pressure",
	[C_HOTPLUG] = "CPUs off and on line",
	[C_CLOCKSOURCE] = "clocksource switches",
	[C_REPLACE] = "slot replaces",
	[C_PTRACE] = "ptrace peeks and pokes",
	[C_PROC_MEM] = "reads and writes of /proc/PID/mem",
	[C_PROC_MAPS] = "reads of /proc/PID/smaps and pagemap",
	[C_CORE] = "core dumps",
	[C_FREEZE] = "suspends, as far as pm_test=freezer",
	[C_KILL] = "SIGKILLs at any time",
};

/* Shared by all processes */
static struct shared {
	unsigned long count[NR_COUNTS];
	unsigned long wrong;		/* what must not happen */
	int stop;
	unsigned int turn;		/* of a race's rarer steps */
	struct {
		char name[32];
		unsigned long count;
	} clocksource[8];
	char skip[NR_COUNTS][80];	/* why it can't happen here */
} *sh;

/*
 * The VMAs of vvar and vDSO, one behind the other; offsets from the first.
 * base changes when they move.
 */
static struct {
	unsigned long base;
	unsigned int nr;
	size_t start[4], end[4];	/* the last is the text */
	size_t text, len, gettime;
	size_t time;			/* where [vvar] and the time data begin */
	unsigned int nr_touch;		/* vvar pages that give no SIGBUS */
	size_t touch[16];		/* the time data first */
	size_t replaced;		/* the one with VVAR_LIVE, or 0 */
} vd;

static long page;
static __thread int devnull_pipe[2];
/* What CLOCK_MONOTONIC shows in this process's time namespace, at least */
static time_t clock_floor;
/* volatile: a signal handler reads it */
static __thread sigjmp_buf * volatile recover;
static __thread unsigned long rng_state;
static unsigned long seed;
static bool all, chosen;	/* -a, -j */
/* With vvar.populate=1 nobody has a first touch of the time data */
static bool populated;
/* ptrace() and /proc/PID/mem read it: stock's answer is EIO */
static bool peekable;
static char min_free[24];	/* as it was */

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

/* xorshift64*: the same for every thread that starts from the same seed */
static unsigned int rnd(unsigned int below)
{
	unsigned long x = rng_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng_state = x;
	return (unsigned int)((x * 0x2545f4914f6cdd1dUL) >> 32) % below;
}

static void rnd_start(unsigned long salt)
{
	rng_state = (seed + salt) * 0x9e3779b97f4a7c15UL | 1;
}

/* libc's own sleep and clock functions may call a vDSO that has moved */
static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	syscall(SYS_nanosleep, &ts, NULL);
}

static void now(clockid_t clock, struct timespec *ts)
{
	syscall(SYS_clock_gettime, clock, ts);
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (sig == SIGBUS)
		wrong("SIGBUS at vvar + %#lx",
		      (unsigned long)si->si_addr - vd_base());
	if (recover)
		siglongjmp(*recover, sig == SIGSEGV &&
			   si->si_code == SEGV_PKUERR ? SIGSYS : sig);
	wrong("pid %d: signal %d at %p, vvar is at %#lx", getpid(), sig,
	      si->si_addr, vd_base());
	_exit(99);
}

/* Also when the parent is gone: nothing stays off line, or in /tmp */
static void on_stop(int sig)
{
	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELAXED);
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* One read through the vDSO at @base, checked */
static void read_clock(unsigned long base)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
					    CLOCK_BOOTTIME };
	int (*gettime)(clockid_t clock, struct timespec *ts) =
		(void *)(base + vd.text + vd.gettime);
	clockid_t clock = clocks[rnd(ARRAY_SIZE(clocks))];
	struct timespec a, b = { -1, -1 }, c;

	now(clock, &a);
	if (gettime(clock, &b))
		wrong("clock %d: the vDSO returned an error", clock);
	now(clock, &c);
	if (before(&b, &a) || before(&c, &b) || (unsigned long)b.tv_nsec >= 1000000000)
		wrong("clock %d: system call %ld.%09ld, vDSO %ld.%09ld, system call %ld.%09ld",
		      clock, a.tv_sec, a.tv_nsec, b.tv_sec, b.tv_nsec, c.tv_sec,
		      c.tv_nsec);
	if (clock != CLOCK_REALTIME &&
	    (b.tv_sec < clock_floor || b.tv_sec > clock_floor + OFFSET / 2))
		wrong("vDSO shows %ld s, not its namespace's %ld s and later",
		      b.tv_sec, clock_floor);
	counted(READ);
}

static void touch(unsigned long addr)
{
	*(volatile char *)addr;
}

static void check_word(unsigned long word)
{
	if (word == VVAR_LIVE)
		counted(LIVE);
	else if (word)
		wrong("%#lx in the slot that is replaced: a page that it no longer shows",
		      word);
}

static void touch_slot(unsigned long base, size_t off)
{
	if (off && off == vd.replaced)
		check_word(*(volatile unsigned long *)(base + off + page -
						       sizeof(long)));
	else
		touch(base + off);
}

static void touch_page(unsigned long base)
{
	touch_slot(base, vd.touch[rnd(vd.nr_touch)]);
}

/* Of this thread, so far */
static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt;
}

static void touch_all(unsigned long base)
{
	long begin, first;
	unsigned int i;

	/* fork does not copy the PTEs of what is shared: not a fault of vvar */
	count(TOUCH, 0);
	begin = faults();
	touch_slot(base, vd.touch[0]);
	first = faults();
	for (i = 1; i < vd.nr_touch; i++)
		touch_slot(base, vd.touch[i]);
	count(TOUCH_TIME, first - begin);
	count(TOUCH, faults() - begin);
}

/* A kernel-mode access: copy_from_user() of a vvar page */
static bool touch_kernel(unsigned long base)
{
	size_t off = vd.touch[rnd(vd.nr_touch)];
	unsigned long word;
	long begin = faults();

	if (write(devnull_pipe[1], (void *)(base + off + page - sizeof(word)),
		  sizeof(word)) != sizeof(word))
		return false;
	count(KTOUCH, faults() - begin);
	if (read(devnull_pipe[0], &word, sizeof(word)) != sizeof(word))
		wrong("pipe lost a word");
	else if (off && off == vd.replaced)
		check_word(word);
	return true;
}

/* The vDSO's text, another way in; and vvar, which must give EFAULT or data */
static void vm_readv(pid_t pid, unsigned long base)
{
	char buf[64];
	struct iovec to = { buf, SELFMAG };
	struct iovec from = { (void *)(base + vd.text), SELFMAG };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n != SELFMAG || memcmp(buf, ELFMAG, SELFMAG))
		wrong("process_vm_readv of the vDSO: %zd, errno %d", n, errno);
	from.iov_base = (void *)(base + vd.touch[0]);
	n = process_vm_readv(pid, &to, 1, &from, 1, 0);
	if (n < 0 && errno != EFAULT)
		wrong("process_vm_readv of vvar: errno %d", errno);
	if (process_vm_writev(pid, &to, 1, &from, 1, 0) >= 0)
		wrong("process_vm_writev wrote to vvar");
	counted(VMREADV);
}

static void find_vdso(void)
{
	char line[256], name[64];
	unsigned long start, end, text = getauxval(AT_SYSINFO_EHDR);
	FILE *maps = fopen("/proc/self/maps", "r");

	if (!maps)
		ksft_exit_fail_msg("/proc/self/maps: %s\n", strerror(errno));
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end,
			   name) != 3 ||
		    (strncmp(name, "[vvar", 5) && strcmp(name, "[vdso]")))
			continue;
		if (vd.nr == ARRAY_SIZE(vd.start))
			ksft_exit_fail_msg("more than %d VMAs of vvar and vDSO\n",
					   vd.nr);
		if (!vd.nr)
			vd.base = start;
		vd.start[vd.nr] = start - vd.base;
		if (!strcmp(name, "[vvar]"))
			vd.time = vd.start[vd.nr];
		vd.end[vd.nr++] = end - vd.base;
		vd.len = end - vd.base;
	}
	fclose(maps);
	if (vd.nr < 2 || vd.base + vd.start[vd.nr - 1] != text)
		ksft_exit_skip("no vvar followed by a vDSO in /proc/self/maps\n");
	vd.text = vd.start[vd.nr - 1];
	vdso_init_from_sysinfo_ehdr(text);
	vd.gettime = (unsigned long)vdso_sym("LINUX_2.6",
					     "__vdso_clock_gettime") - text;
}

/* Pages that the stock kernel has nothing for give SIGBUS: leave them out */
static void find_touchable(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	size_t off, i;
	int status;
	pid_t pid;

	for (i = 0; i < vd.text; i += page) {
		off = (vd.time + i) % vd.text;
		pid = fork();
		if (!pid) {
			sigaction(SIGBUS, &sa, NULL);
			touch(vd.base + off);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			ksft_exit_fail_msg("waitpid: %s\n", strerror(errno));
		if (status)
			ksft_print_msg("vvar page %zu: signal %d, left out\n",
				       off / page, WTERMSIG(status));
		else if (vd.nr_touch < ARRAY_SIZE(vd.touch))
			vd.touch[vd.nr_touch++] = off;
	}
	if (!vd.nr_touch || vd.touch[0] != vd.time)
		ksft_exit_fail_msg("the first page of [vvar] cannot be read\n");
	if (!access(REPLACE, W_OK))
		vd.replaced = vd.time + REPLACED_SLOT * page;
}

/* Wait for a child that must end with status 0, or by a SIGKILL of ours; was there one? */
static bool reap(pid_t pid, const char *what)
{
	int status;

	if (pid < 0) {
		if (errno != EAGAIN && errno != ENOMEM)
			wrong("%s: %s", what, strerror(errno));
		return false;
	}
	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return true;
	}
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		wrong("%s: child's status %#x", what, status);
	return true;
}

static pid_t vfork_exec(void)
{
	char floor_arg[32], seed_arg[32];
	char *argv[] = { "stress", "--check", floor_arg, seed_arg, NULL };
	pid_t pid;

	snprintf(floor_arg, sizeof(floor_arg), "%ld", (long)clock_floor);
	snprintf(seed_arg, sizeof(seed_arg), "%u", rnd(UINT_MAX));
	pid = vfork();
	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	return pid;
}

/* What vfork_exec() runs: status 0 if what it reads is right */
static int exec_check(const char *floor_arg, const char *seed_arg)
{
	static struct shared local;
	int i;

	sh = &local;
	clock_floor = atol(floor_arg);
	seed = atol(seed_arg);
	rnd_start(0);
	catch_signals();
	find_vdso();
	for (i = 0; i < 10; i++)
		read_clock(vd.base);
	return local.wrong ? 97 : 0;
}

/* --- jobs: each is a process that ends when stopping() ---------------- */

static void job_read(void)
{
	unsigned int i = 0;

	while (!stopping()) {
		read_clock(vd.base);
		/* The others need the CPU too */
		if (++i % 64 == 0)
			sleep_ms(5);
	}
}

/* Map vDSO and vvar afresh where they were, and touch: no access may fail */
static void job_touch(void)
{
	static const struct {
		int code, count;
	} images[] = {
		{ ARCH_MAP_VDSO_64, C_MAP64 },
		{ ARCH_MAP_VDSO_32, C_MAP32 },
		{ ARCH_MAP_VDSO_X32, C_MAPX32 },
	};
	unsigned long base = vd.base;
	bool missing[ARRAY_SIZE(images)] = { };
	unsigned int i, n = 0;
	long ret;

	munmap((void *)base, vd.len);
	while (!stopping()) {
		i = n++ % 8;		/* mostly the 64-bit one */
		if (i >= ARRAY_SIZE(images) || missing[i])
			i = 0;
		ret = syscall(SYS_arch_prctl, images[i].code, base);
		if (ret < 0) {
			if (errno == ENOMEM)
				continue;
			snprintf(sh->skip[images[i].count],
				 sizeof(sh->skip[0]), "arch_prctl: %s",
				 strerror(errno));
			missing[i] = true;
			if (i)
				continue;
			skip(TOUCH, "no ARCH_MAP_VDSO_64");
			skip(KTOUCH, "no ARCH_MAP_VDSO_64");
			return;
		}
		add(images[i].count, 1);
		/* The images differ in length, not in what lies before */
		if (n & 1 && !touch_kernel(base))
			wrong("write(2) from vvar: %s", strerror(errno));
		touch_all(base);
		if (i == 0)
			read_clock(base);
		munmap((void *)base, vd.text + ret);
	}
}

static void own_pipe(void)
{
	if (pipe(devnull_pipe)) {
		wrong("pipe: %s", strerror(errno));
		_exit(1);
	}
}

/* Many accesses, any of which may meet a hole: where the VMAs are moved */
static void *racer(void *arg)
{
	sigjmp_buf env;
	unsigned long base;

	rnd_start((unsigned long)arg + ((unsigned long)getpid() << 8));
	own_pipe();
	while (!stopping()) {
		base = vd_base();
		if (!rnd(32))
			sleep_ms(2);
		switch (sigsetjmp(env, 0)) {
		case 0:
			break;
		case SIGSYS:
			counted(PKEY_DENIED);
			continue;
		default:
			counted(FAULT);
			continue;
		}
		recover = &env;
		switch (rnd(4)) {
		case 0:
			touch_kernel(base);
			break;
		case 1:
			touch_page(base);
			break;
		default:
			read_clock(base);
		}
		recover = NULL;
	}
	return NULL;
}

static void must_fail(const char *what, int err, long ret)
{
	if (ret != -1)
		wrong("%s was not refused", what);
	else if (errno != err && errno != ENOMEM)
		wrong("%s: errno %d, not %d", what, errno, err);
}

static void try_partial(unsigned long base)
{
	unsigned int i = rnd(vd.nr);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (len < 2 * (size_t)page)
		return;
	must_fail("munmap of the first page", EINVAL, munmap(start, page));
	must_fail("munmap of the last page", EINVAL,
		  munmap(start + len - page, page));
	must_fail("mprotect of one page", EINVAL,
		  mprotect(start, page, PROT_NONE));
	must_fail("growth", EFAULT,
		  (long)mremap(start, len, len + page, MREMAP_MAYMOVE));
	counted(PARTIAL);
}

static void try_writable(unsigned long base)
{
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	must_fail("mprotect to writable", EACCES,
		  mprotect(start, len, PROT_READ | PROT_WRITE));
	must_fail("getrandom(2) into vvar", EFAULT,
		  syscall(SYS_getrandom, start, 1, 0));
	counted(WRITABLE);
}

static void protect(unsigned long base)
{
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (mprotect(start, len, PROT_NONE) ||
	    mprotect(start, len, PROT_READ))
		wrong("mprotect: %s", strerror(errno));
	counted(MPROTECT);
}

static void pkey(unsigned long base)
{
	static int key = -2;
	sigjmp_buf env;
	unsigned int i = rnd(vd.nr - 1);
	char *start = (char *)base + vd.start[i];
	size_t len = vd.end[i] - vd.start[i];

	if (key == -2) {
		key = pkey_alloc(0, 0);
		if (key < 0) {
			skip(PKEY, "pkey_alloc: %s", strerror(errno));
			skip(PKEY_DENIED, "pkey_alloc: %s", strerror(errno));
		}
	}
	if (key < 0)
		return;
	if (pkey_mprotect(start, len, PROT_READ, key))
		wrong("pkey_mprotect: %s", strerror(errno));
	counted(PKEY);
	/* Only this thread: a key's rights are a register */
	pkey_set(key, PKEY_DISABLE_ACCESS);
	if (!sigsetjmp(env, 0)) {
		recover = &env;
		touch((unsigned long)start);
		wrong("vvar was read in spite of its protection key");
	} else {
		counted(PKEY_DENIED);
	}
	recover = NULL;
	pkey_set(key, 0);
	if (pkey_mprotect(start, len, PROT_READ, 0))
		wrong("pkey_mprotect: %s", strerror(errno));
}

/* A child's vvar is empty, by request, until it is mapped anew */
static bool wiped;

static void advise(unsigned long base)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
		MADV_POPULATE_READ, MADV_COLLAPSE, MADV_DODUMP, MADV_WIPEONFORK,
	};
	unsigned int i = rnd(vd.nr);
	int what = advice[rnd(ARRAY_SIZE(advice))];

	/*
	 * Most are refused; which ones is not this test's question. Not
	 * MADV_DONTFORK: there is no way back for VM_IO.
	 */
	if (!madvise((void *)(base + vd.start[i]), vd.end[i] - vd.start[i],
		     what) && what == MADV_WIPEONFORK)
		wiped = true;
	counted(MADVISE);
}

/*
 * @door: two page tables of its own, and the first half of a third one, of which
 * vvar has the second half.
 */
static void next_door(char *door)
{
	char *half = door + 2 * PMD_BYTES;
	size_t len = PMD_BYTES / 2;

	/* Small pages first, or there would be nothing to collapse */
	madvise(door, 2 * PMD_BYTES, MADV_NOHUGEPAGE);
	memset(door, 1, 2 * PMD_BYTES);
	madvise(door, 2 * PMD_BYTES, MADV_HUGEPAGE);
	if (!madvise(door, 2 * PMD_BYTES, MADV_COLLAPSE))
		counted(COLLAPSE);
	else if (errno == EINVAL)
		skip(COLLAPSE, "madvise: no MADV_COLLAPSE");
	if (madvise(door, 2 * PMD_BYTES, MADV_DONTNEED))
		wrong("MADV_DONTNEED: %s", strerror(errno));
	else
		counted(DONTNEED);

	if (mmap(half, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != half) {
		if (errno != ENOMEM)
			wrong("mmap next door: %s", strerror(errno));
		return;
	}
	memset(half, 1, len);
	/* The page table has vvar in it: no huge page can take its place */
	madvise(door + PMD_BYTES, PMD_BYTES + len, MADV_COLLAPSE);
	madvise(half, len, MADV_DONTNEED);
	if (munmap(half, len))
		wrong("munmap next door: %s", strerror(errno));
	else
		counted(DOOR);
}

static bool move_all(unsigned long from, unsigned long to)
{
	unsigned int i;

	for (i = 0; i < vd.nr; i++) {
		size_t len = vd.end[i] - vd.start[i];

		if (mremap((void *)(from + vd.start[i]), len, len,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   to + vd.start[i]) == MAP_FAILED) {
			wrong("mremap of VMA %u from %#lx to %#lx: %s", i,
			      from, to, strerror(errno));
			return false;
		}
	}
	set_base(to);
	return true;
}

/*
 * One mm, one thread that moves, unmaps and protects, and racers. The places:
 * 0 and 1 end vvar, the first area of it, at the end of a page table with nothing
 * else in it, so that mremap moves the table itself (try_realign_addr()); 2 has
 * neighbours, in its own page table too.
 */
static void job_race(void)
{
	pthread_t thread[3];
	pthread_attr_t attr;
	unsigned long at[3], hole, base;
	unsigned int i, to, here = 3;
	unsigned int step;
	char *door;
	void *p;
	pid_t pid;

	p = mmap(NULL, 16 * PMD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		wrong("mmap: %s", strerror(errno));
		return;
	}
	hole = ((unsigned long)p + PMD_BYTES - 1) & ~(PMD_BYTES - 1);
	munmap(p, 16 * PMD_BYTES);
	at[0] = hole + 2 * PMD_BYTES - vd.end[0];
	at[1] = hole + 5 * PMD_BYTES - vd.end[0];
	at[2] = hole + 10 * PMD_BYTES + PMD_BYTES / 2;
	door = mmap((void *)(hole + 8 * PMD_BYTES), 2 * PMD_BYTES,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (door == MAP_FAILED) {
		wrong("mmap next door: %s", strerror(errno));
		return;
	}

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 16);
	for (i = 0; i < ARRAY_SIZE(thread); i++) {
		if (pthread_create(&thread[i], &attr, racer,
				   (void *)(unsigned long)i)) {
			wrong("pthread_create failed");
			_exit(1);
		}
	}

	while (!stopping()) {
		base = vd.base;
		/* In turn, too: chance leaves one out for long on a slow kernel */
		step = rnd(2) ? rnd(16) :
		       8 + __atomic_fetch_add(&sh->turn, 1, __ATOMIC_RELAXED) % 8;
		switch (step) {
		case 0 ... 4:
			/* To and fro, often */
			do {
				to = rnd(2) && here < 2 ? !here : rnd(ARRAY_SIZE(at));
			} while (to == here);
			if (!move_all(base, at[to]))
				goto out;
			counted(MREMAP);
			if (to < 2 && here < 2)
				counted(MREMAP_PT);
			here = to;
			break;
		case 5 ... 7:
			munmap((void *)base, vd.len);
			to = rnd(ARRAY_SIZE(at));
			if (syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64,
				    at[to]) < 0) {
				if (sh->skip[C_MAP64][0])
					goto out;
				wrong("ARCH_MAP_VDSO_64: %s", strerror(errno));
				goto out;
			}
			set_base(at[to]);
			here = to;
			wiped = false;
			if (memcmp((void *)(at[to] + vd.text), ELFMAG, SELFMAG)) {
				wrong("ARCH_MAP_VDSO_64 took another address");
				goto out;
			}
			read_clock(at[to]);
			counted(MAP64);
			break;
		case 8:
			try_partial(base);
			break;
		case 9:
			try_writable(base);
			break;
		case 10:
			protect(base);
			break;
		case 11:
			pkey(base);
			break;
		case 12:
			if (mlockall(MCL_CURRENT)) {
				if (errno == EPERM)
					skip(MLOCKALL, "needs CAP_IPC_LOCK");
			} else {
				counted(MLOCKALL);
			}
			munlockall();
			break;
		case 13:
			advise(base);
			break;
		case 14:
			if (here != 2 && !move_all(base, at[2]))
				goto out;
			here = 2;
			next_door(door);
			break;
		case 15:
			pid = fork();
			if (!pid) {
				if (!wiped)
					touch_all(base);
				read_clock(base);
				_exit(0);
			}
			if (reap(pid, "fork of a threaded process"))
				counted(FORK);
		}
		read_clock(vd.base);
	}
out:
	while (!stopping())	/* the racers go on */
		sleep_ms(10);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
}

static void job_fork(void)
{
	pid_t pid;

	while (!stopping()) {
		if (rnd(4)) {
			pid = fork();
			if (!pid) {
				touch_page(vd.base);
				read_clock(vd.base);
				_exit(0);
			}
			if (reap(pid, "fork"))
				counted(FORK);
		} else if (reap(vfork_exec(), "vfork and exec")) {
			counted(EXEC);
		}
	}
}

static int open_ns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		wrong("%s: %s", path, strerror(errno));
	return fd;
}

/* In a new namespace, whose clock is OFFSET ahead of the parent's */
static void in_timens(int root, time_t root_floor, time_t ns_floor)
{
	int own = open_ns("/proc/self/ns/time"), i;

	clock_floor = ns_floor;
	touch_all(vd.base);
	read_clock(vd.base);
	for (i = 0; own >= 0 && i < 6; i++) {
		if (setns(i & 1 ? own : root, CLONE_NEWTIME)) {
			wrong("setns: %s", strerror(errno));
			break;
		}
		clock_floor = i & 1 ? ns_floor : root_floor;
		/* With and without a page that was there before */
		if (rnd(2))
			touch_all(vd.base);
		if (rnd(2) && !touch_kernel(vd.base))
			wrong("write(2) from vvar: %s", strerror(errno));
		read_clock(vd.base);
		counted(SETNS);
	}
	_exit(0);
}

static void timens_child(void)
{
	int root = open_ns("/proc/self/ns/time"), fd, n;
	time_t floor = clock_floor;
	char buf[80];

	if (root < 0)
		_exit(1);
	if (unshare(CLONE_NEWTIME)) {
		wrong("unshare(CLONE_NEWTIME): %s", strerror(errno));
		_exit(1);
	}
	n = snprintf(buf, sizeof(buf), "monotonic %d 0\nboottime %d 0\n",
		     OFFSET, OFFSET);
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, buf, n) != n)
		wrong("/proc/self/timens_offsets: %s", strerror(errno));
	close(fd);
	read_clock(vd.base);		/* still the old namespace's */
	if (rnd(3)) {
		pid_t pid = fork();

		if (!pid)
			in_timens(root, floor, floor + OFFSET);
		if (reap(pid, "fork into a time namespace"))
			counted(TIMENS);
	} else {
		clock_floor = floor + OFFSET;
		if (reap(vfork_exec(), "exec into a time namespace"))
			counted(NSEXEC);
		clock_floor = floor;
	}
	read_clock(vd.base);
	_exit(0);
}

static void job_timens(void)
{
	struct clone_args args = {
		.flags = CLONE_NEWTIME,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	while (!stopping()) {
		rnd(2);		/* each child its own course */
		pid = fork();
		if (!pid)
			timens_child();
		reap(pid, "time namespace");

		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (!pid) {
			touch_all(vd.base);
			read_clock(vd.base);
			_exit(0);
		}
		if (reap(pid, "clone3(CLONE_NEWTIME)"))
			counted(CLONE3);
	}
}

static unsigned long meminfo_kb(const char *what)
{
	char line[128];
	unsigned long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, what, strlen(what))) {
			kb = strtoul(line + strlen(what) + 1, NULL, 10);
			break;
		}
	}
	if (f)
		fclose(f);
	return kb;
}

/* The victim, if it comes to that */
static void first_to_die(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, "1000", 4) != 4)
		wrong("oom_score_adj: %s", strerror(errno));
	close(fd);
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) ==
			     (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The sum of what /proc/vmstat has under names that begin with @name */
static unsigned long vmstat(const char *name)
{
	unsigned long sum = 0, n;
	char line[128];
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line, "%*s %lu", &n) == 1)
			sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Pages of files that can be read again: what reclaim takes without swap */
static void fill_page_cache(void)
{
	static char buf[1 << 16];
	DIR *dir = opendir("/usr/bin");
	struct dirent *d;
	size_t done = 0;
	ssize_t n;
	int fd;

	while (dir && done < PAGE_CACHE_BYTES && !stopping() &&
	       (d = readdir(dir))) {
		fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
			done += n;
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/*
 * Page cache and huge pages, until little is left. Every third time, as much has to
 * stay free as is free: reclaim starts at once, and long before the OOM killer.
 */
static void job_pressure(void)
{
	const size_t step = 8 << 20;
	unsigned long total = meminfo_kb("MemTotal:"), left;
	char *chunk[4096], text[24];
	unsigned int n, i, max, round = 0;
	int fd;

	first_to_die();
	setpriority(PRIO_PROCESS, 0, -10);
	while (!stopping()) {
		char path[] = "/tmp/vvar-stress.XXXXXX";

		fd = mkstemp(path);
		unlink(path);
		left = total / 8 + rnd(total / 4 * 3);
		max = ARRAY_SIZE(chunk);
		if (round++ % 3 == 0) {
			fill_page_cache();
			snprintf(text, sizeof(text), "%lu",
				 meminfo_kb("MemFree:") / 8 * 7);
			if (!write_file(MIN_FREE, text))
				wrong("%s: %s", MIN_FREE, strerror(errno));
			left = 0;
			max = 8;
		}
		for (n = 0; n < max && !stopping(); n++) {
			if (meminfo_kb("MemAvailable:") < left)
				break;
			chunk[n] = mmap(NULL, step, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (chunk[n] == MAP_FAILED)
				break;
			madvise(chunk[n], step, MADV_HUGEPAGE);
			for (i = 0; i < step; i += page)
				chunk[n][i] = 1;
			if (fd >= 0 && n % 8 == 0 &&
			    write(fd, chunk[n], step) < 0 && errno != ENOSPC)
				wrong("write: %s", strerror(errno));
		}
		while (n--)
			munmap(chunk[n], step);
		close(fd);
		write_file(MIN_FREE, min_free);
		read_clock(vd.base);
		counted(PRESSURE);
		sleep_ms(200);
	}
}

static void job_hotplug(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	char path[80];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu1/online");
	if (cpus < 2 || access(path, W_OK)) {
		skip(HOTPLUG, "no CPU that can go off line");
		return;
	}
	while (!stopping()) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%u/online",
			 1 + rnd(cpus - 1));
		if (!write_file(path, "0")) {
			if (errno != EBUSY)
				wrong("%s: %s", path, strerror(errno));
		} else {
			counted(HOTPLUG);
		}
		sleep_ms(rnd(20));
		/* Busy: a suspend is at it */
		while (!write_file(path, "1")) {
			if (errno != EBUSY) {
				wrong("%s: %s", path, strerror(errno));
				break;
			}
			sleep_ms(10);
		}
		sleep_ms(rnd(400));
	}
}

/* All tasks stop and go on: with 9p for its root, a guest goes no further */
static void job_suspend(void)
{
	if (!write_file("/sys/power/pm_test", "freezer") ||
	    !write_file("/sys/module/suspend/parameters/pm_test_delay", "0")) {
		skip(FREEZE, "no pm_test");
		return;
	}
	while (!stopping()) {
		sleep_ms(500 + rnd(2500));
		/* Busy: not all tasks could be frozen */
		if (write_file("/sys/power/state", "freeze"))
			counted(FREEZE);
		else if (errno != EBUSY && errno != EAGAIN)
			wrong("suspend: %s", strerror(errno));
	}
	write_file("/sys/power/pm_test", "none");
}

static void job_clocksource(void)
{
	char names[256], old[64], *name[ARRAY_SIZE(sh->clocksource)], *p;
	int nr = 0, i;

	read_file(CLOCKSOURCE "available_clocksource", names, sizeof(names));
	read_file(CLOCKSOURCE "current_clocksource", old, sizeof(old));
	for (p = strtok(names, " \n"); p && nr < (int)ARRAY_SIZE(name);
	     p = strtok(NULL, " \n")) {
		snprintf(sh->clocksource[nr].name,
			 sizeof(sh->clocksource[nr].name), "%s", p);
		name[nr++] = p;
	}
	if (nr < 2 || access(CLOCKSOURCE "current_clocksource", W_OK)) {
		skip(CLOCKSOURCE, "%d clocksource(s), or not allowed", nr);
		return;
	}
	while (!stopping()) {
		for (i = 0; i < nr && !stopping(); i++) {
			if (!write_file(CLOCKSOURCE "current_clocksource",
					name[i]))
				wrong("clocksource %s: %s", name[i],
				      strerror(errno));
			read_clock(vd.base);
			counted(CLOCKSOURCE);
			sh->clocksource[i].count++;
			sleep_ms(rnd(60));
		}
	}
	write_file(CLOCKSOURCE "current_clocksource", old);
}

static void job_replace(void)
{
	if (access(REPLACE, W_OK)) {
		skip(REPLACE, "no %s", REPLACE);
		return;
	}
	while (!stopping()) {
		/* One page, the other, the tombstone */
		if (write_file(REPLACE, "3"))
			count(REPLACE, 3);
		else
			wrong("%s: %s", REPLACE, strerror(errno));
	}
}

static void watch_child(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		touch_page(vd.base);
		read_clock(vd.base);
		sleep_ms(1);
	}
	_exit(0);
}

static void peek_and_poke(pid_t pid)
{
	long word;
	int status;

	/* No SIGSTOP, which would outlive us in a child that we leave behind */
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL)) {
		wrong("PTRACE_SEIZE: %s", strerror(errno));
		return;
	}
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.text, NULL);
	if (errno || memcmp(&word, ELFMAG, SELFMAG))
		wrong("PTRACE_PEEKDATA of the vDSO: %#lx, errno %d", word,
		      errno);
	/* A breakpoint of a debugger: copy on write, of this process only */
	if (ptrace(PTRACE_POKEDATA, pid, vd.base + vd.text, word + 1) ||
	    ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.text, NULL) != word + 1 ||
	    ptrace(PTRACE_POKEDATA, pid, vd.base + vd.text, word))
		wrong("PTRACE_POKEDATA of the vDSO: errno %d", errno);
	if (memcmp((void *)(vd.base + vd.text), ELFMAG, SELFMAG))
		wrong("another process's breakpoint is in the vDSO");
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.touch[0], NULL);
	if (errno && (peekable || errno != EIO))
		wrong("PTRACE_PEEKDATA of vvar: errno %d", errno);
	if (!ptrace(PTRACE_POKEDATA, pid, vd.base + vd.touch[0], 1UL))
		wrong("PTRACE_POKEDATA wrote to vvar");
	counted(PTRACE);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

static void proc_mem(pid_t pid)
{
	int fd = open_proc(pid, "mem", O_RDWR);
	char buf[8];

	if (fd < 0)
		return;
	if (pread(fd, buf, SELFMAG, vd.base + vd.text) != SELFMAG ||
	    memcmp(buf, ELFMAG, SELFMAG))
		wrong("/proc/PID/mem of the vDSO: %s", strerror(errno));
	if (pread(fd, buf, 1, vd.base + vd.touch[0]) != 1 &&
	    (peekable || errno != EIO))
		wrong("/proc/PID/mem of vvar: %s", strerror(errno));
	if (pwrite(fd, buf, 1, vd.base + vd.touch[0]) >= 0)
		wrong("/proc/PID/mem wrote to vvar");
	close(fd);
	counted(PROC_MEM);
}

static void proc_maps(pid_t pid)
{
	static char buf[65536];
	unsigned long entry[16];
	int smaps = open_proc(pid, "smaps", O_RDONLY);
	int pagemap = open_proc(pid, "pagemap", O_RDONLY);
	size_t nr = vd.text / page;

	while (smaps >= 0 && read(smaps, buf, sizeof(buf)) > 0)
		;
	if (nr > ARRAY_SIZE(entry))
		nr = ARRAY_SIZE(entry);
	if (pagemap >= 0 && pread(pagemap, entry, nr * 8, vd.base / page * 8) < 0)
		wrong("pagemap: %s", strerror(errno));
	if (smaps >= 0 && pagemap >= 0)
		counted(PROC_MAPS);
	close(smaps);
	close(pagemap);
}

static void job_watch(void)
{
	pid_t pid, self = getpid();
	int i;

	while (!stopping()) {
		pid = fork();
		if (!pid)
			watch_child(self);
		if (pid < 0)
			continue;
		for (i = 0; i < 20 && !stopping(); i++) {
			peek_and_poke(pid);
			proc_mem(pid);
			proc_maps(pid);
			vm_readv(pid, vd.base);
		}
		kill(pid, SIGKILL);
		reap(pid, "child that is watched");
	}
}

static void job_core(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char dir[] = "/tmp/vvar-stress.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir) || chdir(dir)) {
		wrong("%s: %s", dir, strerror(errno));
		return;
	}
	while (!stopping()) {
		rnd(2);
		pid = fork();
		if (!pid) {
			signal(SIGABRT, SIG_DFL);
			setrlimit(RLIMIT_CORE, &unlimited);
			if (rnd(2))
				touch_all(vd.base);
			read_clock(vd.base);
			abort();
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			continue;
		if (WIFSIGNALED(status) && WCOREDUMP(status))
			counted(CORE);
		unlink("core");
		sleep_ms(20);
	}
	if (chdir("/") || rmdir(dir))
		wrong("%s: %s", dir, strerror(errno));
}

static struct job {
	const char *name;
	void (*run)(void);
	bool killable;
	bool idle;		/* not chosen by -j */
	int starts;
	pid_t pid;
} jobs[] = {
	{ .name = "read", .run = job_read, .killable = true },
	{ .name = "touch", .run = job_touch, .killable = true },
	{ .name = "touch", .run = job_touch, .killable = true },
	{ .name = "race", .run = job_race, .killable = true },
	{ .name = "race", .run = job_race, .killable = true },
	{ .name = "fork", .run = job_fork, .killable = true },
	{ .name = "fork", .run = job_fork, .killable = true },
	{ .name = "timens", .run = job_timens, .killable = true },
	{ .name = "timens", .run = job_timens, .killable = true },
	{ .name = "pressure", .run = job_pressure, .killable = true },
	{ .name = "watch", .run = job_watch, .killable = true },
	{ .name = "core", .run = job_core },
	{ .name = "hotplug", .run = job_hotplug },
	{ .name = "suspend", .run = job_suspend },
	{ .name = "clocksource", .run = job_clocksource },
	{ .name = "replace", .run = job_replace },
};

static void start(struct job *job)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		if (errno != EAGAIN && errno != ENOMEM)
			wrong("fork: %s", strerror(errno));
		return;
	}
	job->starts++;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(0);
		rnd_start((unsigned long)(job - jobs) << 32 | job->starts);
		own_pipe();
		job->run();
		_exit(0);
	}
	job->pid = pid;
}

/*
 * Anything but an end by itself or SIGKILL is a failure. Orphans come too.
 * False when there is nothing to reap: errno is ECHILD if there never will be.
 */
static bool reap_any(void)
{
	unsigned int i;
	int status;
	pid_t pid;

	errno = 0;
	pid = waitpid(-1, &status, WNOHANG | __WALL);
	if (pid <= 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct job *job = &jobs[i];

		if (job->pid != pid)
			continue;
		job->pid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			if (!job->killable)
				wrong("job %s was killed", job->name);
			else if (!stopping())
				start(job);
		} else if (status) {
			wrong("job %s ended with status %#x", job->name,
			      status);
		}
	}
	return true;
}

static void print_file(pid_t pid, const char *name)
{
	char line[128];
	int fd = open_proc(pid, name, O_RDONLY), lines = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	while (f && fgets(line, sizeof(line), f) && lines++ < 30)
		ksft_print_msg("  %s", line);
	if (f)
		fclose(f);
}

/* They should have ended. Orphans of jobs that were killed are ours too. */
static void kill_children(void)
{
	struct dirent *d;
	DIR *proc = opendir("/proc");
	char line[256];
	int fd, parent;
	ssize_t n;
	pid_t pid;

	while (proc && (d = readdir(proc))) {
		pid = atoi(d->d_name);
		fd = pid > 0 ? open_proc(pid, "stat", O_RDONLY) : -1;
		if (fd < 0)
			continue;
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
		line[n > 0 ? n : 0] = 0;
		if (sscanf(line, "%*d (%*[^)]) %*c %d", &parent) != 1 ||
		    parent != getpid())
			continue;
		wrong("process %d does not stop: %.60s", pid, line);
		print_file(pid, "syscall");
		print_file(pid, "stack");
		kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
	sleep_ms(200);
}

static void stop_all(void)
{
	unsigned int ms;

	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELAXED);
	for (ms = 0; ms < 60000; ms += 10) {
		while (reap_any())
			;
		if (errno == ECHILD)
			return;
		sleep_ms(10);
	}
	kill_children();
	while (reap_any())
		;
}

/* Reports of the kernel since @fd was opened at the end of its log */
static unsigned int splats(int fd)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "Oops", "general protection", "KASAN",
		"KCSAN", "UBSAN", "kmemleak:", "suspicious RCU", "possible ",
		"INFO: task", "detected stall", "Bad page", "Bad rss",
		"corruption", "non-zero pgtables", "pagealloc:",
	};
	unsigned int i, nr = 0;
	char buf[2048];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0 || errno == EPIPE) {
		if (n < 0)
			continue;	/* overwritten: the next one, then */
		buf[n] = 0;
		/* A whole kernel has races, and a title does not tell whose */
		if (strstr(buf, "BUG: KCSAN:") && !strstr(buf, "vvar") &&
		    !strstr(buf, "vdso") && !strstr(buf, "vclock"))
			continue;
		/* In kernel/sched/deadline.c; a stock 6.12 says it, too */
		if (strstr(buf, "WARNING:") &&
		    strstr(buf, " inactive_task_timer+")) {
			ksft_print_msg("kernel, as stock: %s", buf);
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			if (strstr(buf, bad[i])) {
				ksft_print_msg("kernel: %s", buf);
				nr++;
				break;
			}
		}
	}
	return nr;
}

struct resources {
	unsigned long page_tables, files, memtypes, stolen_anon, stolen_file,
		      huge, collapsed;
	unsigned int nr_caches;
	struct cache {
		char name[32];
		unsigned long objects, per_slab;
	} cache[512];
};

static unsigned int count_caches(struct resources *r)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512];

	while (f && r->nr_caches < ARRAY_SIZE(r->cache) &&
	       fgets(line, sizeof(line), f)) {
		struct cache *c = &r->cache[r->nr_caches];

		/* "slabinfo - version", and a line of headings */
		if (sscanf(line, "%31s %lu %*u %*u %lu", c->name, &c->objects,
			   &c->per_slab) == 3)
			r->nr_caches++;
	}
	if (f)
		fclose(f);
	return r->nr_caches;
}

/* What is freed later - by RCU, task work, shrinkers, CPUs' own lists - first */
static void settle(void)
{
	char path[300];
	struct dirent *d;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < 3; i++) {
		sleep_ms(1000);
		write_file("/proc/sys/vm/drop_caches", "3");
		dir = opendir("/sys/kernel/slab");
		while (dir && (d = readdir(dir))) {
			snprintf(path, sizeof(path),
				 "/sys/kernel/slab/%s/shrink", d->d_name);
			write_file(path, "1");
		}
		if (dir)
			closedir(dir);
	}
	write_file("/proc/sys/vm/stat_refresh", "1");
}

static void resources(struct resources *r)
{
	FILE *f = fopen("/proc/sys/fs/file-nr", "r");
	char line[128];

	settle();
	memset(r, 0, sizeof(*r));
	r->page_tables = meminfo_kb("PageTables:");
	r->stolen_anon = vmstat("pgsteal_anon");
	r->stolen_file = vmstat("pgsteal_file");
	r->huge = vmstat("thp_fault_alloc");
	r->collapsed = vmstat("thp_collapse_alloc");
	count_caches(r);
	if (!f || fscanf(f, "%lu", &r->files) != 1)
		r->files = 0;
	if (f)
		fclose(f);
	f = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	while (f && fgets(line, sizeof(line), f))
		r->memtypes++;
	if (f)
		fclose(f);
}

/*
 * Each CPU's slab counts as in use, and what runs beside us has objects. Left out:
 * what was looked up since (kmalloc-rcl: long names), and a stock of each CPU's.
 */
static bool leaks(const struct cache *old, const struct cache *new)
{
	return strcmp(new->name, "inode_cache") &&
	       strcmp(new->name, "dentry") && strcmp(new->name, "vmap_area") &&
	       strncmp(new->name, "kmalloc-rcl-", 12) &&
	       new->objects > old->objects + 64 +
			      new->per_slab * sysconf(_SC_NPROCESSORS_CONF);
}

static unsigned int leaking_caches(const struct resources *then,
				   const struct resources *after)
{
	static const struct cache none;
	unsigned int i, j, nr = 0;

	for (i = 0; i < after->nr_caches; i++) {
		const struct cache *c = &after->cache[i], *old = NULL;

		for (j = 0; j < then->nr_caches && !old; j++)
			if (!strcmp(then->cache[j].name, c->name))
				old = &then->cache[j];
		if (!old)
			old = &none;
		if (!leaks(old, c))
			continue;
		ksft_print_msg("cache %s: %lu objects before, %lu after\n",
			       c->name, old->objects, c->objects);
		nr++;
	}
	return nr;
}

/* LIST: names with commas between. Others do not start; a name for none is an error. */
static void choose_jobs(char *list)
{
	unsigned int i, found;
	char *name;

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i].idle = true;
	for (name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		for (i = 0, found = 0; i < ARRAY_SIZE(jobs); i++) {
			if (strcmp(jobs[i].name, name))
				continue;
			jobs[i].idle = false;
			found++;
		}
		if (!found) {
			fprintf(stderr, "stress: no job '%s'; there are", name);
			for (i = 0; i < ARRAY_SIZE(jobs); i++)
				fprintf(stderr, " %s", jobs[i].name);
			fprintf(stderr, "\n");
			exit(2);
		}
	}
}

/* -a: has each event that there is been seen, some page reclaimed, and huge ones made? */
static bool all_seen(const struct resources *then)
{
	unsigned int i;

	for (i = 0; i < NR_COUNTS; i++)
		if (!sh->count[i] && !sh->skip[i][0] &&
		    (i != C_TOUCH_TIME || !populated))
			return false;
	for (i = 0; i < ARRAY_SIZE(sh->clocksource); i++)
		if (!sh->clocksource[i].count && sh->clocksource[i].name[0])
			return false;
	return vmstat("pgsteal_file") > then->stolen_file &&
	       vmstat("thp_fault_alloc") > then->huge &&
	       vmstat("thp_collapse_alloc") > then->collapsed;
}

/* A count that must not be 0; @why it may be, or "" */
static void must_be(unsigned long n, const char *what, const char *why)
{
	if (!n && *why && !all)
		ksft_test_result_skip("%s: %s\n", what, why);
	else
		ksft_test_result(n, "%s: %lu%s%s\n", what, n,
				 !n && *why ? ", " : "", n ? "" : why);
}

static void event_results(void)
{
	/* Each kind of page that a clock can have */
	static const char * const sources[] = { "tsc", "hpet", "kunit-pvclock" };
	const char *why = chosen ? "not by these jobs" : "";
	unsigned long *n = sh->count;
	unsigned int i, j;
	char what[64];

	for (i = 0; i < NR_COUNTS; i++) {
		if (i == C_TOUCH_TIME && populated)
			ksft_test_result(n[i] <= n[C_TOUCH] / 100,
					 "%s: %lu, it is populated\n",
					 count_text[i], n[i]);
		else
			must_be(n[i], count_text[i],
				sh->skip[i][0] ? sh->skip[i] : why);
	}
	for (i = 0; i < ARRAY_SIZE(sh->clocksource); i++) {
		snprintf(what, sizeof(what), "switches to clocksource %s",
			 sh->clocksource[i].name);
		if (sh->clocksource[i].name[0])
			must_be(sh->clocksource[i].count, what, why);
	}
	for (i = 0; all && i < ARRAY_SIZE(sources); i++) {
		for (j = 0; j < ARRAY_SIZE(sh->clocksource); j++)
			if (!strcmp(sh->clocksource[j].name, sources[i]))
				break;
		if (j == ARRAY_SIZE(sh->clocksource))
			ksft_test_result_fail("no clocksource %s\n",
					      sources[i]);
	}
}

static void resource_results(const struct resources *then,
			     const struct resources *after)
{
	const char *why = chosen ? "not by these jobs" : "";

	must_be(after->stolen_file - then->stolen_file +
		after->stolen_anon - then->stolen_anon, "pages reclaimed", why);
	if (meminfo_kb("SwapTotal:"))
		must_be(after->stolen_anon - then->stolen_anon,
			"anonymous pages reclaimed", why);
	else
		ksft_print_msg("no swap: of files only\n");
	must_be(after->huge - then->huge, "huge pages by faults", why);
	must_be(after->collapsed - then->collapsed, "huge pages by collapse",
		why);
	/* What runs beside us makes for some noise */
	ksft_test_result(after->page_tables <= then->page_tables + 64,
			 "page tables: %lu kB before, %lu kB after\n",
			 then->page_tables, after->page_tables);
	/* Each CPU keeps up to 31 to itself, in both numbers */
	ksft_test_result(after->files <= then->files + 64 +
			 62 * sysconf(_SC_NPROCESSORS_CONF),
			 "open files: %lu before, %lu after\n", then->files,
			 after->files);
	ksft_test_result(after->memtypes <= then->memtypes,
			 "memtype reservations: %lu before, %lu after\n",
			 then->memtypes, after->memtypes);
	/* Under KASAN what was freed stays; there kmemleak finds what was not */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		ksft_print_msg("slab caches: left to kmemleak\n");
	else
		ksft_test_result(after->nr_caches > 20 &&
				 !leaking_caches(then, after),
				 "slab caches as they were: %u\n",
				 after->nr_caches);
}

/* Their number */
static unsigned int results(const struct resources *then,
			    const struct resources *after, int kmsg,
			    unsigned int reports)
{
	event_results();
	ksft_test_result(!sh->wrong, "nothing wrong was seen: %lu\n",
			 sh->wrong);
	reports += splats(kmsg);
	if (kmsg < 0)
		must_be(0, "kernel's log", "no /dev/kmsg");
	else
		ksft_test_result(!reports, "no kernel reports: %u\n", reports);
	resource_results(then, after);
	return ksft_test_num();
}

int main(int argc, char **argv)
{
	struct timespec ts, end, last;
	static struct resources then, after;
	unsigned long seconds = 60;
	bool cut_short;
	char text[8];
	unsigned int i, reports = 0;
	int opt, kmsg;

	page = sysconf(_SC_PAGESIZE);
	if (argc == 4 && !strcmp(argv[1], "--check"))
		return exec_check(argv[2], argv[3]);

	now(CLOCK_REALTIME, &ts);
	seed = ts.tv_sec ^ (unsigned long)ts.tv_nsec << 20;
	while ((opt = getopt(argc, argv, "aj:s:h")) != -1) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'j':
			choose_jobs(optarg);
			chosen = true;
			break;
		case 's':
			seed = parse_number(optarg, "seed", 0, ULONG_MAX);
			break;
		default:
			fprintf(stderr,
				"usage: stress [-a|-j JOB,...] [-s SEED] [SECONDS, default 60]\n"
				"-a: all that there is must happen, nothing is skipped; up to 15 times as\n"
				"    long again, if the machine is too busy\n"
				"-j: only these jobs, and no count is wanted of the others\n");
			return opt == 'h' ? 0 : 2;
		}
	}
	if (optind < argc)
		seconds = parse_number(argv[optind++], "duration in seconds",
				       0, ULONG_MAX);
	if (optind < argc || !seconds || seconds > 1000000) {
		fprintf(stderr,
			"stress: one duration, 1 to 1000000 seconds, is wanted\n");
		return 2;
	}
	if (all && chosen) {
		fprintf(stderr,
			"stress: -a wants all jobs and -j only some: one of them\n");
		return 2;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root: time namespaces, CPU hotplug, clocksources\n");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	find_vdso();
	find_touchable();
	catch_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rnd_start(0);
	now(CLOCK_MONOTONIC, &ts);
	clock_floor = ts.tv_sec;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	ksft_print_msg("%lu s, seed %lu, %u vvar page(s)\n", seconds,
		       seed, vd.nr_touch);

	read_file("/sys/module/vvar/parameters/populate", text, sizeof(text));
	populated = text[0] == 'Y';
	peekable = text[0];
	read_file(MIN_FREE, min_free, sizeof(min_free));
	resources(&then);
	now(CLOCK_MONOTONIC, &ts);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		if (!jobs[i].idle)
			start(&jobs[i]);
	end = ts;
	end.tv_sec += seconds;
	last = end;
	last.tv_sec += all ? 15 * seconds : 0;
	while (!stopping() && (before(&ts, &end) ||
			       (before(&ts, &last) && !all_seen(&then)))) {
		sleep_ms(20 + rnd(400));
		i = rnd(ARRAY_SIZE(jobs));
		/*
		 * By the clock, while work is done at the CPU's speed: hardly any
		 * in the time that -a adds, or a slow machine gets nowhere
		 */
		if (jobs[i].killable && jobs[i].pid > 0 &&
		    (before(&ts, &end) || !rnd(16))) {
			kill(jobs[i].pid, SIGKILL);
			counted(KILL);
		}
		while (reap_any())
			;
		/* As we go: the log is a ring */
		reports += splats(kmsg);
		now(CLOCK_MONOTONIC, &ts);
	}
	cut_short = stopping();
	stop_all();
	write_file(MIN_FREE, min_free);
	resources(&after);

	/* The plan is what there is to count */
	ksft_set_plan(results(&then, &after, kmsg, reports));
	if (cut_short)
		ksft_exit_fail_msg("stopped by a signal\n");
	ksft_finished();
}
