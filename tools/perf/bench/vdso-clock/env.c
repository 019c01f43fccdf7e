// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: where it ran */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <linux/kernel.h>
#include "front.h"

const char *vc_accelerator;
char *vc_clocksource, *vc_command_line;

const char *vc_hypervisor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	static char id[13];
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 31)))
		return "none";
	__cpuid(0x40000000, a, b, c, d);
	memcpy(id, &b, 4);
	memcpy(id + 4, &c, 4);
	memcpy(id + 8, &d, 4);
	if (!strcmp(id, "TCGTCGTCGTCG"))
		return "tcg";
	if (!strcmp(id, "KVMKVMKVM"))
		return "kvm";
	return id[0] ? id : "unknown hypervisor";
#else
	return "unknown";
#endif
}

static char *first_line(const char *cmd_or_file, bool command)
{
	FILE *f = command ? popen(cmd_or_file, "r") : fopen(cmd_or_file, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (!f)
		return strdup("");
	len = getline(&line, &room, f);
	if (command)
		pclose(f);
	else
		fclose(f);
	if (len <= 0) {
		free(line);
		return strdup("");
	}
	line[strcspn(line, "\n")] = 0;
	return line;
}

static char *env_or(const char *name, char *value)
{
	size_t len = strlen(name);
	unsigned int i;

	for (i = 0; i < vc_env_given.nr; i++)
		if (!strncmp(vc_env_given.line[i], name, len) &&
		    vc_env_given.line[i][len] == '=')
			return vc_env_given.line[i] + len + 1;
	return value;
}

static char *cpu_model(void)
{
	char *line = first_line("grep -m1 'model name' /proc/cpuinfo", true);
	char *colon = strchr(line, ':');

	return colon ? colon + 2 : line;
}

void vc_json_env(FILE *f)
{
	static const char sha[] =
		"{ zcat /proc/config.gz || cat /boot/config-$(uname -r); } 2>/dev/null | sha256sum | sed '/^e3b0c44298fc1c149afbf4c8996fb924/d; s/ .*//'";
	struct utsname u;
	char kernel[256], *config = first_line(sha, true);
	const struct {
		const char	*name, *value;
	} row[] = {
		{ "kernel",		kernel },
		{ "commit",		"unknown" },
		{ "config_sha256",	*config ? config : "unknown" },
		{ "compiler",		"perf: " __VERSION__ },
		{ "command",		vc_command_line },
		{ "accelerator",	vc_accelerator },
		{ "clocksource",	vc_clocksource },
		{ "cpu_model",		cpu_model() },
		{ "tick_source",	vc_tick_source() },
	};
	unsigned int i, k;

	uname(&u);
	snprintf(kernel, sizeof(kernel), "%s %s", u.release, u.version);
	fprintf(f, "  \"environment\": {\n");
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		fprintf(f, "    \"%s\": ", row[i].name);
		vc_json_string(f, env_or(row[i].name, (char *)row[i].value));
		fprintf(f, ",\n");
	}
	for (k = 0; k < vc_env_given.nr; k++) {
		char *name = strndup(vc_env_given.line[k],
				     strcspn(vc_env_given.line[k], "="));

		for (i = 0; i < ARRAY_SIZE(row); i++)
			if (!strcmp(row[i].name, name))
				break;
		if (i == ARRAY_SIZE(row)) {
			fprintf(f, "    ");
			vc_json_string(f, name);
			fprintf(f, ": ");
			vc_json_string(f, env_or(name, NULL));
			fprintf(f, ",\n");
		}
		free(name);
	}
	fprintf(f, "    \"ns_per_tick\": %.9g,\n", vc_ns_per_tick());
	fprintf(f, "    \"cpus\": %ld\n  },\n", sysconf(_SC_NPROCESSORS_ONLN));
}

/*
 * tsc-early becomes tsc a second or so after boot, once another timer has told
 * its frequency. A guest can be quicker, and its figures would be of either.
 */
char *vc_settled_clocksource(void)
{
	char *name;
	int i;

	for (i = 0; ; i++) {
		name = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
				  false);
		if (i == 100 || strcmp(name, "tsc-early"))
			return name;
		free(name);
		usleep(100000);
	}
}
