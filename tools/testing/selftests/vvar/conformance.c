// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that user space can find out about its vvar and vDSO mappings,
 * and how every mm system call on them ends, as text to compare between two
 * kernels line by line (scripts/check/conformance). Addresses, and device and inode
 * of real files, are left out; all else is literal.
 *
 * "# " begins what may differ: it depends on how much one fault maps.
 * "improvement: " begins reads of pages with nothing behind them, which give
 * SIGBUS or EFAULT without vvar areas and zeros with them, and a debugger's reads
 * of all of [vvar], which give EIO without.
 *
 * A 64-bit program has each image in turn. Built for 32 bits, it has the image
 * of its exec, by compat system calls.
 *
 * A test of the KTAP output passes if what it is about could be observed.
 */
#define _GNU_SOURCE
#include <sys/utsname.h>
#include <sys/wait.h>

#include "conformance.h"

static const struct image images[] = {
#ifdef __i386__
	{ "compat", .native = true },
#else
	{ "64", AREAS_MAP_64, .native = true },
	{ "x32", AREAS_MAP_X32 },
	{ "32", AREAS_MAP_32 },
#endif
};

static const struct subject {
	const char *name;
	void (*see)(void);	/* in a child that has the areas of an image */
	bool touch;		/* each page of them before */
	/* Or by processes of its own */
	bool (*observe)(const struct image *image);
} subjects[] = {
	{ "maps", see_maps },
	{ "smaps", see_smaps, true },
	{ "smaps_rollup", see_smaps_rollup, true },
	{ "numa_maps", see_numa_maps, true },
	{ "status", see_status },
	{ "map_files", see_map_files, true },
	{ "PROCMAP_QUERY", see_procmap_query, true },
	{ "pagemap", see_pagemap, true },
	{ "load", see_reads },
	{ "store", see_stores },
	{ "segfault", see_segfault },
	{ "user stack", see_user_stack },
	{ "time namespace", see_timens },
	{ "core dumps", .observe = observe_cores },
	{ "perf records", .observe = observe_perf },
	{ "system calls", .observe = observe_calls },
};

/* The status that a child has to end with, and at least a line from it */
static bool finish(pid_t pid, const char *image, const char *what)
{
	unsigned long before = lines;
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	say_death(status);
	print_report(image, what);
	return !status && lines > before;
}

static bool observe(const struct image *image, const struct subject *subject)
{
	pid_t pid;

	if (subject->observe)
		return subject->observe(image);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, subject->touch);
		subject->see();
		_exit(0);
	}
	return finish(pid, image->name, subject->name);
}

int main(int argc, char **argv)
{
	const struct image *image;
	unsigned int i, j;
	struct utsname un;

	if (argc == 2 && !strcmp(argv[1], "--exit"))
		return 0;
	if (argc != 1) {
		fprintf(stderr, "usage: %s\n", argv[0]);
		return 2;
	}
	leave_vdso();
	/* Each line once: no child prints what the parent has buffered */
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	ksft_set_plan(ARRAY_SIZE(images) * ARRAY_SIZE(subjects));

	uname(&un);
	ksft_print_msg("kernel %s %s, %s vvar areas\n", un.release, un.version,
		       access("/sys/module/vvar", F_OK) ? "without" : "with");
	if (!start_report())
		ksft_exit_fail_msg("no memory for the report\n");

	for (i = 0; i < ARRAY_SIZE(images); i++) {
		image = &images[i];
		if (!map_image(image)) {
			for (j = 0; j < ARRAY_SIZE(subjects); j++)
				ksft_test_result_skip("%s image\n", image->name);
			continue;
		}
		for (j = 0; j < ARRAY_SIZE(subjects); j++)
			ksft_test_result(observe(image, &subjects[j]), "%s %s\n",
					 image->name, subjects[j].name);
	}
	ksft_finished();
}
