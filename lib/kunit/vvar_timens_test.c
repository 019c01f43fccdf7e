// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of vvar areas: time namespaces. */
#include <kunit/resource.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/time_namespace.h>

#include "vvar_test.h"

static void put_ns_action(void *ns)
{
	put_time_ns(ns);
}

static struct time_namespace *make_ns(struct kunit *test)
{
	struct time_namespace *ns;

	ns = copy_time_ns(CLONE_NEWTIME, &init_user_ns, &init_time_ns);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(ns), "%pe", ns);
	vvt_add_action(test, put_ns_action, ns);
	return ns;
}

/* Four slots, the first two in use, mapped by a task that is in @ns */
static struct test_area *map_in_ns(struct kunit *test, struct time_namespace *ns)
{
	struct test_area *t = vvt_make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct nsproxy *nsproxy = current->nsproxy, copy = *nsproxy;

	copy.time_ns = ns;
	task_lock(current);
	current->nsproxy = &copy;
	task_unlock(current);
	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	task_lock(current);
	current->nsproxy = nsproxy;
	task_unlock(current);
	return t;
}

/* All of it, if it was populated; else what is around the first slot */
static void expect_timens_view(struct kunit *test, struct mm_struct *mm,
			       struct test_area *t, struct time_namespace *ns)
{
	struct page *page[] = { ns->vvar_page, t->page[1], NULL, t->page[0] };
	unsigned long start = TEST_ADDR + PAGE_SIZE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(page); i++) {
		unsigned long addr = start + i * PAGE_SIZE;
		pte_t pte = vvt_get_pte(mm, addr);

		if (page[i] && (vvar_populate_on || vvt_around(start, addr)))
			EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(page[i]));
	}
}

/* The KUnit thread, which faults here, is in the initial namespace */
static void vvar_timens_kthread_sees_namespace_of_the_mm(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);

	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	expect_timens_view(test, current->mm, t, ns);
}

/* A process of the initial namespace that faults in the test's mm */
struct remote_fault {
	struct mm_struct *mm;
	struct completion done;
	int ret;
};

static int remote_fault_fn(void *data)
{
	struct remote_fault *remote = data;

	mmap_read_lock(remote->mm);
	remote->ret = fixup_user_fault(remote->mm, TEST_ADDR + PAGE_SIZE,
				       FAULT_FLAG_REMOTE, NULL);
	mmap_read_unlock(remote->mm);
	complete(&remote->done);
	do_exit(0);
}

static void vvar_timens_remote_fault_sees_namespace_of_the_mm(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	struct remote_fault remote = { .mm = current->mm };

	init_completion(&remote.done);
	vvt_fork_mm(test, remote_fault_fn, &remote);
	wait_for_completion(&remote.done);
	KUNIT_EXPECT_EQ(test, remote.ret, 0);
	expect_timens_view(test, current->mm, t, ns);
}

static void vvar_timens_join_takes_the_old_view_away(struct kunit *test)
{
	struct test_area *t = map_in_ns(test, make_ns(test));
	pte_t pte;

	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	vvar_area_join_timens(current->mm, &t->area, &init_time_ns);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_none(pte));

	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_timens_join_publishes_the_new_view(struct kunit *test)
{
	struct test_area *t = vvt_make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct time_namespace *ns = make_ns(test);

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_touch(test, TEST_ADDR + PAGE_SIZE);
	vvar_populate_on = true;
	vvar_area_join_timens(current->mm, &t->area, ns);
	expect_timens_view(test, current->mm, t, ns);
}

/* Where the VMA is linked does not change, whichever CPU joins */
static void vvar_timens_join_stays_in_the_i_mmap(struct kunit *test)
{
	struct test_area *t = vvt_make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	struct vm_area_struct *vma = vvt_map_area(test, &t->area,
						  TEST_ADDR + PAGE_SIZE);
	struct address_space *mapping = vma_mapping(vma);
	struct time_namespace *ns = make_ns(test);
	int cpu;

	for_each_online_cpu(cpu) {
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
		vvar_area_join_timens(current->mm, &t->area, ns);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
		vvar_area_join_timens(current->mm, &t->area, &init_time_ns);
		KUNIT_EXPECT_PTR_EQ(test, vma_mapping(vma), mapping);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 1);
}

static void vvar_timens_replace_of_time_data_reaches_namespaces(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	pte_t pte;

	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE, true);
	expect_timens_view(test, current->mm, t, ns);
	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 0, 2), 0);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_none(pte));
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(ns->vvar_page));
}

/*
 * A process exits, and its namespace with it, but somebody has borrowed its mm
 * and reads on. The namespace has one reference on its page, the test another.
 */
static void vvar_timens_page_stays_with_the_mapping(struct kunit *test)
{
	struct time_namespace *ns = make_ns(test);
	struct test_area *t = map_in_ns(test, ns);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	struct page *page = ns->vvar_page;
	struct fork_child c;

	get_page(page);
	vvt_fork_start(test, &c);
	wait_for_completion(&c.ready);
	kunit_release_action(test, put_ns_action, ns);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	vvt_expect_readable(test, addr, true);
	expect_timens_view(test, current->mm, t, ns);

	/* The child's is the last */
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, 4 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	vvt_fork_stop(&c);
	KUNIT_EXPECT_TRUE(test, vvt_linked_becomes(&t->area, 0));
	/* Unlinked a little before it is closed */
	msleep(100);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

static void vvar_timens_failing_map_lets_go_of_the_namespace(struct kunit *test)
{
	struct test_area *t = vvt_make_area_timens(test, 4, BIT(0), 3);
	struct nsproxy *nsproxy = current->nsproxy, copy = *nsproxy;
	struct time_namespace *ns = make_ns(test);
	struct page *page = ns->vvar_page;
	struct vm_area_struct *vma;
	struct fail_call *f;

	get_page(page);
	copy.time_ns = ns;
	f = vvt_fail_nth(test, "vm_area_alloc", 0, 0);
	task_lock(current);
	current->nsproxy = &copy;
	task_unlock(current);
	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, TEST_ADDR + PAGE_SIZE, &t->area);
	mmap_write_unlock(current->mm);
	task_lock(current);
	current->nsproxy = nsproxy;
	task_unlock(current);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
	kunit_release_action(test, put_ns_action, ns);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

static void vvar_timens_unreadable_area_is_not_populated(struct kunit *test)
{
	struct test_area *t = vvt_make_area_timens(test, 2, BIT(0), 1);
	unsigned long addr = TEST_ADDR + PAGE_SIZE;
	pte_t pte;

	vvt_map_area(test, &t->area, addr);
	KUNIT_ASSERT_EQ(test, 0,
			user_call(mprotect, addr, 2 * PAGE_SIZE,
				  PROT_NONE, 0, 0));
	vvar_populate_on = true;
	vvar_area_join_timens(current->mm, &t->area, make_ns(test));
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_expect_readable(test, addr, false);
}

static void vvar_timens_initial_view_has_tombstone(struct kunit *test)
{
	struct test_area *t = vvt_make_area_timens(test, 4, BIT(0) | BIT(1), 3);
	pte_t pte;

	vvt_map_area(test, &t->area, TEST_ADDR + PAGE_SIZE);
	vvt_expect_readable(test, TEST_ADDR + PAGE_SIZE * 4, true);
	pte = vvt_get_pte(current->mm, TEST_ADDR + PAGE_SIZE * 4);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TOMBSTONE_PFN);
}

static struct kunit_case vvar_timens_cases[] = {
	KUNIT_CASE(vvar_timens_initial_view_has_tombstone),
	KUNIT_CASE(vvar_timens_kthread_sees_namespace_of_the_mm),
	KUNIT_CASE(vvar_timens_remote_fault_sees_namespace_of_the_mm),
	KUNIT_CASE(vvar_timens_join_takes_the_old_view_away),
	KUNIT_CASE(vvar_timens_join_publishes_the_new_view),
	KUNIT_CASE(vvar_timens_join_stays_in_the_i_mmap),
	KUNIT_CASE(vvar_timens_replace_of_time_data_reaches_namespaces),
	KUNIT_CASE(vvar_timens_page_stays_with_the_mapping),
	KUNIT_CASE(vvar_timens_failing_map_lets_go_of_the_namespace),
	KUNIT_CASE(vvar_timens_unreadable_area_is_not_populated),
	{}
};

static struct kunit_suite vvar_timens_suite = {
	.name = "vvar_timens",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_timens_cases,
};

kunit_test_suite(vvar_timens_suite);

MODULE_DESCRIPTION("KUnit tests of vvar areas in time namespaces");
MODULE_LICENSE("GPL");
