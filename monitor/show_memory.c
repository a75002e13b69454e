/* SPDX-License-Identifier: MIT */
/* Hexadecimal and ASCII, sixteen bytes a line. What is no printable character is a dot: a terminal sees no other. Pure. */
#include "monitor/show_memory.h"

#include "drivers/printk.h"

static bool show_line(struct monitor_out *out, u64 address, const u8 *bytes, u32 count)
{
	char hex[3 * SHOW_MEMORY_LINE + 2], ascii[SHOW_MEMORY_LINE + 1];
	size_t length = 0;

	for (u32 i = 0; i < count; i++) {
		length += format_text(hex + length, sizeof(hex) - length, i == 8 ? "  %02x" : " %02x", bytes[i]);
		ascii[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
	}
	ascii[count] = '\0';
	return out_line(out, "%016lx %-49s  |%s|", address, hex, ascii);
}

bool show_memory(struct monitor_out *out, show_memory_read *read, const void *context, u64 address, u64 count)
{
	u8 bytes[SHOW_MEMORY_LINE];

	while (count) {
		u32 now = count < SHOW_MEMORY_LINE ? (u32)count : SHOW_MEMORY_LINE;

		read(context, address, bytes, now);
		if (!show_line(out, address, bytes, now))
			return false;
		address += now;
		count -= now;
	}
	return true;
}
