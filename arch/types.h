/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types. Every other header starts from here; nothing here
 * depends on anything but the compiler.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
