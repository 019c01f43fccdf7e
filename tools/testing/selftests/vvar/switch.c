// SPDX-License-Identifier: GPL-2.0
/*
 * Eight readers, four threads and four processes, while the clocksource goes
 * round tsc, hpet, kunit-pvclock: pages of vvar come and go under them. Each is
 * read by the vDSO, without a system call, once its page has come. Time neither
 * jumps (the vDSO's lies between two system calls') nor runs back, for
 * any of them.
 *
 *   switch [SWITCHES]	(default 1000)
 *
 * hpet takes vdso_hpet=1 on the kernel's command line: without, it has no page,
 * and a guest in which all CPUs do nothing but read_hpet() can stall for
 * minutes. Switches the clocksource: meant for a guest.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "clocksource.h"

#ifndef __aligned
#define __aligned(x)	__attribute__((__aligned__(x)))
#endif

#define THREADS		4
#define READERS		8
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
	struct reader reader[READERS];
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
	int calls;		/* at most, in CLOCK_CALLS reads of a clock */
	bool have;
	unsigned int times;
	unsigned int pages;	/* times that its registers were seen mapped */
} sources[] = {
	{ .name = "tsc" },
	/* A counter that reads 0 could be the tombstone */
	{ .name = "hpet", .calls = 1 },
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
	pid_t pid[READERS];
	struct areas as;
	struct sched_param fifo = { .sched_priority = 1 };
	bool look, moving;
	int64_t began;
	char *end;

	if (argc == 2) {
		switches = strtoul(argv[1], &end, 10);
		if (end == argv[1] || *end || !switches || switches > 1000000) {
			fprintf(stderr, "switch: '%s': not a number from 1 to 1000000\n",
				argv[1]);
			return 2;
		}
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
	ksft_set_plan(NR_CLOCKS * (1 + nr) + 3 + nr);
	for (i = 0; i < NR_SOURCES; i++) {
		if (!sources[i].have)
			continue;
		if (!clocksource_switch(sources[i].name))
			ksft_exit_fail_msg("cannot switch to clocksource %s\n",
					   sources[i].name);
		clocks_wait_for_vdso(WAIT_MS);
		clocks_report_calls(sources[i].name, 0, sources[i].calls);
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
		/*
		 * In every other round readers have time to use what has come,
		 * otherwise the next switch overtakes its work item
		 */
		if (s->times & 1)
			continue;
		usleep(20000);
		if (look && !strcmp(s->name, "hpet") &&
		    s->times % 16 == 2) {
			registers++;
			s->pages += areas_wait_for_io_page(&as, WAIT_MS) != 0;
		}
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
		int status;

		if (waitpid(pid[i], &status, 0) != pid[i] || status) {
			ksft_print_msg("reader %u died: status %#x\n", i,
				       status);
			moving = false;
		}
	}

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
