// SPDX-License-Identifier: GPL-2.0
/*
 * Count the page faults of the first use of vvar and vDSO: after exec, fork,
 * vfork, in a thread, in a time namespace, after mremap() and mlockall(), and
 * in a fresh mapping. With vvar.populate=1 vvar takes none, otherwise at most
 * one, however many pages are in use; vDSO text at most one. One more is taken where
 * an address that is random has two page tables meet in the middle. The tracepoint
 * vvar_fault counts the same as getrusage().
 *
 * Each case is a process of its own, because it takes an exec to get areas
 * that nobody has touched. Built for 64 bits, x32 and 32 bits.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest.h"
#include "areas.h"
#include "process.h"

/* The ABI that this program is built for; x32 is told by a system call's number */
#ifdef __i386__
#define IS_32	1
#else
#define IS_32	0
#endif
#define IS_X32	(SYS_getpid >= 0x40000000)

static struct areas as;

/* What a case found, shared with the processes it makes */
static struct found {
	int done;
	long vvar, text;	/* of pages in use, and of all of the text */
	long holes;		/* of tombstones, which nobody publishes before */
	long traced_vvar, traced_text;	/* or -1, if they can't be traced */
	long more_vvar, more_text;	/* page tables, of each but one */
} *found;

static long faults(void)
{
	return minor_faults(RUSAGE_THREAD);
}

/* The tracepoint, in an instance that is there for all cases */
#define INSTANCE "/sys/kernel/tracing/instances/vvar_first_touch"

static bool put(const char *file, const char *text)
{
	char path[128];
	bool good;
	int fd;

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* This task's faults from now on */
static bool trace(void)
{
	char tid[32];

	snprintf(tid, sizeof(tid), "%ld\n", syscall(SYS_gettid));
	return put("set_event_pid", tid) && put("trace", "\n") &&
	       put("events/vvar/vvar_fault/enable", "1\n");
}

static void trace_end(void)
{
	static char text[1 << 16];
	size_t len = 0;
	ssize_t n;
	char *at;
	int fd;

	put("events/vvar/vvar_fault/enable", "0\n");
	fd = open(INSTANCE "/trace", O_RDONLY);
	if (fd < 0)
		_exit(1);
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	close(fd);
	found->traced_vvar = 0;
	found->traced_text = 0;
	for (at = text; (at = strstr(at, " vvar_fault: area=")); at++) {
		if (strstr(at, "area=[vdso] ") == at + strlen(" vvar_fault: "))
			found->traced_text++;
		else
			found->traced_vvar++;
	}
}

/* A fault maps no further than its page table reaches: the tables less one */
static unsigned long boundaries(const struct area *a)
{
	unsigned long bytes = AREAS_PAGE * (AREAS_PAGE / sizeof(uint64_t));

	return (a->end - 1) / bytes - a->start / bytes;
}

static bool is_hole(unsigned long addr)
{
	unsigned long *word = (unsigned long *)addr;
	unsigned int i;

	for (i = 0; i < AREAS_PAGE / sizeof(*word); i++) {
		if (word[i])
			return false;
	}
	return true;
}

static void load(unsigned long addr)
{
	asm volatile("" : : "r" (*(char *)addr));
}

/*
 * Count, with text first: it is what reads vvar. @call: through libc, which
 * knows the vDSO only where exec has put it. A call with a clock that isn't
 * there has warmed up all but vvar.
 */
static void count(bool call)
{
	unsigned long addr;
	struct timespec now = { 0 };
	bool traced, text;
	unsigned int i, pass;
	long before;

	memset(found, 0, sizeof(*found));	/* its page, too, is there */
	traced = trace();
	faults();
	for (pass = 0; pass < 2; pass++) {
		text = !pass;
		if (!text && call && !clock_gettime(9999, &now))
			_exit(1);
		for (i = 0; i < as.nr; i++) {
			if (as.area[i].text != text)
				continue;
			if (text)
				found->more_text += boundaries(&as.area[i]);
			else
				found->more_vvar += boundaries(&as.area[i]);
			for (addr = as.area[i].start; addr < as.area[i].end;
			     addr += AREAS_PAGE) {
				before = faults();
				load(addr);
				before = faults() - before;
				if (text)
					found->text += before;
				else if (is_hole(addr))
					found->holes += before;
				else
					found->vvar += before;
			}
		}
	}
	before = faults();
	if (call)
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	found->vvar += faults() - before;
	found->done = !call || now.tv_sec || now.tv_nsec;
	if (traced)
		trace_end();
	else
		found->traced_vvar = -1;
}

/* As it was before the case: with every area in use, or untouched */
static void use(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	areas_touch(&as);
}

static void join(pid_t pid)
{
	if (child_status(pid))
		_exit(1);
}

/* Each returns NULL, or why there is nothing to count */
static const char *after_exec(void)
{
	count(true);
	return NULL;
}

static void count_in_fork(void)
{
	pid_t pid = fork();

	if (!pid) {
		count(true);
		_exit(0);
	}
	join(pid);
}

static const char *after_fork(void)
{
	count_in_fork();
	return NULL;
}

static const char *after_used_fork(void)
{
	use();
	count_in_fork();
	return NULL;
}

static int count_in_clone(void *unused)
{
	(void)unused;
	count(true);
	return 0;
}

static const char *after_vfork(void)
{
	size_t size = 64 * AREAS_PAGE;
	char *stack = aligned_alloc(AREAS_PAGE, size);

	if (!stack)
		return "no memory";
	memset(stack, 0, size);
	join(clone(count_in_clone, stack + size, CLONE_VM | CLONE_VFORK |
		   SIGCHLD, NULL));
	free(stack);
	return NULL;
}

static void *count_in_thread(void *unused)
{
	count(true);
	return unused;
}

static const char *in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, count_in_thread, NULL))
		return "no thread";
	pthread_join(thread, NULL);
	return NULL;
}

static bool enter_namespace(void)
{
	return !unshare(CLONE_NEWTIME) &&
	       put_text("/proc/self/timens_offsets", "monotonic 1000 0\n");
}

static const char no_namespace[] = "no time namespace: not root, or CONFIG_TIME_NS is off";

static const char *after_unshare(void)
{
	if (!enter_namespace())
		return no_namespace;
	count_in_fork();
	return NULL;
}

static const char *after_used_unshare(void)
{
	use();
	return after_unshare();
}

static const char *after_setns(void)
{
	int go[2], fd;
	char path[64];
	pid_t pid;

	if (pipe(go))
		return "no pipe";
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!enter_namespace())
			_exit(1);
		if (write(go[1], "1", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(go[1]);
	if (read(go[0], path, 1) != 1)
		return no_namespace;
	snprintf(path, sizeof(path), "/proc/%d/ns/time_for_children", pid);
	fd = open(path, O_RDONLY);
	/* PTEs of the old namespace are what it has to get rid of */
	use();
	if (fd < 0 || setns(fd, CLONE_NEWTIME))
		return no_namespace;
	count(true);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return NULL;
}

static const char *after_exec_in_namespace(void)
{
	pid_t pid;

	if (!enter_namespace())
		return no_namespace;
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "first_touch", "exec", NULL);
		_exit(1);
	}
	join(pid);
	return "";	/* the exec'd process has reported */
}

static bool move(struct area *a)
{
	size_t len = a->end - a->start;
	char *to = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	if (to == MAP_FAILED || mremap((void *)a->start, len, len,
				       MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return false;
	a->start = (unsigned long)to;
	a->end = a->start + len;
	return true;
}

static const char *after_mremap(void)
{
	unsigned int i;

	for (i = 0; i < as.nr; i++) {
		/* libc's system calls are in it */
		if (IS_32 && as.area[i].text)
			continue;
		if (!move(&as.area[i]))
			return "mremap failed";
	}
	count(false);
	return NULL;
}

static const char *after_used_mremap(void)
{
	use();
	return after_mremap();
}

static const char *after_mlockall(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return "mlockall failed";
	count(true);
	return NULL;
}

/* Where areas cannot be mapped, their pages are dropped, and faulted in again */
static const char *fresh(void)
{
	if (IS_32)
		return "no ARCH_MAP_VDSO for 32-bit programs";
	if (!areas_renew(&as, IS_X32 ? AREAS_MAP_X32 : AREAS_MAP_64))
		return "no ARCH_MAP_VDSO: CONFIG_CHECKPOINT_RESTORE is off";
	count(false);
	return NULL;
}

static const struct test {
	const char *name;
	const char *(*run)(void);
	bool faults;		/* even if vvar is populated */
} tests[] = {
	{ "exec", after_exec },
	{ "fork", after_fork },
	{ "fork of a process that used them", after_used_fork },
	{ "vfork", after_vfork },
	{ "thread", in_thread },
	{ "unshare, fork", after_unshare },
	{ "use, unshare, fork", after_used_unshare },
	{ "use, setns", after_setns },
	{ "exec in a time namespace", after_exec_in_namespace },
	{ "mremap", after_mremap },
	{ "use, mremap", after_used_mremap },
	{ "mlockall", after_mlockall },
#ifdef SYS_arch_prctl
	{ "fresh mapping", fresh },
#else
	{ "dropped pages", fresh, true },
#endif
};

/* The case that this process is for. Its report is on stdout */
static int run_test(const char *name)
{
	const char *skip;
	unsigned int i;

	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED |
		     MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED || !areas_find(&as, 0))
		return 1;
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (strcmp(tests[i].name, name))
			continue;
		skip = tests[i].run();
		if (skip && *skip)
			printf("skip %s\n", skip);
		else if (!skip && found->done)
			printf("count %ld %ld %ld %ld %ld %ld %ld\n", found->vvar,
			       found->text, found->holes, found->traced_vvar,
			       found->traced_text, found->more_vvar,
			       found->more_text);
		else if (!skip)
			printf("failed\n");
		return 0;
	}
	fprintf(stderr, "first_touch: no test '%s'\n", name);
	return 2;
}

static const char * const about[] = { "vvar", "vDSO", "traced" };

static void test(const struct test *t, bool populate)
{
	char text[128] = "";
	long vvar, faults_of_text, holes, traced_vvar, traced_text;
	long more_vvar, more_text, most = !populate || t->faults;
	int out[2], status;
	unsigned int i;
	FILE *report;
	pid_t pid;

	if (pipe(out))
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	pid = fork();
	if (!pid) {
		alarm(60);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl("/proc/self/exe", "first_touch", t->name, NULL);
		_exit(1);
	}
	close(out[1]);
	report = fdopen(out[0], "r");
	if (!report || !fgets(text, sizeof(text), report))
		text[0] = 0;
	if (report)
		fclose(report);
	waitpid(pid, &status, 0);
	if (!strncmp(text, "skip ", 5) && !status) {
		for (i = 0; i < ARRAY_SIZE(about); i++)
			ksft_test_result_skip("%s, %s: %s", t->name, about[i],
					      text + 5);
	} else if (sscanf(text, "count %ld %ld %ld %ld %ld %ld %ld", &vvar,
			  &faults_of_text, &holes, &traced_vvar, &traced_text,
			  &more_vvar, &more_text) != 7 || status) {
		for (i = 0; i < ARRAY_SIZE(about); i++)
			ksft_test_result_fail("%s, %s: status %#x\n", t->name,
					      about[i], status);
	} else {
		most += most * more_vvar;
		ksft_test_result(vvar >= 0 && vvar <= most,
				 "%s, vvar: %ld faults, at most %ld, and %ld in holes\n",
				 t->name, vvar, most, holes);
		ksft_test_result(faults_of_text >= 0 &&
				 faults_of_text <= 1 + more_text,
				 "%s, vDSO: %ld faults, at most %ld\n", t->name,
				 faults_of_text, 1 + more_text);
		if (traced_vvar < 0)
			ksft_test_result_skip("%s, traced: no " INSTANCE "\n",
					      t->name);
		else
			ksft_test_result(traced_vvar == vvar + holes &&
					 traced_text == faults_of_text,
					 "%s, traced: %ld and %ld, as counted\n",
					 t->name, traced_vvar, traced_text);
	}
}

int main(int argc, char **argv)
{
	static const char param[] = "/sys/module/vvar/parameters/populate";
	FILE *f;
	int populate;
	unsigned int i;

	if (argc == 2)
		return run_test(argv[1]);
	ksft_print_header();
	f = fopen(param, "r");
	if (!f)
		ksft_exit_skip("no %s: no kernel that populates vvar\n", param);
	populate = fgetc(f);
	fclose(f);
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	if (!strchr("YN10", populate))
		ksft_exit_fail_msg("%s: '%c' is neither on nor off\n", param,
				   populate);
	populate = populate == 'Y' || populate == '1';
	ksft_print_msg("vvar.populate=%d\n", populate);
	ksft_set_plan(ARRAY_SIZE(about) * ARRAY_SIZE(tests));
	mkdir(INSTANCE, 0700);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		test(&tests[i], populate);
	rmdir(INSTANCE);
	ksft_finished();
}
