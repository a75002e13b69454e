/* SPDX-License-Identifier: MIT */
/*
 * Any instruction information, registers and segment: the decoder must give
 * valid register numbers, and an address that passes must lie where the mode
 * allows, first and last byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86.h"
#include "vmx/insn_info.h"

#define REQUIRE(condition)       \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	u32 information;
	u32 size;
	u64 displacement;
	u64 gpr[16];
	struct segment_state segment;
	u8 mode, write;
};

static void check_address(const struct insn_info *info, const struct insn_context *context, struct operand_address address,
			  u32 size)
{
	u64 last = address.linear.value + size - 1;

	if (address.faulted) {
		REQUIRE(address.vector == (info->segment == SEGMENT_SS ? VECTOR_SS : VECTOR_GP));
		return;
	}
	if (context->mode_64bit) {
		REQUIRE(is_canonical(address.linear.value, context->linear_address_bits));
		REQUIRE(is_canonical(last, context->linear_address_bits));
		return;
	}
	REQUIRE(address.linear.value <= UINT32_MAX);
	REQUIRE((context->segment.access_rights & ACCESS_RIGHTS_UNUSABLE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .information = 0 };
	struct insn_info info;
	struct insn_context context;
	struct operand_address address;

	memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
	input.size = 1 + (input.size & 63);
	info = insn_info_decode(input.information);
	REQUIRE(info.reg1 < 16 && info.reg2 < 16 && info.base < 16 && info.index < 16 && info.segment < SEGMENT_COUNT);
	REQUIRE(info.address_size == 16 || info.address_size == 32 || info.address_size == 64);

	context = (struct insn_context){ .gpr = input.gpr, .segment = input.segment, .mode_64bit = (input.mode & 1) != 0,
					 .linear_address_bits = (input.mode & 2) != 0 ? 57 : 48 };
	context.supervisor_sign_bit = (input.mode & 4) != 0 ? (u8)(context.linear_address_bits - 1) : 0;
	context.user_sign_bit = (input.mode & 8) != 0 ? (input.mode & 16) != 0 ? 56 : 47 : 0;
	address = insn_effective_address(&info, input.displacement, &context, input.size, (input.write & 1) != 0);
	check_address(&info, &context, address, input.size);

	/* What may be written may be read. */
	if ((input.write & 1) != 0 && !address.faulted)
		REQUIRE(!insn_effective_address(&info, input.displacement, &context, input.size, false).faulted);
	return 0;
}
