// SPDX-License-Identifier: GPL-2.0
/*
 * Something to look at with a debugger or profiler (see debuggers.sh): a signal
 * handler that reads the clock by the vDSO, so that a stop in the vDSO has a
 * signal frame in its backtrace. "clock-signal SECONDS" goes on reading for so
 * long after.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static struct timespec ts;

static void handler(int sig)
{
	clock_gettime(CLOCK_MONOTONIC, &ts);
}

int main(int argc, char **argv)
{
	time_t end;

	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	end = ts.tv_sec + (argc > 1 ? atoi(argv[1]) : 0);
	while (ts.tv_sec < end)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	return 0;
}
