/* SPDX-License-Identifier: MIT */
/*
 * Decodes VM-exit instruction information and turns a memory operand into a
 * linear address, with the segment and canonicality checks that the processor
 * leaves to whoever emulates. It reads no memory and no register. Pure.
 */
#include "arch/bits.h"
#include "arch/x86.h"
#include "vmx/insn_info.h"

struct insn_info insn_info_decode(u32 information)
{
	u64 size = field_get(information, INFO_ADDRESS_SIZE);
	u64 segment = field_get(information, INFO_SEGMENT);

	return (struct insn_info){
		.is_register = (information & INFO_IS_REGISTER) != 0,
		.has_base = (information & INFO_NO_BASE) == 0,
		.has_index = (information & INFO_NO_INDEX) == 0,
		.reg1 = (u8)field_get(information, INFO_REG1),
		.reg2 = (u8)field_get(information, INFO_REG2),
		.base = (u8)field_get(information, INFO_BASE),
		.index = (u8)field_get(information, INFO_INDEX),
		.scale = (u8)field_get(information, INFO_SCALE),
		/* Other values are not used; a register operand leaves both fields undefined. */
		.address_size = size == 0 ? 16 : size == 1 ? 32 : 64,
		.segment = segment < SEGMENT_COUNT ? (u8)segment : SEGMENT_DS,
	};
}

static u64 effective_offset(const struct insn_info *info, u64 displacement, const u64 *gpr)
{
	u64 offset = displacement;

	if (info->has_base)
		offset += gpr[info->base];
	if (info->has_index)
		offset += gpr[info->index] << info->scale;
	return info->address_size == 64 ? offset : offset & (BIT(info->address_size) - 1);
}

/* SDM "Type Checking": may a data access of this kind use the segment? */
static bool type_allows(u64 access_rights, bool write)
{
	bool code = (access_rights & ACCESS_RIGHTS_TYPE_CODE) != 0;
	bool bit_1 = (access_rights & ACCESS_RIGHTS_TYPE_WRITABLE) != 0;

	return write ? !code && bit_1 : !code || bit_1;
}

/* SDM "Limit Checking": does [offset, offset + size) lie within the segment? */
static bool within_limit(const struct segment_state *segment, u64 offset, u32 size)
{
	u64 last = offset + size - 1;
	bool expand_down = (segment->access_rights & (ACCESS_RIGHTS_TYPE_CODE | ACCESS_RIGHTS_TYPE_EXPAND_DOWN)) ==
			   ACCESS_RIGHTS_TYPE_EXPAND_DOWN;

	if (!expand_down)
		return last <= segment->limit;
	return offset > segment->limit && last <= ((segment->access_rights & ACCESS_RIGHTS_DB) != 0 ? UINT32_MAX : UINT16_MAX);
}

static struct operand_address fault(const struct insn_info *info)
{
	return (struct operand_address){ .faulted = true, .vector = info->segment == SEGMENT_SS ? VECTOR_SS : VECTOR_GP };
}

/* Metadata in an address is no part of it. SDM "Linear-Address Masking". */
static u64 masked(u64 linear, const struct insn_context *context)
{
	u8 sign_bit = linear >> 63 ? context->supervisor_sign_bit : context->user_sign_bit;
	u32 unused = 63u - sign_bit;

	if (sign_bit == 0)
		return linear;
	return ((u64)((s64)(linear << unused) >> unused) & ~BIT(63)) | (linear & BIT(63));
}

/* In 64-bit mode only FS and GS have bases, and nothing but the canonical form is checked. */
static struct operand_address address_64bit(const struct insn_info *info, u64 offset, const struct insn_context *context, u32 size)
{
	bool has_base = info->segment == SEGMENT_FS || info->segment == SEGMENT_GS;
	u64 linear = masked(offset + (has_base ? context->segment.base : 0), context);

	if (!is_canonical(linear, context->linear_address_bits) ||
	    !is_canonical(linear + size - 1, context->linear_address_bits))
		return fault(info);
	return (struct operand_address){ .linear = gva(linear) };
}

struct operand_address insn_effective_address(const struct insn_info *info, u64 displacement,
					      const struct insn_context *context, u32 size, bool write)
{
	const struct segment_state *segment = &context->segment;
	u64 offset = effective_offset(info, displacement, context->gpr);

	if (context->mode_64bit)
		return address_64bit(info, offset, context, size);
	if ((segment->access_rights & ACCESS_RIGHTS_UNUSABLE) != 0 || !type_allows(segment->access_rights, write) ||
	    !within_limit(segment, (u32)offset, size))
		return fault(info);
	return (struct operand_address){ .linear = gva((u32)(segment->base + offset)) };
}
