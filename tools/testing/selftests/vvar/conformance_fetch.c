// SPDX-License-Identifier: GPL-2.0
/* The conformance test: what log and trace say of a fetch from an area. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>

#include "conformance.h"

/*
 * What the kernel's log says of a process that dies with its instruction pointer
 * in an area, [vvar] or text that may not be executed
 */
static void say_segfault(const struct area *a)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), status;
	char record[1024], *text;
	ssize_t n;
	pid_t pid;

	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		_exit(1);
	pid = fork();
	if (!pid) {
		if (mprotect((void *)a->start, a->end - a->start, PROT_READ))
			_exit(1);
		((void (*)(void))a->start)();
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(1);
	/* No page, no fetch that it refuses */
	say("%s%s: %s,", is_hole(a, 0) ? "# " : "", a->name,
	    strsignal(WTERMSIG(status)));
	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = 0;
		text = strstr(record, " error ");
		if (text && strstr(record, ": segfault at "))
			say("%.*s", (int)strcspn(text, "\n"), text);
	}
	say("\n");
	close(kmsg);
}

void see_segfault(void)
{
	unsigned int i;

	/* By default ten of them, and of the others, in five seconds */
	if (!put_text("/proc/sys/kernel/printk_ratelimit", "0\n"))
		_exit(1);
	for (i = 0; i < as.nr; i++)
		say_segfault(&as.area[i]);
}

/*
 * The same in a trace of page faults with user stacks, which names the file of
 * an address as long as the process lives
 */
#define TRACING		"/sys/kernel/tracing/"
#define FAULT		TRACING "events/exceptions/page_fault_user/"

static void say_user_stack(const struct area *a)
{
	bool innermost = false, said = false;
	char line[512];
	FILE *trace;
	int n;

	snprintf(line, sizeof(line), "ip == %#lx\n", a->start);
	if (mprotect((void *)a->start, a->end - a->start, PROT_READ) ||
	    !put_text(FAULT "filter", line) ||
	    !put_text(FAULT "enable", "1\n"))
		_exit(1);
	if (!sigsetjmp(areas_back, 1))
		((void (*)(void))a->start)();
	put_text(FAULT "enable", "0\n");
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		_exit(1);
	while (fgets(line, sizeof(line), trace)) {
		/* How many faults it took is another matter */
		if (innermost && !said) {
			n = strcspn(line, "<\n");
			say("%s%s:%.*s%s\n", is_hole(a, 0) ? "# " : "",
			    a->name, n, line, line[n] == '<' ? "address" : "");
			said = true;
		}
		innermost = strstr(line, "<user stack trace>");
	}
	fclose(trace);
	if (truncate(TRACING "trace", 0))
		_exit(1);
}

void see_user_stack(void)
{
	unsigned int i;

	signal(SIGBUS, areas_on_signal);
	signal(SIGSEGV, areas_on_signal);
	if (!put_text(TRACING "trace_options", "sym-userobj\n") ||
	    !put_text(TRACING "trace_options", "userstacktrace\n"))
		_exit(1);
	for (i = 0; i < as.nr; i++)
		say_user_stack(&as.area[i]);
	put_text(TRACING "trace_options", "nouserstacktrace\n");
	put_text(TRACING "trace_options", "nosym-userobj\n");
}
