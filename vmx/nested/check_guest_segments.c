/* SPDX-License-Identifier: MIT */
/*
 * Checks on guest segment registers: selectors, bases, limits and access
 * rights, for virtual-8086, real, protected and IA-32e mode. SDM "Checks on
 * Guest Segment Registers". Pure.
 */
#include "vmx/nested/check_common.h"

/* After the six of enum segment. */
enum { SEGMENT_LDTR = SEGMENT_COUNT, SEGMENT_TR };

/* Every property of all eight is a run of rows in the field table. */
static_assert(VMCS_INDEX_GUEST_TR_SELECTOR == VMCS_INDEX_GUEST_ES_SELECTOR + SEGMENT_TR &&
		      VMCS_INDEX_GUEST_TR_LIMIT == VMCS_INDEX_GUEST_ES_LIMIT + SEGMENT_TR &&
		      VMCS_INDEX_GUEST_TR_BASE == VMCS_INDEX_GUEST_ES_BASE + SEGMENT_TR &&
		      VMCS_INDEX_GUEST_TR_ACCESS_RIGHTS == VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + SEGMENT_TR,
	      "segments are counted by rows");

#define SELECTOR_RPL BITS(1, 0)
#define SELECTOR_TI BIT(2)
#define ACCESS_RIGHTS_RESERVED_LOW BITS(11, 8)
#define ACCESS_RIGHTS_RESERVED_HIGH BITS(31, 17)
#define ACCESS_RIGHTS_V8086 0xf3

/* Segment types. SDM "Code- and Data-Segment Descriptor Types", "System Descriptor Types". */
#define TYPE_DATA_WRITABLE_ACCESSED 3
#define TYPE_DATA_WRITABLE_EXPAND_DOWN_ACCESSED 7
#define TYPE_CODE_ACCESSED 9
#define TYPE_CODE_READABLE_ACCESSED 11
#define TYPE_CODE_CONFORMING_ACCESSED 13
#define TYPE_CODE_CONFORMING_READABLE_ACCESSED 15
#define TYPE_LDT 2
#define TYPE_TSS_16_BUSY 3
#define TYPE_TSS_BUSY 11

static u64 selector(const struct entry_context *context, u32 segment)
{
	return get_below(context, VMCS_GUEST_ES_SELECTOR, segment);
}

static u64 base(const struct entry_context *context, u32 segment)
{
	return get_below(context, VMCS_GUEST_ES_BASE, segment);
}

static u64 limit(const struct entry_context *context, u32 segment)
{
	return get_below(context, VMCS_GUEST_ES_LIMIT, segment);
}

static u64 rights(const struct entry_context *context, u32 segment)
{
	return get_below(context, VMCS_GUEST_ES_ACCESS_RIGHTS, segment);
}

static u64 type(const struct entry_context *context, u32 segment)
{
	return rights(context, segment) & ACCESS_RIGHTS_TYPE;
}

static u64 dpl(const struct entry_context *context, u32 segment)
{
	return field_get(rights(context, segment), ACCESS_RIGHTS_DPL);
}

static bool is_usable(const struct entry_context *context, u32 segment)
{
	return (rights(context, segment) & ACCESS_RIGHTS_UNUSABLE) == 0;
}

static bool is_v8086(const struct entry_context *context)
{
	return (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_VM) != 0;
}

/* Are the sub-fields of the access rights looked at? CS always; others when usable; none in virtual-8086 mode. */
static bool has_rights(const struct entry_context *context, u32 segment)
{
	if (segment < SEGMENT_COUNT && is_v8086(context))
		return false;
	return segment == SEGMENT_CS || segment == SEGMENT_TR || is_usable(context, segment);
}

/* --- selectors, bases, limits ----------------------------------------------- */

static bool selector_ti(const struct entry_context *context, u32 segment)
{
	return (segment == SEGMENT_LDTR && !is_usable(context, segment)) || (selector(context, segment) & SELECTOR_TI) == 0;
}

static bool ss_rpl(const struct entry_context *context, maybe_unused u32 segment)
{
	return is_v8086(context) || is_unrestricted(context) ||
	       ((selector(context, SEGMENT_SS) ^ selector(context, SEGMENT_CS)) & SELECTOR_RPL) == 0;
}

static bool base_v8086(const struct entry_context *context, u32 segment)
{
	return !is_v8086(context) || base(context, segment) == selector(context, segment) << 4;
}

static bool base_canonical(const struct entry_context *context, u32 segment)
{
	return (segment == SEGMENT_LDTR && !is_usable(context, segment)) || is_canonical_base(context, base(context, segment));
}

static bool base_32bit(const struct entry_context *context, u32 segment)
{
	return (segment != SEGMENT_CS && !is_usable(context, segment)) || (base(context, segment) >> 32) == 0;
}

static bool limit_v8086(const struct entry_context *context, u32 segment)
{
	return !is_v8086(context) || limit(context, segment) == UINT16_MAX;
}

static bool rights_v8086(const struct entry_context *context, u32 segment)
{
	return !is_v8086(context) || rights(context, segment) == ACCESS_RIGHTS_V8086;
}

/* --- access rights ----------------------------------------------------------- */

static bool cs_type(const struct entry_context *context, u32 segment)
{
	if (!has_rights(context, segment))
		return true;
	switch (type(context, segment)) {
	case TYPE_CODE_ACCESSED:
	case TYPE_CODE_READABLE_ACCESSED:
	case TYPE_CODE_CONFORMING_ACCESSED:
	case TYPE_CODE_CONFORMING_READABLE_ACCESSED:
		return true;
	default:
		return is_unrestricted(context) && type(context, segment) == TYPE_DATA_WRITABLE_ACCESSED;
	}
}

static bool ss_type(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || type(context, segment) == TYPE_DATA_WRITABLE_ACCESSED ||
	       type(context, segment) == TYPE_DATA_WRITABLE_EXPAND_DOWN_ACCESSED;
}

static bool data_accessed(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (type(context, segment) & ACCESS_RIGHTS_TYPE_ACCESSED) != 0;
}

static bool data_readable(const struct entry_context *context, u32 segment)
{
	const u64 readable_code = ACCESS_RIGHTS_TYPE_CODE | ACCESS_RIGHTS_TYPE_WRITABLE;

	return !has_rights(context, segment) || (type(context, segment) & readable_code) != ACCESS_RIGHTS_TYPE_CODE;
}

static bool is_code_or_data(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_S) != 0;
}

/* CS's type has passed when these are asked: it is one of the five that code may have. */
static bool is_conforming(const struct entry_context *context, u32 segment)
{
	return type(context, segment) == TYPE_CODE_CONFORMING_ACCESSED ||
	       type(context, segment) == TYPE_CODE_CONFORMING_READABLE_ACCESSED;
}

static bool cs_dpl_of_data(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || type(context, segment) != TYPE_DATA_WRITABLE_ACCESSED || dpl(context, segment) == 0;
}

static bool cs_dpl(const struct entry_context *context, u32 segment)
{
	if (!has_rights(context, segment) || type(context, segment) == TYPE_DATA_WRITABLE_ACCESSED || is_conforming(context, segment))
		return true;
	return dpl(context, segment) == dpl(context, SEGMENT_SS);
}

static bool cs_dpl_conforming(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || !is_conforming(context, segment) ||
	       dpl(context, segment) <= dpl(context, SEGMENT_SS);
}

/* SS.DPL is the privilege level, so it is looked at even when SS is unusable. */
static bool ss_dpl_rpl(const struct entry_context *context, u32 segment)
{
	return is_v8086(context) || is_unrestricted(context) ||
	       dpl(context, segment) == (selector(context, segment) & SELECTOR_RPL);
}

static bool ss_dpl_with_data_in_cs(const struct entry_context *context, u32 segment)
{
	return is_v8086(context) || type(context, SEGMENT_CS) != TYPE_DATA_WRITABLE_ACCESSED || dpl(context, segment) == 0;
}

static bool ss_dpl_in_real_mode(const struct entry_context *context, u32 segment)
{
	return is_v8086(context) || (get(context, VMCS_GUEST_CR0) & CR0_PE) != 0 || dpl(context, segment) == 0;
}

static bool data_dpl(const struct entry_context *context, u32 segment)
{
	if (!has_rights(context, segment) || is_unrestricted(context) || type(context, segment) > TYPE_CODE_READABLE_ACCESSED)
		return true;
	return dpl(context, segment) >= (selector(context, segment) & SELECTOR_RPL);
}

static bool is_present(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_P) != 0;
}

static bool reserved_low(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_RESERVED_LOW) == 0;
}

static bool cs_size(const struct entry_context *context, u32 segment)
{
	const u64 both = ACCESS_RIGHTS_L | ACCESS_RIGHTS_DB;

	return !has_rights(context, segment) || !is_ia32e_guest(context) || (rights(context, segment) & both) != both;
}

static bool in_pages(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_G) == 0 ||
	       (limit(context, segment) & BITS(11, 0)) == BITS(11, 0);
}

static bool in_bytes(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_G) != 0 ||
	       (limit(context, segment) & BITS(31, 20)) == 0;
}

static bool reserved_high(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_RESERVED_HIGH) == 0;
}

/* --- TR and LDTR -------------------------------------------------------------- */

static bool tr_type(const struct entry_context *context, u32 segment)
{
	return type(context, segment) == TYPE_TSS_BUSY ||
	       (type(context, segment) == TYPE_TSS_16_BUSY && !is_ia32e_guest(context));
}

static bool ldtr_type(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || type(context, segment) == TYPE_LDT;
}

static bool is_system(const struct entry_context *context, u32 segment)
{
	return !has_rights(context, segment) || (rights(context, segment) & ACCESS_RIGHTS_S) == 0;
}

static bool tr_usable(const struct entry_context *context, u32 segment)
{
	return is_usable(context, segment);
}

/* One property of several registers, in the order of the SDM's lists; a rule's number is the first one's and the enum's. */
#define OF(number, predicate, name, property, rule) \
	CHECK_OF(number, predicate, SEGMENT_##name, GUEST_##name##_##property, "guest " #name " " rule)
#define OF_ONE(first, predicate, name, property, rule) OF((first) + SEGMENT_##name, predicate, name, property, rule)
#define OF_DATA(first, predicate, property, rule) \
	OF_ONE(first, predicate, DS, property, rule), OF_ONE(first, predicate, ES, property, rule), \
		OF_ONE(first, predicate, FS, property, rule), OF_ONE(first, predicate, GS, property, rule)
#define OF_SIX(first, predicate, property, rule) \
	OF_ONE(first, predicate, CS, property, rule), OF_ONE(first, predicate, SS, property, rule), \
		OF_DATA(first, predicate, property, rule)

static const struct entry_check checks[] = {
	OF(500, selector_ti, TR, SELECTOR, "selector: TI is not 0"),
	OF(501, selector_ti, LDTR, SELECTOR, "selector: TI is not 0"),
	OF(502, ss_rpl, SS, SELECTOR, "selector: RPL differs from CS's"),

	OF_SIX(510, base_v8086, BASE, "base: not the selector times 16 in virtual-8086 mode"),
	OF(520, base_canonical, TR, BASE, "base: not canonical"),
	OF(521, base_canonical, FS, BASE, "base: not canonical"),
	OF(522, base_canonical, GS, BASE, "base: not canonical"),
	OF(523, base_canonical, LDTR, BASE, "base: not canonical"),
	OF(524, base_32bit, CS, BASE, "base: bits 63:32 are not 0"),
	OF(525, base_32bit, SS, BASE, "base: bits 63:32 are not 0"),
	OF(526, base_32bit, DS, BASE, "base: bits 63:32 are not 0"),
	OF(527, base_32bit, ES, BASE, "base: bits 63:32 are not 0"),

	OF_SIX(530, limit_v8086, LIMIT, "limit: not FFFFH in virtual-8086 mode"),
	OF_SIX(540, rights_v8086, ACCESS_RIGHTS, "access rights: not F3H in virtual-8086 mode"),

	OF(550, cs_type, CS, ACCESS_RIGHTS, "access rights: type is not that of accessed code"),
	OF(551, ss_type, SS, ACCESS_RIGHTS, "access rights: type is not that of accessed, writable data"),
	OF_DATA(560, data_accessed, ACCESS_RIGHTS, "access rights: type is not accessed"),
	OF_DATA(570, data_readable, ACCESS_RIGHTS, "access rights: type is code that is not readable"),
	OF_SIX(580, is_code_or_data, ACCESS_RIGHTS, "access rights: S is 0"),
	OF(590, cs_dpl_of_data, CS, ACCESS_RIGHTS, "access rights: DPL is not 0 with a data segment in CS"),
	OF(591, cs_dpl, CS, ACCESS_RIGHTS, "access rights: DPL differs from SS's DPL, but the code is not conforming"),
	OF(592, cs_dpl_conforming, CS, ACCESS_RIGHTS, "access rights: DPL is above SS's DPL"),
	OF(593, ss_dpl_rpl, SS, ACCESS_RIGHTS, "access rights: DPL differs from the selector's RPL"),
	OF(594, ss_dpl_with_data_in_cs, SS, ACCESS_RIGHTS, "access rights: DPL is not 0 with a data segment in CS"),
	OF(595, ss_dpl_in_real_mode, SS, ACCESS_RIGHTS, "access rights: DPL is not 0 with CR0.PE 0"),
	OF_DATA(600, data_dpl, ACCESS_RIGHTS, "access rights: DPL is less than the selector's RPL"),
	OF_SIX(610, is_present, ACCESS_RIGHTS, "access rights: P is 0"),
	OF_SIX(620, reserved_low, ACCESS_RIGHTS, "access rights: bits 11:8 are not 0"),
	OF(630, cs_size, CS, ACCESS_RIGHTS, "access rights: D/B and L both set"),
	OF_SIX(640, in_pages, ACCESS_RIGHTS, "access rights: G is 1, but bits 11:0 of the limit are not all 1"),
	OF_SIX(650, in_bytes, ACCESS_RIGHTS, "access rights: G is 0, but bits 31:20 of the limit are not 0"),
	OF_SIX(660, reserved_high, ACCESS_RIGHTS, "access rights: bits 31:17 are not 0"),

	OF(670, tr_type, TR, ACCESS_RIGHTS, "access rights: type is not a busy TSS of this mode"),
	OF(671, is_system, TR, ACCESS_RIGHTS, "access rights: S is not 0"),
	OF(672, is_present, TR, ACCESS_RIGHTS, "access rights: P is 0"),
	OF(673, reserved_low, TR, ACCESS_RIGHTS, "access rights: bits 11:8 are not 0"),
	OF(674, in_pages, TR, ACCESS_RIGHTS, "access rights: G is 1, but bits 11:0 of the limit are not all 1"),
	OF(675, in_bytes, TR, ACCESS_RIGHTS, "access rights: G is 0, but bits 31:20 of the limit are not 0"),
	OF(676, tr_usable, TR, ACCESS_RIGHTS, "access rights: unusable"),
	OF(677, reserved_high, TR, ACCESS_RIGHTS, "access rights: bits 31:17 are not 0"),

	OF(678, ldtr_type, LDTR, ACCESS_RIGHTS, "access rights: type is not LDT"),
	OF(679, is_system, LDTR, ACCESS_RIGHTS, "access rights: S is not 0"),
	OF(680, is_present, LDTR, ACCESS_RIGHTS, "access rights: P is 0"),
	OF(681, reserved_low, LDTR, ACCESS_RIGHTS, "access rights: bits 11:8 are not 0"),
	OF(682, in_pages, LDTR, ACCESS_RIGHTS, "access rights: G is 1, but bits 11:0 of the limit are not all 1"),
	OF(683, in_bytes, LDTR, ACCESS_RIGHTS, "access rights: G is 0, but bits 31:20 of the limit are not 0"),
	OF(684, reserved_high, LDTR, ACCESS_RIGHTS, "access rights: bits 31:17 are not 0"),
};

const struct entry_section check_guest_segments_section = SECTION(REFUSAL_GUEST, "Checks on Guest Segment Registers", checks);
