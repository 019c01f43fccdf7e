/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit suites of vvar areas share. */
#ifndef _VVAR_TEST_H
#define _VVAR_TEST_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pgtable.h>
#include <linux/sizes.h>
#include <linux/vvar_fault.h>

#include "../../mm/vvar.h"
#include "vvar_test_arch.h"

/* Far from anything that mmap would choose, at the start of a page table */
#define TEST_ADDR	(64UL * PMD_SIZE)

#define TOMBSTONE_PFN	page_to_pfn(ZERO_PAGE(0))

/* As [vvar] of 6.12 and [vvar_vclock] have it */
#define AREA_FLAGS	(VM_IO | VM_PFNMAP | VM_DONTDUMP)

/* A vm_fault_t is no number to sparse */
#define EXPECT_FAULT(test, ret, want)					\
	KUNIT_EXPECT_EQ(test, (__force u32)(ret), (__force u32)(want))

/* A claim about a PTE, and the PTE in the message */
#define EXPECT_PTE(test, pte, claim)					\
	KUNIT_EXPECT_TRUE_MSG(test, claim, "PTE %016llx", (u64)pte_val(pte))

/* Nothing else tells apart what is special where PTEs have no bit for it */
static inline bool vvt_special(pte_t pte)
{
	return !IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL) || pte_special(pte);
}

/* By sparc64's pte_access_permitted(), which is for GUP, nobody reads what is special */
static inline bool vvt_pte_readable(pte_t pte)
{
	if (IS_ENABLED(CONFIG_SPARC64))
		return pte_present(pte);
	return pte_access_permitted(pte, false);
}

/*
 * Does a fault at the one address map around to the other? By the default of
 * fault_around_bytes, which with large pages is one page, or a few.
 */
static inline bool vvt_around(unsigned long fault, unsigned long addr)
{
	unsigned long bytes = max(SZ_64K, PAGE_SIZE);

	return ALIGN_DOWN(fault, bytes) == ALIGN_DOWN(addr, bytes);
}

struct test_area {
	struct vvar_area area;
	struct page *page[VVAR_MAX_SLOTS];
};

/* vvar_test.c */
void vvt_attach_mm(struct kunit *test);
pmd_t *vvt_get_pmd(struct mm_struct *mm, unsigned long addr);
pte_t vvt_get_pte(struct mm_struct *mm, unsigned long addr);
struct vm_area_struct *vvt_map_area(struct kunit *test,
				    struct vvar_area *area,
				    unsigned long addr);
void vvt_others_turn(void);
vm_fault_t vvt_user_fault(unsigned long addr, bool race);
vm_fault_t vvt_fault(struct kunit *test, unsigned long addr);
void vvt_touch(struct kunit *test, unsigned long addr);
bool vvt_readable(unsigned long addr);
void vvt_expect_readable(struct kunit *test, unsigned long addr, bool wanted);
unsigned int vvt_count_linked(struct vvar_area *area);
bool vvt_linked_becomes(struct vvar_area *area, unsigned int nr);
void vvt_unregister_action(void *data);
void vvt_free_page_action(void *page);
void vvt_add_action(struct kunit *test, kunit_action_t *action, void *data);
int vvt_set_slot(struct test_area *t, unsigned int slot, unsigned int page);
struct test_area *vvt_make_area_timens(struct kunit *test,
				       unsigned int nr_slots,
				       unsigned long in_use,
				       int timens_slot);
struct test_area *vvt_make_area(struct kunit *test, unsigned int nr_slots,
				unsigned long in_use);
int vvt_no_populate(struct kunit *test);
void vvt_restore_populate(struct kunit *test);

/* vvar_race_test.c */
struct fork_child {
	struct mm_struct *mm;
	struct completion ready, go, gone;
	bool stop;
};

void vvt_fork_mm(struct kunit *test, int (*fn)(void *), void *arg);
void vvt_fork_start(struct kunit *test, struct fork_child *c);
void vvt_fork_stop(struct fork_child *c);

/* vvar_oom_test.c */
/* The call of a function by the test that returns @value without being made */
struct fail_call {
	struct kprobe kp;
	struct task_struct *task;
	unsigned int skip, failed;
	unsigned long value;
	bool registered;
};

struct fail_call *vvt_fail_nth(struct kunit *test, const char *function,
			       unsigned int skip, long value);
void vvt_fail_end(void *f);

#endif
