// SPDX-License-Identifier: GPL-2.0
/* The stress test: jobs that change the machine: CPUs, clocksources, slots. */
#define _GNU_SOURCE

#include "../kselftest.h"
#include "stress.h"

void job_hotplug(void)
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
		if (!put_text(path, "0")) {
			if (errno != EBUSY)
				wrong("%s: %s", path, strerror(errno));
		} else {
			counted(HOTPLUG);
		}
		sleep_ms(rnd(20));
		/* Busy: a suspend is at it */
		while (!put_text(path, "1")) {
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
void job_suspend(void)
{
	if (!put_text("/sys/power/pm_test", "freezer") ||
	    !put_text("/sys/module/suspend/parameters/pm_test_delay", "0")) {
		skip(FREEZE, "no pm_test");
		return;
	}
	while (!stopping()) {
		sleep_ms(500 + rnd(2500));
		/* Busy: not all tasks could be frozen */
		if (put_text("/sys/power/state", "freeze"))
			counted(FREEZE);
		else if (errno != EBUSY && errno != EAGAIN)
			wrong("suspend: %s", strerror(errno));
	}
	put_text("/sys/power/pm_test", "none");
}

void job_clocksource(void)
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
			if (!put_text(CLOCKSOURCE "current_clocksource",
				      name[i]))
				wrong("clocksource %s: %s", name[i],
				      strerror(errno));
			read_clock(vd.base);
			counted(CLOCKSOURCE);
			sh->clocksource[i].count++;
			sleep_ms(rnd(60));
		}
	}
	put_text(CLOCKSOURCE "current_clocksource", old);
}

void job_replace(void)
{
	if (access(REPLACE, W_OK)) {
		skip(REPLACE, "no %s", REPLACE);
		return;
	}
	while (!stopping()) {
		/* One page, the other, the tombstone */
		if (put_text(REPLACE, "3"))
			count(REPLACE, 3);
		else
			wrong("%s: %s", REPLACE, strerror(errno));
	}
}
