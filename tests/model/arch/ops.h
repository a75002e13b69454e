/* SPDX-License-Identifier: MIT */
/*
 * Stands before the real arch/ops.h in the include path of the model: the same
 * functions without the instructions. What they do is in tests/model/machine.c.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

struct descriptor_register {
	u16 limit;
	u64 base;
} packed;

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool xsetbv_safe(u32 index, u64 value);
struct cpuid_result cpuid(u32 leaf, u32 subleaf);

u8 in8(u16 port);
u16 in16(u16 port);
u32 in32(u16 port);
void out8(u16 port, u8 value);
void out16(u16 port, u16 value);
void out32(u16 port, u32 value);

/* L0's own registers, of which nothing depends on the value. */
static inline u64 read_cr0(void)
{
	return 0x80010031;
}

static inline u64 read_cr3(void)
{
	return 0x3f00000;
}

static inline u64 read_cr4(void)
{
	return 0x2020;
}

static inline struct descriptor_register sgdt(void)
{
	return (struct descriptor_register){ 0xff, 0x3f10000 };
}

static inline struct descriptor_register sidt(void)
{
	return (struct descriptor_register){ 0xfff, 0x3f20000 };
}

void write_cr2(u64 value);

extern u64 model_ticks;

static inline u64 rdtsc(void)
{
	return model_ticks += 100;
}

#define DEFINE_NO_EFFECT(name)              \
	static inline void name(u64 value)  \
	{                                   \
		(void)value;                \
	}

DEFINE_NO_EFFECT(write_cr0)
DEFINE_NO_EFFECT(write_cr4)
DEFINE_NO_EFFECT(write_dr0)
DEFINE_NO_EFFECT(write_dr1)
DEFINE_NO_EFFECT(write_dr2)
DEFINE_NO_EFFECT(write_dr3)
DEFINE_NO_EFFECT(write_dr6)

#define DEFINE_ZERO(name)            \
	static inline u64 name(void) \
	{                            \
		return 0;            \
	}

DEFINE_ZERO(read_dr0)
DEFINE_ZERO(read_dr1)
DEFINE_ZERO(read_dr2)
DEFINE_ZERO(read_dr3)
DEFINE_ZERO(read_dr6)
DEFINE_ZERO(read_cr2)

static inline u32 rdpkru(void)
{
	return 0;
}

static inline void wbinvd(void)
{
}

static inline void cpu_pause(void)
{
}
