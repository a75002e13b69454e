/* SPDX-License-Identifier: MIT */
/* A fuzzer's bytes as a vmcs12. Its content is not brought into canonical form. */
#include <string.h>

#include "tests/unit/vmcs12_bytes.h"

/* One change of a field: 2 bytes select it and how, 8 bytes are the value. */
#define CHANGE_BYTES 10

static void change_field(struct builder *builder, const u8 *bytes)
{
	u64 *row = &builder->vmcs12.fields.value[bytes[0] % VMCS_FIELD_COUNT];
	u64 value;

	memcpy(&value, bytes + 2, sizeof(value));
	switch (bytes[1] & 3) {
	case 0:
		*row = value;
		break;
	case 1:
		*row ^= UINT64_C(1) << (value & 63);
		break;
	case 2:
		*row |= value;
		break;
	default:
		*row += value & 0xff;
		break;
	}
}

void vmcs12_from_bytes(struct builder *builder, const u8 *data, size_t size)
{
	builder_init(builder, size == 0 ? BUILD_LONG : (enum builder_kind)((data[0] & 0x7f) % BUILD_KIND_COUNT));
	if (size == 0)
		return;
	if ((data[0] & 0x80) != 0) {
		size_t room = sizeof(builder->vmcs12);

		memcpy(&builder->vmcs12, data + 1, size - 1 < room ? size - 1 : room);
		return;
	}
	for (size_t i = 1; i + CHANGE_BYTES <= size; i += CHANGE_BYTES)
		change_field(builder, data + i);
}
