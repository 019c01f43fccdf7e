// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of vvar areas: what fails, and what that leaves behind. */
#include <kunit/resource.h>
#include <linux/kprobes.h>
#include <linux/slab.h>

#include "vvar_test.h"

#if defined(CONFIG_KPROBES) && defined(vvt_return)
static int fail_pre(struct kprobe *kp, struct pt_regs *regs)
{
	struct fail_call *f = container_of(kp, struct fail_call, kp);

	if (current != f->task || f->failed || f->skip-- > 0)
		return 0;
	f->failed++;
	regs_set_return_value(regs, f->value);
	vvt_return(regs);
	return 1;
}

/* With a post-handler the probe is not turned into a jump, which keeps ip */
static void fail_post(struct kprobe *kp, struct pt_regs *regs,
		      unsigned long flags)
{
}
#endif

void vvt_fail_end(void *data)
{
	struct fail_call *f = data;

	if (f->registered)
		unregister_kprobe(&f->kp);
	f->registered = false;
}

struct fail_call *vvt_fail_nth(struct kunit *test, const char *function,
			       unsigned int skip, long value)
{
	struct fail_call *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
#if defined(CONFIG_KPROBES) && defined(vvt_return)
	f->kp.symbol_name = function;
	f->kp.pre_handler = fail_pre;
	f->kp.post_handler = fail_post;
	f->skip = skip;
	f->value = value;
	KUNIT_ASSERT_EQ_MSG(test, register_kprobe(&f->kp), 0, "%s", function);
	f->registered = true;
	vvt_add_action(test, vvt_fail_end, f);
	/* From here on: what is above allocates, too */
	f->task = current;
#else
	kunit_skip(test, "fails %s by a kprobe that can return: none in this config",
		   function);
#endif
	return f;
}

static void vvar_oom_fault_says_so_and_a_retry_succeeds(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, 0x3);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE;
	struct fail_call *f;
	pte_t pte;

	vvt_map_area(test, &t->area, addr);
	f = vvt_fail_nth(test, VVT_PTE_ALLOC, 0, 0);
	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_OOM);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));

	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

static void vvar_oom_populate_leaves_it_to_the_fault(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, 0x3);
	unsigned long addr = TEST_ADDR + 3 * PMD_SIZE;
	struct fail_call *f;
	pte_t pte;

	f = vvt_fail_nth(test, VVT_PTE_ALLOC, 0, 0);
	vvar_populate_on = true;
	vvt_map_area(test, &t->area, addr);
	vvar_populate_on = false;
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == page_to_pfn(t->page[0]));
}

/* The area is none while @function returns @error, and one afterwards */
static void expect_unregistered(struct kunit *test, const char *function,
				int error)
{
	struct vvar_area area = {
		.name = "x", .vm_flags = AREA_FLAGS, .nr_slots = 1,
		.timens_slot = -1,
	};
	struct fail_call *f = vvt_fail_nth(test, function, 0, error);

	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), error ?: -ENOMEM);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, vvar_area_clear_slot(&area, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vvar_area_register(&area), 0);
	vvt_unregister_action(&area);
}

static void vvar_oom_area_without_memory_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "__kmalloc_noprof", 0);
}

static void vvar_oom_area_without_inode_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "alloc_anon_inode", -ENOMEM);
}

static void vvar_oom_area_without_file_is_not_registered(struct kunit *test)
{
	expect_unregistered(test, "alloc_file_pseudo", -ENFILE);
}

static void vvar_oom_text_without_file_is_not_registered(struct kunit *test)
{
	struct vdso_text text = { .name = "x", .abi = "x" };
	struct fail_call *f = vvt_fail_nth(test, "alloc_file_pseudo", 0, -ENFILE);

	KUNIT_EXPECT_EQ(test, vdso_text_register(&text), -ENFILE);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_NULL(test, text.file);
	KUNIT_ASSERT_EQ(test, vdso_text_register(&text), 0);
	vdso_text_unregister(&text);
}

static void vvar_oom_map_leaves_no_link(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 1, 0);
	struct vm_area_struct *vma;
	struct fail_call *f;

	f = vvt_fail_nth(test, "vm_area_alloc", 0, 0);
	mmap_write_lock(current->mm);
	vma = vvar_area_map(current->mm, TEST_ADDR + 2 * PAGE_SIZE, &t->area);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vma), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vvt_count_linked(&t->area), 0);
}

static struct kunit_case vvar_oom_cases[] = {
	KUNIT_CASE(vvar_oom_fault_says_so_and_a_retry_succeeds),
	KUNIT_CASE(vvar_oom_populate_leaves_it_to_the_fault),
	KUNIT_CASE(vvar_oom_area_without_memory_is_not_registered),
	KUNIT_CASE(vvar_oom_area_without_inode_is_not_registered),
	KUNIT_CASE(vvar_oom_area_without_file_is_not_registered),
	KUNIT_CASE(vvar_oom_text_without_file_is_not_registered),
	KUNIT_CASE(vvar_oom_map_leaves_no_link),
	{}
};

static struct kunit_suite vvar_oom_suite = {
	.name = "vvar_oom",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_oom_cases,
};

kunit_test_suite(vvar_oom_suite);

MODULE_DESCRIPTION("KUnit tests of vvar areas out of memory");
MODULE_LICENSE("GPL");
