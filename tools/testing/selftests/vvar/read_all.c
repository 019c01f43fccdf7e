// SPDX-License-Identifier: GPL-2.0
/*
 * Read every page of every mapping that /proc/self/maps calls readable, as
 * tools that dump or checkpoint a process do. No read may give a signal.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../kselftest.h"

static sigjmp_buf back;

static void on_signal(int sig)
{
	siglongjmp(back, sig);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned long pages = 0, vvar = 0;
	char line[512], name[256], prot[8];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, addr;
	int bad = 0, sig;

	ksft_print_header();
	ksft_set_plan(2);
	if (!maps)
		ksft_exit_fail_msg("/proc/self/maps cannot be read\n");
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);

	while (fgets(line, sizeof(line), maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end,
			   prot, name) < 3 || prot[0] != 'r')
			continue;
		for (addr = start; addr < end; addr += getpagesize()) {
			sig = sigsetjmp(back, 1);
			if (sig) {
				ksft_print_msg("%s page %lu: signal %d (%s)\n",
					       name, (addr - start) / getpagesize(),
					       sig, strsignal(sig));
				bad++;
				continue;
			}
			*(volatile char *)addr;
			pages++;
			vvar += !strcmp(name, "[vvar]");
		}
	}
	ksft_test_result(vvar, "[vvar] was among them (%lu pages)\n", vvar);
	ksft_test_result(!bad, "every readable page can be read (%lu of %lu)\n",
			 pages, pages + bad);
	ksft_finished();
}
