/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit suites of vvar areas know of x86. */
#ifndef _VVAR_TEST_X86_H
#define _VVAR_TEST_X86_H

#include <linux/vdso_datastore.h>
#include <vdso/datapage.h>

#include <asm/hpet.h>
#include <asm/vdso.h>
#include <asm/vdso/vsyscall.h>

#include "vvar_test.h"

#ifndef CONFIG_HPET_TIMER
#define hpet_address	0UL
#endif

/* The image of programs with pointers as long as the kernel's */
#ifdef CONFIG_X86_64
#define native_image	vdso64_image
#else
#define native_image	vdso32_image
#endif

#define TIME_PFN	PHYS_PFN(__pa(vdso_k_time_data))
/* From the start of [vvar] to that of the vDSO: programs rely on it */
#define VVAR_SIZE	(__VDSO_PAGES * PAGE_SIZE)

/* vvar_pat_test.c */
struct memtypes {
	unsigned int nr;
	u64 sum;
};

struct memtypes vvt_get_memtypes(void);
void vvt_expect_memtypes(struct kunit *test, struct memtypes before);
struct test_area *vvt_make_pat_area(struct kunit *test);
unsigned long vvt_reserve_pfn(struct kunit *test);

/* vvar_vclock_test.c */
unsigned long vvt_map_vclock(struct kunit *test, unsigned int slot);
void vvt_switch_clock(enum vdso_clock_mode mode, bool done);
void vvt_expect_type(struct kunit *test, pte_t pte,
		     enum page_cache_mode type);
void vvt_clear_hvclock_action(void *unused);

#endif
