// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of vvar areas (mm/vvar_fault.c) and of x86's [vvar].
 *
 * The faults are real ones, in an address space of the test's own that the
 * KUnit thread borrows (kthread_use_mm()) and that goes with the thread.
 */
#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>
#include <linux/vvar_fault.h>
#include <vdso/datapage.h>

#include <asm/vdso.h>
#include <asm/vvar.h>
#include <asm/vvar_fault.h>

/* Far from anything that mmap would choose, at the start of a page table */
#define TEST_ADDR	(64UL * PMD_SIZE)

#define TIME_PFN	PHYS_PFN(__pa_symbol(&__vvar_page))
#define TOMBSTONE_PFN	page_to_pfn(ZERO_PAGE(0))

/* A claim about a PTE, and the PTE in the message */
#define EXPECT_PTE(test, pte, claim)					\
	KUNIT_EXPECT_TRUE_MSG(test, claim, "PTE %016llx", (u64)pte_val(pte))

/* The test's mm; a page next to TEST_ADDR keeps its page table in place */
static void attach_mm(struct kunit *test)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, TEST_ADDR - PAGE_SIZE, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, addr, TEST_ADDR - PAGE_SIZE);
}

static pte_t get_pte(struct mm_struct *mm, unsigned long addr)
{
	pte_t *ptep, pte = __pte(0);
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return pte;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return pte;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud))
		return pte;
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd))
		return pte;
	ptep = pte_offset_map(pmd, addr);
	if (!ptep)
		return pte;
	pte = ptep_get(ptep);
	pte_unmap(ptep);
	return pte;
}

static struct vm_area_struct *map_area(struct kunit *test,
				       struct vvar_area *area,
				       unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, addr, area);
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(vma), "%pe", vma);
	return vma;
}

/* A read fault as user mode takes it: under the VMA's read lock */
static vm_fault_t touch(struct kunit *test, unsigned long addr)
{
	struct vm_area_struct *vma;
	vm_fault_t ret;

	/* A kthread never faults without mmap_lock, and is held to it */
	mmap_read_lock(current->mm);
	vma = lock_vma_under_rcu(current->mm, addr);
	if (!vma) {
		mmap_read_unlock(current->mm);
		KUNIT_FAIL_AND_ABORT(test, "no VMA at %lx", addr);
	}
	ret = handle_mm_fault(vma, addr, FAULT_FLAG_USER | FAULT_FLAG_VMA_LOCK,
			      NULL);
	/* Unless it was let go on the way */
	if (!(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		vma_end_read(vma);
	mmap_read_unlock(current->mm);
	return ret;
}

static bool readable(unsigned long addr)
{
	char c;

	return !get_user(c, (char __user *)addr);
}

struct test_area {
	struct vvar_area area;
	struct page *page[VVAR_MAX_SLOTS];
};

/* The mm goes with the thread, later: what is mapped is unmapped here */
static void unregister_action(void *data)
{
	struct vvar_area *area = data;
	int tries = 1000;

	while (vvar_area_unregister(area) == -EBUSY && --tries)
		msleep(1);
	WARN_ON(!tries);
}

static void free_page_action(void *page)
{
	__free_page(page);
}

/* An area with a page of its own in every slot of @in_use */
static struct test_area *make_area_timens(struct kunit *test,
					  unsigned int nr_slots,
					  unsigned long in_use,
					  int timens_slot)
{
	struct test_area *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->area.name = "[vvar_test]";
	t->area.nr_slots = nr_slots;
	t->area.timens_slot = timens_slot;
	KUNIT_ASSERT_EQ(test, vvar_area_register(&t->area), 0);

	for (i = 0; i < nr_slots; i++) {
		t->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, t->page[i]);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
				free_page_action, t->page[i]));
		if (in_use & BIT(i))
			KUNIT_ASSERT_EQ(test, 0, vvar_area_set_slot(&t->area, i,
					page_to_pfn(t->page[i]), PAGE_READONLY));
	}
	/* Last registered, first run: before the pages are freed */
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
			unregister_action, &t->area));
	attach_mm(test);
	return t;
}

static struct test_area *make_area(struct kunit *test, unsigned int nr_slots,
				   unsigned long in_use)
{
	return make_area_timens(test, nr_slots, in_use, -1);
}

/* Faults are to be seen, so nothing is published in front of them */
static int no_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = false;
	return 0;
}

static void restore_populate(struct kunit *test)
{
	vvar_populate_on = test->priv;
}

/* --- areas ------------------------------------------------------------------ */

static void vvar_area_register_refuses_bad_shape(struct kunit *test)
{
	struct vvar_area area = { .name = "x", .nr_slots = 1, .timens_slot = -1 };

	area.nr_slots = 0;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.nr_slots = VVAR_MAX_SLOTS + 1;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.nr_slots = 2;
	area.time_slot = 2;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.time_slot = 0;
	area.timens_slot = 2;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
	area.timens_slot = 1;
	area.name = NULL;
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), -EINVAL);
}

static void vvar_area_set_slot_refuses_out_of_range(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, 0);

	KUNIT_EXPECT_EQ(test, -EINVAL, vvar_area_set_slot(&t->area, 3,
			page_to_pfn(t->page[0]), PAGE_READONLY));
	KUNIT_EXPECT_EQ(test, -EINVAL, vvar_area_set_slot(&t->area, 0,
			PHYS_PFN(PHYSICAL_PAGE_MASK) + 1, PAGE_READONLY));
	KUNIT_EXPECT_EQ(test, -EINVAL, vvar_area_clear_slot(&t->area, 3));
}

static void vvar_area_unused_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = make_area(test, VVAR_MAX_SLOTS, 0);
	unsigned int i;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	for (i = 0; i < VVAR_MAX_SLOTS; i++) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (i + 1);
		pte_t pte;

		KUNIT_EXPECT_TRUE_MSG(test, readable(addr), "slot %u", i);
		pte = get_pte(current->mm, addr);
		KUNIT_EXPECT_EQ_MSG(test, pte_pfn(pte), TOMBSTONE_PFN,
				    "slot %u: PTE %016llx", i, (u64)pte_val(pte));
	}
}

static void vvar_area_cleared_slot_shows_tombstone(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0) | BIT(1));
	pte_t pte;

	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&t->area, 1), 0);
	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, readable(TEST_ADDR + 2 * PAGE_SIZE));
	pte = get_pte(current->mm, TEST_ADDR + 2 * PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static struct kunit_case vvar_area_cases[] = {
	KUNIT_CASE(vvar_area_register_refuses_bad_shape),
	KUNIT_CASE(vvar_area_set_slot_refuses_out_of_range),
	KUNIT_CASE(vvar_area_unused_slot_shows_tombstone),
	KUNIT_CASE(vvar_area_cleared_slot_shows_tombstone),
	{}
};

static struct kunit_suite vvar_area_suite = {
	.name = "vvar_area",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_area_cases,
};

/* --- faults ----------------------------------------------------------------- */

static void vvar_fault_first_touch_takes_no_retry(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, touch(test, TEST_ADDR + PAGE_SIZE),
			VM_FAULT_NOPAGE);
}

static void vvar_fault_pte_is_special_readonly_user_nx(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	EXPECT_PTE(test, pte, pte_present(pte));
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, pte_young(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !pte_dirty(pte));
	EXPECT_PTE(test, pte, pte_flags(pte) & _PAGE_USER);
	EXPECT_PTE(test, pte, !pte_exec(pte));
	EXPECT_PTE(test, pte, (pte_flags(pte) & _PAGE_CACHE_MASK) ==
		   cachemode2protval(_PAGE_CACHE_MODE_WB));
}

static void vvar_fault_leaves_page_references_alone(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	s64 rss;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	rss = percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]);
	touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, page_ref_count(t->page[0]), 1);
	KUNIT_EXPECT_FALSE(test, page_mapped(t->page[0]));
	KUNIT_EXPECT_EQ(test, rss,
			percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]));
}

static void vvar_fault_maps_slots_in_use_at_once(struct kunit *test)
{
	unsigned long in_use = BIT(0) | BIT(2) | BIT(5);
	struct test_area *t = make_area(test, 6, in_use);
	unsigned int i;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE * 3);
	for (i = 0; i < 6; i++) {
		pte_t pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * (i + 1));

		if (in_use & BIT(i))
			EXPECT_PTE(test, pte, pte_pfn(pte) ==
				   page_to_pfn(t->page[i]));
		else
			EXPECT_PTE(test, pte, pte_none(pte));
	}
}

static void vvar_fault_on_tombstone_maps_it_and_those_in_use(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, touch(test, TEST_ADDR + PAGE_SIZE * 3),
			VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 3);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_leaves_present_pte_alone(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(1));
	pte_t before, after;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	before = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	/* In use now; whoever saw the tombstone keeps it until a replace */
	atomic64_set(&t->area.slots[0], arch_vvar_word(page_to_pfn(t->page[0]),
						       PAGE_READONLY));
	t->area.in_use |= BIT(0);
	touch(test, TEST_ADDR + PAGE_SIZE * 2);
	after = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, after, pte_same(before, after));
}

static void vvar_fault_across_page_tables(struct kunit *test)
{
	struct test_area *t = make_area(test, 4, 0xf);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned int i;

	/* Neither page table is there yet */
	map_area(test, &t->area, addr);
	KUNIT_EXPECT_EQ(test, touch(test, addr + PAGE_SIZE), VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);

		EXPECT_PTE(test, pte, pte_none(pte) == (i >= 2));
	}
	KUNIT_EXPECT_EQ(test, touch(test, addr + 3 * PAGE_SIZE),
			VM_FAULT_NOPAGE);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);

		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[i]));
	}
}

/* What ->fault does alone: fault_around_bytes=4096 never calls ->map_pages */
static void vvar_fault_alone_maps_one_slot(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, 0x3);
	struct vm_area_struct *vma;
	struct vm_fault vmf = { };
	pte_t pte;

	vma = map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	*(struct vm_area_struct **)&vmf.vma = vma;
	*(unsigned long *)&vmf.address = TEST_ADDR + PAGE_SIZE * 2;
	*(pgoff_t *)&vmf.pgoff = 1;
	KUNIT_ASSERT_TRUE(test, readable(TEST_ADDR));	/* the page table */
	vmf.pmd = pmd_offset(pud_offset(p4d_offset(pgd_offset(current->mm,
			TEST_ADDR), TEST_ADDR), TEST_ADDR), TEST_ADDR);

	mmap_read_lock(current->mm);
	KUNIT_EXPECT_EQ(test, vma->vm_ops->fault(&vmf), VM_FAULT_NOPAGE);
	mmap_read_unlock(current->mm);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_fault_write_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, readable(TEST_ADDR + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, put_user(1, (char __user *)TEST_ADDR + PAGE_SIZE),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, *(char *)page_address(t->page[0]), 0);
}

static void vvar_fault_split_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, PAGE_SIZE),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vm_munmap(TEST_ADDR + PAGE_SIZE, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_FALSE(test, readable(TEST_ADDR + PAGE_SIZE));
}

static struct kunit_case vvar_fault_cases[] = {
	KUNIT_CASE(vvar_fault_first_touch_takes_no_retry),
	KUNIT_CASE(vvar_fault_pte_is_special_readonly_user_nx),
	KUNIT_CASE(vvar_fault_leaves_page_references_alone),
	KUNIT_CASE(vvar_fault_maps_slots_in_use_at_once),
	KUNIT_CASE(vvar_fault_on_tombstone_maps_it_and_those_in_use),
	KUNIT_CASE(vvar_fault_leaves_present_pte_alone),
	KUNIT_CASE(vvar_fault_across_page_tables),
	KUNIT_CASE(vvar_fault_alone_maps_one_slot),
	KUNIT_CASE(vvar_fault_write_is_refused),
	KUNIT_CASE(vvar_fault_split_is_refused),
	{}
};

static struct kunit_suite vvar_fault_suite = {
	.name = "vvar_fault",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_fault_cases,
};

/* --- replace, populate, files ------------------------------------------------ */

static void vvar_file_registering_twice_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);

	KUNIT_EXPECT_EQ(test, vvar_area_register(&t->area), -EEXIST);
}

static void vvar_file_unregistering_a_mapped_area_is_refused(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vvar_area_unregister(&t->area), -EBUSY);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(TEST_ADDR + PAGE_SIZE, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, vvar_area_unregister(&t->area), 0);
	KUNIT_EXPECT_EQ(test, vvar_area_unregister(&t->area), -EINVAL);
	/* For the cleanup */
	KUNIT_EXPECT_EQ(test, vvar_area_register(&t->area), 0);
}

static void vvar_file_slots_of_an_unregistered_area_are_refused(struct kunit *test)
{
	struct vvar_area area = { .name = "x", .nr_slots = 1, .timens_slot = -1 };

	KUNIT_EXPECT_EQ(test, vvar_area_set_slot(&area, 0, TIME_PFN,
						 PAGE_READONLY), -EINVAL);
	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&area, 0), -EINVAL);
}

static void vvar_file_is_no_users_file(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, 0);
	struct vm_area_struct *vma;

	vma = map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, vma->vm_file);
	KUNIT_EXPECT_PTR_EQ(test, vma_user_file(vma), NULL);
	KUNIT_EXPECT_FALSE(test, vma->vm_flags & VM_MAYWRITE);
}

static void vvar_file_replace_takes_the_page_away(struct kunit *test)
{
	struct test_area *t = make_area(test, 3, 0x3);
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, vvar_area_set_slot(&t->area, 1,
			page_to_pfn(t->page[2]), PAGE_READONLY));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));

	touch(test, TEST_ADDR + PAGE_SIZE * 2);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[2]));
}

static void vvar_file_replace_takes_a_stale_tombstone_away(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE * 2);
	KUNIT_EXPECT_EQ(test, 0, vvar_area_set_slot(&t->area, 1,
			page_to_pfn(t->page[1]), PAGE_READONLY));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

/* Each CPU's shard: the test's mm is only in one of them */
static void vvar_file_replace_reaches_every_shard(struct kunit *test)
{
	struct test_area *t = make_area(test, 1, BIT(0));
	int cpu, other = cpumask_last(cpu_online_mask);
	pte_t pte;

	for_each_online_cpu(cpu) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (cpu + 1);

		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		map_area(test, &t->area, addr);
		touch(test, addr);
		pte = get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, pte_present(pte));
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	if (!other)
		kunit_info(test, "one CPU: one shard");

	KUNIT_EXPECT_EQ(test, 0, vvar_area_clear_slot(&t->area, 0));
	for_each_online_cpu(cpu) {
		pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * (cpu + 1));
		EXPECT_PTE(test, pte, pte_none(pte));
	}
}

static struct kunit_case vvar_file_cases[] = {
	KUNIT_CASE(vvar_file_registering_twice_is_refused),
	KUNIT_CASE(vvar_file_unregistering_a_mapped_area_is_refused),
	KUNIT_CASE(vvar_file_slots_of_an_unregistered_area_are_refused),
	KUNIT_CASE(vvar_file_is_no_users_file),
	KUNIT_CASE(vvar_file_replace_takes_the_page_away),
	KUNIT_CASE(vvar_file_replace_takes_a_stale_tombstone_away),
	KUNIT_CASE(vvar_file_replace_reaches_every_shard),
	{}
};

static struct kunit_suite vvar_file_suite = {
	.name = "vvar_file",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_file_cases,
};

static int do_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = true;
	return 0;
}

static void vvar_populate_publishes_every_slot(struct kunit *test)
{
	struct test_area *t = make_area(test, 4, BIT(0) | BIT(2));
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned int i;

	/* Across two page tables, neither of which is there */
	map_area(test, &t->area, addr);
	for (i = 0; i < 4; i++) {
		pte_t pte = get_pte(current->mm, addr + i * PAGE_SIZE);
		bool in_use = i == 0 || i == 2;

		EXPECT_PTE(test, pte, pte_pfn(pte) == (in_use ?
			   page_to_pfn(t->page[i]) : TOMBSTONE_PFN));
		EXPECT_PTE(test, pte, !pte_write(pte) && pte_special(pte));
	}
}

static void vvar_populate_publishes_text(struct kunit *test)
{
	unsigned long addr, i;

	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(&vdso_image_64,
					       TEST_ADDR + PAGE_SIZE));
	addr = (unsigned long)current->mm->context.vdso;
	for (i = 0; i < vdso_image_64.size; i += PAGE_SIZE) {
		pte_t pte = get_pte(current->mm, addr + i);

		EXPECT_PTE(test, pte, pte_present(pte) && pte_exec(pte));
	}
}

static struct kunit_case vvar_populate_cases[] = {
	KUNIT_CASE(vvar_populate_publishes_every_slot),
	KUNIT_CASE(vvar_populate_publishes_text),
	{}
};

static struct kunit_suite vvar_populate_suite = {
	.name = "vvar_populate",
	.init = do_populate,
	.exit = restore_populate,
	.test_cases = vvar_populate_cases,
};

/* --- races ------------------------------------------------------------------ */

#define RACE_ROUNDS	200

/* Faults in the test's mm while the test replaces what they publish */
struct racer {
	struct mm_struct *mm;
	atomic_long_t faults, bad;
};

static int racer_fn(void *data)
{
	struct racer *r = data;
	unsigned long addr = TEST_ADDR + PAGE_SIZE;

	kthread_use_mm(r->mm);
	while (!kthread_should_stop()) {
		char c;

		if (get_user(c, (char __user *)addr))
			atomic_long_inc(&r->bad);
		atomic_long_inc(&r->faults);
		cond_resched();
	}
	kthread_unuse_mm(r->mm);
	return 0;
}

static void vvar_race_replace_leaves_no_stale_pte(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0));
	struct task_struct *task[2];
	struct racer r = { .mm = current->mm };
	unsigned long addr = TEST_ADDR + PAGE_SIZE, stale = 0;
	unsigned int i, n;

	map_area(test, &t->area, addr);
	for (n = 0; n < ARRAY_SIZE(task); n++) {
		task[n] = kthread_run(racer_fn, &r, "vvar_race/%u", n);
		if (IS_ERR(task[n]))
			break;
	}

	for (i = 0; i < RACE_ROUNDS; i++) {
		struct page *old = t->page[i & 1], *new = t->page[~i & 1];
		pte_t pte;

		vvar_area_set_slot(&t->area, 0, page_to_pfn(new), PAGE_READONLY);
		pte = get_pte(current->mm, addr);
		if (pte_present(pte) && pte_pfn(pte) == page_to_pfn(old))
			stale++;
	}
	while (n--)
		kthread_stop(task[n]);

	KUNIT_EXPECT_EQ(test, stale, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r.bad), 0);
	KUNIT_EXPECT_GT(test, atomic_long_read(&r.faults), RACE_ROUNDS);
}

static void vvar_race_unmap_and_map_again(struct kunit *test)
{
	struct test_area *t = make_area(test, 2, BIT(0) | BIT(1));
	struct racer r = { .mm = current->mm };
	struct task_struct *task;
	unsigned int i;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	task = kthread_run(racer_fn, &r, "vvar_race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; atomic_long_read(&r.faults) < RACE_ROUNDS; i++) {
		vm_munmap(TEST_ADDR + PAGE_SIZE, 2 * PAGE_SIZE);
		map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
		readable(TEST_ADDR + PAGE_SIZE * 2);
		cond_resched();
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, i, 0);
	KUNIT_EXPECT_TRUE(test, readable(TEST_ADDR + PAGE_SIZE));
}

static struct kunit_case vvar_race_cases[] = {
	KUNIT_CASE_SLOW(vvar_race_replace_leaves_no_stale_pte),
	KUNIT_CASE_SLOW(vvar_race_unmap_and_map_again),
	{}
};

static struct kunit_suite vvar_race_suite = {
	.name = "vvar_race",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_race_cases,
};

/* --- the vDSO --------------------------------------------------------------- */

struct image_param {
	const char *name;
	const struct vdso_image *image;
};

static const struct image_param images[] = {
	{ "64", &vdso_image_64 },
#ifdef CONFIG_X86_X32_ABI
	{ "x32", &vdso_image_x32 },
#endif
#ifdef CONFIG_COMPAT
	{ "32", &vdso_image_32 },
#endif
};

static void image_name(const struct image_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(image, images, image_name);

/* Maps the image of the parameter; returns where its [vvar] is */
static unsigned long map_vdso(struct kunit *test, const struct vdso_image **image)
{
	const struct image_param *param = test->param_value;

	*image = param->image;
	attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(*image, TEST_ADDR + PAGE_SIZE));
	return (unsigned long)current->mm->context.vdso +
	       (*image)->sym_vvar_start;
}

static void vvar_vdso_time_data_is_the_kernels_page(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	pte_t pte;

	KUNIT_EXPECT_EQ(test, touch(test, addr), VM_FAULT_NOPAGE);
	pte = get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TIME_PFN);
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !pte_exec(pte));
}

static void vvar_vdso_every_offset_is_readable(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	unsigned long end = addr - image->sym_vvar_start + image->size;

	for (; addr < end; addr += PAGE_SIZE)
		KUNIT_EXPECT_TRUE_MSG(test, readable(addr), "at %lx", addr);
}

static void vvar_vdso_text_takes_one_fault(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) - image->sym_vvar_start;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, touch(test, addr), VM_FAULT_NOPAGE);
	for (i = 0; i < image->size; i += PAGE_SIZE) {
		struct page *page = virt_to_page(image->data + i);
		pte_t pte = get_pte(current->mm, addr + i);

		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(page));
		EXPECT_PTE(test, pte, !pte_special(pte));
		EXPECT_PTE(test, pte, !pte_write(pte));
		EXPECT_PTE(test, pte, pte_exec(pte));
	}
	KUNIT_EXPECT_EQ(test, percpu_counter_sum(&current->mm->rss_stat[MM_FILEPAGES]),
			image->size >> PAGE_SHIFT);
}

static void vvar_vdso_text_breakpoint_is_private(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) - image->sym_vvar_start;
	char insn = 0xcc, old = *(char *)image->data, got = 0;

	KUNIT_ASSERT_NE(test, old, insn);
	KUNIT_EXPECT_EQ(test, 1, access_remote_vm(current->mm, addr, &insn, 1,
						   FOLL_WRITE | FOLL_FORCE));
	KUNIT_EXPECT_EQ(test, 0, get_user(got, (char __user *)addr));
	KUNIT_EXPECT_EQ(test, got, insn);
	KUNIT_EXPECT_EQ(test, *(char *)image->data, old);
}

static void vvar_vdso_data_is_not_written_by_force(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	char c = 1;

	for (; addr < (unsigned long)current->mm->context.vdso; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, 0, access_remote_vm(current->mm, addr,
				    &c, 1, FOLL_WRITE | FOLL_FORCE),
				    "at %lx", addr);
}

static void vvar_vdso_second_mapping_is_refused(struct kunit *test)
{
	const struct vdso_image *image;

	map_vdso(test, &image);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			map_vdso_once(image, TEST_ADDR + 64 * PAGE_SIZE));
}

static struct kunit_case vvar_vdso_cases[] = {
	KUNIT_CASE_PARAM(vvar_vdso_time_data_is_the_kernels_page, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_every_offset_is_readable, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_takes_one_fault, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_breakpoint_is_private, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_data_is_not_written_by_force, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_second_mapping_is_refused, image_gen_params),
	{}
};

static struct kunit_suite vvar_vdso_suite = {
	.name = "vvar_vdso",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_vdso_cases,
};

/* --- time namespaces -------------------------------------------------------- */

#ifdef CONFIG_TIME_NS
/*
 * A process of its own (no kthread) that shares the test's mm, in a time
 * namespace of its own, as a program that called unshare() and fork() is.
 */
struct timens_task {
	struct kunit *test;
	struct test_area *t;
	struct completion in_ns, touched, done, exited;
	struct page *page;
	bool touch_it;
};

static int timens_task_fn(void *data)
{
	struct timens_task *task = data;
	struct nsproxy *nsproxy = current->nsproxy;
	struct time_namespace ns = { .vvar_page = task->page };
	struct nsproxy copy = *nsproxy;
	struct vm_area_struct *vma;

	copy.time_ns = &ns;
	task_lock(current);
	current->nsproxy = &copy;
	task_unlock(current);
	complete(&task->in_ns);

	if (task->touch_it) {
		vma = lock_vma_under_rcu(current->mm, TEST_ADDR + PAGE_SIZE);
		if (vma) {
			handle_mm_fault(vma, TEST_ADDR + PAGE_SIZE,
					FAULT_FLAG_USER | FAULT_FLAG_VMA_LOCK,
					NULL);
			vma_end_read(vma);
		}
	}
	complete(&task->touched);
	wait_for_completion(&task->done);

	task_lock(current);
	current->nsproxy = nsproxy;
	task_unlock(current);
	complete(&task->exited);
	do_exit(0);
}

static void timens_start(struct kunit *test, struct timens_task *task,
			 bool touch_it)
{
	task->t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	task->page = task->t->page[3];
	task->touch_it = touch_it;
	init_completion(&task->in_ns);
	init_completion(&task->touched);
	init_completion(&task->done);
	init_completion(&task->exited);
	map_area(test, &task->t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_ASSERT_GT(test, user_mode_thread(timens_task_fn, task,
					       CLONE_VM | CLONE_FS | CLONE_FILES),
			0);
	wait_for_completion(&task->touched);
}

static void timens_stop(struct timens_task *task)
{
	complete(&task->done);
	wait_for_completion(&task->exited);
}

static void expect_timens_view(struct kunit *test, struct test_area *t)
{
	pte_t pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);

	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[3]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[1]));
}

static void vvar_timens_task_sees_namespace_page_and_time_data(struct kunit *test)
{
	struct timens_task task = { };

	timens_start(test, &task, true);
	expect_timens_view(test, task.t);
	timens_stop(&task);
}

static void vvar_timens_kthread_sees_namespace_of_the_mm(struct kunit *test)
{
	struct timens_task task = { };

	timens_start(test, &task, false);
	/* The KUnit thread is in the initial namespace, its mm's process not */
	KUNIT_EXPECT_TRUE(test, readable(TEST_ADDR + PAGE_SIZE));
	expect_timens_view(test, task.t);
	timens_stop(&task);
}

static void vvar_timens_join_takes_the_old_view_away(struct kunit *test)
{
	struct timens_task task = { };
	pte_t pte;

	timens_start(test, &task, true);
	timens_stop(&task);
	/* Its namespace is gone, as after setns() */
	vvar_area_join_timens(current->mm, &task.t->area, NULL);
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(task.t->page[0]));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static void vvar_timens_join_publishes_the_new_view(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	touch(test, TEST_ADDR + PAGE_SIZE);
	vvar_area_join_timens(current->mm, &t->area, t->page[3]);
	expect_timens_view(test, t);
}

static void vvar_timens_replace_of_time_data_reaches_namespaces(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvar_area_join_timens(current->mm, &t->area, t->page[3]);
	KUNIT_EXPECT_EQ(test, 0, vvar_area_set_slot(&t->area, 0,
			page_to_pfn(t->page[2]), PAGE_READONLY));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_none(pte));
}

static void vvar_timens_initial_view_has_tombstone(struct kunit *test)
{
	struct test_area *t = make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	pte_t pte;

	map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, readable(TEST_ADDR + PAGE_SIZE * 4));
	pte = get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static struct kunit_case vvar_timens_cases[] = {
	KUNIT_CASE(vvar_timens_initial_view_has_tombstone),
	KUNIT_CASE(vvar_timens_task_sees_namespace_page_and_time_data),
	KUNIT_CASE(vvar_timens_kthread_sees_namespace_of_the_mm),
	KUNIT_CASE(vvar_timens_join_takes_the_old_view_away),
	KUNIT_CASE(vvar_timens_join_publishes_the_new_view),
	KUNIT_CASE(vvar_timens_replace_of_time_data_reaches_namespaces),
	{}
};

static struct kunit_suite vvar_timens_suite = {
	.name = "vvar_timens",
	.init = no_populate,
	.exit = restore_populate,
	.test_cases = vvar_timens_cases,
};
kunit_test_suite(vvar_timens_suite);
#endif /* CONFIG_TIME_NS */

kunit_test_suites(&vvar_area_suite, &vvar_fault_suite, &vvar_file_suite,
		  &vvar_populate_suite, &vvar_race_suite, &vvar_vdso_suite);

MODULE_DESCRIPTION("KUnit tests of vvar areas");
MODULE_LICENSE("GPL");
