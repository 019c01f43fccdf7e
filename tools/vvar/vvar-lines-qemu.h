/* SPDX-License-Identifier: GPL-2.0 */
/* Version 1 of QEMU's plugin interface, as far as it is used here */
#ifndef VVAR_LINES_QEMU_H
#define VVAR_LINES_QEMU_H

#include "vvar-lines-plugin.h"

#define EXPORT	__attribute__((visibility("default")))

typedef u64 plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

/* What QEMU tells at the start: only its beginning */
struct plugin_info {
	const char	*target;
	int		least, current;
	bool		system;
	int		cpus, max_cpus;
};

enum { CB_NO_REGS };
enum { MEM_R = 1, MEM_W = 2, MEM_RW = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*cb)(plugin_id,
						      struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *),
				    void *arg);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int, void *),
					  int flags, void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *),
					    int flags, void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned int, u32, uint64_t,
						 void *),
				      int flags, int rw, void *arg);
void qemu_plugin_reset(plugin_id id, void (*cb)(plugin_id));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t i);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(u32 info);
unsigned int qemu_plugin_mem_size_shift(u32 info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(u32 info, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *at);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *at);

extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info,
			       int argc, char **argv);

#endif
