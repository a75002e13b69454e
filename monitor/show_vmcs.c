/* SPDX-License-Identifier: MIT */
/* VMCSs in lines: encoding, name, value, what it says; and what two of them have different. Pure. */
#include "monitor/show_vmcs.h"

#include "drivers/printk.h"
#include "monitor/show_fields.h"
#include "monitor/words.h"

#define DIGITS 17
#define INDENT 6

static bool is_wanted(const struct vmcs_field_info *info, const char *pattern)
{
	u64 encoding;

	return !pattern || words_contain(info->name, pattern) ||
	       (words_hex(pattern, &encoding) && vmcs_lookup(encoding) == info);
}

/* In the width of the field. */
static const char *digits(const struct vmcs_field_info *info, u64 value, char text[DIGITS])
{
	enum vmcs_width width = vmcs_encoding_width(info->field.encoding);

	if (width == WIDTH_16)
		(void)format_text(text, DIGITS, "%04lx", value);
	else if (width == WIDTH_32)
		(void)format_text(text, DIGITS, "%08lx", value);
	else
		(void)format_text(text, DIGITS, "%016lx", value);
	return text;
}

static bool show_field(struct monitor_out *out, const struct vmcs_field_info *info, u64 value)
{
	struct out_wrap wrap;
	char text[DIGITS];

	wrap_begin(&wrap, out, INDENT);
	wrap_add(&wrap, "%04x %-36s %16s", info->field.encoding, info->name, digits(info, value, text));
	show_meaning(&wrap, info, value);
	return wrap_end(&wrap);
}

/* How many fields the pattern has found, where that is none. */
static bool end(struct monitor_out *out, u32 found, const char *pattern, const char *none)
{
	if (found)
		return true;
	return pattern ? out_line(out, "%s with \"%s\" in its name, or as its encoding", none, pattern) : out_line(out, "%s", none);
}

bool show_vmcs(struct monitor_out *out, const struct view *view, const char *pattern)
{
	u32 found = 0;

	if (!out_line(out, "%s", view->what))
		return false;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (!view->has[i] || !is_wanted(&vmcs_fields[i], pattern))
			continue;
		found++;
		if (!show_field(out, &vmcs_fields[i], view->image.value[i]))
			return false;
	}
	return end(out, found, pattern, "no field");
}

static void add_bits(struct out_wrap *wrap, const struct view *view, const struct vmcs_field_info *info, u64 bits)
{
	if (!bits)
		return;
	wrap_break(wrap);
	wrap_add(wrap, "only %s:", view->name);
	show_meaning(wrap, info, bits);
}

static bool show_difference(struct monitor_out *out, const struct vmcs_field_info *info, const struct view *a, const struct view *b)
{
	u64 values[2] = { view_get(a, info->field), view_get(b, info->field) };
	struct out_wrap wrap;
	char text[2][DIGITS];

	wrap_begin(&wrap, out, INDENT);
	wrap_add(&wrap, "%04x %-36s %16s %16s", info->field.encoding, info->name, digits(info, values[0], text[0]),
		 digits(info, values[1], text[1]));
	if (show_is_bits(info)) {
		add_bits(&wrap, a, info, values[0] & ~values[1]);
		add_bits(&wrap, b, info, values[1] & ~values[0]);
	}
	return wrap_end(&wrap);
}

bool show_diff(struct monitor_out *out, const struct view *a, const struct view *b, const char *pattern)
{
	u32 found = 0;

	if (!out_line(out, "%s", a->what) || !out_line(out, "%s", b->what) ||
	    !out_line(out, "%-41s %16s %16s", "field", a->name, b->name))
		return false;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (!a->has[i] || !b->has[i] || a->image.value[i] == b->image.value[i] || !is_wanted(&vmcs_fields[i], pattern))
			continue;
		found++;
		if (!show_difference(out, &vmcs_fields[i], a, b))
			return false;
	}
	return end(out, found, pattern, "no difference");
}
