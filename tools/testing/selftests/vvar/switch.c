// SPDX-License-Identifier: GPL-2.0
/*
 * Readers, while the clocksource goes round tsc, hpet, kunit-pvclock: pages of
 * vvar come and go under them. Time neither jumps (the vDSO's lies between two
 * system calls') nor runs back, for any of them.
 *
 * Four more are in a sandbox: a seccomp filter kills who asks the kernel for the
 * time. A page is there before its mode is, and goes after that: the vDSO never
 * has to ask, and none dies. One is in a time namespace, and one has children,
 * whose pages are not there yet.
 *
 *   switch [SWITCHES]	(default 1000)
 *
 * hpet takes vdso_hpet=1 on the kernel's command line: without, it has no page,
 * and a guest in which all CPUs do nothing but read_hpet() can stall for
 * minutes. Switches the clocksource: meant for a guest. Built for 64 bits, x32
 * and 32 bits.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "clocksource.h"
#include "number.h"

#ifndef __aligned
#define __aligned(x)	__attribute__((__aligned__(x)))
#endif

#define THREADS		4
#define READERS		8
#define SANDBOXED	4
#define ALL		(READERS + SANDBOXED)
/* An emulated CPU, busy with something else, can take a while */
#define WAIT_MS		5000
#define PAUSES		100
/* Ends a test that hangs */
#define LIMIT		600

/* One reader's, written by it alone */
struct reader {
	struct bracket clock[NR_CLOCKS];
	uint64_t rounds;
} __aligned(128);

static struct shared {
	struct reader reader[ALL];
	struct {
		int way;	/* that it is at */
		int64_t back[2];
	} sandboxed[SANDBOXED];
	int stop;
} *shared;

static void *read_clocks(void *arg)
{
	struct reader *r = arg;
	unsigned int i;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < NR_CLOCKS; i++)
			bracket_read(&r->clock[i], clock_names[i].id);
		__atomic_store_n(&r->rounds, r->rounds + 1, __ATOMIC_RELAXED);
		/*
		 * QEMU has one lock for all devices, and who reads registers
		 * without a break keeps its timers from expiring
		 */
		for (i = 0; i < PAUSES; i++)
			__builtin_ia32_pause();
	}
	return NULL;
}

/* What a program has for the time, by libc, which calls into the vDSO */
static const struct way {
	const char *name;
	clockid_t clock;
} ways[] = {
	{ "CLOCK_MONOTONIC", CLOCK_MONOTONIC },
	{ "CLOCK_REALTIME", CLOCK_REALTIME },
	{ "CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW },
	{ "CLOCK_BOOTTIME", CLOCK_BOOTTIME },
	{ "CLOCK_TAI", CLOCK_TAI },
	{ "CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE },
	{ "CLOCK_REALTIME_COARSE", CLOCK_REALTIME_COARSE },
	{ "gettimeofday", -1 },
	{ "time", -2 },
};

#define NR_WAYS		ARRAY_SIZE(ways)

static int64_t read_way(const struct way *way)
{
	struct timeval tv;

	switch (way->clock) {
	case -1:
		gettimeofday(&tv, NULL);
		return tv.tv_sec * NSEC + tv.tv_usec * 1000LL;
	case -2:
		return time(NULL) * NSEC;
	default:
		return clock_vdso(way->clock);
	}
}

/* From here on, whoever asks the kernel for the time is killed */
static bool enter_sandbox(void)
{
	static const unsigned int calls[] = {
		SYS_clock_gettime, SYS_gettimeofday, SYS_time,
#ifdef SYS_clock_gettime64
		SYS_clock_gettime64,
#endif
	};
	struct sock_filter filter[2 * ARRAY_SIZE(calls) + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(filter),
		.filter = filter,
	};
	unsigned int i, n = 1;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		filter[n++] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		filter[n++] = (struct sock_filter)
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	filter[n++] = (struct sock_filter)
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void sandbox_round(unsigned int s, int64_t *last)
{
	unsigned int i;

	for (i = 0; i < NR_WAYS; i++) {
		int64_t now;

		__atomic_store_n(&shared->sandboxed[s].way, i, __ATOMIC_RELAXED);
		now = read_way(&ways[i]);
		if (now < last[i]) {
			shared->sandboxed[s].back[0] = last[i];
			shared->sandboxed[s].back[1] = now;
			_exit(2);
		}
		last[i] = now;
	}
}

#define TIMENS		1
#define CHILDREN	2

static const char * const sandbox_name[SANDBOXED] = {
	"in a sandbox", "in a sandbox and a time namespace",
	"in a sandbox, with children", "in a sandbox",
};

static void read_in_sandbox(unsigned int s)
{
	struct reader *r = &shared->reader[READERS + s];
	int64_t last[NR_WAYS] = { 0 };
	unsigned int i;
	int status;
	pid_t pid;

	if (!enter_sandbox())
		_exit(1);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		if (s == CHILDREN) {
			pid = fork();
			if (!pid) {
				sandbox_round(s, last);
				_exit(0);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				_exit(3);
			if (WIFSIGNALED(status))
				raise(WTERMSIG(status));
			if (status)
				_exit(WEXITSTATUS(status));
		} else {
			sandbox_round(s, last);
		}
		__atomic_store_n(&r->rounds, r->rounds + 1, __ATOMIC_RELAXED);
		for (i = 0; i < PAUSES; i++)
			__builtin_ia32_pause();
	}
	_exit(0);
}

/* The sandboxed process; 0 without a time namespace to put it in */
static pid_t start_sandboxed(unsigned int s)
{
	pid_t pid;

	if (s == TIMENS && unshare(CLONE_NEWTIME))
		return 0;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_in_sandbox(s);
	}
	/* The next one's namespace is this process's own again */
	if (s == TIMENS) {
		int fd = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || setns(fd, CLONE_NEWTIME))
			ksft_exit_fail_msg("no way back from a time namespace: %s\n",
					   strerror(errno));
		close(fd);
	}
	return pid;
}

/* What the others' survival says something by */
static void test_sandbox(void)
{
	static const char * const call[] = { "clock_gettime", "gettimeofday",
					     "time" };
	unsigned int i, killed = 0;
	int status;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(call); i++) {
		pid = fork();
		if (!pid) {
			if (!enter_sandbox())
				_exit(1);
			if (i == 0)
				clock_syscall(CLOCK_MONOTONIC);
			else if (i == 1)
				syscall(SYS_gettimeofday, NULL, NULL);
			else
				syscall(SYS_time, NULL);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid ||
		    !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			ksft_print_msg("%s: status %#x\n", call[i], status);
		else
			killed++;
	}
	ksft_test_result(killed == i, "the sandbox kills who makes one of %u system calls\n",
			 i);
}

/* Which of them have died, and at what */
static void report_sandboxed(const pid_t *pid)
{
	unsigned int s;
	int status;

	for (s = 0; s < SANDBOXED; s++) {
		const char *way = ways[shared->sandboxed[s].way].name;

		if (!pid[s]) {
			ksft_test_result_skip("reader %s: no CONFIG_TIME_NS\n",
					      sandbox_name[s]);
			continue;
		}
		if (waitpid(pid[s], &status, 0) != pid[s])
			status = -1;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			ksft_print_msg("killed: the vDSO made a system call for %s\n",
				       way);
		else if (status == 2 << 8)
			ksft_print_msg("%s runs back: %lld after %lld\n", way,
				       (long long)shared->sandboxed[s].back[1],
				       (long long)shared->sandboxed[s].back[0]);
		else if (status)
			ksft_print_msg("at %s: status %#x\n", way, status);
		ksft_test_result(!status, "reader %s lives: %llu rounds\n",
				 sandbox_name[s],
				 (unsigned long long)shared->reader[READERS + s].rounds);
	}
}

static uint64_t rounds(unsigned int reader)
{
	return __atomic_load_n(&shared->reader[reader].rounds,
			       __ATOMIC_RELAXED);
}

/* Has every reader gone round since, and gone on? */
static bool all_go_on(void)
{
	uint64_t was[READERS];
	unsigned int i;
	int ms;

	for (i = 0; i < READERS; i++)
		was[i] = rounds(i);
	for (i = 0; i < READERS; i++) {
		for (ms = WAIT_MS; rounds(i) == was[i] && ms; ms--)
			usleep(1000);
		if (!ms)
			return false;
	}
	return true;
}

static struct source {
	const char *name;
	bool have;
	unsigned int times;
	unsigned int pages;	/* times that its registers were seen mapped */
} sources[] = {
	{ .name = "tsc" },
	{ .name = "hpet" },
	{ .name = "kunit-pvclock" },
	{ .name = "kvm-clock" },
};

#define NR_SOURCES	ARRAY_SIZE(sources)

int main(int argc, char **argv)
{
	unsigned int i, reader, nr = 0, done = 0, refused = 0, registers = 0;
	unsigned long switches = 1000;
	uint64_t before[READERS];
	pthread_t thread[THREADS];
	pid_t pid[READERS], sandboxed[SANDBOXED];
	struct areas as;
	struct sched_param fifo = { .sched_priority = 1 };
	bool look, moving;
	int64_t began;

	if (argc == 2) {
		switches = parse_number(argv[1], "switches", 1, 1000000);
	} else if (argc > 2) {
		fprintf(stderr, "usage: switch [SWITCHES]\n");
		return 2;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("not root: clocksources are root's\n");
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	look = areas_io_page(&as) != AREAS_UNKNOWN;
	clocksource_settle();
	for (i = 0; i < NR_SOURCES; i++) {
		sources[i].have = clocksource_available(sources[i].name);
		if (!strcmp(sources[i].name, "hpet") && sources[i].have &&
		    !cmdline_wants_hpet()) {
			ksft_print_msg("no vdso_hpet=1: hpet is left out\n");
			sources[i].have = false;
		}
		nr += sources[i].have;
	}
	if (nr < 2)
		ksft_exit_skip("fewer than two clocksources to switch between\n");
	if (!clocksource_keep())
		ksft_exit_fail_msg("cannot write " CLOCKSOURCE "current_clocksource: %s\n",
				   strerror(errno));
	alarm(LIMIT);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	ksft_set_plan(NR_CLOCKS * (1 + nr) + 4 + SANDBOXED + nr);
	test_sandbox();
	for (i = 0; i < NR_SOURCES; i++) {
		if (!sources[i].have)
			continue;
		if (!clocksource_switch(sources[i].name))
			ksft_exit_fail_msg("cannot switch to clocksource %s\n",
					   sources[i].name);
		clocks_report_calls(sources[i].name, 0, 0);
	}
	for (i = 0; i < SANDBOXED; i++) {
		sandboxed[i] = start_sandboxed(i);
		if (sandboxed[i] < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	}
	/* Processes first: they would have copies of the threads' mappings */
	for (i = THREADS; i < READERS; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			read_clocks(&shared->reader[i]);
			_exit(0);
		}
		if (pid[i] < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	}
	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, read_clocks,
				   &shared->reader[i]))
			ksft_exit_fail_msg("cannot make a thread\n");
	}
	moving = all_go_on();
	for (i = 0; i < READERS; i++)
		before[i] = rounds(i);

	/* The readers leave no CPU idle: not to wait for one each time */
	if (sched_setscheduler(0, SCHED_FIFO, &fifo))
		ksft_print_msg("no real-time priority: %s\n", strerror(errno));
	began = clock_syscall(CLOCK_MONOTONIC_RAW);
	for (i = 0; done + refused < switches; i = (i + 1) % NR_SOURCES) {
		struct source *s = &sources[i];

		if (!s->have)
			continue;
		if (!clocksource_switch(s->name)) {
			refused++;
			continue;
		}
		done++;
		s->times++;
		if (look && !strcmp(s->name, "hpet") &&
		    s->times % 16 == 2) {
			registers++;
			areas_touch(&as);
			s->pages += areas_io_page(&as) != 0;
		}
		/* In every other round readers have time to use what has come */
		if (!(s->times & 1))
			usleep(20000);
	}
	ksft_print_msg("%u switches in %.1f s\n", done,
		       (double)(clock_syscall(CLOCK_MONOTONIC_RAW) - began) / 1e9);
	for (i = 0; i < READERS; i++) {
		ksft_print_msg("reader %u, a %s: %llu rounds during the switches\n",
			       i, i < THREADS ? "thread" : "process",
			       (unsigned long long)(rounds(i) - before[i]));
		moving = moving && rounds(i) != before[i];
	}
	moving = all_go_on() && moving;
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = THREADS; i < READERS; i++) {
		int status = child_status(pid[i]);

		if (status) {
			ksft_print_msg("reader %u died: status %#x\n", i,
				       status);
			moving = false;
		}
	}

	report_sandboxed(sandboxed);
	ksft_test_result(done == switches, "%u of %lu switches done, %u refused\n",
			 done, switches, refused);
	ksft_test_result(moving, "all %d readers make progress\n", READERS);
	for (i = 0; i < NR_SOURCES; i++) {
		if (sources[i].have)
			ksft_test_result(sources[i].times || switches < nr,
					 "clocksource %s: %u times\n",
					 sources[i].name, sources[i].times);
	}
	if (registers)
		ksft_test_result(sources[1].pages == registers,
				 "registers of the hpet seen mapped in %u of %u looks\n",
				 sources[1].pages, registers);
	else
		ksft_test_result_skip("registers of the hpet: %s\n",
				      !look ? "no page_tables in debugfs" :
				      !sources[1].have ? "no vdso_hpet=1" :
				      "too few switches to look");
	for (i = 0; i < NR_CLOCKS; i++) {
		struct bracket sum = shared->reader[0].clock[i];

		for (reader = 1; reader < READERS; reader++)
			bracket_add(&sum, &shared->reader[reader].clock[i]);
		bracket_report(&sum, clock_names[i].name);
	}
	ksft_finished();
}
