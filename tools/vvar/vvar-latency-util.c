// SPDX-License-Identifier: GPL-2.0
/* vvar-latency: what its commands share. Nothing here calls any of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "vvar-latency.h"

int vvar_err(const char *fmt, ...)
{
	va_list ap;

	/* In order with what was printed */
	fflush(stdout);
	fputs("vvar-latency: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

void *must(void *p)
{
	if (!p) {
		vvar_err("out of memory");
		exit(1);
	}
	return p;
}

/* From 1 to @most; ends the program, with 2, where @s is no such thing */
unsigned long parse_number(const char *s, const char *option, const char *what,
			   unsigned long most)
{
	char *rest;
	unsigned long n = strtoul(s, &rest, 10);

	if (*s < '0' || *s > '9' || *rest || !n || n > most) {
		vvar_err("%s %s: not a %s from 1 to %lu", option, s, what, most);
		exit(2);
	}
	return n;
}

bool env_valid(const char *s, unsigned int nr)
{
	if (strchr(s, '=') && *s != '=' && nr < MAX_ENV && strlen(s) <= 500)
		return true;
	vvar_err("--env %s: not of the form name=value, or more than %d of them",
		 s, MAX_ENV);
	return false;
}

const char *need_tracefs(void)
{
	const char *dir;
	char path[256];

	tracefs_set_loglevel(TEP_LOG_NONE);
	dir = tracefs_tracing_dir();
	if (!dir) {
		if (geteuid())
			vvar_err("no tracefs that this user can see: run as root");
		else
			vvar_err("no tracefs: 'mount -t tracefs none /sys/kernel/tracing' (the kernel needs CONFIG_FTRACE)");
		return NULL;
	}
	snprintf(path, sizeof(path), "%s/events", dir);
	if (access(path, R_OK | X_OK)) {
		vvar_err("%s: %s%s", path, strerror(errno),
			 geteuid() ? ": run as root" :
			 ": is tracefs mounted there, and is CONFIG_FTRACE set?");
		return NULL;
	}
	return dir;
}

/* What a trace clock counts, or NULL if that is no time */
const char *clock_unit(const char *clock)
{
	static const char * const in_ns[] = {
		"local", "global", "uptime", "perf", "mono", "mono_raw", "boot",
		"tai", "tsc2nsec"
	};
	unsigned int i;

	for (i = 0; i < sizeof(in_ns) / sizeof(*in_ns); i++)
		if (!strcmp(clock, in_ns[i]))
			return "ns";
	if (!strcmp(clock, "counter"))
		return NULL;
	return strcmp(clock, "x86-tsc") ? UNIT_UNKNOWN : "cycles";
}
