// SPDX-License-Identifier: GPL-2.0
/*
 * Touch vvar and the vDSO, from user and kernel mode, while everything that
 * can take their pages away does so: fork, exec, time namespaces, munmap and
 * ARCH_MAP_VDSO_*, mremap, mprotect, protection keys, memory pressure, CPU
 * hotplug, clocksource switches, slot replaces, ptrace, core dumps, SIGKILL.
 *
 * Each reader checks what it reads: the vDSO's time lies between two system
 * calls' and belongs to the reader's own time namespace; a page that its slot no
 * longer shows has a word in it that says so. At the end each kind of event is a
 * test, which fails if it has never happened.
 *
 * Takes CPUs off line and switches clocksources: meant for a guest.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "number.h"
#include "stress.h"

static const char * const count_text[] = {
	[C_READ] = "vDSO reads between two system calls",
	[C_TOUCH] = "first touches from user mode",
	[C_TOUCH_TIME] = "first touches of the time data",
	[C_KTOUCH] = "first touches from kernel mode (write from vvar)",
	[C_LIVE] = "reads of a page that is about to be replaced",
	[C_VMREADV] = "process_vm_readv of vvar and vDSO",
	[C_FAULT] = "accesses that lost against an unmapping",
	[C_FORK] = "forks",
	[C_EXEC] = "vfork and exec",
	[C_TIMENS] = "children in a new time namespace",
	[C_CLONE3] = "clone3(CLONE_NEWTIME)",
	[C_SETNS] = "setns to another time namespace",
	[C_NSEXEC] = "vfork and exec into a time namespace",
	[C_MAP64] = "munmap and ARCH_MAP_VDSO_64",
	[C_MAP32] = "munmap and ARCH_MAP_VDSO_32",
	[C_MAPX32] = "munmap and ARCH_MAP_VDSO_X32",
	[C_MREMAP] = "mremap",
	[C_MREMAP_PT] = "mremap that can move the page table",
	[C_PARTIAL] = "partial munmap, mprotect, mremap (refused)",
	[C_WRITABLE] = "mprotect to writable (refused)",
	[C_MPROTECT] = "mprotect to PROT_NONE and back",
	[C_PKEY] = "pkey_mprotect",
	[C_PKEY_DENIED] = "reads denied by a protection key",
	[C_MLOCKALL] = "mlockall",
	[C_MADVISE] = "madvise of vvar and vDSO",
	[C_COLLAPSE] = "MADV_COLLAPSE next door",
	[C_DONTNEED] = "MADV_DONTNEED of a whole page table next door",
	[C_DOOR] = "munmap next door in vvar's page table",
	[C_PRESSURE] = "rounds of memory pressure",
	[C_HOTPLUG] = "CPUs off and on line",
	[C_CLOCKSOURCE] = "clocksource switches",
	[C_REPLACE] = "slot replaces",
	[C_PTRACE] = "ptrace peeks and pokes",
	[C_PROC_MEM] = "reads and writes of /proc/PID/mem",
	[C_PROC_MAPS] = "reads of /proc/PID/smaps and pagemap",
	[C_CORE] = "core dumps",
	[C_FREEZE] = "suspends, as far as pm_test=freezer",
	[C_KILL] = "SIGKILLs at any time",
};

static bool all, chosen;	/* -a, -j */
/* With vvar.populate=1 nobody has a first touch of the time data */
static bool populated;

static struct job {
	const char *name;
	void (*run)(void);
	bool killable;
	bool idle;		/* not chosen by -j */
	int starts;
	pid_t pid;
} jobs[] = {
	{ .name = "read", .run = job_read, .killable = true },
	{ .name = "touch", .run = job_touch, .killable = true },
	{ .name = "touch", .run = job_touch, .killable = true },
	{ .name = "race", .run = job_race, .killable = true },
	{ .name = "race", .run = job_race, .killable = true },
	{ .name = "fork", .run = job_fork, .killable = true },
	{ .name = "fork", .run = job_fork, .killable = true },
	{ .name = "timens", .run = job_timens, .killable = true },
	{ .name = "timens", .run = job_timens, .killable = true },
	{ .name = "pressure", .run = job_pressure, .killable = true },
	{ .name = "watch", .run = job_watch, .killable = true },
	{ .name = "core", .run = job_core },
	{ .name = "hotplug", .run = job_hotplug },
	{ .name = "suspend", .run = job_suspend },
	{ .name = "clocksource", .run = job_clocksource },
	{ .name = "replace", .run = job_replace },
};

static void start(struct job *job)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		if (errno != EAGAIN && errno != ENOMEM)
			wrong("fork: %s", strerror(errno));
		return;
	}
	job->starts++;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(0);
		rnd_start((unsigned long)(job - jobs) << 32 | job->starts);
		own_pipe();
		job->run();
		_exit(0);
	}
	job->pid = pid;
}

/*
 * Anything but an end by itself or SIGKILL is a failure. Orphans come too.
 * False when there is nothing to reap: errno is ECHILD if there never will be.
 */
static bool reap_any(void)
{
	unsigned int i;
	int status;
	pid_t pid;

	errno = 0;
	pid = waitpid(-1, &status, WNOHANG | __WALL);
	if (pid <= 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct job *job = &jobs[i];

		if (job->pid != pid)
			continue;
		job->pid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			if (!job->killable)
				wrong("job %s was killed", job->name);
			else if (!stopping())
				start(job);
		} else if (status) {
			wrong("job %s ended with status %#x", job->name,
			      status);
		}
	}
	return true;
}

static void print_file(pid_t pid, const char *name)
{
	char line[128];
	int fd = open_proc(pid, name, O_RDONLY), lines = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	while (f && fgets(line, sizeof(line), f) && lines++ < 30)
		ksft_print_msg("  %s", line);
	if (f)
		fclose(f);
}

/* They should have ended. Orphans of jobs that were killed are ours too. */
static void kill_children(void)
{
	struct dirent *d;
	DIR *proc = opendir("/proc");
	char line[256];
	int fd, parent;
	ssize_t n;
	pid_t pid;

	while (proc && (d = readdir(proc))) {
		pid = atoi(d->d_name);
		fd = pid > 0 ? open_proc(pid, "stat", O_RDONLY) : -1;
		if (fd < 0)
			continue;
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
		line[n > 0 ? n : 0] = 0;
		if (sscanf(line, "%*d (%*[^)]) %*c %d", &parent) != 1 ||
		    parent != getpid())
			continue;
		wrong("process %d does not stop: %.60s", pid, line);
		print_file(pid, "syscall");
		print_file(pid, "stack");
		kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
	sleep_ms(200);
}

static void stop_all(void)
{
	unsigned int ms;

	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELAXED);
	for (ms = 0; ms < 60000; ms += 10) {
		while (reap_any())
			;
		if (errno == ECHILD)
			return;
		sleep_ms(10);
	}
	kill_children();
	while (reap_any())
		;
}

/* LIST: names with commas between. Others do not start; a name for none is an error. */
static void choose_jobs(char *list)
{
	unsigned int i, found;
	char *name;

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i].idle = true;
	for (name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		for (i = 0, found = 0; i < ARRAY_SIZE(jobs); i++) {
			if (strcmp(jobs[i].name, name))
				continue;
			jobs[i].idle = false;
			found++;
		}
		if (!found) {
			fprintf(stderr, "stress: no job '%s'; there are", name);
			for (i = 0; i < ARRAY_SIZE(jobs); i++)
				fprintf(stderr, " %s", jobs[i].name);
			fprintf(stderr, "\n");
			exit(2);
		}
	}
}

/* -a: has each event that there is been seen, some page reclaimed, and huge ones made? */
static bool all_seen(const struct resources *then)
{
	unsigned int i;

	for (i = 0; i < NR_COUNTS; i++)
		if (!sh->count[i] && !sh->skip[i][0] &&
		    (i != C_TOUCH_TIME || !populated))
			return false;
	for (i = 0; i < ARRAY_SIZE(sh->clocksource); i++)
		if (!sh->clocksource[i].count && sh->clocksource[i].name[0])
			return false;
	return vmstat("pgsteal_file") > then->stolen_file &&
	       vmstat("thp_fault_alloc") > then->huge &&
	       vmstat("thp_collapse_alloc") > then->collapsed;
}

/* A count that must not be 0; @why it may be, or "" */
static void must_be(unsigned long n, const char *what, const char *why)
{
	if (!n && *why && !all)
		ksft_test_result_skip("%s: %s\n", what, why);
	else
		ksft_test_result(n, "%s: %lu%s%s\n", what, n,
				 !n && *why ? ", " : "", n ? "" : why);
}

static void event_results(void)
{
	/* Each kind of page that a clock can have */
	static const char * const sources[] = { "tsc", "hpet", "kunit-pvclock" };
	const char *why = chosen ? "not by these jobs" : "";
	unsigned long *n = sh->count;
	unsigned int i, j;
	char what[64];

	for (i = 0; i < NR_COUNTS; i++) {
		if (i == C_TOUCH_TIME && populated)
			ksft_test_result(n[i] <= n[C_TOUCH] / 100,
					 "%s: %lu, it is populated\n",
					 count_text[i], n[i]);
		else
			must_be(n[i], count_text[i],
				sh->skip[i][0] ? sh->skip[i] : why);
	}
	for (i = 0; i < ARRAY_SIZE(sh->clocksource); i++) {
		snprintf(what, sizeof(what), "switches to clocksource %s",
			 sh->clocksource[i].name);
		if (sh->clocksource[i].name[0])
			must_be(sh->clocksource[i].count, what, why);
	}
	for (i = 0; all && i < ARRAY_SIZE(sources); i++) {
		for (j = 0; j < ARRAY_SIZE(sh->clocksource); j++)
			if (!strcmp(sh->clocksource[j].name, sources[i]))
				break;
		if (j == ARRAY_SIZE(sh->clocksource))
			ksft_test_result_fail("no clocksource %s\n",
					      sources[i]);
	}
}

static void resource_results(const struct resources *then,
			     const struct resources *after)
{
	const char *why = chosen ? "not by these jobs" : "";

	must_be(after->stolen_file - then->stolen_file +
		after->stolen_anon - then->stolen_anon, "pages reclaimed", why);
	if (meminfo_kb("SwapTotal:"))
		must_be(after->stolen_anon - then->stolen_anon,
			"anonymous pages reclaimed", why);
	else
		ksft_print_msg("no swap: of files only\n");
	must_be(after->huge - then->huge, "huge pages by faults", why);
	must_be(after->collapsed - then->collapsed, "huge pages by collapse",
		why);
	/* What runs beside us makes for some noise */
	ksft_test_result(after->page_tables <= then->page_tables + 64,
			 "page tables: %lu kB before, %lu kB after\n",
			 then->page_tables, after->page_tables);
	/* Each CPU keeps up to 31 to itself, in both numbers */
	ksft_test_result(after->files <= then->files + 64 +
			 62 * sysconf(_SC_NPROCESSORS_CONF),
			 "open files: %lu before, %lu after\n", then->files,
			 after->files);
	ksft_test_result(after->memtypes <= then->memtypes,
			 "memtype reservations: %lu before, %lu after\n",
			 then->memtypes, after->memtypes);
	/* Under KASAN what was freed stays; there kmemleak finds what was not */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		ksft_print_msg("slab caches: left to kmemleak\n");
	else
		ksft_test_result(after->nr_caches > 20 &&
				 !leaking_caches(then, after),
				 "slab caches as they were: %u\n",
				 after->nr_caches);
}

/* Their number */
static unsigned int results(const struct resources *then,
			    const struct resources *after, int kmsg,
			    unsigned int reports)
{
	event_results();
	ksft_test_result(!sh->wrong, "nothing wrong was seen: %lu\n",
			 sh->wrong);
	reports += splats(kmsg);
	if (kmsg < 0)
		must_be(0, "kernel's log", "no /dev/kmsg");
	else
		ksft_test_result(!reports, "no kernel reports: %u\n", reports);
	resource_results(then, after);
	return ksft_test_num();
}

int main(int argc, char **argv)
{
	struct timespec ts, end, last;
	static struct resources then, after;
	unsigned long seconds = 60;
	bool cut_short;
	char text[8];
	unsigned int i, reports = 0;
	int opt, kmsg;

	page = sysconf(_SC_PAGESIZE);
	if (argc == 4 && !strcmp(argv[1], "--check"))
		return exec_check(argv[2], argv[3]);

	now(CLOCK_REALTIME, &ts);
	seed = ts.tv_sec ^ (unsigned long)ts.tv_nsec << 20;
	while ((opt = getopt(argc, argv, "aj:s:h")) != -1) {
		switch (opt) {
		case 'a':
			all = true;
			break;
		case 'j':
			choose_jobs(optarg);
			chosen = true;
			break;
		case 's':
			seed = parse_number(optarg, "seed", 0, ULONG_MAX);
			break;
		default:
			fprintf(stderr,
				"usage: stress [-a|-j JOB,...] [-s SEED] [SECONDS, default 60]\n"
				"-a: all that there is must happen, nothing is skipped; up to 15 times as\n"
				"    long again, if the machine is too busy\n"
				"-j: only these jobs, and no count is wanted of the others\n");
			return opt == 'h' ? 0 : 2;
		}
	}
	if (optind < argc)
		seconds = parse_number(argv[optind++], "duration in seconds",
				       0, ULONG_MAX);
	if (optind < argc || !seconds || seconds > 1000000) {
		fprintf(stderr,
			"stress: one duration, 1 to 1000000 seconds, is wanted\n");
		return 2;
	}
	if (all && chosen) {
		fprintf(stderr,
			"stress: -a wants all jobs and -j only some: one of them\n");
		return 2;
	}

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root: time namespaces, CPU hotplug, clocksources\n");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	find_vdso();
	find_touchable();
	catch_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rnd_start(0);
	now(CLOCK_MONOTONIC, &ts);
	clock_floor = ts.tv_sec;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	ksft_print_msg("%lu s, seed %lu, %u vvar page(s)\n", seconds,
		       seed, vd.nr_touch);

	read_file("/sys/module/vvar/parameters/populate", text, sizeof(text));
	populated = text[0] == 'Y';
	peekable = text[0];
	read_file(MIN_FREE, min_free, sizeof(min_free));
	resources(&then);
	now(CLOCK_MONOTONIC, &ts);
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		if (!jobs[i].idle)
			start(&jobs[i]);
	end = ts;
	end.tv_sec += seconds;
	last = end;
	last.tv_sec += all ? 15 * seconds : 0;
	while (!stopping() && (before(&ts, &end) ||
			       (before(&ts, &last) && !all_seen(&then)))) {
		sleep_ms(20 + rnd(400));
		i = rnd(ARRAY_SIZE(jobs));
		/*
		 * By the clock, while work is done at the CPU's speed: hardly any
		 * in the time that -a adds, or a slow machine gets nowhere
		 */
		if (jobs[i].killable && jobs[i].pid > 0 &&
		    (before(&ts, &end) || !rnd(16))) {
			kill(jobs[i].pid, SIGKILL);
			counted(KILL);
		}
		while (reap_any())
			;
		/* As we go: the log is a ring */
		reports += splats(kmsg);
		now(CLOCK_MONOTONIC, &ts);
	}
	cut_short = stopping();
	stop_all();
	put_text(MIN_FREE, min_free);
	resources(&after);

	/* The plan is what there is to count */
	ksft_set_plan(results(&then, &after, kmsg, reports));
	if (cut_short)
		ksft_exit_fail_msg("stopped by a signal\n");
	ksft_finished();
}
