// SPDX-License-Identifier: GPL-2.0
/*
 * A slot is replaced while many processes that sleep have it mapped, and one
 * forks in a loop: how long does the replace take, and how long does a fork that
 * it meets, which has to link the child's VMAs into the same i_mmap?
 *
 *   replace_wait [PROCESSES [REPLACES [alone]]]	(default 2000, 20)
 *
 * alone: nobody forks.
 *
 * Prints lines of name, count, median, p99 and max in ns, for
 * scripts/figures/replace-figures. In the last, faults of those that sleep, woken
 * to touch the replaced page: one a replace. Fails if a page is seen that was
 * replaced.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "areas.h"
#include "number.h"
#include "process.h"

#define REPLACE		"/sys/kernel/debug/vvar/replace"
/* The last word of what is replaced there is 0, or else that of a page */
#define VVAR_DEAD	0x44414544UL
#define MAX_SAMPLES	200000
#define MAX_REPLACES	1000

static struct shared {
	unsigned int round;		/* futex: those that sleep wait for it */
	unsigned int ready;		/* of them, in this round */
	unsigned int stop;
	unsigned int replaces;		/* odd while one is running */
	unsigned long faults, dead;
	unsigned int nr[2];		/* forks: alone, beside a replace */
	uint64_t fork[2][MAX_SAMPLES];
} *sh;

static const char *slot_page;

static void fail(const char *what)
{
	fprintf(stderr, "replace_wait: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static long minflt(void)
{
	return minor_faults(RUSAGE_SELF);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void sleeper(void)
{
	unsigned int round = 0;
	long before;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way of the one that forks */
	pin(1);
	/* What fork has left to fault in is not what is counted */
	minflt();
	__atomic_load_n(&sh->faults, __ATOMIC_RELAXED);
	for (;;) {
		unsigned long word;

		__atomic_add_fetch(&sh->ready, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&sh->round, __ATOMIC_SEQ_CST) == round)
			syscall(SYS_futex, &sh->round, FUTEX_WAIT, round, NULL);
		round++;
		before = minflt();
		word = *(volatile unsigned long *)(slot_page + AREAS_PAGE -
						   sizeof(long));
		before = minflt() - before;
		if (round > 1)
			__atomic_add_fetch(&sh->faults, before,
					   __ATOMIC_RELAXED);
		if (word == VVAR_DEAD)
			__atomic_add_fetch(&sh->dead, 1, __ATOMIC_RELAXED);
	}
}

/* All touch the page, and sleep again */
static void wake_all(unsigned int nr)
{
	__atomic_store_n(&sh->ready, 0, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&sh->round, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &sh->round, FUTEX_WAKE, nr, NULL);
	while (__atomic_load_n(&sh->ready, __ATOMIC_SEQ_CST) < nr)
		usleep(1000);
	/* From its count to its sleep */
	usleep(20000);
}

static unsigned int replaces(void)
{
	return __atomic_load_n(&sh->replaces, __ATOMIC_SEQ_CST);
}

/*
 * Forks until it is told to stop. Those that a replace met count apart. What it
 * waits for is to be locks, not other processes' turns.
 */
static void forker(void)
{
	struct sched_param fifo = { .sched_priority = 1 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(0);
	if (sched_setscheduler(0, SCHED_FIFO, &fifo))
		fail("SCHED_FIFO");
	while (!__atomic_load_n(&sh->stop, __ATOMIC_RELAXED)) {
		unsigned int met = replaces(), kind;
		uint64_t begin = now(), took;
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		took = now() - begin;
		if (pid < 0)
			fail("fork");
		waitpid(pid, NULL, 0);
		kind = met & 1 || met != replaces();
		if (sh->nr[kind] < MAX_SAMPLES)
			sh->fork[kind][sh->nr[kind]++] = took;
	}
	_exit(0);
}

static int cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, uint64_t *val, unsigned int n)
{
	if (!n) {
		printf("%s\t0\t0\t0\t0\n", name);
		return;
	}
	qsort(val, n, sizeof(*val), cmp);
	printf("%s\t%u\t%llu\t%llu\t%llu\n", name, n,
	       (unsigned long long)val[(n - 1) / 2],
	       (unsigned long long)val[(n - 1) * 99 / 100],
	       (unsigned long long)val[n - 1]);
}

/* One page comes in the place of the tombstone, and goes again */
static uint64_t replace(int fd)
{
	uint64_t begin;

	__atomic_add_fetch(&sh->replaces, 1, __ATOMIC_SEQ_CST);
	begin = now();
	if (write(fd, "1", 1) != 1)
		fail(REPLACE);
	begin = now() - begin;
	__atomic_add_fetch(&sh->replaces, 1, __ATOMIC_SEQ_CST);
	return begin;
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ?
		parse_number(argv[1], "processes", 1, INT_MAX) : 2000;
	unsigned int rounds = argc > 2 ?
		parse_number(argv[2], "rounds", 1, MAX_REPLACES) : 20;
	static uint64_t mapped[MAX_REPLACES], unmapped[MAX_REPLACES];
	const bool alone = argc == 4 && !strcmp(argv[3], "alone");
	struct areas as;
	unsigned int i;
	int fd;
	pid_t pid;

	if (argc > 3 + alone) {
		fprintf(stderr, "usage: replace_wait [PROCESSES [REPLACES [alone]]]\n");
		return 2;
	}
	fd = open(REPLACE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fail(REPLACE);
	if (!areas_find(&as, 0))
		fail("/proc/self/maps");
	slot_page = (char *)areas_replaced(&as);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (sh == MAP_FAILED)
		fail("mmap");
	for (i = 0; i < nr; i++) {
		/* On both CPUs: into each shard */
		pin(i);
		pid = fork();
		if (!pid)
			sleeper();
		if (pid < 0)
			fail("fork");
	}
	while (__atomic_load_n(&sh->ready, __ATOMIC_SEQ_CST) < nr)
		usleep(1000);
	wake_all(nr);
	replace(fd);
	pin(1);

	pid = alone ? 0 : fork();
	if (!pid && !alone)
		forker();
	sleep(alone ? 0 : 5);
	for (i = 0; i < rounds; i++) {
		wake_all(nr);
		mapped[i] = replace(fd);
	}
	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELAXED);
	if (pid && child_status(pid))
		fail("the process that forks");
	for (i = 0; i < rounds; i++)
		unmapped[i] = replace(fd);
	print("replace", mapped, rounds);
	print("replace.none_mapped", unmapped, rounds);
	print("fork", sh->fork[0], sh->nr[0]);
	print("fork.beside", sh->fork[1], sh->nr[1]);
	wake_all(nr);
	printf("faults\t%u\t%.2f\n", nr * (rounds + 1),
	       (double)sh->faults / nr / (rounds + 1));
	if (sh->dead)
		fprintf(stderr, "replace_wait: %lu times, a page that was replaced\n",
			sh->dead);
	return sh->dead != 0;
}
