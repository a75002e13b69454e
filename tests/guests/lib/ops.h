/* SPDX-License-Identifier: MIT */
/* One wrapper per privileged instruction outside VMX. */
#pragma once

#include "tests/guests/lib/types.h"

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

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

static inline u32 in32(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return ((u64)high << 32) | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return ((u64)high << 32) | low;
}

#define CONTROL_REGISTER(n)                                                     \
	static inline u64 read_cr##n(void)                                      \
	{                                                                       \
		u64 value;                                                      \
										\
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                   \
	}                                                                       \
	static inline void write_cr##n(u64 value)                               \
	{                                                                       \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");  \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

static inline void lgdt(const struct table_register *r)
{
	__asm__ volatile("lgdt %0" : : "m"(*r));
}

static inline void lidt(const struct table_register *r)
{
	__asm__ volatile("lidt %0" : : "m"(*r));
}

static inline void ltr(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Interrupts that wait are taken between the two instructions. */
static inline void open_interrupt_window(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

/* An NMI that exited blocks further ones until IRET. */
static inline void nmi_unblock(void)
{
	__asm__ volatile("mov %%rsp, %%rax; mov %%ss, %%ecx; push %%rcx; push %%rax; pushfq; mov %%cs, %%ecx; push %%rcx;"
			 "lea 1f(%%rip), %%rcx; push %%rcx; iretq; 1:"
			 :
			 :
			 : "rax", "rcx", "memory", "cc");
}

static inline void invlpg(u64 address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
