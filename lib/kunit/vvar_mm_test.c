// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of vvar areas: mm system calls. */
#include <linux/completion.h>
#include <linux/mman.h>

#include "vvar_test.h"

static void vvar_mm_moved_area_takes_its_ptes_along(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, 0x3);
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	pte_t pte;

	vvt_map_area(test, &t->area, from);
	vvt_touch(test, from);
	/* With pages of 64 KiB, nothing is mapped around the first */
	vvt_expect_readable(test, from + PAGE_SIZE, true);
	KUNIT_ASSERT_EQ(test, to,
			user_call(mremap, from, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	pte = vvt_get_pte(current->mm, to + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	pte = vvt_get_pte(current->mm, from + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_expect_readable(test, from, false);
}

static void vvar_mm_moved_area_is_replaced_too(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	pte_t pte;

	vvt_map_area(test, &t->area, from);
	vvt_touch(test, from);
	KUNIT_ASSERT_EQ(test, to,
			user_call(mremap, from, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 0, 1), 0);
	pte = vvt_get_pte(current->mm, to);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_touch(test, to);
	pte = vvt_get_pte(current->mm, to);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
}

/* Two trees would let a replace walk past what is moved between them */
static void vvar_mm_moved_area_stays_in_the_i_mmap(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long from = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;
	struct address_space *mapping;
	int cpu;

	mapping = vma_mapping(vvt_map_area(test, &t->area, from));
	for_each_online_cpu(cpu) {
		struct vm_area_struct *vma;

		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		KUNIT_ASSERT_EQ(test, to,
				user_call(mremap, from, 2 * PAGE_SIZE,
					  2 * PAGE_SIZE,
					  MREMAP_MAYMOVE | MREMAP_FIXED, to));
		mmap_read_lock(current->mm);
		vma = vma_lookup(current->mm, to);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
		mmap_read_unlock(current->mm);
		swap(from, to);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 1);
}

static void vvar_mm_resizing_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;

	vvt_map_area(test, &t->area, addr);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			user_call(mremap, addr, 2 * PAGE_SIZE,
				  3 * PAGE_SIZE, MREMAP_MAYMOVE, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			user_call(mremap, addr, 2 * PAGE_SIZE, PAGE_SIZE,
				  0, 0));
	vvt_expect_readable(test, addr + PAGE_SIZE, true);
}

static void vvar_mm_becoming_writable_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct vm_area_struct *vma;
	pte_t pte;

	vma = vvt_map_area(test, &t->area, addr);
	vvt_touch(test, addr);
	KUNIT_EXPECT_EQ_MSG(test, vma->vm_flags & (VM_WRITE | VM_MAYWRITE), 0,
			    "vm_flags %lx", vma->vm_flags);
	KUNIT_EXPECT_EQ(test, -EACCES,
			user_call(mprotect, addr, PAGE_SIZE,
				  PROT_READ | PROT_WRITE, 0, 0));
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, !pte_write(pte));
}

static void vvar_mm_dontneed_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	vvt_map_area(test, &t->area, addr);
	vvt_touch(test, addr);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			user_call(madvise, addr, PAGE_SIZE, MADV_DONTNEED,
				  0, 0));
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_mm_forked_child_is_replaced_too(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct fork_child c;
	pte_t pte;

	vvt_map_area(test, &t->area, addr);
	vvt_touch(test, addr);
	vvar_populate_on = true;
	vvt_fork_start(test, &c);
	wait_for_completion(&c.ready);
	KUNIT_EXPECT_PTR_NE(test, c.mm, current->mm);
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 2);
	/* It does not touch the page any more, but has it */
	WRITE_ONCE(c.stop, true);
	pte = vvt_get_pte(c.mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));

	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 0, 1), 0);
	pte = vvt_get_pte(c.mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte) ||
		   pte_pfn(pte) == page_to_pfn(t->page[1]));
	vvt_fork_stop(&c);
	KUNIT_EXPECT_TRUE(test, vvt_linked_becomes(&t->area, 1));
}

/* What is copied could be what a replace has taken out of the child before */
static void vvar_mm_fork_copies_no_pte(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct fork_child c;
	pte_t pte;

	vvt_map_area(test, &t->area, addr);
	/* A tombstone, which nobody publishes unasked */
	vvt_touch(test, addr + PAGE_SIZE);
	vvt_fork_start(test, &c);
	wait_for_completion(&c.ready);
	pte = vvt_get_pte(c.mm, addr + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_fork_stop(&c);
}

static struct kunit_case vvar_mm_cases[] = {
	KUNIT_CASE(vvar_mm_moved_area_takes_its_ptes_along),
	KUNIT_CASE(vvar_mm_moved_area_is_replaced_too),
	KUNIT_CASE(vvar_mm_moved_area_stays_in_the_i_mmap),
	KUNIT_CASE(vvar_mm_resizing_is_refused),
	KUNIT_CASE(vvar_mm_becoming_writable_is_refused),
	KUNIT_CASE(vvar_mm_dontneed_is_refused),
	KUNIT_CASE(vvar_mm_forked_child_is_replaced_too),
	KUNIT_CASE(vvar_mm_fork_copies_no_pte),
	{}
};

static struct kunit_suite vvar_mm_suite = {
	.name = "vvar_mm",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_mm_cases,
};

kunit_test_suite(vvar_mm_suite);

MODULE_DESCRIPTION("KUnit tests of mm system calls on vvar areas");
MODULE_LICENSE("GPL");
