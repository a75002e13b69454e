/* SPDX-License-Identifier: MIT */
/* See tests/fake/collect.h. */
#include "tests/fake/collect.h"

static bool write(struct monitor_out *out, const char *text, size_t length)
{
	struct collect *collect = (struct collect *)(void *)out;

	if (!collect->patience) {
		collect->too_late++;
		return false;
	}
	for (size_t i = 0; i < length; i++, collect->length++)
		if (collect->length < COLLECT_SIZE - 1)
			collect->text[collect->length] = text[i];
	collect->text[collect->length < COLLECT_SIZE - 1 ? collect->length : COLLECT_SIZE - 1] = '\0';
	if (collect->patience != UINT32_MAX)
		collect->patience--;
	return collect->patience != 0;
}

void collect_begin(struct collect *collect)
{
	collect->out.write = write;
	collect->text[0] = '\0';
	collect->length = 0;
	collect->patience = UINT32_MAX;
	collect->too_late = 0;
}

size_t collect_width(const struct collect *collect)
{
	size_t widest = 0, width = 0;

	for (const char *c = collect->text; *c; c++) {
		width = *c == '\n' ? 0 : width + 1;
		if (width > widest)
			widest = width;
	}
	return widest;
}
