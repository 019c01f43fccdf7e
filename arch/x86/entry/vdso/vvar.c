// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of x86's [vvar], and who supplies them.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vvar_fault.h>
#include <vdso/datapage.h>

#include <asm/clocksource.h>
#include <asm/pvclock.h>
#include <asm/vdso.h>
#include <asm/vvar.h>
#include <asm/vvar_fault.h>
#include <clocksource/hyperv_timer.h>

unsigned int vclocks_used __read_mostly;

/* In the order of vdso-layout.lds.S, which is one for all three images */
enum {
	VVAR_TIME,
	VVAR_PVCLOCK,
	VVAR_HVCLOCK,
	VVAR_TIMENS,
	VVAR_NR
};

struct vvar_area vvar_area = {
	.name = "[vvar]",
	.nr_slots = VVAR_NR,
	.time_slot = VVAR_TIME,
	.timens_slot = VVAR_TIMENS,
};

static unsigned long pvclock_pfn(void)
{
	struct pvclock_vsyscall_time_info *pvti = pvclock_get_pvti_cpu0_va();

	return pvti ? PHYS_PFN(__pa(pvti)) : 0;
}

/*
 * A page is shown once its vclock has been in use, and from then on: readers
 * that raced with a switch away re-read the sequence count.
 */
static const struct vclock_page {
	unsigned int slot;
	enum vdso_clock_mode mode;
	unsigned long (*pfn)(void);	/* 0: not there (yet) */
	bool decrypted;
} vclock_pages[] = {
#ifdef CONFIG_PARAVIRT_CLOCK
	{ VVAR_PVCLOCK, VDSO_CLOCKMODE_PVCLOCK, pvclock_pfn, true },
#endif
#ifdef CONFIG_HYPERV_TIMER
	/*
	 * Not decrypted, like the kernel's own mapping: a guest that encrypts
	 * its memory has a page from the paravisor here (hv_init_tsc_clocksource()).
	 */
	{ VVAR_HVCLOCK, VDSO_CLOCKMODE_HVCLOCK, hv_get_tsc_pfn, false },
#endif
};

static void vvar_show_vclock(const struct vclock_page *page)
{
	unsigned long pfn = page->pfn();
	pgprot_t prot = PAGE_READONLY;

	if (!pfn || !vclock_was_used(page->mode))
		return;
	if (page->decrypted)
		prot = pgprot_decrypted(prot);
	vvar_area_set_slot(&vvar_area, page->slot, pfn, prot);
}

/**
 * vclocks_set_used - a clocksource with this vclock comes into use
 * @which: its vdso_clock_mode
 *
 * Context: A clocksource's enable hook: under stop_machine(), interrupts off.
 */
void vclocks_set_used(unsigned int which)
{
	unsigned int i;

	WRITE_ONCE(vclocks_used, READ_ONCE(vclocks_used) | (1 << which));

	for (i = 0; i < ARRAY_SIZE(vclock_pages); i++) {
		if (vclock_pages[i].mode == which)
			vvar_show_vclock(&vclock_pages[i]);
	}
}

/* One mapping for each image, and an end mark */
static struct vdso_text {
	const struct vdso_image *image;
	struct vm_special_mapping mapping;
} vdso_texts[4] __ro_after_init;

/**
 * vdso_text_register - make an image ready for vdso_image_map()
 * @image: the image
 *
 * Return: 0 or -ENOMEM.
 */
int __init vdso_text_register(const struct vdso_image *image)
{
	unsigned long i, nr = image->size >> PAGE_SHIFT;
	struct vdso_text *text = vdso_texts;
	struct page **pages;

	/* vdso-layout.lds.S and the slots above tell the same story */
	if (WARN_ON(image->sym_vvar_page != image->sym_vvar_start ||
		    image->sym_timens_page - image->sym_vvar_start !=
		    VVAR_TIMENS << PAGE_SHIFT ||
		    -image->sym_vvar_start != VVAR_NR << PAGE_SHIFT))
		return -EINVAL;

	while (text->image)
		text++;

	pages = kcalloc(nr + 1, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		pages[i] = virt_to_page(image->data + (i << PAGE_SHIFT));

	text->mapping.name = "[vdso]";
	text->mapping.pages = pages;
	text->mapping.mremap = vdso_mremap;
	text->image = image;
	return 0;
}

/**
 * vdso_image_map - map the text of an image
 * @mm: the address space
 * @addr: where
 * @image: the image
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vdso_image_map(struct mm_struct *mm, unsigned long addr,
				      const struct vdso_image *image)
{
	const struct vdso_text *text;

	for (text = vdso_texts; text->image; text++) {
		if (text->image == image)
			return vdso_text_map(mm, addr, image->size,
					     &text->mapping);
	}
	return ERR_PTR(-ENOMEM);
}

static int __init vvar_setup(void)
{
	unsigned int i;
	int ret;

	ret = vvar_area_register(&vvar_area);
	if (ret)
		return ret;

	vvar_area_set_slot(&vvar_area, VVAR_TIME,
			   PHYS_PFN(__pa_symbol(&__vvar_page)), PAGE_READONLY);
	/* Those that came into use before the area was there */
	for (i = 0; i < ARRAY_SIZE(vclock_pages); i++)
		vvar_show_vclock(&vclock_pages[i]);
	return 0;
}
arch_initcall(vvar_setup);
