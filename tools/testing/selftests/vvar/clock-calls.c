// SPDX-License-Identifier: GPL-2.0
/*
 * Reads clocks by libc, and says how often: "clock-calls NAME N CLOCK..." reads each
 * of the clocks N times as a process of that name, and prints a line for each of
 * them: name, clock, number. For scripts/vdso-top.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

int main(int argc, char **argv)
{
	struct timespec t;
	int i, n;

	if (argc < 4)
		return 2;
	prctl(PR_SET_NAME, argv[1]);
	for (i = 3; i < argc; i++) {
		for (n = 0; n < atoi(argv[2]); n++) {
			if (clock_gettime(atoi(argv[i]), &t))
				return 1;
		}
		printf("%s %s %d\n", argv[1], argv[i], n);
	}
	return 0;
}
