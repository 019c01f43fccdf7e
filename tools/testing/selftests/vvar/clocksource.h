/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests that switch clocksources: do it, put the first one back at the
 * end, read clocks by the vDSO and by the system call, and look for device
 * registers in a process.
 */
#ifndef VVAR_CLOCKSOURCE_H
#define VVAR_CLOCKSOURCE_H

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "../kselftest.h"
#include "areas.h"
#include "process.h"

#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/"
#define NSEC		1000000000LL

static char clocksource_first[32];

/* The file's first line, without its end */
static inline bool clocksource_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "r");
	bool read = f && fgets(line, size, f);

	if (f)
		fclose(f);
	if (read)
		line[strcspn(line, "\n")] = 0;
	return read;
}

static inline bool clocksource_is(const char *name)
{
	char now[32];

	return clocksource_line(CLOCKSOURCE "current_clocksource", now,
				sizeof(now)) && !strcmp(now, name);
}

static inline bool clocksource_available(const char *name)
{
	char all[256], *save = NULL, *word;

	if (!clocksource_line(CLOCKSOURCE "available_clocksource", all,
			      sizeof(all)))
		return false;
	for (word = strtok_r(all, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (!strcmp(word, name))
			return true;
	}
	return false;
}

/* Only calls that a signal handler may make */
static inline bool clocksource_write(const char *name)
{
	return put_text(CLOCKSOURCE "current_clocksource", name);
}

/* The kernel may well take the write and stay with what it has */
static inline bool clocksource_switch(const char *name)
{
	return clocksource_write(name) && clocksource_is(name);
}

static inline void clocksource_restore(void)
{
	clocksource_write(clocksource_first);
}

static inline void clocksource_killed(int sig)
{
	clocksource_restore();
	_exit(128 + sig);
}

/* vdso_hpet=1? The last one counts, as for the kernel */
static inline bool cmdline_wants_hpet(void)
{
	char line[4096], *save = NULL, *word;
	bool on = false;

	if (!clocksource_line("/proc/cmdline", line, sizeof(line)))
		return false;
	for (word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (!strncmp(word, "vdso_hpet=", 10))
			on = strchr("1yYtT", word[10]) ||
			     !strncasecmp(word + 10, "on", 2);
	}
	return on;
}

/*
 * The TSC's clocksource comes a second after boot, once calibrated, and takes
 * over from tsc-early
 */
static inline void clocksource_settle(void)
{
	int tries = 500;

	while (clocksource_is("tsc-early") && tries--)
		usleep(10000);
}

/* Remember the one in use, to be put back however this process ends */
static inline bool clocksource_keep(void)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGTERM, SIGALRM };
	unsigned int i;

	if (!clocksource_line(CLOCKSOURCE "current_clocksource",
			      clocksource_first, sizeof(clocksource_first)) ||
	    !clocksource_write(clocksource_first))
		return false;
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		signal(sigs[i], clocksource_killed);
	return !atexit(clocksource_restore);
}

/*
 * The ABI's system call with 64-bit seconds, whatever libc's structure. Not by
 * libc's clock_gettime(), which goes by the vDSO.
 */
static inline int64_t clock_syscall(clockid_t id)
{
#ifdef __i386__
	struct {
		int64_t tv_sec;
		int64_t tv_nsec;
	} t;
	long nr = SYS_clock_gettime64;
#else
	struct timespec t;
	long nr = SYS_clock_gettime;
#endif

	if (syscall(nr, id, &t))
		return -1;
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* libc's, which calls into the vDSO: a test has to check that it does */
static inline int64_t clock_vdso(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t))
		return -1;
	return (int64_t)t.tv_sec * NSEC + t.tv_nsec;
}

static const struct clock_name {
	clockid_t id;
	const char *name;
} clock_names[] = {
	{ CLOCK_MONOTONIC, "CLOCK_MONOTONIC" },
	{ CLOCK_REALTIME, "CLOCK_REALTIME" },
	{ CLOCK_MONOTONIC_RAW, "CLOCK_MONOTONIC_RAW" },
	{ CLOCK_BOOTTIME, "CLOCK_BOOTTIME" },
};

#define NR_CLOCKS	ARRAY_SIZE(clock_names)

/* System calls of clock_gettime() by a child of clock_count_calls() */
static volatile sig_atomic_t clock_trapped;

/* The call does not happen: it returns what this puts in its register */
static inline void clock_on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

#if defined(__aarch64__)
	uc->uc_mcontext.regs[0] = -EINVAL;
#elif defined(__i386__)
	uc->uc_mcontext.gregs[REG_EAX] = -EINVAL;
#elif defined(__riscv)
	uc->uc_mcontext.__gregs[REG_A0] = -EINVAL;
#else
	uc->uc_mcontext.gregs[REG_RAX] = -EINVAL;
#endif
	clock_trapped++;
}

static inline bool clock_trap_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
#ifdef SYS_clock_gettime64
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime64, 1, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(filter),
		.filter = filter,
	};
	struct sigaction sa = {
		.sa_sigaction = clock_on_trap,
		.sa_flags = SA_SIGINFO,
	};

	return !sigaction(SIGSYS, &sa, NULL) &&
	       !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/*
 * How many of so many reads of a clock were system calls; -1 if that can't be
 * counted, -2 if a read failed without one. In a child, for the filter stays.
 */
static inline long clock_count_calls(clockid_t id, long reads)
{
	long result[2] = { -1, 0 }, i;
	int out[2];
	pid_t pid;

	if (pipe(out))
		return -1;
	pid = fork();
	if (!pid) {
		/* The filter sees what it is meant to see, once a call */
		if (!clock_trap_calls() || clock_syscall(id) != -1 ||
		    clock_trapped != 1)
			_exit(1);
		clock_trapped = 0;
		for (i = 0; i < reads; i++)
			result[1] += clock_vdso(id) < 0;
		result[0] = clock_trapped;
		_exit(write(out[1], result, sizeof(result)) != sizeof(result));
	}
	close(out[1]);
	if (read(out[0], result, sizeof(result)) != sizeof(result))
		result[0] = -1;
	close(out[0]);
	if (child_status(pid))
		return -1;
	return result[0] == result[1] ? result[0] : -2;
}

#define CLOCK_CALLS	10000

/* The verdict for each clock: at least and at most so many of CLOCK_CALLS */
static inline void clocks_report_calls(const char *source, long least, long most)
{
	unsigned int i;

	for (i = 0; i < NR_CLOCKS; i++) {
		const char *name = clock_names[i].name;
		long n = clock_count_calls(clock_names[i].id, CLOCK_CALLS);

		if (n < 0)
			ksft_test_result_fail("%s, %s: %s\n", name, source,
					      n == -1 ? "cannot count" :
					      "a read failed");
		else
			ksft_test_result(n >= least && n <= most,
					 "%s, %s: %ld system calls in %d reads, %ld to %ld\n",
					 name, source, n, CLOCK_CALLS, least,
					 most);
	}
}

/* One reader's check of one clock: what it saw, and what was wrong */
struct bracket {
	int64_t last;
	uint64_t reads;
	uint64_t low, high;	/* the vDSO outside of its two system calls */
	uint64_t back;		/* before what this reader saw before */
	uint64_t failed;
	int64_t width;		/* the narrowest bracket, in ns */
	int64_t bad[4];		/* the first that was wrong */
};

/*
 * System call, vDSO, system call: the second lies between the others, so it
 * differs from the system call by less than a read takes, and all three come
 * after the bracket before.
 */
static inline void bracket_read(struct bracket *b, clockid_t id)
{
	int64_t before = clock_syscall(id), v = clock_vdso(id);
	int64_t after = clock_syscall(id);
	bool wrong = true;

	if (before < 0 || v < 0 || after < 0)
		b->failed++;
	else if (before < b->last)
		b->back++;
	else if (v < before)
		b->low++;
	else if (v > after)
		b->high++;
	else
		wrong = false;
	if (wrong && !b->bad[1]) {
		b->bad[0] = b->last;
		b->bad[1] = before;
		b->bad[2] = v;
		b->bad[3] = after;
	}
	if (!b->reads++ || after - before < b->width)
		b->width = after - before;
	if (after > b->last)
		b->last = after;
}

static inline void bracket_add(struct bracket *sum, const struct bracket *b)
{
	if (b->reads && (!sum->reads || b->width < sum->width))
		sum->width = b->width;
	sum->reads += b->reads;
	sum->low += b->low;
	sum->high += b->high;
	sum->back += b->back;
	sum->failed += b->failed;
	if (!sum->bad[1])
		memcpy(sum->bad, b->bad, sizeof(sum->bad));
}

/* The verdict, as a test */
static inline void bracket_report(const struct bracket *b, const char *name)
{
	bool ok = b->reads && !b->low && !b->high && !b->back && !b->failed;

	if (b->bad[1])
		ksft_print_msg("%s: first wrong: last %lld, call %lld, vDSO %lld, call %lld\n",
			       name, (long long)b->bad[0],
			       (long long)b->bad[1], (long long)b->bad[2],
			       (long long)b->bad[3]);
	ksft_test_result(ok, "%s: %llu reads lie between two system calls (%lld ns at best)\n",
			 name, (unsigned long long)b->reads,
			 (long long)b->width);
	if (!ok)
		ksft_print_msg("%s: %llu before them, %llu after, %llu back, %llu failed\n",
			       name, (unsigned long long)b->low,
			       (unsigned long long)b->high,
			       (unsigned long long)b->back,
			       (unsigned long long)b->failed);
}

#define AREAS_UNKNOWN	(-1UL)

/*
 * Device registers in this process's areas, told by the bit for "not cached"
 * in a PTE; 0 for none, AREAS_UNKNOWN if the kernel doesn't show page tables.
 * pagemap has no answer: it passes over VM_PFNMAP. This looks without touching.
 */
static inline unsigned long areas_io_page(const struct areas *as)
{
	unsigned long long start, end;
	char line[256];
	unsigned long found = 0;
	unsigned int i;
	FILE *f;

	f = fopen("/sys/kernel/debug/page_tables/current_user", "r");
	if (!f)
		f = fopen("/sys/kernel/debug/page_tables/current_kernel", "r");
	if (!f)
		return AREAS_UNKNOWN;
	while (!found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx", &start, &end) != 2 ||
		    !strstr(line, " USR ") || !strstr(line, " PCD "))
			continue;
		for (i = 0; i < as->nr; i++) {
			if (start >= as->area[i].start &&
			    start < as->area[i].end)
				found = start;
		}
	}
	fclose(f);
	return found;
}

/*
 * A PTE of a process, 0 for this one, seen from outside and without a touch: 0
 * for none, AREAS_NO_PTE if the kernel doesn't say
 */
#define AREAS_NO_PTE	(~0ULL)

static inline unsigned long long areas_pte(pid_t pid, unsigned long addr)
{
	unsigned long long pte = AREAS_NO_PTE;
	char text[64], *end;
	int fd = open("/sys/kernel/debug/vvar/pte", O_RDWR | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%d %lx", pid, addr);

	if (fd < 0)
		return pte;
	if (write(fd, text, len) == len) {
		len = pread(fd, text, sizeof(text) - 1, 0);
		text[len > 0 ? len : 0] = 0;
		pte = strtoull(text, &end, 16);
		if (end == text)
			pte = AREAS_NO_PTE;
	}
	close(fd);
	return pte;
}

#endif /* VVAR_CLOCKSOURCE_H */
