/* SPDX-License-Identifier: MIT */
/*
 * What the UEFI loader hands to the root kernel: a plain struct without any
 * EFI type, and the contract of the entry point. The only file they share.
 */
#pragma once

#include "arch/types.h"

#define HANDOFF_MAGIC UINT64_C(0x004f445554534554) /* "TESTUDO" */
#define HANDOFF_VERSION 7
#define HANDOFF_MAX_CPUS 256
#define HANDOFF_MAX_RANGES 512
#define HANDOFF_SLEEP_PORTS 8

enum log_level { LOG_QUIET, LOG_INFO, LOG_DEBUG, LOG_TRACE };

enum console_kind { CONSOLE_NONE, CONSOLE_PORT_16550, CONSOLE_MEMORY_16550 };

/* Where it is; the loader has set its speed. */
struct handoff_uart {
	u64 base;		/* I/O port, or hpa of a register file within one page that is no memory */
	u8 kind;		/* enum console_kind */
	u8 stride;		/* bytes from one register to the next: 1, 2, 4 or 8 */
	u8 width;		/* bytes of an access: 1, or in memory 4 */
};

struct handoff_console {
	struct handoff_uart uart;
	u32 colours;		/* 1: escape sequences by the lines' levels, for terminals */
	u32 timestamps;		/* 1: each line begins with its time */
	u64 tsc_start;		/* TSC at the beginning of time */
	u64 tsc_hz;		/* its ticks a second; 0: not known */
};

/* One range of physical memory, as the firmware's memory map has it. */
struct handoff_range {
	u64 base;		/* hpa, page aligned */
	u64 size;		/* bytes */
	u32 type;		/* EFI memory type number */
	u32 reserved;
};

/* As far as the map says. EfiReservedMemoryType, EfiMemoryMappedIO and EfiMemoryMappedIOPortSpace may be a device's registers. */
static inline bool handoff_type_is_memory(u32 type)
{
	return type != 0 && type != 11 && type != 12;
}

struct handoff_cpu {
	u32 apic_id;
	u32 is_boot_processor;
};

/* An I/O port whose byte has SLP_TYP in bits 4:2 and SLP_EN in bit 5, as in ACPI "Sleep Control Register". */
struct handoff_sleep_port {
	u16 port;
	u8 allowed;		/* bit n: SLP_TYP n does not lose the processors' context */
};

/* Lives in the block; the kernel may keep pointers into it. */
struct handoff {
	u64 magic;
	u32 version;
	u32 size;		/* sizeof(struct handoff) */

	u64 block_base;		/* hpa of the reserved block, 2 MB aligned */
	u64 block_size;		/* bytes, a multiple of 2 MB */
	u64 image_base;		/* hpa where the kernel's ELF was placed: block_base */
	u64 image_size;		/* bytes in memory, page aligned, .bss included */
	u64 free_base;		/* hpa of the first free page of the block: behind the image and this struct */

	u64 rsdp;		/* hpa of the ACPI root pointer, or 0 */
	u32 log_level;		/* enum log_level */
	u32 cpu_count;		/* CPUs that will be launched */
	u32 show_cpuid_leaves;	/* 1: answer CPUID 0x40000000... */
	u32 show_refusals;	/* 1: tell on the console why a VM entry of L1's was refused */
	u32 use_vmcs_shadowing;	/* 0: as on a processor that has none */
	u32 trace_kilobytes;	/* of each processor's trace ring; 0: no ring */
	u32 monitor_key;	/* the byte on the console that opens the monitor; 0: there is none */
	u32 range_count;
	u64 hide;		/* bit n: L1 is not shown what row n of boot/hide.def names */
	struct handoff_console console;
	struct handoff_cpu cpus[HANDOFF_MAX_CPUS];
	struct handoff_range ranges[HANDOFF_MAX_RANGES];
	u32 sleep_port_count;
	struct handoff_sleep_port sleep_ports[HANDOFF_SLEEP_PORTS];
};

/*
 * What the kernel's entry returns to the loader. LAUNCH_OK is seen by the
 * caller as a guest; any other value with the firmware's state restored.
 */
enum launch_status {
	LAUNCH_OK,
	LAUNCH_BAD_HANDOFF,
	LAUNCH_NO_MEMORY,
	LAUNCH_FEATURE_CONTROL_LOCKED,
	LAUNCH_VMXON_FAILED,
	LAUNCH_MISSING_CONTROL,
	LAUNCH_VMCS_REFUSED,
	LAUNCH_STATUS_COUNT
};

/*
 * The ELF's entry point (boot/root/entry.asm), SysV calling convention,
 * interrupts off, once on each CPU, the boot processor last.
 */
typedef u64 handoff_entry(struct handoff *handoff, u32 cpu_index);
