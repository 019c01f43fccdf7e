// SPDX-License-Identifier: GPL-2.0
/*
 * Uprobes in vDSO images.
 *
 * An image is named by its file in /sys/kernel/vdso. Uprobes get the inode whose
 * i_mmap has the image's VMAs instead (vma_mapping()), and its pages, since there is
 * no page cache to read them from. What is mapped is changed as in any private
 * mapping: the breakpoint goes into a copy that is the process's own.
 *
 * Only the first instruction of an exported function can be probed. Nothing compares
 * a process's ip with such an address, as is done with landing pads, the ranges of
 * the exception table and those of a futex's robust unlock, which are further inside.
 * Signal trampolines are exported, too, but nobody calls them: the kernel, debuggers
 * and unwinders know them by their address, or by the bytes at it.
 */
#include <linux/elf.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/vvar_fault.h>

#include "vvar.h"

static struct vdso_text *vdso_texts;

/* The image that a file in /sys/kernel/vdso shows, or whose VMAs @inode has */
static const struct vdso_text *vdso_text_of(const struct inode *inode)
{
	const struct vdso_text *text;

	for (text = vdso_texts; text; text = text->next) {
		if (inode->i_private == text->node ||
		    inode == file_inode(text->file))
			return text;
	}
	return NULL;
}

/* Section header @i, of an image of any class */
static struct elf64_shdr vdso_section(const struct vdso_text *text, unsigned int i)
{
	struct elf64_shdr s64 = {};
	struct elf64_hdr e64;
	struct elf32_hdr e32;
	struct elf32_shdr s32;

	vdso_text_copy(text, &e64, 0, sizeof(e64));
	if (e64.e_ident[EI_CLASS] == ELFCLASS64) {
		if (i < e64.e_shnum)
			vdso_text_copy(text, &s64, e64.e_shoff + i * sizeof(s64),
				       sizeof(s64));
		return s64;
	}
	vdso_text_copy(text, &e32, 0, sizeof(e32));
	if (i < e32.e_shnum) {
		vdso_text_copy(text, &s32, e32.e_shoff + i * sizeof(s32),
			       sizeof(s32));
		s64.sh_type = s32.sh_type;
		s64.sh_offset = s32.sh_offset;
		s64.sh_size = s32.sh_size;
		s64.sh_link = s32.sh_link;
		s64.sh_entsize = s32.sh_entsize;
	}
	return s64;
}

/* May a probe be at @offset? Images begin at address 0: it is what symbols have. */
static bool vdso_text_may_probe(const struct vdso_text *text, loff_t offset)
{
	struct elf64_shdr symbols, names;
	unsigned int i = 0;
	unsigned long at;
	char name[32];

	do {
		symbols = vdso_section(text, ++i);
		if (symbols.sh_type == SHT_NULL)
			return false;
	} while (symbols.sh_type != SHT_DYNSYM);
	names = vdso_section(text, symbols.sh_link);

	for (at = 0; at < symbols.sh_size; at += symbols.sh_entsize) {
		struct elf64_sym s64;
		struct elf32_sym s32;

		if (symbols.sh_entsize == sizeof(s64)) {
			vdso_text_copy(text, &s64, symbols.sh_offset + at,
				       sizeof(s64));
		} else {
			vdso_text_copy(text, &s32, symbols.sh_offset + at,
				       sizeof(s32));
			s64.st_name = s32.st_name;
			s64.st_info = s32.st_info;
			s64.st_shndx = s32.st_shndx;
			s64.st_value = s32.st_value;
		}
		if (ELF_ST_TYPE(s64.st_info) != STT_FUNC ||
		    s64.st_shndx == SHN_UNDEF || s64.st_value != offset)
			continue;

		/* Code is behind the names, which begin with what matters */
		vdso_text_copy(text, name, names.sh_offset + s64.st_name,
			       sizeof(name));
		name[sizeof(name) - 1] = 0;
		return !strstr(name, "sigreturn");
	}
	return false;
}

/**
 * inode_is_vdso_text - does an inode have the VMAs of an image?
 * @inode: the inode, or one that shows the image in sysfs
 *
 * Context: Any.
 * Return: true if it does.
 */
bool inode_is_vdso_text(const struct inode *inode)
{
	return vdso_text_of(inode);
}

/**
 * vdso_uprobe_inode - where a probe in a file goes
 * @inode: the file
 * @offset: where in it
 *
 * Context: Process context.
 * Return: for an image in /sys/kernel/vdso the inode with its VMAs, which stays for
 * ever, or ERR_PTR(-EINVAL) if @offset is not the start of an exported function;
 * @inode if it is no image.
 */
struct inode *vdso_uprobe_inode(struct inode *inode, loff_t offset)
{
	const struct vdso_text *text = vdso_text_of(inode);

	if (!text)
		return inode;
	if (!vdso_text_may_probe(text, offset))
		return ERR_PTR(-EINVAL);
	return file_inode(text->file);
}

/**
 * vdso_uprobe_page - a page of an image, as it was before anything was probed
 * @inode: what vdso_uprobe_inode() has returned
 * @index: which page
 *
 * Return: the page, with a reference, or NULL if @inode is no image.
 */
struct page *vdso_uprobe_page(const struct inode *inode, pgoff_t index)
{
	const struct vdso_text *text = vdso_text_of(inode);
	struct page *page;

	if (!text || index >= text->nr_pages)
		return NULL;
	page = text->pages[index];
	get_page(page);
	return page;
}

/**
 * vdso_uprobes_register - let an image be probed
 * @text: the image, which has its file, and is shown in sysfs as @node
 * @node: what it is there
 *
 * Context: At boot, before anybody sets a probe.
 */
void vdso_uprobes_register(struct vdso_text *text, struct kernfs_node *node)
{
	unsigned long i;

	/* As uprobes want an original page to be */
	for (i = 0; i < text->nr_pages; i++)
		SetPageUptodate(text->pages[i]);
	i_size_write(file_inode(text->file), text->nr_pages << PAGE_SHIFT);
	text->node = node;
	text->next = vdso_texts;
	vdso_texts = text;
}

/* That of a test */
void vdso_uprobes_unregister(struct vdso_text *text)
{
	struct vdso_text **at = &vdso_texts;

	while (*at != text)
		at = &(*at)->next;
	*at = text->next;
	kernfs_put(text->node);
}
