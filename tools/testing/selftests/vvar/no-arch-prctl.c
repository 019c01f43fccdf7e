// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command under a seccomp filter that forbids to map a vDSO:
 * arch_prctl(ARCH_MAP_VDSO_*) fails with EPERM, or kills with "-k".
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARG0	(offsetof(struct seccomp_data, args[0]))
#define NR	(offsetof(struct seccomp_data, nr))

int main(int argc, char **argv)
{
	int kill = argc > 1 && !strcmp(argv[1], "-k");
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG0),
		/* ARCH_MAP_VDSO_X32, _32 and _64 are 0x2001 to 0x2003 */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x2001, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, kill ? SECCOMP_RET_KILL_PROCESS :
			 SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	if (argc < 2 + kill) {
		fprintf(stderr, "usage: no-arch-prctl [-k] COMMAND [ARG...]\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("no-arch-prctl: seccomp");
		return 2;
	}
	execvp(argv[1 + kill], argv + 1 + kill);
	perror(argv[1 + kill]);
	return 127;
}
