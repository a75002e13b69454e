/* SPDX-License-Identifier: MIT */
/*
 * One wrapper per privileged instruction, nothing more. A file that includes
 * this cannot be part of a host test: purity by construction.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

#ifdef HOST_TEST
#error "privileged instructions have no place in host tests"
#endif

/* What SGDT, SIDT, LGDT and LIDT transfer. */
struct descriptor_register {
	u16 limit;
	u64 base;
} packed;

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

/* Instructions that may fault and say so: the #GP finds its way here through the fixup table. */
struct fixup {
	s32 instruction;	/* relative to this member */
	s32 target;		/* relative to this member */
};

/* Makes a #GP or #UD at label 1 continue at label 2. */
#define FIXUP_1_TO_2                                 \
	".pushsection .fixup_table, \"a\", @progbits\n" \
	".long 1b - .\n"                                \
	".long 2b - .\n"                                \
	".popsection\n"

#define DEFINE_CONTROL_REGISTER(name)                                    \
	static inline u64 read_##name(void)                              \
	{                                                                \
		u64 value;                                               \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));   \
		return value;                                            \
	}                                                                \
	static inline void write_##name(u64 value)                       \
	{                                                                \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}

DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)
DEFINE_CONTROL_REGISTER(cr8)
DEFINE_CONTROL_REGISTER(dr0)
DEFINE_CONTROL_REGISTER(dr1)
DEFINE_CONTROL_REGISTER(dr2)
DEFINE_CONTROL_REGISTER(dr3)
DEFINE_CONTROL_REGISTER(dr6)
DEFINE_CONTROL_REGISTER(dr7)

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* False when the processor refused (#GP): `*value` is then 0. */
static inline bool rdmsr_safe(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	u8 ok = 0;
	__asm__ volatile("1: rdmsr\n movb $1, %b0\n 2:\n" FIXUP_1_TO_2 : "+q"(ok), "+a"(low), "+d"(high) : "c"(msr));
	*value = ok ? (u64)high << 32 | low : 0;
	return ok;
}

/* False when the processor refused (#GP). */
static inline bool wrmsr_safe(u32 msr, u64 value)
{
	u8 ok = 0;
	__asm__ volatile("1: wrmsr\n movb $1, %b0\n 2:\n" FIXUP_1_TO_2
			 : "+q"(ok) : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
	return ok;
}

/* False when the processor refused (#GP; #UD without CR4.OSXSAVE). */
static inline bool xsetbv_safe(u32 index, u64 value)
{
	u8 ok = 0;
	__asm__ volatile("1: xsetbv\n movb $1, %b0\n 2:\n" FIXUP_1_TO_2
			 : "+q"(ok) : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
	return ok;
}

static inline u64 xgetbv(u32 index)
{
	u32 low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (u64)high << 32 | low;
}

/* Takes CR4.PKE. */
static inline u32 rdpkru(void)
{
	u32 value, zero;
	__asm__ volatile("rdpkru" : "=a"(value), "=d"(zero) : "c"(0));
	return value;
}

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;
	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u8 in8(u16 port)
{
	u8 value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u16 in16(u16 port)
{
	u16 value;
	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline u32 in32(u16 port)
{
	u32 value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out32(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline struct descriptor_register sgdt(void)
{
	struct descriptor_register r;
	__asm__ volatile("sgdt %0" : "=m"(r));
	return r;
}

static inline struct descriptor_register sidt(void)
{
	struct descriptor_register r;
	__asm__ volatile("sidt %0" : "=m"(r));
	return r;
}

static inline void lgdt(const struct descriptor_register *r)
{
	__asm__ volatile("lgdt %0" : : "m"(*r) : "memory");
}

static inline void lidt(const struct descriptor_register *r)
{
	__asm__ volatile("lidt %0" : : "m"(*r) : "memory");
}

static inline u16 sldt(void)
{
	u16 selector;
	__asm__ volatile("sldt %0" : "=r"(selector));
	return selector;
}

static inline u16 str(void)
{
	u16 selector;
	__asm__ volatile("str %0" : "=r"(selector));
	return selector;
}

static inline void lldt(u16 selector)
{
	__asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

static inline void ltr(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

#define DEFINE_SEGMENT(name)                                          \
	static inline u16 read_##name(void)                           \
	{                                                             \
		u16 selector;                                         \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(selector)); \
		return selector;                                      \
	}

#define DEFINE_SEGMENT_LOAD(name)                                                 \
	static inline void write_##name(u16 selector)                             \
	{                                                                         \
		__asm__ volatile("mov %0, %%" #name : : "r"(selector) : "memory"); \
	}

DEFINE_SEGMENT(cs)
DEFINE_SEGMENT(ds)
DEFINE_SEGMENT(es)
DEFINE_SEGMENT(ss)
DEFINE_SEGMENT(fs)
DEFINE_SEGMENT(gs)
DEFINE_SEGMENT_LOAD(ds)
DEFINE_SEGMENT_LOAD(es)
DEFINE_SEGMENT_LOAD(ss)
DEFINE_SEGMENT_LOAD(fs)
DEFINE_SEGMENT_LOAD(gs)

/* CS has no MOV: a far return to the next instruction loads it. */
static inline void write_cs(u16 selector)
{
	u64 scratch;
	__asm__ volatile("pushq %1\n leaq 1f(%%rip), %0\n pushq %0\n lretq\n 1:"
			 : "=&r"(scratch) : "r"((u64)selector) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void invlpg(u64 address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void hlt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}
