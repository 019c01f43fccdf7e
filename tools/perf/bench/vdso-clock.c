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
 * this file has the options and the table of benchmarks. What keeps and shows the
 * results is in vdso-clock/ too, behind front.h.
 */
#include <subcmd/parse-options.h>
#include <perf/cpumap.h>
#include <linux/compiler.h>
#include <linux/kernel.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "bench.h"
#include "vdso-clock/front.h"

#define MAX_REPEAT	10000

static const char *opt_loops, *opt_batch, *opt_warmup, *opt_seconds;
static const char *opt_threads, *opt_repeat;
static const char *opt_cpus, *opt_clocks, *opt_format, *opt_unit = "auto";
static const char *opt_program = "/bin/date";
static bool opt_compat;

struct vc_conf vc_run;

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

static int add_env(const struct option *opt __maybe_unused, const char *arg,
		   int unset __maybe_unused)
{
	static const char * const measured[] = { "cpus=", "ns_per_tick=" };
	const char *eq = strchr(arg, '=');
	unsigned int i;

	if (!eq || eq == arg)
		return vc_fail("--env %s: not of the form name=value", arg);
	for (i = 0; i < ARRAY_SIZE(measured); i++)
		if (!strncmp(arg, measured[i], strlen(measured[i])))
			return vc_fail("--env %s: is measured and can't be given",
				       arg);
	for (i = 0; i < vc_env_given.nr; i++)
		if (!strncmp(vc_env_given.line[i], arg, eq - arg + 1))
			return vc_fail("--env %s: given before, as %s", arg,
				       vc_env_given.line[i]);
	vc_note(&vc_env_given, "%s", arg);
	return 0;
}

static int bench_exec(void)
{
	const char *dynamic[] = { opt_program, NULL };
	const char *with[] = { "vdso-clock", "child-clock", NULL };
	const char *without[] = { "vdso-clock", "child-nothing", NULL };
	char path[64];
	int fd, err;

	if (access(opt_program, X_OK))
		return vc_fail("exec: --program %s: %s", opt_program,
			       strerror(errno));
	err = vc_exec_faults("dynamic", opt_program, dynamic);
	if (err || !vc_have_helper(&vc_static, "exec.static"))
		return err;
	fd = vc_helper_fd(&vc_static);
	if (fd < 0)
		return vc_fail("exec: memfd: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = vc_exec_faults("static", path, with);
	if (!err)
		err = vc_exec_faults("static_noclock", path, without);
	close(fd);
	return err ?: vc_run_helper(&vc_static, "fork");
}

/* ---- the benchmarks ---- */

static bool have_vdso(const char *what)
{
	if (getauxval(AT_SYSINFO_EHDR))
		return true;
	vc_fail("%s: this process has no vDSO: boot without vdso=0", what);
	return false;
}

static int bench_gettime(void)
{
	int err = vc_run_child("gettime", vc_gettime);

	if (!err && opt_compat && vc_have_helper(&vc_compat, "compat.gettime"))
		err = vc_run_helper(&vc_compat, "gettime");
	/* What system calls take is shown, but that is not all that was asked for */
	return have_vdso("gettime") ? err : -1;
}

static int bench_fault(void)
{
	int err;

	if (!have_vdso("fault"))
		return -1;
	err = vc_run_child("fault", vc_fault);
	if (err == VC_EXIT_FALLBACK) {
		if (!vc_have_helper(&vc_static, "fault"))
			return 0;
		vc_note(&vc_warnings,
			"fault: measured in processes just exec'ed instead");
		err = vc_run_helper(&vc_static, "fault-exec");
	}
	if (!err && opt_compat && vc_have_helper(&vc_compat, "compat.fault"))
		err = vc_run_helper(&vc_compat, "fault-exec");
	return err;
}

static int bench_contend(void)
{
	const char *unit = vc_run.unit;
	double scale = vc_run.scale;
	int err;

	if (!have_vdso("contend"))
		return -1;
	/* Waits, not work: raw ticks, whatever the unit elsewhere */
	vc_run.unit = "cycles";
	vc_run.scale = 1;
	err = vc_run_child("contend", vc_contend);
	vc_run.unit = unit;
	vc_run.scale = scale;
	if (err == VC_EXIT_FALLBACK) {
		vc_note(&vc_skipped, "contend can't map a fresh vvar here");
		err = 0;
	}
	return err;
}

/* The tail is what it is for */
#define FIRST_LOOPS	20000

static int bench_first(void)
{
	struct vc_conf given = vc_run;
	int err;

	if (!have_vdso("first"))
		return -1;
	/* Waits are no count of anything */
	if (vc_run.exact) {
		vc_run.unit = "cycles";
		vc_run.scale = 1;
		vc_run.exact = false;
	}
	if (!opt_loops)
		vc_run.loops = FIRST_LOOPS;
	if (vc_run.emulated)
		vc_note(&vc_warnings,
			"first: an emulated CPU stands still when the machine below runs something else: p99.9 and max are of both");
	err = vc_run_child("first", vc_first);
	vc_run = given;
	if (err == VC_EXIT_FALLBACK) {
		vc_note(&vc_skipped, "first can't map a fresh vvar and vDSO here");
		err = 0;
	}
	return err;
}

static int bench_scale(void)
{
	unsigned int threads = vc_run.threads;
	int err;

	if (!have_vdso("scale"))
		return -1;
	if (!opt_threads)
		vc_run.threads = vc_run.nr_cpus;
	else if (vc_run.threads > (unsigned int)vc_run.nr_cpus)
		vc_note(&vc_warnings, "scale: %u threads on %d CPUs: they take turns",
			vc_run.threads, vc_run.nr_cpus);
	err = vc_run_child("scale", vc_scale);
	vc_run.threads = threads;
	return err;
}

static int bench_pages(void)
{
	if (!have_vdso("pages"))
		return -1;
	return vc_run_child("pages", vc_pages);
}

static int bench_check(void)
{
	int err = vc_run_child("check", vc_check);

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

/* ---- options ---- */

static int parse_cpus(void)
{
	struct perf_cpu_map *map, *online;
	unsigned int i, nr;
	struct perf_cpu cpu;
	static int *list;
	int ret = 0;

	vc_run.nr_cpus = 0;
	online = perf_cpu_map__new_online_cpus();
	map = opt_cpus ? perf_cpu_map__new(opt_cpus) : NULL;
	if (opt_cpus && (!map || !*opt_cpus)) {
		ret = vc_fail("-C %s: not a list of CPUs, such as 0-3,6", opt_cpus);
		goto out;
	}
	if (!map)
		goto out;
	nr = perf_cpu_map__nr(map);
	list = vc_must(calloc(nr, sizeof(*list)));
	for (i = 0; i < nr; i++) {
		cpu = perf_cpu_map__cpu(map, i);
		if (!perf_cpu_map__has(online, cpu)) {
			ret = vc_fail("-C %s: CPU %d is not online", opt_cpus,
				      cpu.cpu);
			goto out;
		}
		list[vc_run.nr_cpus++] = cpu.cpu;
	}
	vc_run.cpus = list;
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
			list[vc_run.nr_cpus++] = i;
	vc_run.cpus = list;
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
		return vc_fail("%s %s: not a number from %lu to %lu", name, text,
			       min, max);
	return 0;
}

static int check_clocks(void)
{
	char *list, *tok, *save;
	int ret = 0;

	if (!opt_clocks)
		return 0;
	list = vc_must(strdup(opt_clocks));
	tok = strtok_r(list, ",", &save);
	if (!tok)
		ret = vc_fail("--clock: no clock in '%s'", opt_clocks);
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

	vc_accelerator = vc_hypervisor();
	if (instructions)
		vc_accelerator = "tcg-icount";
	vc_run.scale = 1;
	vc_run.exact = false;
	if (!strcmp(opt_unit, "auto"))
		opt_unit = instructions ? "instructions" : "ns";
	if (!strcmp(opt_unit, "instructions")) {
		if (!instructions)
			return vc_fail("%s", no_count);
		vc_run.exact = true;
	} else if (!strcmp(opt_unit, "ns")) {
		vc_run.scale = vc_ns_per_tick();
	} else if (strcmp(opt_unit, "cycles")) {
		return vc_fail("--unit %s: not one of auto, ns, cycles, instructions",
			       opt_unit);
	}
	vc_run.unit = opt_unit;
	vc_run.emulated = !strncmp(vc_accelerator, "tcg", 3);
	return 0;
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
	FILE *f = vc_must(open_memstream(&text, &len));
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

/* In a child: the pages that it touches stay untouched here */
static int check_clocksource(const struct vc_conf *c)
{
	double share = vc_vdso_share();

	if (share > 0.75)
		vc_say(c, 'w', "clocksource %s: the vDSO can't read it, or not quickly: MONOTONIC takes %.2f of what the system call takes",
		       vc_clocksource, share);
	return 0;
}

static void warn_before(void)
{
	if (!getauxval(AT_SYSINFO_EHDR))
		vc_note(&vc_warnings,
			"this process has no vDSO (booted with vdso=0?): every read is a system call");
	else
		vc_run_child("clocksource", check_clocksource);
	if (!strcmp(vc_accelerator, "tcg"))
		vc_note(&vc_warnings,
			"running under TCG emulation: times say little about hardware; compare ratios within one run");
}

/* Times, and no counts of faults or the like; check's are single figures */
static bool has_percentiles(const struct vc_metric *m)
{
	return strncmp(m->name, "check.", 6) &&
	       (!strcmp(m->unit, vc_run.unit) || !strcmp(m->unit, "cycles"));
}

static void warn_after(double work)
{
	double now = work_ticks();
	unsigned int i;

	if (fabs(now - work) > 0.03 * work)
		vc_note(&vc_warnings,
			"the CPU's clock moved by %.0f %% during the run: times may not be comparable",
			(now - work) / work * 100);
	for (i = 0; i < vc_nr_metrics; i++)
		if (vc_metrics[i].n < 100 && has_percentiles(&vc_metrics[i])) {
			vc_note(&vc_warnings,
				"fewer than 100 samples (%s has %lu): p99 is only the largest of them",
				vc_metrics[i].name, vc_metrics[i].n);
			break;
		}
}

int bench_vdso_clock(int argc, const char **argv)
{
	const struct sub *run[ARRAY_SIZE(subs)];
	unsigned long repeat = 1, threads = 1, k;
	const struct vc_format *format;
	unsigned int i, nr = 0;
	char *end;
	double work;
	int ret = 0;

	vc_command_line = join(argc, argv);
	argc = parse_options(argc, argv, options, usage, 0);

	for (i = 0; i < (unsigned int)argc; i++) {
		if (!strcmp(argv[i], "all")) {
			for (nr = 0; nr < ARRAY_SIZE(subs); nr++)
				run[nr] = &subs[nr];
			break;
		}
		if (nr == ARRAY_SIZE(subs) || !find_sub(argv[i])) {
			vc_fail("unknown benchmark '%s': perf bench vdso-clock -h lists them",
				argv[i]);
			return 1;
		}
		run[nr++] = find_sub(argv[i]);
	}
	if (!argc)
		for (i = 0; i < ARRAY_SIZE(subs); i++)
			if (subs[i].by_default)
				run[nr++] = &subs[i];

	format = vc_find_format(opt_format);
	if (!format || check_clocks() || parse_cpus())
		return 1;
	/* Before anything is measured by it */
	vc_clocksource = vc_settled_clocksource();
	if (set_unit())
		return 1;
	if (!vc_run.nr_cpus)
		default_cpus();
	vc_run.seconds = opt_seconds ? strtod(opt_seconds, &end) : 0;
	if (opt_seconds && (*end || end == opt_seconds ||
			    !(vc_run.seconds > 0 && vc_run.seconds < 1e6))) {
		vc_fail("-t %s: not a number of seconds above 0", opt_seconds);
		return 1;
	}
	vc_run.loops = vc_run.exact ? 200 : 1000;
	vc_run.batch = 100;
	vc_run.warmup = 10;
	if (bench_repeat_given != BENCH_REPEAT_NOT_GIVEN)
		repeat = bench_repeat_given;
	if (number("--loops", opt_loops, 1, VC_MAX_LOOPS, &vc_run.loops) ||
	    number("--batch", opt_batch, 1, VC_MAX_LOOPS, &vc_run.batch) ||
	    number("--repeat", opt_repeat, 1, MAX_REPEAT, &repeat) ||
	    number("--threads", opt_threads, 1, 4096, &threads) ||
	    number("--warmup", opt_warmup, 0, VC_MAX_LOOPS, &vc_run.warmup))
		return 1;
	if (repeat > MAX_REPEAT) {
		vc_fail("--repeat %lu: at most %d", repeat, MAX_REPEAT);
		return 1;
	}
	vc_run.threads = threads;
	vc_run.clocks = opt_clocks;
	vc_run.program = opt_program;

	work = work_ticks();
	warn_before();
	/* What could be measured is shown, also when something else failed */
	for (k = 0; k < repeat; k++)
		for (i = 0; i < nr; i++)
			if (run[i]->run())
				ret = 1;
	vc_sort_metrics();
	warn_after(work);
	for (i = 0; i < vc_warnings.nr; i++)
		fprintf(stderr, "vdso-clock: warning: %s\n", vc_warnings.line[i]);
	if (!vc_nr_metrics && !vc_texts.nr) {
		vc_fail("nothing could be measured:");
		for (i = 0; i < vc_skipped.nr; i++)
			fprintf(stderr, "  skipped: %s\n", vc_skipped.line[i]);
		return 1;
	}
	return vc_print(format) ? 1 : ret;
}
