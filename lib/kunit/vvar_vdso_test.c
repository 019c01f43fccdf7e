// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of x86's [vvar] and vDSO: each image. */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <vdso/datapage.h>

#include <asm/vdso.h>
#include <asm/vvar_fault.h>

#include "vvar_test_x86.h"

struct image_param {
	const char *name;
	const struct vdso_image *image;
};

static const struct image_param images[] = {
#ifdef CONFIG_X86_64
	{ "64", &vdso64_image },
#endif
#ifdef CONFIG_X86_X32_ABI
	{ "x32", &vdsox32_image },
#endif
#ifdef CONFIG_COMPAT_32
	{ "32", &vdso32_image },
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
	vvt_attach_mm(test);
	KUNIT_ASSERT_EQ(test, 0, map_vdso_once(*image, TEST_ADDR + PAGE_SIZE));
	return (unsigned long)current->mm->context.vdso - VVAR_SIZE;
}

/* As ptrace and /proc/PID/mem do; returns the number of bytes written */
static int force_write(unsigned long addr, char byte)
{
	return access_remote_vm(current->mm, addr, &byte, 1,
				FOLL_WRITE | FOLL_FORCE);
}

static void vvar_vdso_time_data_is_the_kernels_page(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	pte_t pte;

	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_pfn(pte) == TIME_PFN);
	EXPECT_PTE(test, pte, pte_special(pte));
	EXPECT_PTE(test, pte, !pte_write(pte));
	EXPECT_PTE(test, pte, !vvt_executable(pte));
}

static void vvar_vdso_every_offset_is_readable(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);
	unsigned long end = addr + VVAR_SIZE + image->size;

	for (; addr < end; addr += PAGE_SIZE)
		vvt_expect_readable(test, addr, true);
}

static void vvar_vdso_text_takes_one_fault(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	unsigned long i;

	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	for (i = 0; i < image->size; i += PAGE_SIZE) {
		struct page *page = virt_to_page(image->data + i);
		pte_t pte = vvt_get_pte(current->mm, addr + i);

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
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	char insn = 0xcc, old = *(char *)image->data, got = 0;

	KUNIT_ASSERT_NE(test, old, insn);
	KUNIT_EXPECT_EQ(test, force_write(addr, insn), 1);
	KUNIT_EXPECT_EQ(test, 0, get_user(got, (char __user *)addr));
	KUNIT_EXPECT_EQ(test, got, insn);
	KUNIT_EXPECT_EQ(test, *(char *)image->data, old);
}

static void vvar_vdso_text_fault_leaves_breakpoint_alone(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image) + VVAR_SIZE;
	pte_t before, after;

	if (image->size < 2 * PAGE_SIZE)
		kunit_skip(test, "an image of one page");
	KUNIT_ASSERT_EQ(test, force_write(addr + PAGE_SIZE, 0xcc), 1);
	before = vvt_get_pte(current->mm, addr + PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, pte_none(vvt_get_pte(current->mm, addr)));

	EXPECT_FAULT(test, vvt_fault(test, addr), VM_FAULT_NOPAGE);
	after = vvt_get_pte(current->mm, addr + PAGE_SIZE);
	EXPECT_PTE(test, after, pte_pfn(after) == pte_pfn(before));
	after = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, after, pte_present(after));
}

static void vvar_vdso_data_is_not_written_by_force(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr = map_vdso(test, &image);

	for (; addr < (unsigned long)current->mm->context.vdso; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, force_write(addr, 1), 0,
				    "at %lx", addr);
}

static void vvar_vdso_second_mapping_is_refused(struct kunit *test)
{
	const struct vdso_image *image;

	map_vdso(test, &image);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			map_vdso_once(image, TEST_ADDR + 64 * PAGE_SIZE));
}

static void vvar_vdso_populate_publishes_text(struct kunit *test)
{
	const struct vdso_image *image;
	unsigned long addr, i;

	vvar_populate_on = true;
	addr = map_vdso(test, &image) + VVAR_SIZE;
	for (i = 0; i < image->size; i += PAGE_SIZE) {
		pte_t pte = vvt_get_pte(current->mm, addr + i);

		EXPECT_PTE(test, pte, pte_present(pte) && pte_exec(pte));
	}
}

static void vvar_vdso_text_without_memory_is_left_to_the_fault(struct kunit *test)
{
	struct fail_call *f;
	unsigned long addr;
	pte_t pte;

	vvt_attach_mm(test);
	/* The text comes first, in a page table of its own: [vvar] ends at it */
	f = vvt_fail_nth(test, VVT_PTE_ALLOC, 0, 0);
	vvar_populate_on = true;
	KUNIT_EXPECT_EQ(test, 0,
			map_vdso_once(&native_image, TEST_ADDR + 2 * PMD_SIZE -
				      VVAR_SIZE - vvar_hpet_size()));
	vvar_populate_on = false;
	addr = (unsigned long)current->mm->context.vdso;
	KUNIT_EXPECT_EQ(test, addr, TEST_ADDR + 2 * PMD_SIZE);
	KUNIT_EXPECT_EQ(test, f->failed, 1);
	pte = vvt_get_pte(current->mm, addr);
	EXPECT_PTE(test, pte, pte_none(pte));
	vvt_expect_readable(test, addr, true);
}

static struct kunit_case vvar_vdso_cases[] = {
	KUNIT_CASE_PARAM(vvar_vdso_time_data_is_the_kernels_page, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_every_offset_is_readable, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_takes_one_fault, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_breakpoint_is_private, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_text_fault_leaves_breakpoint_alone, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_data_is_not_written_by_force, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_second_mapping_is_refused, image_gen_params),
	KUNIT_CASE_PARAM(vvar_vdso_populate_publishes_text, image_gen_params),
	KUNIT_CASE(vvar_vdso_text_without_memory_is_left_to_the_fault),
	{}
};

static struct kunit_suite vvar_vdso_suite = {
	.name = "vvar_vdso",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_vdso_cases,
};

kunit_test_suite(vvar_vdso_suite);

MODULE_DESCRIPTION("KUnit tests of x86's vvar and vDSO");
MODULE_LICENSE("GPL");
