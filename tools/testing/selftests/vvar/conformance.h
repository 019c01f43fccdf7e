/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the conformance test share: conformance.c has the table of
 * subjects.
 */
#ifndef VVAR_CONFORMANCE_H
#define VVAR_CONFORMANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kselftest.h"
#include "areas.h"
#include "process.h"

struct image {
	const char *name;
	int map;
	bool native;		/* it is the one that libc knows */
};

/* conformance_util.c */
extern unsigned long lines;	/* printed so far */
/* Areas of an image, made afresh in this process, which is a child */
extern struct areas as;
extern bool native;		/* of the image that libc knows */
extern struct areas layout;	/* of the image at work, for the parent */

void leave_vdso(void);
bool start_report(void);
void __printf(1, 2) say(const char *fmt, ...);
void print_report(const char *image, const char *what);
void arm_child(void);
void say_death(int status);
void renew(const struct image *image, bool touch);
bool is_hole(const struct area *a, int page);
const char *mark_of(const struct area *a, int page);
const char *label(const struct area *a, int page);
void say_policies(void);
void say_pagemap(unsigned long addr);
const char *access_outcome(unsigned long addr, bool store);
bool map_image(const struct image *image);

/* conformance_proc.c */
void see_maps(void);
void see_smaps(void);
void see_smaps_rollup(void);
void see_numa_maps(void);
void see_status(void);
void see_map_files(void);
void see_procmap_query(void);

/* conformance_pages.c */
void see_pagemap(void);
void see_reads(void);
void see_stores(void);
void see_timens(void);

/* conformance_fetch.c */
void see_segfault(void);
void see_user_stack(void);

/* conformance_core.c */
bool observe_cores(const struct image *image);

/* conformance_perf.c */
bool observe_perf(const struct image *image);

/* conformance_calls.c */
bool observe_calls(const struct image *image);

#endif /* VVAR_CONFORMANCE_H */
