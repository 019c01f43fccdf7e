// SPDX-License-Identifier: GPL-2.0
/* The stress test: fork, vfork and exec. */
#define _GNU_SOURCE

#include "stress.h"

void job_fork(void)
{
	pid_t pid;

	while (!stopping()) {
		if (rnd(4)) {
			pid = fork();
			if (!pid) {
				touch_page(vd.base);
				read_clock(vd.base);
				_exit(0);
			}
			if (reap(pid, "fork"))
				counted(FORK);
		} else if (reap(vfork_exec(), "vfork and exec")) {
			counted(EXEC);
		}
	}
}
