// SPDX-License-Identifier: GPL-2.0
/*
 * Readers while the machine suspends, with each clocksource in turn: all tasks
 * are frozen, devices suspended, CPUs but one taken off line, timekeeping and
 * clocksources stopped and resumed. pm_test=core goes as far as the firmware's
 * part, and needs nothing to wake it. Then the vDSO's time lies between two
 * system calls', and none runs back.
 *
 *   suspend [TIMES]	(default 3, of each clocksource)
 *
 * Meant for a guest. virtio-9p has no resume, so neither this program nor what
 * it opens may lie there:
 *
 *   cp suspend /dev/shm; exec /dev/shm/suspend
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/wait.h>

#include "clocksource.h"
#include "number.h"

#define READERS		4
#define LIMIT		300

static const char * const sources[] = {
	"tsc", "hpet", "kunit-pvclock", "kvm-clock"
};

/* One reader's, written by it alone */
static struct shared {
	struct bracket clock[READERS][NR_CLOCKS];
	unsigned int rounds[READERS];
	int stop;
} *shared;

static void read_clocks(unsigned int reader)
{
	unsigned int i;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < NR_CLOCKS; i++)
			bracket_read(&shared->clock[reader][i],
				     clock_names[i].id);
		__atomic_add_fetch(&shared->rounds[reader], 1, __ATOMIC_RELAXED);
		/* Leave QEMU's lock for devices to others: see switch.c */
		usleep(100);
	}
}

static bool all_go_on(void)
{
	unsigned int was, i;
	int ms;

	for (i = 0; i < READERS; i++) {
		was = __atomic_load_n(&shared->rounds[i], __ATOMIC_RELAXED);
		for (ms = 5000; ms; ms--) {
			if (__atomic_load_n(&shared->rounds[i],
					    __ATOMIC_RELAXED) != was)
				break;
			usleep(1000);
		}
		if (!ms)
			return false;
	}
	return true;
}

static bool set(const char *path, const char *text)
{
	bool written = put_text(path, text);
	int err = errno;

	if (!written)
		ksft_print_msg("%s: %s: %s\n", path, text, strerror(err));
	errno = err;
	return written;
}

/* Busy: not all tasks could be frozen, or something woke the machine */
static bool suspend(void)
{
	unsigned int tries;

	for (tries = 0; tries < 3; tries++) {
		if (set("/sys/power/state", "mem"))
			return true;
		if (errno != EBUSY && errno != EAGAIN)
			break;
		sleep(1);
	}
	return false;
}

/* As the kernel counts them */
static long suspends(void)
{
	char line[32];

	return clocksource_line("/sys/power/suspend_stats/success", line,
				sizeof(line)) ? atol(line) : -1;
}

int main(int argc, char **argv)
{
	unsigned long times = argc > 1 ?
		parse_number(argv[1], "times", 1, 1000) : 3;
	unsigned int i, s, n, nr = 0;
	pid_t pid[READERS];
	struct areas as;
	int status;

	if (argc > 2) {
		fprintf(stderr, "usage: suspend [TIMES], 1 to 1000\n");
		return 2;
	}
	ksft_print_header();
	if (geteuid() || access("/sys/power/pm_test", W_OK))
		ksft_exit_skip("not root, or no CONFIG_PM_DEBUG\n");
	clocksource_settle();
	for (s = 0; s < ARRAY_SIZE(sources); s++)
		nr += clocksource_available(sources[s]);
	if (!nr || !clocksource_keep() || !areas_find(&as, 0))
		ksft_exit_skip("no clocksource that can be switched to\n");
	alarm(LIMIT);
	ksft_set_plan(nr + NR_CLOCKS);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	for (i = 0; i < READERS; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
		if (!pid[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			read_clocks(i);
			_exit(0);
		}
	}
	if (!set("/sys/module/suspend/parameters/pm_test_delay", "0") ||
	    !set("/sys/power/pm_test", "core"))
		ksft_exit_fail_msg("cannot set pm_test\n");

	for (s = 0; s < ARRAY_SIZE(sources); s++) {
		long before = suspends();
		bool ok;

		if (!clocksource_available(sources[s]))
			continue;
		ok = clocksource_switch(sources[s]);
		for (n = 0; ok && n < times; n++)
			ok = all_go_on() && suspend();
		ok = ok && all_go_on() && clocksource_is(sources[s]) &&
		     suspends() - before == (long)times;
		ksft_test_result(ok, "clocksource %s: %ld suspends, and all readers go on\n",
				 sources[s], suspends() - before);
	}
	set("/sys/power/pm_test", "none");

	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < READERS; i++) {
		status = child_status(pid[i]);
		if (status)
			ksft_exit_fail_msg("reader %u: status %#x\n", i, status);
	}
	for (s = 0; s < NR_CLOCKS; s++) {
		for (i = 1; i < READERS; i++)
			bracket_add(&shared->clock[0][s], &shared->clock[i][s]);
		bracket_report(&shared->clock[0][s], clock_names[s].name);
	}
	ksft_finished();
}
