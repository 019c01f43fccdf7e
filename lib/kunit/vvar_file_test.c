// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of vvar areas: replace and files (mm/vvar_file.c), and populate. */
#include <linux/err.h>
#include <linux/mman.h>
#include <linux/time_namespace.h>
#include <linux/uprobes.h>

#include "vvar_test.h"

static void vvar_file_registering_twice_is_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, 0);

	KUNIT_EXPECT_EQ(test, vvar_area_register(&t->area), -EEXIST);
}

static void vvar_file_slots_of_an_unregistered_area_are_refused(struct kunit *test)
{
	struct vvar_area area = {
		.name = "x", .vm_flags = AREA_FLAGS, .nr_slots = 1,
		.timens_slot = -1,
	};

	KUNIT_EXPECT_EQ(test, vvar_area_set_slot(&area, 0, TOMBSTONE_PFN,
						 vm_get_page_prot(VM_READ)), -EINVAL);
	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&area, 0), -EINVAL);
}

static void vvar_file_is_behind_a_vma_without_one(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, 0);
	struct vm_area_struct *vma;

	vma = vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, vma->vm_file);
	KUNIT_EXPECT_TRUE(test, mapping_mapped(vma_mapping(vma)));
}

static void vvar_file_replace_takes_the_page_away(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 3, 0x3);
	pte_t pte;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 1, 2), 0);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));

	vvt_touch(test, TEST_ADDR + PAGE_SIZE * 2);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[2]));
}

static void vvar_file_replace_takes_a_stale_tombstone_away(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	pte_t pte;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE * 2);
	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 1, 1), 0);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 2);
	EXPECT_PTE(test, pte, pte_none(pte));
}

/* Each CPU's shard: the test's mm is only in one of them */
static void vvar_file_replace_reaches_every_shard(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));
	int cpu, other = cpumask_last(cpu_online_mask);
	pte_t pte;

	for_each_online_cpu(cpu) {
		unsigned long addr = TEST_ADDR + PAGE_SIZE * (cpu + 1);

		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		vvt_map_area(test, &t->area, addr);
		vvt_touch(test, addr);
		pte = vvt_get_pte(current->mm, addr);
		EXPECT_PTE(test, pte, pte_present(pte));
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	if (!other)
		kunit_info(test, "one CPU: one shard");

	KUNIT_EXPECT_EQ(test, 0, vvar_area_clear_slot(&t->area, 0));
	for_each_online_cpu(cpu) {
		pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * (cpu + 1));
		EXPECT_PTE(test, pte, pte_none(pte));
	}
}

/* A link or unlink that is missing leaves an i_mmap with a VMA that is freed */
static void vvar_file_links_follow_the_vmas(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	unsigned long addr = TEST_ADDR + PAGE_SIZE, to = TEST_ADDR + PMD_SIZE;

	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 0);
	vvt_map_area(test, &t->area, addr);
	vvt_map_area(test, &t->area, addr + 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 2);
	KUNIT_EXPECT_EQ(test, to,
			user_call(mremap, addr, 2 * PAGE_SIZE,
				  2 * PAGE_SIZE,
				  MREMAP_MAYMOVE | MREMAP_FIXED, to));
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 2);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(to, 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 1);
}

#ifdef CONFIG_UPROBES
static int uprobe_handler(struct uprobe_consumer *self, struct pt_regs *regs,
			  __u64 *data)
{
	return 0;
}

static void expect_no_uprobe(struct kunit *test, unsigned long addr)
{
	struct uprobe_consumer consumer = { .handler = uprobe_handler };
	struct uprobe *uprobe;
	struct inode *inode;

	mmap_read_lock(current->mm);
	inode = vma_mapping(vma_lookup(current->mm, addr))->host;
	mmap_read_unlock(current->mm);
	uprobe = uprobe_register(inode, 0, 0, &consumer);
	KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(uprobe), -EIO, "at %lx", addr);
	if (IS_ERR(uprobe))
		return;
	uprobe_unregister_nosync(uprobe, &consumer);
	uprobe_unregister_sync();
}

static void vvar_file_uprobes_are_refused(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, BIT(0));

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	expect_no_uprobe(test, TEST_ADDR + PAGE_SIZE);
}
#endif

static struct kunit_case vvar_file_cases[] = {
	KUNIT_CASE(vvar_file_registering_twice_is_refused),
	KUNIT_CASE(vvar_file_slots_of_an_unregistered_area_are_refused),
	KUNIT_CASE(vvar_file_is_behind_a_vma_without_one),
	KUNIT_CASE(vvar_file_replace_takes_the_page_away),
	KUNIT_CASE(vvar_file_replace_takes_a_stale_tombstone_away),
	KUNIT_CASE(vvar_file_replace_reaches_every_shard),
	KUNIT_CASE(vvar_file_links_follow_the_vmas),
#ifdef CONFIG_UPROBES
	KUNIT_CASE(vvar_file_uprobes_are_refused),
#endif
	{}
};

static struct kunit_suite vvar_file_suite = {
	.name = "vvar_file",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_file_cases,
};

static int do_populate(struct kunit *test)
{
	test->priv = (void *)(long)vvar_populate_on;
	vvar_populate_on = true;
	return 0;
}

static void vvar_populate_publishes_slots_in_use(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 4, BIT(0) | BIT(2));
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;
	unsigned int i;

	/* Across two page tables, neither of which is there */
	vvt_map_area(test, &t->area, addr);
	for (i = 0; i < 4; i++) {
		pte_t pte = vvt_get_pte(current->mm, addr + i * PAGE_SIZE);
		bool in_use = i == 0 || i == 2;

		if (!in_use) {
			EXPECT_PTE(test, pte, pte_none(pte));
			continue;
		}
		EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[i]));
		EXPECT_PTE(test, pte, !pte_write(pte) && vvt_special(pte));
	}
}

static void vvar_populate_makes_no_table_for_unused_slots(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 4, BIT(0));
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE - 2 * PAGE_SIZE;

	vvt_map_area(test, &t->area, addr);
	KUNIT_EXPECT_NOT_NULL(test, vvt_get_pmd(current->mm, addr));
	KUNIT_EXPECT_NULL(test, vvt_get_pmd(current->mm, addr + 2 * PAGE_SIZE));
}

static struct kunit_case vvar_populate_cases[] = {
	KUNIT_CASE(vvar_populate_publishes_slots_in_use),
	KUNIT_CASE(vvar_populate_makes_no_table_for_unused_slots),
	{}
};

static struct kunit_suite vvar_populate_suite = {
	.name = "vvar_populate",
	.init = do_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_populate_cases,
};

kunit_test_suites(&vvar_file_suite, &vvar_populate_suite);

MODULE_DESCRIPTION("KUnit tests of the files of vvar areas");
MODULE_LICENSE("GPL");
