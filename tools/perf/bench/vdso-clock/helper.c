// SPDX-License-Identifier: GPL-2.0
/*
 * A small program that runs the measuring code of perf bench vdso-clock where
 * perf itself can't: as a 32-bit process with the 32-bit vDSO, and as a static
 * one whose exec, fork and page tables are not those of perf. Not for use by
 * hand: perf carries it and gives it the arguments.
 */
#include <linux/kernel.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../vdso-clock.h"

/* Until somebody has looked at this process */
static int stop_if(const char *arg)
{
	return arg && !strcmp(arg, "stop") ? raise(SIGSTOP) : 0;
}

static int child_clock(const char *arg)
{
	struct timespec ts;

	return clock_gettime(CLOCK_MONOTONIC, &ts) ?: stop_if(arg);
}

static int child_nothing(const char *arg)
{
	return stop_if(arg);
}

static const struct {
	const char	*name;
	int		(*child)(const char *arg);
	int		(*run)(const struct vc_conf *c);
} modes[] = {
	{ "child-clock",	child_clock,	NULL },
	{ "child-nothing",	child_nothing,	NULL },
	{ "child-fault",	vc_child_fault,	NULL },
	{ "child-stamp",	vc_child_stamp,	NULL },
	{ "gettime",		NULL,		vc_gettime },
	{ "fork",		NULL,		vc_fork },
	{ "fault-exec",		NULL,		vc_fault_exec },
};

int main(int argc, char **argv)
{
	struct vc_conf c = { .out = stdout };
	int cpu, err;
	unsigned int i;

	for (i = 0; argc > 1 && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].name, argv[1]))
			continue;
		if (modes[i].child)
			return modes[i].child(argv[2]);
		if (argc != 11)
			break;
		c.loops = strtoul(argv[2], NULL, 0);
		c.warmup = strtoul(argv[3], NULL, 0);
		c.batch = strtoul(argv[4], NULL, 0);
		c.seconds = strtod(argv[5], NULL);
		c.unit = argv[6];
		c.scale = strtod(argv[7], NULL);
		c.exact = !strcmp(argv[6], "instructions");
		cpu = atoi(argv[8]);
		c.cpus = &cpu;
		c.nr_cpus = cpu >= 0;
		c.clocks = *argv[9] ? argv[9] : NULL;
		c.program = argv[10];
		err = modes[i].run(&c);
		if (err < 0) {
			fprintf(stderr, "vdso-clock %s: %s\n", argv[1],
				strerror(-err));
			return 1;
		}
		if (fflush(stdout))
			return 1;
		return err;
	}
	fprintf(stderr, "vdso-clock: a helper of perf bench vdso-clock, not for use by hand\n");
	return 2;
}
