/* SPDX-License-Identifier: MIT */
/*
 * The operands of an instruction that caused a VM exit: decodes VM-exit
 * instruction information and computes the linear address of a memory operand
 * with the faults that the instruction itself would have raised. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/bits.h"
#include "mm/addr.h"

/* Numbered as instruction information and the VMCS fields number them. */
enum segment { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS, SEGMENT_COUNT };

/* Access rights as in the VMCS. SDM "Guest Register State". */
#define ACCESS_RIGHTS_TYPE BITS(3, 0)
#define ACCESS_RIGHTS_TYPE_ACCESSED BIT(0)
#define ACCESS_RIGHTS_TYPE_WRITABLE BIT(1)	/* of data; readable, of code */
#define ACCESS_RIGHTS_TYPE_EXPAND_DOWN BIT(2)	/* of data; conforming, of code */
#define ACCESS_RIGHTS_TYPE_CODE BIT(3)
#define ACCESS_RIGHTS_S BIT(4)
#define ACCESS_RIGHTS_DPL BITS(6, 5)
#define ACCESS_RIGHTS_P BIT(7)
#define ACCESS_RIGHTS_L BIT(13)
#define ACCESS_RIGHTS_DB BIT(14)
#define ACCESS_RIGHTS_G BIT(15)
#define ACCESS_RIGHTS_UNUSABLE BIT(16)

/* SDM "Format of the VM-Exit Instruction-Information Field as Used for VMREAD and VMWRITE". */
#define INFO_SCALE BITS(1, 0)
#define INFO_REG1 BITS(6, 3)
#define INFO_ADDRESS_SIZE BITS(9, 7)
#define INFO_IS_REGISTER BIT(10)
#define INFO_SEGMENT BITS(17, 15)
#define INFO_INDEX BITS(21, 18)
#define INFO_NO_INDEX BIT(22)
#define INFO_BASE BITS(26, 23)
#define INFO_NO_BASE BIT(27)
#define INFO_REG2 BITS(31, 28)

/* SDM "Information for VM Exits Due to Instruction Execution": the formats of the VMX instructions overlap. */
struct insn_info {
	bool is_register;	/* VMREAD, VMWRITE: the r/m operand is register reg1 */
	bool has_base, has_index;
	u8 reg1;		/* only when is_register */
	u8 reg2;		/* VMREAD, VMWRITE: holds the field; INVEPT, INVVPID: the type */
	u8 base, index;		/* register numbers */
	u8 scale;		/* index is shifted left by it */
	u8 address_size;	/* 16, 32 or 64 bits */
	u8 segment;		/* enum segment; always a valid one */
};

struct insn_info insn_info_decode(u32 information);

struct segment_state {
	u64 base;
	u32 limit;
	u32 access_rights;
};

/* What the address depends on besides the instruction. */
struct insn_context {
	const u64 *gpr;			/* 16 general registers, numbered as instructions do, RSP in its place */
	struct segment_state segment;	/* of insn_info.segment */
	bool mode_64bit;		/* IA32_EFER.LMA and CS.L */
	u8 linear_address_bits;		/* 48, or 57 with CR4.LA57 */
	u8 user_sign_bit;		/* linear-address masking: the bit copied upwards in addresses with bit 63 clear; 0: off */
	u8 supervisor_sign_bit;		/* the same where bit 63 is set */
};

/* A linear address, or the exception (with error code 0) to raise instead. */
struct operand_address {
	bool faulted;
	u8 vector;		/* VECTOR_GP or VECTOR_SS */
	gva_t linear;
};

/* `displacement` is the exit qualification: RIP-relative addresses come with RIP added. */
struct operand_address insn_effective_address(const struct insn_info *info, u64 displacement,
					      const struct insn_context *context, u32 size, bool write);

/* Are the bits above `bits` copies of the highest below? SDM "Canonical Addressing". */
static inline bool is_canonical(u64 address, u8 bits)
{
	u32 unused = 64u - bits;

	return (u64)((s64)(address << unused) >> unused) == address;
}
