// SPDX-License-Identifier: GPL-2.0
/*
 * vDSO text: ordinary, refcounted pages, because gdb sets breakpoints by COW
 * and core dumps read them by GUP. They are never reclaimed or truncated, so
 * there is no folio to lock. One fault maps them all.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/sysfs.h>
#include <linux/uprobes.h>
#include <linux/vvar_fault.h>

#include <trace/events/vvar.h>

#include "internal.h"
#include "vma.h"
#include "vvar.h"

static noinline void vdso_text_trace(const struct vm_fault *vmf,
				     enum vvar_path path,
				     unsigned int published, vm_fault_t result)
{
	pte_t pte = __pte(0), *ptep;

	if (path == VVAR_FAULT) {
		/* The core maps it next: if written to, the process's copy */
		pte = mk_pte(vmf->cow_page ?: vmf->page,
			     vmf->vma->vm_page_prot);
	} else {
		ptep = pte_offset_map(vmf->pmd, vmf->address);
		if (ptep) {
			pte = ptep_get_lockless(ptep);
			pte_unmap(ptep);
		}
	}
	trace_vvar_fault(vmf, pte, path, published, 0, result);
}

static vm_fault_t vdso_text_fault(struct vm_fault *vmf)
{
	const struct vdso_text *text = vmf->vma->vm_private_data;

	vmf->page = text->pages[vmf->pgoff];
	get_page(vmf->page);
	if (trace_vvar_fault_enabled())
		vdso_text_trace(vmf, VVAR_FAULT, 0, 0);
	return 0;
}

/* Pages [first, last], all in the page table @pmd points to */
static unsigned int vdso_text_publish(struct vm_area_struct *vma, pmd_t *pmd,
				      pgoff_t first, pgoff_t last)
{
	const struct vdso_text *text = vma->vm_private_data;
	unsigned long addr = vma->vm_start + (first << PAGE_SHIFT);
	pte_t *start, *ptep;
	unsigned int nr = 0;
	spinlock_t *ptl;	/* the page table's */
	pgoff_t i;

	start = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!start)
		return 0;

	for (i = first, ptep = start; i <= last; i++, addr += PAGE_SIZE, ptep++) {
		struct page *page = text->pages[i];

		if (!pte_none(ptep_get(ptep)))
			continue;
		get_page(page);
		folio_add_file_rmap_pte(page_folio(page), page, vma);
		set_pte_at(vma->vm_mm, addr, ptep,
			   mk_pte(page, vma->vm_page_prot));
		update_mmu_cache(vma, addr, ptep);
		nr++;
	}
	add_mm_counter(vma->vm_mm, MM_FILEPAGES, nr);
	pte_unmap_unlock(start, ptl);
	return nr;
}

static vm_fault_t vdso_text_map_pages(struct vm_fault *vmf, pgoff_t first,
				      pgoff_t last)
{
	unsigned int nr;

	/* Both look again: pmd_install() and pte_offset_map_lock() */
	if (data_race(pmd_none(*vmf->pmd)) && vmf->prealloc_pte)
		pmd_install(vmf->vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);

	nr = vdso_text_publish(vmf->vma, vmf->pmd, first, last);
	if (trace_vvar_fault_enabled())
		vdso_text_trace(vmf, VVAR_MAP_PAGES, nr, VM_FAULT_NOPAGE);
	return VM_FAULT_NOPAGE;
}

static void vdso_text_populate(struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start, end;
	unsigned int nr = 0;

	for (; addr < vma->vm_end; addr = end) {
		pmd_t *pmd = vvar_alloc_table(vma->vm_mm, addr);

		end = vvar_table_end(addr, vma->vm_end);
		if (!pmd)
			return;
		nr += vdso_text_publish(vma, pmd, linear_page_index(vma, addr),
					linear_page_index(vma, end - 1));
	}
	trace_vvar_populate(vma, nr);
}

static const char *vdso_text_name(struct vm_area_struct *vma)
{
	return ((struct vdso_text *)vma->vm_private_data)->name;
}

static int vdso_text_mremap(struct vm_area_struct *vma)
{
	const struct vdso_text *text = vma->vm_private_data;

	if (WARN_ON_ONCE(current->mm != vma->vm_mm))
		return -EFAULT;
	return text->mremap(vma);
}

static struct address_space *vdso_text_mapping(const struct vm_area_struct *vma)
{
	return ((struct vdso_text *)vma->vm_private_data)->file->f_mapping;
}

static const struct vm_operations_struct vdso_text_vm_ops = {
	/* Nobody takes text back: only uprobes look for its VMAs */
	.mapping = IS_ENABLED(CONFIG_VDSO_UPROBES) ? vdso_text_mapping : NULL,
	.fault = vdso_text_fault,
	.map_pages = vdso_text_map_pages,
	.name = vdso_text_name,
	.may_split = vvar_may_split,
	.mremap = vdso_text_mremap,
};

/**
 * vdso_text_copy - copy from an image, as it is mapped
 * @text: the image
 * @buf: where to
 * @off: where from
 * @len: how many bytes, all of them inside the image
 *
 * Context: Any.
 */
void vdso_text_copy(const struct vdso_text *text, void *buf, size_t off,
		    size_t len)
{
	size_t n;

	for (; len; buf += n, off += n, len -= n) {
		n = min(len, PAGE_SIZE - offset_in_page(off));
		memcpy_from_page(buf, text->pages[off >> PAGE_SHIFT],
				 offset_in_page(off), n);
	}
}

static ssize_t vdso_text_read(struct file *file, struct kobject *kobj,
			      const struct bin_attribute *attr, char *buf,
			      loff_t off, size_t count)
{
	vdso_text_copy(attr->private, buf, off, count);
	return count;
}

static struct kobject *vdso_kobj;	/* /sys/kernel/vdso */

/*
 * Tools get the bytes of an image here, and no file descriptor of what is mapped.
 * At boot, one image after the other.
 */
static int vdso_text_show(struct vdso_text *text)
{
	int ret;

	if (!vdso_kobj)
		vdso_kobj = kobject_create_and_add("vdso", kernel_kobj);
	if (!vdso_kobj)
		return -ENOMEM;

	sysfs_bin_attr_init(&text->attr);
	text->attr.attr.name = text->abi;
	text->attr.attr.mode = 0444;
	text->attr.size = text->nr_pages << PAGE_SHIFT;
	text->attr.private = text;
	text->attr.read = vdso_text_read;
	ret = sysfs_create_bin_file(vdso_kobj, &text->attr);
	if (!ret && IS_ENABLED(CONFIG_VDSO_UPROBES))
		vdso_uprobes_register(text, sysfs_get_dirent(vdso_kobj->sd,
							     text->abi));
	return ret;
}

/**
 * vdso_text_register - make an image ready to be mapped
 * @text: the image, as it is going to be mapped, with its first six members set
 *
 * It gets a file of its own, and is shown in /sys/kernel/vdso.
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM, or another error.
 */
int vdso_text_register(struct vdso_text *text)
{
	struct file *file = vvar_file_create(text->name);
	int ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	text->file = file;
	ret = vdso_text_show(text);
	if (ret) {
		fput(file);
		text->file = NULL;
	}
	return ret;
}

/* Of an image that is mapped nowhere: those of tests */
void vdso_text_unregister(struct vdso_text *text)
{
	if (IS_ENABLED(CONFIG_VDSO_UPROBES))
		vdso_uprobes_unregister(text);
	sysfs_remove_bin_file(vdso_kobj, &text->attr);
	fput(text->file);
	text->file = NULL;
}

/**
 * vdso_text_map - map a vDSO image into an address space
 * @mm: the address space: current->mm
 * @addr: where, page-aligned
 * @text: a registered image
 *
 * VM_MAYWRITE lets a debugger set breakpoints by COW.
 *
 * Context: Process context, may sleep. mmap_lock held for write.
 * Return: the VMA, or ERR_PTR(-ENOMEM).
 */
struct vm_area_struct *vdso_text_map(struct mm_struct *mm, unsigned long addr,
				     struct vdso_text *text)
{
	struct vm_area_struct *vma;

	vma = __install_special_mapping(mm, addr, text->nr_pages << PAGE_SHIFT,
					VM_READ | VM_EXEC | VM_MAYREAD |
					VM_MAYWRITE | VM_MAYEXEC |
					text->vm_flags, text,
					&vdso_text_vm_ops);
	if (IS_ERR(vma))
		return vma;
	if (vvar_populate_on)
		vdso_text_populate(vma);
	if (IS_ENABLED(CONFIG_VDSO_UPROBES))
		uprobe_mmap(vma);
	return vma;
}

/**
 * vma_is_vdso_text - is this VMA a mapping of a vDSO image?
 * @vma: the VMA
 *
 * Context: mmap_lock or the VMA's lock held.
 * Return: true if it is.
 */
bool vma_is_vdso_text(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &vdso_text_vm_ops;
}
