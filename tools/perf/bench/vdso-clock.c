// SPDX-License-Identifier: GPL-2.0
/*
 * perf bench vdso-clock: what reading the clock costs, hot and cold
 *
 * gettime: a call, by clock and by path (vDSO, libc, system call)
 * fault:   the first touch of each vvar page and of the vDSO's text
 * contend: that first touch while other threads work on mmap_lock
 * first:   the first timestamp of a real-time thread, memory short as well
 * exec:    faults and time from exec to the first timestamp
 * scale:   1..N threads reading the clock, 1..N processes touching it cold
 * pages:   what each vvar page is
 * check:   is the clock monotonic, and does it agree with the system call?
 *
 * Every measurement runs in a child and reports over a pipe (vdso-clock.h);
 * this file has the options, the statistics and the output.
 */
#include <subcmd/parse-options.h>
#include <subcmd/pager.h>
#include <perf/cpumap.h>
#include <perf/event.h>
#include <perf/evlist.h>
#include <perf/evsel.h>
#include <perf/mmap.h>
#include <perf/threadmap.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/perf_event.h>
#include <linux/string.h>
#include <linux/zalloc.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "../util/stat.h"
#include "bench.h"
#include "vdso-clock.h"

#define MAX_REPEAT	10000

static const struct helper {
	const char	*name, *start, *end, *missing;
} helper_static = {
	"static", vc_helper_static, vc_helper_static_end,
	"perf was built without a static libc (libc6-dev has it)"
}, helper_32 = {
	"32-bit", vc_helper_32, vc_helper_32_end,
	"perf was built without a 32-bit compiler (gcc-multilib has it)"
};

struct metric {
	char		*name, *unit, *better;
	bool		exact;
	unsigned long	n;
	double		*val;		/* in the order they were taken */
	double		*sorted;
	struct stats	medians;	/* of the repeats, in thousandths */
};

static struct metric *metrics;
static unsigned int nr_metrics;

/* Lines for the reader: name by name what was left out, and warnings */
struct notes {
	char		**line;
	unsigned int	nr;
};

static struct notes skipped, warnings, texts, env_given;

static const char *opt_loops, *opt_batch, *opt_warmup, *opt_seconds;
static const char *opt_threads, *opt_repeat;
static const char *opt_cpus, *opt_clocks, *opt_format, *opt_unit = "auto";
static const char *opt_program = "/bin/date";
static bool opt_compat;

static struct vc_conf conf;
static const char *accelerator;

static int add_env(const struct option *opt, const char *arg, int unset);

static const struct option options[] = {
	OPT_STRING('l', "loops", &opt_loops, "n",
		   "Samples of each measurement (default: 1000, or 200 where instructions are counted; first: 20000)"),
	OPT_STRING('t', "seconds", &opt_seconds, "seconds",
		   "Stop each measurement after this time"),
	OPT_STRING('T', "threads", &opt_threads, "n",
		   "contend, first: threads that work on mmap_lock; scale: most threads (default: 1; scale: all CPUs)"),
	OPT_STRING('C', "cpu", &opt_cpus, "list",
		   "CPUs to run on, such as 0-3,6; the first one measures"),
	OPT_STRING(0, "clock", &opt_clocks, "list",
		   "Clocks and calls for gettime and check (default: all)"),
	OPT_STRING('w', "warmup", &opt_warmup, "n",
		   "Samples thrown away before each measurement (default: 10)"),
	OPT_STRING('b', "batch", &opt_batch, "n",
		   "Calls in one sample of gettime (default: 100)"),
	OPT_STRING('r', "repeat", &opt_repeat, "n",
		   "Repeat everything, pool the samples (default: 1)"),
	OPT_STRING('f', "format", &opt_format, "default|simple|json|benchstat",
		   "Output format"),
	OPT_STRING(0, "unit", &opt_unit, "auto|ns|cycles|instructions",
		   "Unit of times; instructions needs QEMU's -icount"),
	OPT_STRING(0, "program", &opt_program, "path",
		   "exec: the dynamic program (default: /bin/date)"),
	OPT_BOOLEAN(0, "compat", &opt_compat,
		    "gettime and fault of the 32-bit vDSO as well"),
	OPT_CALLBACK(0, "env", NULL, "name=value",
		     "Record this in the environment of the JSON output",
		     add_env),
	OPT_END()
};

static const char * const usage[] = {
	"perf bench vdso-clock [<benchmark>...] [<options>]",
	"benchmarks: gettime, fault, contend, first, exec, scale, pages, check, all",
	NULL
};

static __printf(1, 2) int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "vdso-clock: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

/* Nothing here goes on without memory */
static void *must(void *p)
{
	if (!p) {
		fail("out of memory: use fewer --loops or --repeat");
		exit(1);
	}
	return p;
}

static void note(struct notes *notes, const char *fmt, ...)
{
	char **more = must(realloc(notes->line,
				   (notes->nr + 1) * sizeof(*more)));
	char *line = NULL;
	unsigned int i;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	must(line);
	notes->line = more;
	/* Repeats say it again */
	for (i = 0; i < notes->nr; i++) {
		if (!strcmp(more[i], line) && notes != &texts) {
			free(line);
			return;
		}
	}
	more[notes->nr++] = line;
}

static int add_env(const struct option *opt __maybe_unused, const char *arg,
		   int unset __maybe_unused)
{
	static const char * const measured[] = { "cpus=", "ns_per_tick=" };
	const char *eq = strchr(arg, '=');
	unsigned int i;

	if (!eq || eq == arg)
		return fail("--env %s: not of the form name=value", arg);
	for (i = 0; i < ARRAY_SIZE(measured); i++)
		if (!strncmp(arg, measured[i], strlen(measured[i])))
			return fail("--env %s: is measured and can't be given",
				    arg);
	for (i = 0; i < env_given.nr; i++)
		if (!strncmp(env_given.line[i], arg, eq - arg + 1))
			return fail("--env %s: given before, as %s", arg,
				    env_given.line[i]);
	note(&env_given, "%s", arg);
	return 0;
}

/* ---- metrics ---- */

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(const double *sorted, unsigned long n, double p)
{
	unsigned long rank = ceil(p * n);

	return sorted[rank ? rank - 1 : 0];
}

static struct metric *find_metric(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_metrics; i++)
		if (!strcmp(metrics[i].name, name))
			return &metrics[i];
	return NULL;
}

/* A second report of the same name is a repeat: its samples join the first's */
static void add_samples(const char *name, const char *unit, bool exact,
			const char *better, const double *val, unsigned long n)
{
	struct metric *m = find_metric(name);
	double *sorted;

	if (!m) {
		metrics = must(realloc(metrics,
				       (nr_metrics + 1) * sizeof(*metrics)));
		m = &metrics[nr_metrics++];
		memset(m, 0, sizeof(*m));
		m->name = must(strdup(name));
		m->unit = must(strdup(unit));
		m->better = must(strdup(better));
		m->exact = exact;
		init_stats(&m->medians);
	}
	m->val = must(realloc(m->val, (m->n + n) * sizeof(*val)));
	memcpy(m->val + m->n, val, n * sizeof(*val));
	m->n += n;

	sorted = must(malloc(n * sizeof(*val)));
	memcpy(sorted, val, n * sizeof(*val));
	qsort(sorted, n, sizeof(*val), cmp_double);
	update_stats(&m->medians, fabs(percentile(sorted, n, 0.5)) * 1000);
	free(sorted);
}

static void sort_metrics(void)
{
	unsigned int i;

	for (i = 0; i < nr_metrics; i++) {
		struct metric *m = &metrics[i];

		m->sorted = must(realloc(m->sorted, m->n * sizeof(*m->val)));
		memcpy(m->sorted, m->val, m->n * sizeof(*m->val));
		qsort(m->sorted, m->n, sizeof(*m->val), cmp_double);
	}
}

static double p_of(const struct metric *m, double p)
{
	return percentile(m->sorted, m->n, p);
}

/* Ten beyond p99.9 */
#define TAIL_SAMPLES	10000

static double mean(const struct metric *m)
{
	double sum = 0;
	unsigned long i;

	for (i = 0; i < m->n; i++)
		sum += m->val[i];
	return sum / m->n;
}

/*
 * 95 % confidence interval of the median, from the ranks that a binomial
 * distribution gives: right for any distribution of the samples.
 */
static bool median_ci(const struct metric *m, double *lo, double *hi)
{
	double half = 1.96 * sqrt(m->n) / 2;
	long low = floor(m->n / 2.0 - half), high = ceil(m->n / 2.0 + half);

	if (m->n < 6 || low < 1)
		return false;
	*lo = m->sorted[low - 1];
	*hi = m->sorted[high < (long)m->n ? high : (long)m->n - 1];
	return true;
}

/* ---- children ---- */

/* Put before the names of what comes in */
static const char *name_prefix = "";

/* Takes in one child's report. 0, or -1 when it is not one. */
static int read_report(FILE *f)
{
	char *line = NULL, *save;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	while ((len = getline(&line, &room, f)) > 0) {
		char *name, *unit, *exact, *better, *count, full[128];
		unsigned long i, n;
		double *val;

		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		if (line[0] == 's' && line[1] == ' ') {
			note(&skipped, "%s%s", name_prefix, line + 2);
			continue;
		}
		if (line[0] == 'w' && line[1] == ' ') {
			note(&warnings, "%s", line + 2);
			continue;
		}
		if (line[0] == 'r' && line[1] == ' ') {
			note(&texts, "%s", line + 2);
			continue;
		}
		strtok_r(line, " ", &save);
		name = strtok_r(NULL, " ", &save);
		unit = strtok_r(NULL, " ", &save);
		exact = strtok_r(NULL, " ", &save);
		better = strtok_r(NULL, " ", &save);
		count = strtok_r(NULL, " ", &save);
		if (line[0] != 'm' || !count) {
			ret = fail("a measuring child said '%s'", line);
			break;
		}
		snprintf(full, sizeof(full), "%s%s", name_prefix, name);
		n = strtoul(count, NULL, 10);
		val = must(calloc(n + 1, sizeof(*val)));
		for (i = 0; i < n; i++)
			if (fscanf(f, "%lf\n", &val[i]) != 1)
				break;
		if (i < n)
			ret = fail("%s: %lu samples of %lu", name, i, n);
		else if (n)
			add_samples(full, unit, *exact == '1', better, val, n);
		free(val);
		if (ret)
			break;
	}
	free(line);
	return ret;
}

/* 0, a positive exit status, or -1 after a message */
static int reap(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return fail("%s: waitpid: %s", what, strerror(errno));
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGSYS)
			note(&warnings, "%s: killed by a seccomp filter", what);
		else
			fail("%s: killed by signal %d (%s)", what,
			     WTERMSIG(status), strsignal(WTERMSIG(status)));
		return WTERMSIG(status) == SIGSYS ? VC_EXIT_FALLBACK : -1;
	}
	return WEXITSTATUS(status);
}

static int run_child(const char *what, int (*fn)(const struct vc_conf *c))
{
	int fd[2], ret, err;
	FILE *f;
	pid_t pid;

	fflush(stdout);
	if (pipe(fd))
		return fail("%s: pipe: %s", what, strerror(errno));
	pid = fork();
	if (pid < 0)
		return fail("%s: fork: %s", what, strerror(errno));
	if (!pid) {
		close(fd[0]);
		conf.out = fdopen(fd[1], "w");
		if (!conf.out)
			_exit(1);
		ret = fn(&conf);
		if (ret < 0) {
			fprintf(stderr, "vdso-clock: %s: %s\n", what,
				strerror(-ret));
			ret = 1;
		}
		if (fclose(conf.out))
			ret = 1;
		_exit(ret);
	}
	close(fd[1]);
	f = fdopen(fd[0], "r");
	err = f ? read_report(f) : fail("%s: no memory", what);
	if (f)
		fclose(f);
	ret = reap(pid, what);
	return err ? err : ret;
}

/* A helper as a file that can be exec'ed. Close it after use. */
static int helper_fd(const struct helper *h)
{
	size_t len = h->end - h->start, done = 0;
	int fd;

	if (!len) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("vdso-clock", MFD_CLOEXEC);
	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, h->start + done, len - done);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += n;
	}
	return fd;
}

static const struct helper *helper_now;
static const char *helper_mode;

static int exec_helper(const struct vc_conf *c)
{
	char arg[6][32], path[64];
	const char *argv[] = {
		"vdso-clock", helper_mode, arg[0], arg[1], arg[2], arg[3],
		c->unit, arg[4], arg[5], c->clocks ?: "", c->program, NULL
	};
	int fd = helper_fd(helper_now);

	if (fd < 0)
		return -errno;
	snprintf(arg[0], sizeof(arg[0]), "%lu", c->loops);
	snprintf(arg[1], sizeof(arg[1]), "%lu", c->warmup);
	snprintf(arg[2], sizeof(arg[2]), "%lu", c->batch);
	snprintf(arg[3], sizeof(arg[3]), "%g", c->seconds);
	snprintf(arg[4], sizeof(arg[4]), "%.17g", c->scale);
	snprintf(arg[5], sizeof(arg[5]), "%d", c->nr_cpus ? c->cpus[0] : -1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (dup2(fileno(c->out), STDOUT_FILENO) < 0)
		return -errno;
	execv(path, (char **)argv);
	return -errno;
}

static bool have_helper(const struct helper *h, const char *what)
{
	if (h->end > h->start)
		return true;
	note(&skipped, "%s %s", what, h->missing);
	return false;
}

static int run_helper(const struct helper *h, const char *mode)
{
	char what[64];

	int ret;

	helper_now = h;
	helper_mode = mode;
	name_prefix = h == &helper_32 ? "compat." : "";
	snprintf(what, sizeof(what), "%s (%s helper)", mode, h->name);
	ret = run_child(what, exec_helper);
	name_prefix = "";
	return ret;
}

/* ---- exec: page faults from exec to exit, told apart by address ---- */

struct clock_range {
	u64	start, end;
};

/* The vvar and vDSO mappings of the new program announce themselves */
static void note_mmap(const struct perf_record_mmap *ev,
		      struct clock_range *range, unsigned int *nr)
{
	if (strncmp(ev->filename, "[vvar", 5) && strcmp(ev->filename, "[vdso]"))
		return;
	if (*nr == 8)
		return;
	range[*nr].start = ev->start;
	range[(*nr)++].end = ev->start + ev->len;
}

static int drain(struct perf_evlist *evlist, double *all, double *clock)
{
	struct clock_range range[8];
	union perf_event *ev;
	struct perf_mmap *map;
	unsigned int i, nr = 0;

	*all = 0;
	*clock = 0;
	perf_evlist__for_each_mmap(evlist, map, false) {
		if (perf_mmap__read_init(map) < 0)
			continue;
		while ((ev = perf_mmap__read_event(map))) {
			switch (ev->header.type) {
			case PERF_RECORD_LOST:
				return -ENOBUFS;
			case PERF_RECORD_MMAP:
				note_mmap(&ev->mmap, range, &nr);
				break;
			case PERF_RECORD_SAMPLE:
				++*all;
				for (i = 0; i < nr; i++)
					if (ev->sample.array[0] >= range[i].start &&
					    ev->sample.array[0] < range[i].end)
						++*clock;
				break;
			default:
				break;
			}
			perf_mmap__consume(map);
		}
		perf_mmap__read_done(map);
	}
	/* The new program has a vDSO if this one has */
	return nr || !getauxval(AT_SYSINFO_EHDR) ? 0 : -ENOENT;
}

/* Runs argv once under a page-fault event that begins with its exec */
static int count_faults(const char *path, const char **argv, double *all,
			double *clock)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.size = sizeof(attr),
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_ADDR,
		.disabled = 1,
		.enable_on_exec = 1,
		.mmap = 1,
		.mmap_data = 1,
		.watermark = 1,
		.wakeup_watermark = 1 << 20,
	};
	struct perf_cpu_map *any = perf_cpu_map__new_any_cpu();
	struct perf_evlist *evlist = perf_evlist__new();
	struct perf_thread_map *threads = perf_thread_map__new_dummy();
	struct perf_evsel *evsel = perf_evsel__new(&attr);
	int go[2], null, err, status = 0;
	char byte = 0;
	pid_t pid;

	must(any && evlist && threads && evsel ? evlist : NULL);
	if (pipe(go))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		vc_pin(&conf, 0);
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(0);
		close(go[0]);
		if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
			_exit(126);
		execv(path, (char **)argv);
		_exit(127);
	}
	close(go[0]);
	perf_thread_map__set_pid(threads, 0, pid);
	perf_evlist__add(evlist, evsel);
	perf_evlist__set_maps(evlist, any, threads);
	err = perf_evlist__open(evlist);
	if (!err)
		err = perf_evlist__mmap(evlist, 64);
	if (!err && write(go[1], &byte, 1) != 1)
		err = -errno;
	close(go[1]);
	if (waitpid(pid, &status, 0) != pid)
		err = -errno;
	else if (!err && (!WIFEXITED(status) || WEXITSTATUS(status)))
		err = -ECHILD;
	if (!err)
		err = drain(evlist, all, clock);
	perf_evlist__delete(evlist);
	perf_thread_map__put(threads);
	perf_cpu_map__put(any);
	return err;
}

static int exec_faults(const char *name, const char *path, const char **argv)
{
	unsigned long i, n = conf.loops < 50 ? conf.loops : 50;
	double *all = must(calloc(n, sizeof(*all)));
	double *clock = must(calloc(n, sizeof(*clock)));
	double start = vc_now();
	char full[64];
	int err = 0;

	/* The first runs fill the page cache */
	for (i = 0; !err && i < 2; i++)
		err = count_faults(path, argv, all, clock);
	for (i = 0; !err && i < n; i++) {
		if (i && vc_expired(&conf, start))
			n = i;
		else
			err = count_faults(path, argv, &all[i], &clock[i]);
	}
	snprintf(full, sizeof(full), "exec.faults.%s", name);
	if (!err) {
		add_samples(full, "faults", true, "lower", all, n);
		snprintf(full, sizeof(full), "exec.faults.%s.vdso", name);
		add_samples(full, "faults", true, "lower", clock, n);
	} else if (err == -ECHILD) {
		fail("exec: %s failed: name a program that works with --program",
		     path);
	} else {
		note(&skipped, "%s can't count page faults: %s", full,
		     strerror(-err));
		err = 0;
	}
	free(all);
	free(clock);
	return err;
}

static int bench_exec(void)
{
	const char *dynamic[] = { opt_program, NULL };
	const char *with[] = { "vdso-clock", "child-clock", NULL };
	const char *without[] = { "vdso-clock", "child-nothing", NULL };
	char path[64];
	int fd, err;

	if (access(opt_program, X_OK))
		return fail("exec: --program %s: %s", opt_program,
			    strerror(errno));
	err = exec_faults("dynamic", opt_program, dynamic);
	if (err || !have_helper(&helper_static, "exec.static"))
		return err;
	fd = helper_fd(&helper_static);
	if (fd < 0)
		return fail("exec: memfd: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = exec_faults("static", path, with);
	if (!err)
		err = exec_faults("static_noclock", path, without);
	close(fd);
	return err ?: run_helper(&helper_static, "fork");
}

/* ---- the benchmarks ---- */

static bool have_vdso(const char *what)
{
	if (getauxval(AT_SYSINFO_EHDR))
		return true;
	fail("%s: this process has no vDSO: boot without vdso=0", what);
	return false;
}

static int bench_gettime(void)
{
	int err = run_child("gettime", vc_gettime);

	if (!err && opt_compat && have_helper(&helper_32, "compat.gettime"))
		err = run_helper(&helper_32, "gettime");
	/* What system calls take is shown, but that is not all that was asked for */
	return have_vdso("gettime") ? err : -1;
}

static int bench_fault(void)
{
	int err;

	if (!have_vdso("fault"))
		return -1;
	err = run_child("fault", vc_fault);
	if (err == VC_EXIT_FALLBACK) {
		if (!have_helper(&helper_static, "fault"))
			return 0;
		note(&warnings,
		     "fault: measured in processes just exec'ed instead");
		err = run_helper(&helper_static, "fault-exec");
	}
	if (!err && opt_compat && have_helper(&helper_32, "compat.fault"))
		err = run_helper(&helper_32, "fault-exec");
	return err;
}

static int bench_contend(void)
{
	const char *unit = conf.unit;
	double scale = conf.scale;
	int err;

	if (!have_vdso("contend"))
		return -1;
	/* Waits, not work: raw ticks, whatever the unit elsewhere */
	conf.unit = "cycles";
	conf.scale = 1;
	err = run_child("contend", vc_contend);
	conf.unit = unit;
	conf.scale = scale;
	if (err == VC_EXIT_FALLBACK) {
		note(&skipped, "contend can't map a fresh vvar here");
		err = 0;
	}
	return err;
}

/* The tail is what it is for */
#define FIRST_LOOPS	20000

static int bench_first(void)
{
	struct vc_conf given = conf;
	int err;

	if (!have_vdso("first"))
		return -1;
	/* Waits are no count of anything */
	if (conf.exact) {
		conf.unit = "cycles";
		conf.scale = 1;
		conf.exact = false;
	}
	if (!opt_loops)
		conf.loops = FIRST_LOOPS;
	if (conf.emulated)
		note(&warnings,
		     "first: an emulated CPU stands still when the machine below runs something else: p99.9 and max are of both");
	err = run_child("first", vc_first);
	conf = given;
	if (err == VC_EXIT_FALLBACK) {
		note(&skipped, "first can't map a fresh vvar and vDSO here");
		err = 0;
	}
	return err;
}

static int bench_scale(void)
{
	unsigned int threads = conf.threads;
	int err;

	if (!have_vdso("scale"))
		return -1;
	if (!opt_threads)
		conf.threads = conf.nr_cpus;
	else if (conf.threads > (unsigned int)conf.nr_cpus)
		note(&warnings, "scale: %u threads on %d CPUs: they take turns",
		     conf.threads, conf.nr_cpus);
	err = run_child("scale", vc_scale);
	conf.threads = threads;
	return err;
}

static int bench_pages(void)
{
	if (!have_vdso("pages"))
		return -1;
	return run_child("pages", vc_pages);
}

static int bench_check(void)
{
	int err = run_child("check", vc_check);

	/* Nothing was compared with the system call */
	return have_vdso("check") ? err : -1;
}

static const struct sub {
	const char	*name;
	int		(*run)(void);
	bool		by_default;
} subs[] = {
	{ "gettime",	bench_gettime,	true },
	{ "fault",	bench_fault,	true },
	{ "contend",	bench_contend,	false },
	{ "first",	bench_first,	false },
	{ "exec",	bench_exec,	false },
	{ "scale",	bench_scale,	false },
	{ "pages",	bench_pages,	false },
	{ "check",	bench_check,	false },
};

/* ---- environment ---- */

static const char *cpu_vendor_of_hypervisor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	static char id[13];
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 31)))
		return "none";
	__cpuid(0x40000000, a, b, c, d);
	memcpy(id, &b, 4);
	memcpy(id + 4, &c, 4);
	memcpy(id + 8, &d, 4);
	if (!strcmp(id, "TCGTCGTCGTCG"))
		return "tcg";
	if (!strcmp(id, "KVMKVMKVM"))
		return "kvm";
	return id[0] ? id : "unknown hypervisor";
#else
	return "unknown";
#endif
}

static char *first_line(const char *cmd_or_file, bool command)
{
	FILE *f = command ? popen(cmd_or_file, "r") : fopen(cmd_or_file, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (!f)
		return strdup("");
	len = getline(&line, &room, f);
	if (command)
		pclose(f);
	else
		fclose(f);
	if (len <= 0) {
		free(line);
		return strdup("");
	}
	line[strcspn(line, "\n")] = 0;
	return line;
}

static char *env_or(const char *name, char *value)
{
	size_t len = strlen(name);
	unsigned int i;

	for (i = 0; i < env_given.nr; i++)
		if (!strncmp(env_given.line[i], name, len) &&
		    env_given.line[i][len] == '=')
			return env_given.line[i] + len + 1;
	return value;
}

static char *cpu_model(void)
{
	char *line = first_line("grep -m1 'model name' /proc/cpuinfo", true);
	char *colon = strchr(line, ':');

	return colon ? colon + 2 : line;
}

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if ((unsigned char)*s < ' ')
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static char *clocksource;
static char *command_line;

static void json_env(FILE *f)
{
	static const char sha[] =
		"{ zcat /proc/config.gz || cat /boot/config-$(uname -r); } 2>/dev/null | sha256sum | sed '/^e3b0c44298fc1c149afbf4c8996fb924/d; s/ .*//'";
	struct utsname u;
	char kernel[256], *config = first_line(sha, true);
	const struct {
		const char	*name, *value;
	} row[] = {
		{ "kernel",		kernel },
		{ "commit",		"unknown" },
		{ "config_sha256",	*config ? config : "unknown" },
		{ "compiler",		"perf: " __VERSION__ },
		{ "command",		command_line },
		{ "accelerator",	accelerator },
		{ "clocksource",	clocksource },
		{ "cpu_model",		cpu_model() },
		{ "tick_source",	vc_tick_source() },
	};
	unsigned int i, k;

	uname(&u);
	snprintf(kernel, sizeof(kernel), "%s %s", u.release, u.version);
	fprintf(f, "  \"environment\": {\n");
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		fprintf(f, "    \"%s\": ", row[i].name);
		json_string(f, env_or(row[i].name, (char *)row[i].value));
		fprintf(f, ",\n");
	}
	for (k = 0; k < env_given.nr; k++) {
		char *name = strndup(env_given.line[k],
				     strcspn(env_given.line[k], "="));

		for (i = 0; i < ARRAY_SIZE(row); i++)
			if (!strcmp(row[i].name, name))
				break;
		if (i == ARRAY_SIZE(row)) {
			fprintf(f, "    ");
			json_string(f, name);
			fprintf(f, ": ");
			json_string(f, env_or(name, NULL));
			fprintf(f, ",\n");
		}
		free(name);
	}
	fprintf(f, "    \"ns_per_tick\": %.9g,\n", vc_ns_per_tick());
	fprintf(f, "    \"cpus\": %ld\n  },\n", sysconf(_SC_NPROCESSORS_ONLN));
}

/* ---- output ---- */

static void json_notes(FILE *f, const char *name, const struct notes *notes)
{
	unsigned int i;

	fprintf(f, "  \"%s\": [", name);
	for (i = 0; i < notes->nr; i++) {
		fprintf(f, "%s\n    ", i ? "," : "");
		json_string(f, notes->line[i]);
	}
	fprintf(f, "%s],\n", notes->nr ? "\n  " : "");
}

static void print_json(FILE *f)
{
	unsigned int i;
	unsigned long k;
	double lo, hi;

	fprintf(f, "{\n  \"schema\": \"vdso-clock/1\",\n");
	json_env(f);
	json_notes(f, "warnings", &warnings);
	json_notes(f, "skipped", &skipped);
	json_notes(f, "report", &texts);
	fprintf(f, "  \"metrics\": [");
	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];

		fprintf(f,
			"%s\n    { \"name\": \"%s\", \"unit\": \"%s\", \"exact\": %s, \"better\": \"%s\",\n",
			i ? "," : "", m->name, m->unit,
			m->exact ? "true" : "false", m->better);
		fprintf(f,
			"      \"n\": %lu, \"min\": %.9g, \"p50\": %.9g, \"p90\": %.9g, \"p99\": %.9g, \"max\": %.9g, \"mean\": %.9g,\n",
			m->n, m->sorted[0], p_of(m, .5), p_of(m, .9),
			p_of(m, .99), m->sorted[m->n - 1], mean(m));
		if (m->n >= TAIL_SAMPLES)
			fprintf(f, "      \"p999\": %.9g,\n", p_of(m, .999));
		if (median_ci(m, &lo, &hi))
			fprintf(f, "      \"p50_ci95\": [%.9g, %.9g],\n", lo, hi);
		fprintf(f, "      \"samples\": [");
		for (k = 0; k < m->n; k++)
			fprintf(f, "%s%.9g", k ? "," : "", m->val[k]);
		fprintf(f, "] }");
	}
	fprintf(f, "\n  ]\n}\n");
}

static void print_simple(FILE *f)
{
	unsigned int i;

	for (i = 0; i < nr_metrics; i++)
		fprintf(f, "%s %.9g %s %.9g %.9g %lu\n", metrics[i].name,
			p_of(&metrics[i], .5), metrics[i].unit,
			metrics[i].sorted[0], p_of(&metrics[i], .99),
			metrics[i].n);
}

/* As Go's benchstat reads it: one line for each sample */
static void print_benchstat(FILE *f)
{
	unsigned int i;
	unsigned long k;
	char *p;

	for (i = 0; i < nr_metrics; i++) {
		char *name = must(strdup(metrics[i].name));
		const char *unit = metrics[i].unit;

		for (p = name; *p; p++)
			if (*p == '.')
				*p = '/';
		name[0] = name[0] >= 'a' && name[0] <= 'z' ?
			  name[0] - 'a' + 'A' : name[0];
		for (k = 0; k < metrics[i].n; k++)
			fprintf(f, "Benchmark%s 1 %.9g %s/op\n", name,
				metrics[i].val[k], unit);
		free(name);
	}
}

static void print_repeats(FILE *f, const struct metric *m)
{
	struct stats medians = m->medians;

	if (medians.n > 1)
		fprintf(f, "  (+- %.2f %% in %.0f runs)",
			rel_stddev_stats(stddev_stats(&medians),
					 avg_stats(&medians)), medians.n);
}

static void print_gettime(FILE *f)
{
	static const char * const path[] = { "vdso", "libc", "syscall" };
	double lo, hi;
	struct metric *tsc = find_metric("gettime.tsc.ordered");
	unsigned int i, k;

	if (!tsc)
		return;
	fprintf(f, "\n# gettime: median %s per call; an ordered TSC read: %.1f\n",
		tsc->unit, p_of(tsc, .5));
	fprintf(f, "%-28s %10s %10s %10s %12s %9s  95 %% of vDSO, libc, syscall\n",
		"", "vDSO", "libc", "syscall", "vDSO/syscall", "vDSO/TSC");
	for (i = 0; i < nr_metrics; i++) {
		const char *name = metrics[i].name;
		char full[128];
		const char *row = strstr(name, "gettime.");
		size_t len = strlen(name);
		struct metric *m[3];

		/* One line for each system call row */
		if (!row || len < 8 || strcmp(name + len - 8, ".syscall"))
			continue;
		len -= 8;
		for (k = 0; k < 3; k++) {
			snprintf(full, sizeof(full), "%.*s.%s", (int)len, name,
				 path[k]);
			m[k] = find_metric(full);
		}
		/* "MONOTONIC", but "compat.gettime.MONOTONIC" */
		if (row == name) {
			name += 8;
			len -= 8;
		}
		fprintf(f, "%-28.*s", (int)len, name);
		for (k = 0; k < 3; k++) {
			if (m[k])
				fprintf(f, " %10.1f", p_of(m[k], .5));
			else
				fprintf(f, " %10s", "-");
		}
		if (m[0])
			fprintf(f, " %12.3f %9.2f", p_of(m[0], .5) /
				p_of(m[2], .5), p_of(m[0], .5) / p_of(tsc, .5));
		else
			fprintf(f, " %12s %9s", "-", "-");
		for (k = 0; k < 3; k++) {
			if (m[k] && median_ci(m[k], &lo, &hi))
				fprintf(f, "%s%.1f..%.1f", k ? ", " : "  ", lo, hi);
			else
				fprintf(f, "%s-", k ? ", " : "  ");
		}
		print_repeats(f, m[0] ?: m[2]);
		fputc('\n', f);
	}
}

static void print_check(FILE *f)
{
	static const char * const column[] = {
		"resolution", "step_min", "same_time", "handovers", "backward"
	};
	bool head = false;
	unsigned int i, k;

	for (i = 0; i < nr_metrics; i++) {
		const char *name = metrics[i].name;
		int len = strcspn(name + 6, ".");

		/* One line for each clock */
		if (strncmp(name, "check.", 6) ||
		    strcmp(name + 6 + len, ".backward"))
			continue;
		if (!head) {
			fprintf(f, "\n# check: resolution and smallest step in ns, %% of second reads with the same time,\n# reads that followed one on another CPU, steps backward (any is a failure)\n%-20s", "");
			for (k = 0; k < ARRAY_SIZE(column); k++)
				fprintf(f, " %11s", column[k]);
			fputc('\n', f);
		}
		head = true;
		fprintf(f, "%-20.*s", len, name + 6);
		for (k = 0; k < ARRAY_SIZE(column); k++) {
			struct metric *m;
			char full[128];

			snprintf(full, sizeof(full), "check.%.*s.%s", len,
				 name + 6, column[k]);
			m = find_metric(full);
			if (m)
				fprintf(f, " %11.10g", p_of(m, .5));
			else
				fprintf(f, " %11s", "-");
		}
		fputc('\n', f);
	}
}

/* "fault.vvar.faults" is a column of the line of "fault.vvar" */
static const char * const columns[] = { "faults", "vma_lock_retry" };

static bool is_column(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const char *dot = strrchr(name, '.');
		char base[128];

		if (strcmp(dot ? dot + 1 : name, columns[i]))
			continue;
		snprintf(base, sizeof(base), "%.*s", (int)(dot - name), name);
		if (find_metric(base))
			return true;
	}
	return false;
}

static void print_line(FILE *f, int width, const struct metric *m)
{
	double lo, hi;
	unsigned int i;

	if (m->n == 1) {
		fprintf(f, "%-*s %-12s %7d %10s %10.1f\n", width, m->name,
			m->unit, 1, "", m->val[0]);
		return;
	}
	fprintf(f, "%-*s %-12s %7lu %10.1f %10.1f %10.1f %10.1f %10.1f",
		width, m->name, m->unit, m->n, m->sorted[0], p_of(m, .5),
		p_of(m, .9), p_of(m, .99), m->sorted[m->n - 1]);
	if (median_ci(m, &lo, &hi))
		fprintf(f, "  %.1f..%.1f", lo, hi);
	if (m->n >= TAIL_SAMPLES)
		fprintf(f, "  p99.9 %.1f", p_of(m, .999));
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		struct metric *column;
		char name[128];

		snprintf(name, sizeof(name), "%s.%s", m->name, columns[i]);
		column = find_metric(name);
		if (column)
			fprintf(f, "  %s %g", columns[i], p_of(column, .5));
	}
	print_repeats(f, m);
	fputc('\n', f);
}

/* The others are in the tables of gettime and check, or a column of another line */
static bool has_line(const struct metric *m)
{
	return (!strstr(m->name, "gettime.") || strstr(m->name, ".ordered")) &&
	       strncmp(m->name, "check.", 6) && !is_column(m->name);
}

static void print_default(FILE *f)
{
	bool head = false;
	int width = 28;
	unsigned int i;

	print_gettime(f);
	print_check(f);
	for (i = 0; i < nr_metrics; i++)
		if (has_line(&metrics[i]) && (int)strlen(metrics[i].name) > width)
			width = strlen(metrics[i].name);
	for (i = 0; i < nr_metrics; i++) {
		if (!has_line(&metrics[i]))
			continue;
		if (!head)
			fprintf(f, "\n%-*s %-12s %7s %10s %10s %10s %10s %10s  %s\n",
				width, "", "unit", "samples", "min", "p50", "p90",
				"p99", "max", "95 % of p50");
		head = true;
		print_line(f, width, &metrics[i]);
	}
	if (texts.nr)
		fputc('\n', f);
	for (i = 0; i < texts.nr; i++)
		fprintf(f, "%s\n", texts.line[i]);
	if (skipped.nr)
		fprintf(f, "\n# Skipped:\n");
	for (i = 0; i < skipped.nr; i++) {
		int len = strcspn(skipped.line[i], " ");

		fprintf(f, "#   %.*s:%s\n", len, skipped.line[i],
			skipped.line[i] + len);
	}
}

static const struct format {
	const char	*name;
	int		id;
	void		(*print)(FILE *f);
} formats[] = {
	{ "default",	BENCH_FORMAT_DEFAULT,	print_default },
	{ "simple",	BENCH_FORMAT_SIMPLE,	print_simple },
	{ "json",	BENCH_FORMAT_JSON,	print_json },
	{ "benchstat",	BENCH_FORMAT_BENCHSTAT,	print_benchstat },
};

/* In one piece: perf bench has made stdout unbuffered */
static int print_all(const struct format *format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return fail("no memory for the output");
	format->print(f);
	if (fclose(f))
		return fail("no memory for the output");
	if (fwrite(text, 1, len, stdout) != len || fflush(stdout) ||
	    fsync(STDOUT_FILENO)) {
		/* A pipe or a terminal can't be synced and needn't be */
		if (errno != EINVAL && errno != EROFS)
			return fail("can't write the results: %s",
				    strerror(errno));
	}
	free(text);
	return 0;
}

/* ---- options ---- */

static int parse_cpus(void)
{
	struct perf_cpu_map *map, *online;
	unsigned int i, nr;
	struct perf_cpu cpu;
	static int *list;
	int ret = 0;

	conf.nr_cpus = 0;
	online = perf_cpu_map__new_online_cpus();
	map = opt_cpus ? perf_cpu_map__new(opt_cpus) : NULL;
	if (opt_cpus && (!map || !*opt_cpus)) {
		ret = fail("-C %s: not a list of CPUs, such as 0-3,6", opt_cpus);
		goto out;
	}
	if (!map)
		goto out;
	nr = perf_cpu_map__nr(map);
	list = must(calloc(nr, sizeof(*list)));
	for (i = 0; i < nr; i++) {
		cpu = perf_cpu_map__cpu(map, i);
		if (!perf_cpu_map__has(online, cpu)) {
			ret = fail("-C %s: CPU %d is not online", opt_cpus,
				   cpu.cpu);
			goto out;
		}
		list[conf.nr_cpus++] = cpu.cpu;
	}
	conf.cpus = list;
out:
	perf_cpu_map__put(map);
	perf_cpu_map__put(online);
	return ret;
}

static int default_cpus(void)
{
	static int list[CPU_SETSIZE];
	cpu_set_t set;
	int i;

	/* One CPU for each thread, of those that we may use */
	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			list[conf.nr_cpus++] = i;
	conf.cpus = list;
	return 0;
}

/* An option's number, which stays as it is if the option was not given */
static int number(const char *name, const char *text, unsigned long min,
		  unsigned long max, unsigned long *value)
{
	char *end;

	if (!text)
		return 0;
	errno = 0;
	*value = strtoul(text, &end, 0);
	if (errno || *end || *text < '0' || *text > '9' || *value < min ||
	    *value > max)
		return fail("%s %s: not a number from %lu to %lu", name, text,
			    min, max);
	return 0;
}

static int check_clocks(void)
{
	char *list, *tok, *save;
	int ret = 0;

	if (!opt_clocks)
		return 0;
	list = must(strdup(opt_clocks));
	tok = strtok_r(list, ",", &save);
	if (!tok)
		ret = fail("--clock: no clock in '%s'", opt_clocks);
	for (; tok && !ret; tok = strtok_r(NULL, ",", &save)) {
		if (vc_known(tok))
			continue;
		fprintf(stderr, "vdso-clock: --clock %s: unknown; known are: ",
			tok);
		vc_list_known(stderr);
		ret = -1;
	}
	free(list);
	return ret;
}

static int set_unit(void)
{
	static const char no_count[] =
		"--unit instructions: the TSC does not count instructions here; run under QEMU with -icount shift=0, or use --unit cycles or ns";
	bool instructions = vc_ticks_are_instructions();

	accelerator = cpu_vendor_of_hypervisor();
	if (instructions)
		accelerator = "tcg-icount";
	conf.scale = 1;
	conf.exact = false;
	if (!strcmp(opt_unit, "auto"))
		opt_unit = instructions ? "instructions" : "ns";
	if (!strcmp(opt_unit, "instructions")) {
		if (!instructions)
			return fail("%s", no_count);
		conf.exact = true;
	} else if (!strcmp(opt_unit, "ns")) {
		conf.scale = vc_ns_per_tick();
	} else if (strcmp(opt_unit, "cycles")) {
		return fail("--unit %s: not one of auto, ns, cycles, instructions",
			    opt_unit);
	}
	conf.unit = opt_unit;
	conf.emulated = !strncmp(accelerator, "tcg", 3);
	return 0;
}

static const struct format *find_format(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (opt_format ? !strcmp(opt_format, formats[i].name) :
				 bench_format == formats[i].id)
			return &formats[i];
	}
	fail("--format %s: not one of default, simple, json, benchstat",
	     opt_format ?: "?");
	return NULL;
}

static const struct sub *find_sub(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(subs); i++)
		if (!strcmp(subs[i].name, name))
			return &subs[i];
	return NULL;
}

static char *join(int argc, const char **argv)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = must(open_memstream(&text, &len));
	int i;

	fprintf(f, "perf bench");
	for (i = 0; i < argc; i++)
		fprintf(f, " %s", argv[i]);
	fclose(f);
	return text;
}

static double work_ticks(void)
{
	uint64_t t, best = UINT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		t = vc_work(20000);
		if (t < best)
			best = t;
	}
	return best;
}

/*
 * tsc-early becomes tsc a second or so after boot, once another timer has told
 * its frequency. A guest can be quicker, and its figures would be of either.
 */
static char *settled_clocksource(void)
{
	char *name;
	int i;

	for (i = 0; ; i++) {
		name = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
				  false);
		if (i == 100 || strcmp(name, "tsc-early"))
			return name;
		free(name);
		usleep(100000);
	}
}

/* In a child: the pages that it touches stay untouched here */
static int check_clocksource(const struct vc_conf *c)
{
	double share = vc_vdso_share();

	if (share > 0.75)
		vc_say(c, 'w', "clocksource %s: the vDSO can't read it, or not quickly: MONOTONIC takes %.2f of what the system call takes",
		       clocksource, share);
	return 0;
}

static void warn_before(void)
{
	if (!getauxval(AT_SYSINFO_EHDR))
		note(&warnings,
		     "this process has no vDSO (booted with vdso=0?): every read is a system call");
	else
		run_child("clocksource", check_clocksource);
	if (!strcmp(accelerator, "tcg"))
		note(&warnings,
		     "running under TCG emulation: times say little about hardware; compare ratios within one run");
}

/* Times, and no counts of faults or the like; check's are single figures */
static bool has_percentiles(const struct metric *m)
{
	return strncmp(m->name, "check.", 6) &&
	       (!strcmp(m->unit, conf.unit) || !strcmp(m->unit, "cycles"));
}

static void warn_after(double work)
{
	double now = work_ticks();
	unsigned int i;

	if (fabs(now - work) > 0.03 * work)
		note(&warnings,
		     "the CPU's clock moved by %.0f %% during the run: times may not be comparable",
		     (now - work) / work * 100);
	for (i = 0; i < nr_metrics; i++)
		if (metrics[i].n < 100 && has_percentiles(&metrics[i])) {
			note(&warnings,
			     "fewer than 100 samples (%s has %lu): p99 is only the largest of them",
			     metrics[i].name, metrics[i].n);
			break;
		}
}

int bench_vdso_clock(int argc, const char **argv)
{
	const struct sub *run[ARRAY_SIZE(subs)];
	unsigned long repeat = 1, threads = 1, k;
	const struct format *format;
	unsigned int i, nr = 0;
	char *end;
	double work;
	int ret = 0;

	command_line = join(argc, argv);
	argc = parse_options(argc, argv, options, usage, 0);

	for (i = 0; i < (unsigned int)argc; i++) {
		if (!strcmp(argv[i], "all")) {
			for (nr = 0; nr < ARRAY_SIZE(subs); nr++)
				run[nr] = &subs[nr];
			break;
		}
		if (nr == ARRAY_SIZE(subs) || !find_sub(argv[i])) {
			fail("unknown benchmark '%s': perf bench vdso-clock -h lists them",
			     argv[i]);
			return 1;
		}
		run[nr++] = find_sub(argv[i]);
	}
	if (!argc)
		for (i = 0; i < ARRAY_SIZE(subs); i++)
			if (subs[i].by_default)
				run[nr++] = &subs[i];

	format = find_format();
	if (!format || check_clocks() || parse_cpus())
		return 1;
	/* Before anything is measured by it */
	clocksource = settled_clocksource();
	if (set_unit())
		return 1;
	if (!conf.nr_cpus)
		default_cpus();
	conf.seconds = opt_seconds ? strtod(opt_seconds, &end) : 0;
	if (opt_seconds && (*end || end == opt_seconds ||
			    !(conf.seconds > 0 && conf.seconds < 1e6))) {
		fail("-t %s: not a number of seconds above 0", opt_seconds);
		return 1;
	}
	conf.loops = conf.exact ? 200 : 1000;
	conf.batch = 100;
	conf.warmup = 10;
	if (bench_repeat_given != BENCH_REPEAT_NOT_GIVEN)
		repeat = bench_repeat_given;
	if (number("--loops", opt_loops, 1, VC_MAX_LOOPS, &conf.loops) ||
	    number("--batch", opt_batch, 1, VC_MAX_LOOPS, &conf.batch) ||
	    number("--repeat", opt_repeat, 1, MAX_REPEAT, &repeat) ||
	    number("--threads", opt_threads, 1, 4096, &threads) ||
	    number("--warmup", opt_warmup, 0, VC_MAX_LOOPS, &conf.warmup))
		return 1;
	if (repeat > MAX_REPEAT) {
		fail("--repeat %lu: at most %d", repeat, MAX_REPEAT);
		return 1;
	}
	conf.threads = threads;
	conf.clocks = opt_clocks;
	conf.program = opt_program;

	work = work_ticks();
	warn_before();
	/* What could be measured is shown, also when something else failed */
	for (k = 0; k < repeat; k++)
		for (i = 0; i < nr; i++)
			if (run[i]->run())
				ret = 1;
	sort_metrics();
	warn_after(work);
	for (i = 0; i < warnings.nr; i++)
		fprintf(stderr, "vdso-clock: warning: %s\n", warnings.line[i]);
	if (!nr_metrics && !texts.nr) {
		fail("nothing could be measured:");
		for (i = 0; i < skipped.nr; i++)
			fprintf(stderr, "  skipped: %s\n", skipped.line[i]);
		return 1;
	}
	return print_all(format) ? 1 : ret;
}
