/* SPDX-License-Identifier: MIT */
/*
 * The rest of the model's machine: CPUID, MSRs and ports, the console that L0
 * prints to, and the ends that L0 can come to. Nothing of it decides anything.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "drivers/panic.h"
#include "drivers/uart.h"
#include "tests/model/model.h"
#include "vmx/apic_reset.h"
#include "vmx/shutdown.h"

u64 model_ticks;

/* --- CPUID, MSRs, ports ------------------------------------------------------- */

struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	switch (leaf) {
	case 1:
		return (struct cpuid_result){ .eax = 0x506e3, .ecx = 1u << 5, .edx = 1u << 12 };
	case 0xa:
		return (struct cpuid_result){ .eax = 0x08300404, .edx = 3 };
	case 0x80000001:
		return (struct cpuid_result){ .edx = 1u << 20 | 1u << 26 };
	case 0x80000008:
		return (struct cpuid_result){ .eax = processor.caps.physical_address_bits | (u32)processor.caps.linear_address_bits << 8 };
	default:
		return (struct cpuid_result){ 0 };
	}
}

struct model_msr *processor_msr(u32 index)
{
	for (u32 i = 0; i < processor.msr_count; i++)
		if (processor.msrs[i].index == index)
			return &processor.msrs[i];
	return NULL;
}

static void add_msr(u32 index, u64 value, u64 may_be_1)
{
	require(processor.msr_count < MODEL_MSRS);
	processor.msrs[processor.msr_count++] = (struct model_msr){ index, value, may_be_1 };
}

static u64 allowed_msr(enum control_word word)
{
	const struct allowed *allowed = &processor.caps.control[word];

	return allowed->must_be_1 | (u64)allowed->may_be_1 << 32;
}

static void add_capabilities(const struct vmx_caps *caps)
{
	static const u32 plain[] = { IA32_VMX_PINBASED_CTLS, IA32_VMX_PROCBASED_CTLS, 0, IA32_VMX_EXIT_CTLS, IA32_VMX_ENTRY_CTLS };
	static const u32 exact[] = { IA32_VMX_TRUE_PINBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, IA32_VMX_PROCBASED_CTLS2,
				     IA32_VMX_TRUE_EXIT_CTLS, IA32_VMX_TRUE_ENTRY_CTLS };
	const struct {
		u32 msr;
		u64 value;
	} others[] = {
		{ IA32_VMX_BASIC, caps->basic }, { IA32_VMX_MISC, caps->misc }, { IA32_VMX_CR0_FIXED0, caps->cr0_fixed0 },
		{ IA32_VMX_CR0_FIXED1, caps->cr0_fixed1 }, { IA32_VMX_CR4_FIXED0, caps->cr4_fixed0 },
		{ IA32_VMX_CR4_FIXED1, caps->cr4_fixed1 }, { IA32_VMX_VMCS_ENUM, caps->vmcs_enum },
		{ IA32_VMX_EPT_VPID_CAP, caps->ept_vpid }, { IA32_VMX_VMFUNC, caps->vmfunc },
	};

	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		add_msr(exact[word], allowed_msr((enum control_word)word), 0);
		if (plain[word])
			add_msr(plain[word], allowed_msr((enum control_word)word), 0);
	}
	for (u32 i = 0; i < array_size(others); i++)
		add_msr(others[i].msr, others[i].value, 0);
}

void processor_reset(const struct vmx_caps *caps)
{
	memset(&processor, 0, sizeof(processor));
	processor.caps = *caps;
	add_capabilities(caps);
	add_msr(IA32_APIC_BASE, 0xfee00800, 0xffffffd00);
	add_msr(IA32_FEATURE_CONTROL, 5, 0);
	add_msr(IA32_MTRRCAP, 0x508, 0);
	add_msr(IA32_MTRR_DEF_TYPE, 0x806, 0xcff);
	for (u32 i = 0; i < 16; i++)
		add_msr(IA32_MTRR_PHYSBASE0 + i, 0, ~UINT64_C(0));
	add_msr(IA32_PAT, UINT64_C(0x0007040600070406), 0x0707070707070707);
	add_msr(IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE, caps->efer_valid);
	add_msr(IA32_DEBUGCTL, 0, caps->debugctl_valid);
	add_msr(IA32_PERF_GLOBAL_CTRL, 0, caps->perf_global_ctrl_valid);
	add_msr(IA32_SYSENTER_CS, 0, ~UINT64_C(0));
	add_msr(IA32_SYSENTER_ESP, 0, ~UINT64_C(0));
	add_msr(IA32_SYSENTER_EIP, 0, ~UINT64_C(0));
	add_msr(IA32_LSTAR, 0, ~UINT64_C(0));
	add_msr(IA32_KERNEL_GS_BASE, 0, ~UINT64_C(0));
	add_msr(IA32_TSC_AUX, 0, UINT32_MAX);
	add_msr(IA32_S_CET, 0, caps->s_cet_valid);
	add_msr(IA32_INTERRUPT_SSP_TABLE_ADDR, 0, ~UINT64_C(0));
	add_msr(IA32_PKRS, 0, UINT32_MAX);
	add_msr(IA32_UINTR_MISC, 0, BITS(39, 0));
}

bool rdmsr_safe(u32 msr, u64 *value)
{
	const struct model_msr *found = processor_msr(msr);

	*value = found ? found->value : 0;
	return found != NULL;
}

bool wrmsr_safe(u32 msr, u64 value)
{
	struct model_msr *found = processor_msr(msr);

	if (!found || (value & ~found->may_be_1))
		return false;
	found->value = value;
	return true;
}

u64 rdmsr(u32 msr)
{
	u64 value;

	require(rdmsr_safe(msr, &value));
	return value;
}

void wrmsr(u32 msr, u64 value)
{
	require(wrmsr_safe(msr, value));
}

bool xsetbv_safe(u32 index, u64 value)
{
	return index == 0 && (value & 1) && !(value & ~UINT64_C(7));
}

u8 in8(u16 port)
{
	u32 reg = (u32)port - MODEL_UART;

	return reg < sizeof(model.uart) ? model.uart[reg] : (u8)port;
}

u16 in16(u16 port)
{
	return port;
}

u32 in32(u16 port)
{
	return port;
}

void out8(u16 port, u8 value)
{
	u32 reg = (u32)port - MODEL_UART;

	if (reg < sizeof(model.uart))
		model.uart[reg] = value;
	processor.ports_written++;
}

u8 uart_port_read(u16 port)
{
	return in8(port);
}

void uart_port_write(u16 port, u8 value)
{
	out8(port, value);
}

void out16(u16 port, u16 value)
{
	out8(port, (u8)value);
}

void out32(u16 port, u32 value)
{
	out8(port, (u8)value);
}

void write_cr2(u64 value)
{
	processor.cr2 = value;
}

void apic_reset_prepare(void)
{
}

void apic_disable(void)
{
	model.apic_disabled = true;
}

void apic_reset(void)
{
	model.apic_disabled = false;
}

/* --- console -------------------------------------------------------------------- */

struct lock console_lock = LOCK("console", LOCK_RANK_CONSOLE);

bool console_shows(enum log_level level)
{
	(void)level;
	return true;
}

static enum log_level console_shown = LOG_INFO;

enum log_level console_level(void)
{
	return console_shown;
}

void console_set_level(enum log_level level)
{
	console_shown = level;
}

void console_line_va(enum log_level level, const char *format, va_list arguments)
{
	char *line = model.lines[model.line_count++ % MODEL_LINES];

	(void)level;
	vsnprintf(line, MODEL_LINE, format, arguments);
	if (model.show_console)
		fprintf(stderr, "testudo: %s\n", line);
}

void console_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	console_line_va(level, format, arguments);
	va_end(arguments);
}

void console_line_within(struct line_budget *budget, enum log_level level, const char *format, ...)
{
	va_list arguments;

	(void)budget;
	va_start(arguments, format);
	console_line_va(level, format, arguments);
	va_end(arguments);
}

bool model_said(const char *text)
{
	u32 first = model.line_count > MODEL_LINES ? model.line_count - MODEL_LINES : 0;

	for (u32 i = first; i < model.line_count; i++)
		if (strstr(model.lines[i % MODEL_LINES], text))
			return true;
	return false;
}

/* --- ends ------------------------------------------------------------------------- */

void model_end(const char *why)
{
	model.ended = why;
	longjmp(model.end, 1);
}

noreturn void shutdown(const char *why)
{
	console_line(LOG_QUIET, "%s", why);
	model_end(why);
	abort();
}

noreturn void panic(const char *format, ...)
{
	static char text[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	model.panicked = true;
	if (!model.may_panic) {
		fprintf(stderr, "panic: %s\n", text);
		abort();
	}
	console_line(LOG_QUIET, "%s", text);
	model_end(text);
	abort();
}

u64 stop_reasons;

noreturn void panic_stop_here(void)
{
	abort();
}
