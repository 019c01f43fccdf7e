// SPDX-License-Identifier: GPL-2.0
/*
 * vvar-latency record: runs a command with the events set up in a trace buffer
 * of their own, and leaves a trace.dat. trace-cmd extract writes the file, as no
 * library does. What is recorded before, and what the reader cannot do without,
 * is in a second buffer, where events of the command do not overwrite it.
 *
 * The end of a fault is a return probe on handle_mm_fault(): nothing after it
 * can be probed (exception entry and exit are noinstr), and it is the same
 * function on every kernel. What follows it, on the way to user space, is
 * counted in "net" (calibrate()).
 */
#define _GNU_SOURCE
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <tracefs.h>
#include <unistd.h>

#include "tsc.h"
#include "vvar-latency.h"

#define INSTANCE	"vvar-latency"
#define NR_CALIB	200
#define SETUP_KIB	1024

static const char usage[] =
"usage: vvar-latency record [-o FILE] [--buffer KIB] [--clock CLOCK]\n"
"                           [--env NAME=VALUE]... -- COMMAND [ARG...]\n"
"\n"
"  -o FILE        where to (default: trace.dat)\n"
"  --buffer KIB   of each CPU; the oldest events are lost when it is full\n"
"                 (default: 16384)\n"
"  --clock CLOCK  trace clock (default: local, in ns)\n"
"  --env N=V      remember this in the environment of the JSON output\n"
"                 (kernel, accelerator, cpus, clocksource and others are in it\n"
"                 by themselves)\n"
"\n"
"Exit status: COMMAND's; 125 if recording failed; 128 plus its number after a\n"
"signal.\n";

static const struct event {
	const char	*system, *name;
	bool		optional;
} events[] = {
	/* The first two are what calibrate() measures */
	{ "exceptions",	"page_fault_user",	false },
	{ PROBE_SYSTEM,	PROBE_DONE,		false },
	{ PROBE_SYSTEM,	PROBE_MAP,		true },
	{ PROBE_SYSTEM,	PROBE_MOVED,		true },
	{ "task",	"task_newtask",		false },
	{ "task",	"task_rename",		true },
	{ "sched",	"sched_switch",		true },
	{ "lock",	"contention_begin",	true },
	{ "lock",	"contention_end",	true },
	{ "vvar",	"vvar_fault",		true },
	{ "vvar",	"vvar_replace",		true },
	{ "vvar",	"vvar_populate",	true },
};

static const char *tracing;
static struct tracefs_instance *instance, *setup;
static struct tracefs_dynevent *probe_done, *probe_map, *probe_moved;
static pid_t owner;
static volatile sig_atomic_t signalled;

static const int ends[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2
};

static void on_signal(int sig)
{
	if (sig != SIGALRM)
		signalled = sig;
}

/* What would end this program ends COMMAND instead, unless it is ignored (nohup) */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	unsigned int i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!sigaction(ends[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(ends[i], &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
}

static void drop_probe(struct tracefs_dynevent **probe)
{
	if (!*probe)
		return;
	tracefs_dynevent_destroy(*probe, true);
	tracefs_dynevent_free(*probe);
	*probe = NULL;
}

/* A probe at the entry of a function, or NULL */
static struct tracefs_dynevent *set_probe(const char *name, const char *function,
					  const char *args)
{
	struct tracefs_dynevent *probe;

	probe = tracefs_kprobe_alloc(PROBE_SYSTEM, name, function, args);
	if (!probe || !tracefs_dynevent_create(probe))
		return probe;
	tracefs_dynevent_free(probe);
	return NULL;
}

static void drop_instance(struct tracefs_instance **in)
{
	if (!*in)
		return;
	tracefs_trace_off(*in);
	tracefs_print_close(*in);
	if (tracefs_instance_destroy(*in))
		vvar_err("%s: cannot be removed: %s",
			 tracefs_instance_get_name(*in), strerror(errno));
	tracefs_instance_free(*in);
	*in = NULL;
}

static void teardown(void)
{
	/* Children come by here, too, if they exit() */
	if (getpid() != owner)
		return;
	drop_instance(&instance);
	drop_instance(&setup);
	drop_probe(&probe_done);
	drop_probe(&probe_map);
	drop_probe(&probe_moved);
}

/* What a killed recording left behind. -1 if one is still running. */
static int clear_stale(void)
{
	char **list = tracefs_instances("^" INSTANCE "\\.[0-9]");
	struct tracefs_dynevent **probes;
	int i, pid, ret = 0;

	for (i = 0; list && list[i] && !ret; i++) {
		struct tracefs_instance *old;

		pid = atoi(strchr(list[i], '.') + 1);
		if (!kill(pid, 0)) {
			ret = vvar_err("process %d is recording already: wait for it, or end it",
				       pid);
			break;
		}
		old = tracefs_instance_create(list[i]);
		if (old) {
			tracefs_instance_destroy(old);
			tracefs_instance_free(old);
		}
	}
	tracefs_list_free(list);
	if (ret)
		return ret;

	probes = tracefs_dynevent_get_all(TRACEFS_DYNEVENT_KPROBE |
					  TRACEFS_DYNEVENT_KRETPROBE,
					  PROBE_SYSTEM);
	for (i = 0; probes && probes[i]; i++) {
		if (tracefs_dynevent_destroy(probes[i], true))
			ret = vvar_err("probes of vvar_latency are in use: see %s/kprobe_events",
				       tracing);
	}
	tracefs_dynevent_list_free(probes);
	return ret;
}

static int set_probes(void)
{
	/*
	 * By hand: tracefs_kretprobe_alloc() of libtracefs 1.6 writes a name
	 * that the kernel refuses when it is given a number of instances
	 * (faults at once, sleeping ones included).
	 */
#define DONE(args)	"r1024:" PROBE_SYSTEM "/" PROBE_DONE \
			" handle_mm_fault " args "ret=$retval:x32\n"
	static const char * const done[] = {
		DONE("addr=$arg2 flags=$arg3:x32 "),
		/* Before 6.9, a return probe knows no arguments */
		DONE(""),
	};
	/*
	 * A name is the first member of what the mapping belongs to; where there
	 * is vvar:vvar_fault, that is the first member of what the mapping shows
	 */
	static const char * const map[] = {
		"__install_special_mapping", "_install_special_mapping",
	};
	bool ours = tracefs_event_file_exists(NULL, "vvar", "vvar_fault",
					      "enable");
	char path[256];
	unsigned int i;

	snprintf(path, sizeof(path), "%s/kprobe_events", tracing);
	if (access(path, W_OK))
		return vvar_err("%s: %s%s", path, strerror(errno), errno == ENOENT ?
				": the kernel needs CONFIG_KPROBE_EVENTS" :
				": run as root");
	if (clear_stale())
		return -1;

	for (i = 0; i < 2 && !probe_done; i++) {
		if (tracefs_instance_file_append(NULL, "kprobe_events",
						 done[i]) < 0)
			continue;
		probe_done = tracefs_dynevent_get(TRACEFS_DYNEVENT_KRETPROBE,
						  PROBE_SYSTEM, PROBE_DONE);
	}
	if (!probe_done)
		return vvar_err("no return probe on handle_mm_fault(): %s",
				strerror(errno));

	for (i = 0; i < 2 && !probe_map; i++)
		probe_map = set_probe(PROBE_MAP, map[i],
				      ours ? "addr=$arg2 len=$arg3 name=+0(+0(+0($arg5))):string" :
					     "addr=$arg2 len=$arg3 name=+0(+0($arg5)):string");
	/* vm_start and vm_end are the first members of a VMA */
	probe_moved = set_probe(PROBE_MOVED, "special_mapping_mremap",
				"start=+0($arg1) end=+8($arg1)");
	if (!probe_map && !ours) {
		vvar_err("no probe on _install_special_mapping(), and no vvar:vvar_fault event: there is no way to tell vvar from other pages on this kernel");
		return -1;
	}
	return 0;
}

static int mark(const char *fmt, ...) __printf(1, 2);

static int mark(const char *fmt, ...)
{
	char line[600] = MARK;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + strlen(line), sizeof(line) - strlen(line), fmt, ap);
	va_end(ap);
	return tracefs_printf(setup, "%s", line);
}

static int enable(struct tracefs_instance *in, unsigned int first,
		  unsigned int last, bool on)
{
	unsigned int i;

	for (i = first; i <= last; i++) {
		const struct event *e = &events[i];
		int ret;

		if (!tracefs_event_file_exists(in, e->system, e->name,
					       "enable")) {
			if (e->optional)
				continue;
			vvar_err("no event %s:%s on this kernel: CONFIG_FTRACE and CONFIG_ENABLE_DEFAULT_TRACERS (or any tracer) are needed",
				 e->system, e->name);
			return -1;
		}
		ret = on ? tracefs_event_enable(in, e->system, e->name) :
			   tracefs_event_disable(in, e->system, e->name);
		if (ret)
			return vvar_err("%s %s:%s: %s", on ? "enable" : "disable",
					e->system, e->name, strerror(errno));
	}
	return 0;
}

static struct tracefs_instance *
open_instance(const char *suffix, const char *clock, unsigned int kib)
{
	struct tracefs_instance *in;
	char name[40];

	snprintf(name, sizeof(name), INSTANCE ".%d%s", getpid(), suffix);
	in = tracefs_instance_create(name);
	if (!in) {
		vvar_err("%s/instances/%s: %s", tracing, name, strerror(errno));
		return NULL;
	}
	if (tracefs_instance_file_write(in, "trace_clock", clock) < 0) {
		char *known = tracefs_instance_file_read(in, "trace_clock",
							 NULL);

		if (known)
			known[strcspn(known, "\n")] = 0;
		vvar_err("--clock %s: not one of this kernel's: %s", clock,
			 known ?: "?");
		free(known);
	} else if (tracefs_instance_set_buffer_size(in, kib, -1)) {
		vvar_err("%s: %u KiB for each CPU: %s: use a smaller --buffer",
			 name, kib, strerror(errno));
	} else if (tracefs_print_init(in)) {
		vvar_err("%s: no trace_marker: %s", name, strerror(errno));
	} else {
		return in;
	}
	drop_instance(&in);
	return NULL;
}

/* ---- what tracing costs ---- */

static u64 now_ns(void)
{
	struct timespec ts;

	/* Not libc's: this process has given up its vDSO */
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

enum kind { ZERO, RETRIED, VVAR };

/* Median of @nr first touches of @what in ticks, or -errno */
static s64 median_of(const struct room *r, enum kind what, unsigned int nr)
{
	u64 val[NR_CALIB];
	unsigned int i;
	int ret, shm = -1;
	char *p;

	/* A mapping without ->map_pages, as vvar has on an unpatched kernel */
	if (what == RETRIED) {
		shm = shmget(IPC_PRIVATE, r->page, IPC_CREAT | 0600);
		if (shm < 0)
			return -errno;
	}
	for (i = 0; i < nr; i++) {
		if (what == RETRIED) {
			p = shmat(shm, r->at, SHM_RDONLY);
			if (p != r->at) {
				ret = -errno;
				shmctl(shm, IPC_RMID, NULL);
				return ret;
			}
			val[i] = touch(p);
			shmdt(p);
			continue;
		}
		if (what == VVAR) {
			ret = touch_map_vdso(r);
			if (ret)
				return ret;
			val[i] = touch(r->at + r->time);
			touch_unmap_vdso(r);
			continue;
		}
		p = touch_map_zero(r);
		if (!p)
			return -errno;
		val[i] = touch(p);
		if (munmap(p, r->page))
			return -errno;
	}
	if (what == RETRIED)
		shmctl(shm, IPC_RMID, NULL);
	qsort(val, nr, sizeof(*val), cmp_u64);
	return percentile(val, nr, 50);
}

static s64 median(const struct room *r, enum kind kind)
{
	return median_of(r, kind, NR_CALIB);
}

/*
 * A probe is turned from a breakpoint into a jump a moment after it was set, or,
 * on a preemptible kernel, when each task has been seen outside of it. debugfs
 * says [OPTIMIZED] before that, but a touch that costs @zero untraced gets cheaper.
 */
static void wait_for_jump(const struct room *r, s64 zero)
{
	s64 breakpoint = median_of(r, ZERO, 9), now = breakpoint;
	int tries;

	for (tries = 0; tries < 60; tries++) {
		usleep(50000);
		now = median_of(r, ZERO, 9);
		if ((now - zero) * 8 < (breakpoint - zero) * 7)
			break;
	}
}

/*
 * What user space pays for a first touch of the zero page untraced; the reader
 * finds in the trace what the same touch shows there, and the difference is
 * what to take off any fault. A fault that is tried again meets the return
 * probe twice: for those, the same with a page of System V shared memory. A
 * vvar fault of a patched kernel has an event more.
 */
static int calibrate(bool ticks)
{
	const unsigned int vvar = 9;	/* in events[] */
	s64 zero, retried, with = 0, without = 0;
	u64 tsc, ns;
	struct room r;
	double scale;
	int ret;

	ret = touch_room(&r);
	if (ret)
		return ret;
	tsc = ordered_tsc();
	ns = now_ns();

	zero = median(&r, ZERO);
	retried = median(&r, RETRIED);
	if (zero < 0 || retried < 0)
		return zero < 0 ? zero : retried;
	/* Untraced came first: a probe that is off costs a little for a while */
	if (enable(setup, 0, 1, true))
		return -EIO;
	wait_for_jump(&r, zero);
	mark("calibrate pid=%d addr=%lx kind=0", getpid(), (unsigned long)r.at);
	if (median(&r, ZERO) < 0)
		return -EIO;
	mark("calibrate pid=%d addr=%lx kind=1", getpid(), (unsigned long)r.at);
	if (median(&r, RETRIED) < 0)
		return -EIO;
	mark("calibrate pid=%d addr=0 kind=0", getpid());
	if (tracefs_event_file_exists(setup, "vvar", "vvar_fault", "enable")) {
		without = median(&r, VVAR);
		if (enable(setup, vvar, vvar, true))
			return -EIO;
		with = median(&r, VVAR);
		if (enable(setup, vvar, vvar, false))
			return -EIO;
	}
	if (with < 0 || without < 0)
		return with < 0 ? with : without;

	ns = now_ns() - ns;
	tsc = ordered_tsc() - tsc;
	scale = ticks ? 1 : (double)ns / tsc;
	mark("calibrated zero=%lld retried=%lld event=%lld",
	     (long long)(zero * scale), (long long)(retried * scale),
	     (long long)((with - without) * scale));
	return 0;
}

static void run_calibrate(bool ticks)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int ret = calibrate(ticks);

		_exit(ret ? -ret : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		vvar_err("warning: what tracing costs could not be measured (wait status %#x): no \"net\" figures",
			 status);
}

/* ---- marks: what was there before ---- */

static void mark_threads(const char *pid)
{
	struct dirent *d;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' &&
		    strcmp(d->d_name, pid))
			mark("thread pid=%s of=%s", d->d_name, pid);
	}
	if (tasks)
		closedir(tasks);
}

static void mark_maps(void)
{
	DIR *proc = opendir("/proc");
	char line[512], path[64], name[32];
	unsigned long start, end;
	struct dirent *d;
	FILE *f;

	while (proc && (d = readdir(proc))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/maps", d->d_name);
		/* Processes come and go: one that is gone needs no mark */
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %31s",
				   &start, &end, name) == 3 &&
			    (!strncmp(name, "[vvar", 5) ||
			     !strcmp(name, "[vdso]")))
				mark("map pid=%s start=%lx end=%lx name=%s",
				     d->d_name, start, end, name);
		}
		if (f)
			fclose(f);
		mark_threads(d->d_name);
	}
	if (proc)
		closedir(proc);
}

static void read_line(const char *file, const char *key, char *buf, size_t size)
{
	FILE *f = fopen(file, "re");
	char line[256];

	snprintf(buf, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *s = line;

		line[strcspn(line, "\n")] = 0;
		if (key) {
			if (strncmp(line, key, strlen(key)))
				continue;
			s = strchr(line, ':');
			s = s ? s + 1 + strspn(s + 1, " \t") : line;
		}
		snprintf(buf, size, "%s", s);
		break;
	}
	if (f)
		fclose(f);
}

/* As perf bench vdso-clock says it */
static const char *accelerator(bool counts)
{
#if defined(__x86_64__) || defined(__i386__)
	u32 a, b, c, d;
	char id[13] = "";

	if (counts)
		return "tcg-icount";
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 31)))
		return "none";
	__cpuid(0x40000000, a, b, c, d);
	memcpy(id, &b, 4);
	memcpy(id + 4, &c, 4);
	memcpy(id + 8, &d, 4);
	if (!strcmp(id, "TCGTCGTCGTCG"))
		return "tcg";
	return strcmp(id, "KVMKVMKVM") ? "unknown hypervisor" : "kvm";
#else
	return "unknown";
#endif
}

static void mark_env(bool counts, char **argv)
{
	char buf[256], command[256] = "vvar-latency record --";
	struct utsname u;
	size_t at;

	uname(&u);
	mark("env kernel=%s %s", u.release, u.version);
	mark("env accelerator=%s", accelerator(counts));
	mark("env cpus=%ld", sysconf(_SC_NPROCESSORS_ONLN));
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  NULL, buf, sizeof(buf));
	mark("env clocksource=%s", buf);
	read_line("/proc/cpuinfo", "model name", buf, sizeof(buf));
	mark("env cpu_model=%s", buf);
	for (; *argv; argv++) {
		at = strlen(command);
		snprintf(command + at, sizeof(command) - at, " %s", *argv);
	}
	mark("env command=%s", command);
}

/* Returns that the probe had no room for: they look like faults with no end */
static void mark_missed(void)
{
	char path[256], line[256], name[64];
	unsigned long long hits, missed;
	FILE *f;

	snprintf(path, sizeof(path), "%s/kprobe_profile", tracing);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %llu %llu", name, &hits, &missed) == 3 &&
		    !strcmp(name, PROBE_DONE) && missed)
			mark("missed=%llu", missed);
	}
	if (f)
		fclose(f);
}

/* ---- running ---- */

static int run_command(char **argv)
{
	int status, told = 0;
	pid_t pid = fork();

	if (pid < 0)
		return vvar_err("fork: %s", strerror(errno));
	if (!pid) {
		/* exec ends the catching of signals */
		execvp(argv[0], argv);
		vvar_err("%s: %s", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (waitpid(pid, &status, 0) != pid) {
		/* A second signal is for a command that ignores the first */
		if (signalled) {
			kill(pid, told++ ? SIGKILL : signalled);
			if (told == 1)
				alarm(5);
		}
	}
	alarm(0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

static int extract(const char *file)
{
	char said[4096];
	int fd[2], status;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return vvar_err("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		/* A ^C is for the command, not for what saves its trace */
		setsid();
		dup2(fd[1], 1);
		dup2(fd[1], 2);
		execlp("trace-cmd", "trace-cmd", "extract", "-B",
		       tracefs_instance_get_name(setup), "-B",
		       tracefs_instance_get_name(instance), "-o", file, NULL);
		perror("trace-cmd");
		_exit(127);
	}
	close(fd[1]);
	while (pid > 0 && (n = read(fd[0], said + at, sizeof(said) - 1 - at))) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			at = at + n < sizeof(said) / 2 ? at + n : 0;
	}
	said[at] = 0;
	close(fd[0]);
	while (pid > 0 && waitpid(pid, &status, 0) != pid)
		;
	if (pid < 0 || status)
		return vvar_err("trace-cmd extract -o %s failed: %s", file, said);
	return 0;
}

int cmd_record(int argc, char **argv)
{
	enum { OPT_BUFFER = 256, OPT_CLOCK, OPT_ENV };
	static const struct option options[] = {
		{ "buffer",	required_argument,	NULL, OPT_BUFFER },
		{ "clock",	required_argument,	NULL, OPT_CLOCK },
		{ "env",	required_argument,	NULL, OPT_ENV },
		{ "output",	required_argument,	NULL, 'o' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const unsigned int last = sizeof(events) / sizeof(*events) - 1;
	const char *file = "trace.dat", *clock = "local", *unit = "ns";
	const char *env[MAX_ENV];
	unsigned long buffer = 16384;
	unsigned int nr_env = 0, i;
	const bool counts = touch_counts();
	int opt, ret, fd;

	while ((opt = getopt_long(argc, argv, "+ho:", options, NULL)) != -1) {
		switch (opt) {
		case 'o':
			file = optarg;
			break;
		case OPT_BUFFER:
			buffer = parse_number(optarg, "--buffer", "number of KiB",
					      1 << 22);
			break;
		case OPT_CLOCK:
			clock = optarg;
			break;
		case OPT_ENV:
			if (!env_valid(optarg, nr_env))
				return 2;
			env[nr_env++] = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return 2;
		}
	}
	argv += optind;
	if (!*argv) {
		vvar_err("record: no COMMAND; see --help");
		return 2;
	}
	if (!strcmp(clock, "x86-tsc")) {
		unit = counts ? "instructions" : "cycles";
	} else if (!strcmp(clock, "counter") || !strcmp(clock, "uptime") ||
		   !strcmp(clock, "perf")) {
		vvar_err("--clock %s: too coarse, or no time at all; local, global, mono, mono_raw, boot and x86-tsc will do",
			 clock);
		return 2;
	}
	if (system("command -v trace-cmd >/dev/null 2>&1")) {
		vvar_err("no trace-cmd, which writes the file: install trace-cmd");
		return 125;
	}

	tracing = need_tracefs();
	if (!tracing)
		return 125;
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		vvar_err("%s: %s", file, strerror(errno));
		return 125;
	}
	close(fd);

	owner = getpid();
	atexit(teardown);
	catch_signals();

	if (set_probes())
		return 125;
	setup = open_instance(".setup", clock, SETUP_KIB);
	if (setup)
		instance = open_instance("", clock, buffer);
	if (!instance)
		return 125;

	if (!signalled)
		run_calibrate(!strcmp(clock, "x86-tsc"));
	/* A probe that goes off between is a breakpoint again for a while */
	if (enable(instance, 1, 1, true) || enable(setup, 0, last, false))
		return 125;
	mark_maps();
	/* Last, for these are the oldest that may not be overwritten */
	mark("unit=%s", unit);
	mark_env(counts, argv);
	for (i = 0; i < nr_env; i++)
		mark("env %s", env[i]);
	if (signalled) {
		vvar_err("signal %d before COMMAND ran: nothing recorded",
			 signalled);
		return 128 + signalled;
	}
	if (enable(instance, 0, last, true))
		return 125;
	ret = run_command(argv);

	if (enable(instance, 0, last, false))
		return 125;
	mark_missed();
	tracefs_trace_off(instance);
	if (ret < 0 || extract(file))
		return 125;
	fprintf(stderr, "vvar-latency: %s written%s\n", file,
		signalled ? ", of what happened before the signal" : "");
	return signalled ? 128 + signalled : ret;
}
