// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: page faults from exec to exit, told apart by address */
#include <perf/cpumap.h>
#include <perf/event.h>
#include <perf/evlist.h>
#include <perf/evsel.h>
#include <perf/mmap.h>
#include <perf/threadmap.h>
#include <linux/perf_event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>
#include "front.h"

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

	vc_must(any && evlist && threads && evsel ? evlist : NULL);
	if (pipe(go))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		vc_pin(&vc_run, 0);
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

int vc_exec_faults(const char *name, const char *path, const char **argv)
{
	unsigned long i, n = vc_run.loops < 50 ? vc_run.loops : 50;
	double *all = vc_must(calloc(n, sizeof(*all)));
	double *clock = vc_must(calloc(n, sizeof(*clock)));
	double start = vc_now();
	char full[64];
	int err = 0;

	/* The first runs fill the page cache */
	for (i = 0; !err && i < 2; i++)
		err = count_faults(path, argv, all, clock);
	for (i = 0; !err && i < n; i++) {
		if (i && vc_expired(&vc_run, start))
			n = i;
		else
			err = count_faults(path, argv, &all[i], &clock[i]);
	}
	snprintf(full, sizeof(full), "exec.faults.%s", name);
	if (!err) {
		vc_add_samples(full, "faults", true, "lower", all, n);
		snprintf(full, sizeof(full), "exec.faults.%s.vdso", name);
		vc_add_samples(full, "faults", true, "lower", clock, n);
	} else if (err == -ECHILD) {
		vc_fail("exec: %s failed: name a program that works with --program",
			path);
	} else {
		vc_note(&vc_skipped, "%s can't count page faults: %s", full,
			strerror(-err));
		err = 0;
	}
	free(all);
	free(clock);
	return err;
}
