/* SPDX-License-Identifier: MIT */
/*
 * The walk of one address, as the processor would do it. Every entry is read once; nothing is marked as accessed. Tables that
 * lead in circles do no harm: there are as many steps as levels. SDM "EPT Translation Mechanism". Pure.
 */
#include "monitor/show_ept.h"

#include "monitor/show_fields.h"

/* SDM "EPT Misconfigurations". */
static const char *what_is_wrong(u64 entry, unsigned int level, const struct ept_rules *rules)
{
	u64 beyond = EPT_ADDRESS & ~(BIT(rules->physical_address_bits) - 1);
	u64 type = field_get(entry, EPT_MEMORY_TYPE);

	if ((entry & EPT_WRITE) && !(entry & EPT_READ))
		return "writable, and not readable";
	if (!(entry & EPT_READ) && !rules->execute_only)
		return "executable only: not offered";
	if (entry & beyond)
		return "address beyond the physical width";
	if (ept_is_leaf(entry, level) && (type == 2 || type == 3 || type == 7))
		return "reserved memory type";
	return "reserved bits are set";
}

static void add_permissions(struct out_wrap *wrap, const struct ept_rules *rules, u64 entry)
{
	char text[] = "----";

	if (entry & EPT_READ)
		text[0] = 'R';
	if (entry & EPT_WRITE)
		text[1] = 'W';
	if (entry & EPT_EXECUTE)
		text[2] = 'X';
	if (rules->mode_based && (entry & EPT_USER_EXECUTE))
		text[3] = 'U';
	if (!rules->mode_based)
		text[3] = '\0';
	wrap_add(wrap, "%s", text);
}

static void add_size(struct out_wrap *wrap, unsigned int level)
{
	static const char sizes[][5] = { "4 KB", "2 MB", "1 GB" };

	wrap_add(wrap, "%s page", sizes[level - 1]);
}

static void add_entry(struct out_wrap *wrap, const struct ept_view *view, u64 entry, unsigned int level)
{
	bool is_leaf = ept_is_leaf(entry, level);

	add_permissions(wrap, &view->rules, entry);
	if (view->eptp & EPTP_ACCESSED_DIRTY) {
		if (entry & EPT_ACCESSED)
			wrap_add(wrap, "A");
		if (is_leaf && (entry & EPT_DIRTY))
			wrap_add(wrap, "D");
	}
	if (!is_leaf)
		return;
	wrap_add(wrap, "%s%s", show_memory_type(field_get(entry, EPT_MEMORY_TYPE)), entry & EPT_IGNORE_PAT ? "," : "");
	if (entry & EPT_IGNORE_PAT)
		wrap_add(wrap, "PAT ignored");
	add_size(wrap, level);
}

static bool is_present(const struct ept_view *view, u64 entry)
{
	return (entry & ept_permissions(&view->rules)) != 0;
}

/* One level. False: print no more. */
static bool show_entry(struct monitor_out *out, const struct ept_view *view, u64 at, u64 entry, unsigned int level)
{
	static const char names[][6] = { "PTE", "PDE", "PDPTE", "PML4E", "PML5E" };
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "%-5s at %016lx: %016lx ", names[level - 1], at, entry);
	if (!is_present(view, entry)) {
		wrap_add(&wrap, "not present");
	} else if (ept_is_misconfigured(entry, level, &view->rules)) {
		wrap_add(&wrap, "misconfigured:");
		wrap_add_words(&wrap, what_is_wrong(entry, level, &view->rules));
	} else {
		add_entry(&wrap, view, entry, level);
	}
	return wrap_end(&wrap);
}

static bool show_result(struct monitor_out *out, const struct ept_view *view, u64 entry, unsigned int level, u64 permissions,
			const struct ept_end *end)
{
	struct out_wrap wrap;

	if (!end->is_mapped && !is_present(view, entry))
		return out_line(out, "not present: an access is an EPT violation");
	if (!end->is_mapped)
		return out_line(out, "misconfigured: an access is an EPT misconfiguration");
	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "%s %016lx", view->to, end->address);
	add_permissions(&wrap, &view->rules, permissions);
	wrap_add(&wrap, "%s", show_memory_type(field_get(entry, EPT_MEMORY_TYPE)));
	add_size(&wrap, level);
	return wrap_end(&wrap);
}

/* SDM "Extended-Page-Table Pointer (EPTP)". */
static bool show_pointer(struct monitor_out *out, const struct ept_view *view, unsigned int levels)
{
	return out_line(out, "EPTP %016lx: tables at %016lx, %s, %u levels%s", view->eptp, view->eptp & EPTP_ADDRESS,
			show_memory_type(field_get(view->eptp, EPTP_MEMORY_TYPE)), levels,
			view->eptp & EPTP_ACCESSED_DIRTY ? ", accessed and dirty flags" : "");
}

bool show_ept(struct monitor_out *out, const struct ept_view *view, u64 address, struct ept_end *end)
{
	unsigned int level = (unsigned int)field_get(view->eptp, EPTP_WALK_LENGTH) + 1;
	u64 table = view->eptp & EPTP_ADDRESS, permissions = ept_permissions(&view->rules), entry, at;
	bool is_bad;

	*end = (struct ept_end){ .is_mapped = false };
	if (!show_pointer(out, view, level))
		return false;
	if (level < 4 || level > EPT_MAX_LEVELS)
		return out_line(out, "no processor has tables of %u levels", level);
	if (address >= ept_level_size(level + 1))
		return out_line(out, "no level translates the upper bits of this address: an access is an EPT violation");
	for (;; level--) {
		at = table + address / ept_level_size(level) % EPT_TABLE_ENTRIES * sizeof(u64);
		if (!view->read(view->context, at, &entry))
			return out_line(out, "there is no memory at %016lx, where the next entry should be", at);
		if (!show_entry(out, view, at, entry, level))
			return false;
		permissions &= entry;
		table = entry & EPT_ADDRESS;
		is_bad = !is_present(view, entry) || ept_is_misconfigured(entry, level, &view->rules);
		if (is_bad || ept_is_leaf(entry, level))
			break;
	}
	end->is_mapped = !is_bad;
	end->address = (table & ~(ept_level_size(level) - 1)) | (address & (ept_level_size(level) - 1));
	return show_result(out, view, entry, level, permissions, end);
}
