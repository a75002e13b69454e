/* SPDX-License-Identifier: MIT */
/*
 * Address kinds as types, because most bugs in nesting are mixes of them.
 *
 *   hpa_t     host-physical: what goes on the bus
 *   l1_gpa_t  what L1 takes for physical; EPT01 maps it to hpa
 *   l2_gpa_t  what L2 takes for physical; EPT12 maps it to l1_gpa
 *   gva_t     linear address of whichever guest is meant
 *
 * All are in bytes. Only mm/l1_memory.c turns an l1_gpa_t into an hpa_t.
 */
#pragma once

#include "arch/types.h"

typedef struct { u64 value; } hpa_t;
typedef struct { u64 value; } l1_gpa_t;
typedef struct { u64 value; } l2_gpa_t;
typedef struct { u64 value; } gva_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK (PAGE_SIZE - 1)
#define SIZE_2M (UINT64_C(1) << 21)
#define SIZE_1G (UINT64_C(1) << 30)

static inline hpa_t hpa(u64 value)
{
	return (hpa_t){ value };
}

static inline l1_gpa_t l1_gpa(u64 value)
{
	return (l1_gpa_t){ value };
}

static inline l2_gpa_t l2_gpa(u64 value)
{
	return (l2_gpa_t){ value };
}

static inline gva_t gva(u64 value)
{
	return (gva_t){ value };
}

static inline u64 align_down(u64 value, u64 size)
{
	return value & ~(size - 1);
}

static inline u64 align_up(u64 value, u64 size)
{
	return (value + size - 1) & ~(size - 1);
}
