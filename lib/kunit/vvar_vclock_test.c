// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the pages of x86's vclocks: Hyper-V, pvclock, HPET. */
#include <linux/clocksource.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vdso_datastore.h>
#include <vdso/datapage.h>

#include <asm/hpet.h>
#include <asm/memtype.h>
#include <asm/pvclock.h>
#include <asm/vdso.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

#include "vvar_test_x86.h"

/* Maps the 64-bit image; returns the address of a slot of the vclocks' area */
unsigned long vvt_map_vclock(struct kunit *test, unsigned int slot)
{
	vvt_attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + PAGE_SIZE));
	return VDSO_VCLOCK_PAGES_START((unsigned long)current->mm->context.vdso -
				       VVAR_SIZE) + (slot << PAGE_SHIFT);
}

/* What timekeeping_notify() does around a switch to a clocksource of this mode */
void vvt_switch_clock(enum vdso_clock_mode mode, bool done)
{
	struct clocksource cs = { .vdso_clock_mode = mode };

	arch_clocksource_switch(&cs, done);
}

void vvt_expect_type(struct kunit *test, pte_t pte,
		     enum page_cache_mode type)
{
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(type));
}

#ifdef CONFIG_HYPERV_TIMER
void vvt_clear_hvclock_action(void *unused)
{
	vvar_pat_clear_slot(&vvar_vclock_area, VDSO_PAGE_HVCLOCK_OFFSET);
}

/* A copy, as the page is to the vDSO */
static struct ms_hyperv_tsc_page *read_hvclock(struct kunit *test,
					       unsigned long addr)
{
	void *copy = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_ASSERT_EQ(test, 0,
			copy_from_user(copy, (void __user *)addr, PAGE_SIZE));
	return copy;
}

static void vvar_vclock_hvclock_tombstone_is_no_clock(struct kunit *test)
{
	unsigned long addr;
	u64 tsc, now;

	if (hv_get_tsc_pfn())
		kunit_skip(test, "a Hyper-V guest: the slot is in use");
	addr = vvt_map_vclock(test, VDSO_PAGE_HVCLOCK_OFFSET);
	/* Sequence 0, which sends readers to the system call */
	KUNIT_EXPECT_FALSE(test, hv_read_tsc_page_tsc(read_hvclock(test, addr),
						      &tsc, &now));
}

static void vvar_vclock_hvclock_page_is_read_through_vvar(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_HVCLOCK_OFFSET;
	struct ms_hyperv_tsc_page *page;
	unsigned long addr;
	u64 tsc, now;
	pte_t pte;

	if (hv_get_tsc_pfn())
		kunit_skip(test, "a Hyper-V guest: the slot is in use");
	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	page = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	vvt_add_action(test, vvt_free_page_action, virt_to_page(page));
	page->tsc_sequence = 1;
	page->tsc_scale = 1ULL << 63;
	page->tsc_offset = 12345;

	addr = vvt_map_vclock(test, slot);
	vvt_add_action(test, vvt_clear_hvclock_action, NULL);
	KUNIT_ASSERT_EQ(test, 0,
			vvar_pat_set_slot(&vvar_vclock_area, slot,
					  PHYS_PFN(__pa(page)),
					  _PAGE_CACHE_MODE_WB,
					  VVAR_PAT_DECRYPTED, NULL));
	KUNIT_EXPECT_TRUE(test, hv_read_tsc_page_tsc(read_hvclock(test, addr),
						     &tsc, &now));
	KUNIT_EXPECT_EQ(test, now, (tsc >> 1) + 12345);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(__pa(page)));
	EXPECT_PTE(test, pte, !pte_write(pte));
}

/* No System RAM, and not write-back by the MTRRs: uncached, as it always was */
static void vvar_vclock_hvclock_page_that_is_no_ram_is_uncached(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_HVCLOCK_OFFSET;
	unsigned long addr, pfn = PHYS_PFN(hpet_address);
	struct fail_call *f;
	pte_t pte;

	if (!hpet_address || hv_get_tsc_pfn())
		kunit_skip(test, "no HPET, or a Hyper-V guest");
	addr = vvt_map_vclock(test, slot);
	vvt_add_action(test, vvt_clear_hvclock_action, NULL);
	f = vvt_fail_nth(test, "hv_get_tsc_pfn", 0, pfn);
	vvt_switch_clock(VDSO_CLOCKMODE_HVCLOCK, false);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	vvt_touch(test, addr);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == pfn);
	if (pat_enabled())
		vvt_expect_type(test, pte, _PAGE_CACHE_MODE_UC_MINUS);
}
#endif

#ifdef CONFIG_VVAR_KUNIT_PVCLOCK
static void vvar_vclock_pvclock_page_comes_into_use(struct kunit *test)
{
	unsigned int slot = VDSO_PAGE_PVCLOCK_OFFSET;
	void *pvti = pvclock_get_pvti_cpu0_va();
	unsigned long addr;
	pte_t pte;

	if (!pvti)
		kunit_skip(test, "no TSC to make a pvclock page from");
	addr = vvt_map_vclock(test, slot);
	/* Before the mode is published, and for good */
	vvt_switch_clock(VDSO_CLOCKMODE_PVCLOCK, false);
	vvt_touch(test, addr);
	vvt_switch_clock(VDSO_CLOCKMODE_TSC, true);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(__pa(pvti)));
	EXPECT_PTE(test, pte, pte_val(pte) == cc_mkdec(pte_val(pte)));
	vvt_expect_type(test, pte, _PAGE_CACHE_MODE_WB);
}
#endif

#ifdef CONFIG_X86_VDSO_HPET
static void hpet_away_action(void *unused)
{
	vvt_switch_clock(VDSO_CLOCKMODE_TSC, true);
}

static void vvar_vclock_hpet_page_comes_and_goes(struct kunit *test)
{
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct memtypes before;
	pte_t pte;

	if (!hpet_address || !IS_ALIGNED(hpet_address, PAGE_SIZE))
		kunit_skip(test, "no page-aligned HPET");
	if (READ_ONCE(vvar_hpet_area.in_use))
		kunit_skip(test, "hpet is the clocksource");
	before = vvt_get_memtypes();
	vvt_attach_mm(test);
	vvt_map_area(test, &vvar_hpet_area, addr);
	vvt_touch(test, addr);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);

	vvt_add_action(test, hpet_away_action, NULL);
	vvt_switch_clock(VDSO_CLOCKMODE_HPET, false);
	vvt_touch(test, addr);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == PHYS_PFN(hpet_address));
	vvt_expect_type(test, pte, _PAGE_CACHE_MODE_UC_MINUS);

	/* The page stays till the mode is another one */
	vvt_switch_clock(VDSO_CLOCKMODE_HPET, true);
	vvt_switch_clock(VDSO_CLOCKMODE_TSC, false);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_present(pte));
	vvt_switch_clock(VDSO_CLOCKMODE_TSC, true);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_expect_memtypes(test, before);
}

static void vvar_vclock_hpet_needs_a_page_of_its_own(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vdso_hpet_mode(0xfed00400),
			VDSO_CLOCKMODE_NONE);
}

static void vvar_vclock_hpet_of_another_mode_is_left_alone(struct kunit *test)
{
	unsigned long in_use = READ_ONCE(vvar_hpet_area.in_use);

	if (in_use)
		kunit_skip(test, "hpet is the clocksource");
	vvt_switch_clock(VDSO_CLOCKMODE_NONE, false);
	vvt_switch_clock(VDSO_CLOCKMODE_NONE, true);
	KUNIT_EXPECT_EQ(test, READ_ONCE(vvar_hpet_area.in_use), 0);
}

/* Programs find the time data by its distance from the vDSO, or first in [vvar] */
static void vvar_vclock_hpet_page_moves_no_other(struct kunit *test)
{
	unsigned long addr, vdso;
	struct vm_area_struct *vma;
	pte_t pte;

	vvt_attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + PAGE_SIZE));
	vdso = (unsigned long)current->mm->context.vdso;
	addr = vdso - VVAR_SIZE;
	vvt_expect_readable(test, addr, true);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TIME_PFN);
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	KUNIT_EXPECT_EQ(test, vma->vm_start, addr);
	vma = vma_lookup(current->mm, addr - PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vma && vma_is_vvar_area(vma, &vvar_hpet_area),
			vvar_hpet_size() != 0);
	mmap_read_unlock(current->mm);
}
#endif

static void vvar_vclock_image_unknown_is_refused(struct kunit *test)
{
	struct vdso_image image = native_image;
	struct vm_area_struct *vma;

	vvt_attach_mm(test);
	mmap_write_lock(current->mm);
	vma = vdso_image_map(current->mm, TEST_ADDR + PAGE_SIZE, &image);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
}

static struct kunit_case vvar_vclock_cases[] = {
#ifdef CONFIG_HYPERV_TIMER
	KUNIT_CASE(vvar_vclock_hvclock_tombstone_is_no_clock),
	KUNIT_CASE(vvar_vclock_hvclock_page_is_read_through_vvar),
	KUNIT_CASE(vvar_vclock_hvclock_page_that_is_no_ram_is_uncached),
#endif
#ifdef CONFIG_VVAR_KUNIT_PVCLOCK
	KUNIT_CASE(vvar_vclock_pvclock_page_comes_into_use),
#endif
#ifdef CONFIG_X86_VDSO_HPET
	KUNIT_CASE(vvar_vclock_hpet_page_comes_and_goes),
	KUNIT_CASE(vvar_vclock_hpet_needs_a_page_of_its_own),
	KUNIT_CASE(vvar_vclock_hpet_of_another_mode_is_left_alone),
	KUNIT_CASE(vvar_vclock_hpet_page_moves_no_other),
#endif
	KUNIT_CASE(vvar_vclock_image_unknown_is_refused),
	{}
};

static struct kunit_suite vvar_vclock_suite = {
	.name = "vvar_vclock",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_vclock_cases,
};

kunit_test_suite(vvar_vclock_suite);

MODULE_DESCRIPTION("KUnit tests of the pages of vclocks");
MODULE_LICENSE("GPL");
