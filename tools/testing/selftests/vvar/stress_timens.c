// SPDX-License-Identifier: GPL-2.0
/* The stress test: time namespaces. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>

#include "stress.h"

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
	int root = open_ns("/proc/self/ns/time");
	time_t floor = clock_floor;
	char buf[80];

	if (root < 0)
		_exit(1);
	if (unshare(CLONE_NEWTIME)) {
		wrong("unshare(CLONE_NEWTIME): %s", strerror(errno));
		_exit(1);
	}
	snprintf(buf, sizeof(buf), "monotonic %d 0\nboottime %d 0\n", OFFSET,
		 OFFSET);
	if (!put_text("/proc/self/timens_offsets", buf))
		wrong("/proc/self/timens_offsets: %s", strerror(errno));
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

void job_timens(void)
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
