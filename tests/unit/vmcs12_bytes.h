/* SPDX-License-Identifier: MIT */
/* A fuzzer's bytes as a vmcs12: near-valid, or wild. */
#pragma once

#include <stddef.h>

#include "tests/unit/vmcs12_builder.h"

/*
 * Bit 7 of the first byte: the rest is the region as it is. Else its other bits say
 * which valid vmcs12 to start from, and each ten bytes more change a field of it.
 */
void vmcs12_from_bytes(struct builder *builder, const u8 *data, size_t size);
