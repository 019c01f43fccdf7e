/* SPDX-License-Identifier: GPL-2.0 */
/* For tests that take numbers as arguments */
#ifndef VVAR_NUMBER_H
#define VVAR_NUMBER_H

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program, with 2, where @text is none from @least to @most */
static inline unsigned long parse_number(const char *text, const char *what,
					 unsigned long least, unsigned long most)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (!errno && *text && !*end && *text != '-' && n >= least && n <= most)
		return n;
	fprintf(stderr, "%s: %s '%s': not a number", program_invocation_short_name,
		what, text);
	if (most < ULONG_MAX)
		fprintf(stderr, " from %lu to %lu", least, most);
	else if (least)
		fprintf(stderr, " from %lu on", least);
	fputc('\n', stderr);
	exit(2);
}

#endif /* VVAR_NUMBER_H */
