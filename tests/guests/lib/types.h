/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types of the test guests.
 * The guests share no header with the root kernel: a constant that is wrong
 * in one of the two must not be wrong in the other by inheritance.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(n) (1ull << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE 4096ull
