/* SPDX-License-Identifier: MIT */
/*
 * Unpacks the root kernel. It is packed (tools/pack.c) because disks are slow
 * before there is a driver of an operating system. Pure: bytes in, bytes out.
 */
#pragma once

#include "arch/types.h"

/*
 * One block of the LZ4 block format. Returns how many bytes it made, or 0 when
 * the input is damaged or would fill more than `room`; never reads or writes outside.
 */
u64 unpack(const u8 *from, u64 size, u8 *to, u64 room);
