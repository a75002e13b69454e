// SPDX-License-Identifier: MIT
/*
 * See sipi_again.h. The firmware waits in a loop on the boot processor, with interrupts on and its own timer off: the local APIC's timer is
 * free, and its interrupt repeats the SIPI that stands in the ICR. A processor that runs ignores it.
 */
#include "tests/emu/lib/sipi_again.h"

/* gnu-efi's headers take attributes away. */
#undef __attribute__

enum { VECTOR = 0x70, OVMF_SENDS = 2, TRIES = 500 };
enum { EOI = 0xb0, ICR = 0x300, LVT_TIMER = 0x320, INITIAL_COUNT = 0x380, DIVIDE = 0x3e0 };
enum { MASKED = 1 << 16, DIVIDE_BY_1 = 0xb, DELAY = 1000000 };
/* Registers of the local APIC. */
#define APIC(offset) (*(volatile UINT32 *)(UINTN)(0xfee00000 + (offset)))

enum { DELIVERY_MODE = 7 << 8, STARTUP = 6 << 8, INIT_DEASSERT_ALL = 0x88500 };

#pragma pack(push, 1)
struct descriptor_register {
	UINT16 limit;
	UINT64 base;
};
#pragma pack(pop)

struct gate {
	UINT16 offset_low, selector, type, offset_middle;
	UINT32 offset_high, reserved;
};

struct interrupt_frame;

static UINTN missing, tries = TRIES;

__attribute__((interrupt)) static void on_timer(struct interrupt_frame *frame)
{
	UINT32 command = APIC(ICR);

	(void)frame;
	if ((command & DELIVERY_MODE) == STARTUP) {
		APIC(ICR) = command;
		missing--;
	}
	if (missing && --tries)
		APIC(INITIAL_COUNT) = DELAY;
	else
		APIC(LVT_TIMER) = MASKED;
	APIC(EOI) = 0;
}

/* An ICR that tells of no SIPI yet: this command does nothing on processors of today. */
static VOID EFIAPI on_exit(EFI_EVENT event, VOID *context)
{
	struct descriptor_register idtr;
	UINT64 entry = (UINT64)(UINTN)on_timer;
	UINT16 selector;

	(void)event;
	(void)context;
	__asm__ volatile("sidt %0" : "=m"(idtr));
	__asm__ volatile("mov %%cs, %0" : "=r"(selector));
	((struct gate *)(UINTN)idtr.base)[VECTOR] = (struct gate){
		(UINT16)entry, selector, 0x8e00, (UINT16)(entry >> 16), (UINT32)(entry >> 32), 0
	};
	APIC(ICR) = INIT_DEASSERT_ALL;
	APIC(DIVIDE) = DIVIDE_BY_1;
	APIC(LVT_TIMER) = VECTOR;
	APIC(INITIAL_COUNT) = DELAY;
}

/* Interrupts are on: one that waits is taken now. */
void sipi_again_end(void)
{
	APIC(LVT_TIMER) = MASKED;
	APIC(INITIAL_COUNT) = 0;
	__asm__ volatile("nop\n\tnop" ::: "memory");
}

EFI_STATUS sipi_again(EFI_BOOT_SERVICES *boot, UINTN processors)
{
	EFI_EVENT event;

	if (processors <= 1 + OVMF_SENDS)
		return EFI_SUCCESS;
	missing = processors - 1 - OVMF_SENDS;
	/* Before the firmware's own, which wait at a lower level. */
	return boot->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_NOTIFY, on_exit, NULL, &event);
}
